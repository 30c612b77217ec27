#include "core/base.h"
extern const int bus_empty; const int bus_empty = 0;
