/* SPDX-License-Identifier: BSD-2-Clause */
/* Holds back what is ahead of its turn, and drops what comes too late for it. */
#include "core/base.h"
#include "live/order.h"

#include "core/clock.h"
#include "live/push.h"
#include "live/resync.h"

#include <stdlib.h>
#include <uthash.h>

/* Messages held back for a conversation before a gap is skipped. */
#define HELD_MAX 128
#define ANY_SEQ UINT64_MAX

struct held {
	TAILQ_ENTRY(held) entry;
	uint64_t seq;
	bool is_message; /* else a change of it */
	struct ws_frame *frame;
	char except[SESSION_ID_LEN + 1]; /* an id: the session itself may be gone by then */
};

struct order_key {
	struct user *user;
	uint64_t conversation_id;
};

/* What one user's sessions here have been given of one conversation. */
struct ordered {
	UT_hash_handle hh;
	struct order_key key;
	LIST_ENTRY(ordered) of_user;
	struct live *live;
	uint64_t last_seq;  /* the next message is the one after it */
	uint64_t given_seq; /* the highest that was given; 0: none */
	uint64_t told_seq;  /* up to here the sessions are told to catch up with what they were not given */
	bool presumed; /* last_seq is only before the earliest that came, and after given_seq; ANY_SEQ: none came */
	int64_t used_ms;
	TAILQ_HEAD(held_list, held) held; /* by seq; a change stands behind its message */
	unsigned held_count;
	struct wheel_timer timer; /* patience while something is held, else memory */
};

static void message_given(struct ordered *o, uint64_t seq)
{
	o->presumed = false;
	o->last_seq = o->given_seq = seq;
}

static void give(struct ordered *o, const struct held *h)
{
	push_deliver(o->key.user, h->frame, h->except[0] != '\0' ? h->except : NULL);
	if (h->is_message)
		message_given(o, h->seq);
}

static void held_free(struct ordered *o, struct held *h)
{
	TAILQ_REMOVE(&o->held, h, entry);
	o->held_count--;
	ws_frame_unref(h->frame);
	free(h);
}

/* What the sessions were not given so far they have to ask for. */
static void tell_missing(struct ordered *o)
{
	o->told_seq = o->given_seq;
	resync_user(o->live, str_from(o->key.user->id));
}

/* Gives what is next; with force also what is behind a gap, which is given up. */
static void release(struct ordered *o, bool force)
{
	struct held *h;
	bool missing = false;
	while ((h = TAILQ_FIRST(&o->held)) != NULL) {
		uint64_t next = h->is_message ? o->last_seq + 1 : o->last_seq;
		if (!force && h->seq > next)
			break;
		missing = missing || h->seq > next;
		give(o, h);
		held_free(o, h);
	}
	if (missing)
		tell_missing(o);
}

static void ordered_free(struct ordered *o)
{
	struct live *live = o->live;
	struct held *h;
	while ((h = TAILQ_FIRST(&o->held)) != NULL)
		held_free(o, h);
	wheel_cancel(&o->timer);
	LIST_REMOVE(o, of_user);
	HASH_DEL(live->ordered, o);
	free(o);
}

static void on_timer(struct wheel_timer *t)
{
	struct ordered *o = container_of(t, struct ordered, timer);
	release(o, true);
	int64_t left_ms = o->used_ms + ORDER_MEMORY_MS - clock_mono_ms();
	if (left_ms <= 0)
		ordered_free(o);
	else
		wheel_set(loop_wheel(o->live->loop), t, left_ms, on_timer);
}

/*
 * The message before this one was sent after a session of the user had said hello, and so lately that it may still
 * come. The gap is by the database's clock; where that was set back it is 0, and the message is held for
 * ORDER_PATIENCE_MS at worst.
 */
static bool may_follow(const struct user *u, int64_t gap_ms)
{
	const struct session *s;
	if (gap_ms >= ORDER_PATIENCE_MS)
		return false;
	uint32_t now_ms = (uint32_t)clock_mono_ms();
	LIST_FOREACH (s, &u->sessions, of_user)
		if (s->greeted && now_ms - s->greeted_ms >= (uint32_t)gap_ms)
			return true;
	return false;
}

static struct ordered *ordered_get(struct live *live, struct user *u, const struct push_place *place)
{
	struct order_key key;
	struct ordered *o;
	memset(&key, 0, sizeof(key));
	key.user = u;
	key.conversation_id = message_id_conversation(place->message_id);
	HASH_FIND(hh, live->ordered, &key, sizeof(key), o);
	if (o != NULL || place->kind != BUS_MESSAGE)
		return o;
	o = xcalloc(1, sizeof(*o));
	o->live = live;
	o->key = key;
	o->last_seq = ANY_SEQ;
	o->presumed = true;
	TAILQ_INIT(&o->held);
	LIST_INSERT_HEAD(&u->ordered, o, of_user);
	HASH_ADD(hh, live->ordered, key, sizeof(o->key), o);
	wheel_set(loop_wheel(live->loop), &o->timer, ORDER_MEMORY_MS, on_timer);
	return o;
}

static void hold(struct ordered *o, uint64_t seq, bool is_message, struct ws_frame *frame, const struct session *except)
{
	struct held *h = xcalloc(1, sizeof(*h)), *before;
	h->seq = seq;
	h->is_message = is_message;
	h->frame = ws_frame_ref(frame);
	if (except != NULL)
		memcpy(h->except, except->id, sizeof(h->except));
	if (o->held_count++ == 0)
		wheel_set(loop_wheel(o->live->loop), &o->timer, ORDER_PATIENCE_MS, on_timer);
	TAILQ_FOREACH_REVERSE(before, &o->held, held_list, entry)
	if (before->seq < seq || (before->seq == seq && !is_message))
		break;
	if (before != NULL)
		TAILQ_INSERT_AFTER(&o->held, before, h, entry);
	else
		TAILQ_INSERT_HEAD(&o->held, h, entry);
	if (o->held_count > HELD_MAX)
		release(o, true);
}

/* Where it is not known which message is the next, each that comes tells, until one is given. */
static void presume(struct ordered *o, const struct user *u, uint64_t seq, int64_t gap_ms)
{
	uint64_t before = seq > 1 && may_follow(u, gap_ms) ? seq - 2 : seq - 1;
	if (before < o->given_seq)
		before = o->given_seq;
	if (before < o->last_seq)
		o->last_seq = before;
}

void order_deliver(struct live *live, struct user *u, const struct push_place *place, struct ws_frame *frame,
		   const struct session *except)
{
	struct ordered *o = ordered_get(live, u, place);
	uint64_t seq = message_id_seq(place->message_id);
	bool is_message = place->kind == BUS_MESSAGE;
	if (o == NULL) {
		push_deliver(u, frame, except != NULL ? except->id : NULL);
		return;
	}
	o->used_ms = clock_mono_ms();
	if (is_message && seq <= o->given_seq) {
		/* Out of its turn nobody is given it: those who are told to catch up find it in the database. */
		if (seq > o->told_seq)
			tell_missing(o);
		return;
	}
	if (is_message && o->presumed)
		presume(o, u, seq, place->gap_ms);
	if (bus_is_up(live->bus) && seq > o->last_seq && !(is_message && seq == o->last_seq + 1)) {
		hold(o, seq, is_message, frame, except);
		return;
	}
	push_deliver(u, frame, except != NULL ? except->id : NULL);
	if (is_message) {
		message_given(o, seq);
		release(o, false);
	}
}

void order_release_all(struct live *live)
{
	struct ordered *o, *next;
	HASH_ITER (hh, live->ordered, o, next) {
		release(o, true);
		o->presumed = true;
		o->last_seq = ANY_SEQ;
	}
}

void order_forget(struct user *u)
{
	struct ordered *o;
	while ((o = LIST_FIRST(&u->ordered)) != NULL)
		ordered_free(o);
}
