/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is banned from a group, who asks to join it, the codes that invite to it, and what a code shows to a stranger. */
#include "core/base.h"
#include "store/group.h"

#include "store/answer.h"
#include "store/people_priv.h"
#include "store/query.h"
#include "store/sql.h"
#include "store/store_priv.h"

enum { STMT_CALLER, STMT_LIST };

static bool is_admin(enum group_role role)
{
	return role == GROUP_OWNER || role == GROUP_ADMIN;
}

/* ---- bans and requests ---- */

struct list_entries {
	struct read read;
	store_group_entries_fn *fn;
	void *arg;
	unsigned limit;
	enum group_role role; /* the caller's; GROUP_NO_ROLE: no member */
	struct group_entry *item;
	size_t count;
	bool has_more;
	struct answer answer;
};

static void entries_restart(struct read *r)
{
	struct list_entries *l = container_of(r, struct list_entries, read);
	l->role = GROUP_NO_ROLE;
	l->count = 0;
	l->has_more = false;
	l->answer = (struct answer){0};
}

static void entries_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_entries *l = container_of(r, struct list_entries, read);
	if (stmt == STMT_CALLER) {
		l->role = (enum group_role)row_take_u64(row);
		return;
	}
	l->has_more |= l->count == l->limit;
	if (l->has_more)
		return;
	char user[USER_ID_MAX + 1];
	struct group_entry *e = &l->item[l->count];
	row_take_user(row, user);
	row_take_user(row, e->by);
	e->created_ms = row_take_ms(row);
	row_take_profile(row, &r->arena, str_from(user), &e->user);
	l->has_more = !answer_takes(&l->answer, answer_profile_size(&e->user));
	l->count += !l->has_more;
}

static void entries_done(struct read *r, enum store_status status)
{
	struct list_entries *l = container_of(r, struct list_entries, read);
	if (status == STORE_OK && !is_admin(l->role))
		status = l->role == GROUP_NO_ROLE ? STORE_NOT_FOUND : STORE_ROLE;
	struct store_group_entries out = {.status = status};
	if (status == STORE_OK) {
		out.item = l->item;
		out.count = l->count;
		out.has_more = l->has_more;
	}
	l->fn(&out, l->arg);
}

/* `select` is "SELECT …", up to where its FROM follows. */
static void list_entries(struct store *s, const char *select, const char *table, struct str user,
			 uint64_t conversation_id, unsigned limit, struct str after, store_group_entries_fn *fn,
			 void *arg)
{
	struct list_entries *l = read_new(s->pool, user, sizeof(*l));
	struct buf *text = &l->read.text;
	l->read.restart = entries_restart;
	l->read.row = entries_row;
	l->read.done = entries_done;
	l->fn = fn;
	l->arg = arg;
	l->limit = limit;
	l->item = arena_alloc(&l->read.arena, (limit + 1) * sizeof(*l->item));
	if (!conversation_is_group(conversation_id)) {
		pool_refuse(&l->read, STORE_NOT_FOUND);
		return;
	}
	sql_lit(text, "SELECT g.role FROM members g FORCE INDEX (PRIMARY) WHERE ");
	query_put_is_member(text, user, conversation_id);
	buf_printf(text,
		   ";SELECT %s,e.created_at," PROFILE_COLUMNS " FROM %s e FORCE INDEX (PRIMARY) LEFT JOIN users u ON "
		   "u.id=e.user_id WHERE e.conversation_id=",
		   select, table);
	sql_u64(text, conversation_id);
	if (after.s != NULL) {
		sql_lit(text, " AND e.user_id>");
		sql_str(text, after);
	}
	sql_lit(text, " ORDER BY e.user_id LIMIT ");
	sql_u64(text, limit + 1);
	pool_submit(&l->read);
}

void store_list_bans(struct store *s, struct str user, uint64_t conversation_id, unsigned limit, struct str after,
		     store_group_entries_fn *fn, void *arg)
{
	list_entries(s, "e.user_id,e.banned_by", "group_bans", user, conversation_id, limit, after, fn, arg);
}

void store_list_join_requests(struct store *s, struct str user, uint64_t conversation_id, unsigned limit,
			      struct str after, store_group_entries_fn *fn, void *arg)
{
	list_entries(s, "e.user_id,''", "group_requests", user, conversation_id, limit, after, fn, arg);
}

/* ---- codes ---- */

/* Of group_invites AS i. */
#define INVITE_CAN_BE_USED                                                                                             \
	"(i.expires_at IS NULL OR i.expires_at>UTC_TIMESTAMP(3)) AND (i.max_uses IS NULL OR i.uses<i.max_uses)"

struct list_invites {
	struct read read;
	store_invites_fn *fn;
	void *arg;
	enum group_role role;
	bool admins_invite, dissolved;
	struct group_invite *item;
	size_t count;
};

static void invites_restart(struct read *r)
{
	struct list_invites *l = container_of(r, struct list_invites, read);
	l->role = GROUP_NO_ROLE;
	l->count = 0;
}

static void invites_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_invites *l = container_of(r, struct list_invites, read);
	if (stmt == STMT_CALLER) {
		l->role = (enum group_role)row_take_u64(row);
		l->admins_invite = row_take_bool(row);
		l->dissolved = row_take_bool(row);
		return;
	}
	struct str code = row_take_str(row);
	if (l->count == GROUP_INVITES_MAX || code.len > GROUP_CODE_LEN)
		return;
	struct group_invite *i = &l->item[l->count++];
	*i = (struct group_invite){.code = ""};
	memcpy(i->code, code.s, code.len);
	row_take_user(row, i->created_by);
	i->created_ms = row_take_ms(row);
	i->expires_ms = row_take_ms(row);
	i->max_uses = row_take_u64(row);
	i->uses = row_take_u64(row);
}

static void invites_done(struct read *r, enum store_status status)
{
	struct list_invites *l = container_of(r, struct list_invites, read);
	if (status == STORE_OK && l->role == GROUP_NO_ROLE)
		status = STORE_NOT_FOUND;
	else if (status == STORE_OK && l->admins_invite && !is_admin(l->role))
		status = STORE_ROLE;
	struct store_invites out = {.status = status};
	if (status == STORE_OK) {
		out.item = l->item;
		out.count = l->dissolved ? 0 : l->count;
	}
	l->fn(&out, l->arg);
}

void store_list_invites(struct store *s, struct str user, uint64_t conversation_id, store_invites_fn *fn, void *arg)
{
	struct list_invites *l = read_new(s->pool, user, sizeof(*l));
	struct buf *text = &l->read.text;
	l->read.restart = invites_restart;
	l->read.row = invites_row;
	l->read.done = invites_done;
	l->fn = fn;
	l->arg = arg;
	l->item = arena_alloc(&l->read.arena, GROUP_INVITES_MAX * sizeof(*l->item));
	if (!conversation_is_group(conversation_id)) {
		pool_refuse(&l->read, STORE_NOT_FOUND);
		return;
	}
	sql_lit(text, "SELECT g.role,h.add_policy,h.dissolved_at IS NOT NULL FROM members g FORCE INDEX (PRIMARY) JOIN "
		      "group_heads h ON h.id=g.conversation_id WHERE ");
	query_put_is_member(text, user, conversation_id);
	sql_lit(text,
		";SELECT i.code,i.created_by,i.created_at,i.expires_at,i.max_uses,i.uses FROM group_invites i FORCE "
		"INDEX (by_conversation) WHERE i.conversation_id=");
	sql_u64(text, conversation_id);
	sql_lit(text, " AND " INVITE_CAN_BE_USED " ORDER BY i.created_at DESC LIMIT ");
	sql_u64(text, GROUP_INVITES_MAX);
	pool_submit(&l->read);
}

/* ---- what a code shows ---- */

struct look {
	struct read read;
	store_invite_fn *fn;
	void *arg;
	struct store_invite_seen seen;
};

static void look_restart(struct read *r)
{
	container_of(r, struct look, read)->seen = (struct store_invite_seen){.status = STORE_NOT_FOUND};
}

static void look_row(struct read *r, unsigned stmt, struct row *row)
{
	struct store_invite_seen *seen = &container_of(r, struct look, read)->seen;
	(void)stmt;
	seen->conversation_id = row_take_u64(row);
	seen->name = arena_str(&r->arena, row_take_str(row));
	seen->avatar_url = arena_str(&r->arena, row_take_str(row));
	seen->about = arena_str(&r->arena, row_take_str(row));
	seen->member_count = row_take_u64(row);
	seen->status = row_take_bool(row) ? STORE_BANNED : STORE_OK;
}

static void look_done(struct read *r, enum store_status status)
{
	struct look *l = container_of(r, struct look, read);
	const struct store_invite_seen nothing = {.status = status != STORE_OK ? status : l->seen.status};
	l->fn(nothing.status == STORE_OK ? &l->seen : &nothing, l->arg);
}

static bool code_is_well_formed(struct str code)
{
	for (size_t i = 0; i < code.len; i++)
		if (code.s[i] <= ' ' || code.s[i] > '~')
			return false;
	return code.len == GROUP_CODE_LEN;
}

void store_look_at_invite(struct store *s, struct str user, struct str code, store_invite_fn *fn, void *arg)
{
	struct look *l = read_new(s->pool, user, sizeof(*l));
	struct buf *text = &l->read.text;
	l->read.restart = look_restart;
	l->read.row = look_row;
	l->read.done = look_done;
	l->fn = fn;
	l->arg = arg;
	l->seen.status = STORE_NOT_FOUND;
	if (!code_is_well_formed(code)) {
		pool_refuse(&l->read, STORE_NOT_FOUND);
		return;
	}
	sql_lit(text,
		"SELECT i.conversation_id,p.name,p.avatar_url,p.about,h.member_count,EXISTS(SELECT 1 FROM group_bans b "
		"WHERE b.conversation_id=i.conversation_id AND b.user_id=");
	sql_str(text, user);
	sql_lit(text, ") FROM group_invites i JOIN group_heads h ON h.id=i.conversation_id JOIN group_profiles p ON "
		      "p.id=i.conversation_id WHERE i.code=");
	sql_str(text, code);
	sql_lit(text, " AND h.dissolved_at IS NULL AND " INVITE_CAN_BE_USED);
	pool_submit(&l->read);
}
