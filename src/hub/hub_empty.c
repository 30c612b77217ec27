#include "core/base.h"
extern const int hub_empty; const int hub_empty = 0;
