/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Erasing users. One transaction erases: the profile with the password, the names in the directory and the picture go,
 * all logins end, and user_states keeps that the id stays reserved. It leaves a row in `erasures`, and the rest is done
 * in small steps, each of which can be repeated: a worker (src/cmd/erasure.c) reads what the stage finds next, does it
 * as the user would, and moves the row on.
 *
 * A round goes through all stages. The last one finds nothing, and begins when nobody takes the user's tokens any more:
 * what the user or others did meanwhile goes, too.
 *
 * How to have rows of one more table erased: a line in erased_rows[], erasure.c.
 */
#ifndef TIDINGS_STORE_ERASURE_H
#define TIDINGS_STORE_ERASURE_H

#include "core/base.h"
#include "core/id.h"
#include "store/chore.h"
#include "store/login.h"
#include "store/reactions.h"
#include "store/store.h"

/* ---- erasing ---- */

struct store_erase {
	struct str asker; /* whose turn it takes */
	struct str user;
	/* That was right for the password: where it is not the user's any more, STORE_FORBIDDEN. Absent: any. */
	struct str password_hash;
	bool messages; /* what the user has sent is recalled */
};
/* STORE_NOT_FOUND: there is no such user. One who is erased: STORE_OK. */
void store_erase_user(struct store *s, const struct store_erase *e, store_logins_ended_fn *fn, void *arg);

/* ---- the rest ---- */

/* The name of the lease (chore.h). */
#define ERASURE_CHORE "erasure"
/* No token of an erased user is taken after this time, and no transaction that began before is under way. */
#define ERASURE_ROUND_MS 10000
/* A step that could not be done is tried again after this time. Meanwhile others are erased. */
#define ERASURE_RETRY_MS 5000

/* Stored. */
enum erasure_stage {
	ERASURE_FRIENDS,
	ERASURE_GROUPS,
	ERASURE_REACTIONS,
	ERASURE_MESSAGES,
	ERASURE_ROWS, /* and those that follow: one for each line of erased_rows[] */
};

/* Of a stage before ERASURE_ROWS: where it goes on. */
#define ERASURE_AFTER_MAX 96
/* Of a user, as the row says. */
struct erasure {
	char user_id[USER_ID_MAX + 1];
	bool messages;
	unsigned stage;
	char after[ERASURE_AFTER_MAX + 1];
	bool found;
};

struct store_erasure {
	enum store_status status;
	enum chore_lease lease;
	bool due;
	struct erasure next; /* the one that is due for the longest time */
};
typedef void store_erasure_fn(const struct store_erasure *r, void *arg);
/* A read. */
void store_find_erasure(struct store *s, struct str holder, store_erasure_fn *fn, void *arg);

struct erasing {
	/* ERASURE_FRIENDS: the friend. ERASURE_GROUPS: who becomes the owner; "": the user is not, or is alone. */
	char peer[USER_ID_MAX + 1];
	uint64_t id; /* of the group, or the message */
	char emoji[REACTION_EMOJI_MAX + 1];
};
#define ERASING_MAX 64
struct store_erasing {
	enum store_status status;
	const struct erasing *item;
	size_t count;
	struct erasure next; /* where to go on when these are done */
};
typedef void store_erasing_fn(const struct store_erasing *r, void *arg);
/* What is to be done next, of a stage before ERASURE_ROWS; ERASING_MAX at most. There may be none, and more later. */
void store_find_erasing(struct store *s, const struct erasure *e, store_erasing_fn *fn, void *arg);

/*
 * From ERASURE_ROWS on deletes some rows, and moves on behind them. Before, only goes on there: at once, or after
 * ERASURE_RETRY_MS where it is `later`. Behind the last stage the next round begins, or the row is deleted.
 * STORE_NOT_FOUND: there is no row.
 */
void store_go_on_erasing(struct store *s, const struct erasure *e, bool later, store_count_fn *fn, void *arg);

#endif
