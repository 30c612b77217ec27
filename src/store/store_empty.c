#include "core/base.h"
extern const int store_empty; const int store_empty = 0;
