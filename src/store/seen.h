/* SPDX-License-Identifier: BSD-2-Clause */
/* When users were seen last, gathered and written some at a time. */
#ifndef TIDINGS_STORE_SEEN_H
#define TIDINGS_STORE_SEEN_H

#include "core/base.h"
#include "store/txn.h"

struct seen;

/* makes_rows: a user without a row in `users` gets one. txns is borrowed. */
struct seen *seen_new(struct event_base *base, struct txns *txns, bool makes_rows);
/* Forgets what is not written yet. */
void seen_free(struct seen **s);
/* Of two moments of one user the later one counts. */
void seen_note(struct seen *s, struct str user, int64_t at_ms);
/* Users whose moment waits to be written. */
size_t seen_pending(const struct seen *s);

#endif
