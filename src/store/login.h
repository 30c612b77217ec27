/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Logins (schema/0021_logins.sql): how one begins, goes on by its refresh tokens (core/refresh_token.h), and ends; and
 * what is said of a user as a whole: disabled, revoked, erased.
 *
 * As in store.h: arguments are copied, every callback runs exactly once, from the loop, and its results are borrowed
 * for it. All changes are transactions (txn.h), answered once they have committed.
 *
 * What has ended is to be made known to all workers (live/revoked.h). The worker that did it tells at once, those with
 * a session of the user by the bus; and every worker reads once a second what has changed lately. So no row of the
 * outbox is needed: where the worker dies between its commit and its words, or Redis is away, all others find it in the
 * tables within a second.
 *
 * Lock order: the user's row in `users`, then rows of `logins`, then the one in `user_states`. A transaction may leave
 * some out: a refresh and the end of one login lock rows of `logins` alone. Who begins or renews a login reads
 * `user_states` without a lock, so who changes that locks first what those have locked: the row in `users`, and the
 * user's live logins.
 */
#ifndef TIDINGS_STORE_LOGIN_H
#define TIDINGS_STORE_LOGIN_H

#include "core/base.h"
#include "core/id.h"
#include "core/refresh_token.h"
#include "store/people.h"
#include "store/store.h"

/* Live ones a user; of too many the longest unused ends. */
#define LOGINS_MAX 100
/* Of a label, in characters. */
#define LOGIN_DEVICE_MAX 64
/* A spent refresh token answers the same next one for this long: the answer was lost, or two tabs came at once. */
#define LOGIN_GRACE_MS 30000
/* How many of the last spent ones can have that. */
#define LOGIN_GRACE_TOKENS 8

/* Why one ended; stored, and on the bus: a new one goes to the end. */
enum login_end {
	LOGIN_LOGGED_OUT = 1,
	LOGIN_TOKEN_REUSED, /* a spent refresh token came again */
	LOGIN_PASSWORD_CHANGED,
	LOGIN_REPLACED, /* there were LOGINS_MAX newer ones */
	LOGIN_REVOKED,	/* by the operator */
	LOGIN_DISABLED,
	LOGIN_ERASED,
};
#define LOGIN_ENDS (LOGIN_ERASED + 1)
/* As clients read it; of a number that is none, that of LOGIN_REVOKED. */
const char *login_end_name(enum login_end why);

/* What is said of a user as a whole. All zeroes: nothing. */
struct user_state {
	bool disabled;
	int64_t revoked_ms; /* tokens issued up to then are refused, and logins that began up to then */
	int64_t erased_ms;
	enum login_end why; /* of the last change */
	int64_t changed_ms; /* each change of a user has a later one, also where the clock was set back */
};
/* Of the claims of a token, or of a session that was opened with one: login 0: none; issued_ms 0: that is missing. */
bool user_state_refuses(const struct user_state *s, uint64_t login, int64_t issued_ms);

struct login_gone {
	uint64_t id;
	int64_t refused_until_ms; /* then its tokens have run out */
	enum login_end why;
};

/* What has changed of one user, for those who have to refuse it. */
struct login_change {
	const char *user_id;
	const struct login_gone *gone;
	size_t gone_count;
	bool has_state;
	struct user_state state; /* as it is now */
};

/* ---- begin, go on ---- */

/* Who logs in. */
struct store_login_ask {
	struct str user;
	struct str device;  /* a label; absent: none */
	struct str address; /* of the client */
	/* That was right for the password: where it is not the user's any more, STORE_FORBIDDEN. Absent: any. */
	struct str password_hash;
};

/*
 * STORE_DISABLED: the user is, or is erased. Of a refresh: STORE_NOT_FOUND: no such login, or not its token;
 * STORE_LOGIN_ENDED: it is, or ended by this token; STORE_LOGIN_EXPIRED.
 */
struct store_login {
	enum store_status status;
	const struct profile *profile;
	uint64_t id;
	const char *refresh_token;
	int64_t refresh_expires_ms;
	struct login_change change; /* also where the status is STORE_LOGIN_ENDED */
};
typedef void store_login_fn(const struct store_login *r, void *arg);
/* The user has a row in `users`; STORE_NOT_FOUND. Registering begins one as well: store_add_user(). */
void store_begin_login(struct store *s, const struct store_login_ask *ask, store_login_fn *fn, void *arg);
/* asker: the client's network, whose turn it takes. address: the client's own, which the login shows. */
void store_refresh_login(struct store *s, const struct refresh_token *t, struct str asker, struct str address,
			 store_login_fn *fn, void *arg);

/* ---- end ---- */

enum user_change {
	USER_STAYS,
	USER_REVOKE,  /* refuses all tokens that were issued up to now, also those that another system signed */
	USER_DISABLE, /* the same, and whatever comes until USER_ENABLE */
	USER_ENABLE,  /* ends no login; what was refused as revoked stays so */
	USER_ERASE,
};

struct store_end_logins {
	struct str user;
	uint64_t only;	 /* this one; STORE_NOT_FOUND: there is none of the user. 0: all */
	uint64_t except; /* but this one; 0: none */
	enum login_end why;
	enum user_change change;
};
struct store_logins_ended {
	enum store_status status;
	struct login_change change;
};
typedef void store_logins_ended_fn(const struct store_logins_ended *r, void *arg);
/*
 * Twice is as good as once, but for what begins in between. That goes also for the second run after a COMMIT of unknown
 * outcome: it revokes up to its own time.
 */
void store_end_logins(struct store *s, const struct store_end_logins *e, store_logins_ended_fn *fn, void *arg);

/* ---- reading ---- */

struct login_shown {
	uint64_t id;
	struct str device, address;
	int64_t created_ms, last_used_ms;
};
struct store_logins {
	enum store_status status;
	const struct login_shown *item; /* the one used last first */
	size_t count;
};
typedef void store_logins_fn(const struct store_logins *r, void *arg);
/* The live ones. */
void store_list_logins(struct store *s, struct str user, store_logins_fn *fn, void *arg);

/*
 * What has changed: at first all that matters (all zeroes), later what has changed in the LOGIN_OVERLAP_MS before the
 * last reading. There is no cursor in time, since transactions do not commit in the order of their times.
 */
#define LOGIN_OVERLAP_MS 60000
/* How far the clocks of nodes and database may differ, so that no token is taken for run out too early. */
#define LOGIN_SKEW_MS 300000
struct changes_cursor {
	int64_t read_ms;  /* the database's clock at the beginning of the last reading that came to its end; 0: none */
	int64_t began_ms; /* of this one */
	/* What the pages so far came to. */
	int64_t gone_ms;
	uint64_t gone_id;
	int64_t state_ms;
	char state_user[USER_ID_MAX + 1];
	bool gone_done, states_done; /* both: the next page begins the next reading */
};
struct changed_login {
	char user_id[USER_ID_MAX + 1];
	struct login_gone gone;
};
struct changed_user {
	char user_id[USER_ID_MAX + 1];
	struct user_state state;
};
struct store_changes {
	enum store_status status;
	int64_t now_ms; /* the database's clock */
	const struct changed_login *login;
	size_t logins;
	const struct changed_user *user;
	size_t users;
};
typedef void store_changes_fn(const struct store_changes *r, void *arg);
/* The next page. The cursor is borrowed until the callback, and has moved by then where the status is STORE_OK. */
void store_read_changes(struct store *s, struct changes_cursor *c, store_changes_fn *fn, void *arg);

#endif
