/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of a user's conversations, newest first. It pages by key. A page of each kind is read, and the two are
 * merged; then their details are read. A message to a group moves one row, no matter how many members it has, so the
 * user's groups are sorted when they are read.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/answer.h"
#include "store/query.h"
#include "store/sql.h"

enum { STMT_DIRECT, STMT_GROUPS, KINDS };

/* Of one kind. */
struct list_part {
	struct view *view;
	size_t count;
	bool cut; /* there are more than these */
	struct answer answer;
};

struct list {
	struct read read;
	store_conversations_fn *fn;
	void *arg;
	unsigned limit;
	struct store_cursor after;
	struct list_part part[KINDS];
	/* Of both kinds. */
	struct view *view;
	size_t count;
	bool has_more;
	struct details details;
};

static void list_restart(struct read *r)
{
	struct list *l = container_of(r, struct list, read);
	if (l->details.asked) {
		details_restart(&l->details);
		return;
	}
	for (unsigned i = 0; i < KINDS; i++) {
		l->part[i].count = 0;
		l->part[i].cut = false;
		l->part[i].answer = (struct answer){0};
	}
}

/* ---- what is asked ---- */

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

static void put_side(struct buf *text, const struct list *l, int side)
{
	buf_printf(text, "(SELECT id,sort_time FROM conversations FORCE INDEX (by_user%d) WHERE user%d_id=", side,
		   side);
	sql_str(text, l->read.user);
	put_after(text, l->after, "sort_time", "id");
	sql_lit(text, " ORDER BY sort_time DESC,id DESC LIMIT ");
	sql_u64(text, l->limit + 1);
	buf_append_char(text, ')');
}

static void put_direct(struct list *l)
{
	struct buf *text = &l->read.text, keys = {0};
	buf_append_char(&keys, '(');
	put_side(&keys, l, 1);
	sql_lit(&keys, " UNION ALL ");
	put_side(&keys, l, 2);
	sql_lit(&keys, " ORDER BY sort_time DESC,id DESC LIMIT ");
	sql_u64(&keys, l->limit + 1);
	sql_lit(&keys, ") k JOIN conversations c FORCE INDEX (PRIMARY) ON c.id=k.id");
	query_put_conversations(text, l->read.user, "", (struct str){keys.data, keys.len});
	buf_fini(&keys);
	sql_lit(text, " ORDER BY k.sort_time DESC,k.id DESC");
}

static void put_groups(struct list *l)
{
	struct buf *text = &l->read.text, keys = {0};
	sql_lit(&keys,
		"(SELECT id,sort_time FROM (SELECT STRAIGHT_JOIN g.conversation_id AS id,h.sort_time FROM members g "
		"FORCE INDEX (PRIMARY) JOIN group_heads h FORCE INDEX (PRIMARY) ON h.id=g.conversation_id WHERE "
		"g.user_id=");
	sql_str(&keys, l->read.user);
	put_after(&keys, l->after, "h.sort_time", "h.id");
	buf_printf(&keys,
		   " LIMIT %d) o ORDER BY sort_time DESC,id DESC LIMIT %u) k JOIN members g FORCE INDEX (PRIMARY) ON "
		   "g.conversation_id=k.id AND g.user_id=",
		   QUERY_GROUPS_MAX, l->limit + 1);
	sql_str(&keys, l->read.user);
	query_put_groups(text, (struct str){keys.data, keys.len});
	buf_fini(&keys);
	sql_lit(text, " ORDER BY k.sort_time DESC,k.id DESC");
}

/* ---- what is found ---- */

static void list_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list *l = container_of(r, struct list, read);
	if (l->details.asked) {
		details_row(&l->details, &r->arena, stmt, row);
		return;
	}
	struct list_part *p = &l->part[stmt];
	p->cut |= p->count == l->limit + 1;
	if (p->cut)
		return;
	struct view *v = &p->view[p->count];
	if (stmt == STMT_GROUPS)
		query_take_group(row, &r->arena, v);
	else
		query_take_conversation(row, &r->arena, r->user, v);
	p->cut = !answer_takes(&p->answer, answer_conversation_size(&v->c));
	p->count += !p->cut;
}

static bool is_newer(const struct conversation *a, const struct conversation *b)
{
	return a->sort_ms != b->sort_ms ? a->sort_ms > b->sort_ms : a->id > b->id;
}

/* Ends where a kind was cut, for what comes next may be of that kind. */
static void merge(struct list *l)
{
	size_t at[KINDS] = {0};
	for (;;) {
		int from = -1;
		for (int i = 0; i < KINDS; i++) {
			const struct list_part *p = &l->part[i];
			l->has_more |= at[i] == p->count && p->cut;
			if (at[i] < p->count &&
			    (from < 0 || is_newer(&p->view[at[i]].c, &l->part[from].view[at[from]].c)))
				from = i;
		}
		if (l->has_more || from < 0)
			return;
		l->has_more = l->count == l->limit;
		if (l->has_more)
			return;
		l->view[l->count++] = l->part[from].view[at[from]++];
	}
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

static void list_done(struct read *r, enum store_status status)
{
	struct list *l = container_of(r, struct list, read);
	struct store_conversations out = {.status = status};
	if (status == STORE_OK && !l->details.asked) {
		merge(l);
		if (details_put(&l->details, r, l->view, l->count)) {
			pool_again(r);
			return;
		}
	}
	if (status == STORE_OK) {
		fit(l);
		struct conversation *item = arena_alloc(&r->arena, (l->count + 1) * sizeof(*item));
		for (size_t i = 0; i < l->count; i++)
			item[i] = l->view[i].c;
		out.item = item;
		out.count = l->count;
		out.has_more = l->has_more;
		if (l->has_more)
			out.next = (struct store_cursor){item[l->count - 1].sort_ms, item[l->count - 1].id};
	}
	l->fn(&out, l->arg);
}

void store_list_conversations(struct store *s, struct str user, unsigned limit, struct store_cursor after,
			      store_conversations_fn *fn, void *arg)
{
	struct list *l = read_new(s->pool, user, sizeof(*l));
	struct arena *a = &l->read.arena;
	l->fn = fn;
	l->arg = arg;
	l->limit = limit;
	l->after = after;
	l->read.restart = list_restart;
	l->read.row = list_row;
	l->read.done = list_done;
	for (unsigned i = 0; i < KINDS; i++)
		l->part[i].view = arena_alloc(a, (limit + 1) * sizeof(*l->view));
	l->view = arena_alloc(a, (limit + 1) * sizeof(*l->view));
	put_direct(l);
	buf_append_char(&l->read.text, ';');
	put_groups(l);
	pool_submit(&l->read);
}
