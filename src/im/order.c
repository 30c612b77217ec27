/* SPDX-License-Identifier: BSD-2-Clause */
/* Holds back what is ahead of its turn. */
#include "core/base.h"
#include "im/order.h"

#include "core/clock.h"
#include "im/push.h"

#include <stdlib.h>
#include <uthash.h>

/* Messages held back for a conversation before a gap is skipped. */
#define HELD_MAX 128

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
	struct im *im;
	uint64_t last_seq;
	bool presumed; /* no message was given yet: last_seq is before the earliest that came */
	int64_t used_ms;
	TAILQ_HEAD(held_list, held) held; /* by seq; a change stands behind its message */
	unsigned held_count;
	struct wheel_timer timer; /* patience while something is held, else memory */
};

static void give(struct ordered *o, const struct held *h)
{
	push_deliver(o->key.user, h->frame, h->except[0] != '\0' ? h->except : NULL);
	if (h->is_message) {
		o->presumed = false;
		if (h->seq > o->last_seq)
			o->last_seq = h->seq;
	}
}

static void held_free(struct ordered *o, struct held *h)
{
	TAILQ_REMOVE(&o->held, h, entry);
	o->held_count--;
	ws_frame_unref(h->frame);
	free(h);
}

/* Gives what is next; with force also what is behind a gap. */
static void release(struct ordered *o, bool force)
{
	struct held *h;
	while ((h = TAILQ_FIRST(&o->held)) != NULL) {
		uint64_t next = h->is_message ? o->last_seq + 1 : o->last_seq;
		if (!force && h->seq > next)
			break;
		give(o, h);
		held_free(o, h);
	}
}

static void ordered_free(struct ordered *o)
{
	struct im *im = o->im;
	struct held *h;
	while ((h = TAILQ_FIRST(&o->held)) != NULL)
		held_free(o, h);
	wheel_cancel(&o->timer);
	LIST_REMOVE(o, of_user);
	HASH_DEL(im->ordered, o);
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
		wheel_set(loop_wheel(o->im->loop), t, left_ms, on_timer);
}

/*
 * The message before this one was sent while the user was here, and so lately that it may still come. The gap is by the
 * database's clock; where that was set back it is 0, and the message is held for ORDER_PATIENCE_MS at worst.
 */
static bool may_follow(const struct user *u, int64_t gap_ms)
{
	const struct session *s;
	if (gap_ms >= ORDER_PATIENCE_MS)
		return false;
	uint32_t now_ms = (uint32_t)clock_mono_ms();
	LIST_FOREACH (s, &u->sessions, of_user)
		if (now_ms - s->begun_ms >= (uint32_t)gap_ms)
			return true;
	return false;
}

static struct ordered *ordered_get(struct im *im, struct user *u, const struct push_place *place)
{
	struct order_key key;
	struct ordered *o;
	memset(&key, 0, sizeof(key));
	key.user = u;
	key.conversation_id = message_id_conversation(place->message_id);
	HASH_FIND(hh, im->ordered, &key, sizeof(key), o);
	if (o != NULL || place->kind != BUS_MESSAGE)
		return o;
	uint64_t seq = message_id_seq(place->message_id);
	o = xcalloc(1, sizeof(*o));
	o->im = im;
	o->key = key;
	o->last_seq = seq;
	o->presumed = true;
	TAILQ_INIT(&o->held);
	LIST_INSERT_HEAD(&u->ordered, o, of_user);
	HASH_ADD(hh, im->ordered, key, sizeof(o->key), o);
	wheel_set(loop_wheel(im->loop), &o->timer, ORDER_MEMORY_MS, on_timer);
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
		wheel_set(loop_wheel(o->im->loop), &o->timer, ORDER_PATIENCE_MS, on_timer);
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

void order_deliver(struct im *im, struct user *u, const struct push_place *place, struct ws_frame *frame,
		   const struct session *except)
{
	struct ordered *o = ordered_get(im, u, place);
	uint64_t seq = message_id_seq(place->message_id);
	bool is_message = place->kind == BUS_MESSAGE;
	if (o == NULL) {
		push_deliver(u, frame, except != NULL ? except->id : NULL);
		return;
	}
	o->used_ms = clock_mono_ms();
	if (is_message && o->presumed) {
		uint64_t before = seq > 1 && may_follow(u, place->gap_ms) ? seq - 2 : seq - 1;
		if (before < o->last_seq)
			o->last_seq = before;
	}
	/* A late one, given up for lost before, is better late than never. */
	if (bus_is_up(im->bus) && seq > o->last_seq && !(is_message && seq == o->last_seq + 1)) {
		hold(o, seq, is_message, frame, except);
		return;
	}
	push_deliver(u, frame, except != NULL ? except->id : NULL);
	if (is_message && seq > o->last_seq) {
		o->presumed = false;
		o->last_seq = seq;
		release(o, false);
	}
}

void order_release_all(struct im *im)
{
	struct ordered *o, *next;
	HASH_ITER (hh, im->ordered, o, next) {
		release(o, true);
		ordered_free(o);
	}
}

void order_forget(struct user *u)
{
	struct ordered *o;
	while ((o = LIST_FIRST(&u->ordered)) != NULL)
		ordered_free(o);
}
