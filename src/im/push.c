/* SPDX-License-Identifier: BSD-2-Clause */
/* Delivery to this worker's sessions, the other workers' by the bus, and what the bus brings in. */
#include "core/base.h"
#include "im/push.h"

#include "core/log.h"
#include "hub/stats.h"
#include "im/order.h"
#include "im/policy.h"
#include "im/render.h"
#include "im/session.h"
#include "im/watch.h"

#include <inttypes.h>
#include <stdio.h>

/* Of a number on the bus. */
#define HEX_LEN 16

struct str topic_make(char out[TOPIC_MAX], const char *prefix, struct str user)
{
	ASSERT(user.len <= USER_ID_MAX);
	memcpy(out, prefix, 2);
	memcpy(out + 2, user.s, user.len);
	return (struct str){out, 2 + user.len};
}

static void publish_wire(struct im *im, struct str topic)
{
	bool queued = bus_publish(im->bus, topic, (struct str){im->wire.data, im->wire.len});
	stat_add(queued ? STAT_BUS_OUT : STAT_BUS_LOST, 1);
}

void push_publish(struct im *im, struct str topic, enum bus_kind kind, struct str data)
{
	struct buf *b = &im->wire;
	buf_clear(b);
	buf_append_char(b, (char)kind);
	buf_append(b, im->origin, ORIGIN_LEN);
	buf_append_str(b, data);
	publish_wire(im, topic);
}

void push_deliver(struct user *u, struct ws_frame *frame, const char *except_id)
{
	struct session *s;
	LIST_FOREACH (s, &u->sessions, of_user) {
		if (except_id != NULL && strcmp(s->id, except_id) == 0)
			continue;
		stat_add(STAT_PUSHES, 1);
		session_send(s, frame);
	}
}

static void deliver(struct im *im, struct str user_id, struct push_place place, struct ws_frame *frame,
		    const struct session *except)
{
	struct user *u = user_find(im, user_id);
	if (u == NULL)
		return;
	if (place.kind == BUS_EVENT)
		push_deliver(u, frame, except != NULL ? except->id : NULL);
	else
		order_deliver(im, u, &place, frame, except);
}

static void append_hex(struct buf *b, uint64_t n)
{
	char text[HEX_LEN + 1];
	snprintf(text, sizeof(text), "%016" PRIx64, n);
	buf_append(b, text, HEX_LEN);
}

static void publish_event(struct im *im, struct str user, struct push_place place, struct str json)
{
	char topic[TOPIC_MAX];
	struct buf *b = &im->wire;
	buf_clear(b);
	buf_append_char(b, (char)place.kind);
	buf_append(b, im->origin, ORIGIN_LEN);
	if (place.kind != BUS_EVENT)
		append_hex(b, place.message_id);
	if (place.kind == BUS_MESSAGE)
		append_hex(b, (uint64_t)place.gap_ms);
	buf_append_str(b, json);
	publish_wire(im, topic_make(topic, TOPIC_USER, user));
}

static void push_frame(struct im *im, struct str user, struct push_place place, struct str json, struct ws_frame *frame,
		       const struct session *except)
{
	deliver(im, user, place, frame, except);
	publish_event(im, user, place, json);
}

void push_to(struct im *im, struct str user, struct push_place place, struct str json, const struct session *except)
{
	struct ws_frame *frame = ws_frame_new(json);
	push_frame(im, user, place, json, frame, except);
	ws_frame_unref(frame);
}

void push_to_both(struct im *im, struct str a, struct str b, struct push_place place, struct str json,
		  const struct session *except)
{
	struct ws_frame *frame = ws_frame_new(json);
	push_frame(im, a, place, json, frame, except);
	push_frame(im, b, place, json, frame, except);
	ws_frame_unref(frame);
}

void push_resync(struct im *im, struct str user)
{
	if (user.len != 0)
		push_to(im, user, (struct push_place){.kind = BUS_EVENT}, STR_LIT("{\"type\":\"resync\"}"), NULL);
}

void push_notification(struct im *im, struct str user, const struct notification *n)
{
	struct json_out *o = im->out;
	buf_clear(&im->scratch);
	json_begin(o, &im->scratch);
	json_object(o);
	json_key(o, "type");
	json_cstr(o, "notification");
	json_key(o, "notification");
	json_object(o);
	render_notification_members(o, n);
	json_object_end(o);
	json_object_end(o);
	push_to(im, user, (struct push_place){BUS_EVENT, 0}, (struct str){im->scratch.data, im->scratch.len}, NULL);
}

/* ---- what comes in ---- */

/* Takes the number at the front; false if there is none. */
static bool take_hex(struct str *data, uint64_t *n_r)
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

static void on_event(struct im *im, struct str user, enum bus_kind kind, struct str data)
{
	struct push_place place = {.kind = kind};
	uint64_t gap = 0;
	if ((kind != BUS_EVENT && !take_hex(&data, &place.message_id)) ||
	    (kind == BUS_MESSAGE && !take_hex(&data, &gap)))
		return;
	place.gap_ms = gap < INT64_MAX ? (int64_t)gap : INT64_MAX;
	struct ws_frame *frame = ws_frame_new(data);
	deliver(im, user, place, frame, NULL);
	ws_frame_unref(frame);
}

static void on_user_topic(struct im *im, struct str user, char kind, struct str data, bool own)
{
	switch (kind) {
	case BUS_EVENT:
	case BUS_MESSAGE:
	case BUS_CHANGE:
		/* Our own went to our sessions when it happened. */
		if (!own)
			on_event(im, user, (enum bus_kind)kind, data);
		break;
	case BUS_KICK:
		if (!own)
			session_kick_user(im, user);
		break;
	case BUS_FRIENDSHIP:
		if (!own && id_user_valid(data))
			watch_friendship_heard(im, user, data);
		break;
	case BUS_ANNOUNCE:
	case BUS_PRESENT:
		policy_heard(im, user, (enum bus_kind)kind, data, own);
		break;
	default:
		/* Of another version of this server: what it means is lost, and clients can find out. */
		log_debug("bus: unknown kind %d on a user's topic", kind);
		session_resync_all(im);
	}
}

static void on_message(struct str topic, struct str data, void *ctx)
{
	struct im *im = ctx;
	if (data.len < 1 + ORIGIN_LEN)
		return;
	char kind = data.s[0];
	struct str origin = {data.s + 1, ORIGIN_LEN};
	struct str rest = {data.s + 1 + ORIGIN_LEN, data.len - 1 - ORIGIN_LEN};
	bool own = memcmp(origin.s, im->origin, ORIGIN_LEN) == 0;

	stat_add(STAT_BUS_IN, 1);
	if (topic.len > 2 && memcmp(topic.s, TOPIC_USER, 2) == 0) {
		on_user_topic(im, (struct str){topic.s + 2, topic.len - 2}, kind, rest, own);
	} else if (topic.len > 2 && memcmp(topic.s, TOPIC_PRESENCE, 2) == 0) {
		watch_hint(im, (struct str){topic.s + 2, topic.len - 2}, kind == BUS_CAME);
	} else if (str_is(topic, TOPIC_ALL) && own) {
		if (kind == BUS_BEAT)
			watch_own_beat_heard(rest);
	} else if (str_is(topic, TOPIC_ALL)) {
		if (kind == BUS_RESYNC) {
			session_resync_all(im);
			watch_recheck_all(im, 0);
			watch_recheck_friends(im);
		} else if (kind == BUS_BEAT || kind == BUS_BYE) {
			watch_beat_heard(im, origin, kind == BUS_BYE);
		}
	}
}

static void on_subscribed(struct str topic, void *ctx)
{
	struct im *im = ctx;
	struct str user = {topic.s + 2, topic.len - 2};
	if (topic.len > 2 && memcmp(topic.s, TOPIC_USER, 2) == 0)
		session_subscribed(im, user);
	else if (topic.len > 2 && memcmp(topic.s, TOPIC_PRESENCE, 2) == 0)
		watch_subscribed(im, user);
	else if (str_is(topic, TOPIC_ALL))
		watch_beat_subscribed(im);
}

static void on_up(bool missed, void *ctx)
{
	struct im *im = ctx;
	log_info("bus: Redis is connected%s", missed ? ", events may have been missed" : "");
	policy_announce_all(im);
	watch_recheck_all(im, 0);
	if (!missed)
		return;
	order_release_all(im);
	session_resync_all(im);
	watch_recheck_friends(im);
	push_publish(im, STR_LIT(TOPIC_ALL), BUS_RESYNC, STR_LIT(""));
}

static void on_down(const char *reason, void *ctx)
{
	log_error("bus: Redis is away: %s", reason);
	order_release_all(ctx);
	session_greet_waiting(ctx);
}

const struct bus_events push_bus_events = {
	.message = on_message,
	.subscribed = on_subscribed,
	.up = on_up,
	.down = on_down,
};
