/* SPDX-License-Identifier: BSD-2-Clause */
/* The transaction that erases a user, and leaves a row for the rest (erasure.h). */
#include "core/base.h"
#include "store/erasure.h"

#include "store/login_priv.h"
#include "store/media_priv.h"
#include "store/names.h"
#include "store/people_priv.h"
#include "store/sql.h"
#include "store/store_priv.h"

struct erase {
	struct txn txn;
	store_logins_ended_fn *fn;
	void *arg;
	struct store_erase asked;
	struct profile profile;
	struct store_user now;
	struct logins_end end;
};

static void erase_ask(struct txn *t, struct buf *text)
{
	struct erase *e = container_of(t, struct erase, txn);
	profile_unknown(&e->profile, e->asked.user);
	e->now = (struct store_user){.profile = &e->profile};
	sql_lit(text, "SELECT " USER_COLUMNS " FROM users u WHERE u.id=");
	sql_str(text, e->asked.user);
	sql_lit(text, " FOR UPDATE;");
	logins_end_ask(&e->end, text);
}

static void erase_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct erase *e = container_of(t, struct erase, txn);
	if (stmt == 0)
		row_take_user_row(row, &t->arena, e->asked.user, &e->profile, &e->now);
	else
		logins_end_row(&e->end, stmt - 1, row);
}

static void put_profile(struct erase *e, struct buf *text)
{
	sql_lit(text, "DELETE FROM users WHERE id=");
	sql_str(text, e->asked.user);
	buf_append_char(text, ';');
	sql_expect(text, 1);
	names_put(text, e->asked.user, STR_NULL);
	media_put_avatar(text, media_user_holder(&e->txn.arena, e->asked.user), e->profile.avatar_url, STR_NULL);
}

static void put_work(struct erase *e, struct buf *text)
{
	sql_next(text);
	sql_lit(text, "INSERT INTO erasures (user_id,erased_at,due_at,messages) VALUES (");
	sql_str(text, e->asked.user);
	buf_append_char(text, ',');
	sql_time(text, e->end.now_ms);
	buf_append_char(text, ',');
	sql_time(text, e->end.now_ms);
	buf_printf(text, ",%d) ON DUPLICATE KEY UPDATE stage=0,after=''", e->asked.messages);
}

static void erase_decide(struct txn *t, struct buf *text)
{
	struct erase *e = container_of(t, struct erase, txn);
	const struct user_state *state = &e->end.state;
	bool erased = state->erased_ms != 0;
	/* One who has no profile may be known to be barred, and then can be erased. */
	if (!e->profile.known && !erased && !state->disabled && state->revoked_ms == 0) {
		t->status = STORE_NOT_FOUND;
		return;
	}
	if (e->asked.password_hash.s != NULL && !erased && !str_equal(e->now.password_hash, e->asked.password_hash)) {
		t->status = STORE_FORBIDDEN;
		return;
	}
	if (e->profile.known)
		put_profile(e, text);
	else if (erased)
		return;
	logins_end_put(&e->end, text);
	put_work(e, text);
}

/* A try that finds it done and writes nothing does not come here. */
static void erase_tell_hooks(const struct txn *t, struct buf *items)
{
	outbox_put_about(items, OUTBOX_ACCOUNT, ACCOUNT_ERASED, container_of(t, struct erase, txn)->asked.user);
}

static void erase_answer(struct txn *t)
{
	struct erase *e = container_of(t, struct erase, txn);
	struct store_logins_ended r = {.status = t->status};
	if (t->status == STORE_OK)
		r.change = logins_end_change(&e->end, e->asked.user.s);
	e->fn(&r, e->arg);
}

void store_erase_user(struct store *s, const struct store_erase *p, store_logins_ended_fn *fn, void *arg)
{
	static const struct txn_class class = {.name = "erase user",
					       .ask = erase_ask,
					       .row = erase_row,
					       .decide = erase_decide,
					       .answer = erase_answer,
					       .tell_hooks = erase_tell_hooks};
	struct erase *e = txn_new(s->txns, &class, p->asker, sizeof(*e));
	e->fn = fn;
	e->arg = arg;
	e->asked = *p;
	e->asked.user = arena_str(&e->txn.arena, p->user);
	e->asked.password_hash = arena_str(&e->txn.arena, p->password_hash);
	e->end.asked = (struct store_end_logins){.user = e->asked.user, .why = LOGIN_ERASED, .change = USER_ERASE};
	txn_submit(&e->txn);
}
