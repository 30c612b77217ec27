/* SPDX-License-Identifier: BSD-2-Clause */
/* How a login begins: its row, and the end of the longest unused one of too many. */
#include "core/base.h"
#include "store/login_priv.h"

#include <stdlib.h>

#include "store/people_priv.h"
#include "store/sql.h"
#include "store/store_priv.h"

/* Those that ended are kept, so that their refresh tokens say so; but not more of a user than this. */
#define ENDED_MAX 100
/* A login adds one of them, and a logout another. */
#define ENDED_DELETED_AT_ONCE 10

/* ---- as a part of a transaction ---- */

void login_begin_ask(struct login_begin *b, struct buf *text)
{
	b->taken = b->ours = false;
	b->state = (struct user_state){0};
	b->live = b->gone_count = 0;
	sql_lit(text, "SELECT ");
	sql_now(text);
	sql_lit(text, ";SELECT token_hash FROM logins WHERE id=");
	sql_u64(text, b->id);
	sql_lit(text, " FOR UPDATE;");
	user_state_ask(text, b->asked.user, false);
	sql_lit(text, ";SELECT id,tokens_until FROM logins FORCE INDEX (by_user) WHERE user_id=");
	sql_str(text, b->asked.user);
	sql_lit(text, " AND ended_at IS NULL ORDER BY last_used_at LIMIT ");
	sql_u64(text, LOGINS_TOLD_MAX);
	sql_lit(text, " FOR UPDATE");
}

void login_begin_row(struct login_begin *b, unsigned stmt, struct row *row)
{
	if (stmt == 0) {
		b->now_ms = row_take_ms(row);
	} else if (stmt == 1) {
		struct str hash = row_take_str(row);
		b->ours = hash.len == REFRESH_HASH_LEN &&
			  refresh_token_has_hash(&b->token, (const unsigned char *)hash.s);
		b->taken = !b->ours;
	} else if (stmt == 2) {
		row_take_user_state(row, &b->state);
	} else if (b->live < LOGINS_TOLD_MAX) {
		struct login_gone *g = &b->gone[b->live++];
		g->id = row_take_u64(row);
		g->refused_until_ms = row_take_ms(row);
		g->why = LOGIN_REPLACED;
	}
}

static void make_token(struct login_begin *b)
{
	/* After a revocation, also where the clock was set back since. */
	int64_t ms = b->now_ms > b->state.revoked_ms ? b->now_ms : b->state.revoked_ms + 1;
	b->id = id_make_at(ms);
	refresh_token_begin(&b->token, b->id, b->key);
	refresh_token_format(&b->token, b->text);
}

/* How long a token that is signed now is accepted. */
static int64_t token_ms(const struct login_begin *b)
{
	return (b->conf->jwt.lifetime_secs + (int64_t)b->conf->jwt.leeway_secs) * 1000;
}

static void put_row(const struct login_begin *b, struct buf *text)
{
	unsigned char hash[REFRESH_HASH_LEN];
	refresh_token_hash(&b->token, hash);
	sql_next(text);
	sql_lit(text, "INSERT INTO logins (id,user_id,device,address,created_at,last_used_at,expires_at,tokens_until,"
		      "token_key,token_hash) VALUES (");
	sql_u64(text, b->id);
	const struct str strings[] = {b->asked.user, b->asked.device, b->asked.address};
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		buf_append_char(text, ',');
		sql_str(text, strings[i]);
	}
	const int64_t times[] = {b->now_ms, b->now_ms, b->expires_ms, b->now_ms + token_ms(b)};
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		buf_append_char(text, ',');
		sql_time(text, times[i]);
	}
	buf_append_char(text, ',');
	sql_bytes(text, (struct str){(const char *)b->key, sizeof(b->key)});
	buf_append_char(text, ',');
	sql_bytes(text, (struct str){(const char *)hash, sizeof(hash)});
	buf_append_char(text, ')');
}

/*
 * Those whose tokens may be valid stay: a worker that begins has to read them. These are told by refused_until; the
 * range of ended_at is so short that it does not walk over many of them at each login.
 */
static void put_deletion(const struct login_begin *b, struct buf *text)
{
	int64_t run_out_ms = b->now_ms - LOGIN_SKEW_MS;
	sql_lit(text, ";SET @cut=(SELECT ended_at FROM logins FORCE INDEX (by_user) WHERE user_id=");
	sql_str(text, b->asked.user);
	buf_printf(text,
		   " AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT 1 OFFSET %d);DELETE FROM logins WHERE "
		   "user_id=",
		   ENDED_MAX - 1);
	sql_str(text, b->asked.user);
	sql_lit(text, " AND ended_at<@cut AND ended_at<");
	sql_time(text, run_out_ms - token_ms(b));
	sql_lit(text, " AND refused_until<");
	sql_time(text, run_out_ms);
	buf_printf(text, " ORDER BY ended_at LIMIT %d", ENDED_DELETED_AT_ONCE);
}

enum store_status login_begin_put(struct login_begin *b, bool uncertain, struct buf *text)
{
	if (b->state.disabled || b->state.erased_ms != 0)
		return STORE_DISABLED;
	if (b->ours)
		return STORE_OK;
	/* Only a try that may have succeeded is looked for by its id. */
	if (b->id == 0 || b->taken || !uncertain)
		make_token(b);
	b->expires_ms = b->now_ms + (int64_t)b->conf->account.refresh_lifetime_secs * 1000;
	put_row(b, text);
	if (b->live >= LOGINS_MAX) {
		b->gone_count = b->live - LOGINS_MAX + 1;
		logins_put_end(text, b->gone, b->gone_count, LOGIN_REPLACED, b->now_ms);
	}
	put_deletion(b, text);
	return STORE_OK;
}

struct store_login login_begin_result(const struct login_begin *b, const char *user_id)
{
	return (struct store_login){
		.id = b->id,
		.refresh_token = b->text,
		.refresh_expires_ms = b->expires_ms,
		.change = {.user_id = user_id, .gone = b->gone, .gone_count = b->gone_count},
	};
}

void login_begin_wipe(struct login_begin *b)
{
	explicit_bzero(b->key, sizeof(b->key));
	refresh_token_wipe(&b->token);
	explicit_bzero(b->text, sizeof(b->text));
}

struct store_login_ask store_login_ask_copy(struct arena *a, const struct store_login_ask *ask)
{
	return (struct store_login_ask){
		.user = arena_str(a, ask->user),
		.device = arena_str(a, ask->device),
		.address = arena_str(a, ask->address),
		.password_hash = arena_str(a, ask->password_hash),
	};
}

/* ---- of a user who is there ---- */

struct begin_login {
	struct txn txn;
	store_login_fn *fn;
	void *arg;
	struct login_begin begin;
	struct profile profile;
	struct str password_hash;
};

static void begin_ask(struct txn *t, struct buf *text)
{
	struct begin_login *o = container_of(t, struct begin_login, txn);
	profile_unknown(&o->profile, o->begin.asked.user);
	sql_lit(text, "SELECT " PROFILE_COLUMNS ",u.password_hash FROM users u WHERE u.id=");
	sql_str(text, o->begin.asked.user);
	sql_lit(text, " FOR UPDATE;");
	login_begin_ask(&o->begin, text);
}

static void begin_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct begin_login *o = container_of(t, struct begin_login, txn);
	if (stmt != 0) {
		login_begin_row(&o->begin, stmt - 1, row);
		return;
	}
	row_take_profile(row, &t->arena, o->begin.asked.user, &o->profile);
	o->password_hash = arena_str(&t->arena, row_take_str(row));
}

static void begin_decide(struct txn *t, struct buf *text)
{
	struct begin_login *o = container_of(t, struct begin_login, txn);
	struct str expected = o->begin.asked.password_hash;
	if (!o->profile.known)
		t->status = STORE_NOT_FOUND;
	else if (expected.s != NULL && !str_equal(expected, o->password_hash))
		t->status = STORE_FORBIDDEN;
	else
		t->status = login_begin_put(&o->begin, t->uncertain, text);
}

static void begin_answer(struct txn *t)
{
	struct begin_login *o = container_of(t, struct begin_login, txn);
	struct store_login r = {0};
	if (t->status == STORE_OK)
		r = login_begin_result(&o->begin, o->profile.user_id);
	r.status = t->status;
	r.profile = &o->profile;
	o->fn(&r, o->arg);
	login_begin_wipe(&o->begin);
}

void store_begin_login(struct store *s, const struct store_login_ask *ask, store_login_fn *fn, void *arg)
{
	static const struct txn_class class = {"begin login", begin_ask, begin_row, begin_decide, begin_answer};
	struct begin_login *o = txn_new(s->txns, &class, ask->user, sizeof(*o));
	o->fn = fn;
	o->arg = arg;
	o->begin.conf = s->conf;
	o->begin.asked = store_login_ask_copy(&o->txn.arena, ask);
	txn_submit(&o->txn);
}
