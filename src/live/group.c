/* SPDX-License-Identifier: BSD-2-Clause */
/* The groups that have a member with a session here, these members, and what is given to them. */
#include "core/base.h"
#include "live/group.h"

#include "core/clock.h"
#include "hub/audience.h"
#include "live/group_priv.h"
#include "live/resync.h"
#include "live/session.h"

#include <stdlib.h>

static void on_bury(struct loop_task *t);

void groups_init(struct live *live)
{
	live->groups.bury.fn = on_bury;
	TAILQ_INIT(&live->groups.fanouts);
	live->groups.slice.fn = fanout_on_slice;
	views_init(live);
	memberships_init(live);
}

void groups_fini(struct live *live)
{
	memberships_fini(live);
	views_fini(live);
	ASSERT(live->groups.count == 0);
}

struct live_group *group_find(struct live *live, uint64_t id)
{
	return bus_group_owner(live->bus, id);
}

/* ---- their lives ---- */

static void members_free(struct live_group *g)
{
	if (g->members != &g->alone)
		free(g->members);
}

static void group_free(struct live_group *g)
{
	struct live *live = g->live;
	feed_forget(&g->feeds);
	fanout_forget(g);
	views_forget(g);
	bus_group_close(live->bus, g->topic);
	live->groups.count--;
	members_free(g);
	free(g);
}

static void on_bury(struct loop_task *t)
{
	struct live *live = container_of(t, struct live, groups.bury);
	struct live_group *g;
	bool did = false;
	while ((g = live->groups.empty) != NULL) {
		if (!loop_has_time(live->loop)) {
			loop_go_on(live->loop, t, did);
			return;
		}
		did = true;
		live->groups.empty = g->next_empty;
		g->is_empty = false;
		if (g->count == 0)
			group_free(g);
	}
}

/* Not freed at once: it may be in the middle of giving something to its members. As few have time for in a turn. */
static void bury_later(struct live_group *g)
{
	if (g->is_empty)
		return;
	g->is_empty = true;
	g->next_empty = g->live->groups.empty;
	g->live->groups.empty = g;
	loop_defer(g->live->loop, &g->live->groups.bury);
}

static void set_confirmed(struct live_group *g)
{
	g->confirmed_ms = (uint32_t)clock_mono_ms();
	g->past_seq = g->member_count_seq;
}

struct live_group *group_get(struct live *live, uint64_t id)
{
	struct live_group *g = group_find(live, id);
	if (g != NULL)
		return g;
	g = xcalloc(1, sizeof(*g));
	g->id = id;
	g->live = live;
	LIST_INIT(&g->feeds);
	live->groups.count++;
	g->topic = bus_group_open(live->bus, id, g);
	if (group_is_confirmed(g))
		set_confirmed(g);
	bury_later(g);
	return g;
}

bool group_is_confirmed(const struct live_group *g)
{
	return bus_topic_is_subscribed(g->topic);
}

void group_subscribed(struct live_group *g)
{
	set_confirmed(g);
	for (uint32_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];
		if (!m->waits)
			continue;
		m->waits = false;
		if (m->joins) {
			m->joins = false;
			views_want(g, m, true);
		}
		membership_confirmed(m->user);
	}
}

/* ---- members ---- */

uint32_t group_member_after(const struct live_group *g, uintptr_t user)
{
	uint32_t low = 0, high = g->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if ((uintptr_t)g->members[middle].user <= user)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct member *group_find_member(const struct live_group *g, const struct user *u)
{
	uint32_t behind = group_member_after(g, (uintptr_t)u);
	return behind != 0 && g->members[behind - 1].user == u ? &g->members[behind - 1] : NULL;
}

static void count_changed(const struct live_group *g)
{
	(void)audience_set(g->live->hub, g->live->slot, g->id, g->count);
}

/* Most groups that few are in have one member here, who needs no memory of their own. */
static void members_grow(struct live_group *g)
{
	uint32_t cap = g->cap + g->cap / 8 + 1;
	struct member *from = g->members == &g->alone ? NULL : g->members;
	if (cap == 1) {
		g->members = &g->alone;
	} else {
		g->members = xrealloc(from, cap * sizeof(*g->members));
		if (from == NULL)
			g->members[0] = g->alone;
	}
	g->cap = cap & INT32_MAX;
}

struct member *group_add(struct live_group *g, struct user *u, uint64_t joined_seq, uint64_t first_seq)
{
	uint32_t at = group_member_after(g, (uintptr_t)u);
	if (g->count == g->cap)
		members_grow(g);
	struct member *m = &g->members[at];
	memmove(m + 1, m, (g->count - at) * sizeof(*m));
	g->count++;
	*m = (struct member){
		.user = u,
		.first_seq = (uint32_t)(first_seq & MESSAGE_SEQ_MAX),
		.waits = !group_is_confirmed(g) && bus_is_up(g->live->bus),
		.joined_seq = (uint32_t)joined_seq,
	};
	count_changed(g);
	return m;
}

void group_remove(struct live_group *g, struct member *m)
{
	views_forget_member(g, m);
	g->count--;
	memmove(m, m + 1, (size_t)(g->members + g->count - m) * sizeof(*m));
	count_changed(g);
	if (g->count == 0)
		bury_later(g);
}

void group_count_heard(struct live_group *g, uint64_t seq, uint64_t member_count)
{
	if (seq < g->member_count_seq)
		return;
	g->member_count_seq = (uint32_t)seq;
	g->member_count = (uint32_t)member_count;
}

/* ---- what they are given ---- */

static void members_give(void *who, const struct feed_item *item)
{
	struct live_group *g = who;
	const struct group_turn *turn = item->note;
	if (turn != NULL && turn->for_one) {
		struct user *u = user_find(g->live, str_from(turn->out));
		if (u != NULL)
			fanout_give_one(g, u, item->frame, item->except_id);
		return;
	}
	if (turn != NULL)
		group_turn_apply(g, turn, item->except_id);
	fanout_give(g, item->frame, item->except_id, item->seq);
	if (turn != NULL && turn->dissolved)
		group_tell_dissolved(g, item->except_id);
}

static void members_too_late(void *who, const struct feed_item *item)
{
	struct live_group *g = who;
	const struct group_turn *turn = item->note;
	if (turn == NULL)
		return;
	group_turn_apply(g, turn, item->except_id);
	if (turn->dissolved)
		group_tell_dissolved(g, item->except_id);
}

/* It may be a message that tells who is in it. */
static void members_missing(void *who)
{
	group_unsure(who);
}

static bool members_listen_since(const void *who, int64_t ms)
{
	const struct live_group *g = who;
	return group_is_confirmed(g) && (uint32_t)clock_mono_ms() - g->confirmed_ms >= (uint32_t)ms;
}

static bool members_is_past(const void *who, uint64_t seq)
{
	return seq <= ((const struct live_group *)who)->past_seq;
}

static const struct feed_kind group_feed = {
	.give = members_give,
	.too_late = members_too_late,
	.missing = members_missing,
	.listens_since = members_listen_since,
	.is_past = members_is_past,
};

void group_deliver(struct live_group *g, const struct push_place *place, struct ws_frame *frame,
		   const struct session *except, void *note)
{
	char id[SESSION_ID_LEN + 1];
	if (place->kind == BUS_EVENT)
		fanout_give(g, frame, session_id(except, id), 0);
	else
		feed_deliver(g->live, &(struct feed_owner){&group_feed, g, &g->feeds}, place, frame, except, note);
}

void group_deliver_to(struct live *live, struct user *u, const struct push_place *place, struct ws_frame *frame,
		      const struct session *except)
{
	struct live_group *g = group_find(live, message_id_conversation(place->message_id));
	char id[SESSION_ID_LEN + 1];
	if (g == NULL || group_find_member(g, u) == NULL) {
		push_deliver(u, frame, session_id(except, id));
		return;
	}
	size_t len = strlen(u->id) + 1;
	struct group_turn *turn = xcalloc(1, sizeof(*turn) + len);
	turn->for_one = true;
	memcpy(turn->out, u->id, len);
	group_deliver(g, place, frame, except, turn);
}

void group_resync(struct live_group *g)
{
	for (uint32_t i = 0; i < g->count; i++)
		resync_user(g->live, str_from(g->members[i].user->id));
}

void group_unsure(struct live_group *g)
{
	for (uint32_t i = 0; i < g->count; i++)
		memberships_again(g->live, g->members[i].user, g->id);
	group_resync(g);
}

void group_push(struct live *live, uint64_t conversation_id, struct push_place place, struct str event_json,
		const struct session *except)
{
	char topic[TOPIC_MAX];
	struct live_group *g = group_find(live, conversation_id);
	if (g != NULL) {
		struct ws_frame *frame = push_frame_new(&place, event_json);
		group_deliver(g, &place, frame, except, NULL);
		ws_frame_unref(frame);
	}
	push_publish_event(live, topic_make_group(topic, conversation_id), place, event_json);
}

/* ---- what is known of them ---- */

enum group_known group_knows(struct live *live, uint64_t conversation_id, struct str user)
{
	const struct user *u = user_find(live, user);
	const struct live_group *g = group_find(live, conversation_id);
	if (u == NULL || !user_is_open(u) || !memberships_are_sure(live, u, conversation_id))
		return GROUP_UNKNOWN;
	if (g != NULL && group_find_member(g, u) != NULL)
		return GROUP_MEMBER_HERE;
	return u->memberships != NULL && u->memberships->load != NULL ? GROUP_UNKNOWN : GROUP_STRANGER;
}

uint64_t group_member_count(struct live *live, uint64_t conversation_id)
{
	const struct live_group *g = group_find(live, conversation_id);
	return g != NULL ? g->member_count : 0;
}
