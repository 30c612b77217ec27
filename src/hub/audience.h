/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many members of each group are online on this node. Each worker writes a table of its own, of a fixed size; the
 * reader sums over the workers. A table may have no place for a group: that worker then has none of its members, for
 * the sum. What a dead worker wrote counts no more.
 */
#ifndef TIDINGS_HUB_AUDIENCE_H
#define TIDINGS_HUB_AUDIENCE_H

#include "core/base.h"
#include "hub/hub.h"

/* How many of them the worker in that slot has now. False: there is no place to write it. */
bool audience_set(struct hub *h, unsigned slot, uint64_t group_id, uint32_t count);
/* The sum over all workers. */
uint64_t audience_count(const struct hub *h, uint64_t group_id);

#endif
