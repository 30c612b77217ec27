/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bounded queue in which users take turns, so that what one user asks for a thousand times delays nobody else's
 * single question: each turn takes one from the next user who has something waiting, in that user's order.
 */
#ifndef TIDINGS_STORE_TURNS_H
#define TIDINGS_STORE_TURNS_H

#include "core/base.h"

#include <sys/queue.h>

struct turns;
struct turns_user;

/* As a deadline: none. */
#define WAITING_FOR_EVER INT64_MAX

/* Embedded in what waits. All zeroes: in no queue. */
struct waiting {
	TAILQ_ENTRY(waiting) entry;
	struct turns_user *of;
	size_t sharers;	     /* that wait for the same */
	int64_t deadline_ms; /* of clock_mono_ms; the owner's to set before it joins */
};

struct turns_limits {
	size_t max;	     /* waiting, with those that share */
	size_t user_max;     /* of one user */
	size_t user_out_max; /* taken by turns_next() and not given back, of one user; further ones wait */
};

struct turns *turns_new(const struct turns_limits *limits);
/* Nothing may be in it, nor be out. */
void turns_free(struct turns **t);
/* Waits as the last of its user's. An absent user is the server itself. False: there is no room, for all or for it. */
bool turns_join(struct turns *t, struct waiting *w, struct str user) MUST_CHECK;
/* One more shares what waits there: it counts as waiting, too. False: there is no room. */
bool turns_share(struct turns *t, struct waiting *w) MUST_CHECK;
/* Takes the next one out. NULL: none waits, or only those of users who have as many out as they may. */
struct waiting *turns_next(struct turns *t);
/* Takes one out whose deadline has passed. NULL: there is none. Looks at the first of each user's that has a deadline.
 */
struct waiting *turns_expired(struct turns *t, int64_t now_mono_ms);
/* Takes any one out. NULL: none waits. */
struct waiting *turns_any(struct turns *t);
/* One that was taken out waits again, as the first of its user's. No limit applies. */
void turns_back(struct turns *t, struct waiting *w);
/* One that was taken out will not come back. Nothing happens for one that has never joined. */
void turns_leave(struct turns *t, struct waiting *w);
size_t turns_waiting(const struct turns *t);

#endif
