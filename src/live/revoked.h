/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which tokens are refused although their signature is right and their time not up: those of a login that has ended,
 * and those of a user who is disabled, erased, or revoked since. The tables decide (store/login.h); each worker keeps
 * in memory what it needs of them, and asks nobody when a token comes.
 *
 * How it learns: of what it has done itself, at once; of what another worker has done, from the user's topic if it has
 * a session of that user, at once; and of everything, also while Redis is away, from the tables, which it reads once a
 * second. A worker that begins reads first all that matters, the newest ends first; until then it is not ready, unless
 * the database is away, or that takes half a minute (proc/process.c).
 * While the database is away nobody can revoke anything, and what was known before is refused all the same.
 *
 * Memory: an ended login is forgotten when its last token has run out, and takes some 45 bytes. A user's state is kept
 * as long as there is one, and takes 80 to 140. Of ended logins there are REVOKED_MAX at most, and as many users who
 * are revoked and no more than that; who is disabled or erased always has room. What comes beyond that is not known in
 * this worker, and it logs so: a token of such a login is valid until it runs out, within jwt.lifetime, but cannot be
 * renewed.
 */
#ifndef TIDINGS_LIVE_REVOKED_H
#define TIDINGS_LIVE_REVOKED_H

#include "core/base.h"
#include "core/table.h"
#include "core/wheel.h"
#include "store/login.h"

struct live;

#define REVOKED_MAX 1000000
#define REVOKED_READ_MS 1000
/* Until the first reading has come to its end. */
#define REVOKED_RETRY_MS 100

/* Embedded in struct live. */
struct revoked {
	struct table logins; /* struct gone by id */
	struct table users;  /* struct barred by user id */
	uint32_t max;	     /* REVOKED_MAX, but in tests */
	uint32_t sweep;	     /* where the search for logins to forget is */
	struct wheel_timer timer;
	struct changes_cursor cursor;
	bool ready, stopped, told_away;
	int64_t now_ms; /* the database's clock, when it was read last */
};

void revoked_init(struct live *live);
/* Begins to read. Stop before the store is freed. */
void revoked_start(struct live *live);
void revoked_stop(struct live *live);
void revoked_fini(struct live *live);
/* All that mattered when it began has been read. */
bool revoked_is_ready(const struct live *live);

/* Is a token with these claims, or a session that was opened with it, refused? As user_state_refuses(). */
bool revoked_refuses(const struct live *live, struct str user_id, uint64_t login, int64_t issued_ms);

/*
 * After the commit that did it, in the worker that did: it is known here, the sessions it concerns are closed here and,
 * by the bus, elsewhere. Nothing happens where nothing has changed.
 */
void revoked_tell(struct live *live, const struct login_change *c);
/* BUS_REVOKED on a user's topic. */
void revoked_heard(struct live *live, struct str user, struct str data);

#endif
