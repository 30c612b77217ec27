/* SPDX-License-Identifier: BSD-2-Clause */
/* Watching friends: who is followed by whom, and telling who came and went. */
#include "core/base.h"
#include "live/watch_priv.h"

#include "core/clock.h"
#include "core/log.h"
#include "hub/presence.h"
#include "live/look.h"
#include "live/push.h"
#include "live/session.h"

#include <stdio.h>
#include <stdlib.h>

#define RECHECKS_A_STEP 50
/* After a read that failed. */
#define RECHECK_RETRY_MS 1000

static struct str watched_id(const struct watched *w)
{
	return (struct str){w->id, w->id_len};
}

/* ---- who is online ---- */

struct online_query {
	LIST_ENTRY(online_query) entry;
	struct live *live;
	online_fn *fn;
	void *arg;
	size_t n;
	char (*user)[USER_ID_MAX + 1];
};

static void on_counts(const uint32_t *counts, size_t n, void *arg)
{
	struct online_query *q = arg;
	bool *online = xcalloc(n, sizeof(*online));
	for (size_t i = 0; i < n; i++)
		online[i] = counts != NULL ? counts[i] > 0 : presence_count(q->live->hub, q->user[i]) > 0;
	LIST_REMOVE(q, entry);
	q->fn(online, n, q->arg);
	free(online);
	free(q->user);
	free(q);
}

void online_find(struct live *live, const struct str *users, size_t n, online_fn *fn, void *arg)
{
	struct online_query *q = xcalloc(1, sizeof(*q));
	q->live = live;
	q->fn = fn;
	q->arg = arg;
	q->n = n;
	q->user = xcalloc(n, sizeof(*q->user));
	char(*topic)[TOPIC_MAX] = xcalloc(n, sizeof(*topic));
	struct str *topics = xcalloc(n, sizeof(*topics));
	for (size_t i = 0; i < n; i++) {
		snprintf(q->user[i], sizeof(q->user[i]), "%.*s", (int)users[i].len, users[i].s);
		topics[i] = topic_make(topic[i], TOPIC_USER, users[i]);
	}
	if (n == 0 || !live->conf->session.presence) {
		bool *nobody = xcalloc(n, sizeof(*nobody));
		fn(nobody, n, arg);
		free(nobody);
		free(q->user);
		free(q);
	} else {
		LIST_INSERT_HEAD(&live->online_queries, q, entry);
		bus_count(live->bus, topics, n, on_counts, q);
	}
	free(topics);
	free(topic);
}

void online_fini(struct live *live)
{
	struct online_query *q;
	while ((q = LIST_FIRST(&live->online_queries)) != NULL) {
		bus_count_cancel(live->bus, q);
		on_counts(NULL, q->n, q);
	}
}

/* ---- the watched ---- */

void watch_put_state(struct json_out *o, const char *user_id, bool online, int64_t last_seen_ms)
{
	json_put_cstr(o, "user_id", user_id);
	json_put_bool(o, "online", online);
	json_put_time(o, "last_seen", last_seen_ms);
}

/* The event, in live->text. */
static struct str presence_event(struct live *live, const char *user_id, bool online, int64_t last_seen_ms)
{
	struct json_out *o = live->out;
	buf_clear(&live->text);
	json_begin(o, &live->text);
	json_object(o);
	json_put_cstr(o, "type", "presence");
	watch_put_state(o, user_id, online, last_seen_ms);
	json_object_end(o);
	return (struct str){live->text.data, live->text.len};
}

void watched_tell(struct watched *w, const struct session *except)
{
	struct watcher *x;
	struct ws_frame *frame = ws_frame_new(presence_event(w->live, w->id, w->online, w->last_seen_ms));
	LIST_FOREACH (x, &w->watchers, of_watched)
		if (!x->hidden && x->session != except)
			session_send(x->session, frame);
	ws_frame_unref(frame);
}

static void on_look_due(struct wheel_timer *t)
{
	look_at(container_of(t, struct watched, look));
}

static void look_later(struct watched *w, int64_t delay_ms)
{
	wheel_set(loop_wheel(w->live->loop), &w->look, delay_ms, on_look_due);
}

void watched_looked(struct watched *w, bool online)
{
	if (online != w->online) {
		w->online = online;
		if (!online)
			w->last_seen_ms = w->went_ms != 0 ? w->went_ms : clock_wall_ms();
		watched_tell(w, NULL);
	}
	w->went_ms = 0;
}

struct watched *watched_find(struct live *live, struct str id)
{
	struct watched *w;
	HASH_FIND(hh, live->watched, id.s, (unsigned)id.len, w);
	return w;
}

static struct watched *watched_get(struct live *live, struct str id)
{
	char topic[TOPIC_MAX];
	struct watched *w = watched_find(live, id);
	if (w != NULL)
		return w;
	w = xcalloc(1, sizeof(*w) + id.len + 1);
	w->live = live;
	w->id_len = id.len;
	memcpy(w->id, id.s, id.len);
	LIST_INIT(&w->watchers);
	HASH_ADD_KEYPTR(hh, live->watched, w->id, (unsigned)w->id_len, w);
	bus_subscribe(live->bus, topic_make(topic, TOPIC_PRESENCE, id));
	return w;
}

void watcher_new(struct session *s, const struct store_friend *f)
{
	struct watcher *x = xcalloc(1, sizeof(*x));
	x->session = s;
	x->hidden = f->blocks_user;
	x->watched = watched_get(s->live, str_from(f->user_id));
	LIST_INSERT_HEAD(&x->watched->watchers, x, of_watched);
	LIST_INSERT_HEAD(&watching_get(s)->watchers, x, of_session);
}

void watcher_free(struct watcher *x)
{
	struct watched *w = x->watched;
	struct live *live = w->live;
	char topic[TOPIC_MAX];
	LIST_REMOVE(x, of_watched);
	LIST_REMOVE(x, of_session);
	free(x);
	if (!LIST_EMPTY(&w->watchers))
		return;
	bus_unsubscribe(live->bus, topic_make(topic, TOPIC_PRESENCE, watched_id(w)));
	look_forget(w);
	wheel_cancel(&w->look);
	HASH_DEL(live->watched, w);
	free(w);
}

struct watching *watching_get(struct session *s)
{
	if (s->watching == NULL) {
		s->watching = xcalloc(1, sizeof(*s->watching));
		LIST_INIT(&s->watching->watchers);
		STAILQ_INIT(&s->watching->requests);
	}
	return s->watching;
}

void watching_free_when_empty(struct session *s)
{
	if (!LIST_EMPTY(&s->watching->watchers) || !STAILQ_EMPTY(&s->watching->requests))
		return;
	free(s->watching);
	s->watching = NULL;
}

static struct watcher *first_watcher(const struct session *s)
{
	return s->watching != NULL ? LIST_FIRST(&s->watching->watchers) : NULL;
}

void watch_forget(struct session *s)
{
	struct watcher *x;
	if (s->watching == NULL)
		return;
	while ((x = LIST_FIRST(&s->watching->watchers)) != NULL)
		watcher_free(x);
	watching_free_when_empty(s);
}

void watch_tell(struct live *live, struct str user, bool came)
{
	char topic[TOPIC_MAX];
	if (live->conf->session.presence)
		push_publish(live, topic_make(topic, TOPIC_PRESENCE, user), came ? BUS_CAME : BUS_WENT, STR_LIT(""));
	roll_note(live, user, came);
}

void watch_hint(struct live *live, struct str user, bool came)
{
	struct watched *w = watched_find(live, user);
	if (w == NULL)
		return;
	if (came && !w->online) {
		wheel_cancel(&w->look);
		look_at(w);
	} else if (!came && w->online) {
		w->went_ms = clock_wall_ms();
		look_later(w, WATCH_ABSENCE_MS);
	}
}

/* ---- friends who are friends no longer, or hide ---- */

/* What the user may see of some whom sessions of theirs watch is asked anew. */
struct recheck {
	struct live *live;
	size_t count;
	char user[USER_ID_MAX + 1];
	char (*peer)[USER_ID_MAX + 1];
};

/* friend NULL: they are none. */
static void allow(struct watcher *x, const struct store_friend *friend)
{
	const struct watched *w = x->watched;
	bool hidden = friend == NULL || friend->blocks_user;
	if (hidden != x->hidden && w->online)
		session_send_json(x->session, presence_event(w->live, w->id, !hidden, hidden ? 0 : w->last_seen_ms));
	x->hidden = hidden;
	if (friend == NULL)
		watcher_free(x);
}

static const struct store_friend *friend_of(const struct store_friends *friends, const char *user)
{
	for (size_t i = 0; i < friends->count; i++)
		if (strcmp(friends->item[i].user_id, user) == 0)
			return &friends->item[i];
	return NULL;
}

static bool is_rechecked(const struct recheck *c, const char *peer)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->peer[i], peer) == 0)
			return true;
	return false;
}

static void on_recheck_step(struct wheel_timer *t);

/* What the sessions see is out of date until a read succeeds. All that fail meanwhile wait for the same moment. */
static void recheck_again(struct user *u)
{
	struct session *s;
	struct live *live = NULL;
	SLIST_FOREACH (s, &u->sessions, of_user) {
		if (first_watcher(s) == NULL)
			continue;
		s->recheck = true;
		live = s->live;
	}
	if (live == NULL || live->recheck_waits)
		return;
	live->recheck_waits = true;
	wheel_set(loop_wheel(live->loop), &live->recheck, RECHECK_RETRY_MS, on_recheck_step);
}

static void on_rechecked(const struct store_friends *friends, void *arg)
{
	struct recheck *c = arg;
	struct user *u = user_find(c->live, str_from(c->user));
	struct session *s;
	if (u != NULL && friends->status != STORE_OK) {
		recheck_again(u);
	} else if (u != NULL) {
		SLIST_FOREACH (s, &u->sessions, of_user) {
			struct watcher *x, *next;
			for (x = first_watcher(s); x != NULL; x = next) {
				next = LIST_NEXT(x, of_session);
				if (is_rechecked(c, x->watched->id))
					allow(x, friend_of(friends, x->watched->id));
			}
		}
	}
	free(c->peer);
	free(c);
}

static void recheck(struct live *live, struct str user, const struct str *peers, size_t n)
{
	struct recheck *c = xcalloc(1, sizeof(*c));
	c->live = live;
	c->count = n;
	memcpy(c->user, user.s, user.len);
	c->peer = xcalloc(n, sizeof(*c->peer));
	for (size_t i = 0; i < n; i++)
		memcpy(c->peer[i], peers[i].s, peers[i].len);
	store_find_friends(live->store, user, peers, n, on_rechecked, c);
}

void watch_recheck_session(struct session *s)
{
	struct str peers[WATCH_MAX];
	const struct watcher *x;
	size_t n = 0;
	for (x = first_watcher(s); x != NULL; x = LIST_NEXT(x, of_session))
		peers[n++] = watched_id(x->watched);
	if (n != 0)
		recheck(s->live, str_from(s->user->id), peers, n);
}

void watch_friendship_heard(struct live *live, struct str user, struct str peer)
{
	live->friendship_changes++;
	if (user_find(live, user) != NULL && watched_find(live, peer) != NULL)
		recheck(live, user, &peer, 1);
}

static void tell_friendship(struct live *live, struct str user, struct str peer)
{
	char topic[TOPIC_MAX];
	watch_friendship_heard(live, user, peer);
	push_publish(live, topic_make(topic, TOPIC_USER, user), BUS_FRIENDSHIP, peer);
}

void watch_friendship_changed(struct live *live, struct str a, struct str b)
{
	tell_friendship(live, a, b);
	tell_friendship(live, b, a);
}

/* Some at a time, for each asks the database. */
static void on_recheck_step(struct wheel_timer *t)
{
	struct live *live = container_of(t, struct live, recheck);
	struct session *s;
	unsigned left = RECHECKS_A_STEP;
	live->recheck_waits = false;
	LIST_FOREACH (s, &live->sessions, all) {
		if (!s->recheck)
			continue;
		if (left-- == 0) {
			wheel_set(loop_wheel(live->loop), t, WHEEL_TICK_MS, on_recheck_step);
			return;
		}
		s->recheck = false;
		watch_recheck_session(s);
	}
}

void watch_recheck_friends(struct live *live)
{
	struct session *s;
	/* A watch that is being carried out may have read what is out of date, too. */
	live->friendship_changes++;
	LIST_FOREACH (s, &live->sessions, all)
		s->recheck = first_watcher(s) != NULL;
	wheel_set(loop_wheel(live->loop), &live->recheck, 0, on_recheck_step);
}

void watch_subscribed(struct live *live, struct str user)
{
	/* What happened before the subscription was confirmed was not heard. */
	struct watched *w = watched_find(live, user);
	if (w != NULL)
		look_at(w);
}

void watch_recheck_all(struct live *live, int64_t delay_ms)
{
	struct watched *w, *next;
	HASH_ITER (hh, live->watched, w, next) {
		if (!wheel_timer_is_set(&w->look))
			look_later(w, delay_ms);
	}
}
