#include "core/base.h"
extern const int net_empty; const int net_empty = 0;
