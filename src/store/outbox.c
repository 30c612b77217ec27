/* SPDX-License-Identifier: BSD-2-Clause */
/* A stream of the outbox, and what of it others were told. */
#include "core/base.h"
#include "store/outbox.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "store/sql.h"

#define ROWS_MIN 64

static void begin_stream(struct outbox *o)
{
	do
		/* The sign bit stays free, for those who read it with other tools. */
		o->stream = ((uint64_t)arc4random() << 32 | arc4random()) >> 1;
	while (o->stream == 0);
}

void outbox_init(struct outbox *o)
{
	*o = (struct outbox){.mask = ROWS_MIN - 1, .tried_ms = clock_mono_ms()};
	o->left = xcalloc(ROWS_MIN, sizeof(*o->left));
	begin_stream(o);
}

void outbox_fini(struct outbox *o)
{
	free(o->left);
	o->left = NULL;
}

/* ---- rows ---- */

/* What the old one has of rows after `done` is left to the relay. */
static void end_stream(struct outbox *o)
{
	if (o->done > o->saved) {
		o->old_stream = o->stream;
		o->old_n = o->done - o->base;
	}
	o->base = o->done = o->saved = o->last;
	o->in_doubt = false;
	begin_stream(o);
}

static void put_items(struct buf *text, struct str items, const char *first_id)
{
	if (first_id == NULL) {
		sql_bytes(text, items);
		return;
	}
	ASSERT(items.len >= 1 + 8);
	sql_lit(text, "CONCAT(");
	sql_bytes(text, (struct str){items.s, 1});
	buf_printf(text, ",UNHEX(LPAD(HEX(%s),16,'0')),", first_id);
	sql_bytes(text, (struct str){items.s + 1 + 8, items.len - 1 - 8});
	buf_append_char(text, ')');
}

static void put_columns(struct outbox *o, struct buf *text)
{
	sql_u64(text, o->stream);
	buf_append_char(text, ',');
	sql_u64(text, o->last + 1 - o->base);
	sql_lit(text, ",UTC_TIMESTAMP(3),");
}

static void begin_row(struct outbox *o, struct buf *text)
{
	if (o->in_doubt || o->last - o->done >= OUTBOX_ROWS_MAX)
		end_stream(o);
	sql_lit(text, "INSERT INTO outbox (stream,n,at,items) ");
}

void outbox_put_row(struct outbox *o, struct buf *text, struct str items, const char *first_id)
{
	begin_row(o, text);
	sql_lit(text, "VALUES (");
	put_columns(o, text);
	put_items(text, items, first_id);
	buf_append_char(text, ')');
}

void outbox_put_row_from(struct outbox *o, struct buf *text, struct str items, struct str from)
{
	begin_row(o, text);
	sql_lit(text, "SELECT ");
	put_columns(o, text);
	put_items(text, items, NULL);
	sql_lit(text, " FROM ");
	buf_append_str(text, from);
}

/* Twice as many. */
static void grow(struct outbox *o)
{
	size_t size = o->mask + 1;
	uint16_t *left = xcalloc(2 * size, sizeof(*left));
	for (uint64_t row = o->done + 1; row <= o->last; row++)
		left[row & (2 * size - 1)] = o->left[row & o->mask];
	free(o->left);
	o->left = left;
	o->mask = 2 * size - 1;
}

static void move_done(struct outbox *o)
{
	while (o->done < o->last && o->left[(o->done + 1) & o->mask] == 0)
		o->done++;
}

uint64_t outbox_committed(struct outbox *o, unsigned answers)
{
	ASSERT(answers <= UINT16_MAX);
	if (o->last - o->done > o->mask)
		grow(o);
	o->last++;
	o->left[o->last & o->mask] = (uint16_t)answers;
	move_done(o);
	return o->last;
}

bool outbox_waits(const struct outbox *o, uint64_t row)
{
	return row > o->done && row <= o->last;
}

void outbox_told(struct outbox *o, uint64_t row, unsigned count)
{
	if (!outbox_waits(o, row))
		return;
	uint16_t *left = &o->left[row & o->mask];
	ASSERT(count <= *left);
	*left = (uint16_t)(*left - count);
	move_done(o);
}

void outbox_told_up_to(struct outbox *o, uint64_t row)
{
	if (outbox_waits(o, row))
		o->done = row;
	move_done(o);
}

void outbox_doubt(struct outbox *o)
{
	o->in_doubt = true;
}

/* ---- what is noted ---- */

bool outbox_has_news(const struct outbox *o)
{
	return o->done > o->saved || o->old_n != 0;
}

bool outbox_is_due(const struct outbox *o)
{
	return outbox_has_news(o) && (uint64_t)(clock_mono_ms() - o->tried_ms) >= OUTBOX_SAVE_MS;
}

static void put_done(struct buf *text, uint64_t stream, uint64_t n)
{
	sql_lit(text, "('push',");
	sql_u64(text, stream);
	buf_append_char(text, ',');
	sql_u64(text, n);
	sql_lit(text, ",UTC_TIMESTAMP(3))");
}

void outbox_put_done(struct outbox *o, struct buf *text)
{
	bool both = o->old_n != 0 && o->done > o->saved;
	o->saving = o->done;
	o->saving_old = o->old_n != 0 ? o->old_stream : 0;
	o->tried_ms = clock_mono_ms();
	sql_lit(text, "INSERT INTO outbox_done (consumer,stream,n,at) VALUES ");
	if (o->old_n != 0)
		put_done(text, o->old_stream, o->old_n);
	if (both)
		buf_append_char(text, ',');
	if (o->done > o->saved)
		put_done(text, o->stream, o->done - o->base);
	sql_lit(text, " ON DUPLICATE KEY UPDATE n=GREATEST(n,VALUES(n)),at=VALUES(at)");
}

void outbox_saved(struct outbox *o)
{
	if (o->saving_old == o->old_stream)
		o->old_n = 0;
	if (o->saving > o->saved)
		o->saved = o->saving;
}
