/* SPDX-License-Identifier: BSD-2-Clause */
/* Delivery to this worker's sessions, the other workers' by the bus, and what the bus brings in. */
#include "core/base.h"
#include "live/push.h"

#include "core/clock.h"
#include "core/log.h"
#include "hub/stats.h"
#include "live/beat.h"
#include "live/feed.h"
#include "live/group_priv.h"
#include "live/look.h"
#include "live/policy.h"
#include "live/resync.h"
#include "live/session.h"
#include "live/watch.h"
#include "store/people.h"

#include <inttypes.h>
#include <stdio.h>

/* Of a number on the bus. */
#define HEX_LEN 16
/* Begins a message of the second form; no kind has this letter. */
#define BUS_LEAD '@'

struct str topic_make(char out[TOPIC_MAX], const char *prefix, struct str user)
{
	ASSERT(user.len <= USER_ID_MAX);
	memcpy(out, prefix, 2);
	memcpy(out + 2, user.s, user.len);
	return (struct str){out, 2 + user.len};
}

struct str topic_make_group(char out[TOPIC_MAX], uint64_t conversation_id)
{
	int len = snprintf(out, TOPIC_MAX, TOPIC_GROUP "%" PRIu64, conversation_id);
	return (struct str){out, (size_t)len};
}

static void publish_wire(struct live *live, struct str topic)
{
	bool queued = bus_publish(live->bus, topic, (struct str){live->wire.data, live->wire.len});
	stat_add(queued ? STAT_BUS_OUT : STAT_BUS_LOST, 1);
}

/* The kinds of the second form, and the version of their data that is sent and understood. */
static const struct kind_row {
	enum bus_kind kind;
	char version;
	char flag;
} kinds[] = {
	{BUS_AGAIN, '1', BUS_MAY_IGNORE}, {BUS_PLACED, '1', BUS_MAY_IGNORE}, {BUS_CATCH_UP, '1', BUS_MUST_KNOW},
	{BUS_IN, '1', BUS_MUST_KNOW},	  {BUS_OUT, '1', BUS_MUST_KNOW},     {BUS_VIEW, '1', BUS_MAY_IGNORE},
	{BUS_UNSURE, '1', BUS_MUST_KNOW}, {BUS_TURN, '1', BUS_MUST_KNOW},
};

static const struct kind_row *kind_find(char kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((char)kinds[i].kind == kind)
			return &kinds[i];
	return NULL;
}

void push_publish(struct live *live, struct str topic, enum bus_kind kind, struct str data)
{
	const struct kind_row *row = kind_find((char)kind);
	struct buf *b = &live->wire;
	buf_clear(b);
	if (row != NULL) {
		buf_append_char(b, BUS_LEAD);
		buf_append_char(b, row->version);
		buf_append_char(b, row->flag);
	}
	buf_append_char(b, (char)kind);
	buf_append(b, live->origin, ORIGIN_LEN);
	buf_append_str(b, data);
	publish_wire(live, topic);
}

void push_deliver(struct user *u, struct ws_frame *frame, const char *except_id)
{
	struct session *s;
	LIST_FOREACH (s, &u->sessions, of_user) {
		if (except_id != NULL && strcmp(s->id, except_id) == 0)
			continue;
		if (session_send(s, frame))
			stat_add(STAT_PUSHES, 1);
	}
}

static void user_give(void *who, const struct feed_item *item)
{
	push_deliver(who, item->frame, item->except_id);
}

static void user_missing(void *who)
{
	const struct user *u = who;
	resync_user(LIST_FIRST(&u->sessions)->live, str_from(u->id));
}

/* A session had said hello by then. */
static bool user_listens_since(const void *who, int64_t ms)
{
	const struct user *u = who;
	const struct session *s;
	uint32_t now_ms = (uint32_t)clock_mono_ms();
	LIST_FOREACH (s, &u->sessions, of_user)
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
	if (u == NULL)
		return;
	if (place.kind == BUS_EVENT)
		push_deliver(u, frame, except != NULL ? except->id : NULL);
	else if (place.kind == BUS_CHANGE && conversation_is_group(message_id_conversation(place.message_id)))
		group_deliver_to(live, u, &place, frame, except);
	else
		feed_deliver(live, &(struct feed_owner){&push_user_feed, u, &u->feeds}, &place, frame, except, NULL);
}

void push_append_hex(struct buf *b, uint64_t n)
{
	char text[HEX_LEN + 1];
	snprintf(text, sizeof(text), "%016" PRIx64, n);
	buf_append(b, text, HEX_LEN);
}

void push_publish_event(struct live *live, struct str topic, struct push_place place, struct str json)
{
	struct buf *b = &live->wire;
	buf_clear(b);
	buf_append_char(b, (char)place.kind);
	buf_append(b, live->origin, ORIGIN_LEN);
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
	struct ws_frame *frame = ws_frame_new(json);
	push_frame(live, user, place, json, frame, except);
	ws_frame_unref(frame);
}

void push_to_both(struct live *live, struct str a, struct str b, struct push_place place, struct str json,
		  const struct session *except)
{
	struct ws_frame *frame = ws_frame_new(json);
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
	struct ws_frame *frame = ws_frame_new(data);
	deliver(live, user, place, frame, NULL);
	ws_frame_unref(frame);
}

/* A message of the bus, taken apart. */
struct incoming {
	char kind;
	bool known;	 /* the kind, and this version of it */
	bool may_ignore; /* what is not known */
	bool own;
	struct str origin, data;
};

static bool read_incoming(const struct live *live, struct str data, struct incoming *in)
{
	const struct kind_row *row = NULL;
	char version = '0';
	*in = (struct incoming){.known = true};
	if (data.len != 0 && data.s[0] == BUS_LEAD) {
		if (data.len < 3 + 1 + ORIGIN_LEN)
			return false;
		version = data.s[1];
		in->may_ignore = data.s[2] == BUS_MAY_IGNORE;
		row = kind_find(data.s[3]);
		data = (struct str){data.s + 3, data.len - 3};
		in->known = row != NULL && version == row->version;
	}
	if (data.len < 1 + ORIGIN_LEN)
		return false;
	in->kind = data.s[0];
	in->origin = (struct str){data.s + 1, ORIGIN_LEN};
	in->data = (struct str){data.s + 1 + ORIGIN_LEN, data.len - 1 - ORIGIN_LEN};
	in->own = memcmp(in->origin.s, live->origin, ORIGIN_LEN) == 0;
	return id_worker_valid(in->origin);
}

/* What another version of this server says: what it means is lost, but clients can find out. */
static void on_unknown(struct live *live, struct str user, const struct incoming *in)
{
	log_debug("bus: unknown kind %d on the topic of %.*s", in->kind, (int)user.len, user.s);
	if (!in->may_ignore)
		resync_user(live, user);
}

static void on_user_topic(struct live *live, struct str user, const struct incoming *in)
{
	if (!in->known) {
		on_unknown(live, user, in);
		return;
	}
	switch (in->kind) {
	case BUS_EVENT:
	case BUS_MESSAGE:
	case BUS_CHANGE:
		/* Our own went to our sessions when it happened. */
		if (!in->own)
			on_event(live, user, (enum bus_kind)in->kind, in->data);
		break;
	case BUS_KICK:
		if (!in->own)
			session_kick_user(live, user);
		break;
	case BUS_FRIENDSHIP:
		if (!in->own && id_user_valid(in->data))
			watch_friendship_heard(live, user, in->data);
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
			group_heard_for_user(live, user, (enum bus_kind)in->kind, in->data);
		break;
	case BUS_ANNOUNCE:
	case BUS_PRESENT:
	case BUS_AGAIN:
	case BUS_PLACED:
		policy_heard(live, user, (enum bus_kind)in->kind, in->data, in->own);
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
	struct ws_frame *frame = ws_frame_new(data);
	group_deliver(g, &place, frame, NULL, NULL);
	ws_frame_unref(frame);
}

static void on_group_topic(struct live *live, struct str name, const struct incoming *in)
{
	uint64_t id;
	struct live_group *g = id_parse_u64(name, &id) == 0 ? group_find(live, id) : NULL;
	/* Our own went to our sessions when it happened. */
	if (g == NULL || in->own)
		return;
	switch (in->known ? in->kind : '\0') {
	case BUS_EVENT:
	case BUS_MESSAGE:
	case BUS_CHANGE:
		on_group_event(g, (enum bus_kind)in->kind, in->data);
		break;
	case BUS_TURN:
	case BUS_VIEW:
	case BUS_UNSURE:
		group_heard(g, (enum bus_kind)in->kind, in->data);
		break;
	default:
		log_debug("bus: unknown kind %d on the topic of group %" PRIu64, in->kind, id);
		if (!in->may_ignore)
			group_resync(g);
	}
}

static void on_topic_of_all(struct live *live, const struct incoming *in)
{
	if (!in->known && !in->may_ignore && !in->own)
		resync_all_spread(live);
	if (!in->known)
		return;
	if (in->kind == BUS_BEAT && in->own) {
		beat_own_heard(live, in->data);
	} else if (in->kind == BUS_BEAT) {
		beat_heard(live, in->origin, in->data);
	} else if (in->kind == BUS_BYE && !in->own) {
		beat_bye_heard(live, in->origin);
	} else if (in->kind == BUS_RESYNC && !in->own) {
		resync_all(live);
		memberships_again_all(live);
		watch_recheck_all(live, 0);
		watch_recheck_friends(live);
	}
}

static void on_message(struct str topic, struct str data, void *ctx)
{
	struct live *live = ctx;
	struct incoming in;
	stat_add(STAT_BUS_IN, 1);
	if (!read_incoming(live, data, &in))
		return;
	if (!in.own && !str_is(topic, TOPIC_ALL))
		beat_origin_heard(live, in.origin);
	if (topic.len > 2 && memcmp(topic.s, TOPIC_USER, 2) == 0)
		on_user_topic(live, (struct str){topic.s + 2, topic.len - 2}, &in);
	else if (topic.len > 2 && memcmp(topic.s, TOPIC_GROUP, 2) == 0)
		on_group_topic(live, (struct str){topic.s + 2, topic.len - 2}, &in);
	else if (topic.len > 2 && memcmp(topic.s, TOPIC_PRESENCE, 2) == 0 && in.known)
		watch_hint(live, (struct str){topic.s + 2, topic.len - 2}, in.kind == BUS_CAME);
	else if (str_is(topic, TOPIC_ALL))
		on_topic_of_all(live, &in);
}

static void on_subscribed(struct str topic, void *ctx)
{
	struct live *live = ctx;
	struct str user = {topic.s + 2, topic.len - 2};
	uint64_t id;
	if (topic.len > 2 && memcmp(topic.s, TOPIC_USER, 2) == 0)
		session_subscribed(live, user);
	else if (topic.len > 2 && memcmp(topic.s, TOPIC_GROUP, 2) == 0 && id_parse_u64(user, &id) == 0)
		group_subscribed(live, id);
	else if (topic.len > 2 && memcmp(topic.s, TOPIC_PRESENCE, 2) == 0)
		watch_subscribed(live, user);
	else if (str_is(topic, TOPIC_ALL))
		beat_subscribed(live);
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
	/* Only what this worker could not publish is news to the others. */
	if (lost)
		push_publish(live, STR_LIT(TOPIC_ALL), BUS_RESYNC, STR_LIT(""));
}

static void on_down(const char *reason, void *ctx)
{
	struct live *live = ctx;
	log_error("bus: Redis is away: %s", reason);
	feed_release_all(live);
	groups_link_down(live);
	policy_link_down(live);
	session_greet_waiting(live);
}

const struct bus_events push_bus_events = {
	.message = on_message,
	.subscribed = on_subscribed,
	.up = on_up,
	.down = on_down,
};
