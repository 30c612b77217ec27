/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a WebSocket session: opening, hello, what it has in progress, and the
 * ways it ends. Who may stay is decided in policy.c, what its frames mean in frame.c.
 */
#include "core/base.h"
#include "live/session.h"

#include "core/clock.h"
#include "core/log.h"
#include "hub/stats.h"
#include "live/admission.h"
#include "live/feed.h"
#include "live/group_priv.h"
#include "live/policy.h"
#include "live/push.h"
#include "live/resync.h"
#include "live/watch.h"
#include "store/people.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Requests of one session in progress at which we stop reading from it, and read on. */
#define PENDING_MAX 128
#define PENDING_LOW 64

struct user *user_find(struct live *live, struct str id)
{
	return table_find(&live->users, id);
}

struct str user_key(const void *user)
{
	return str_from(((const struct user *)user)->id);
}

static struct user *user_get(struct live *live, const char *id)
{
	size_t len = strlen(id);
	struct user *u = user_find(live, (struct str){id, len});
	if (u != NULL)
		return u;
	u = xcalloc(1, offsetof(struct user, id) + len + 1);
	memcpy(u->id, id, len + 1);
	SLIST_INIT(&u->sessions);
	LIST_INIT(&u->remotes);
	LIST_INIT(&u->feeds);
	table_add(&live->users, u);
	return u;
}

static void user_drop(struct live *live, struct user *u)
{
	policy_forget(u);
	feed_forget(&u->feeds);
	table_remove(&live->users, u);
	free(u);
}

static void on_message(struct ws *ws, struct str text, void *arg)
{
	struct session *s = arg;
	(void)ws;
	stat_add(STAT_FRAMES_IN, 1);
	if (!s->leaving)
		s->live->received(s, text, s->live->received_ctx);
}

static void session_free_when_idle(struct session *s)
{
	if (s->ws != NULL || s->pending != 0)
		return;
	struct user *u = s->user;
	struct live *live = s->live;
	SLIST_REMOVE(&u->sessions, s, session, of_user);
	free(s);
	if (SLIST_EMPTY(&u->sessions))
		user_drop(live, u);
}

bool user_is_open(const struct user *u)
{
	const struct session *s;
	SLIST_FOREACH (s, &u->sessions, of_user)
		if (s->ws != NULL)
			return true;
	return false;
}

/* Thousands may close in one turn, each with hundreds of groups: those have to wait, for others do. */
static void on_leave(struct loop_task *t)
{
	struct live *live = container_of(t, struct live, leave);
	struct session *s;
	bool did = false;
	while ((s = LIST_FIRST(&live->leaving)) != NULL) {
		if (!loop_has_time(live->loop)) {
			loop_go_on(live->loop, t, did);
			return;
		}
		did = true;
		LIST_REMOVE(s, all);
		if (!user_is_open(s->user))
			memberships_forget(live, s->user);
		session_release(s);
	}
}

static void leave_groups_later(struct session *s)
{
	session_hold(s);
	LIST_INSERT_HEAD(&s->live->leaving, s, all);
	loop_defer(s->live->loop, &s->live->leave);
}

void sessions_init(struct live *live)
{
	LIST_INIT(&live->sessions);
	LIST_INIT(&live->leaving);
	live->leave.fn = on_leave;
}

static void on_closed(struct ws *ws, int code, void *arg)
{
	struct session *s = arg;
	struct live *live = s->live;
	char topic[TOPIC_MAX];
	(void)ws;

	char id[SESSION_ID_LEN + 1];
	log_debug("session %s of %s closed with %d", session_id(s, id), s->user->id, code);
	s->ws = NULL;
	resync_forget(s);
	LIST_REMOVE(s, all);
	live->session_count--;
	presence_remove(live->hub, s->presence);
	watch_forget(s);
	bus_unsubscribe(live->bus, topic_make(topic, TOPIC_USER, str_from(s->user->id)));
	if (!user_is_open(s->user)) {
		memberships_stop(live, s->user);
		if (s->user->memberships != NULL)
			leave_groups_later(s);
		watch_tell(live, str_from(s->user->id), false);
		if (live->store != NULL)
			store_saw_user(live->store, str_from(s->user->id), clock_wall_ms());
	}
	session_free_when_idle(s);
}

static const struct ws_handler handler = {.message = on_message, .closed = on_closed};

static int32_t presence_enter(const struct session *s, const struct http_req *req, const char *user_id)
{
	struct presence_row row = {.worker = (uint16_t)s->live->slot};
	in_port_t port;
	snprintf(row.user_id, sizeof(row.user_id), "%s", user_id);
	session_id(s, row.session_id);
	snprintf(row.device, sizeof(row.device), "%s", session_device(s));
	row.address = addr_pack(req->peer, &port);
	return presence_add(s->live->hub, &row);
}

static struct session *session_new(struct live *live, const struct session_ask *ask)
{
	struct str device = ask->device;
	struct session *s = xcalloc(1, sizeof(*s) + (device.len != 0 ? device.len + 1 : 0));
	int64_t expires_secs = (ask->expires_ms + 999) / 1000;
	s->live = live;
	s->expires_secs = expires_secs < UINT32_MAX ? (uint32_t)expires_secs : UINT32_MAX;
	s->presence = -1;
	s->since_ms = (uint64_t)clock_wall_ms() & ((UINT64_C(1) << SESSION_TIME_BITS) - 1);
	s->number = live->session_number++ & ((1u << SESSION_NUMBER_BITS) - 1);
	s->has_login = ask->login != 0;
	s->token = s->has_login ? ask->login : (uint64_t)ask->issued_ms;
	s->has_device = device.len != 0;
	if (s->has_device)
		memcpy(s->device, device.s, device.len);
	return s;
}

/* Takes a place for it. */
static enum session_refusal find_room(struct session *s, struct http_req *req, const char *user_id, int64_t *wait_ms_r)
{
	*wait_ms_r = admission_session(s->live, req->peer, user_id);
	if (*wait_ms_r != 0)
		return SESSION_TOO_OFTEN;
	*wait_ms_r = admission_session_node(s->live);
	if (*wait_ms_r != 0)
		return SESSION_NODE_BUSY;
	s->presence = presence_enter(s, req, user_id);
	return s->presence >= 0 ? SESSION_ACCEPTED : SESSION_NODE_FULL;
}

static void session_begin(struct session *s, struct user *u)
{
	struct live *live = s->live;
	char topic[TOPIC_MAX];
	stat_add(STAT_SESSIONS_OPENED, 1);
	bool first = !user_is_open(u);
	s->user = u;
	SLIST_INSERT_HEAD(&u->sessions, s, of_user);
	LIST_INSERT_HEAD(&live->sessions, s, all);
	live->session_count++;
	/* A worker that dies tells no later moment. */
	store_saw_user(live->store, str_from(u->id), clock_wall_ms());

	/* Nothing is heard from it before hello, which has to be the first frame. */
	ws_pause(s->ws);
	struct str user_topic = topic_make(topic, TOPIC_USER, str_from(u->id));
	bus_subscribe(live->bus, user_topic);
	if (first) {
		memberships_forget(live, u);
		memberships_begin(live, u);
	} else {
		memberships_await(live, u);
	}
	bool confirmed = bus_is_subscribed(live->bus, user_topic);
	if (confirmed || !bus_is_up(live->bus))
		memberships_read(live, u);
	if (!bus_is_up(live->bus))
		memberships_no_hello(u);
	if (!bus_is_up(live->bus) || (confirmed && memberships_allow_hello(u)))
		session_greet(s);
}

enum session_refusal session_open(struct live *live, struct http_req *req, const struct session_ask *ask,
				  int64_t *wait_ms_r)
{
	struct session *s = session_new(live, ask);
	enum session_refusal refusal = find_room(s, req, ask->user_id, wait_ms_r);
	if (refusal == SESSION_ACCEPTED)
		s->ws = http_upgrade_ws(req, ask->subprotocol, &handler, s);
	if (s->ws != NULL) {
		session_begin(s, user_get(live, ask->user_id));
	} else {
		presence_remove(live->hub, s->presence);
		free(s);
	}
	return refusal;
}

void session_greet(struct session *s)
{
	struct live *live = s->live;
	struct json_out *o = live->out;
	char id[SESSION_ID_LEN + 1];
	if (s->ws == NULL)
		return;
	if (!s->greeted) {
		s->greeted = true;
		s->greeted_ms = (uint32_t)clock_mono_ms();
		live->greeted_deaf = live->greeted_deaf || !bus_is_up(live->bus);
		buf_clear(&live->text);
		json_begin(o, &live->text);
		json_object(o);
		json_put_cstr(o, "type", "hello");
		json_put_cstr(o, "user_id", s->user->id);
		json_put_cstr(o, "session_id", session_id(s, id));
		json_put_time(o, "server_time", clock_wall_ms());
		json_put_u64(o, "heartbeat_ms", live->conf->websocket.ping_interval_secs * 1000);
		json_object_end(o);
		session_send_json(s, (struct str){live->text.data, live->text.len});
		ws_resume(s->ws);
	}
	policy_announce(s);
}

void session_greet_waiting(struct live *live)
{
	struct session *s;
	LIST_FOREACH (s, &live->sessions, all) {
		memberships_read(live, s->user);
		memberships_no_hello(s->user);
		session_greet(s);
	}
}

void session_greet_user(struct live *live, struct user *u)
{
	struct session *s;
	SLIST_FOREACH (s, &u->sessions, of_user)
		session_greet(s);
	watch_tell(live, str_from(u->id), true);
}

void session_subscribed(struct live *live, struct str user_id)
{
	struct user *u = user_find(live, user_id);
	if (u == NULL)
		return;
	memberships_read(live, u);
	if (memberships_allow_hello(u))
		session_greet_user(live, u);
}

bool session_send(struct session *s, struct ws_frame *frame)
{
	if (s->ws == NULL || !s->greeted || !ws_send(s->ws, frame))
		return false;
	stat_add(STAT_FRAMES_OUT, 1);
	return true;
}

void session_send_json(struct session *s, struct str json)
{
	if (s->ws == NULL)
		return;
	struct ws_frame *frame = ws_frame_new(json);
	session_send(s, frame);
	ws_frame_unref(frame);
}

void session_close(struct session *s, int code, const char *reason)
{
	if (s->ws == NULL)
		return;
	s->leaving = true;
	ws_close(s->ws, code, reason);
}

void session_kick(struct session *s, const char *reason, const char *by_session)
{
	struct live *live = s->live;
	struct json_out *o = live->out;
	char id[SESSION_ID_LEN + 1];
	if (s->ws == NULL || s->leaving)
		return;
	stat_add(STAT_SESSIONS_KICKED, 1);
	log_info("session %s of %s: %s%s%s", session_id(s, id), s->user->id, reason, by_session != NULL ? " by " : "",
		 by_session != NULL ? by_session : "");
	buf_clear(&live->text);
	json_begin(o, &live->text);
	json_object(o);
	json_put_cstr(o, "type", "kicked");
	json_put_cstr(o, "reason", reason);
	json_put_str(o, "by_session", str_from(by_session));
	json_object_end(o);
	session_send_json(s, (struct str){live->text.data, live->text.len});
	session_close(s, WS_CLOSE_REPLACED, reason);
}

void session_kick_user(struct live *live, struct str user_id, struct str only_id)
{
	struct user *u = user_find(live, user_id);
	struct session *s;
	char id[SESSION_ID_LEN + 1];
	if (u == NULL)
		return;
	SLIST_FOREACH (s, &u->sessions, of_user)
		if (only_id.s == NULL || str_is(only_id, session_id(s, id)))
			session_kick(s, "kicked", NULL);
}

void session_leave(struct session *s, int64_t after_ms)
{
	char json[64];
	if (s->ws == NULL || s->leaving)
		return;
	int n = snprintf(json, sizeof(json), "{\"type\":\"reconnect\",\"after_ms\":%" PRId64 "}", after_ms);
	session_send_json(s, (struct str){json, (size_t)n});
	session_close(s, WS_CLOSE_GOING_AWAY, "draining");
}

void session_hold(struct session *s)
{
	if (++s->pending >= PENDING_MAX && !s->paused && s->ws != NULL) {
		s->paused = true;
		ws_pause(s->ws);
	}
}

void session_release(struct session *s)
{
	ASSERT(s->pending > 0);
	s->pending--;
	if (s->ws == NULL) {
		session_free_when_idle(s);
	} else if (s->paused && s->pending <= PENDING_LOW) {
		s->paused = false;
		ws_resume(s->ws);
	}
}

void session_end_expired(struct live *live)
{
	int64_t now = clock_wall_ms() / 1000;
	struct session *s;
	LIST_FOREACH (s, &live->sessions, all)
		if (now >= s->expires_secs && !s->leaving)
			session_close(s, WS_CLOSE_TOKEN_EXPIRED, "token expired");
}
