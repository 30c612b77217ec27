/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write lane of a worker: one connection, one transaction in flight. What
 * arrives meanwhile is the next one (group commit without a timer), begun at the end
 * of a turn of the loop so that all that came in it takes part.
 *
 * An operation waits up to 3 s for a lost connection to be made anew, or for a database
 * that does not answer. Once the database is known to be away (link_is_away()), what waits and
 * what comes is answered as unavailable without waiting.
 *
 * When the time is up for an operation that may have committed (the answer to COMMIT was lost), its asker is told
 * STORE_UNCERTAIN, and it stays in the queue: once the database answers again it is looked for under the lock of its
 * conversation, writes nothing, and is answered a second time. So nothing is committed that others are never told of.
 */
#ifndef TIDINGS_STORE_LANE_H
#define TIDINGS_STORE_LANE_H

#include "core/base.h"
#include "store/store.h"

struct lane;

struct lane *lane_new(struct store *store, struct event_base *base, const struct conf *conf,
		      const struct store_observer *obs, void *ctx);
/* Answers all that is in it: STORE_UNAVAILABLE, or STORE_UNKNOWN where a transaction may have committed. */
void lane_free(struct lane **l);
bool lane_is_up(const struct lane *l);
/* Down, and not only for the moment that making a lost connection anew takes: what comes is refused. */
bool lane_is_away(const struct lane *l);
/* The reason is that the database is read-only. */
bool lane_is_read_only(const struct lane *l);
/* Not answered yet. */
size_t lane_pending(const struct lane *l);

#endif
