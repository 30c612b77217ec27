#include "core/base.h"
extern const int proc_empty; const int proc_empty = 0;
