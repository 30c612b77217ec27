/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Catching up, in steps: which conversations differ from what the client has or were active since its cursor; these
 * conversations; their details; and, some at a time until there is enough for one answer, their messages and changes,
 * in as many steps as their pages need (page.h). Decides what is left for the next call. What came to a conversation
 * after it was read is left out of the answer, so that an entry agrees with itself.
 *
 * The walk is in order of sort_time, of groups of active_at, which later transactions give later values than the table
 * `activity` says now (batch_tick), whatever the clock does. It is taken a moment before the commit, so a conversation
 * may become visible after the walk has passed its time; and a time in `recalls` is not moved for each change. A walk
 * that has ended therefore gives a cursor SYNC_MARGIN_MS behind that table. One that has to stop nearer to it than that
 * goes on from where it stopped, for else it might never end, but remembers in its cursor how far to go back once it
 * has ended.
 */
#include "core/base.h"
#include "store/sync_priv.h"

#include <stdlib.h>

#include "core/log.h"
#include "store/change.h"
#include "store/sql.h"
#include "store/store_priv.h"

#define SYNC_MARGIN_MS (10000 + RECALLS_BEHIND_MS)
/* A change as JSON. */
#define CHANGE_BYTES 160
/* A conversation's id leaves these bits of a cursor's id; they hold how many milliseconds to go back. */
#define BACK_SHIFT (63 - MESSAGE_SEQ_BITS)
#define BACK_MAX ((INT64_C(1) << (64 - BACK_SHIFT)) - 1)

/* ---- the conversations ---- */

static bool picks(const struct sync *s, bool (*is_of_kind)(uint64_t id))
{
	for (size_t i = 0; i < s->count; i++)
		if (is_of_kind(s->pick[i].id))
			return true;
	return false;
}

static void put_picks(struct buf *text, const struct sync *s, bool (*is_of_kind)(uint64_t id))
{
	bool first = true;
	sql_lit(text, " IN (");
	for (size_t i = 0; i < s->count; i++) {
		if (!is_of_kind(s->pick[i].id))
			continue;
		sql_comma(text, &first);
		sql_u64(text, s->pick[i].id);
	}
	buf_append_char(text, ')');
}

static void build_conversations(struct sync *s)
{
	struct buf *text = &s->read.text;
	buf_clear(text);
	s->step = SYNC_CONVERSATIONS;
	s->stmt_count = 0;
	s->item = arena_alloc(&s->read.arena, s->count * sizeof(*s->item));
	s->view = arena_alloc(&s->read.arena, s->count * sizeof(*s->view));
	if (picks(s, sync_is_direct)) {
		sync_begin_stmt(s, STMT_DIRECT);
		query_put_conversations(text, s->user, SETTINGS_TOO, "conversations c FORCE INDEX (PRIMARY)", STR_NULL);
		sql_lit(text, " WHERE c.id");
		put_picks(text, s, sync_is_direct);
		sql_lit(text, " AND ");
		query_put_is_party(text, s->user);
	}
	if (picks(s, sync_is_group)) {
		sync_begin_stmt(s, STMT_GROUPS);
		query_put_groups(text, SETTINGS_TOO, STR_LIT("members g FORCE INDEX (PRIMARY)"));
		sql_lit(text, " WHERE g.user_id=");
		sql_str(text, s->user);
		sql_lit(text, " AND g.conversation_id");
		put_picks(text, s, sync_is_group);
	}
}

static void got_conversation(struct sync *s, enum sync_stmt stmt, struct row *row)
{
	struct view v;
	if (stmt == STMT_GROUPS)
		query_take_group(row, &s->read.arena, &v);
	else
		query_take_conversation(row, &s->read.arena, s->user, &v);
	for (size_t i = 0; i < s->count; i++) {
		if (s->pick[i].id == v.c.id) {
			s->view[i] = v;
			s->pick[i].loaded = true;
		}
	}
}

/* What the user is no party to any more is not asked about further. */
static void drop_not_loaded(struct sync *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->count; i++) {
		if (!s->pick[i].loaded) {
			if (s->pick[i].have != NULL)
				s->is_party[s->pick[i].have - s->have] = false;
			continue;
		}
		s->pick[kept] = s->pick[i];
		s->view[kept++] = s->view[i];
	}
	s->count = kept;
}

/* ---- their content ---- */

static void begin_page(struct sync *s, size_t index)
{
	struct pick *p = &s->pick[index];
	p->begun = true;
	p->change = arena_alloc(&s->read.arena, (s->limit + 1) * sizeof(*p->change));
	const struct conversation *c = &s->view[index].c;
	uint64_t over_seq = p->have != NULL ? p->have->seq : 0;
	if (over_seq < c->first_seq - 1)
		over_seq = c->first_seq - 1;
	page_init(&p->page, &s->read.arena, s->user, p->id, over_seq, c->last_seq + 1, p->have == NULL, s->limit);
	page_set_read(&p->page, c->read_seq, c->peer_read_seq);
}

static void put_changes_of(struct sync *s, const struct pick *p, struct str audience, const struct conversation *c)
{
	struct buf *text = &s->read.text;
	sql_lit(text, "(SELECT change_seq,message_id,kind,at FROM changes FORCE INDEX (by_audience) WHERE "
		      "conversation_id=");
	sql_u64(text, p->id);
	sql_lit(text, " AND audience=");
	sql_str(text, audience);
	sql_lit(text, " AND change_seq>");
	sql_u64(text, p->have->change_seq);
	sql_lit(text, " AND change_seq<=");
	sql_u64(text, c->change_seq);
	if (c->first_seq > 1) {
		sql_lit(text, " AND message_id>=");
		sql_u64(text, message_id_make(c->id, c->first_seq));
	}
	buf_printf(text, " ORDER BY change_seq LIMIT %u)", s->limit + 1);
}

/* Those of all, and the caller's own; of messages that the caller may see. */
static void put_changes(struct sync *s, const struct pick *p, const struct conversation *c)
{
	struct buf *text = &s->read.text;
	put_changes_of(s, p, STR_LIT(""), c);
	sql_lit(text, " UNION ALL ");
	put_changes_of(s, p, s->user, c);
	buf_printf(text, " ORDER BY change_seq LIMIT %u", s->limit + 1);
}

static void add_parts(struct sync *s, struct pick *p, enum part_kind kind, unsigned stmts)
{
	for (unsigned i = 0; i < stmts; i++) {
		ASSERT(s->part_count < ARRAY_LEN(s->part));
		s->part[s->part_count++] = (struct part){p, kind, i};
	}
}

static void begin_part(struct buf *text)
{
	if (text->len != 0)
		buf_append_char(text, ';');
}

static void put_updated(struct sync *s, struct pick *p)
{
	p->asked_for_updated = true;
	begin_part(&s->read.text);
	by_id_put(&p->updated, &s->read.text);
	add_parts(s, p, PART_UPDATED, BY_ID_STMTS);
}

static void put_content(struct sync *s, size_t index)
{
	struct pick *p = &s->pick[index];
	struct buf *text = &s->read.text;
	bool first_step = !p->begun;
	if (first_step)
		begin_page(s, index);
	/* A client that lists nothing of it gets the messages as they are now. */
	if (first_step && p->have != NULL) {
		begin_part(text);
		put_changes(s, p, &s->view[index].c);
		add_parts(s, p, PART_CHANGES, 1);
	} else if (p->updated.count != 0 && !p->asked_for_updated) {
		put_updated(s, p);
	}
	if (!p->page_done) {
		begin_part(text);
		add_parts(s, p, PART_PAGE, page_put(&p->page, text));
	}
}

static void build_content(struct sync *s)
{
	size_t chunk = CHUNK_MESSAGES / s->limit;
	chunk = chunk > CHUNK_MAX ? CHUNK_MAX : chunk < 1 ? 1 : chunk;
	buf_clear(&s->read.text);
	s->step = SYNC_CONTENT;
	s->part_count = 0;
	for (s->asked = s->kept; s->asked < s->count && s->asked < s->kept + chunk; s->asked++)
		if (!s->pick[s->asked].complete)
			put_content(s, s->asked);
}

static void restart_content(struct sync *s)
{
	for (unsigned i = 0; i < s->part_count; i++) {
		struct pick *p = s->part[i].pick;
		if (s->part[i].kind == PART_CHANGES)
			p->change_count = 0;
		else if (s->part[i].kind == PART_UPDATED)
			by_id_restart(&p->updated);
		else
			page_restart(&p->page);
	}
}

static void got_change(struct sync *s, struct pick *p, struct row *row)
{
	if (p->change_count > s->limit)
		return;
	struct store_sync_change *c = &p->change[p->change_count++];
	c->change_seq = row_take_u64(row);
	c->message_id = row_take_u64(row);
	uint64_t kind = row_take_u64(row);
	c->kind = kind < CHANGE_KINDS ? (enum change_kind)kind : CHANGE_READ;
	c->at_ms = row_take_ms(row);
}

static void got_content(struct sync *s, unsigned stmt, struct row *row)
{
	ASSERT(stmt < s->part_count);
	const struct part *part = &s->part[stmt];
	if (part->kind == PART_CHANGES)
		got_change(s, part->pick, row);
	else if (part->kind == PART_UPDATED)
		by_id_row(&part->pick->updated, &s->read.arena, part->stmt, row);
	else
		page_row(&part->pick->page, &s->read.arena, part->stmt, row);
}

/* Those that are told, without one too many. */
static size_t changes_of(const struct sync *s, const struct pick *p)
{
	return p->change_count > s->limit ? s->limit : p->change_count;
}

/* Which messages the changes are about, each once. What the user has deleted they do not see. */
static void list_updated(struct sync *s, struct pick *p)
{
	struct by_id *u = &p->updated;
	size_t n = changes_of(s, p);
	u->user = s->user;
	u->item = arena_alloc(&s->read.arena, n * sizeof(*u->item));
	for (size_t i = 0; i < n; i++) {
		const struct store_sync_change *c = &p->change[i];
		size_t k = 0;
		while (k < u->count && u->item[k].id != c->message_id)
			k++;
		if (k == u->count && c->kind != CHANGE_DELETED)
			u->item[u->count++] =
				(struct by_id_item){.id = c->message_id, .peer = str_from(s->view[p - s->pick].c.peer)};
	}
}

/* After a round trip. */
static void step_content(struct sync *s)
{
	for (unsigned i = 0; i < s->part_count; i++) {
		struct pick *p = s->part[i].pick;
		if (s->part[i].stmt != 0)
			continue;
		if (s->part[i].kind == PART_PAGE)
			p->page_done = page_step(&p->page);
		else if (s->part[i].kind == PART_CHANGES)
			list_updated(s, p);
	}
	for (unsigned i = 0; i < s->part_count; i++) {
		struct pick *p = s->part[i].pick;
		p->complete = p->page_done && (p->updated.count == 0 || p->asked_for_updated);
	}
	s->part_count = 0;
}

/*
 * As many changes as there is room for, with the messages that they are about: changes to one message are one message,
 * in the place of the first of them.
 */
static void keep_changes(struct sync *s, struct pick *p, struct store_sync_item *item)
{
	const struct by_id *u = &p->updated;
	size_t changes = changes_of(s, p), next = 0;
	struct message *updated = arena_alloc(&s->read.arena, u->count * sizeof(*updated));
	item->change = p->change;
	item->updated = updated;
	for (; item->change_count < changes; item->change_count++) {
		bool first = next < u->count && u->item[next].id == p->change[item->change_count].message_id;
		const struct message *m = first ? by_id_message(u, next) : NULL;
		if (!answer_takes(&s->answer, CHANGE_BYTES + (m != NULL ? answer_message_size(m) : 0)))
			break;
		if (m != NULL)
			updated[item->updated_count++] = *m;
		next += first;
	}
	item->has_more |= item->change_count < p->change_count;
}

/* Takes as much of the next pick into the answer as there is room for: with its conversation one message at least, or
 * one change. */
static void keep_item(struct sync *s)
{
	struct pick *pick = &s->pick[s->kept];
	struct page *p = &pick->page;
	struct store_sync_item *item = &s->item[s->kept];
	item->conversation = s->view[s->kept].c;
	size_t n = 0, size = answer_conversation_size(&item->conversation);
	if (p->count != 0)
		size += answer_message_size(&p->message[n++]);
	if (!answer_takes(&s->answer, size)) {
		s->enough = true;
		return;
	}
	keep_changes(s, pick, item);
	while (n < p->count && answer_takes(&s->answer, answer_message_size(&p->message[n])))
		n++;
	s->enough = s->answer.full;
	item->message = p->message;
	item->message_count = n;
	item->has_more |= p->has_more || n < p->count;
	if (p->backwards)
		page_reverse(p, n);
	s->kept++;
}

/* ---- the answer ---- */

static struct store_cursor next_cursor(const struct sync *s)
{
	const struct store_cursor safe = {s->activity_ms - SYNC_MARGIN_MS, 0};
	if (!s->has_since)
		return safe;
	int64_t back_to_ms = s->back_to_ms != 0 && s->back_to_ms < safe.ms ? s->back_to_ms : safe.ms;
	if (!s->more)
		return (struct store_cursor){back_to_ms, 0};
	struct store_cursor at = s->walked_to;
	if (s->kept < s->count)
		at = s->kept > 0 && s->pick[s->kept - 1].place.ms != 0 ? s->pick[s->kept - 1].place : s->since;
	int64_t back = at.ms - back_to_ms;
	if (back > 0 && (at.ms > safe.ms || s->back_to_ms != 0))
		at.id |= (uint64_t)(back < BACK_MAX ? back : BACK_MAX) << BACK_SHIFT;
	return at;
}

/* Each once. */
static void find_gone(struct sync *s, struct store_synced *out)
{
	uint64_t *gone = arena_alloc(&s->read.arena, (s->have_count + 1) * sizeof(*gone));
	for (size_t i = 0; i < s->have_count; i++) {
		bool again = s->is_party[i];
		for (size_t j = 0; j < out->gone_count && !again; j++)
			again = gone[j] == s->have[i].id;
		if (!again)
			gone[out->gone_count++] = s->have[i].id;
	}
	out->gone = gone;
}

static void answer(struct sync *s)
{
	s->more = s->more || s->kept < s->count;
	struct store_synced out = {
		.status = STORE_OK,
		.item = s->item,
		.count = s->kept,
		.more = s->more,
		.cursor = next_cursor(s),
	};
	find_gone(s, &out);
	s->fn(&out, s->arg);
}

static void sync_restart(struct read *r)
{
	struct sync *s = container_of(r, struct sync, read);
	if (s->step == SYNC_FIND)
		sync_find_restart(s);
	else if (s->step == SYNC_DETAILS)
		details_restart(&s->details);
	restart_content(s);
}

static void sync_row(struct read *r, unsigned stmt, struct row *row)
{
	struct sync *s = container_of(r, struct sync, read);
	if (s->step == SYNC_CONVERSATIONS)
		got_conversation(s, s->stmt[stmt], row);
	else if (s->step == SYNC_DETAILS)
		details_row(&s->details, &s->read.arena, stmt, row);
	else if (s->step == SYNC_CONTENT)
		got_content(s, stmt, row);
	else
		sync_find_row(s, s->stmt[stmt], row);
}

/* False: there is nothing more to ask. */
static bool build_next(struct sync *s)
{
	if (s->step == SYNC_FIND && s->count > 0) {
		build_conversations(s);
		return true;
	}
	if (s->step == SYNC_CONVERSATIONS) {
		drop_not_loaded(s);
		s->step = SYNC_DETAILS;
		if (details_put(&s->details, &s->read, s->view, s->count))
			return true;
	}
	step_content(s);
	while (s->kept < s->asked && s->pick[s->kept].complete && !s->enough)
		keep_item(s);
	if (s->kept < s->count && !s->enough) {
		build_content(s);
		return true;
	}
	return false;
}

static void sync_done(struct read *r, enum store_status status)
{
	struct sync *s = container_of(r, struct sync, read);
	if (status != STORE_OK) {
		const struct store_synced out = {.status = status};
		s->fn(&out, s->arg);
	} else if (build_next(s)) {
		pool_again(r);
	} else {
		answer(s);
	}
}

static int by_id(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	return x->id != y->id ? (x->id < y->id ? -1 : 1) : x->index < y->index ? -1 : 1;
}

static void keep_listed(struct sync *s, const struct store_sync_request *p)
{
	struct arena *a = &s->read.arena;
	s->have_count = p->have_count;
	s->have = arena_alloc(a, (p->have_count + 1) * sizeof(*s->have));
	s->is_party = arena_alloc(a, (p->have_count + 1) * sizeof(*s->is_party));
	s->listed = arena_alloc(a, (p->have_count + 1) * sizeof(*s->listed));
	for (size_t i = 0; i < p->have_count; i++) {
		s->have[i] = p->have[i];
		s->listed[i] = (struct listed){p->have[i].id, i};
	}
	qsort(s->listed, s->have_count, sizeof(*s->listed), by_id);
}

void store_sync(struct store *store, const struct store_sync_request *p, store_synced_fn *fn, void *arg)
{
	struct sync *s = read_new(store->pool, p->user, sizeof(*s));
	s->read.restart = sync_restart;
	s->read.row = sync_row;
	s->read.done = sync_done;
	s->fn = fn;
	s->arg = arg;
	s->user = s->read.user;
	keep_listed(s, p);
	s->has_since = p->has_since;
	s->since = (struct store_cursor){p->since.ms, p->since.id & CONVERSATION_ID_MAX};
	int64_t back = (int64_t)(p->since.id >> BACK_SHIFT);
	s->back_to_ms = back != 0 && back < p->since.ms ? p->since.ms - back : 0;
	s->limit = p->limit != 0 ? p->limit : 1;
	sync_find_build(s);
	pool_submit(&s->read);
}
