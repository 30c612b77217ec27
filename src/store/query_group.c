/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups as their members see them, and in which groups users are. */
#include "core/base.h"
#include "store/group.h"

#include <stdlib.h>

#include "store/query.h"
#include "store/sql.h"
#include "store/store_priv.h"

/* ---- the row of a group ---- */

#define GROUP_COLUMNS                                                                                                  \
	"h.id,g.user_id,h.last_seq,h.last_message_time," GROUP_FIRST_SEQ                                               \
	",g.read_seq,h.change_seq,h.created_at,h.sort_time,"                                                           \
	"p.name,p.avatar_url,p.about,p.owner_id,g.role,h.member_count,g.joined_at,h.dissolved_at,h.join_policy,"       \
	"h.history_policy,h.send_policy,h.add_policy,h.slow_mode_secs,h.expires_in,h.uncounted_seq,h.all_seq,g."       \
	"deleted_seq,"                                                                                                 \
	"g.mention_seq,g.archived_seq,g.marked," UNREAD_BLOCKS

void query_put_groups(struct buf *text, enum query_settings settings, struct str from)
{
	sql_lit(text, "SELECT STRAIGHT_JOIN " GROUP_COLUMNS "," MESSAGE_COLUMNS);
	if (settings == SETTINGS_TOO) {
		buf_append_char(text, ',');
		query_put_settings(text);
	}
	sql_lit(text, " FROM ");
	buf_append_str(text, from);
	sql_lit(text, " JOIN group_heads h FORCE INDEX (PRIMARY) ON h.id=g.conversation_id"
		      " JOIN group_profiles p FORCE INDEX (PRIMARY) ON p.id=g.conversation_id" UNREAD_BLOCKS_JOIN
		      " LEFT JOIN messages m ON m.id=" GROUP_LAST_ID);
	if (settings == SETTINGS_TOO)
		sql_lit(text, " LEFT JOIN conversation_settings s FORCE INDEX (PRIMARY) ON s.user_id=g.user_id AND "
			      "s.conversation_id=g.conversation_id");
}

static void take_profile(struct row *row, struct arena *a, struct group *g)
{
	g->name = arena_str(a, row_take_str(row));
	g->avatar_url = arena_str(a, row_take_str(row));
	g->about = arena_str(a, row_take_str(row));
	row_take_user(row, g->owner);
}

static enum group_role take_role(struct row *row)
{
	uint64_t role = row_take_u64(row);
	return role == GROUP_OWNER || role == GROUP_ADMIN ? (enum group_role)role : GROUP_MEMBER;
}

static void take_settings(struct row *row, struct group_settings *s)
{
	uint64_t join = row_take_u64(row);
	s->join = join <= GROUP_JOIN_OPEN ? (enum group_join)join : GROUP_JOIN_INVITE;
	s->history_joined = row_take_bool(row);
	s->send_admins = row_take_bool(row);
	s->add_admins = row_take_bool(row);
	s->slow_mode_secs = (unsigned)row_take_u64(row);
}

void query_take_group(struct row *row, struct arena *a, struct view *out)
{
	struct conversation *c = &out->c;
	struct unread *u = &out->unread;
	*out = (struct view){.c.id = row_take_u64(row)};
	row_take_user(row, c->user);
	c->last_seq = row_take_u64(row);
	c->last_ms = row_take_ms(row);
	c->first_seq = row_take_u64(row);
	c->read_seq = row_take_u64(row);
	c->change_seq = row_take_u64(row);
	c->created_ms = row_take_ms(row);
	c->sort_ms = row_take_ms(row);
	take_profile(row, a, &c->group);
	c->group.role = take_role(row);
	c->group.member_count = row_take_u64(row);
	c->group.joined_ms = row_take_ms(row);
	c->group.dissolved_ms = row_take_ms(row);
	take_settings(row, &c->group.settings);
	c->settings.expires_in_secs = row_take_u64(row);
	*u = (struct unread){
		.user = arena_str(a, str_from(c->user)),
		.conversation_id = c->id,
		.last_seq = c->last_seq,
		.read_seq = unread_after(c->read_seq, c->first_seq),
	};
	u->uncounted_seq = row_take_u64(row);
	u->all_seq = row_take_u64(row);
	u->deleted_seq = row_take_u64(row);
	u->mention_seq = row_take_u64(row);
	query_take_own(row, out);
	unread_take_blocks(row, u);
	c->unread = unread_in_group(u);
	c->has_last = row_take_message(row, a, &c->last) && message_id_seq(c->last.id) >= c->first_seq;
	if (row->at < row->count)
		query_take_settings(row, a, out);
}

void query_put_is_member(struct buf *text, struct str user, uint64_t conversation_id)
{
	sql_lit(text, "g.user_id=");
	sql_str(text, user);
	sql_lit(text, " AND g.conversation_id=");
	sql_u64(text, conversation_id);
}

static void put_users(struct buf *text, const struct str *users, size_t n)
{
	bool first = true;
	sql_lit(text, "g.user_id IN (");
	for (size_t i = 0; i < n; i++) {
		sql_comma(text, &first);
		sql_str(text, users[i]);
	}
	buf_append_char(text, ')');
}

/* ---- as some of their members see them ---- */

struct group_views {
	struct read read;
	store_conversations_fn *fn;
	void *arg;
	struct view *view;
	size_t count, max;
	struct details details;
};

static void views_restart(struct read *r)
{
	struct group_views *v = container_of(r, struct group_views, read);
	if (v->details.asked)
		details_restart(&v->details);
	else
		v->count = 0;
}

static void views_row(struct read *r, unsigned stmt, struct row *row)
{
	struct group_views *v = container_of(r, struct group_views, read);
	if (v->details.asked)
		details_row(&v->details, &r->arena, stmt, row);
	else if (v->count < v->max)
		query_take_group(row, &r->arena, &v->view[v->count++]);
}

static void views_done(struct read *r, enum store_status status)
{
	struct group_views *v = container_of(r, struct group_views, read);
	struct store_conversations out = {.status = status};
	if (status == STORE_OK && !v->details.asked && details_put(&v->details, r, v->view, v->count)) {
		pool_again(r);
		return;
	}
	if (status == STORE_OK) {
		struct conversation *item = arena_alloc(&r->arena, (v->count + 1) * sizeof(*item));
		for (size_t i = 0; i < v->count; i++)
			item[i] = v->view[i].c;
		out.item = item;
		out.count = v->count;
	}
	v->fn(&out, v->arg);
}

void store_find_group_views(struct store *s, const struct group_viewer *who, size_t n, store_conversations_fn *fn,
			    void *arg)
{
	struct group_views *v = read_new(s->pool, STR_NULL, sizeof(*v));
	struct buf *text = &v->read.text;
	v->read.restart = views_restart;
	v->read.row = views_row;
	v->read.done = views_done;
	v->fn = fn;
	v->arg = arg;
	v->max = n;
	v->view = arena_alloc(&v->read.arena, (n + 1) * sizeof(*v->view));
	if (n == 0) {
		pool_refuse(&v->read, STORE_OK);
		return;
	}
	query_put_groups(text, SETTINGS_TOO, STR_LIT("members g FORCE INDEX (PRIMARY)"));
	for (size_t i = 0; i < n; i++) {
		buf_append_str(text, i == 0 ? STR_LIT(" WHERE (") : STR_LIT(" OR ("));
		query_put_is_member(text, who[i].user, who[i].conversation_id);
		buf_append_char(text, ')');
	}
	pool_submit(&v->read);
}

/* ---- as nobody ---- */

struct group_found {
	store_conversation_fn *fn;
	void *arg;
};

static void on_found(const struct store_conversations *r, void *arg)
{
	struct group_found f = *(struct group_found *)arg;
	enum store_status status = r->status == STORE_OK && r->count == 0 ? STORE_NOT_FOUND : r->status;
	f.fn(status, status == STORE_OK ? &r->item[0] : NULL, f.arg);
}

/* A row as of a member, who is made up. */
void store_find_group(struct store *s, uint64_t conversation_id, store_conversation_fn *fn, void *arg)
{
	struct group_views *v = read_new(s->pool, STR_NULL, sizeof(*v));
	struct group_found *f = arena_alloc(&v->read.arena, sizeof(*f));
	struct buf from = {0};
	*f = (struct group_found){fn, arg};
	v->read.restart = views_restart;
	v->read.row = views_row;
	v->read.done = views_done;
	v->fn = on_found;
	v->arg = f;
	v->max = 1;
	v->view = arena_alloc(&v->read.arena, sizeof(*v->view));
	sql_lit(&from, "(SELECT '' AS user_id,id AS conversation_id,");
	sql_u64(&from, GROUP_OWNER);
	sql_lit(&from, " AS role,created_at AS joined_at,1 AS first_seq,last_seq AS read_seq,0 AS deleted_seq,0 AS mention_seq,"
		       "NULL AS archived_seq,0 AS marked FROM group_heads WHERE id=");
	sql_u64(&from, conversation_id);
	sql_lit(&from, ") g");
	query_put_groups(&v->read.text, SETTINGS_LATER, (struct str){from.data, from.len});
	buf_fini(&from);
	pool_submit(&v->read);
}

/* ---- memberships ---- */

void store_is_member(struct store *s, struct str user, uint64_t conversation_id, store_count_fn *fn, void *arg)
{
	struct buf text = {0};
	sql_lit(&text, "SELECT COUNT(*) FROM members g FORCE INDEX (PRIMARY) WHERE ");
	query_put_is_member(&text, user, conversation_id);
	query_count(s->pool, user, (struct str){text.data, text.len}, fn, arg);
	buf_fini(&text);
}

struct asked_user {
	char id[USER_ID_MAX + 1];
	size_t index;
};

struct memberships {
	struct read read;
	store_memberships_fn *fn;
	void *arg;
	struct asked_user *asked; /* in order of id */
	size_t asked_count;
	struct group_membership *item;
	size_t count, room;
};

static int compare_asked(const void *a, const void *b)
{
	return strcmp(((const struct asked_user *)a)->id, ((const struct asked_user *)b)->id);
}

static void memberships_restart(struct read *r)
{
	container_of(r, struct memberships, read)->count = 0;
}

static struct group_membership *next_membership(struct memberships *m)
{
	if (m->count == m->room) {
		struct group_membership *old = m->item;
		m->room = m->room != 0 ? 2 * m->room : 64;
		m->item = arena_alloc(&m->read.arena, m->room * sizeof(*m->item));
		if (m->count != 0)
			memcpy(m->item, old, m->count * sizeof(*old));
	}
	return &m->item[m->count++];
}

static void memberships_row(struct read *r, unsigned stmt, struct row *row)
{
	struct memberships *m = container_of(r, struct memberships, read);
	struct asked_user key;
	(void)stmt;
	row_take_user(row, key.id);
	const struct asked_user *found = bsearch(&key, m->asked, m->asked_count, sizeof(key), compare_asked);
	if (found == NULL)
		return;
	struct group_membership *item = next_membership(m);
	item->user = found->index;
	item->conversation_id = row_take_u64(row);
	item->joined_seq = row_take_u64(row);
	item->first_seq = row_take_u64(row);
	item->last_seq = row_take_u64(row);
	item->member_count = row_take_u64(row);
}

static void memberships_done(struct read *r, enum store_status status)
{
	struct memberships *m = container_of(r, struct memberships, read);
	struct store_memberships out = {.status = status};
	if (status == STORE_OK) {
		out.item = m->item;
		out.count = m->count;
	}
	m->fn(&out, m->arg);
}

void store_find_memberships(struct store *s, const struct str *users, size_t n, store_memberships_fn *fn, void *arg)
{
	struct memberships *m = read_new(s->pool, STR_NULL, sizeof(*m));
	struct buf *text = &m->read.text;
	m->read.restart = memberships_restart;
	m->read.row = memberships_row;
	m->read.done = memberships_done;
	m->fn = fn;
	m->arg = arg;
	m->asked = arena_alloc(&m->read.arena, (n + 1) * sizeof(*m->asked));
	for (size_t i = 0; i < n; i++) {
		if (!id_user_valid(users[i]))
			continue;
		struct asked_user *u = &m->asked[m->asked_count++];
		memcpy(u->id, users[i].s, users[i].len);
		u->index = i;
	}
	if (m->asked_count == 0) {
		pool_refuse(&m->read, STORE_OK);
		return;
	}
	qsort(m->asked, m->asked_count, sizeof(*m->asked), compare_asked);
	sql_lit(text,
		"SELECT STRAIGHT_JOIN g.user_id,g.conversation_id,g.joined_seq,g.first_seq,h.last_seq,h.member_count "
		"FROM members g FORCE INDEX (PRIMARY) JOIN group_heads h FORCE INDEX (PRIMARY) ON "
		"h.id=g.conversation_id WHERE ");
	put_users(text, users, n);
	sql_lit(text, " ORDER BY g.user_id,g.conversation_id");
	pool_submit(&m->read);
}
