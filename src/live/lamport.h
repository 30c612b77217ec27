/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Lamport clock that all workers of the cluster share. It also advances by itself, at the rate of CLOCK_MONOTONIC,
 * so the difference of two of its values is a duration. No node's wall clock is in it.
 *
 * Every heartbeat (beat.h) carries it. A worker that hears a larger value takes that value, so the workers agree to
 * within the time of the fastest heartbeat. Those of one node share CLOCK_MONOTONIC and know how long each
 * other's heartbeats were on their way, so they agree exactly.
 *
 * Values can be compared only within one scale, which is named after the worker that began it. A new worker begins one
 * of its own, and takes up that of the first other worker it hears. So do workers that could not hear each other and
 * then meet: all move to one of their scales, and what each has measured so far moves along.
 */
#ifndef TIDINGS_LIVE_LAMPORT_H
#define TIDINGS_LIVE_LAMPORT_H

#include "core/base.h"
#include "core/id.h"

struct lamport {
	int64_t offset_us; /* to be added to clock_usecs() */
	bool synced;	   /* others have the same scale, or nobody else is there */
	char scale[WORKER_NAME_LEN + 1];
};

/* `name` has WORKER_NAME_LEN characters, this worker's alone in the whole cluster. */
void lamport_init(struct lamport *l, const char *name);
/* In microseconds; always positive, so that 0 can mean "never". */
int64_t lamport_now_us(const struct lamport *l);
/* Its value when clock_usecs() was `usecs`, were it what it is now. */
int64_t lamport_at_us(const struct lamport *l, int64_t usecs);
/* Another worker's clock, as its heartbeat has it. True: the scale is another one now, and *shift_r has to be added to
 * each value that was taken before. */
bool lamport_hear(struct lamport *l, const struct lamport *theirs, int64_t theirs_us, int64_t *shift_r) MUST_CHECK;
/* Nobody else is there: this clock counts from now on. */
void lamport_settle(struct lamport *l);

#endif
