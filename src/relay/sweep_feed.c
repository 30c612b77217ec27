/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outbox as sweep.c reads it: which messages were recalled, by hand or since their time was over, and show no files
 * any more. One transaction says that their files are to be looked at, forgets that the messages show them, and notes
 * how far the outbox is read. After an interruption the same rows are read again, and nothing is left to be done.
 *
 * Who deletes messages (retention_delete.c) does so itself in its own transaction.
 */
#include "core/base.h"
#include "relay/relay_priv.h"

#include <stdlib.h>

#include "core/clock.h"
#include "store/outbox_items.h"
#include "store/row.h"
#include "store/sql.h"

#define FEED_MS 1000
#define FAILED_MS 5000
/* Of a stream, looked at at a time; and those that are read, as they may tell of a recall. */
#define ROWS_LOOKED_AT 5000
#define ROWS_MAX 200
/* Recalls of one transaction; its last row may bring more. */
#define RECALLS_FULL 500
/* Ids in one list: from 1000 on MariaDB would make a table of it (in_predicate_conversion_threshold). */
#define IDS_MAX 500

void sweep_feed_fini(struct sweep_feed *f)
{
	free(f->recalled);
}

static void again(struct relay *r, int64_t delay_ms)
{
	r->sweep.feed.step = SWEEP_FEED_IDLE;
	r->sweep.feed.at_ms = clock_mono_ms() + delay_ms;
}

void sweep_feed_forget(struct relay *r)
{
	again(r, 0);
}

static void feed_failed(struct relay *r)
{
	again(r, FAILED_MS);
}

/* ---- reading ---- */

static void read_ask(struct relay *r, struct buf *text)
{
	struct sweep_feed *f = &r->sweep.feed;
	const struct stream *s = NULL;
	f->step = SWEEP_FEED_READING;
	f->cursors = 0;
	f->recalls = 0;
	f->full = false;
	while (f->cursors < SWEEP_STREAMS_MAX &&
	       (s = streams_next_unread(&r->streams, CONSUMER_FILES, s != NULL ? s->id : 0)) != NULL) {
		struct cursor *c = &f->cursor[f->cursors];
		uint64_t from = s->done_n[CONSUMER_FILES] < s->min_n ? s->min_n - 1 : s->done_n[CONSUMER_FILES];
		*c = (struct cursor){.stream = s->id, .n = from};
		/* All up to max_n have committed. */
		if (s->max_n - from > ROWS_LOOKED_AT) {
			f->to_n[f->cursors] = from + ROWS_LOOKED_AT;
			f->full = true;
		} else {
			f->to_n[f->cursors] = s->max_n;
		}
		f->rows[f->cursors] = 0;
		sql_lit(text, "SELECT n,items FROM outbox WHERE stream=");
		sql_u64(text, c->stream);
		sql_lit(text, " AND n BETWEEN ");
		sql_u64(text, from + 1);
		sql_lit(text, " AND ");
		sql_u64(text, f->to_n[f->cursors++]);
		/* An id may have that byte, too. */
		buf_printf(text, " AND LOCATE('%c',items) ORDER BY n LIMIT %d;", OUTBOX_RECALLED, ROWS_MAX);
	}
	sql_lit(text, "COMMIT");
}

static void add_recall(struct sweep_feed *f, uint64_t id)
{
	if (f->recalls == f->room) {
		f->room = f->room != 0 ? 2 * f->room : RECALLS_FULL;
		f->recalled = xrealloc(f->recalled, f->room * sizeof(*f->recalled));
	}
	f->recalled[f->recalls++] = id;
}

static void read_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct sweep_feed *f = &r->sweep.feed;
	struct outbox_item item;
	size_t at = 0;
	if (f->step != SWEEP_FEED_READING || stmt >= f->cursors)
		return;
	uint64_t n = row_take_u64(row);
	if (f->recalls >= RECALLS_FULL) {
		/* This one is read the next time. */
		if (f->to_n[stmt] >= n)
			f->to_n[stmt] = n - 1;
		f->full = true;
		return;
	}
	if (++f->rows[stmt] == ROWS_MAX) {
		f->to_n[stmt] = n;
		f->full = true;
	}
	struct str items = row_take_str(row);
	/* One that is malformed is told of by those who push. */
	while (outbox_next(items, &at, &item) == 1)
		if (item.kind == OUTBOX_RECALLED)
			add_recall(f, item.id);
}

static void read_done(struct relay *r)
{
	struct sweep_feed *f = &r->sweep.feed;
	if (f->step != SWEEP_FEED_READING)
		return;
	f->full |= f->cursors == SWEEP_STREAMS_MAX;
	for (unsigned i = 0; i < f->cursors; i++)
		f->cursor[i].n = f->to_n[i];
	f->step = SWEEP_FEED_NOTING;
}

static const struct relay_job read_job = {.name = "reading the outbox for files",
					  .ask = read_ask,
					  .row = read_row,
					  .done = read_done,
					  .failed = feed_failed};

/* ---- noting ---- */

static void put_ids(const struct sweep_feed *f, size_t from, struct buf *text)
{
	bool first = true;
	sql_lit(text, " WHERE message_id IN (");
	for (size_t i = from; i < f->recalls && i < from + IDS_MAX; i++) {
		sql_comma(text, &first);
		sql_u64(text, f->recalled[i]);
	}
	buf_append_char(text, ')');
}

static void note_ask(struct relay *r, struct buf *text)
{
	const struct sweep_feed *f = &r->sweep.feed;
	for (size_t i = 0; i < f->recalls; i += IDS_MAX) {
		/* In order of media_id, as others lock them. */
		sql_lit(text, "INSERT INTO media_idle (media_id,due_at) SELECT DISTINCT media_id,UTC_TIMESTAMP(3) FROM "
			      "media_uses FORCE INDEX (by_message)");
		put_ids(f, i, text);
		sql_lit(text, " ORDER BY media_id ON DUPLICATE KEY UPDATE "
			      "due_at=LEAST(media_idle.due_at,VALUES(due_at));DELETE u FROM media_uses u FORCE INDEX "
			      "(by_message)");
		put_ids(f, i, text);
		buf_append_char(text, ';');
	}
	relay_put_done(text, CONSUMER_FILES, f->cursor, f->cursors);
	sql_lit(text, ";COMMIT");
}

static void note_done(struct relay *r)
{
	struct sweep_feed *f = &r->sweep.feed;
	if (f->step != SWEEP_FEED_NOTING)
		return;
	relay_note_done(r, CONSUMER_FILES, f->cursor, f->cursors);
	if (f->recalls != 0)
		sweep_soon(r);
	again(r, f->full ? 0 : FEED_MS);
}

static const struct relay_job note_job = {
	.name = "noting which files to look at", .ask = note_ask, .done = note_done, .failed = feed_failed};

const struct relay_job *sweep_feed_due(struct relay *r, int64_t now_ms)
{
	const struct sweep_feed *f = &r->sweep.feed;
	switch (f->step) {
	case SWEEP_FEED_IDLE:
		return now_ms >= f->at_ms && streams_next_unread(&r->streams, CONSUMER_FILES, 0) != NULL ? &read_job
													 : NULL;
	case SWEEP_FEED_NOTING:
		return &note_job;
	case SWEEP_FEED_READING:
		break;
	}
	return NULL;
}
