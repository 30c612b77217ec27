/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The members of a group, page by page. A page with a query goes through the members in steps of MEMBERS_STEP, each at
 * the user's next turn, until it is full or has seen all; without a query one step is enough.
 */
#include "core/base.h"
#include "store/group.h"

#include "store/answer.h"
#include "store/people_priv.h"
#include "store/query.h"
#include "store/sql.h"
#include "store/store_priv.h"

#define MEMBERS_STEP 2000

enum { STMT_CALLER, STMT_MEMBERS, STMT_STEP_END };

struct list_members {
	struct read read;
	store_members_fn *fn;
	void *arg;
	uint64_t conversation_id;
	unsigned limit;
	struct str query; /* absent: all members */
	struct group_member_cursor after;
	bool is_member;
	struct group_member *item;
	size_t count;
	bool has_more;
	struct answer answer;
	/* Before the step, which may begin anew. */
	size_t count_before;
	struct answer answer_before;
	bool step_ended; /* there are members after the step: it ends at this one */
	struct group_member_cursor step_end;
};

static void members_restart(struct read *r)
{
	struct list_members *l = container_of(r, struct list_members, read);
	l->is_member = l->has_more = l->step_ended = false;
	l->count = l->count_before;
	l->answer = l->answer_before;
}

static enum group_role take_role(struct row *row)
{
	uint64_t role = row_take_u64(row);
	return role == GROUP_OWNER || role == GROUP_ADMIN ? (enum group_role)role : GROUP_MEMBER;
}

static void member_row(struct list_members *l, struct row *row)
{
	char user[USER_ID_MAX + 1];
	l->has_more |= l->count == l->limit;
	if (l->has_more)
		return;
	struct group_member *m = &l->item[l->count];
	row_take_user(row, user);
	m->role = take_role(row);
	m->joined_ms = row_take_ms(row);
	m->muted_until_ms = row_take_ms(row);
	row_take_profile(row, &l->read.arena, str_from(user), &m->user);
	l->has_more = !answer_takes(&l->answer, answer_profile_size(&m->user));
	l->count += !l->has_more;
}

static void members_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_members *l = container_of(r, struct list_members, read);
	if (stmt == STMT_CALLER) {
		l->is_member = true;
	} else if (stmt == STMT_MEMBERS) {
		member_row(l, row);
	} else {
		l->step_ended = true;
		l->step_end.role = take_role(row);
		row_take_user(row, l->step_end.user_id);
	}
}

/* "members g … in order, those after the last one". The two ranges are of one index. */
static void put_members_after(struct buf *text, const struct list_members *l)
{
	sql_lit(text, "members g FORCE INDEX (by_conversation) WHERE ");
	if (l->after.role != GROUP_NO_ROLE) {
		sql_lit(text, "(g.conversation_id=");
		sql_u64(text, l->conversation_id);
		sql_lit(text, " AND g.role=");
		sql_u64(text, l->after.role);
		sql_lit(text, " AND g.user_id>");
		sql_str(text, str_from(l->after.user_id));
		sql_lit(text, ") OR (g.conversation_id=");
		sql_u64(text, l->conversation_id);
		sql_lit(text, " AND g.role>");
		sql_u64(text, l->after.role);
		buf_append_char(text, ')');
	} else {
		sql_lit(text, "g.conversation_id=");
		sql_u64(text, l->conversation_id);
	}
	sql_lit(text, " ORDER BY g.role,g.user_id LIMIT ");
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.s[i] >= 0x80)
			return false;
	return true;
}

static void put_matches(struct buf *text, struct str query)
{
	sql_lit(text, " WHERE ");
	/* No id begins with another text; and MariaDB refuses to compare one with a column that is ASCII. */
	if (is_ascii(query)) {
		sql_lit(text, "g.user_id LIKE ");
		sql_like(text, "", query, "%");
		sql_lit(text, " OR ");
	}
	sql_lit(text, "u.nickname COLLATE utf8mb4_general_ci LIKE ");
	sql_like(text, "%", query, "%");
}

static void members_put(struct list_members *l)
{
	struct buf *text = &l->read.text;
	buf_clear(text);
	sql_lit(text, "SELECT 1 FROM members g FORCE INDEX (PRIMARY) WHERE ");
	query_put_is_member(text, l->read.user, l->conversation_id);
	sql_lit(text,
		";SELECT "
		"g.user_id,g.role,g.joined_at,IF(g.muted_until>UTC_TIMESTAMP(3),g.muted_until,NULL)," PROFILE_COLUMNS
		" FROM (SELECT g.user_id,g.role,g.joined_at,g.muted_until FROM ");
	put_members_after(text, l);
	sql_u64(text, l->query.s != NULL ? MEMBERS_STEP : l->limit + 1);
	sql_lit(text, ") g LEFT JOIN users u ON u.id=g.user_id");
	if (l->query.s != NULL)
		put_matches(text, l->query);
	sql_lit(text, " ORDER BY g.role,g.user_id LIMIT ");
	sql_u64(text, l->limit + 1 - l->count);
	if (l->query.s == NULL)
		return;
	sql_lit(text, ";SELECT g.role,g.user_id FROM ");
	put_members_after(text, l);
	buf_printf(text, "%d,1", MEMBERS_STEP - 1);
}

static void members_done(struct read *r, enum store_status status)
{
	struct list_members *l = container_of(r, struct list_members, read);
	struct store_members out = {.status = status == STORE_OK && !l->is_member ? STORE_NOT_FOUND : status};
	if (out.status == STORE_OK) {
		if (l->step_ended && !l->has_more) {
			l->after = l->step_end;
			l->count_before = l->count;
			l->answer_before = l->answer;
			members_put(l);
			pool_again(r);
			return;
		}
		out.item = l->item;
		out.count = l->count;
		out.has_more = l->has_more;
	}
	l->fn(&out, l->arg);
}

void store_list_members(struct store *s, struct str user, uint64_t conversation_id, unsigned limit,
			const struct group_member_cursor *after, struct str query, store_members_fn *fn, void *arg)
{
	struct list_members *l = read_new(s->pool, user, sizeof(*l));
	l->read.restart = members_restart;
	l->read.row = members_row;
	l->read.done = members_done;
	l->fn = fn;
	l->arg = arg;
	l->conversation_id = conversation_id;
	l->limit = limit;
	l->query = arena_str(&l->read.arena, query);
	l->after = *after;
	l->item = arena_alloc(&l->read.arena, (limit + 1) * sizeof(*l->item));
	if (!conversation_is_group(conversation_id)) {
		pool_refuse(&l->read, STORE_NOT_FOUND);
		return;
	}
	members_put(l);
	pool_submit(&l->read);
}
