/* SPDX-License-Identifier: BSD-2-Clause */
/* Users: profiles, passwords, and when each was seen last. */
#include "core/base.h"
#include "store/people_priv.h"

#include <stdlib.h>

#include "core/clock.h"
#include "store/login_priv.h"
#include "store/media_priv.h"
#include "store/names.h"
#include "store/sql.h"
#include "store/store_priv.h"

void profile_unknown(struct profile *out, struct str user_id)
{
	ASSERT(user_id.len <= USER_ID_MAX);
	*out = (struct profile){.known = false};
	memcpy(out->user_id, user_id.s, user_id.len);
}

void row_take_profile(struct row *r, struct arena *a, struct str user_id, struct profile *out)
{
	profile_unknown(out, user_id);
	out->known = row_take_str(r).s != NULL;
	out->nickname = arena_str(a, row_take_str(r));
	out->avatar_url = arena_str(a, row_take_str(r));
	out->created_ms = row_take_ms(r);
}

void row_take_user_row(struct row *row, struct arena *a, struct str user, struct profile *profile,
		       struct store_user *out)
{
	row_take_profile(row, a, user, profile);
	out->profile = profile;
	out->password_hash = arena_str(a, row_take_str(row));
	out->last_seen_ms = row_take_ms(row);
}

/* ---- looking one up ---- */

struct find_user {
	struct read read;
	store_user_fn *fn;
	void *arg;
	struct str user;
	struct profile profile;
	struct store_user found;
};

static void find_restart(struct read *r)
{
	struct find_user *f = container_of(r, struct find_user, read);
	profile_unknown(&f->profile, f->user);
	f->found = (struct store_user){.profile = &f->profile};
}

static void find_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_user *f = container_of(r, struct find_user, read);
	(void)stmt;
	row_take_user_row(row, &r->arena, f->user, &f->profile, &f->found);
}

static void find_done(struct read *r, enum store_status status)
{
	struct find_user *f = container_of(r, struct find_user, read);
	f->found.status = status == STORE_OK && !f->profile.known ? STORE_NOT_FOUND : status;
	f->fn(&f->found, f->arg);
}

void store_look_up_user(struct store *s, struct str asker, struct str user, store_user_fn *fn, void *arg)
{
	struct find_user *f = read_new(s->pool, asker, sizeof(*f));
	struct buf *text = &f->read.text;
	f->read.restart = find_restart;
	f->read.row = find_row;
	f->read.done = find_done;
	f->fn = fn;
	f->arg = arg;
	f->user = arena_str(&f->read.arena, user);
	find_restart(&f->read);
	sql_lit(text, "SELECT " USER_COLUMNS " FROM users u WHERE u.id=");
	sql_str(text, user);
	pool_submit(&f->read);
}

void store_find_user(struct store *s, struct str user, store_user_fn *fn, void *arg)
{
	store_look_up_user(s, user, user, fn, arg);
}

/* ---- adding and changing one ---- */

/* Those who register take turns as one: no user's id has a space. */
#define REGISTERING STR_LIT(" registering")

struct put_user {
	struct txn txn;
	store_user_fn *fn;
	void *arg;
	struct str user;
	struct store_user_change change;
	struct profile profile;
	struct store_user now;
	int64_t db_ms;
	bool must_be_new; /* adding one: the id may not occur elsewhere */
	bool occurs;
	bool begins; /* adding one: with a login */
	struct login_begin begin;
	struct logins_end end;	    /* changing one's password */
	enum account_action action; /* of this try */
	/* What is answered of the two. */
	struct store_login login;
	struct login_change change_of_logins;
};

/* How many statements put_user_ask() writes, and change_ask() before those of logins_end_ask(). */
#define PUT_USER_STATEMENTS 2
#define CHANGE_STATEMENTS (PUT_USER_STATEMENTS + 1)

static void put_user_ask(struct txn *t, struct buf *text)
{
	struct put_user *p = container_of(t, struct put_user, txn);
	profile_unknown(&p->profile, p->user);
	p->now = (struct store_user){.profile = &p->profile};
	p->action = 0;
	sql_lit(text, "SELECT UTC_TIMESTAMP(3);SELECT " USER_COLUMNS " FROM users u WHERE u.id=");
	sql_str(text, p->user);
	sql_lit(text, " FOR UPDATE");
}

static void put_user_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct put_user *p = container_of(t, struct put_user, txn);
	if (stmt == 0)
		p->db_ms = row_take_ms(row);
	else
		row_take_user_row(row, &t->arena, p->user, &p->profile, &p->now);
}

/* One look-up by an index each. */
static void add_ask(struct txn *t, struct buf *text)
{
	static const char *const places[][2] = {
		{"friendships", "user_id"},	      {"friendships", "friend_id"},
		{"conversations", "user1_id"},	      {"conversations", "user2_id"},
		{"friend_requests", "to_user_id"},    {"friend_requests", "from_user_id"},
		{"friend_request_limits", "user_id"}, {"friend_declines", "to_user_id"},
		{"friend_declines", "from_user_id"},  {"blocks", "user_id"},
		{"notifications", "user_id"},	      {"notifications", "actor_id"},
	};
	struct put_user *p = container_of(t, struct put_user, txn);
	put_user_ask(t, text);
	p->occurs = false;
	buf_append_char(text, ';');
	p->begin.state = (struct user_state){0};
	if (p->begins)
		login_begin_ask(&p->begin, text);
	else
		user_state_ask(text, p->user, false);
	if (!p->must_be_new)
		return;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		buf_printf(text, "%sEXISTS(SELECT 1 FROM %s WHERE %s=", i == 0 ? ";SELECT " : " OR ", places[i][0],
			   places[i][1]);
		sql_str(text, p->user);
		buf_append_char(text, ')');
	}
}

static void add_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct put_user *p = container_of(t, struct put_user, txn);
	unsigned begin = PUT_USER_STATEMENTS + (p->begins ? LOGIN_BEGIN_STATEMENTS : 1);
	if (stmt < PUT_USER_STATEMENTS)
		put_user_row(t, stmt, row);
	else if (stmt < begin && !p->begins)
		row_take_user_state(row, &p->begin.state);
	else if (stmt < begin)
		login_begin_row(&p->begin, stmt - PUT_USER_STATEMENTS, row);
	else
		p->occurs = row_take_bool(row);
}

static void put_row(struct put_user *p, struct buf *text)
{
	const struct store_user_change *c = &p->change;
	sql_lit(text, "INSERT INTO users (id,nickname,avatar_url,password_hash,created_at) VALUES (");
	sql_str(text, p->user);
	buf_append_char(text, ',');
	sql_str(text, c->nickname);
	buf_append_char(text, ',');
	sql_str(text, c->avatar_url);
	buf_append_char(text, ',');
	sql_str(text, c->password_hash);
	buf_append_char(text, ',');
	sql_time(text, p->db_ms);
	buf_append_char(text, ')');
	names_put(text, p->user, c->nickname);
	p->action = ACCOUNT_CREATED;
	p->profile.known = true;
	p->profile.created_ms = p->db_ms;
	p->profile.nickname = c->nickname;
	p->profile.avatar_url = c->avatar_url;
	p->now.password_hash = c->password_hash;
}

static void begin_with(struct put_user *p, struct txn *t, struct buf *text)
{
	if (!p->begins)
		return;
	t->status = login_begin_put(&p->begin, t->uncertain, text);
	p->login = login_begin_result(&p->begin, p->profile.user_id);
	p->login.profile = &p->profile;
	p->now.login = &p->login;
}

static void add_decide(struct txn *t, struct buf *text)
{
	struct put_user *p = container_of(t, struct put_user, txn);
	const struct user_state *state = &p->begin.state;
	/* No two hashes are equal, for each has a salt of its own: this one is ours. So is a row without one that says
	 * the same. */
	bool ours = t->uncertain && p->profile.known && str_equal(p->now.password_hash, p->change.password_hash) &&
		    (p->now.password_hash.s != NULL || str_equal(p->profile.nickname, p->change.nickname));
	bool taken = p->profile.known || p->occurs || (p->must_be_new && state->disabled) || state->erased_ms != 0;
	if (taken && !ours) {
		t->status = STORE_TAKEN;
		return;
	}
	if (!ours)
		put_row(p, text);
	begin_with(p, t, text);
}

/* An assignment, where it changes anything. */
static void put_assignment(struct buf *text, bool *first, const char *column, struct str *now, struct str value)
{
	if (str_equal(*now, value))
		return;
	buf_append_str(text, *first ? STR_LIT("UPDATE users SET ") : STR_LIT(","));
	*first = false;
	buf_append_str(text, str_from(column));
	buf_append_char(text, '=');
	sql_str(text, value);
	*now = value;
}

static void change_ask(struct txn *t, struct buf *text)
{
	struct put_user *p = container_of(t, struct put_user, txn);
	put_user_ask(t, text);
	p->begin.state = (struct user_state){0};
	buf_append_char(text, ';');
	user_state_ask(text, p->user, false);
	if (!p->change.sets_password)
		return;
	buf_append_char(text, ';');
	logins_end_ask(&p->end, text);
}

static void change_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct put_user *p = container_of(t, struct put_user, txn);
	if (stmt < PUT_USER_STATEMENTS)
		put_user_row(t, stmt, row);
	else if (stmt < CHANGE_STATEMENTS)
		row_take_user_state(row, &p->begin.state);
	else
		logins_end_row(&p->end, stmt - CHANGE_STATEMENTS, row);
}

static void put_change(struct put_user *p, struct buf *text)
{
	const struct store_user_change *c = &p->change;
	struct arena *a = &p->txn.arena;
	struct str before = p->profile.avatar_url;
	bool first = true;
	if (!p->profile.known) {
		put_row(p, text);
		media_put_avatar(text, media_user_holder(a, p->user), STR_NULL, c->avatar_url);
		return;
	}
	if (c->sets_nickname)
		put_assignment(text, &first, "nickname", &p->profile.nickname, c->nickname);
	if (c->sets_avatar_url)
		put_assignment(text, &first, "avatar_url", &p->profile.avatar_url, c->avatar_url);
	/* A password is not shown. */
	if (!first)
		p->action = ACCOUNT_UPDATED;
	if (c->sets_password)
		put_assignment(text, &first, "password_hash", &p->now.password_hash, c->password_hash);
	if (first)
		return;
	sql_lit(text, " WHERE id=");
	sql_str(text, p->user);
	buf_append_char(text, ';');
	sql_expect(text, 1);
	if (c->sets_nickname)
		names_put(text, p->user, c->nickname);
	if (c->sets_avatar_url)
		media_put_avatar(text, media_user_holder(a, p->user), before, c->avatar_url);
}

static void change_decide(struct txn *t, struct buf *text)
{
	struct put_user *p = container_of(t, struct put_user, txn);
	const struct store_user_change *c = &p->change;
	bool ours = t->uncertain && str_equal(p->now.password_hash, c->password_hash);
	if (c->password_was.s != NULL && !ours && !str_equal(p->now.password_hash, c->password_was)) {
		t->status = STORE_FORBIDDEN;
		return;
	}
	/* A request that was under way makes no profile anew. */
	if (!p->profile.known && p->begin.state.erased_ms != 0) {
		t->status = STORE_NOT_FOUND;
		return;
	}
	put_change(p, text);
	if (!c->sets_password)
		return;
	logins_end_put(&p->end, text);
	p->change_of_logins = logins_end_change(&p->end, p->profile.user_id);
	p->now.change = &p->change_of_logins;
}

static void put_user_tell_hooks(const struct txn *t, struct buf *items)
{
	const struct put_user *p = container_of(t, struct put_user, txn);
	if (p->action != 0)
		outbox_put_about(items, OUTBOX_ACCOUNT, p->action, p->user);
}

static void put_user_answer(struct txn *t)
{
	struct put_user *p = container_of(t, struct put_user, txn);
	p->now.status = t->status;
	p->fn(&p->now, p->arg);
	login_begin_wipe(&p->begin);
}

static struct put_user *put_user_new(struct store *s, const struct txn_class *class, struct str asker, struct str user,
				     const struct store_user_change *c, store_user_fn *fn, void *arg)
{
	struct put_user *p = txn_new(s->txns, class, asker, sizeof(*p));
	struct arena *a = &p->txn.arena;
	p->fn = fn;
	p->arg = arg;
	p->user = arena_str(a, user);
	p->change = *c;
	p->change.nickname = arena_str(a, c->nickname);
	p->change.avatar_url = arena_str(a, c->avatar_url);
	p->change.password_hash = arena_str(a, c->password_hash);
	p->change.password_was = arena_str(a, c->password_was);
	p->end.asked =
		(struct store_end_logins){.user = p->user, .except = c->except_login, .why = LOGIN_PASSWORD_CHANGED};
	profile_unknown(&p->profile, user);
	p->now.profile = &p->profile;
	return p;
}

void store_add_user(struct store *s, const struct store_new_user *u, store_user_fn *fn, void *arg)
{
	static const struct txn_class class = {.name = "add user",
					       .ask = add_ask,
					       .row = add_row,
					       .decide = add_decide,
					       .answer = put_user_answer,
					       .tell_hooks = put_user_tell_hooks};
	const struct store_user_change c = {.nickname = u->nickname, .password_hash = u->password_hash};
	struct put_user *p = put_user_new(s, &class, REGISTERING, u->user, &c, fn, arg);
	p->must_be_new = u->must_be_new;
	p->begins = u->login != NULL;
	if (p->begins) {
		p->begin.conf = s->conf;
		p->begin.asked = store_login_ask_copy(&p->txn.arena, u->login);
	}
	txn_submit(&p->txn);
}

void store_change_user(struct store *s, struct str user, const struct store_user_change *c, store_user_fn *fn,
		       void *arg)
{
	static const struct txn_class class = {.name = "change user",
					       .ask = change_ask,
					       .row = change_row,
					       .decide = change_decide,
					       .answer = put_user_answer,
					       .tell_hooks = put_user_tell_hooks};
	txn_submit(&put_user_new(s, &class, user, user, c, fn, arg)->txn);
}
