/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walks over the sessions in rounds, some at each step. A session that is marked behind the place where the round is
 * gets its turn in the next round. So no round starves the sessions at its end.
 */
#include "core/base.h"
#include "live/resync.h"

#include "core/clock.h"
#include "live/session.h"

#include <stdlib.h>

#define STEP_MS WHEEL_TICK_MS
/* A step counts no more than this, so neither a worker that was stopped nor a clock that is moved makes a storm. */
#define STEP_MAX_MS 250
/* A session, in the unit of resync.credit. */
#define ONE UINT64_C(1000000)

static void on_step(struct wheel_timer *t);

static void mark(struct session *s)
{
	if (s->ws == NULL || !s->greeted || s->resync_due)
		return;
	s->resync_due = true;
	s->live->resync.due++;
}

/* Goes on with at least this rate; the first ones leave after a part of a step by chance, so workers differ. */
static void go_on(struct live *live, uint64_t per_1000_s)
{
	struct resync *r = &live->resync;
	bool idle = !wheel_timer_is_set(&r->timer);
	if (r->due == 0)
		return;
	if (idle || per_1000_s > r->per_1000_s)
		r->per_1000_s = per_1000_s;
	if (!idle)
		return;
	int64_t wait_ms = r->round_ms + RESYNC_INTERVAL_MS - clock_mono_ms();
	r->credit = arc4random_uniform(ONE);
	r->step_ms = clock_mono_ms();
	wheel_set(loop_wheel(live->loop), &r->timer, r->round_ms != 0 && wait_ms > 0 ? wait_ms : 0, on_step);
}

static void tell(struct session *s, struct ws_frame *frame)
{
	s->resync_due = false;
	s->live->resync.due--;
	session_send(s, frame);
}

static void on_step(struct wheel_timer *t)
{
	struct live *live = container_of(t, struct live, resync.timer);
	struct resync *r = &live->resync;
	if (r->at == NULL) {
		r->at = LIST_FIRST(&live->sessions);
		r->round_ms = clock_mono_ms();
	}
	int64_t now = clock_mono_ms(), passed_ms = now > r->step_ms ? now - r->step_ms : 0;
	r->step_ms = now;
	r->credit += r->per_1000_s * (uint64_t)(passed_ms > STEP_MAX_MS ? STEP_MAX_MS : passed_ms);
	struct ws_frame *frame = ws_frame_new(STR_LIT("{\"type\":\"resync\"}"));
	while (r->at != NULL && r->due != 0 && r->credit >= ONE) {
		struct session *s = r->at;
		r->at = LIST_NEXT(s, all);
		if (s->resync_due) {
			r->credit -= ONE;
			tell(s, frame);
		}
	}
	ws_frame_unref(frame);
	if (r->due == 0) {
		r->at = NULL;
		return;
	}
	/* Those that are left were marked behind the round. */
	int64_t wait_ms = r->at != NULL ? STEP_MS : r->round_ms + RESYNC_INTERVAL_MS - clock_mono_ms();
	wheel_set(loop_wheel(live->loop), t, wait_ms > STEP_MS ? wait_ms : STEP_MS, on_step);
}

static void mark_all(struct live *live)
{
	struct session *s;
	LIST_FOREACH (s, &live->sessions, all)
		mark(s);
}

void resync_all(struct live *live)
{
	mark_all(live);
	go_on(live, RESYNC_PER_SECOND * 1000);
}

void resync_all_spread(struct live *live)
{
	mark_all(live);
	uint64_t span_ms = (uint64_t)live->resync.due * 1000 / RESYNC_PER_SECOND;
	span_ms = span_ms < RESYNC_SPREAD_MIN_MS   ? RESYNC_SPREAD_MIN_MS
		  : span_ms > RESYNC_SPREAD_MAX_MS ? RESYNC_SPREAD_MAX_MS
						   : span_ms;
	/* Rounded up: all are told in time. */
	go_on(live, ((uint64_t)live->resync.due * ONE + span_ms - 1) / span_ms);
}

void resync_user(struct live *live, struct str user_id)
{
	struct user *u = user_find(live, user_id);
	struct session *s;
	if (u == NULL)
		return;
	SLIST_FOREACH (s, &u->sessions, of_user)
		mark(s);
	go_on(live, RESYNC_PER_SECOND * 1000);
}

void resync_forget(struct session *s)
{
	struct resync *r = &s->live->resync;
	if (r->at == s)
		r->at = LIST_NEXT(s, all);
	r->due -= s->resync_due;
	s->resync_due = false;
}

void resync_fini(struct live *live)
{
	wheel_cancel(&live->resync.timer);
}
