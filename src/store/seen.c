/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gathering when users were seen last. What a try could not write is noted again, and so goes with a later one; where
 * the database rejects it, with ever fewer others, until the row that is at fault is alone and dropped.
 */
#include "core/base.h"
#include "store/seen.h"

#include <event2/event.h>
#include <stdlib.h>
#include <uthash.h>

#include "core/id.h"
#include "core/log.h"
#include "store/sql.h"

#define WRITE_AFTER_MS 500
/* After a failure: the database is away, or too slow for this. */
#define RETRY_AFTER_MS 5000
#define AT_ONCE_MAX 1024
/* With so many waiting they are written now: when many log in at once, they would take memory. */
#define ENOUGH (AT_ONCE_MAX / 2)
/* While the database is away, no more than these are kept. */
#define KEPT_MAX 100000

struct sighting {
	UT_hash_handle hh;
	int64_t at_ms;
	size_t len;
	char user[];
};

struct seen {
	struct txns *txns;
	struct event *due;
	struct sighting *waiting; /* by user, in order of arrival */
	struct write *writing;	  /* NULL: none */
	unsigned at_once;	  /* users of the next write, at most */
	bool failing;
};

struct write {
	struct txn txn;
	struct seen *seen; /* NULL: nobody waits for it any longer */
	struct sighting *batch;
};

static unsigned patience_ms(const struct seen *s)
{
	return s->at_once == AT_ONCE_MAX && HASH_COUNT(s->waiting) >= ENOUGH ? 0 : WRITE_AFTER_MS;
}

static void write_later(struct seen *s, unsigned ms)
{
	const struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
	bool is_earlier = ms == 0 && !s->failing;
	if (s->writing == NULL && (is_earlier || !evtimer_pending(s->due, NULL)))
		evtimer_add(s->due, &after);
}

void seen_note(struct seen *s, struct str user, int64_t at_ms)
{
	struct sighting *x;
	HASH_FIND(hh, s->waiting, user.s, (unsigned)user.len, x);
	if (x == NULL && HASH_COUNT(s->waiting) < KEPT_MAX && user.len <= USER_ID_MAX) {
		x = xcalloc(1, sizeof(*x) + user.len);
		x->len = user.len;
		memcpy(x->user, user.s, user.len);
		HASH_ADD_KEYPTR(hh, s->waiting, x->user, (unsigned)x->len, x);
	}
	if (x != NULL && x->at_ms < at_ms)
		x->at_ms = at_ms;
	write_later(s, patience_ms(s));
}

size_t seen_pending(const struct seen *s)
{
	if (s->failing)
		return 0;
	return HASH_COUNT(s->waiting) + (s->writing != NULL ? HASH_COUNT(s->writing->batch) : 0);
}

static void clear(struct sighting **all)
{
	struct sighting *x, *next;
	HASH_ITER (hh, *all, x, next) {
		HASH_DEL(*all, x);
		free(x);
	}
}

/* ---- writing ---- */

static void write_ask(struct txn *t, struct buf *text)
{
	(void)t;
	(void)text;
}

static int by_user(struct sighting *a, struct sighting *b)
{
	size_t common = a->len < b->len ? a->len : b->len;
	int order = memcmp(a->user, b->user, common);
	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static void put_updates(struct buf *text, struct sighting *batch)
{
	bool first = true;
	for (const struct sighting *x = batch; x != NULL; x = x->hh.next) {
		if (!first)
			buf_append_char(text, ';');
		first = false;
		sql_lit(text, "UPDATE users SET last_seen=");
		sql_time(text, x->at_ms);
		sql_lit(text, " WHERE id=");
		sql_str(text, (struct str){x->user, x->len});
		sql_lit(text, " AND (last_seen IS NULL OR last_seen<");
		sql_time(text, x->at_ms);
		buf_append_char(text, ')');
	}
}

/* In the same order everywhere, so that two writers never wait for each other. */
static void write_decide(struct txn *t, struct buf *text)
{
	struct write *w = container_of(t, struct write, txn);
	if (w->seen == NULL)
		return;
	HASH_SRT(hh, w->batch, by_user);
	put_updates(text, w->batch);
}

static void note_again(struct seen *s, const struct sighting *batch)
{
	for (const struct sighting *x = batch; x != NULL; x = x->hh.next)
		seen_note(s, (struct str){x->user, x->len}, x->at_ms);
}

static void written(struct seen *s)
{
	s->failing = false;
	s->at_once = s->at_once * 2 < AT_ONCE_MAX ? s->at_once * 2 : AT_ONCE_MAX;
}

static void rejected(struct seen *s, const struct sighting *batch)
{
	unsigned count = HASH_COUNT(batch);
	s->failing = false;
	s->at_once = count > 1 ? count / 2 : 1;
	if (count > 1)
		note_again(s, batch);
	else
		log_warn_gated("database: last_seen of %.*s cannot be written", (int)batch->len, batch->user);
}

static void write_answer(struct txn *t)
{
	struct write *w = container_of(t, struct write, txn);
	struct seen *s = w->seen;
	if (s != NULL) {
		if (t->status == STORE_OK) {
			written(s);
		} else if (t->rejected) {
			rejected(s, w->batch);
		} else {
			s->failing = true;
			note_again(s, w->batch);
		}
		s->writing = NULL;
		if (s->waiting != NULL)
			write_later(s, s->failing ? RETRY_AFTER_MS : patience_ms(s));
	}
	clear(&w->batch);
}

static const struct txn_class write_class = {
	.name = "last seen", .ask = write_ask, .decide = write_decide, .answer = write_answer};

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct seen *s = arg;
	(void)fd;
	(void)what;
	struct write *w = txn_new(s->txns, &write_class, STR_NULL, sizeof(*w));
	w->seen = s;
	s->writing = w;
	struct sighting *x, *next;
	HASH_ITER (hh, s->waiting, x, next) {
		if (HASH_COUNT(w->batch) == s->at_once)
			break;
		HASH_DEL(s->waiting, x);
		HASH_ADD_KEYPTR(hh, w->batch, x->user, (unsigned)x->len, x);
	}
	txn_submit(&w->txn);
}

struct seen *seen_new(struct event_base *base, struct txns *txns)
{
	struct seen *s = xcalloc(1, sizeof(*s));
	s->txns = txns;
	s->at_once = AT_ONCE_MAX;
	s->due = evtimer_new(base, on_due, s);
	ASSERT(s->due != NULL);
	return s;
}

void seen_free(struct seen **seen)
{
	struct seen *s = *seen;
	if (s == NULL)
		return;
	if (s->writing != NULL)
		s->writing->seen = NULL;
	clear(&s->waiting);
	event_free(s->due);
	free(s);
	*seen = NULL;
}
