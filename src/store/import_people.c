/* SPDX-License-Identifier: BSD-2-Clause */
/* Imports users and friendships: many rows a transaction. */
#include "core/base.h"
#include "store/import.h"

#include "core/clock.h"
#include "store/sql.h"
#include "store/store_priv.h"

struct import_people {
	struct txn txn;
	store_import_fn *fn;
	void *arg;
	size_t count;
	struct import_result *result;
	const struct import_user *user;		    /* either, */
	const struct import_friendship *friendship; /* or */
	/* What is there already: of the user a row, or the way from the user to the friend and the way back; and
	 * whether the user or the friend is erased. */
	struct found {
		bool row, forth, back, erased, friend_erased;
	} * found;
	int64_t db_ms;
};

static void people_answer(struct txn *t)
{
	struct import_people *p = container_of(t, struct import_people, txn);
	p->fn(t->status, t->status == STORE_OK ? p->result : NULL, p->arg);
}

static struct import_people *people_new(struct store *s, const struct txn_class *class, struct str asker, size_t count,
					store_import_fn *fn, void *arg)
{
	ASSERT(count != 0 && count <= IMPORT_ITEMS_MAX);
	struct import_people *p = txn_new(s->txns, class, asker, sizeof(*p));
	p->fn = fn;
	p->arg = arg;
	p->count = count;
	p->result = arena_alloc(&p->txn.arena, count * sizeof(*p->result));
	p->found = arena_alloc(&p->txn.arena, count * sizeof(*p->found));
	return p;
}

static void people_reset(struct import_people *p)
{
	memset(p->result, 0, p->count * sizeof(*p->result));
	memset(p->found, 0, p->count * sizeof(*p->found));
}

/* A row that a try of unknown outcome has made counts as made by this one. */
static enum import_outcome of_found(const struct import_people *p)
{
	return p->txn.uncertain ? IMPORT_DONE : IMPORT_SKIPPED;
}

static int64_t made_at(const struct import_people *p, int64_t created_ms)
{
	return created_ms != 0 ? created_ms : p->db_ms + clock_shift_ms();
}

static const char in_the_future[] = "created_at: is in the future";

static const char select_erased[] =
	"SELECT user_id FROM user_states FORCE INDEX (PRIMARY) WHERE erased_at IS NOT NULL AND user_id IN (";

/* ---- users ---- */

static void put_user_ids(const struct import_people *p, struct buf *text)
{
	for (size_t i = 0; i < p->count; i++) {
		if (i != 0)
			buf_append_char(text, ',');
		sql_str(text, p->user[i].user);
	}
	buf_append_char(text, ')');
}

static void users_ask(struct txn *t, struct buf *text)
{
	struct import_people *p = container_of(t, struct import_people, txn);
	people_reset(p);
	sql_lit(text, "SELECT UTC_TIMESTAMP(3);SELECT id FROM users FORCE INDEX (PRIMARY) WHERE id IN (");
	put_user_ids(p, text);
	buf_append_char(text, ';');
	buf_append_str(text, str_from(select_erased));
	put_user_ids(p, text);
}

static void users_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct import_people *p = container_of(t, struct import_people, txn);
	if (stmt == 0) {
		p->db_ms = row_take_ms(row);
		return;
	}
	struct str id = row_take_str(row);
	for (size_t i = 0; i < p->count; i++) {
		if (!str_equal(p->user[i].user, id))
			continue;
		p->found[i].row |= stmt == 1;
		p->found[i].erased |= stmt == 2;
	}
}

/* The same user comes earlier among these. */
static bool is_named_before(const struct import_people *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (p->result[k].outcome != IMPORT_REFUSED && str_equal(p->user[k].user, p->user[i].user))
			return true;
	return false;
}

static struct import_result judge_user(const struct import_people *p, size_t i)
{
	if (p->found[i].erased)
		return (struct import_result){IMPORT_REFUSED, .why = "user_id: was erased here"};
	if (p->found[i].row)
		return (struct import_result){of_found(p)};
	if (p->user[i].created_ms > made_at(p, 0))
		return (struct import_result){IMPORT_REFUSED, .why = in_the_future};
	return (struct import_result){is_named_before(p, i) ? IMPORT_SKIPPED : IMPORT_DONE};
}

static void users_decide(struct txn *t, struct buf *text)
{
	struct import_people *p = container_of(t, struct import_people, txn);
	bool first = true;
	for (size_t i = 0; i < p->count; i++) {
		const struct import_user *u = &p->user[i];
		p->result[i] = judge_user(p, i);
		if (p->result[i].outcome != IMPORT_DONE || p->found[i].row)
			continue;
		if (first)
			sql_lit(text, "INSERT INTO users (id,nickname,avatar_url,created_at) VALUES ");
		sql_comma(text, &first);
		buf_append_char(text, '(');
		sql_str(text, u->user);
		buf_append_char(text, ',');
		sql_str(text, u->nickname);
		buf_append_char(text, ',');
		sql_str(text, u->avatar_url);
		buf_append_char(text, ',');
		sql_time(text, made_at(p, u->created_ms));
		buf_append_char(text, ')');
	}
}

static void users_tell_hooks(const struct txn *t, struct buf *items)
{
	const struct import_people *p = container_of(t, struct import_people, txn);
	for (size_t i = 0; i < p->count; i++)
		if (p->result[i].outcome == IMPORT_DONE && !p->found[i].row)
			outbox_put_about(items, OUTBOX_ACCOUNT, ACCOUNT_CREATED, p->user[i].user);
}

void store_import_users(struct store *s, struct str asker, const struct import_user *item, size_t count,
			store_import_fn *fn, void *arg)
{
	static const struct txn_class class = {.name = "import of users",
					       .ask = users_ask,
					       .row = users_row,
					       .decide = users_decide,
					       .answer = people_answer,
					       .tell_hooks = users_tell_hooks};
	struct import_people *p = people_new(s, &class, asker, count, fn, arg);
	p->user = item;
	txn_submit(&p->txn);
}

/* ---- friendships ---- */

static void put_ways(const struct import_people *p, struct buf *text, bool back)
{
	sql_lit(text, "SELECT user_id,friend_id FROM friendships FORCE INDEX (PRIMARY) WHERE (user_id,friend_id) IN (");
	for (size_t i = 0; i < p->count; i++) {
		const struct import_friendship *f = &p->friendship[i];
		if (i != 0)
			buf_append_char(text, ',');
		sql_pair(text, back ? f->friend : f->user, back ? f->user : f->friend);
	}
	buf_append_char(text, ')');
}

static void friendships_ask(struct txn *t, struct buf *text)
{
	struct import_people *p = container_of(t, struct import_people, txn);
	people_reset(p);
	sql_lit(text, "SELECT UTC_TIMESTAMP(3);");
	put_ways(p, text, false);
	buf_append_char(text, ';');
	put_ways(p, text, true);
	buf_append_char(text, ';');
	buf_append_str(text, str_from(select_erased));
	for (size_t i = 0; i < p->count; i++) {
		if (i != 0)
			buf_append_char(text, ',');
		sql_str(text, p->friendship[i].user);
		buf_append_char(text, ',');
		sql_str(text, p->friendship[i].friend);
	}
	buf_append_char(text, ')');
}

static void note_way(struct import_people *p, struct str from, struct str to)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct import_friendship *f = &p->friendship[i];
		p->found[i].forth |= str_equal(f->user, from) && str_equal(f->friend, to);
		p->found[i].back |= str_equal(f->user, to) && str_equal(f->friend, from);
	}
}

static void note_erased(struct import_people *p, struct str user)
{
	for (size_t i = 0; i < p->count; i++) {
		p->found[i].erased |= str_equal(p->friendship[i].user, user);
		p->found[i].friend_erased |= str_equal(p->friendship[i].friend, user);
	}
}

static void friendships_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct import_people *p = container_of(t, struct import_people, txn);
	if (stmt == 0) {
		p->db_ms = row_take_ms(row);
		return;
	}
	struct str user = row_take_str(row);
	if (stmt == 3)
		note_erased(p, user);
	else
		note_way(p, user, row_take_str(row));
}

static void put_way(struct buf *text, bool *first, struct str from, struct str to, int64_t at_ms)
{
	if (*first)
		sql_lit(text, "INSERT INTO friendships (user_id,friend_id,created_at) VALUES ");
	sql_comma(text, first);
	buf_append_char(text, '(');
	sql_str(text, from);
	buf_append_char(text, ',');
	sql_str(text, to);
	buf_append_char(text, ',');
	sql_time(text, at_ms);
	buf_append_char(text, ')');
}

static struct import_result judge_friendship(const struct import_people *p, size_t i)
{
	const struct found *f = &p->found[i];
	if (f->erased || f->friend_erased)
		return (struct import_result){IMPORT_REFUSED, .why = f->erased ? "user_id: was erased here"
									       : "friend_id: was erased here"};
	if (f->forth && f->back)
		return (struct import_result){of_found(p)};
	if (p->friendship[i].created_ms > made_at(p, 0))
		return (struct import_result){IMPORT_REFUSED, .why = in_the_future};
	return (struct import_result){IMPORT_DONE};
}

static void friendships_decide(struct txn *t, struct buf *text)
{
	struct import_people *p = container_of(t, struct import_people, txn);
	bool first = true;
	for (size_t i = 0; i < p->count; i++) {
		const struct import_friendship *f = &p->friendship[i];
		p->result[i] = judge_friendship(p, i);
		if (p->result[i].outcome != IMPORT_DONE || (p->found[i].forth && p->found[i].back))
			continue;
		if (!p->found[i].forth)
			put_way(text, &first, f->user, f->friend, made_at(p, f->created_ms));
		if (!p->found[i].back)
			put_way(text, &first, f->friend, f->user, made_at(p, f->created_ms));
		note_way(p, f->user, f->friend);
		note_way(p, f->friend, f->user);
	}
}

void store_import_friendships(struct store *s, struct str asker, const struct import_friendship *item, size_t count,
			      store_import_fn *fn, void *arg)
{
	static const struct txn_class class = {"import of friendships", friendships_ask, friendships_row,
					       friendships_decide, people_answer};
	struct import_people *p = people_new(s, &class, asker, count, fn, arg);
	p->friendship = item;
	txn_submit(&p->txn);
}
