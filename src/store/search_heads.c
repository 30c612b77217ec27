/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a search begins: the user's own conversations (nothing else is ever looked at), how far filters cover them, and
 * which of their messages were edited since their filter was made. Decides where in each of them it starts.
 */
#include "core/base.h"
#include "store/search_priv.h"

#include <stdlib.h>

#include "store/query.h"
#include "store/sql.h"

enum { STMT_STATE, STMT_PLACES, STMT_EDITS };

/* Of the last seconds' edits those that the user sees; with more of them some wait for the index. */
#define EDITS_MAX 4096
#define PLACES_MIN 64

/* ---- what is asked ---- */

/* The block that the time is in, of a conversation whose last message is later. */
static void put_start(struct buf *text, const struct search *s, const char *head)
{
	if (s->top.ms == INT64_MAX) {
		sql_lit(text, ",NULL");
		return;
	}
	buf_printf(text, ",IF(%s.last_message_time>", head);
	sql_time(text, s->top.ms);
	buf_printf(text,
		   ",(SELECT b.block FROM search_blocks b FORCE INDEX (by_time) WHERE b.conversation_id=%s.id AND "
		   "b.first_at<=",
		   head);
	sql_time(text, s->top.ms);
	sql_lit(text, " ORDER BY b.first_at DESC LIMIT 1),NULL)");
}

static void put_if_recent(struct buf *text, const struct search *s, const char *head)
{
	if (!s->has_after)
		return;
	buf_printf(text, " AND %s.last_message_time>", head);
	sql_time(text, s->after_ms);
}

#define HEAD_COLUMNS ",k.generation,k.covered_seq"
#define HEAD_JOIN " LEFT JOIN search_heads k FORCE INDEX (PRIMARY) ON k.conversation_id="

static void put_direct_columns(struct buf *text, const struct search *s, const char *from)
{
	sql_lit(text, "SELECT c.id,");
	query_put_first_seq(text, s->read.user);
	sql_lit(text, ",c.last_seq,c.last_message_time,IF(c.user1_id=");
	sql_str(text, s->read.user);
	sql_lit(text, ",c.user2_id,c.user1_id)" HEAD_COLUMNS);
	put_start(text, s, "c");
	sql_lit(text, " FROM conversations c");
	buf_append_str(text, str_from(from));
	sql_lit(text, HEAD_JOIN "c.id WHERE ");
}

static void put_side(struct buf *text, const struct search *s, int side)
{
	put_direct_columns(text, s, side == 1 ? " FORCE INDEX (by_user1)" : " FORCE INDEX (by_user2)");
	buf_printf(text, "c.user%d_id=", side);
	sql_str(text, s->read.user);
	put_if_recent(text, s, "c");
}

static void put_groups(struct buf *text, const struct search *s)
{
	sql_lit(text, "SELECT STRAIGHT_JOIN g.conversation_id," GROUP_FIRST_SEQ
		      ",h.last_seq,h.last_message_time,NULL" HEAD_COLUMNS);
	put_start(text, s, "h");
	sql_lit(text, " FROM members g FORCE INDEX (PRIMARY) JOIN group_heads h FORCE INDEX (PRIMARY) ON "
		      "h.id=g.conversation_id" HEAD_JOIN "h.id WHERE ");
	if (s->conversation_id != 0) {
		query_put_is_member(text, s->read.user, s->conversation_id);
		return;
	}
	sql_lit(text, "g.user_id=");
	sql_str(text, s->read.user);
	put_if_recent(text, s, "h");
}

static void put_places(struct buf *text, const struct search *s)
{
	if (s->conversation_id == 0) {
		put_side(text, s, 1);
		sql_lit(text, " UNION ALL ");
		put_side(text, s, 2);
		sql_lit(text, " UNION ALL ");
		put_groups(text, s);
	} else if (conversation_is_group(s->conversation_id)) {
		put_groups(text, s);
	} else {
		put_direct_columns(text, s, "");
		sql_lit(text, "c.id=");
		sql_u64(text, s->conversation_id);
		sql_lit(text, " AND ");
		query_put_is_party(text, s->read.user);
	}
}

#define EDIT_COLUMNS "SELECT STRAIGHT_JOIN e.conversation_id,e.seq FROM "
#define EDIT_JOIN " JOIN search_edits e FORCE INDEX (PRIMARY) ON e.conversation_id="

static void put_edits(struct buf *text, const struct search *s)
{
	struct str user = s->read.user;
	if (s->conversation_id != 0) {
		sql_lit(text, "SELECT e.conversation_id,e.seq FROM search_edits e FORCE INDEX (PRIMARY) WHERE "
			      "e.conversation_id=");
		sql_u64(text, s->conversation_id);
	} else {
		sql_lit(text, EDIT_COLUMNS "conversations c FORCE INDEX (by_user1)" EDIT_JOIN "c.id WHERE c.user1_id=");
		sql_str(text, user);
		sql_lit(text, " UNION ALL " EDIT_COLUMNS "conversations c FORCE INDEX (by_user2)" EDIT_JOIN
			      "c.id WHERE c.user2_id=");
		sql_str(text, user);
		sql_lit(text, " UNION ALL " EDIT_COLUMNS "members g FORCE INDEX (PRIMARY)" EDIT_JOIN
			      "g.conversation_id WHERE g.user_id=");
		sql_str(text, user);
	}
	buf_printf(text, " LIMIT %d", EDITS_MAX);
}

void heads_put(struct search *s)
{
	struct buf *text = &s->read.text;
	s->step = SEARCH_HEADS;
	buf_clear(text);
	sql_lit(text, "SELECT state,generation,format FROM search_state WHERE id=1;");
	put_places(text, s);
	buf_append_char(text, ';');
	put_edits(text, s);
}

/* ---- what is found ---- */

void heads_restart(struct search *s)
{
	s->ready = s->party = false;
	s->places = s->edited_count = 0;
}

static void state_row(struct search *s, struct row *row)
{
	uint64_t state = row_take_u64(row);
	s->generation = row_take_u64(row);
	uint64_t format = row_take_u64(row);
	s->ready = state == SEARCH_READY && (format == 0 || format == s->backend->format);
}

static struct search_place *add_place(struct search *s)
{
	if (s->places == s->place_room) {
		size_t room = s->place_room != 0 ? 2 * s->place_room : PLACES_MIN;
		struct search_place *place = arena_alloc(&s->read.arena, room * sizeof(*place));
		if (s->places != 0)
			memcpy(place, s->place, s->places * sizeof(*place));
		s->place = place;
		s->place_room = room;
	}
	return &s->place[s->places++];
}

/* Where the messages begin that are before the top; those after it that no filter covers are few. */
static void start_at(struct search *s, struct search_place *p, uint64_t last_seq, int64_t last_ms, struct str start)
{
	p->high = last_seq;
	p->bound_ms = last_ms;
	if (last_ms <= s->top.ms)
		return;
	p->bound_ms = s->top.ms;
	if (p->covered == 0)
		return;
	uint64_t block = 0;
	for (size_t i = 0; i < start.len; i++)
		block = block * 10 + (uint64_t)(start.s[i] - '0');
	if (start.s == NULL)
		p->high = 0;
	else if (block < p->covered >> SEARCH_BLOCK_BITS)
		p->high = (block << SEARCH_BLOCK_BITS) + SEARCH_BLOCK - 1;
}

static void place_row(struct search *s, struct row *row)
{
	s->party = true;
	struct search_place p = {.id = row_take_u64(row)};
	p.first_seq = row_take_u64(row);
	uint64_t last_seq = row_take_u64(row);
	int64_t last_ms = row_take_ms(row);
	struct str peer = row_take_str(row);
	uint64_t generation = row_take_u64(row), covered = row_take_u64(row);
	p.covered = generation != s->generation ? 0 : covered < last_seq ? covered : last_seq;
	p.looked_for = (p.covered >> SEARCH_BLOCK_BITS) + 1;
	place_restart(&p);
	start_at(s, &p, last_seq, last_ms, row_take_str(row));
	if (place_is_done(&p) || (s->has_after && p.bound_ms <= s->after_ms))
		return;
	p.peer = arena_str(&s->read.arena, peer);
	*add_place(s) = p;
}

static void edit_row(struct search *s, struct row *row)
{
	if (s->edited == NULL)
		s->edited = arena_alloc(&s->read.arena, EDITS_MAX * sizeof(*s->edited));
	uint64_t conversation_id = row_take_u64(row);
	if (s->edited_count < EDITS_MAX)
		s->edited[s->edited_count++] = message_id_make(conversation_id, row_take_u64(row));
}

void heads_row(struct search *s, unsigned stmt, struct row *row)
{
	if (stmt == STMT_STATE)
		state_row(s, row);
	else if (stmt == STMT_PLACES)
		place_row(s, row);
	else if (stmt == STMT_EDITS)
		edit_row(s, row);
}

static int by_place_id(const void *a, const void *b)
{
	uint64_t x = ((const struct search_place *)a)->id, y = ((const struct search_place *)b)->id;
	return x < y ? -1 : x > y;
}

void heads_end(struct search *s)
{
	if (s->places == 0)
		return;
	qsort(s->place, s->places, sizeof(*s->place), by_place_id);
	s->order = arena_alloc(&s->read.arena, s->places * sizeof(struct search_place *));
	s->order_count = s->places;
	for (size_t i = 0; i < s->places; i++)
		s->order[i] = &s->place[i];
	look_sort_places(s);
}
