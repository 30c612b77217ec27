/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides when a worker does a chore, and how fast. */
#include "core/base.h"
#include "cmd/chore.h"

#include "api/event.h"
#include "core/clock.h"
#include "live/group.h"
#include "live/push.h"

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

static void on_look(struct wheel_timer *t);

static void tell_groups(struct chore *c)
{
	for (size_t i = 0; i < c->groups; i++)
		group_tell_unknown(c->live, c->group[i], STR_NULL);
	c->groups = 0;
}

static void look_after(struct chore *c, int64_t ms, bool afresh)
{
	tell_groups(c);
	c->afresh = afresh;
	if (!c->stopped)
		wheel_set(loop_wheel(c->live->loop), &c->timer, ms, on_look);
}

void chore_look_later(struct chore *c)
{
	look_after(c, LOOK_MS + (int64_t)arc4random_uniform(LOOK_SPREAD_MS), true);
}

static int64_t rest_after(int64_t took_ms)
{
	int64_t ms = took_ms < REST_MAX_MS ? took_ms * took_ms / STEP_MS : REST_MAX_MS;
	return ms < REST_MAX_MS ? ms : REST_MAX_MS;
}

void chore_go_on(struct chore *c)
{
	look_after(c, rest_after((clock_usecs() - c->began_usecs) / 1000), false);
}

static void begin_step(struct chore *c)
{
	c->began_usecs = clock_usecs();
	c->step(c);
}

static void on_lease(enum store_status status, uint64_t count, void *arg)
{
	struct chore *c = arg;
	(void)count;
	c->until_ms = status == STORE_OK ? c->asked_ms + CHORE_LEASE_MS - LEASE_MARGIN_MS : 0;
	if (status == STORE_OK && !c->stopped)
		begin_step(c);
	else
		chore_look_later(c);
}

void chore_begin(struct chore *c, enum chore_lease lease)
{
	int64_t now_ms = clock_mono_ms();
	if (lease == CHORE_OTHERS || c->stopped) {
		chore_look_later(c);
		return;
	}
	if (lease == CHORE_OURS && now_ms < c->until_ms && now_ms - c->asked_ms < LEASE_RENEW_MS) {
		begin_step(c);
		return;
	}
	c->asked_ms = now_ms;
	store_take_chore(c->live->store, c->name, str_from(c->holder), on_lease, c);
}

static void on_look(struct wheel_timer *t)
{
	struct chore *c = container_of(t, struct chore, timer);
	/* While nothing can be written there is no use in looking. */
	if (store_refuses_writes(c->live->store))
		chore_look_later(c);
	else
		c->look(c, c->afresh);
}

void chore_start(struct chore *c)
{
	snprintf(c->holder, sizeof(c->holder), "%.*s:%s", CHORE_HOLDER_MAX - ORIGIN_LEN - 1, c->live->conf->node_id,
		 c->live->origin);
	chore_look_later(c);
}

void chore_stop(struct chore *c)
{
	c->stopped = true;
	wheel_cancel(&c->timer);
}

/* ---- telling ---- */

static void tell_group_later(struct chore *c, uint64_t id)
{
	for (size_t i = 0; i < c->groups; i++)
		if (c->group[i] == id)
			return;
	if (c->groups < ARRAY_LEN(c->group))
		c->group[c->groups++] = id;
}

void chore_tell(struct chore *c, const struct store_change *change,
		void (*begin)(struct live *live, const struct store_change *change))
{
	struct live *live = c->live;
	const struct message *m = change->message;
	const struct push_place place = {BUS_CHANGE, m->id};
	uint64_t id = message_id_conversation(m->id);
	if (m->to[0] != '\0') {
		begin(live, change);
		push_to_both(live, str_from(m->to), str_from(m->from), place, event_end(live), NULL);
	} else if (group_wait_fanout(live, id) != 0) {
		tell_group_later(c, id);
	} else {
		group_charge_fanout(live, id, group_online(live, id));
		begin(live, change);
		group_push(live, id, place, event_end(live), NULL);
	}
}
