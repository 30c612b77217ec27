/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gathering when users were seen last. What a try could not write is noted again, and so goes with a later one; where
 * the database rejects it, with ever fewer others, until the row that is at fault is alone and dropped.
 */
#include "core/base.h"
#include "store/seen.h"

#include <event2/event.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/log.h"
#include "core/table.h"
#include "store/sql.h"

#define WRITE_AFTER_MS 500
/* After a failure: the database is away, or too slow for this. */
#define RETRY_AFTER_MS 5000
#define AT_ONCE_MAX 1024
/* While the database is away, no more than these are kept. */
#define KEPT_MAX 100000

/* When thousands log in at once, as many wait: every byte counts. */
struct sighting {
	int64_t at_ms : 56;
	uint64_t len : 8;
	char user[]; /* not terminated */
};
_Static_assert(USER_ID_MAX <= UINT8_MAX, "len holds it");

struct seen {
	struct txns *txns;
	struct event *due;
	struct table waiting;  /* struct sighting by user */
	uint32_t at;	       /* where the walk over it goes on: it comes to all */
	struct write *writing; /* NULL: none */
	unsigned at_once;      /* users of the next write, at most */
	bool failing;
};

struct write {
	struct txn txn;
	struct seen *seen; /* NULL: nobody waits for it any longer */
	size_t count;
	struct sighting **batch;
};

static struct str user_of(const void *sighting)
{
	const struct sighting *x = sighting;
	return (struct str){x->user, x->len};
}

static void write_later(struct seen *s, unsigned ms)
{
	const struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
	if (s->writing == NULL && !evtimer_pending(s->due, NULL))
		evtimer_add(s->due, &after);
}

void seen_note(struct seen *s, struct str user, int64_t at_ms)
{
	struct sighting *x = table_find(&s->waiting, user);
	if (x == NULL && s->waiting.count < KEPT_MAX && user.len <= USER_ID_MAX) {
		x = xcalloc(1, sizeof(*x) + user.len);
		x->len = user.len & UINT8_MAX;
		memcpy(x->user, user.s, user.len);
		table_add(&s->waiting, x);
	}
	if (x != NULL && x->at_ms < at_ms)
		x->at_ms = at_ms;
	write_later(s, WRITE_AFTER_MS);
}

size_t seen_pending(const struct seen *s)
{
	if (s->failing)
		return 0;
	return s->waiting.count + (s->writing != NULL ? s->writing->count : 0);
}

static void write_clear(struct write *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->batch[i]);
	free(w->batch);
	w->batch = NULL;
	w->count = 0;
}

/* ---- writing ---- */

static void write_ask(struct txn *t, struct buf *text)
{
	(void)t;
	(void)text;
}

static int by_user(const void *x, const void *y)
{
	const struct sighting *a = *(struct sighting *const *)x, *b = *(struct sighting *const *)y;
	size_t common = a->len < b->len ? a->len : b->len;
	int order = memcmp(a->user, b->user, common);
	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* In the same order everywhere, so that two writers never wait for each other. */
static void write_decide(struct txn *t, struct buf *text)
{
	const struct write *w = container_of(t, struct write, txn);
	if (w->seen == NULL)
		return;
	qsort(w->batch, w->count, sizeof(w->batch[0]), by_user);
	for (size_t i = 0; i < w->count; i++) {
		const struct sighting *x = w->batch[i];
		if (i != 0)
			buf_append_char(text, ';');
		sql_lit(text, "UPDATE users SET last_seen=");
		sql_time(text, x->at_ms);
		sql_lit(text, " WHERE id=");
		sql_str(text, user_of(x));
		sql_lit(text, " AND (last_seen IS NULL OR last_seen<");
		sql_time(text, x->at_ms);
		buf_append_char(text, ')');
	}
}

static void note_again(struct seen *s, const struct write *w)
{
	for (size_t i = 0; i < w->count; i++)
		seen_note(s, user_of(w->batch[i]), w->batch[i]->at_ms);
}

static void written(struct seen *s)
{
	s->failing = false;
	s->at_once = s->at_once * 2 < AT_ONCE_MAX ? s->at_once * 2 : AT_ONCE_MAX;
}

static void rejected(struct seen *s, const struct write *w)
{
	s->failing = false;
	s->at_once = w->count > 1 ? (unsigned)w->count / 2 : 1;
	if (w->count > 1)
		note_again(s, w);
	else
		log_warn_gated("database: last_seen of %.*s cannot be written", (int)w->batch[0]->len,
			       w->batch[0]->user);
}

static void write_answer(struct txn *t)
{
	struct write *w = container_of(t, struct write, txn);
	struct seen *s = w->seen;
	if (s != NULL) {
		if (t->status == STORE_OK) {
			written(s);
		} else if (t->rejected) {
			rejected(s, w);
		} else {
			s->failing = true;
			note_again(s, w);
		}
		s->writing = NULL;
		if (s->waiting.count != 0)
			write_later(s, s->failing ? RETRY_AFTER_MS : WRITE_AFTER_MS);
	}
	write_clear(w);
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
	size_t most = s->waiting.count < s->at_once ? s->waiting.count : s->at_once;
	w->batch = xmalloc(most * sizeof(w->batch[0]));
	while (w->count < most) {
		struct sighting *x = table_next(&s->waiting, &s->at);
		if (x == NULL) {
			s->at = 0;
			continue;
		}
		table_remove(&s->waiting, x);
		s->at--;
		w->batch[w->count++] = x;
	}
	if (s->waiting.count == 0)
		table_fini(&s->waiting); /* after many it is large */
	txn_submit(&w->txn);
}

struct seen *seen_new(struct event_base *base, struct txns *txns)
{
	struct seen *s = xcalloc(1, sizeof(*s));
	s->txns = txns;
	s->at_once = AT_ONCE_MAX;
	table_init(&s->waiting, user_of);
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
	uint32_t at = 0;
	struct sighting *x;
	while ((x = table_next(&s->waiting, &at)) != NULL)
		free(x);
	table_fini(&s->waiting);
	event_free(s->due);
	free(s);
	*seen = NULL;
}
