/* SPDX-License-Identifier: BSD-2-Clause */
/* Holds back what is ahead of its turn, and drops what comes too late for it. */
#include "core/base.h"
#include "live/feed.h"

#include "core/clock.h"
#include "live/push.h"
#include "live/session.h"

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
	void *note;
	char except[SESSION_ID_LEN + 1]; /* an id: the session itself may be gone by then */
};

struct feed_key {
	void *who;
	uint64_t conversation_id;
};

struct feed {
	UT_hash_handle hh;
	struct feed_key key;
	LIST_ENTRY(feed) of_owner;
	struct live *live;
	const struct feed_kind *kind;
	uint64_t last_seq;  /* the next message is the one after it */
	uint64_t given_seq; /* the highest that was given; 0: none */
	uint64_t told_seq;  /* up to here the sessions are told to catch up with what they were not given */
	bool presumed; /* last_seq is only before the earliest that came, and after given_seq; ANY_SEQ: none came */
	int64_t used_ms;
	TAILQ_HEAD(held_list, held) held; /* by seq; a change comes behind its message */
	unsigned held_count;
	struct wheel_timer timer; /* patience while something is held, else memory */
};

static void message_given(struct feed *f, uint64_t seq)
{
	f->presumed = false;
	f->last_seq = f->given_seq = seq;
}

static void give(struct feed *f, const struct held *h)
{
	struct feed_item item = {h->seq, h->is_message, h->frame, h->except[0] != '\0' ? h->except : NULL, h->note};
	f->kind->give(f->key.who, &item);
	if (h->is_message)
		message_given(f, h->seq);
}

static void held_free(struct feed *f, struct held *h)
{
	TAILQ_REMOVE(&f->held, h, entry);
	f->held_count--;
	ws_frame_unref(h->frame);
	free(h->note);
	free(h);
}

/* What the sessions were not given so far they have to ask for. */
static void tell_missing(struct feed *f)
{
	f->told_seq = f->given_seq;
	f->kind->missing(f->key.who);
}

/* Gives what is next; with force also what is behind a gap, which is given up. */
static void release(struct feed *f, bool force)
{
	struct held *h;
	bool missing = false;
	while ((h = TAILQ_FIRST(&f->held)) != NULL) {
		uint64_t next = h->is_message ? f->last_seq + 1 : f->last_seq;
		if (!force && h->seq > next)
			break;
		/* First, for what is missing may tell who is not to be given what comes after it. */
		if (h->seq > next && !missing)
			f->kind->missing(f->key.who);
		missing = missing || h->seq > next;
		give(f, h);
		held_free(f, h);
	}
	if (missing)
		f->told_seq = f->given_seq;
}

static void feed_free(struct feed *f)
{
	struct live *live = f->live;
	struct held *h;
	while ((h = TAILQ_FIRST(&f->held)) != NULL)
		held_free(f, h);
	wheel_cancel(&f->timer);
	LIST_REMOVE(f, of_owner);
	HASH_DEL(live->feeds, f);
	free(f);
}

static void on_timer(struct wheel_timer *t)
{
	struct feed *f = container_of(t, struct feed, timer);
	release(f, true);
	int64_t left_ms = f->used_ms + FEED_MEMORY_MS - clock_mono_ms();
	if (left_ms <= 0)
		feed_free(f);
	else
		wheel_set(loop_wheel(f->live->loop), t, left_ms, on_timer);
}

/*
 * The message before this one was published while they listened, and so lately that it may still come. The gap is by
 * the database's clock; where that was set back it is 0, and the message is held for FEED_PATIENCE_MS at worst.
 */
static bool may_follow(const struct feed *f, int64_t gap_ms)
{
	return gap_ms < FEED_PATIENCE_MS && f->kind->listens_since(f->key.who, gap_ms);
}

static struct feed *feed_get(struct live *live, const struct feed_owner *owner, const struct push_place *place)
{
	struct feed_key key;
	struct feed *f;
	memset(&key, 0, sizeof(key));
	key.who = owner->who;
	key.conversation_id = message_id_conversation(place->message_id);
	HASH_FIND(hh, live->feeds, &key, sizeof(key), f);
	if (f != NULL || place->kind != BUS_MESSAGE)
		return f;
	f = xcalloc(1, sizeof(*f));
	f->live = live;
	f->kind = owner->kind;
	f->key = key;
	f->last_seq = ANY_SEQ;
	f->presumed = true;
	TAILQ_INIT(&f->held);
	LIST_INSERT_HEAD(owner->feeds, f, of_owner);
	HASH_ADD(hh, live->feeds, key, sizeof(f->key), f);
	wheel_set(loop_wheel(live->loop), &f->timer, FEED_MEMORY_MS, on_timer);
	return f;
}

/* Takes the note. */
static void hold(struct feed *f, const struct feed_item *item, void *note)
{
	struct held *h = xcalloc(1, sizeof(*h)), *before;
	uint64_t seq = h->seq = item->seq;
	bool is_message = h->is_message = item->is_message;
	h->frame = ws_frame_ref(item->frame);
	h->note = note;
	if (item->except_id != NULL)
		memcpy(h->except, item->except_id, sizeof(h->except));
	if (f->held_count++ == 0)
		wheel_set(loop_wheel(f->live->loop), &f->timer, FEED_PATIENCE_MS, on_timer);
	TAILQ_FOREACH_REVERSE(before, &f->held, held_list, entry)
	if (before->seq < seq || (before->seq == seq && !is_message))
		break;
	if (before != NULL)
		TAILQ_INSERT_AFTER(&f->held, before, h, entry);
	else
		TAILQ_INSERT_HEAD(&f->held, h, entry);
	if (f->held_count > HELD_MAX)
		release(f, true);
}

/* Where it is not known which message is the next, each that comes tells, until one is given. */
static void presume(struct feed *f, uint64_t seq, int64_t gap_ms)
{
	bool is_first = seq <= 1 || (f->kind->is_past != NULL && f->kind->is_past(f->key.who, seq - 1));
	uint64_t before = !is_first && may_follow(f, gap_ms) ? seq - 2 : seq - 1;
	if (before < f->given_seq)
		before = f->given_seq;
	if (before < f->last_seq)
		f->last_seq = before;
}

/* Out of its turn nobody is given it: those who are told to catch up find it in the database. */
static void drop_late(struct feed *f, const struct feed_item *item)
{
	if (f->kind->too_late != NULL)
		f->kind->too_late(f->key.who, item);
	if (item->seq > f->told_seq)
		tell_missing(f);
}

void feed_deliver(struct live *live, const struct feed_owner *owner, const struct push_place *place,
		  struct ws_frame *frame, const struct session *except, void *note)
{
	char id[SESSION_ID_LEN + 1];
	struct feed *f = feed_get(live, owner, place);
	struct feed_item item = {message_id_seq(place->message_id), place->kind == BUS_MESSAGE, frame,
				 session_id(except, id), note};
	if (f != NULL)
		f->used_ms = clock_mono_ms();
	if (f != NULL && item.is_message && item.seq <= f->given_seq) {
		drop_late(f, &item);
		free(note);
		return;
	}
	if (f != NULL && item.is_message && f->presumed)
		presume(f, item.seq, place->gap_ms);
	if (f != NULL && bus_is_up(live->bus) && item.seq > f->last_seq &&
	    !(item.is_message && item.seq == f->last_seq + 1)) {
		hold(f, &item, note);
		return;
	}
	owner->kind->give(owner->who, &item);
	free(note);
	if (f != NULL && item.is_message) {
		message_given(f, item.seq);
		release(f, false);
	}
}

bool feed_holds(const struct feed_list *feeds, uint64_t seq)
{
	const struct feed *f;
	const struct held *h;
	LIST_FOREACH (f, feeds, of_owner)
		TAILQ_FOREACH (h, &f->held, entry)
			if (h->is_message && h->seq == seq)
				return true;
	return false;
}

void feed_release_all(struct live *live)
{
	struct feed *f, *next;
	HASH_ITER (hh, live->feeds, f, next) {
		release(f, true);
		f->presumed = true;
		f->last_seq = ANY_SEQ;
	}
}

void feed_forget(struct feed_list *feeds)
{
	struct feed *f;
	while ((f = LIST_FIRST(feeds)) != NULL)
		feed_free(f);
}
