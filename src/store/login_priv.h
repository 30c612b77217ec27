/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parts of transactions that begin or end logins; each is embedded in the struct of the transaction, which calls its
 * three functions from its own. The statements of ask() are counted from 0 in row(). The user's row in `users` has to
 * be locked first, unless the user has none.
 */
#ifndef TIDINGS_STORE_LOGIN_PRIV_H
#define TIDINGS_STORE_LOGIN_PRIV_H

#include "core/base.h"
#include "store/login.h"
#include "store/row.h"

struct conf;

/* ---- ends ---- */

/* That one transaction tells of by name; beyond that the tables alone tell. */
#define LOGINS_TOLD_MAX (2 * LOGINS_MAX)

/* Ends some of a user's logins, and says something of the user. */
struct logins_end {
	struct store_end_logins asked; /* filled in by the owner; its user outlives the transaction */
	/* What was found. */
	int64_t now_ms;
	bool found; /* asked.only is one of the user's */
	struct user_state state;
	struct login_gone gone[LOGINS_TOLD_MAX];
	size_t gone_count;
};
void logins_end_ask(struct logins_end *e, struct buf *text);
void logins_end_row(struct logins_end *e, unsigned stmt, struct row *row);
/* Writes what has to be changed (sql_next()); maybe nothing. */
void logins_end_put(struct logins_end *e, struct buf *text);
struct login_change logins_end_change(const struct logins_end *e, const char *user_id);

/* ---- beginnings ---- */

struct login_begin {
	const struct conf *conf; /* filled in by the owner, like the next */
	struct store_login_ask asked;
	/* What was found. */
	int64_t now_ms;
	bool taken, ours; /* the id of the try before is: by another, or by that try */
	struct user_state state;
	struct login_gone gone[LOGINS_TOLD_MAX]; /* the live ones; the first gone_count of them end */
	size_t live;
	/* What is made. */
	uint64_t id; /* 0: none yet; that of the first try is kept */
	unsigned char key[REFRESH_KEY_LEN];
	struct refresh_token token;
	int64_t expires_ms;
	size_t gone_count;
	char text[REFRESH_TOKEN_LEN + 1];
};
#define LOGIN_BEGIN_STATEMENTS 4
void login_begin_ask(struct login_begin *b, struct buf *text);
void login_begin_row(struct login_begin *b, unsigned stmt, struct row *row);
/*
 * Writes the statements (sql_next()); nothing where an earlier try did it. STORE_DISABLED: the user may not.
 * uncertain: that of the transaction.
 */
enum store_status login_begin_put(struct login_begin *b, bool uncertain, struct buf *text);
/* Without status and profile. */
struct store_login login_begin_result(const struct login_begin *b, const char *user_id);
void login_begin_wipe(struct login_begin *b);
/* In the arena. */
struct store_login_ask store_login_ask_copy(struct arena *a, const struct store_login_ask *ask);

/* ---- both ---- */

#define USER_STATE_COLUMNS "disabled,revoked_at,erased_at,reason,changed_at"
void row_take_user_state(struct row *r, struct user_state *out);
/* "SELECT …" of the user's row. */
void user_state_ask(struct buf *text, struct str user, bool lock);
/* Ends these, of which none has ended, and forgets their devices (sql_next()). */
void logins_put_end(struct buf *text, const struct login_gone *gone, size_t count, enum login_end why, int64_t now_ms);

#endif
