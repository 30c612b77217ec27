/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Users, friendships and notifications in the database: what the neighbouring modules
 * share with us (contract, section 5).
 *
 * As in store.h: arguments are copied, every callback runs exactly once, from the loop, and its results are
 * borrowed for it. Changes go through a connection of their own (txn.h) and are answered once they have committed.
 */
#ifndef TIDINGS_STORE_PEOPLE_H
#define TIDINGS_STORE_PEOPLE_H

#include "core/base.h"
#include "core/id.h"
#include "store/store.h"

/* ---- users ---- */

/* Of a nickname, in characters. */
#define NICKNAME_MAX 64

/* A user without a row in `users` is one all the same: known is false, all else is absent. */
struct profile {
	char user_id[USER_ID_MAX + 1];
	bool known;
	struct str nickname, avatar_url;
	int64_t created_ms;
};

struct store_login_ask;
struct store_login;
struct login_change;

struct store_user {
	enum store_status status;
	const struct profile *profile;
	struct str password_hash; /* as crypt(5) writes it; absent: no password opens this account */
	int64_t last_seen_ms;	  /* 0: null */
	const struct store_login *login;   /* of store_add_user(): the login that began; NULL: none. (login.h) */
	const struct login_change *change; /* of store_change_user(): the logins that ended; NULL: none */
};
typedef void store_user_fn(const struct store_user *r, void *arg);
/* STORE_NOT_FOUND without a row; then with a profile that says so. */
void store_find_user(struct store *s, struct str user, store_user_fn *fn, void *arg);
/* The same, at the turn of who asks: a user, or an address. Else anybody could use up the turns of another. */
void store_look_up_user(struct store *s, struct str asker, struct str user, store_user_fn *fn, void *arg);
/*
 * STORE_TAKEN where there is such a user, with or without a password, or was one who is erased, and with `must_be_new` also where the id occurs
 * elsewhere: the new account could read what that user has written and received. Blocks of it by others do not
 * count, or one block could keep an id from its owner.
 */
struct store_new_user {
	struct str user, nickname, password_hash;
	bool must_be_new;
	const struct store_login_ask *login; /* that begins with it, of the same user; NULL: none */
};
void store_add_user(struct store *s, const struct store_new_user *u, store_user_fn *fn, void *arg);
/*
 * What is not set stays; what is set to absent is cleared. Makes the row where it is missing; STORE_NOT_FOUND: the user is
 * erased. A new password ends all logins but one.
 */
struct store_user_change {
	bool sets_nickname, sets_avatar_url, sets_password;
	struct str nickname, avatar_url, password_hash;
	struct str password_was; /* STORE_FORBIDDEN: it is another one by now. Absent: any */
	uint64_t except_login;	 /* 0: none */
};
void store_change_user(struct store *s, struct str user, const struct store_user_change *c, store_user_fn *fn,
		       void *arg);

/*
 * The user was here at that moment (users.last_seen). Written some at a time, a second later at most; a
 * failure is not told. Makes the row only where accounts are kept here.
 */
void store_saw_user(struct store *s, struct str user, int64_t at_ms);

/* ---- finding users ---- */

/* Of a part of a folded nickname (names.h), in bytes. */
#define DIRECTORY_PART_MAX 128
/* The last one that was looked at. All zeroes: from the first on. */
struct directory_cursor {
	bool by_name; /* else by id */
	char user_id[USER_ID_MAX + 1];
	char part[DIRECTORY_PART_MAX + 1];
};
#define DIRECTORY_CURSOR_LEN 272
struct str directory_cursor_write(char out[DIRECTORY_CURSOR_LEN], const struct directory_cursor *c);
int directory_cursor_read(struct str text, struct directory_cursor *out) MUST_CHECK;

struct store_directory_ask {
	struct str user, query; /* a valid text without NUL; absent: all are found, in order of id */
	/* The server's operator asks: neither blocks nor being disabled hide anybody. */
	bool by_operator;
	unsigned limit;
	struct directory_cursor after;
};
struct found_user {
	struct profile profile;
	/* Where the operator asks. */
	bool disabled;
	int64_t last_seen_ms; /* 0: null */
};
struct store_directory {
	enum store_status status;
	const struct found_user *item;
	size_t count;
	bool has_more; /* there may be more, also where there are none here */
	struct directory_cursor next;
};
typedef void store_directory_fn(const struct store_directory *r, void *arg);
/* Those whose id begins with the query, then those whose nickname contains it; none who has blocked the user. */
void store_find_users(struct store *s, const struct store_directory_ask *ask, store_directory_fn *fn, void *arg);

/* ---- friends ---- */

/* How many users a user can block. */
#define BLOCKS_MAX 10000

enum friend_step {
	/*
	 * Where the other has asked already, they become friends. STORE_TAKEN: the user has, or
	 * they are friends. STORE_BLOCKED: by the other. STORE_NOT_FOUND: the other needs an account and has none.
	 * STORE_LIMITED: declined, or too many.
	 */
	FRIEND_REQUEST,
	FRIEND_ACCEPT,	/* STORE_NOT_FOUND, or STORE_BLOCKED: no request from the other. A friend already is no error */
	FRIEND_DECLINE, /* STORE_NOT_FOUND likewise */
	FRIEND_END,	/* for both; blocks stay. STORE_NOT_FOUND: they were no friends */
	/* STORE_NOT_FOUND: no friends. STORE_FULL: BLOCKS_MAX. Drops what either has requested of the other. */
	FRIEND_BLOCK,
	FRIEND_UNBLOCK,
	USER_BLOCK, /* the same of any user */
	USER_UNBLOCK,
};

struct store_befriend {
	enum friend_step step;
	struct str user, peer; /* not the same */
	/* FRIEND_REQUEST */
	struct str note;
	unsigned requests_per_day; /* 0: any number */
	bool needs_account;	   /* the other has to have a row in `users` */
};

/* A friend as `user` sees them. */
struct befriended {
	struct profile peer;
	bool blocked;	  /* by the user */
	bool blocks_user; /* the peer has blocked the user, who must see them offline */
	int64_t since_ms;
	int64_t last_seen_ms; /* 0: null */
};

struct store_friend_change {
	enum store_status status;
	bool changed;	      /* false: it was so already */
	bool friends;	      /* they are, now */
	bool declined;	      /* STORE_LIMITED: by the other, lately; else there were too many requests */
	int64_t retry_ms;     /* STORE_LIMITED: from now on */
	struct profile user;  /* who did it, to be shown to the other */
	struct befriended as; /* what they are now; without since_ms where they are not friends */
	struct str note;      /* FRIEND_REQUEST: of the one that is pending */
	int64_t at_ms;	      /* of this change; of the pending request where that is older */
};
typedef void store_friend_change_fn(const struct store_friend_change *r, void *arg);
void store_change_friend(struct store *s, const struct store_befriend *p, store_friend_change_fn *fn, void *arg);

struct store_befriended {
	enum store_status status;
	const struct befriended *item; /* in order of user id */
	size_t count;
	bool has_more;
};
typedef void store_befriended_fn(const struct store_befriended *r, void *arg);
/* Those whose id sorts after `after` (absent: from the first on). */
void store_list_friends(struct store *s, struct str user, unsigned limit, struct str after, store_befriended_fn *fn,
			void *arg);

struct store_profiles {
	enum store_status status;
	const struct profile *item; /* in order of user id */
	size_t count;
	bool has_more;
};
typedef void store_profiles_fn(const struct store_profiles *r, void *arg);
/* Whom the user blocks, friends or not; those whose id sorts after `after` (absent: from the first on). */
void store_list_blocked(struct store *s, struct str user, unsigned limit, struct str after, store_profiles_fn *fn,
			void *arg);

struct friend_request {
	uint64_t id; /* its place in the list */
	struct profile peer;
	struct str note;
	int64_t created_ms;
};
struct store_friend_requests {
	enum store_status status;
	const struct friend_request *item; /* newest first */
	size_t count;
	bool has_more;
};
typedef void store_friend_requests_fn(const struct store_friend_requests *r, void *arg);
/* Those to the user, or from the user; only those before the id, where it is not 0. */
void store_list_friend_requests(struct store *s, struct str user, bool outgoing, unsigned limit, uint64_t before,
				store_friend_requests_fn *fn, void *arg);

/* ---- notifications ---- */

struct store_notify {
	struct str sender;			 /* the module that leaves it; not stored, only to take turns */
	struct str user, kind, actor, ref, body; /* absent: null; ref is minified JSON */
	uint64_t message_id;			 /* 0: null */
};
struct notification {
	uint64_t id;
	struct str kind, ref, body;
	bool has_actor;
	struct profile actor;
	uint64_t message_id; /* 0: null */
	bool is_read;
	int64_t created_ms;
};
struct store_notification {
	enum store_status status;
	struct str user; /* whose it is */
	const struct notification *notification;
};
typedef void store_notification_fn(const struct store_notification *r, void *arg);
/* STORE_NOT_FOUND: the user is erased. */
void store_notify(struct store *s, const struct store_notify *n, store_notification_fn *fn, void *arg);
/* Marks it read. STORE_NOT_FOUND: no such one, or another's. */
void store_read_notification(struct store *s, struct str user, uint64_t id, store_notification_fn *fn, void *arg);

struct store_notifications {
	enum store_status status;
	const struct notification *item; /* newest first */
	size_t count;
	bool has_more;
};
typedef void store_notifications_fn(const struct store_notifications *r, void *arg);
/* Those before the id, where it is not 0. */
void store_list_notifications(struct store *s, struct str user, unsigned limit, uint64_t before,
			      store_notifications_fn *fn, void *arg);
void store_count_notifications(struct store *s, struct str user, store_count_fn *fn, void *arg);

#endif
