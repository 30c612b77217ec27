/* SPDX-License-Identifier: BSD-2-Clause */
/* The last part of reading a group, past the write lane. */
#ifndef TIDINGS_STORE_READ_COUNT_H
#define TIDINGS_STORE_READ_COUNT_H

#include "core/base.h"
#include "store/lane.h"
#include "store/pool.h"

/* Of a read that is done and `counts`: fn is called from the loop with `marked` and `unread` counted. r is copied. */
void read_count(struct pool *p, struct str user, const struct lane_read *r, store_read_fn *fn, void *arg);

#endif
