/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Coarse timeouts for many objects: a hashed timing wheel (Varghese and Lauck,
 * "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 6). Setting and
 * cancelling cost a few nanoseconds and no allocation; a timer fires up to one
 * tick (WHEEL_TICK_MS) late, never early.
 */
#ifndef TIDINGS_CORE_WHEEL_H
#define TIDINGS_CORE_WHEEL_H

#include "core/base.h"

#define WHEEL_TICK_MS 50

struct wheel;
struct wheel_timer;

/* Runs once a set; the timer is no longer set then and may be set again or freed within. */
typedef void wheel_fn(struct wheel_timer *t);

/* Embedded in its owner, zeroed before first use. A connection has one: every byte counts. */
struct wheel_timer {
	struct wheel_timer *next, *prev; /* NULL when not set */
	int64_t deadline_ms : 56;	 /* of clock_mono_ms() */
	uint64_t fn : 8;		 /* which of the wheel's functions */
};

struct wheel *wheel_new(int64_t now_ms);
/* Timers that are still set are forgotten, not run. */
void wheel_free(struct wheel **w);
/* Functions that a wheel's timers run, over all its life. */
#define WHEEL_FNS 64
/* (Re)sets the timer to run fn once delay_ms have passed after now. */
void wheel_set(struct wheel *w, struct wheel_timer *t, int64_t delay_ms, wheel_fn *fn);
/* Harmless when not set. */
void wheel_cancel(struct wheel_timer *t);
static inline bool wheel_timer_is_set(const struct wheel_timer *t)
{
	return t->next != NULL;
}
/* Runs what is due at now_ms. Callbacks may set and cancel any timer. Called by the loop every WHEEL_TICK_MS. */
void wheel_advance(struct wheel *w, int64_t now_ms);

#endif
