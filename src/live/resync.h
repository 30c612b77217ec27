/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells sessions that they may have missed events (`resync`), and does it slowly: each one answers with a request that
 * costs the database work. A session that is due is told even if more become due meanwhile, then once; a session that
 * began after the loss is not told. Each session is told at most once in RESYNC_INTERVAL_MS.
 *
 * These functions only mark sessions; the frames leave from a timer of the loop, the longest open session last.
 */
#ifndef TIDINGS_LIVE_RESYNC_H
#define TIDINGS_LIVE_RESYNC_H

#include "core/base.h"
#include "core/wheel.h"

struct live;
struct session;

#define RESYNC_PER_SECOND 1000
#define RESYNC_INTERVAL_MS 1000
#define RESYNC_SPREAD_MIN_MS 3000
#define RESYNC_SPREAD_MAX_MS 10000

/* Part of struct live; zeroed before first use. */
struct resync {
	struct session *at;  /* the round goes on here; NULL: at its end, or no round is under way */
	size_t due;	     /* sessions that are marked */
	int64_t step_ms;     /* when the last step was */
	int64_t round_ms;    /* when the last round began, by clock_mono_ms(); 0: never */
	uint64_t per_1000_s; /* how many are told in 1000 seconds */
	uint64_t credit;     /* millionths of a session that may be told now */
	struct wheel_timer timer;
};

/* All sessions of this worker: RESYNC_PER_SECOND of them a second. */
void resync_all(struct live *live);
/* The same, spread over RESYNC_SPREAD_MIN_MS to RESYNC_SPREAD_MAX_MS: for what all workers notice at one moment. */
void resync_all_spread(struct live *live);
/* The user's sessions in this worker. push_resync() is for those of the whole cluster. */
void resync_user(struct live *live, struct str user_id);
/* The session is closed. */
void resync_forget(struct session *s);
void resync_fini(struct live *live);

#endif
