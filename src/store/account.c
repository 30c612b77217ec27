/* SPDX-License-Identifier: BSD-2-Clause */
/* One user as the operator sees them, in one round trip. */
#include "core/base.h"
#include "store/account.h"

#include "store/login_priv.h"
#include "store/people_priv.h"
#include "store/sql.h"
#include "store/store_priv.h"

struct find_account {
	struct read read;
	store_account_fn *fn;
	void *arg;
	struct str user;
	struct profile profile;
	struct store_user found;
	struct store_account account;
};

enum { STMT_USER, STMT_STATE, STMT_LOGINS };

static void find_restart(struct read *r)
{
	struct find_account *f = container_of(r, struct find_account, read);
	profile_unknown(&f->profile, f->user);
	f->found = (struct store_user){.profile = &f->profile};
	f->account = (struct store_account){.user = &f->found};
}

static void find_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_account *f = container_of(r, struct find_account, read);
	if (stmt == STMT_USER) {
		row_take_user_row(row, &r->arena, f->user, &f->profile, &f->found);
	} else if (stmt == STMT_STATE) {
		row_take_user_state(row, &f->account.state);
	} else {
		f->account.logins = row_take_u64(row);
	}
}

static void find_done(struct read *r, enum store_status status)
{
	struct find_account *f = container_of(r, struct find_account, read);
	const struct user_state *s = &f->account.state;
	bool known = f->profile.known || s->disabled || s->revoked_ms != 0 || s->erased_ms != 0;
	f->account.status = status == STORE_OK && !known ? STORE_NOT_FOUND : status;
	f->fn(&f->account, f->arg);
}

void store_find_account(struct store *s, struct str asker, struct str user, store_account_fn *fn, void *arg)
{
	struct find_account *f = read_new(s->pool, asker, sizeof(*f));
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
	buf_append_char(text, ';');
	user_state_ask(text, user, false);
	/* Of those that have not ended a user has some LOGINS_MAX; the others are not read. */
	sql_lit(text, ";SELECT COUNT(*) FROM logins FORCE INDEX (by_user) WHERE user_id=");
	sql_str(text, user);
	sql_lit(text, " AND ended_at IS NULL AND expires_at>");
	sql_now(text);
	pool_submit(&f->read);
}
