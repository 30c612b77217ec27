/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of a user's conversations, newest first. It pages by key. A page of each kind is read, and the two are
 * merged; then their details are read. A message to a group moves one row, no matter how many members it has, so the
 * user's groups are sorted when they are read.
 *
 * Pinned conversations come first, archived ones are in a list of their own, and what was cleared is in neither. Most
 * users have none of these. So they are asked for together with the newest of all, which is then the list. Else those
 * are left out of it, and a further step asks for the pinned ones; and, where too few are left, for the newest of those
 * that are not left out, whose ids it names. Before that, whether what was archived or cleared still is so, their heads
 * tell.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include <stdlib.h>

#include "store/answer.h"
#include "store/query.h"
#include "store/sql.h"

/* Conversations of which a user has set something: more than these are listed as if they were not. */
#define PLACED_MAX 50000
/* A conversation's id leaves this bit of a cursor's: it is the place of a pinned one. */
#define CURSOR_PINNED (UINT64_C(1) << 62)

enum { KIND_DIRECT, KIND_GROUPS, KINDS };
/* The parts of the list, in their order. */
enum { PART_PINNED, PART_REST, PARTS };

/* Of one kind. */
struct list_part {
	struct view *view;
	size_t count;
	bool cut; /* there are more than these, or may be */
	struct answer answer;
};

/* Column placed. */
enum { PLACED_PINNED = 1, PLACED_ARCHIVED = 2, PLACED_CLEARED = 4 };
/* Where a conversation belongs that has a place of its own. */
enum place { PLACE_UNKNOWN, PLACE_NONE, PLACE_PINNED, PLACE_REST, PLACE_ELSEWHERE };
struct placed {
	uint64_t id;
	uint64_t placed, cleared_seq; /* its columns */
	int64_t mute_ends_ms;
	enum place place; /* REST: of the list of the archived ones. NONE: it has none any more */
};

/* What a statement asks for, but for those of the parts. */
enum list_ask { ASK_PLACED, ASK_HEADS, ASK_PART };
struct list_stmt {
	enum list_ask ask;
	struct list_part *part;
};
enum list_step { LIST_NEWEST, LIST_HEADS, LIST_PLACED };

struct list {
	struct read read;
	store_conversations_fn *fn;
	void *arg;
	bool archived;
	unsigned limit;
	bool after_pinned; /* `after` is among the rest */
	struct store_cursor after;

	enum list_step step;
	struct placed *placed; /* in order of id once LIST_NEWEST is done */
	size_t placed_count, placed_room, pinned_ids;

	struct list_part part[PARTS][KINDS];
	struct list_stmt stmt[1 + PARTS * KINDS];
	unsigned stmt_count;
	/* Of both kinds. */
	struct view *view;
	size_t count, pinned_count; /* those of PART_PINNED */
	bool has_more;
	struct details details;
};

static void part_clear(struct list_part *p)
{
	p->count = 0;
	p->cut = false;
	p->answer = (struct answer){0};
}

static void list_restart(struct read *r)
{
	struct list *l = container_of(r, struct list, read);
	if (l->details.asked) {
		details_restart(&l->details);
		return;
	}
	if (l->step == LIST_NEWEST)
		l->placed_count = 0;
	for (unsigned i = 0; i < l->stmt_count; i++)
		if (l->stmt[i].ask == ASK_PART)
			part_clear(l->stmt[i].part);
}

/* ---- which have a place of their own ---- */

static int kind_of(uint64_t id)
{
	return conversation_is_group(id) ? KIND_GROUPS : KIND_DIRECT;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct placed *)a)->id, y = ((const struct placed *)b)->id;
	return x < y ? -1 : x > y;
}

static struct placed *find_placed(const struct list *l, uint64_t id)
{
	const struct placed key = {.id = id};
	return l->placed_count != 0 ? bsearch(&key, l->placed, l->placed_count, sizeof(key), by_id) : NULL;
}

static void placed_row(struct list *l, struct row *row)
{
	if (l->placed_count == l->placed_room) {
		struct placed *old = l->placed;
		l->placed_room = l->placed_room != 0 ? 2 * l->placed_room : 16;
		l->placed = arena_alloc(&l->read.arena, l->placed_room * sizeof(*old));
		if (l->placed_count != 0)
			memcpy(l->placed, old, l->placed_count * sizeof(*old));
	}
	struct placed *p = &l->placed[l->placed_count++];
	*p = (struct placed){.id = row_take_u64(row)};
	p->placed = row_take_u64(row);
	p->mute_ends_ms = row_take_ms(row);
	p->cleared_seq = row_take_u64(row);
}

static void set_place(const struct list *l, struct placed *p, bool archived, bool cleared)
{
	bool pinned = p->placed & PLACED_PINNED;
	if (cleared || archived != l->archived)
		p->place = pinned || cleared || archived ? PLACE_ELSEWHERE : PLACE_NONE;
	else
		p->place = pinned ? PLACE_PINNED : archived ? PLACE_REST : PLACE_NONE;
}

static void head_row(struct list *l, struct row *row)
{
	struct placed *p = find_placed(l, row_take_u64(row));
	uint64_t last_seq = row_take_u64(row);
	int64_t last_ms = row_take_ms(row);
	bool archived = !row_next_is_null(row);
	uint64_t archived_seq = row_take_u64(row);
	if (p == NULL)
		return;
	archived = archived && (archived_seq >= last_seq || query_stays_archived(p->mute_ends_ms, last_ms));
	set_place(l, p, archived, (p->placed & PLACED_CLEARED) && p->cleared_seq >= last_seq);
}

static bool needs_head(const struct placed *p)
{
	return (p->placed & (PLACED_ARCHIVED | PLACED_CLEARED)) != 0;
}

static bool is_of_part(const struct list *l, const struct placed *p, int part)
{
	if (part == PART_PINNED)
		return p->place == PLACE_PINNED;
	return l->archived ? p->place == PLACE_REST : p->place == PLACE_PINNED || p->place == PLACE_ELSEWHERE;
}

/* "1,2": the ids of that kind of those that `is` names. False: there is none. */
static bool put_ids(struct buf *text, const struct list *l, int kind, int part)
{
	bool first = true;
	for (size_t i = 0; i < l->placed_count; i++) {
		const struct placed *p = &l->placed[i];
		if (kind_of(p->id) != kind || (part == PARTS ? !needs_head(p) : !is_of_part(l, p, part)))
			continue;
		sql_comma(text, &first);
		sql_u64(text, p->id);
	}
	return !first;
}

/* ---- what is asked ---- */

static struct buf *begin_stmt(struct list *l, enum list_ask ask, struct list_part *of)
{
	if (l->stmt_count != 0)
		buf_append_char(&l->read.text, ';');
	l->stmt[l->stmt_count++] = (struct list_stmt){ask, of};
	return &l->read.text;
}

static void put_placed(struct list *l)
{
	struct buf *text = begin_stmt(l, ASK_PLACED, NULL);
	sql_lit(text, "SELECT s.conversation_id,s.placed,s.muted_until,s.cleared_seq FROM conversation_settings s "
		      "FORCE INDEX (placed) WHERE s.user_id=");
	sql_str(text, l->read.user);
	buf_printf(text, " AND s.placed>0 LIMIT %d", PLACED_MAX);
}

static void put_heads_of(struct list *l, int kind, const char *select, const char *id)
{
	struct buf ids = {0};
	if (put_ids(&ids, l, kind, PARTS)) {
		struct buf *text = begin_stmt(l, ASK_HEADS, NULL);
		buf_append_str(text, str_from(select));
		sql_str(text, l->read.user);
		buf_append_str(text, str_from(id));
		buf_append(text, ids.data, ids.len);
		buf_append_char(text, ')');
	}
	buf_fini(&ids);
}

static void put_heads(struct list *l)
{
	put_heads_of(l, KIND_DIRECT, "SELECT id,last_seq,last_message_time,IF(user1_id=",
		     ",user1_archived_seq,user2_archived_seq) FROM conversations FORCE INDEX (PRIMARY) WHERE id IN (");
	put_heads_of(l, KIND_GROUPS,
		     "SELECT STRAIGHT_JOIN h.id,h.last_seq,h.last_message_time,g.archived_seq FROM members g FORCE "
		     "INDEX (PRIMARY) JOIN "
		     "group_heads h FORCE INDEX (PRIMARY) ON h.id=g.conversation_id WHERE g.user_id=",
		     " AND g.conversation_id IN (");
}

/* Of the part that the cursor is in; the one after it begins with its first. */
static struct store_cursor after_in(const struct list *l, int part)
{
	return l->after_pinned == (part == PART_REST) ? l->after : (struct store_cursor){0};
}

static void put_after(struct buf *text, struct store_cursor after, const char *time, const char *id)
{
	if (after.ms == 0)
		return;
	buf_printf(text, " AND %s<=", time);
	sql_time(text, after.ms);
	buf_printf(text, " AND (%s<", time);
	sql_time(text, after.ms);
	buf_printf(text, " OR %s<", id);
	sql_u64(text, after.id);
	buf_append_char(text, ')');
}

/* Which of the kind are in the part. */
static void put_which(struct buf *text, const struct list *l, int part, int kind, const char *id)
{
	struct buf ids = {0};
	bool named = part == PART_PINNED || l->archived;
	if (put_ids(&ids, l, kind, part)) {
		buf_printf(text, named ? " AND %s IN (" : " AND %s NOT IN (", id);
		buf_append(text, ids.data, ids.len);
		buf_append_char(text, ')');
	}
	buf_fini(&ids);
}

static void put_order(struct buf *text, const struct list *l)
{
	sql_lit(text, " ORDER BY sort_time DESC,id DESC LIMIT ");
	sql_u64(text, l->limit + 1);
}

static void put_side(struct buf *text, const struct list *l, int side)
{
	buf_printf(text, "(SELECT id,sort_time FROM conversations FORCE INDEX (by_user%d) WHERE user%d_id=", side,
		   side);
	sql_str(text, l->read.user);
	put_after(text, after_in(l, PART_REST), "sort_time", "id");
	put_which(text, l, PART_REST, KIND_DIRECT, "id");
	put_order(text, l);
	buf_append_char(text, ')');
}

/* All that may be in the list, in its order. */
static void put_sides(struct buf *text, const struct list *l)
{
	put_side(text, l, 1);
	sql_lit(text, " UNION ALL ");
	put_side(text, l, 2);
}

/* Those that are named. */
static void put_named(struct buf *text, const struct list *l, int part)
{
	sql_lit(text, "SELECT id,sort_time FROM (SELECT id,sort_time FROM conversations FORCE INDEX (PRIMARY) WHERE 1");
	put_after(text, after_in(l, part), "sort_time", "id");
	put_which(text, l, part, KIND_DIRECT, "id");
	buf_printf(text, " LIMIT %d) o", PLACED_MAX);
}

static void put_direct(struct list *l, int part)
{
	struct buf *text = begin_stmt(l, ASK_PART, &l->part[part][KIND_DIRECT]), keys = {0};
	buf_append_char(&keys, '(');
	if (part == PART_REST && !l->archived)
		put_sides(&keys, l);
	else
		put_named(&keys, l, part);
	put_order(&keys, l);
	sql_lit(&keys, ") k JOIN conversations c FORCE INDEX (PRIMARY) ON c.id=k.id");
	query_put_conversations(text, l->read.user, SETTINGS_LATER, "", (struct str){keys.data, keys.len});
	buf_fini(&keys);
	sql_lit(text, " ORDER BY k.sort_time DESC,k.id DESC");
}

static void put_groups(struct list *l, int part)
{
	struct buf *text = begin_stmt(l, ASK_PART, &l->part[part][KIND_GROUPS]), keys = {0};
	sql_lit(&keys,
		"(SELECT id,sort_time FROM (SELECT STRAIGHT_JOIN g.conversation_id AS id,h.sort_time FROM members g "
		"FORCE INDEX (PRIMARY) JOIN group_heads h FORCE INDEX (PRIMARY) ON h.id=g.conversation_id WHERE "
		"g.user_id=");
	sql_str(&keys, l->read.user);
	put_after(&keys, after_in(l, part), "h.sort_time", "h.id");
	put_which(&keys, l, part, KIND_GROUPS, "g.conversation_id");
	buf_printf(&keys, " LIMIT %d) o", QUERY_GROUPS_MAX);
	put_order(&keys, l);
	sql_lit(&keys, ") k JOIN members g FORCE INDEX (PRIMARY) ON g.conversation_id=k.id AND g.user_id=");
	sql_str(&keys, l->read.user);
	query_put_groups(text, SETTINGS_LATER, (struct str){keys.data, keys.len});
	buf_fini(&keys);
	sql_lit(text, " ORDER BY k.sort_time DESC,k.id DESC");
}

/* There is any of the kind in the part; of the rest of all that is not known. */
static bool has_any(const struct list *l, int part, int kind)
{
	struct buf ids = {0};
	bool any = (part == PART_REST && !l->archived) || put_ids(&ids, l, kind, part);
	buf_fini(&ids);
	return any;
}

static void put_part(struct list *l, int part)
{
	for (int kind = 0; kind < KINDS; kind++)
		part_clear(&l->part[part][kind]);
	if (has_any(l, part, KIND_DIRECT))
		put_direct(l, part);
	if (has_any(l, part, KIND_GROUPS))
		put_groups(l, part);
}

/* ---- what is found ---- */

static void part_row(struct list *l, struct list_part *p, struct row *row)
{
	p->cut |= p->count == l->limit + 1;
	if (p->cut)
		return;
	if (p->view == NULL)
		p->view = arena_alloc(&l->read.arena, (l->limit + 1) * sizeof(*p->view));
	struct view *v = &p->view[p->count];
	if (p == &l->part[PART_PINNED][KIND_GROUPS] || p == &l->part[PART_REST][KIND_GROUPS])
		query_take_group(row, &l->read.arena, v);
	else
		query_take_conversation(row, &l->read.arena, l->read.user, v);
	p->cut = !answer_takes(&p->answer, answer_conversation_size(&v->c));
	p->count += !p->cut;
}

static void list_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list *l = container_of(r, struct list, read);
	if (l->details.asked) {
		details_row(&l->details, &r->arena, stmt, row);
		return;
	}
	switch (l->stmt[stmt].ask) {
	case ASK_PLACED:
		placed_row(l, row);
		break;
	case ASK_HEADS:
		head_row(l, row);
		break;
	case ASK_PART:
		part_row(l, l->stmt[stmt].part, row);
		break;
	}
}

/* Those that belong elsewhere. */
static void leave_out(struct list *l, struct list_part *p)
{
	size_t kept = 0;
	bool is_whole = p->count <= l->limit;
	for (size_t i = 0; i < p->count; i++) {
		const struct placed *at = find_placed(l, p->view[i].c.id);
		if (at == NULL || !is_of_part(l, at, PART_REST))
			p->view[kept++] = p->view[i];
	}
	p->cut |= kept < p->count && !is_whole;
	p->count = kept;
}

static bool is_newer(const struct conversation *a, const struct conversation *b)
{
	return a->sort_ms != b->sort_ms ? a->sort_ms > b->sort_ms : a->id > b->id;
}

/* Ends where a kind was cut, for what comes next may be of that kind. */
static void merge(struct list *l, const struct list_part part[KINDS])
{
	size_t at[KINDS] = {0};
	for (;;) {
		int from = -1;
		for (int i = 0; i < KINDS; i++) {
			const struct list_part *p = &part[i];
			l->has_more |= at[i] == p->count && p->cut;
			if (at[i] < p->count && (from < 0 || is_newer(&p->view[at[i]].c, &part[from].view[at[from]].c)))
				from = i;
		}
		if (l->has_more || from < 0)
			return;
		l->has_more = l->count == l->limit;
		if (l->has_more)
			return;
		l->view[l->count++] = part[from].view[at[from]++];
	}
}

static void merge_parts(struct list *l)
{
	merge(l, l->part[PART_PINNED]);
	l->pinned_count = l->count;
	if (!l->has_more)
		merge(l, l->part[PART_REST]);
}

/* Enough of the rest was read: a page and one more, or all there is. */
static bool has_rest(struct list *l)
{
	size_t pinned = l->after_pinned || l->after.ms != 0 ? 0 : l->pinned_ids;
	merge(l, l->part[PART_REST]);
	bool enough = !l->has_more || l->count == l->limit || l->count + pinned > l->limit;
	l->has_more = false;
	l->count = 0;
	return enough;
}

/* As many as one answer has room for. */
static void fit(struct list *l)
{
	struct answer answer = {0};
	size_t n = 0;
	while (n < l->count && answer_takes(&answer, answer_conversation_size(&l->view[n].c)))
		n++;
	l->has_more |= n < l->count;
	l->count = n;
}

static struct store_cursor cursor_of(const struct list *l, size_t i)
{
	const struct conversation *c = &l->view[i].c;
	return (struct store_cursor){c->sort_ms, c->id | (i < l->pinned_count ? CURSOR_PINNED : 0)};
}

static void answer_list(struct list *l, enum store_status status)
{
	struct store_conversations out = {.status = status};
	if (status == STORE_OK) {
		fit(l);
		struct conversation *item = arena_alloc(&l->read.arena, (l->count + 1) * sizeof(*item));
		for (size_t i = 0; i < l->count; i++)
			item[i] = l->view[i].c;
		out.item = item;
		out.count = l->count;
		out.has_more = l->has_more;
		if (l->has_more)
			out.next = cursor_of(l, l->count - 1);
	}
	l->fn(&out, l->arg);
}

/* ---- the steps; each false: it has nothing to ask ---- */

static bool build_heads(struct list *l)
{
	qsort(l->placed, l->placed_count, sizeof(*l->placed), by_id);
	for (size_t i = 0; i < l->placed_count; i++)
		if (!needs_head(&l->placed[i]))
			set_place(l, &l->placed[i], false, false);
	put_heads(l);
	return l->stmt_count != 0;
}

static bool build_placed(struct list *l)
{
	for (size_t i = 0; i < l->placed_count; i++)
		l->pinned_ids += l->placed[i].place == PLACE_PINNED;
	for (int kind = 0; kind < KINDS && !l->archived; kind++)
		leave_out(l, &l->part[PART_REST][kind]);
	bool rest = l->archived || !has_rest(l);
	if (!l->after_pinned && l->pinned_ids != 0)
		put_part(l, PART_PINNED);
	if (rest)
		put_part(l, PART_REST);
	return l->stmt_count != 0;
}

static bool build_step(struct list *l)
{
	buf_clear(&l->read.text);
	l->stmt_count = 0;
	if (l->placed_count == 0)
		return false;
	if (l->step == LIST_NEWEST) {
		l->step = LIST_HEADS;
		if (build_heads(l))
			return true;
	}
	if (l->step == LIST_PLACED)
		return false;
	l->step = LIST_PLACED;
	return build_placed(l);
}

static void list_done(struct read *r, enum store_status status)
{
	struct list *l = container_of(r, struct list, read);
	if (status == STORE_OK && !l->details.asked) {
		if (build_step(l)) {
			pool_again(r);
			return;
		}
		merge_parts(l);
		l->details.settings = l->placed_count != 0;
		if (details_put(&l->details, r, l->view, l->count)) {
			pool_again(r);
			return;
		}
	}
	answer_list(l, status);
}

void store_list_conversations(struct store *s, struct str user, bool archived, unsigned limit,
			      struct store_cursor after, store_conversations_fn *fn, void *arg)
{
	struct list *l = read_new(s->pool, user, sizeof(*l));
	l->fn = fn;
	l->arg = arg;
	l->archived = archived;
	l->limit = limit;
	l->after_pinned = after.ms != 0 && (after.id & CURSOR_PINNED) == 0;
	l->after = (struct store_cursor){after.ms, after.id & ~CURSOR_PINNED};
	l->read.restart = list_restart;
	l->read.row = list_row;
	l->read.done = list_done;
	l->view = arena_alloc(&l->read.arena, (limit + 1) * sizeof(*l->view));
	put_placed(l);
	if (!archived)
		put_part(l, PART_REST);
	pool_submit(&l->read);
}
