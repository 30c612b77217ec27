/* SPDX-License-Identifier: BSD-2-Clause */
/* Delivery to this worker's sessions, the other workers' by the bus, and what the bus brings in. */
#include "core/base.h"
#include "live/push.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/trace.h"
#include "hub/stats.h"
#include "live/beat.h"
#include "live/feed.h"
#include "live/group_priv.h"
#include "live/look.h"
#include "live/policy.h"
#include "live/resync.h"
#include "live/roll.h"
#include "live/session.h"
#include "live/tracing.h"
#include "live/watch.h"
#include "store/people.h"

#include <inttypes.h>
#include <stdio.h>

/* Of a number on the bus. */
#define HEX_LEN 16

static void publish_wire(struct live *live, struct str topic)
{
	bool queued = bus_publish(live->bus, topic, (struct str){live->wire.data, live->wire.len});
	stat_add(queued ? STAT_BUS_OUT : STAT_BUS_LOST, 1);
}

void push_publish(struct live *live, struct str topic, enum bus_kind kind, struct str data)
{
	struct buf *b = &live->wire;
	buf_clear(b);
	bus_form_begin(b, kind, live->origin);
	buf_append_str(b, data);
	publish_wire(live, topic);
}

void push_deliver(struct user *u, struct ws_frame *frame, const char *except_id)
{
	uint64_t message_id = ws_frame_about(frame);
	struct session *s;
	SLIST_FOREACH (s, &u->sessions, of_user) {
		if ((except_id != NULL && session_has_id(s, except_id)) || !session_send(s, frame))
			continue;
		stat_add(STAT_PUSHES, 1);
		if (message_id != 0)
			trace_pushed(s->live->trace, clock_wall_ms(), message_id,
				     (uint64_t)s->since_ms << SESSION_NUMBER_BITS | s->number, s->live->origin);
	}
}

static void user_give(void *who, const struct feed_item *item)
{
	push_deliver(who, item->frame, item->except_id);
}

static void user_missing(void *who)
{
	const struct user *u = who;
	resync_user(SLIST_FIRST(&u->sessions)->live, str_from(u->id));
}

/* A session had said hello by then. */
static bool user_listens_since(const void *who, int64_t ms)
{
	const struct user *u = who;
	const struct session *s;
	uint32_t now_ms = (uint32_t)clock_mono_ms();
	SLIST_FOREACH (s, &u->sessions, of_user)
		if (s->greeted && now_ms - s->greeted_ms >= (uint32_t)ms)
			return true;
	return false;
}

const struct feed_kind push_user_feed = {
	.give = user_give,
	.missing = user_missing,
	.listens_since = user_listens_since,
};

static void deliver(struct live *live, struct str user_id, struct push_place place, struct ws_frame *frame,
		    const struct session *except)
{
	struct user *u = user_find(live, user_id);
	char id[SESSION_ID_LEN + 1];
	if (u == NULL)
		return;
	if (place.kind == BUS_EVENT)
		push_deliver(u, frame, session_id(except, id));
	else if (place.kind == BUS_CHANGE && conversation_is_group(message_id_conversation(place.message_id)))
		group_deliver_to(live, u, &place, frame, except);
	else
		feed_deliver(live, &(struct feed_owner){&push_user_feed, u, &u->feeds}, &place, frame, except, NULL);
}

void push_append_hex(struct buf *b, uint64_t n)
{
	char text[HEX_LEN];
	hex_put(text, HEX_LEN, n);
	buf_append(b, text, HEX_LEN);
}

void push_publish_event(struct live *live, struct str topic, struct push_place place, struct str json)
{
	struct buf *b = &live->wire;
	buf_clear(b);
	bus_form_begin(b, place.kind, live->origin);
	if (place.kind != BUS_EVENT)
		push_append_hex(b, place.message_id);
	if (place.kind == BUS_MESSAGE)
		push_append_hex(b, (uint64_t)place.gap_ms);
	buf_append_str(b, json);
	publish_wire(live, topic);
}

static void push_frame(struct live *live, struct str user, struct push_place place, struct str json,
		       struct ws_frame *frame, const struct session *except)
{
	char topic[TOPIC_MAX];
	deliver(live, user, place, frame, except);
	push_publish_event(live, topic_make(topic, TOPIC_USER, user), place, json);
}

void push_to(struct live *live, struct str user, struct push_place place, struct str json, const struct session *except)
{
	struct ws_frame *frame = push_frame_new(&place, json);
	push_frame(live, user, place, json, frame, except);
	ws_frame_unref(frame);
}

void push_to_both(struct live *live, struct str a, struct str b, struct push_place place, struct str json,
		  const struct session *except)
{
	struct ws_frame *frame = push_frame_new(&place, json);
	push_frame(live, a, place, json, frame, except);
	push_frame(live, b, place, json, frame, except);
	ws_frame_unref(frame);
}

void push_resync(struct live *live, struct str user)
{
	char topic[TOPIC_MAX];
	if (user.len == 0)
		return;
	/* Workers of the first version would have all their sessions catch up. */
	if (live->legacy_peers != 0) {
		push_to(live, user, (struct push_place){.kind = BUS_EVENT}, STR_LIT("{\"type\":\"resync\"}"), NULL);
		return;
	}
	resync_user(live, user);
	push_publish(live, topic_make(topic, TOPIC_USER, user), BUS_CATCH_UP, STR_LIT(""));
}

void push_kick(struct live *live, struct str user, struct str only_id)
{
	char topic[TOPIC_MAX];
	session_kick_user(live, user, only_id);
	push_publish(live, topic_make(topic, TOPIC_USER, user), only_id.s == NULL ? BUS_KICK : BUS_KICK_ONE,
		     only_id.s == NULL ? STR_LIT("") : only_id);
}

/* ---- what comes in ---- */

bool push_take_hex(struct str *data, uint64_t *n_r)
{
	*n_r = 0;
	if (data->len < HEX_LEN)
		return false;
	for (int i = 0; i < HEX_LEN; i++) {
		char c = data->s[i];
		unsigned digit = c >= '0' && c <= '9'	? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
							: 16;
		if (digit > 15)
			return false;
		*n_r = *n_r << 4 | digit;
	}
	*data = (struct str){data->s + HEX_LEN, data->len - HEX_LEN};
	return true;
}

static bool take_place(struct str *data, enum bus_kind kind, struct push_place *place_r)
{
	uint64_t gap = 0;
	*place_r = (struct push_place){.kind = kind};
	if ((kind != BUS_EVENT && !push_take_hex(data, &place_r->message_id)) ||
	    (kind == BUS_MESSAGE && !push_take_hex(data, &gap)))
		return false;
	place_r->gap_ms = gap < INT64_MAX ? (int64_t)gap : INT64_MAX;
	return true;
}

static void on_event(struct live *live, struct str user, enum bus_kind kind, struct str data)
{
	struct push_place place;
	if (!take_place(&data, kind, &place))
		return;
	struct ws_frame *frame = push_frame_new(&place, data);
	deliver(live, user, place, frame, NULL);
	ws_frame_unref(frame);
}

/* A message of the bus, and whether it is one of ours. */
struct incoming {
	struct bus_form form;
	bool own;
};

/* What another version of this server says: what it means is lost, but clients can find out. */
static void on_unknown(struct live *live, struct str user, const struct incoming *in)
{
	log_debug("bus: unknown kind %d on the topic of %.*s", in->form.kind, (int)user.len, user.s);
	if (!in->form.may_ignore)
		resync_user(live, user);
}

static void on_user_topic(struct live *live, struct str user, const struct incoming *in)
{
	if (!in->form.known) {
		on_unknown(live, user, in);
		return;
	}
	switch (in->form.kind) {
	case BUS_EVENT:
	case BUS_MESSAGE:
	case BUS_CHANGE:
		/* Our own went to our sessions when it happened. */
		if (!in->own)
			on_event(live, user, (enum bus_kind)in->form.kind, in->form.data);
		break;
	case BUS_KICK:
		if (!in->own)
			session_kick_user(live, user, STR_NULL);
		break;
	case BUS_KICK_ONE:
		if (!in->own && in->form.data.len == SESSION_ID_LEN)
			session_kick_user(live, user, in->form.data);
		break;
	case BUS_REVOKED:
		if (!in->own)
			revoked_heard(live, user, in->form.data);
		break;
	case BUS_FRIENDSHIP:
		if (!in->own && id_user_valid(in->form.data))
			watch_friendship_heard(live, user, in->form.data);
		break;
	case BUS_CATCH_UP:
		if (!in->own)
			resync_user(live, user);
		break;
	case BUS_IN:
	case BUS_OUT:
	case BUS_VIEW:
	case BUS_UNSURE:
		if (!in->own)
			group_heard_for_user(live, user, (enum bus_kind)in->form.kind, in->form.data);
		break;
	case BUS_ANNOUNCE:
	case BUS_PRESENT:
	case BUS_AGAIN:
	case BUS_PLACED:
		policy_heard(live, user, (enum bus_kind)in->form.kind, in->form.data, in->own);
		break;
	default:
		on_unknown(live, user, in);
	}
}

static void on_group_event(struct live_group *g, enum bus_kind kind, struct str data)
{
	struct push_place place;
	if (!take_place(&data, kind, &place) ||
	    (kind != BUS_EVENT && message_id_conversation(place.message_id) != g->id))
		return;
	struct ws_frame *frame = push_frame_new(&place, data);
	group_deliver(g, &place, frame, NULL, NULL);
	ws_frame_unref(frame);
}

static void on_group_topic(struct live_group *g, const struct incoming *in)
{
	/* Our own went to our sessions when it happened. */
	if (in->own)
		return;
	switch (in->form.known ? in->form.kind : '\0') {
	case BUS_EVENT:
	case BUS_MESSAGE:
	case BUS_CHANGE:
		on_group_event(g, (enum bus_kind)in->form.kind, in->form.data);
		break;
	case BUS_TURN:
	case BUS_VIEW:
	case BUS_UNSURE:
		group_heard(g, (enum bus_kind)in->form.kind, in->form.data);
		break;
	default:
		log_debug("bus: unknown kind %d on the topic of group %" PRIu64, in->form.kind, g->id);
		if (!in->form.may_ignore)
			group_resync(g);
	}
}

static void on_topic_of_all(struct live *live, const struct incoming *in)
{
	if (!in->form.known && !in->form.may_ignore && !in->own)
		resync_all_spread(live);
	if (!in->form.known)
		return;
	if (in->form.kind == BUS_BEAT && in->own) {
		beat_own_heard(live, in->form.data);
	} else if (in->form.kind == BUS_BEAT) {
		beat_heard(live, in->form.origin, in->form.data);
	} else if (in->form.kind == BUS_BYE && !in->own) {
		beat_bye_heard(live, in->form.origin);
	} else if (in->form.kind == BUS_ROLL_CALL) {
		roll_called(live, in->form.data);
	} else if (in->form.kind == BUS_RESYNC && !in->own) {
		resync_all(live);
		memberships_again_all(live);
		watch_recheck_all(live, 0);
		watch_recheck_friends(live);
	} else if (in->form.kind == BUS_TRACE && !in->own) {
		tracing_asked(live, in->form.origin, in->form.data);
	}
}

/* False: it is no message. */
static bool take_in(struct live *live, struct str data, bool is_for_all, struct incoming *in_r)
{
	stat_add(STAT_BUS_IN, 1);
	if (!bus_form_read(data, &in_r->form))
		return false;
	in_r->own = memcmp(in_r->form.origin.s, live->origin, ORIGIN_LEN) == 0;
	if (!in_r->own && !is_for_all && !bus_form_is_relays(&in_r->form))
		beat_origin_heard(live, in_r->form.origin);
	return true;
}

static void on_message(struct str topic, struct str data, void *ctx)
{
	struct live *live = ctx;
	struct incoming in;
	if (!take_in(live, data, str_is(topic, TOPIC_ALL), &in))
		return;
	if (topic.len > 2 && memcmp(topic.s, TOPIC_USER, 2) == 0)
		on_user_topic(live, (struct str){topic.s + 2, topic.len - 2}, &in);
	else if (topic.len > 2 && memcmp(topic.s, TOPIC_PRESENCE, 2) == 0 && in.form.known)
		watch_hint(live, (struct str){topic.s + 2, topic.len - 2}, in.form.kind == BUS_CAME);
	else if (topic.len > 2 && memcmp(topic.s, TOPIC_WORKER, 2) == 0 && in.form.known && in.form.kind == BUS_TRACED)
		tracing_answered(live, in.form.data);
	else if (str_is(topic, TOPIC_ALL))
		on_topic_of_all(live, &in);
}

static void on_group_message(void *owner, struct str data, void *ctx)
{
	struct incoming in;
	if (take_in(ctx, data, false, &in))
		on_group_topic(owner, &in);
}

static void on_subscribed(struct str topic, void *ctx)
{
	struct live *live = ctx;
	struct str user = {topic.s + 2, topic.len - 2};
	if (topic.len > 2 && memcmp(topic.s, TOPIC_USER, 2) == 0)
		session_subscribed(live, user);
	else if (topic.len > 2 && memcmp(topic.s, TOPIC_PRESENCE, 2) == 0)
		watch_subscribed(live, user);
	else if (str_is(topic, TOPIC_ALL))
		beat_subscribed(live);
}

static void on_group_subscribed(void *owner, void *ctx)
{
	(void)ctx;
	group_subscribed(owner);
}

static void on_up(bool missed, bool lost, void *ctx)
{
	struct live *live = ctx;
	missed = missed || live->greeted_deaf;
	live->greeted_deaf = false;
	log_info("bus: Redis is connected%s", missed || lost ? ", events may have been missed" : "");
	if (lost)
		policy_answers_lost(live);
	policy_announce_all(live);
	look_resume(live);
	watch_recheck_all(live, 0);
	if (missed) {
		feed_release_all(live);
		memberships_again_all(live);
		resync_all(live);
		watch_recheck_friends(live);
	}
	/* Who came meanwhile may not have been told of, even where this worker has missed nothing. */
	roll_tell_all(live);
	/* Only what this worker could not publish is news to the others. */
	if (lost)
		push_publish(live, STR_LIT(TOPIC_ALL), BUS_RESYNC, STR_LIT(""));
}

static void on_down(const char *reason, void *ctx)
{
	struct live *live = ctx;
	log_error("bus: Redis is away: %s", reason);
	feed_release_all(live);
	policy_link_down(live);
	session_greet_waiting(live);
}

const struct bus_events push_bus_events = {
	.message = on_message,
	.subscribed = on_subscribed,
	.up = on_up,
	.down = on_down,
	.group_message = on_group_message,
	.group_subscribed = on_group_subscribed,
};
