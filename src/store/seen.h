/* SPDX-License-Identifier: BSD-2-Clause */
/* When users were seen last, gathered and written some at a time. */
#ifndef TIDINGS_STORE_SEEN_H
#define TIDINGS_STORE_SEEN_H

#include "core/base.h"
#include "store/txn.h"

struct seen;

/* A user without a row in `users` is not noted: who may add rows is for others to say. txns is borrowed. */
struct seen *seen_new(struct event_base *base, struct txns *txns);
/* Forgets what is not written yet. */
void seen_free(struct seen **s);
/* Of two moments of one user the later one counts. */
void seen_note(struct seen *s, struct str user, int64_t at_ms);
/* Users whose moment waits to be written; 0 where the last try failed, for then it may wait long. */
size_t seen_pending(const struct seen *s);

#endif
