/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store's operations for tests: ask_…() only submits, so that several make one
 * batch, and wait_for() runs the loop until an answer is there. What an answer lends is copied.
 */
#ifndef TIDINGS_T_STORE_CALLS_H
#define TIDINGS_T_STORE_CALLS_H

#include "core/base.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/arena.h"
#include "store/store.h"

static struct event_base *base;
static struct arena kept;
static bool loop_running; /* answers may come only then */
static unsigned answers_at_once;

#define WAIT_SECS 60

static inline void on_too_long(evutil_socket_t fd, short what, void *arg)
{
	printf("Bail out! no answer for %d s\n", WAIT_SECS);
	exit(1);
}

static inline void turn(void)
{
	loop_running = true;
	event_base_loop(base, EVLOOP_ONCE);
	loop_running = false;
}

static inline void wait_for(const bool *done)
{
	struct event *limit = evtimer_new(base, on_too_long, NULL);
	evtimer_add(limit, &(struct timeval){.tv_sec = WAIT_SECS});
	while (!*done)
		turn();
	event_free(limit);
}

static inline void answered(bool *done)
{
	answers_at_once += !loop_running;
	*done = true;
}

/* Of a write, which may be answered twice: `done` by the first answer, `settled` by the last. */
static inline void written(enum store_status status, bool *done, bool *settled)
{
	answered(done);
	*settled = status != STORE_UNCERTAIN;
}

static inline struct message keep_message(const struct message *m)
{
	struct message copy = *m;
	copy.content = arena_str(&kept, m->content);
	copy.media_url = arena_str(&kept, m->media_url);
	copy.extra = arena_str(&kept, m->extra);
	copy.mentions = arena_str(&kept, m->mentions);
	copy.client_msg_id = arena_str(&kept, m->client_msg_id);
	copy.mentions = arena_str(&kept, m->mentions);
	return copy;
}

static inline struct conversation keep_conversation(const struct conversation *c)
{
	struct conversation copy = *c;
	copy.peer_nickname = arena_str(&kept, c->peer_nickname);
	copy.peer_avatar_url = arena_str(&kept, c->peer_avatar_url);
	copy.source_kind = arena_str(&kept, c->source_kind);
	copy.source_id = arena_str(&kept, c->source_id);
	copy.group.name = arena_str(&kept, c->group.name);
	copy.group.avatar_url = arena_str(&kept, c->group.avatar_url);
	copy.group.about = arena_str(&kept, c->group.about);
	if (c->has_last)
		copy.last = keep_message(&c->last);
	return copy;
}

/* ---- chance ---- */

/* One of 0 to n - 1: the same ones in each run. */
static inline unsigned pick(unsigned n)
{
	static uint64_t state = 88172645463325252u;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 33) % n);
}

/* ---- sending ---- */

struct sent_answer {
	bool done, settled;
	enum store_status status;
	bool replayed;
	int64_t retry_ms;
	struct message m;
};

static inline void on_sent(const struct store_sent *r, void *arg)
{
	struct sent_answer *a = arg;
	a->status = r->status;
	a->replayed = r->replayed;
	a->retry_ms = r->retry_ms;
	if (r->message != NULL)
		a->m = keep_message(r->message);
	written(r->status, &a->done, &a->settled);
}

static inline struct store_send text_to(const char *from, const char *to, const char *text, const char *client_msg_id)
{
	return (struct store_send){
		.from = str_from(from),
		.to = str_from(to),
		.type = MESSAGE_TEXT,
		.content = str_from(text),
		.client_msg_id = str_from(client_msg_id),
	};
}

static inline struct store_send text_in(uint64_t group, const char *from, const char *text, const char *client_msg_id)
{
	return (struct store_send){
		.from = str_from(from),
		.conversation_id = group,
		.type = MESSAGE_TEXT,
		.content = str_from(text),
		.client_msg_id = str_from(client_msg_id),
	};
}

static inline void ask_send(struct store *s, struct store_send p, struct sent_answer *a)
{
	*a = (struct sent_answer){0};
	store_send(s, &p, on_sent, a);
}

static inline struct sent_answer do_send(struct store *s, struct store_send p)
{
	struct sent_answer a;
	ask_send(s, p, &a);
	wait_for(&a.settled);
	return a;
}

static inline struct sent_answer do_text(struct store *s, const char *from, const char *to, const char *text,
					 const char *client_msg_id)
{
	return do_send(s, text_to(from, to, text, client_msg_id));
}

/* ---- changing ---- */

struct change_answer {
	bool done, settled;
	enum store_status status;
	bool changed;
	uint64_t change_seq;
	char by[USER_ID_MAX + 1];
	struct message m;
};

static inline void on_changed(const struct store_change *r, void *arg)
{
	struct change_answer *a = arg;
	a->status = r->status;
	a->changed = r->changed;
	a->change_seq = r->change_seq;
	memcpy(a->by, r->by, sizeof(a->by));
	if (r->message != NULL)
		a->m = keep_message(r->message);
	written(r->status, &a->done, &a->settled);
}

/* An edit is of the text alone, a reaction is a heart. */
static inline void ask_change(enum act act, struct store *s, const char *user, uint64_t id, struct change_answer *a)
{
	const struct store_act p = {
		.act = act,
		.user = str_from(user),
		.id = id,
		.content = act == ACT_EDIT ? STR_LIT("edited") : STR_NULL,
		.emoji = act == ACT_REACT || act == ACT_UNREACT ? STR_LIT("\u2764") : STR_NULL,
	};
	*a = (struct change_answer){0};
	store_act(s, &p, on_changed, a);
}

static inline struct change_answer do_change(enum act act, struct store *s, const char *user, uint64_t id)
{
	struct change_answer a;
	ask_change(act, s, user, id, &a);
	wait_for(&a.settled);
	return a;
}

struct read_answer {
	bool done, settled;
	struct store_read r;
};

static inline void on_read(const struct store_read *r, void *arg)
{
	struct read_answer *a = arg;
	a->r = *r;
	written(r->status, &a->done, &a->settled);
}

static inline void ask_read(struct store *s, const char *user, uint64_t id, uint64_t up_to, struct read_answer *a)
{
	*a = (struct read_answer){0};
	store_read_conversation(s, str_from(user), id, up_to, on_read, a);
}

static inline struct store_read do_read(struct store *s, const char *user, uint64_t id, uint64_t up_to)
{
	struct read_answer a;
	ask_read(s, user, id, up_to, &a);
	wait_for(&a.settled);
	return a.r;
}

struct created_answer {
	bool done;
	enum store_status status;
	bool created;
	struct conversation c;
};

static inline void on_created(const struct store_created *r, void *arg)
{
	struct created_answer *a = arg;
	a->status = r->status;
	a->created = r->created;
	if (r->conversation != NULL)
		a->c = keep_conversation(r->conversation);
	answered(&a->done);
}

static inline void ask_create(struct store *s, const char *user, const char *peer, const char *kind, const char *id,
			      struct created_answer *a)
{
	*a = (struct created_answer){0};
	store_create(s, str_from(user), str_from(peer), str_from(kind), str_from(id), on_created, a);
}

static inline struct created_answer do_create(struct store *s, const char *user, const char *peer)
{
	struct created_answer a;
	ask_create(s, user, peer, NULL, NULL, &a);
	wait_for(&a.done);
	return a;
}

/* ---- counting ---- */

struct count_answer {
	bool done;
	enum store_status status;
	uint64_t count;
	uint64_t mentions; /* of do_count() */
};

static inline void on_unread(enum store_status status, uint64_t unread, uint64_t mentions, void *arg)
{
	struct count_answer *a = arg;
	a->status = status;
	a->count = unread;
	a->mentions = mentions;
	answered(&a->done);
}

static inline void on_count(enum store_status status, uint64_t count, void *arg)
{
	struct count_answer *a = arg;
	a->status = status;
	a->count = count;
	answered(&a->done);
}

static inline struct count_answer do_count(struct store *s, const char *user)
{
	struct count_answer a = {0};
	store_count_unread(s, str_from(user), on_unread, &a);
	wait_for(&a.done);
	return a;
}

/* Until the lane and the reads are connected. */
static inline void wait_up(struct store *s)
{
	do {
		struct count_answer a = {0};
		store_ping(s, on_count, &a);
		wait_for(&a.done);
	} while (!store_is_up(s));
}

#endif
