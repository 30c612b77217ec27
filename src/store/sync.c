/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Catching up, in three steps: which conversations differ from what the client has
 * or were active since its cursor; these conversations; and, some at a time until there is enough
 * for one answer, their messages and changes.
 *
 * The cursor stays SYNC_MARGIN_MS behind the database's clock, for a message's time is
 * taken a moment before it commits.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include "core/clock.h"
#include "store/query.h"
#include "store/sql.h"

#define SYNC_MARGIN_MS 10000
/* Messages and changes of so many conversations are asked for at once. */
#define CHUNK 4
/* From so many bytes of messages on, the rest is for the next call. */
#define ENOUGH_BYTES ((size_t)1024 * 1024)

enum sync_step { SYNC_FIND, SYNC_CONVERSATIONS, SYNC_CONTENT };

/* A conversation of the answer. */
struct pick {
	const struct store_sync_have *have; /* NULL: not listed by the client */
	uint64_t id;
	struct store_cursor place; /* in the walk; not listed */
	bool loaded;
	unsigned messages, changes; /* with the one too many that tells of more */
};

struct sync {
	struct read read;
	store_synced_fn *fn;
	void *arg;
	struct str user;
	struct store_sync_have *have;
	size_t have_count;
	bool has_since;
	struct store_cursor since;
	unsigned limit;

	enum sync_step step;
	int64_t now_ms;
	bool more; /* the walk or the list goes on beyond the picks */
	struct pick pick[STORE_SYNC_ITEMS_MAX];
	struct store_sync_item *item; /* of the same index */
	size_t count;		      /* picks */
	size_t asked, got;	      /* of them: content */
	size_t bytes;
};

/* ---- which ones ---- */

static void put_not_listed(struct buf *text, const struct sync *s, const char *column)
{
	if (s->have_count == 0)
		return;
	buf_printf(text, " AND %s NOT IN (", column);
	for (size_t i = 0; i < s->have_count; i++) {
		if (i != 0)
			buf_append_char(text, ',');
		sql_u64(text, s->have[i].id);
	}
	buf_append_char(text, ')');
}

static void put_walk(struct buf *text, const struct sync *s, const char *from, const char *user, const char *time,
		     const char *id)
{
	buf_printf(text, "(SELECT %s AS id,%s AS t FROM %s WHERE %s=", id, time, from, user);
	sql_str(text, s->user);
	buf_printf(text, " AND %s>=", time);
	sql_time(text, s->since.ms != 0 ? s->since.ms : 1);
	buf_printf(text, " AND (%s>", time);
	sql_time(text, s->since.ms != 0 ? s->since.ms : 1);
	buf_printf(text, " OR %s>", id);
	sql_u64(text, s->since.id);
	buf_append_char(text, ')');
	put_not_listed(text, s, id);
	buf_printf(text, " ORDER BY %s,%s LIMIT %d)", time, id, STORE_SYNC_ITEMS_MAX + 1);
}

static void build_find(struct sync *s)
{
	struct buf *text = &s->read.text;
	buf_clear(text);
	s->step = SYNC_FIND;
	sql_lit(text,
		"SELECT UTC_TIMESTAMP(3);SELECT c.id,c.last_seq,c.change_seq FROM conversations c WHERE c.id IN (0");
	for (size_t i = 0; i < s->have_count; i++) {
		buf_append_char(text, ',');
		sql_u64(text, s->have[i].id);
	}
	sql_lit(text, ") AND ");
	query_put_is_party(text, s->user);
	sql_lit(text, " ORDER BY c.id");
	if (!s->has_since)
		return;
	sql_lit(text, ";");
	put_walk(text, s, "conversations FORCE INDEX (by_user1)", "user1_id", "sort_time", "id");
	sql_lit(text, " UNION ALL ");
	put_walk(text, s, "conversations FORCE INDEX (by_user2)", "user2_id", "sort_time", "id");
	sql_lit(text, " UNION ALL ");
	put_walk(text, s, "recalls FORCE INDEX (PRIMARY)", "user_id", "recalled_at", "conversation_id");
	buf_printf(text, " ORDER BY t,id LIMIT %d", STORE_SYNC_ITEMS_MAX + 1);
}

static void add_pick(struct sync *s, struct pick pick)
{
	if (s->count == STORE_SYNC_ITEMS_MAX)
		s->more = true;
	else
		s->pick[s->count++] = pick;
}

static void found_listed(struct sync *s, struct row *row)
{
	uint64_t id = row_take_u64(row), last_seq = row_take_u64(row), change_seq = row_take_u64(row);
	for (size_t i = 0; i < s->have_count; i++) {
		const struct store_sync_have *h = &s->have[i];
		if (h->id != id)
			continue;
		if (last_seq > h->seq || change_seq > h->change_seq)
			add_pick(s, (struct pick){.have = h, .id = id});
		return;
	}
}

static void found_walked(struct sync *s, struct row *row)
{
	uint64_t id = row_take_u64(row);
	int64_t ms = row_take_ms(row);
	/* Once is enough for one that was written to and recalled from. */
	for (size_t i = 0; i < s->count; i++) {
		if (s->pick[i].id == id && s->pick[i].have == NULL) {
			if (!s->more)
				s->pick[i].place = (struct store_cursor){ms, id};
			return;
		}
	}
	add_pick(s, (struct pick){.id = id, .place = {ms, id}});
}

/* ---- their content ---- */

static void build_conversations(struct sync *s)
{
	struct buf *text = &s->read.text;
	buf_clear(text);
	s->step = SYNC_CONVERSATIONS;
	s->item = arena_alloc(&s->read.arena, s->count * sizeof(*s->item));
	query_put_conversations(text, s->user, "conversations c", STR_NULL);
	sql_lit(text, " WHERE c.id IN (");
	for (size_t i = 0; i < s->count; i++) {
		if (i != 0)
			buf_append_char(text, ',');
		sql_u64(text, s->pick[i].id);
	}
	sql_lit(text, ") AND ");
	query_put_is_party(text, s->user);
}

static void put_messages(struct sync *s, const struct pick *p)
{
	struct buf *text = &s->read.text;
	sql_lit(text, "SELECT " MESSAGE_COLUMNS " FROM messages m FORCE INDEX (PRIMARY) WHERE ");
	query_put_range(text, p->id, p->have != NULL ? p->have->seq : 0, UINT64_MAX);
	sql_lit(text, " AND ");
	query_put_visible(text, s->user);
	if (p->have != NULL)
		sql_lit(text, " ORDER BY m.id LIMIT ");
	else
		sql_lit(text, " ORDER BY m.id DESC LIMIT ");
	sql_u64(text, s->limit + 1);
}

static void put_changes(struct sync *s, const struct pick *p)
{
	struct buf *text = &s->read.text;
	sql_lit(text, "SELECT change_seq,message_id,kind,at FROM changes WHERE conversation_id=");
	sql_u64(text, p->id);
	sql_lit(text, " AND change_seq>");
	/* Whoever lists nothing of it gets the messages as they are now. */
	sql_u64(text, p->have != NULL ? p->have->change_seq : UINT64_MAX);
	sql_lit(text, " AND (kind<>2 OR user_id=");
	sql_str(text, s->user);
	buf_printf(text, ") ORDER BY change_seq LIMIT %u", s->limit + 1);
}

static void build_content(struct sync *s)
{
	buf_clear(&s->read.text);
	s->step = SYNC_CONTENT;
	s->asked = s->got;
	for (size_t i = s->got; i < s->count && i < s->got + CHUNK; i++) {
		struct store_sync_item *item = &s->item[i];
		item->message = arena_alloc(&s->read.arena, (s->limit + 1) * sizeof(*item->message));
		item->change = arena_alloc(&s->read.arena, (s->limit + 1) * sizeof(*item->change));
		s->pick[i].messages = s->pick[i].changes = 0;
		if (i != s->got)
			buf_append_char(&s->read.text, ';');
		put_messages(s, &s->pick[i]);
		buf_append_char(&s->read.text, ';');
		put_changes(s, &s->pick[i]);
		s->asked++;
	}
}

static void got_conversation(struct sync *s, struct row *row)
{
	struct conversation c;
	query_take_conversation(row, &s->read.arena, s->user, &c);
	for (size_t i = 0; i < s->count; i++) {
		if (s->pick[i].id == c.id) {
			s->item[i].conversation = c;
			s->pick[i].loaded = true;
		}
	}
}

static void got_content(struct sync *s, unsigned stmt, struct row *row)
{
	size_t i = s->got + stmt / 2;
	struct pick *p = &s->pick[i];
	if (stmt % 2 == 0) {
		struct message *m = (struct message *)&s->item[i].message[p->messages];
		if (p->messages <= s->limit && row_take_message(row, &s->read.arena, m)) {
			p->messages++;
			s->bytes += sizeof(*m) + m->content.len + m->media_url.len + m->extra.len;
		}
	} else if (p->changes <= s->limit) {
		struct store_sync_change *c = (struct store_sync_change *)&s->item[i].change[p->changes++];
		c->change_seq = row_take_u64(row);
		c->message_id = row_take_u64(row);
		uint64_t kind = row_take_u64(row);
		c->kind = kind <= CHANGE_DELETED ? (enum change_kind)kind : CHANGE_READ;
		c->at_ms = row_take_ms(row);
	}
}

/* Drops the one too many, and brings what came newest first into order. */
static void finish_item(struct sync *s, size_t i)
{
	struct store_sync_item *item = &s->item[i];
	const struct pick *p = &s->pick[i];
	struct message *m = (struct message *)item->message;
	item->message_count = p->messages > s->limit ? s->limit : p->messages;
	item->change_count = p->changes > s->limit ? s->limit : p->changes;
	item->has_more = p->messages > s->limit || p->changes > s->limit;
	for (size_t a = 0, b = item->message_count; p->have == NULL && a + 1 < b; a++) {
		struct message swapped = m[a];
		m[a] = m[--b];
		m[b] = swapped;
	}
}

/* ---- the answer ---- */

static struct store_cursor next_cursor(const struct sync *s)
{
	struct store_cursor safe = {s->now_ms - SYNC_MARGIN_MS, 0};
	if (!s->more)
		return safe;
	const struct pick *last = s->got > 0 ? &s->pick[s->got - 1] : NULL;
	struct store_cursor at = last != NULL && last->have == NULL ? last->place : s->has_since ? s->since : safe;
	return at.ms < safe.ms ? at : safe;
}

static void answer(struct sync *s)
{
	struct store_synced out = {.status = STORE_OK};
	size_t kept = 0;
	for (size_t i = 0; i < s->got; i++) {
		finish_item(s, i);
		if (s->pick[i].loaded)
			s->item[kept++] = s->item[i];
	}
	s->more = s->more || s->got < s->count;
	out.item = s->item;
	out.count = kept;
	out.more = s->more;
	out.cursor = next_cursor(s);
	s->fn(&out, s->arg);
}

static void sync_restart(struct read *r)
{
	struct sync *s = container_of(r, struct sync, read);
	if (s->step == SYNC_FIND) {
		s->count = 0;
		s->more = false;
	}
	for (size_t i = s->got; i < s->asked; i++)
		s->pick[i].messages = s->pick[i].changes = 0;
}

static void sync_row(struct read *r, unsigned stmt, struct row *row)
{
	struct sync *s = container_of(r, struct sync, read);
	if (s->step == SYNC_CONVERSATIONS)
		got_conversation(s, row);
	else if (s->step == SYNC_CONTENT)
		got_content(s, stmt, row);
	else if (stmt == 0)
		s->now_ms = row_take_ms(row) + clock_shift_ms();
	else if (stmt == 1)
		found_listed(s, row);
	else
		found_walked(s, row);
}

static void sync_done(struct read *r, enum store_status status)
{
	struct sync *s = container_of(r, struct sync, read);
	if (status != STORE_OK) {
		const struct store_synced out = {.status = status};
		s->fn(&out, s->arg);
		return;
	}
	if (s->step == SYNC_FIND && s->count > 0) {
		build_conversations(s);
		pool_again(r);
		return;
	}
	if (s->step == SYNC_CONTENT)
		s->got = s->asked;
	if (s->got < s->count && s->bytes < ENOUGH_BYTES) {
		build_content(s);
		pool_again(r);
		return;
	}
	answer(s);
}

void store_sync(struct store *store, const struct store_sync_request *p, store_synced_fn *fn, void *arg)
{
	struct sync *s = read_new(store->pool, sizeof(*s));
	s->read.restart = sync_restart;
	s->read.row = sync_row;
	s->read.done = sync_done;
	s->fn = fn;
	s->arg = arg;
	s->user = arena_str(&s->read.arena, p->user);
	s->have = arena_alloc(&s->read.arena, (p->have_count + 1) * sizeof(*s->have));
	for (size_t i = 0; i < p->have_count; i++)
		if (p->have[i].id <= CONVERSATION_ID_MAX)
			s->have[s->have_count++] = p->have[i];
	s->has_since = p->has_since;
	s->since = p->since;
	s->limit = p->limit;
	build_find(s);
	pool_submit(&s->read);
}
