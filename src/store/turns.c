/* SPDX-License-Identifier: BSD-2-Clause */
/* Users take turns. Decides whose is next; knows nothing of what waits. */
#include "core/base.h"
#include "store/turns.h"

#include <stdlib.h>
#include <uthash.h>

#include "core/log.h"

TAILQ_HEAD(waiting_list, waiting);

/* Exists while something of the user's waits or is out; in the round while something waits. */
struct turns_user {
	UT_hash_handle hh;
	TAILQ_ENTRY(turns_user) turn;
	struct waiting_list list;
	size_t waiting, sharing, out;
	size_t len;
	char name[];
};
TAILQ_HEAD(round, turns_user);

struct turns {
	struct turns_limits limits;
	struct turns_user *users; /* by name */
	struct round round;	  /* the next turn is the first one's */
	size_t waiting, sharing;
};

struct turns *turns_new(const struct turns_limits *limits)
{
	struct turns *t = xcalloc(1, sizeof(*t));
	t->limits = *limits;
	TAILQ_INIT(&t->round);
	return t;
}

void turns_free(struct turns **turns)
{
	struct turns *t = *turns;
	if (t == NULL)
		return;
	ASSERT(t->users == NULL);
	free(t);
	*turns = NULL;
}

static struct turns_user *user_of(struct turns *t, struct str name)
{
	struct turns_user *u;
	const char *key = name.s != NULL ? name.s : "";
	HASH_FIND(hh, t->users, key, name.len, u);
	if (u != NULL)
		return u;
	u = xcalloc(1, sizeof(*u) + name.len + 1);
	TAILQ_INIT(&u->list);
	u->len = name.len;
	memcpy(u->name, key, name.len);
	HASH_ADD_KEYPTR(hh, t->users, u->name, u->len, u);
	return u;
}

static void drop_if_idle(struct turns *t, struct turns_user *u)
{
	if (u->waiting != 0 || u->out != 0)
		return;
	HASH_DEL(t->users, u);
	free(u);
}

static void count_in(struct turns *t, const struct waiting *w)
{
	struct turns_user *u = w->of;
	if (u->waiting++ == 0)
		TAILQ_INSERT_TAIL(&t->round, u, turn);
	t->waiting++;
	u->sharing += w->sharers;
	t->sharing += w->sharers;
}

static bool has_room(const struct turns *t, const struct turns_user *u)
{
	return t->waiting + t->sharing < t->limits.max && u->waiting + u->sharing < t->limits.user_max;
}

bool turns_join(struct turns *t, struct waiting *w, struct str user)
{
	ASSERT(w->of == NULL);
	struct turns_user *u = user_of(t, user);
	if (!has_room(t, u)) {
		drop_if_idle(t, u);
		return false;
	}
	w->of = u;
	TAILQ_INSERT_TAIL(&u->list, w, entry);
	count_in(t, w);
	return true;
}

bool turns_share(struct turns *t, struct waiting *w)
{
	if (!has_room(t, w->of))
		return false;
	w->sharers++;
	w->of->sharing++;
	t->sharing++;
	return true;
}

static struct waiting *take(struct turns *t, struct waiting *w)
{
	struct turns_user *u = w->of;
	TAILQ_REMOVE(&u->list, w, entry);
	TAILQ_REMOVE(&t->round, u, turn);
	if (--u->waiting != 0)
		TAILQ_INSERT_TAIL(&t->round, u, turn);
	u->out++;
	t->waiting--;
	u->sharing -= w->sharers;
	t->sharing -= w->sharers;
	return w;
}

struct waiting *turns_next(struct turns *t)
{
	struct turns_user *u;
	TAILQ_FOREACH (u, &t->round, turn)
		if (u->out < t->limits.user_out_max)
			return take(t, TAILQ_FIRST(&u->list));
	return NULL;
}

struct waiting *turns_expired(struct turns *t, int64_t now_mono_ms)
{
	struct turns_user *u;
	struct waiting *w;
	TAILQ_FOREACH (u, &t->round, turn) {
		TAILQ_FOREACH (w, &u->list, entry)
			if (w->deadline_ms != WAITING_FOR_EVER)
				break;
		if (w != NULL && w->deadline_ms <= now_mono_ms)
			return take(t, w);
	}
	return NULL;
}

struct waiting *turns_any(struct turns *t)
{
	struct turns_user *u = TAILQ_FIRST(&t->round);
	return u != NULL ? take(t, TAILQ_FIRST(&u->list)) : NULL;
}

void turns_back(struct turns *t, struct waiting *w)
{
	struct turns_user *u = w->of;
	ASSERT(u != NULL && u->out != 0);
	u->out--;
	TAILQ_INSERT_HEAD(&u->list, w, entry);
	count_in(t, w);
}

void turns_leave(struct turns *t, struct waiting *w)
{
	struct turns_user *u = w->of;
	if (u == NULL)
		return;
	ASSERT(u->out != 0);
	u->out--;
	w->of = NULL;
	drop_if_idle(t, u);
}

size_t turns_waiting(const struct turns *t)
{
	return t->waiting;
}
