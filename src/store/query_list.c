/* SPDX-License-Identifier: BSD-2-Clause */
/* The two lists: a user's conversations, newest first, and a conversation's messages. Both page by key. */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/query.h"
#include "store/sql.h"

struct list {
	struct read read;
	void *arg;
	struct str user;
	unsigned limit;
	bool backwards; /* the rows come newest first and are to be given oldest first */
	bool party;
	size_t count; /* up to limit + 1 */
	struct conversation *conversation;
	struct message *message;
	union {
		store_conversations_fn *conversations;
		store_history_fn *history;
	} cb;
};

static void list_restart(struct read *r)
{
	struct list *l = container_of(r, struct list, read);
	l->count = 0;
	l->party = false;
}

static struct list *list_new(struct pool *p, struct str user, unsigned limit, void *arg)
{
	struct list *l = read_new(p, user, sizeof(*l));
	l->read.restart = list_restart;
	l->arg = arg;
	l->limit = limit;
	l->user = l->read.user;
	return l;
}

/* ---- conversations ---- */

static void put_side(struct buf *text, const struct list *l, int side, struct store_cursor after)
{
	buf_printf(text, "(SELECT id,sort_time FROM conversations FORCE INDEX (by_user%d) WHERE user%d_id=", side,
		   side);
	sql_str(text, l->user);
	if (after.ms != 0) {
		sql_lit(text, " AND sort_time<=");
		sql_time(text, after.ms);
		sql_lit(text, " AND (sort_time<");
		sql_time(text, after.ms);
		sql_lit(text, " OR id<");
		sql_u64(text, after.id);
		buf_append_char(text, ')');
	}
	sql_lit(text, " ORDER BY sort_time DESC,id DESC LIMIT ");
	sql_u64(text, l->limit + 1);
	buf_append_char(text, ')');
}

static void conversations_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list *l = container_of(r, struct list, read);
	(void)stmt;
	if (l->count > l->limit)
		return;
	struct conversation *c = &l->conversation[l->count];
	query_take_conversation(row, &r->arena, l->user, c);
	l->count++;
}

static void conversations_done(struct read *r, enum store_status status)
{
	struct list *l = container_of(r, struct list, read);
	struct store_conversations out = {.status = status};
	if (status == STORE_OK) {
		out.has_more = l->count > l->limit;
		out.item = l->conversation;
		out.count = out.has_more ? l->limit : l->count;
		if (out.has_more)
			out.next = (struct store_cursor){out.item[out.count - 1].sort_ms, out.item[out.count - 1].id};
	}
	l->cb.conversations(&out, l->arg);
}

void store_list_conversations(struct store *s, struct str user, unsigned limit, struct store_cursor after,
			      store_conversations_fn *fn, void *arg)
{
	struct list *l = list_new(s->pool, user, limit, arg);
	struct buf *text = &l->read.text, keys = {0};
	l->cb.conversations = fn;
	l->read.row = conversations_row;
	l->read.done = conversations_done;
	l->conversation = arena_alloc(&l->read.arena, (limit + 1) * sizeof(*l->conversation));
	buf_append_char(&keys, '(');
	put_side(&keys, l, 1, after);
	sql_lit(&keys, " UNION ALL ");
	put_side(&keys, l, 2, after);
	sql_lit(&keys, " ORDER BY sort_time DESC,id DESC LIMIT ");
	sql_u64(&keys, limit + 1);
	sql_lit(&keys, ") k JOIN conversations c FORCE INDEX (PRIMARY) ON c.id=k.id");
	query_put_conversations(text, user, "", (struct str){keys.data, keys.len});
	buf_fini(&keys);
	sql_lit(text, " ORDER BY k.sort_time DESC,k.id DESC");
	pool_submit(&l->read);
}

/* ---- messages ---- */

static void history_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list *l = container_of(r, struct list, read);
	if (stmt == 0)
		l->party = true;
	else if (l->count <= l->limit && row_take_message(row, &r->arena, &l->message[l->count]))
		l->count++;
}

static void reverse(struct message *m, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct message swapped = m[i];
		m[i] = m[n - 1 - i];
		m[n - 1 - i] = swapped;
	}
}

static void history_done(struct read *r, enum store_status status)
{
	struct list *l = container_of(r, struct list, read);
	struct store_history out = {.status = status == STORE_OK && !l->party ? STORE_NOT_FOUND : status};
	if (out.status == STORE_OK) {
		out.has_more = l->count > l->limit;
		out.count = out.has_more ? l->limit : l->count;
		out.item = l->message;
		if (l->backwards)
			reverse(l->message, out.count);
	}
	l->cb.history(&out, l->arg);
}

void store_list_messages(struct store *s, struct str user, uint64_t conversation_id, uint64_t before, uint64_t after,
			 unsigned limit, store_history_fn *fn, void *arg)
{
	struct list *l = list_new(s->pool, user, limit, arg);
	struct buf *text = &l->read.text;
	l->cb.history = fn;
	l->read.row = history_row;
	l->read.done = history_done;
	if (conversation_id > CONVERSATION_ID_MAX) {
		pool_refuse(&l->read, STORE_NOT_FOUND);
		return;
	}
	l->backwards = after == STORE_NO_AFTER;
	l->message = arena_alloc(&l->read.arena, (limit + 1) * sizeof(*l->message));
	sql_lit(text, "SELECT 1 FROM conversations c WHERE c.id=");
	sql_u64(text, conversation_id);
	sql_lit(text, " AND ");
	query_put_is_party(text, user);
	sql_lit(text, ";SELECT " MESSAGE_COLUMNS " FROM messages m FORCE INDEX (PRIMARY) WHERE ");
	query_put_range(text, conversation_id, l->backwards ? 0 : after, before != 0 ? before : UINT64_MAX);
	sql_lit(text, " AND ");
	query_put_visible(text, user);
	if (l->backwards)
		sql_lit(text, " ORDER BY m.id DESC LIMIT ");
	else
		sql_lit(text, " ORDER BY m.id LIMIT ");
	sql_u64(text, limit + 1);
	pool_submit(&l->read);
}
