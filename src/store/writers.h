/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The node's writer processes, as a worker sees them: it hands them the operations of the write lane and hears what
 * became of them. Each is on a stream socket (wire.h), which the master makes and makes anew when a writer has died.
 *
 * An operation that a writer has not answered when its socket ends is uncertain: it is handed to the writer's
 * successor, in its place in the order, and that looks whether it was done before it does it (lane.h, LANE_INHERITED).
 * One that five in a row had when they ended is given up: they may have died of it.
 * It waits up to 3 s for one; then its asker is told STORE_UNCERTAIN, if others are told of what it does, and again
 * when the successor has looked. The same if a writer that is there does not answer for longer than an operation may
 * take.
 *
 * Bounded: at most WRITERS_WINDOW operations are with one writer, the others wait here; with too many of these,
 * STORE_OVERLOADED. So a worker that floods a writer takes no more than its share of it.
 */
#ifndef TIDINGS_STORE_WRITERS_H
#define TIDINGS_STORE_WRITERS_H

#include "core/base.h"
#include "store/wire.h"

struct event_base;
struct writers;

/* Operations of one worker that one writer has at a time: two full batches. */
#define WRITERS_WINDOW 512

/* Without a socket to any of the `count` writers at first. obs->link is told when all are up and their database is. */
struct writers *writers_new(struct event_base *base, unsigned count, const struct store_observer *obs, void *ctx);
/* Answers all that is not answered: STORE_UNAVAILABLE, or STORE_UNKNOWN where it may have been done. */
void writers_free(struct writers **w);
/* The stream socket to that writer, the callee's from now on. It may have had another one, of a process that died. */
void writers_take(struct writers *w, unsigned index, int fd);

/* As in lane.h, of all writers together. */
bool writers_are_up(const struct writers *w);
bool writers_are_away(const struct writers *w);
bool writers_are_read_only(const struct writers *w);
size_t writers_pending(const struct writers *w);
/* As store_missing_writers(). */
uint64_t writers_missing(const struct writers *w);

/* An answer; may be called twice, as in store.h. */
typedef void writers_fn(const union wire_result *r, void *arg);
/*
 * Arguments are copied. fn runs from the loop, never from within. users: two whose conversation it concerns, or two
 * absent strings where that is known by its id.
 */
void writers_submit(struct writers *w, enum wire_kind kind, const union wire_args *args, const struct str users[2],
		    uint64_t conversation_id, writers_fn *fn, void *arg);
/* Answered from the loop with this status, without a writer. */
void writers_refuse(struct writers *w, enum wire_kind kind, const union wire_args *args, enum store_status status,
		    writers_fn *fn, void *arg);

/* Forms a cut of all answers so far. */
void writers_cut(struct writers *w);
/* Others were told of all that they have to be, in the answers of the cut. */
void writers_told(struct writers *w);
/* And in all others. */
bool writers_have_told(const struct writers *w);

#endif
