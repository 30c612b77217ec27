/* SPDX-License-Identifier: BSD-2-Clause */
/* The command watch: one's friends among those named are followed from now on, instead of others. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "live/session.h"
#include "live/watch_priv.h"

/* A watch of a session that is still to be answered. */
struct watch_request {
	STAILQ_ENTRY(watch_request) entry;
	struct request *r;
	struct store_friend *friend; /* as the store has answered */
	uint32_t friendship_changes; /* as they were when the store was asked */
	size_t count;
	const struct str *user_id;
};

const struct problem *watch_check(struct request *r, union command_args *a)
{
	const struct json *ids = json_get(r->body, "user_ids");
	if (ids == NULL || ids->type != JSON_ARRAY || ids->count > WATCH_MAX)
		return request_invalid(r, "user_ids: must be an array of up to %d user ids", WATCH_MAX);
	struct str *user_id = arena_alloc(&r->arena, ids->count * sizeof(*user_id));
	size_t n = 0;
	for (const struct json *id = ids->child; id != NULL; id = id->next) {
		if (id->type != JSON_STRING || !id_user_valid(id->text))
			return request_invalid(r, "user_ids[]: must be user ids");
		user_id[n++] = arena_str(&r->arena, id->text);
	}
	a->watch.user_id = user_id;
	a->watch.count = ids->count;
	return NULL;
}

static void on_friends(const struct store_friends *friends, void *arg);

static void begin(struct watch_request *q)
{
	q->friendship_changes = q->r->live->friendship_changes;
	store_find_friends(q->r->live->store, request_user(q->r), q->user_id, q->count, on_friends, q);
}

/* The session's next one has its turn, before the caller answers this one: with that the session may be gone. */
static void finish(struct watch_request *q)
{
	struct session *s = q->r->session;
	STAILQ_REMOVE_HEAD(&s->watching->requests, entry);
	struct watch_request *next = STAILQ_FIRST(&s->watching->requests);
	if (next != NULL)
		begin(next);
	else
		watching_free_when_empty(s);
}

/* What is between the two may have changed since the store was asked: then the session's own watcher knows. */
static bool hides_now(const struct request *r, const struct watched *w)
{
	const struct session *s = request_session(r);
	const struct watcher *x;
	if (s == NULL || !r->live->conf->session.presence)
		return false;
	if (w != NULL)
		LIST_FOREACH (x, &w->watchers, of_watched)
			if (x->session == s)
				return x->hidden;
	return true;
}

static void on_states(const bool *online, size_t n, void *arg)
{
	struct watch_request *q = arg;
	struct request *r = q->r;
	/* A state that nobody here was told yet is told to all who watch, before it is taken for known. */
	for (size_t i = 0; i < n; i++) {
		const struct store_friend *f = &q->friend[i];
		struct watched *w = watched_find(r->live, str_from(f->user_id));
		if (w != NULL && w->last_seen_ms == 0)
			w->last_seen_ms = f->last_seen_ms;
		if (w != NULL && online[i] && !w->online) {
			w->online = true;
			watched_tell(w, request_session(r));
		}
	}
	struct json_out *o = request_begin(r);
	json_key(o, "users");
	json_array(o);
	for (size_t i = 0; i < n; i++) {
		const struct store_friend *f = &q->friend[i];
		struct watched *w = watched_find(r->live, str_from(f->user_id));
		bool hidden = f->blocks_user || hides_now(r, w);
		bool shown = (online[i] || (w != NULL && w->online)) && !hidden;
		json_object(o);
		watch_put_state(o, f->user_id, shown, hidden ? 0 : f->last_seen_ms);
		json_object_end(o);
	}
	json_array_end(o);
	finish(q);
	request_answer(r, 200);
}

static void watch_instead(struct session *s, const struct store_friends *friends)
{
	LIST_HEAD(, watcher) old = LIST_HEAD_INITIALIZER(old);
	struct watcher *x;
	while ((x = LIST_FIRST(&s->watching->watchers)) != NULL) {
		LIST_REMOVE(x, of_session);
		LIST_INSERT_HEAD(&old, x, of_session);
	}
	if (s->live->conf->session.presence)
		for (size_t i = 0; i < friends->count; i++)
			watcher_new(s, &friends->item[i]);
	/* Only now, so that those who stay watched stay subscribed. */
	while ((x = LIST_FIRST(&old)) != NULL)
		watcher_free(x);
}

static void on_friends(const struct store_friends *friends, void *arg)
{
	struct watch_request *q = arg;
	struct request *r = q->r;
	struct session *s = request_session(r);
	if (friends->status != STORE_OK) {
		finish(q);
		request_fail_store(r, friends->status);
		return;
	}
	if (s != NULL)
		watch_instead(s, friends);
	q->friend = arena_alloc(&r->arena, friends->count * sizeof(*q->friend));
	struct str *users = arena_alloc(&r->arena, friends->count * sizeof(*users));
	for (size_t i = 0; i < friends->count; i++) {
		q->friend[i] = friends->item[i];
		users[i] = str_from(q->friend[i].user_id);
	}
	/* What the store said may be out of date already. */
	if (s != NULL && q->friendship_changes != r->live->friendship_changes)
		watch_recheck_session(s);
	online_find(r->live, users, friends->count, on_states, q);
}

void watch_proceed(struct request *r, const union command_args *a)
{
	struct watching *watching = watching_get(r->session);
	struct watch_request *q = arena_alloc(&r->arena, sizeof(*q));
	q->r = r;
	q->user_id = a->watch.user_id;
	q->count = a->watch.count;
	bool first = STAILQ_EMPTY(&watching->requests);
	STAILQ_INSERT_TAIL(&watching->requests, q, entry);
	if (first)
		begin(q);
}
