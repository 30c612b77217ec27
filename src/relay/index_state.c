/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of the index: this relay makes itself its holder, begins to build it where it has to be (made by rules of
 * an earlier release, or while search was off, or because somebody asked for it), and walks through all conversations
 * then.
 */
#include "core/base.h"
#include "relay/index.h"

#include <stdio.h>

#include "core/id.h"
#include "core/log.h"
#include "relay/relay_priv.h"
#include "store/row.h"
#include "store/search.h"
#include "store/sql.h"

/* Conversations that the walk reads at a time. Most are short, and have no filters. */
#define WALK_ROWS 500

static void again(struct relay *r)
{
	r->index.look = true;
	r->index.known = false;
}

static void state_failed(struct relay *r)
{
	index_failed(r);
	/* In the next second. */
	r->index.look = false;
}

/* ---- looking ---- */

static void look_ask(struct relay *r, struct buf *text)
{
	r->index.look = false;
	sql_lit(text, "SELECT generation,format,state,walked_id,holder=");
	sql_str(text, str_from(r->lease.holder));
	sql_lit(text, " FROM search_state WHERE id=1;COMMIT");
}

static void look_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct index *x = &r->index;
	(void)stmt;
	uint64_t generation = row_take_u64(row);
	/* All that is at hand is of another index. */
	if (x->known && generation != x->generation)
		index_drop(r);
	x->generation = generation;
	x->format = row_take_u64(row);
	x->state = row_take_u64(row);
	x->walked_id = row_take_u64(row);
	x->is_ours = row_take_bool(row);
	x->known = true;
}

static void look_done(struct relay *r)
{
	(void)r;
}

const struct relay_job index_look_job = {.name = "looking at the search index",
					 .ask = look_ask,
					 .row = look_row,
					 .done = look_done,
					 .failed = state_failed};

/* ---- taking it over, beginning it, and giving it up ---- */

static void put_change(struct relay *r, struct buf *text, const char *assignments)
{
	buf_printf(text, "UPDATE search_state SET writes=writes+1,%sholder=", assignments);
	sql_str(text, str_from(r->lease.holder));
	sql_lit(text, " WHERE id=1 AND generation=");
	sql_u64(text, r->index.generation);
	sql_lit(text, ";COMMIT");
}

static void take_ask(struct relay *r, struct buf *text)
{
	char assignments[sizeof("format=4294967295,")];
	snprintf(assignments, sizeof(assignments), "format=%u,", r->index.backend->format);
	put_change(r, text, assignments);
}

const struct relay_job index_take_job = {
	.name = "taking the search index over", .ask = take_ask, .done = again, .failed = state_failed};

static void begin_ask(struct relay *r, struct buf *text)
{
	char assignments[160];
	snprintf(assignments, sizeof(assignments),
		 "generation=generation+1,format=%u,state=%d,walked_id=0,changed_at=UTC_TIMESTAMP(3),",
		 r->index.backend->format, SEARCH_BUILDING);
	log_info("the search index is built anew");
	put_change(r, text, assignments);
}

const struct relay_job index_begin_job = {
	.name = "beginning the search index", .ask = begin_ask, .done = again, .failed = state_failed};

static void off_ask(struct relay *r, struct buf *text)
{
	char assignments[64];
	snprintf(assignments, sizeof(assignments), "state=%d,changed_at=UTC_TIMESTAMP(3),", SEARCH_OFF);
	put_change(r, text, assignments);
}

const struct relay_job index_off_job = {
	.name = "giving the search index up", .ask = off_ask, .done = again, .failed = state_failed};

/* ---- the walk ---- */

static void walk_ask(struct relay *r, struct buf *text)
{
	struct index *x = &r->index;
	bool groups = x->walked_id >= GROUP_ID_MIN - 1;
	x->items = x->edits = 0;
	x->walk_to = x->walked_id;
	x->rows = 0;
	buf_append_str(text, groups ? STR_LIT("SELECT id,last_seq FROM group_heads WHERE id>")
				    : STR_LIT("SELECT id,last_seq FROM conversations WHERE id>"));
	sql_u64(text, x->walked_id);
	sql_lit(text, " ORDER BY id LIMIT ");
	sql_u64(text, WALK_ROWS);
	sql_lit(text, ";COMMIT");
}

static void walk_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct index *x = &r->index;
	(void)stmt;
	x->walk_to = row_take_u64(row);
	x->rows++;
	index_add_item(x, x->walk_to, row_take_u64(row));
}

static void walk_done(struct relay *r)
{
	struct index *x = &r->index;
	bool groups = x->walked_id >= GROUP_ID_MIN - 1, end = x->rows < WALK_ROWS;
	if (x->step != INDEX_WALKING)
		return;
	x->walk_ends = groups && end;
	/* Behind the last direct one come the groups. */
	if (!groups && end)
		x->walk_to = GROUP_ID_MIN - 1;
	index_begin_work(x);
	index_rest(r);
}

const struct relay_job index_walk_job = {.name = "walking through the conversations",
					 .ask = walk_ask,
					 .row = walk_row,
					 .done = walk_done,
					 .failed = index_failed};

static void note_ask(struct relay *r, struct buf *text)
{
	char assignments[96];
	struct index *x = &r->index;
	int len = snprintf(assignments, sizeof(assignments), ",walked_id=%llu", (unsigned long long)x->walk_to);
	if (x->walk_ends)
		snprintf(assignments + len, sizeof(assignments) - (size_t)len, ",state=%d,changed_at=UTC_TIMESTAMP(3)",
			 SEARCH_READY);
	index_put_guard(r, text, assignments);
	sql_lit(text, "COMMIT");
}

static void note_done(struct relay *r)
{
	struct index *x = &r->index;
	if (x->step != INDEX_NOTING)
		return;
	x->walked_id = x->walk_to;
	if (x->walk_ends) {
		x->state = SEARCH_READY;
		log_info("the search index is built");
	}
	index_drop(r);
}

const struct relay_job index_note_walk_job = {
	.name = "noting how far the search index is", .ask = note_ask, .done = note_done, .failed = index_failed};
