/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of a user's conversations, newest first. It pages by key. */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/answer.h"
#include "store/query.h"
#include "store/sql.h"

struct list {
	struct read read;
	store_conversations_fn *fn;
	void *arg;
	struct str user;
	unsigned limit;
	size_t count;
	bool has_more;
	struct answer answer;
	struct conversation *conversation;
};

static void list_restart(struct read *r)
{
	struct list *l = container_of(r, struct list, read);
	l->count = 0;
	l->has_more = false;
	l->answer = (struct answer){0};
}

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
	l->has_more |= l->count == l->limit;
	if (l->has_more)
		return;
	struct conversation *c = &l->conversation[l->count];
	query_take_conversation(row, &r->arena, l->user, c);
	l->has_more = !answer_takes(&l->answer, answer_conversation_size(c));
	l->count += !l->has_more;
}

static void conversations_done(struct read *r, enum store_status status)
{
	struct list *l = container_of(r, struct list, read);
	struct store_conversations out = {.status = status};
	if (status == STORE_OK) {
		out.has_more = l->has_more;
		out.item = l->conversation;
		out.count = l->count;
		if (out.has_more)
			out.next = (struct store_cursor){out.item[out.count - 1].sort_ms, out.item[out.count - 1].id};
	}
	l->fn(&out, l->arg);
}

void store_list_conversations(struct store *s, struct str user, unsigned limit, struct store_cursor after,
			      store_conversations_fn *fn, void *arg)
{
	struct list *l = read_new(s->pool, user, sizeof(*l));
	struct buf *text = &l->read.text, keys = {0};
	l->fn = fn;
	l->arg = arg;
	l->limit = limit;
	l->user = l->read.user;
	l->read.restart = list_restart;
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
