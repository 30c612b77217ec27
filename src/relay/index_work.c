/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Covering conversations: how far each is covered is asked, and which of its messages were edited; then blocks are read
 * and written, a few at a time, until all is done. A block is always made of all its messages.
 *
 * An edit is forgotten with the write of a block whose messages were read after it was seen there; one that comes in
 * between has another change_seq, and stays.
 */
#include "core/base.h"
#include "relay/index.h"

#include <stdlib.h>

#include "core/id.h"
#include "relay/relay_priv.h"
#include "store/row.h"
#include "store/search.h"
#include "store/sql.h"

#define ROOM_MIN 256
/* Conversations that are asked about at a time, and edits that are taken then. */
#define HEADS_MAX 500
#define EDITS_MAX 2000

/* ---- what there is to do ---- */

void index_add_item(struct index *x, uint64_t conversation_id, uint64_t up_to)
{
	/* Up to the end of a part. */
	up_to = (up_to + 1) / SEARCH_PART * SEARCH_PART;
	up_to = up_to != 0 ? up_to - 1 : 0;
	if (x->walks && up_to == 0)
		return;
	if (x->items != 0 && x->item[x->items - 1].conversation_id == conversation_id) {
		struct index_item *last = &x->item[x->items - 1];
		last->up_to = up_to > last->up_to ? up_to : last->up_to;
		return;
	}
	if (x->items == x->item_room) {
		x->item_room = x->item_room != 0 ? 2 * x->item_room : ROOM_MIN;
		x->item = xrealloc(x->item, x->item_room * sizeof(*x->item));
	}
	x->item[x->items++] = (struct index_item){.conversation_id = conversation_id, .up_to = up_to};
}

void index_add_edit(struct index *x, uint64_t id, uint64_t change_seq)
{
	if (x->edits == x->edit_room) {
		x->edit_room = x->edit_room != 0 ? 2 * x->edit_room : ROOM_MIN;
		x->edit = xrealloc(x->edit, x->edit_room * sizeof(*x->edit));
	}
	x->edit[x->edits++] = (struct index_edit){.id = id, .change_seq = change_seq};
}

static int by_conversation(const void *a, const void *b)
{
	const struct index_item *x = a, *y = b;
	if (x->conversation_id != y->conversation_id)
		return x->conversation_id < y->conversation_id ? -1 : 1;
	/* The one that goes further comes first, and stays. */
	return x->up_to > y->up_to ? -1 : x->up_to < y->up_to;
}

static int by_message(const void *a, const void *b)
{
	const struct index_edit *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

void index_begin_work(struct index *x)
{
	size_t kept = 0;
	if (x->items != 0)
		qsort(x->item, x->items, sizeof(*x->item), by_conversation);
	for (size_t i = 0; i < x->items; i++)
		if (kept == 0 || x->item[kept - 1].conversation_id != x->item[i].conversation_id)
			x->item[kept++] = x->item[i];
	x->items = kept;
	x->item_at = x->item_end = 0;
	x->blocks = 0;
	x->step = kept != 0 ? INDEX_HEADS : INDEX_NOTING;
}

/* ---- which blocks are next ---- */

static void add_block(struct index *x, const struct index_item *item, uint64_t block, uint64_t last_seq, bool is_next)
{
	uint64_t begin = block << SEARCH_BLOCK_BITS, end = begin + SEARCH_BLOCK - 1;
	end = last_seq < end ? last_seq : end;
	x->messages += end - begin + 1;
	x->block[x->blocks++] = (struct index_block){
		.conversation_id = item->conversation_id,
		.block = block,
		.last_seq = end,
		.is_next = is_next,
	};
}

static bool is_full(const struct index *x)
{
	return x->blocks == INDEX_BLOCKS_MAX || x->messages >= INDEX_MESSAGES_MAX;
}

/* Those of its blocks that were edited, as far as filters cover them and will not be made anew all the same. */
static void take_edits(struct index *x, const struct index_item *item)
{
	uint64_t next = (item->covered + 1) >> SEARCH_BLOCK_BITS, block = UINT64_MAX;
	for (; x->edit_at < x->edits && !is_full(x); x->edit_at++) {
		uint64_t id = x->edit[x->edit_at].id, seq = message_id_seq(id);
		if (message_id_conversation(id) > item->conversation_id)
			return;
		bool is_made = item->up_to > item->covered && seq >> SEARCH_BLOCK_BITS >= next;
		if (message_id_conversation(id) < item->conversation_id || seq > item->covered || is_made ||
		    seq >> SEARCH_BLOCK_BITS == block)
			continue;
		block = seq >> SEARCH_BLOCK_BITS;
		add_block(x, item, block, item->covered, false);
	}
}

static bool has_edits(const struct index *x, const struct index_item *item)
{
	return x->edit_at < x->edits && message_id_conversation(x->edit[x->edit_at].id) <= item->conversation_id;
}

static void take_blocks(struct index *x, const struct index_item *item)
{
	if (x->next_block == UINT64_MAX)
		x->next_block = (item->covered + 1) >> SEARCH_BLOCK_BITS;
	while (item->up_to > item->covered && x->next_block <= item->up_to >> SEARCH_BLOCK_BITS && !is_full(x))
		add_block(x, item, x->next_block++, item->up_to, true);
}

static bool has_blocks(const struct index *x, const struct index_item *item)
{
	return item->up_to > item->covered && x->next_block <= item->up_to >> SEARCH_BLOCK_BITS;
}

/* Sets the step. */
static void next_blocks(struct index *x)
{
	x->blocks = 0;
	x->messages = 0;
	while (x->item_at < x->item_end && !is_full(x)) {
		const struct index_item *item = &x->item[x->item_at];
		take_edits(x, item);
		if (!has_edits(x, item))
			take_blocks(x, item);
		if (has_edits(x, item) || has_blocks(x, item))
			break;
		x->item_at++;
		x->next_block = UINT64_MAX;
	}
	if (x->blocks != 0)
		x->step = INDEX_READING;
	else
		x->step = x->item_at < x->items ? INDEX_HEADS : INDEX_NOTING;
}

/* ---- how far they are ---- */

enum { STMT_HEADS, STMT_EDITS };

static void put_ids(struct index *x, struct buf *text)
{
	bool first = true;
	for (size_t i = x->item_at; i < x->item_end; i++) {
		sql_comma(text, &first);
		sql_u64(text, x->item[i].conversation_id);
	}
}

static void heads_ask(struct relay *r, struct buf *text)
{
	struct index *x = &r->index;
	size_t kept = 0;
	x->item_end = x->items - x->item_at < HEADS_MAX ? x->items : x->item_at + HEADS_MAX;
	for (size_t i = 0; i < x->edits; i++)
		if (x->edit[i].change_seq == 0)
			x->edit[kept++] = x->edit[i];
	x->edits = kept;
	for (size_t i = x->item_at; i < x->item_end; i++)
		x->item[i].covered = 0;
	sql_lit(text, "SELECT conversation_id,covered_seq FROM search_heads WHERE conversation_id IN (");
	put_ids(x, text);
	sql_lit(text, ") AND generation=");
	sql_u64(text, x->generation);
	sql_lit(text, ";SELECT conversation_id,seq,change_seq FROM search_edits FORCE INDEX (PRIMARY) WHERE "
		      "conversation_id IN (");
	put_ids(x, text);
	sql_lit(text, ") LIMIT ");
	sql_u64(text, EDITS_MAX);
	sql_lit(text, ";COMMIT");
}

static struct index_item *find_item(struct index *x, uint64_t conversation_id)
{
	const struct index_item key = {.conversation_id = conversation_id, .up_to = UINT64_MAX};
	size_t low = x->item_at, high = x->item_end;
	while (low < high) {
		size_t at = low + (high - low) / 2;
		if (by_conversation(&x->item[at], &key) < 0)
			low = at + 1;
		else
			high = at;
	}
	return low < x->item_end && x->item[low].conversation_id == conversation_id ? &x->item[low] : NULL;
}

static void heads_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct index *x = &r->index;
	uint64_t conversation_id = row_take_u64(row), seq = row_take_u64(row);
	struct index_item *item = find_item(x, conversation_id);
	if (stmt == STMT_EDITS)
		index_add_edit(x, message_id_make(conversation_id, seq), row_take_u64(row));
	else if (item != NULL)
		item->covered = seq;
}

/* What no filter covers needs no note: it will be covered as it is then. */
static bool find_loose(struct index *x)
{
	bool any = false;
	for (size_t i = 0; i < x->edits; i++) {
		struct index_edit *e = &x->edit[i];
		const struct index_item *item = find_item(x, message_id_conversation(e->id));
		uint64_t seq = message_id_seq(e->id);
		e->is_loose = e->change_seq != 0 && item != NULL && seq > item->covered && seq > item->up_to;
		any |= e->is_loose;
	}
	return any;
}

static void heads_done(struct relay *r)
{
	struct index *x = &r->index;
	if (x->step != INDEX_HEADS)
		return;
	if (x->edits != 0)
		qsort(x->edit, x->edits, sizeof(*x->edit), by_message);
	x->edit_at = 0;
	x->next_block = UINT64_MAX;
	if (find_loose(x))
		x->step = INDEX_WRITING;
	else
		next_blocks(x);
	index_rest(r);
}

const struct relay_job index_heads_job = {.name = "asking how far the search index is",
					  .ask = heads_ask,
					  .row = heads_row,
					  .done = heads_done,
					  .failed = index_failed};

/* ---- reading them ---- */

static void read_ask(struct relay *r, struct buf *text)
{
	struct index *x = &r->index;
	sql_lit(text,
		"SELECT m.id,m.message_type,m.content,m.media_url,m.extra,m.created_at FROM messages m FORCE INDEX "
		"(PRIMARY) WHERE ");
	for (unsigned i = 0; i < x->blocks; i++) {
		const struct index_block *b = &x->block[i];
		buf_append_str(text, i != 0 ? STR_LIT(" OR m.id BETWEEN ") : STR_LIT("m.id BETWEEN "));
		sql_u64(text, message_id_make(b->conversation_id, b->block << SEARCH_BLOCK_BITS));
		sql_lit(text, " AND ");
		sql_u64(text, message_id_make(b->conversation_id, b->last_seq));
	}
	sql_lit(text, " ORDER BY m.id;COMMIT");
	x->reading = 0;
	/* What a read that was broken off has left. */
	x->backend->gather_put(x->gathered, &x->filters);
	buf_clear(&x->filters);
}

static void end_block(struct index *x)
{
	struct index_block *b = &x->block[x->reading++];
	b->at = x->filters.len;
	x->backend->gather_put(x->gathered, &x->filters);
	b->len = x->filters.len - b->at;
}

static bool is_in_block(const struct index_block *b, uint64_t id)
{
	return message_id_conversation(id) == b->conversation_id && message_id_seq(id) >> SEARCH_BLOCK_BITS == b->block;
}

static void read_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct index *x = &r->index;
	(void)stmt;
	struct message m = {.id = row_take_u64(row)};
	m.type = row_take_type(row);
	m.content = row_take_str(row);
	m.media_url = row_take_str(row);
	m.extra = row_take_str(row);
	m.created_ms = row_take_ms(row);
	while (x->reading < x->blocks && !is_in_block(&x->block[x->reading], m.id))
		end_block(x);
	if (x->reading == x->blocks)
		return;
	struct index_block *b = &x->block[x->reading];
	b->first_ms = b->first_ms != 0 ? b->first_ms : m.created_ms;
	b->last_ms = m.created_ms;
	message_words_read(&x->words, &m, false);
	x->backend->gather(x->gathered, &x->words);
}

static void read_done(struct relay *r)
{
	struct index *x = &r->index;
	if (x->step != INDEX_READING)
		return;
	while (x->reading < x->blocks)
		end_block(x);
	x->step = INDEX_WRITING;
	index_rest(r);
}

const struct relay_job index_read_job = {.name = "reading for the search index",
					 .ask = read_ask,
					 .row = read_row,
					 .done = read_done,
					 .failed = index_failed};

/* ---- writing them ---- */

static void put_blocks(struct index *x, struct buf *text)
{
	bool first = true;
	for (unsigned i = 0; i < x->blocks; i++) {
		const struct index_block *b = &x->block[i];
		/* Without messages it needs no row. */
		if (b->first_ms == 0)
			continue;
		if (first)
			sql_lit(text,
				"INSERT INTO search_blocks (conversation_id,block,first_at,last_at,filter) VALUES ");
		sql_comma(text, &first);
		buf_append_char(text, '(');
		sql_u64(text, b->conversation_id);
		buf_append_char(text, ',');
		sql_u64(text, b->block);
		buf_append_char(text, ',');
		sql_time(text, b->first_ms);
		buf_append_char(text, ',');
		sql_time(text, b->last_ms);
		buf_append_char(text, ',');
		sql_bytes(text, (struct str){x->filters.data + b->at, b->len});
		buf_append_char(text, ')');
	}
	if (!first)
		sql_lit(text, " ON DUPLICATE KEY UPDATE first_at=VALUES(first_at),last_at=VALUES(last_at),"
			      "filter=VALUES(filter);");
}

/* Of one conversation the blocks follow one another. */
static void put_heads(struct index *x, struct buf *text)
{
	bool first = true;
	for (unsigned i = 0; i < x->blocks; i++) {
		const struct index_block *b = &x->block[i];
		if (!b->is_next || (i + 1 < x->blocks && x->block[i + 1].is_next &&
				    x->block[i + 1].conversation_id == b->conversation_id))
			continue;
		if (first)
			sql_lit(text, "INSERT INTO search_heads (conversation_id,generation,covered_seq) VALUES ");
		sql_comma(text, &first);
		buf_append_char(text, '(');
		sql_u64(text, b->conversation_id);
		buf_append_char(text, ',');
		sql_u64(text, x->generation);
		buf_append_char(text, ',');
		sql_u64(text, b->last_seq);
		buf_append_char(text, ')');
	}
	if (!first)
		sql_lit(text,
			" ON DUPLICATE KEY UPDATE generation=VALUES(generation),covered_seq=VALUES(covered_seq);");
}

static bool was_read(const struct index *x, uint64_t id)
{
	for (unsigned i = 0; i < x->blocks; i++)
		if (is_in_block(&x->block[i], id))
			return true;
	return false;
}

static void put_edits(struct index *x, struct buf *text)
{
	bool first = true;
	for (size_t i = 0; i < x->edits; i++) {
		const struct index_edit *e = &x->edit[i];
		if (e->change_seq == 0 || !(e->is_loose || was_read(x, e->id)))
			continue;
		buf_append_str(text, first ? STR_LIT("DELETE e FROM search_edits e FORCE INDEX (PRIMARY) WHERE "
						     "(e.conversation_id=")
					   : STR_LIT(" OR (e.conversation_id="));
		first = false;
		sql_u64(text, message_id_conversation(e->id));
		sql_lit(text, " AND e.seq=");
		sql_u64(text, message_id_seq(e->id));
		sql_lit(text, " AND e.change_seq=");
		sql_u64(text, e->change_seq);
		buf_append_char(text, ')');
	}
	if (!first)
		buf_append_char(text, ';');
}

static void write_ask(struct relay *r, struct buf *text)
{
	struct index *x = &r->index;
	index_put_guard(r, text, "");
	put_blocks(x, text);
	put_heads(x, text);
	put_edits(x, text);
	sql_lit(text, "COMMIT");
}

static void write_done(struct relay *r)
{
	if (r->index.step != INDEX_WRITING)
		return;
	next_blocks(&r->index);
	index_rest(r);
}

const struct relay_job index_write_job = {
	.name = "writing the search index", .ask = write_ask, .done = write_done, .failed = index_failed};
