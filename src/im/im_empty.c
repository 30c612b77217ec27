#include "core/base.h"
extern const int im_empty; const int im_empty = 0;
