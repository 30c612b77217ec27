/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides when this worker looks for messages that have expired, and how fast it recalls them. */
#include "core/base.h"
#include "cmd/expiry.h"

#include "api/event.h"
#include "core/clock.h"
#include "hub/stats.h"
#include "live/group.h"
#include "live/push.h"
#include "store/due.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Looks are apart by so much, so that the workers of a cluster do not all look at one moment. */
#define LOOK_MS 1000
#define LOOK_SPREAD_MS 200
/* Of the lease, by our own clock: it counts as ended before it does so in the database, and is renewed in time. */
#define LEASE_MARGIN_MS 500
#define LEASE_RENEW_MS 1500
/* A step of that time is followed by as long a rest; one of twice that time by one of four times, and so on. */
#define STEP_MS 25
#define REST_MAX_MS 2000
#define HOLDER_MAX 64 /* as in the schema */

struct expiry {
	struct live *live;
	struct wheel_timer timer;
	bool stopped;
	char holder[HOLDER_MAX + 1];
	int64_t asked_ms, until_ms; /* the lease; until_ms 0: it is not ours */
	struct store_due due[EXPIRY_STEP];
	size_t count;
	struct store_due after; /* where the next look goes on; all zeroes: at the beginning */
	/* The step under way. */
	size_t pending; /* messages that are not answered */
	int64_t began_usecs;
	/* Groups that owe tokens of the fan-out: they are told to catch up in place of each message. */
	uint64_t group[EXPIRY_STEP];
	size_t groups;
};

static void on_look(struct wheel_timer *t);

static void look_after(struct expiry *e, int64_t ms)
{
	if (!e->stopped)
		wheel_set(loop_wheel(e->live->loop), &e->timer, ms, on_look);
}

/* From the beginning: also what was left there. */
static void look_later(struct expiry *e)
{
	e->after = (struct store_due){0};
	look_after(e, LOOK_MS + (int64_t)arc4random_uniform(LOOK_SPREAD_MS));
}

/* ---- telling ---- */

static void tell_group_later(struct expiry *e, uint64_t id)
{
	for (size_t i = 0; i < e->groups; i++)
		if (e->group[i] == id)
			return;
	if (e->groups < ARRAY_LEN(e->group))
		e->group[e->groups++] = id;
}

static void tell_group(struct expiry *e, const struct store_change *c)
{
	struct live *live = e->live;
	uint64_t id = message_id_conversation(c->message->id);
	if (group_wait_fanout(live, id) != 0) {
		tell_group_later(e, id);
		return;
	}
	group_charge_fanout(live, id, group_online(live, id));
	event_begin_recalled(live, c);
	group_push(live, id, (struct push_place){BUS_CHANGE, c->message->id}, event_end(live), NULL);
}

static void tell(struct expiry *e, const struct store_change *c)
{
	const struct message *m = c->message;
	stat_observe(STAT_HIST_EXPIRY_LAG, (uint64_t)(m->recalled_ms - m->expires_ms) * 1000);
	if (m->to[0] == '\0') {
		tell_group(e, c);
		return;
	}
	event_begin_recalled(e->live, c);
	push_to_both(e->live, str_from(m->to), str_from(m->from), (struct push_place){BUS_CHANGE, m->id},
		     event_end(e->live), NULL);
}

/* ---- a step ---- */

static int64_t rest_after(int64_t took_ms)
{
	int64_t ms = took_ms < REST_MAX_MS ? took_ms * took_ms / STEP_MS : REST_MAX_MS;
	return ms < REST_MAX_MS ? ms : REST_MAX_MS;
}

static void end_step(struct expiry *e)
{
	bool more = e->count == EXPIRY_STEP;
	for (size_t i = 0; i < e->groups; i++)
		group_tell_unknown(e->live, e->group[i], STR_NULL);
	e->groups = 0;
	if (more)
		look_after(e, rest_after((clock_usecs() - e->began_usecs) / 1000));
	else
		look_later(e);
}

/* What could not be done, or where nobody knows whether it was, is found by a later look, or by the relay. */
static void on_expired(const struct store_change *c, void *arg)
{
	struct expiry *e = arg;
	if (c->status == STORE_UNCERTAIN)
		return;
	if (c->status == STORE_OK && c->changed)
		tell(e, c);
	if (--e->pending == 0)
		end_step(e);
}

static void begin_step(struct expiry *e)
{
	e->began_usecs = clock_usecs();
	e->after = e->due[e->count - 1];
	e->pending = e->count;
	for (size_t i = 0; i < e->count; i++) {
		const struct store_act act = {.act = ACT_EXPIRE, .id = e->due[i].id, .due_ms = e->due[i].at_ms};
		store_act(e->live->store, &act, on_expired, e);
	}
}

static void on_lease(enum store_status status, uint64_t count, void *arg)
{
	struct expiry *e = arg;
	(void)count;
	e->until_ms = status == STORE_OK ? e->asked_ms + DUE_LEASE_MS - LEASE_MARGIN_MS : 0;
	if (status == STORE_OK && !e->stopped)
		begin_step(e);
	else
		look_later(e);
}

static void on_due(const struct store_dues *d, void *arg)
{
	struct expiry *e = arg;
	int64_t now_ms = clock_mono_ms();
	if (d->status != STORE_OK || d->lease == DUE_OTHERS || d->count == 0 || e->stopped) {
		look_later(e);
		return;
	}
	e->count = d->count;
	memcpy(e->due, d->item, d->count * sizeof(*d->item));
	if (d->lease == DUE_OURS && now_ms < e->until_ms && now_ms - e->asked_ms < LEASE_RENEW_MS) {
		begin_step(e);
		return;
	}
	e->asked_ms = now_ms;
	store_take_due(e->live->store, str_from(e->holder), on_lease, e);
}

static void on_look(struct wheel_timer *t)
{
	struct expiry *e = container_of(t, struct expiry, timer);
	/* While messages cannot be written there is no use in looking. */
	if (!store_refuses_writes(e->live->store))
		store_list_due(e->live->store, str_from(e->holder), e->after, EXPIRY_STEP, on_due, e);
	else
		look_later(e);
}

/* ---- from outside ---- */

struct expiry *expiry_start(struct live *live)
{
	struct expiry *e = xcalloc(1, sizeof(*e));
	e->live = live;
	snprintf(e->holder, sizeof(e->holder), "%.*s:%s", HOLDER_MAX - ORIGIN_LEN - 1, live->conf->node_id,
		 live->origin);
	look_later(e);
	return e;
}

void expiry_stop(struct expiry *e)
{
	e->stopped = true;
	wheel_cancel(&e->timer);
}

void expiry_free(struct expiry **ep)
{
	free(*ep);
	*ep = NULL;
}
