/* SPDX-License-Identifier: BSD-2-Clause */
/* How logins end, and what is said of a user as a whole. */
#include "core/base.h"
#include "store/login_priv.h"

#include "core/log.h"
#include "store/device_priv.h"
#include "store/sql.h"
#include "store/store_priv.h"

const char *login_end_name(enum login_end why)
{
	static const char *const names[] = {
		[LOGIN_LOGGED_OUT] = "logged_out",
		[LOGIN_TOKEN_REUSED] = "token_reused",
		[LOGIN_PASSWORD_CHANGED] = "password_changed",
		[LOGIN_REPLACED] = "too_many_logins",
		[LOGIN_REVOKED] = "revoked",
		[LOGIN_DISABLED] = "disabled",
		[LOGIN_ERASED] = "erased",
	};
	_Static_assert(ARRAY_LEN(names) == LOGIN_ENDS, "each has a name");
	return why > 0 && why < LOGIN_ENDS ? names[why] : names[LOGIN_REVOKED];
}

bool user_state_refuses(const struct user_state *s, uint64_t login, int64_t issued_ms)
{
	if (s->disabled || s->erased_ms != 0)
		return true;
	if (s->revoked_ms == 0)
		return false;
	/* iat has only seconds: a login right after the revocation is told by its id. */
	return (login != 0 ? id_made_ms(login) : issued_ms) <= s->revoked_ms;
}

/* ---- rows ---- */

void row_take_user_state(struct row *r, struct user_state *out)
{
	out->disabled = row_take_bool(r);
	out->revoked_ms = row_take_ms(r);
	out->erased_ms = row_take_ms(r);
	out->why = (enum login_end)row_take_u64(r);
	out->changed_ms = row_take_ms(r);
}

void user_state_ask(struct buf *text, struct str user, bool lock)
{
	sql_lit(text, "SELECT " USER_STATE_COLUMNS " FROM user_states WHERE user_id=");
	sql_str(text, user);
	if (lock)
		sql_lit(text, " FOR UPDATE");
}

static void put_ending(struct buf *text, enum login_end why, int64_t now_ms)
{
	sql_lit(text, "UPDATE logins SET refused_until=tokens_until,end_reason=");
	sql_u64(text, why);
	sql_lit(text, ",ended_at=");
	sql_time(text, now_ms);
}

void logins_put_end(struct buf *text, const struct login_gone *gone, size_t count, enum login_end why, int64_t now_ms)
{
	bool first = true;
	sql_next(text);
	put_ending(text, why, now_ms);
	sql_lit(text, " WHERE id IN (");
	for (size_t i = 0; i < count; i++) {
		sql_comma(text, &first);
		sql_u64(text, gone[i].id);
	}
	sql_lit(text, ") AND ended_at IS NULL;");
	sql_expect(text, count);
	devices_put_end(text, gone, count);
}

/* ---- as a part of a transaction ---- */

static void ask_one(const struct logins_end *e, struct buf *text)
{
	sql_lit(text, ";SELECT id,tokens_until,end_reason FROM logins FORCE INDEX (PRIMARY) WHERE id=");
	sql_u64(text, e->asked.only);
	sql_lit(text, " AND user_id=");
	sql_str(text, e->asked.user);
	sql_lit(text, " FOR UPDATE");
}

static void ask_live(const struct logins_end *e, struct buf *text)
{
	sql_lit(text, ";SELECT id,tokens_until,end_reason FROM logins FORCE INDEX (by_user) WHERE user_id=");
	sql_str(text, e->asked.user);
	sql_lit(text, " AND ended_at IS NULL AND id<>");
	sql_u64(text, e->asked.except);
	sql_lit(text, " LIMIT ");
	sql_u64(text, LOGINS_TOLD_MAX);
	sql_lit(text, " FOR UPDATE");
}

/* There has to be a row to lock: of two first changes at once the second reads what the first did. */
static void ask_state(const struct logins_end *e, struct buf *text)
{
	bool changes = e->asked.change != USER_STAYS;
	if (changes) {
		sql_lit(text, ";INSERT INTO user_states (user_id,changed_at) VALUES (");
		sql_str(text, e->asked.user);
		sql_lit(text, ",'1970-01-01') ON DUPLICATE KEY UPDATE user_id=VALUES(user_id);");
	} else {
		sql_lit(text, ";DO 0;");
	}
	user_state_ask(text, e->asked.user, changes);
}

void logins_end_ask(struct logins_end *e, struct buf *text)
{
	e->found = false;
	e->state = (struct user_state){0};
	e->gone_count = 0;
	sql_lit(text, "SELECT ");
	sql_now(text);
	if (e->asked.only != 0)
		ask_one(e, text);
	else if (e->asked.change != USER_ENABLE)
		ask_live(e, text);
	else
		sql_lit(text, ";DO 0");
	ask_state(e, text);
}

void logins_end_row(struct logins_end *e, unsigned stmt, struct row *row)
{
	if (stmt == 0) {
		e->now_ms = row_take_ms(row);
	} else if (stmt == 1 && e->gone_count < LOGINS_TOLD_MAX) {
		struct login_gone *g = &e->gone[e->gone_count++];
		g->id = row_take_u64(row);
		g->refused_until_ms = row_take_ms(row);
		e->found = true;
		g->why = (enum login_end)row_take_u64(row);
	} else if (stmt == 3) {
		row_take_user_state(row, &e->state);
	}
}

static void change_state(struct user_state *s, enum user_change change, int64_t now_ms)
{
	/* Who is disabled is revoked as well, so that what was issued before is refused afterwards, too. */
	if (change == USER_REVOKE || change == USER_DISABLE)
		s->revoked_ms = s->revoked_ms > now_ms ? s->revoked_ms : now_ms;
	if (change == USER_DISABLE || change == USER_ENABLE)
		s->disabled = change == USER_DISABLE;
	if (change == USER_ERASE)
		s->erased_ms = s->erased_ms != 0 ? s->erased_ms : now_ms;
	s->changed_ms = s->changed_ms < now_ms ? now_ms : s->changed_ms + 1;
}

static void put_state(struct logins_end *e, struct buf *text)
{
	struct user_state *s = &e->state;
	if (e->asked.change == USER_STAYS)
		return;
	change_state(s, e->asked.change, e->now_ms);
	s->why = e->asked.why;
	sql_next(text);
	buf_printf(text, "UPDATE user_states SET disabled=%d,revoked_at=", s->disabled);
	sql_time(text, s->revoked_ms);
	sql_lit(text, ",erased_at=");
	sql_time(text, s->erased_ms);
	sql_lit(text, ",reason=");
	sql_u64(text, s->why);
	sql_lit(text, ",changed_at=");
	sql_time(text, s->changed_ms);
	sql_lit(text, " WHERE user_id=");
	sql_str(text, e->asked.user);
	buf_append_char(text, ';');
	sql_expect(text, 1);
}

void logins_end_put(struct logins_end *e, struct buf *text)
{
	/* One alone may have ended before. */
	bool ended = e->gone_count != 0 && e->gone[0].why != 0;
	if (e->gone_count != 0 && !ended) {
		logins_put_end(text, e->gone, e->gone_count, e->asked.why, e->now_ms);
		for (size_t i = 0; i < e->gone_count; i++)
			e->gone[i].why = e->asked.why;
	}
	/* There can be more where nothing has deleted what has run out. */
	if (e->gone_count == LOGINS_TOLD_MAX) {
		sql_next(text);
		put_ending(text, e->asked.why, e->now_ms);
		sql_lit(text, " WHERE user_id=");
		sql_str(text, e->asked.user);
		sql_lit(text, " AND ended_at IS NULL AND id<>");
		sql_u64(text, e->asked.except);
	}
	if (e->gone_count == LOGINS_TOLD_MAX || (e->asked.change != USER_STAYS && e->asked.change != USER_ENABLE))
		devices_put_end_all(text, &e->asked);
	put_state(e, text);
}

struct login_change logins_end_change(const struct logins_end *e, const char *user_id)
{
	return (struct login_change){
		.user_id = user_id,
		.gone = e->gone,
		.gone_count = e->gone_count,
		.has_state = e->asked.change != USER_STAYS,
		.state = e->state,
	};
}

/* ---- by itself ---- */

struct end_logins {
	struct txn txn;
	store_logins_ended_fn *fn;
	void *arg;
	struct logins_end end;
	enum account_action action; /* of this try */
};

static void end_ask(struct txn *t, struct buf *text)
{
	struct logins_end *e = &container_of(t, struct end_logins, txn)->end;
	/* A login that begins meanwhile has committed, and is seen, or sees what is said of the user. */
	if (e->asked.change != USER_STAYS) {
		sql_lit(text, "SELECT 1 FROM users WHERE id=");
		sql_str(text, e->asked.user);
		sql_lit(text, " FOR UPDATE;");
	} else {
		sql_lit(text, "DO 0;");
	}
	logins_end_ask(e, text);
}

static void end_row(struct txn *t, unsigned stmt, struct row *row)
{
	if (stmt > 0)
		logins_end_row(&container_of(t, struct end_logins, txn)->end, stmt - 1, row);
}

static void end_decide(struct txn *t, struct buf *text)
{
	struct end_logins *o = container_of(t, struct end_logins, txn);
	struct logins_end *e = &o->end;
	bool was_disabled = e->state.disabled;
	o->action = 0;
	if (e->asked.only != 0 && !e->found) {
		t->status = STORE_NOT_FOUND;
		return;
	}
	logins_end_put(e, text);
	if (e->state.disabled != was_disabled)
		o->action = was_disabled ? ACCOUNT_ENABLED : ACCOUNT_DISABLED;
}

static void end_tell_hooks(const struct txn *t, struct buf *items)
{
	const struct end_logins *o = container_of(t, struct end_logins, txn);
	if (o->action != 0)
		outbox_put_about(items, OUTBOX_ACCOUNT, o->action, o->end.asked.user);
}

static void end_answer(struct txn *t)
{
	struct end_logins *o = container_of(t, struct end_logins, txn);
	struct store_logins_ended r = {.status = t->status};
	if (t->status == STORE_OK)
		r.change = logins_end_change(&o->end, o->end.asked.user.s);
	o->fn(&r, o->arg);
}

void store_end_logins(struct store *s, const struct store_end_logins *e, store_logins_ended_fn *fn, void *arg)
{
	static const struct txn_class class = {.name = "end logins",
					       .ask = end_ask,
					       .row = end_row,
					       .decide = end_decide,
					       .answer = end_answer,
					       .tell_hooks = end_tell_hooks};
	struct end_logins *o = txn_new(s->txns, &class, e->user, sizeof(*o));
	o->fn = fn;
	o->arg = arg;
	o->end.asked = *e;
	o->end.asked.user = arena_str(&o->txn.arena, e->user);
	txn_submit(&o->txn);
}
