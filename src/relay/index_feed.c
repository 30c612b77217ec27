/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outbox as the index reads it: which conversations have got messages with which another part of a block is
 * complete, and which messages were edited. All else in it is passed over. The rows of a stream are read in order, and
 * are noted as read when all that they say is done.
 *
 * Whatever search_edits notes is taken as well, for its rows of the outbox may be gone: deleted while search was off,
 * or when no relay had written the index for a day.
 */
#include "core/base.h"
#include "relay/index.h"

#include "core/clock.h"
#include "core/id.h"
#include "relay/relay_priv.h"
#include "store/outbox_items.h"
#include "store/row.h"
#include "store/sql.h"

/* Rows read at a time; and what is enough for one piece of work. */
#define ROWS_MAX 500
#define ITEMS_FULL 4096
/* Conversations with notes, read at a time. */
#define NOTED_MAX 500

bool index_feed_has_rows(const struct relay *r)
{
	return streams_next_unread(&r->streams, CONSUMER_SEARCH, 0) != NULL;
}

bool index_feed_goes_on(const struct relay *r)
{
	const struct index *x = &r->index;
	return x->items + x->edits < ITEMS_FULL && x->cursors < INDEX_CURSORS_MAX &&
	       streams_next_unread(&r->streams, CONSUMER_SEARCH, x->feed_after) != NULL;
}

/* ---- reading ---- */

void index_feed_begin(struct index *x)
{
	x->step = INDEX_FEEDING;
	x->walks = x->feed_full = false;
	x->feed_after = 0;
	x->cursors = 0;
	x->items = x->edits = 0;
}

enum { STMT_ROWS, STMT_NOTED };

static void feed_ask(struct relay *r, struct buf *text)
{
	struct index *x = &r->index;
	const struct stream *s = streams_next_unread(&r->streams, CONSUMER_SEARCH, x->feed_after);
	struct cursor *c = &x->cursor[x->cursors++];
	*c = (struct cursor){.stream = s->id, .n = s->done_n[CONSUMER_SEARCH]};
	x->feed_after = s->id;
	x->rows = 0;
	sql_lit(text, "SELECT n,items FROM outbox WHERE stream=");
	sql_u64(text, c->stream);
	sql_lit(text, " AND n>");
	sql_u64(text, c->n);
	sql_lit(text, " ORDER BY n LIMIT ");
	sql_u64(text, ROWS_MAX);
	if (x->cursors == 1)
		buf_printf(text,
			   ";SELECT DISTINCT conversation_id FROM search_edits WHERE conversation_id>0 ORDER BY "
			   "conversation_id LIMIT %d",
			   NOTED_MAX);
	sql_lit(text, ";COMMIT");
}

static void take_item(struct index *x, const struct outbox_item *item)
{
	uint64_t seq = message_id_seq(item->id);
	switch (item->kind) {
	case OUTBOX_SENT:
	case OUTBOX_IMPORTED:
	case OUTBOX_GROUP:
		if (seq % SEARCH_PART == SEARCH_PART - 1)
			index_add_item(x, message_id_conversation(item->id), seq);
		break;
	case OUTBOX_EDITED:
		index_add_item(x, message_id_conversation(item->id), 0);
		index_add_edit(x, item->id, 0);
		break;
	default:
		break;
	}
}

static void feed_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct index *x = &r->index;
	struct outbox_item item;
	size_t at = 0;
	if (x->step != INDEX_FEEDING)
		return;
	if (stmt == STMT_NOTED) {
		index_add_item(x, row_take_u64(row), 0);
		return;
	}
	x->cursor[x->cursors - 1].n = row_take_u64(row);
	x->rows++;
	struct str items = row_take_str(row);
	/* One that is malformed is told of by those who push. */
	while (outbox_next(items, &at, &item) == 1)
		take_item(x, &item);
}

void index_feed_end(struct relay *r)
{
	struct index *x = &r->index;
	x->feed_full |= streams_next_unread(&r->streams, CONSUMER_SEARCH, x->feed_after) != NULL;
	index_begin_work(x);
}

static void feed_done(struct relay *r)
{
	struct index *x = &r->index;
	if (x->step != INDEX_FEEDING)
		return;
	x->feed_full |= x->rows == ROWS_MAX;
	if (!index_feed_goes_on(r))
		index_feed_end(r);
	index_rest(r);
}

const struct relay_job index_feed_job = {.name = "reading the outbox for the search index",
					 .ask = feed_ask,
					 .row = feed_row,
					 .done = feed_done,
					 .failed = index_failed};

/* ---- noting what was read ---- */

static void note_ask(struct relay *r, struct buf *text)
{
	struct index *x = &r->index;
	index_put_guard(r, text, "");
	relay_put_done(text, CONSUMER_SEARCH, x->cursor, x->cursors);
	sql_lit(text, ";COMMIT");
}

static void note_done(struct relay *r)
{
	struct index *x = &r->index;
	relay_note_done(r, CONSUMER_SEARCH, x->cursor, x->cursors);
	x->feed_ms = clock_mono_ms() + (x->feed_full ? 0 : INDEX_FEED_MS);
	index_drop(r);
}

const struct relay_job index_note_feed_job = {
	.name = "noting what the search index has", .ask = note_ask, .done = note_done, .failed = index_failed};
