/* SPDX-License-Identifier: BSD-2-Clause */
/* A user's friends, whom they block, and the requests to and from them. All page by key. */
#include "core/base.h"
#include "store/people_priv.h"

#include "core/json.h"
#include "store/answer.h"
#include "store/sql.h"
#include "store/store_priv.h"

/* ---- friends ---- */

struct list_friends {
	struct read read;
	store_befriended_fn *fn;
	void *arg;
	unsigned limit;
	size_t count;
	bool has_more;
	struct answer answer;
	struct befriended *item;
};

static void friends_restart(struct read *r)
{
	struct list_friends *l = container_of(r, struct list_friends, read);
	l->count = 0;
	l->has_more = false;
	l->answer = (struct answer){0};
}

static void friends_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_friends *l = container_of(r, struct list_friends, read);
	(void)stmt;
	l->has_more |= l->count == l->limit;
	if (l->has_more)
		return;
	char peer[USER_ID_MAX + 1];
	struct befriended *f = &l->item[l->count];
	row_take_user(row, peer);
	f->blocked = row_take_bool(row);
	f->since_ms = row_take_ms(row);
	f->blocks_user = row_take_bool(row);
	f->last_seen_ms = row_take_ms(row);
	row_take_profile(row, &r->arena, str_from(peer), &f->peer);
	l->has_more = !answer_takes(&l->answer, answer_profile_size(&f->peer));
	l->count += !l->has_more;
}

static void friends_done(struct read *r, enum store_status status)
{
	struct list_friends *l = container_of(r, struct list_friends, read);
	struct store_befriended out = {.status = status};
	if (status == STORE_OK) {
		out.item = l->item;
		out.has_more = l->has_more;
		out.count = l->count;
	}
	l->fn(&out, l->arg);
}

void store_list_friends(struct store *s, struct str user, unsigned limit, struct str after, store_befriended_fn *fn,
			void *arg)
{
	struct list_friends *l = read_new(s->pool, user, sizeof(*l));
	struct buf *text = &l->read.text;
	l->read.restart = friends_restart;
	l->read.row = friends_row;
	l->read.done = friends_done;
	l->fn = fn;
	l->arg = arg;
	l->limit = limit;
	l->item = arena_alloc(&l->read.arena, (limit + 1) * sizeof(*l->item));
	sql_lit(text, "SELECT a.friend_id,a.blocked OR EXISTS(SELECT 1 FROM blocks k WHERE k.user_id=a.user_id AND "
		      "k.blocked_id=a.friend_id),a.created_at,b.blocked OR EXISTS(SELECT 1 FROM blocks k WHERE "
		      "k.user_id=a.friend_id AND k.blocked_id=a.user_id),u.last_seen," PROFILE_COLUMNS
		      " FROM friendships a FORCE INDEX (PRIMARY) STRAIGHT_JOIN friendships b FORCE INDEX (PRIMARY)"
		      " ON b.user_id=a.friend_id AND b.friend_id=");
	sql_str(text, user);
	sql_lit(text, " LEFT JOIN users u ON u.id=a.friend_id WHERE a.user_id=");
	sql_str(text, user);
	if (after.s != NULL) {
		sql_lit(text, " AND a.friend_id>");
		sql_str(text, after);
	}
	sql_lit(text, " ORDER BY a.friend_id LIMIT ");
	sql_u64(text, limit + 1);
	pool_submit(&l->read);
}

/* ---- blocked ---- */

struct list_blocked {
	struct read read;
	store_profiles_fn *fn;
	void *arg;
	unsigned limit;
	size_t count;
	bool has_more;
	struct answer answer;
	struct profile *item;
};

static void blocked_restart(struct read *r)
{
	struct list_blocked *l = container_of(r, struct list_blocked, read);
	l->count = 0;
	l->has_more = false;
	l->answer = (struct answer){0};
}

static void blocked_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_blocked *l = container_of(r, struct list_blocked, read);
	(void)stmt;
	l->has_more |= l->count == l->limit;
	if (l->has_more)
		return;
	char user[USER_ID_MAX + 1];
	struct profile *p = &l->item[l->count];
	row_take_user(row, user);
	row_take_profile(row, &r->arena, str_from(user), p);
	l->has_more = !answer_takes(&l->answer, answer_profile_size(p));
	l->count += !l->has_more;
}

static void blocked_done(struct read *r, enum store_status status)
{
	struct list_blocked *l = container_of(r, struct list_blocked, read);
	struct store_profiles out = {.status = status};
	if (status == STORE_OK) {
		out.item = l->item;
		out.has_more = l->has_more;
		out.count = l->count;
	}
	l->fn(&out, l->arg);
}

/* The page as one of the two tables has it. */
static void put_blocked_page(struct buf *text, const char *select, const char *id, struct str user, struct str after,
			     unsigned limit)
{
	buf_printf(text, "(%s", select);
	sql_str(text, user);
	if (after.s != NULL) {
		buf_printf(text, " AND %s>", id);
		sql_str(text, after);
	}
	buf_printf(text, " ORDER BY %s LIMIT %u)", id, limit + 1);
}

void store_list_blocked(struct store *s, struct str user, unsigned limit, struct str after, store_profiles_fn *fn,
			void *arg)
{
	struct list_blocked *l = read_new(s->pool, user, sizeof(*l));
	struct buf *text = &l->read.text;
	l->read.restart = blocked_restart;
	l->read.row = blocked_row;
	l->read.done = blocked_done;
	l->fn = fn;
	l->arg = arg;
	l->limit = limit;
	l->item = arena_alloc(&l->read.arena, (limit + 1) * sizeof(*l->item));
	sql_lit(text, "SELECT b.id," PROFILE_COLUMNS " FROM (");
	put_blocked_page(text, "SELECT blocked_id AS id FROM blocks WHERE user_id=", "blocked_id", user, after, limit);
	sql_lit(text, " UNION ");
	put_blocked_page(text,
			 "SELECT friend_id FROM friendships FORCE INDEX (by_blocked) WHERE blocked=1 AND user_id=",
			 "friend_id", user, after, limit);
	sql_lit(text, " ORDER BY id LIMIT ");
	sql_u64(text, limit + 1);
	sql_lit(text, ") b LEFT JOIN users u ON u.id=b.id ORDER BY b.id");
	pool_submit(&l->read);
}

/* ---- requests ---- */

struct list_requests {
	struct read read;
	store_friend_requests_fn *fn;
	void *arg;
	unsigned limit;
	size_t count;
	bool has_more;
	struct answer answer;
	struct friend_request *item;
};

static void requests_restart(struct read *r)
{
	struct list_requests *l = container_of(r, struct list_requests, read);
	l->count = 0;
	l->has_more = false;
	l->answer = (struct answer){0};
}

static void requests_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_requests *l = container_of(r, struct list_requests, read);
	(void)stmt;
	l->has_more |= l->count == l->limit;
	if (l->has_more)
		return;
	char peer[USER_ID_MAX + 1];
	struct friend_request *q = &l->item[l->count];
	q->id = row_take_u64(row);
	row_take_user(row, peer);
	q->note = arena_str(&r->arena, row_take_str(row));
	q->created_ms = row_take_ms(row);
	row_take_profile(row, &r->arena, str_from(peer), &q->peer);
	l->has_more = !answer_takes(&l->answer, answer_profile_size(&q->peer) + json_str_size(q->note));
	l->count += !l->has_more;
}

static void requests_done(struct read *r, enum store_status status)
{
	struct list_requests *l = container_of(r, struct list_requests, read);
	struct store_friend_requests out = {.status = status};
	if (status == STORE_OK) {
		out.item = l->item;
		out.has_more = l->has_more;
		out.count = l->count;
	}
	l->fn(&out, l->arg);
}

void store_list_friend_requests(struct store *s, struct str user, bool outgoing, unsigned limit, uint64_t before,
				store_friend_requests_fn *fn, void *arg)
{
	struct list_requests *l = read_new(s->pool, user, sizeof(*l));
	struct buf *text = &l->read.text;
	const char *own = outgoing ? "from_user_id" : "to_user_id", *peer = outgoing ? "to_user_id" : "from_user_id";
	l->read.restart = requests_restart;
	l->read.row = requests_row;
	l->read.done = requests_done;
	l->fn = fn;
	l->arg = arg;
	l->limit = limit;
	l->item = arena_alloc(&l->read.arena, (limit + 1) * sizeof(*l->item));
	buf_printf(text,
		   "SELECT r.id,r.%s,r.note,r.created_at," PROFILE_COLUMNS " FROM friend_requests r FORCE INDEX (%s)"
		   " LEFT JOIN users u ON u.id=r.%s WHERE r.%s=",
		   peer, outgoing ? "outgoing" : "incoming", peer, own);
	sql_str(text, user);
	if (before != 0) {
		sql_lit(text, " AND r.id<");
		sql_u64(text, before);
	}
	sql_lit(text, " ORDER BY r.id DESC LIMIT ");
	sql_u64(text, limit + 1);
	pool_submit(&l->read);
}
