/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of a refresh token. The valid one is spent, and the next one is answered. One that was spent less than
 * LOGIN_GRACE_MS ago answers the one that is valid now: it follows from it by as many steps as were taken since. Any
 * other spent one is in two hands, so it ends the login.
 *
 * Where the answer to COMMIT was lost, the transaction finds its own token just spent, and so answers the same.
 */
#include "core/base.h"
#include "store/login_priv.h"

#include "store/people_priv.h"
#include "store/sql.h"
#include "store/store_priv.h"

/* Of one time in spent_at. */
#define SPENT_LEN 8

struct refresh_login {
	struct txn txn;
	store_login_fn *fn;
	void *arg;
	struct refresh_token token; /* as it came */
	struct str address;
	int lifetime_secs, token_secs; /* of the login, and of a token that is signed now */
	/* What was found. */
	int64_t now_ms;
	bool found, ended;
	char user[USER_ID_MAX + 1];
	int64_t expires_ms, tokens_until_ms;
	uint32_t generation;
	unsigned char key[REFRESH_KEY_LEN], hash[REFRESH_HASH_LEN];
	unsigned char spent[LOGIN_GRACE_TOKENS * SPENT_LEN];
	size_t spent_len;
	struct user_state state;
	struct profile profile;
	/* What is answered. */
	struct refresh_token next;
	char text[REFRESH_TOKEN_LEN + 1];
	struct login_gone gone;
	bool ends;
};

static void refresh_ask(struct txn *t, struct buf *text)
{
	struct refresh_login *o = container_of(t, struct refresh_login, txn);
	o->found = o->ended = o->ends = false;
	o->user[0] = '\0';
	o->state = (struct user_state){0};
	o->profile = (struct profile){0};
	sql_lit(text, "SELECT ");
	sql_now(text);
	sql_lit(text, ";SELECT user_id,ended_at IS NOT NULL,expires_at,tokens_until,generation,token_key,token_hash,"
		      "spent_at FROM logins WHERE id=");
	sql_u64(text, o->token.login);
	sql_lit(text, " FOR UPDATE;SELECT " USER_STATE_COLUMNS " FROM user_states WHERE user_id=(SELECT user_id FROM "
		      "logins WHERE id=");
	sql_u64(text, o->token.login);
	sql_lit(text, ");SELECT " PROFILE_COLUMNS " FROM users u WHERE u.id=(SELECT user_id FROM logins WHERE id=");
	sql_u64(text, o->token.login);
	buf_append_char(text, ')');
}

static void take_bytes(struct row *row, unsigned char *out, size_t size, size_t *len_r)
{
	struct str s = row_take_str(row);
	*len_r = s.len <= size ? s.len : size;
	if (*len_r != 0)
		memcpy(out, s.s, *len_r);
}

static void take_login(struct refresh_login *o, struct row *row)
{
	size_t key_len, hash_len;
	row_take_user(row, o->user);
	o->ended = row_take_bool(row);
	o->expires_ms = row_take_ms(row);
	o->tokens_until_ms = row_take_ms(row);
	o->generation = (uint32_t)row_take_u64(row);
	take_bytes(row, o->key, sizeof(o->key), &key_len);
	take_bytes(row, o->hash, sizeof(o->hash), &hash_len);
	take_bytes(row, o->spent, sizeof(o->spent), &o->spent_len);
	o->found = key_len == sizeof(o->key) && hash_len == sizeof(o->hash);
}

static void refresh_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct refresh_login *o = container_of(t, struct refresh_login, txn);
	if (stmt == 0) {
		o->now_ms = row_take_ms(row);
	} else if (stmt == 1) {
		take_login(o, row);
	} else if (stmt == 2) {
		row_take_user_state(row, &o->state);
	} else {
		row_take_profile(row, &t->arena, str_from(o->user), &o->profile);
	}
}

/* ---- when tokens were spent ---- */

/* The one before the valid one is the first. 0: that is not known any more. */
static int64_t spent_ms(const struct refresh_login *o, uint32_t ago)
{
	uint64_t ms = 0;
	if (ago == 0 || ago * (size_t)SPENT_LEN > o->spent_len)
		return 0;
	for (size_t i = 0; i < SPENT_LEN; i++)
		ms = ms << 8 | o->spent[(ago - 1) * SPENT_LEN + i];
	return (int64_t)ms;
}

static void note_spent(struct refresh_login *o)
{
	size_t kept = sizeof(o->spent) - SPENT_LEN;
	kept = o->spent_len < kept ? o->spent_len : kept;
	memmove(o->spent + SPENT_LEN, o->spent, kept);
	for (size_t i = 0; i < SPENT_LEN; i++)
		o->spent[i] = (unsigned char)((uint64_t)o->now_ms >> (8 * (SPENT_LEN - 1 - i)));
	o->spent_len = kept + SPENT_LEN;
}

/* ---- what is done ---- */

static void put_use(const struct refresh_login *o, struct buf *text)
{
	int64_t until_ms = o->now_ms + (int64_t)o->token_secs * 1000;
	sql_lit(text, "UPDATE logins SET last_used_at=");
	sql_time(text, o->now_ms);
	sql_lit(text, ",address=");
	sql_str(text, o->address);
	sql_lit(text, ",expires_at=");
	sql_time(text, o->expires_ms);
	sql_lit(text, ",tokens_until=");
	sql_time(text, until_ms > o->tokens_until_ms ? until_ms : o->tokens_until_ms);
}

static void put_where(const struct refresh_login *o, struct buf *text)
{
	sql_lit(text, " WHERE id=");
	sql_u64(text, o->token.login);
}

static enum store_status renew(struct refresh_login *o, struct buf *text)
{
	unsigned char hash[REFRESH_HASH_LEN];
	if (!refresh_token_has_hash(&o->token, o->hash))
		return STORE_NOT_FOUND;
	o->next = o->token;
	refresh_token_advance(&o->next, o->key);
	refresh_token_hash(&o->next, hash);
	note_spent(o);
	o->expires_ms = o->now_ms + (int64_t)o->lifetime_secs * 1000;
	put_use(o, text);
	sql_lit(text, ",generation=");
	sql_u64(text, o->next.generation);
	sql_lit(text, ",token_hash=");
	sql_bytes(text, (struct str){(const char *)hash, sizeof(hash)});
	sql_lit(text, ",spent_at=");
	sql_bytes(text, (struct str){(const char *)o->spent, o->spent_len});
	put_where(o, text);
	buf_append_char(text, ';');
	sql_expect(text, 1);
	return STORE_OK;
}

static enum store_status answer_again(struct refresh_login *o, struct buf *text)
{
	o->next = o->token;
	while (o->next.generation != o->generation)
		refresh_token_advance(&o->next, o->key);
	if (!refresh_token_has_hash(&o->next, o->hash))
		return STORE_NOT_FOUND;
	/* It counts as a use of the login, but its refresh token does not last longer by it. */
	put_use(o, text);
	put_where(o, text);
	return STORE_OK;
}

static enum store_status end_login(struct refresh_login *o, struct buf *text)
{
	o->ends = true;
	o->gone = (struct login_gone){o->token.login, o->tokens_until_ms, LOGIN_TOKEN_REUSED};
	logins_put_end(text, &o->gone, 1, LOGIN_TOKEN_REUSED, o->now_ms);
	return STORE_OK;
}

static enum store_status decide(struct refresh_login *o, struct buf *text)
{
	if (!o->found || !refresh_token_is_genuine(&o->token, o->key) || o->token.generation > o->generation)
		return STORE_NOT_FOUND;
	if (o->ended || user_state_refuses(&o->state, o->token.login, 0))
		return STORE_LOGIN_ENDED;
	if (o->expires_ms <= o->now_ms)
		return STORE_LOGIN_EXPIRED;
	if (o->token.generation == o->generation)
		return renew(o, text);
	int64_t at_ms = spent_ms(o, o->generation - o->token.generation);
	return at_ms != 0 && o->now_ms - at_ms < LOGIN_GRACE_MS ? answer_again(o, text) : end_login(o, text);
}

static void refresh_decide(struct txn *t, struct buf *text)
{
	t->status = decide(container_of(t, struct refresh_login, txn), text);
}

static void refresh_answer(struct txn *t)
{
	struct refresh_login *o = container_of(t, struct refresh_login, txn);
	struct store_login r = {.status = t->status, .profile = &o->profile, .id = o->token.login};
	if (t->status == STORE_OK && o->ends) {
		r.status = STORE_LOGIN_ENDED;
		r.change = (struct login_change){.user_id = o->user, .gone = &o->gone, .gone_count = 1};
	} else if (t->status == STORE_OK) {
		refresh_token_format(&o->next, o->text);
		r.refresh_token = o->text;
		r.refresh_expires_ms = o->expires_ms;
	}
	if (!o->profile.known)
		profile_unknown(&o->profile, str_from(o->user));
	o->fn(&r, o->arg);
	refresh_token_wipe(&o->token);
	refresh_token_wipe(&o->next);
	explicit_bzero(o->key, sizeof(o->key));
	explicit_bzero(o->text, sizeof(o->text));
}

void store_refresh_login(struct store *s, const struct refresh_token *token, struct str asker, struct str address,
			 store_login_fn *fn, void *arg)
{
	static const struct txn_class class = {"refresh login", refresh_ask, refresh_row, refresh_decide,
					       refresh_answer};
	struct refresh_login *o = txn_new(s->txns, &class, asker, sizeof(*o));
	o->fn = fn;
	o->arg = arg;
	o->token = *token;
	o->address = arena_str(&o->txn.arena, address);
	o->lifetime_secs = s->conf->account.refresh_lifetime_secs;
	o->token_secs = s->conf->jwt.lifetime_secs + s->conf->jwt.leeway_secs;
	txn_submit(&o->txn);
}
