/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A chore: work that no user waits for, done by one worker of the cluster, the one that has its lease (store/chore.h). Each
 * worker looks for such work once a second. It is done in steps. Between two steps the worker rests, the longer the slower
 * the database has become: what others need of it comes first, and a backlog is soon done where nobody needs it.
 *
 * A worker that dies between a commit and the event leaves it to the relay, as with all events.
 */
#ifndef TIDINGS_CMD_CHORE_H
#define TIDINGS_CMD_CHORE_H

#include "core/base.h"
#include "core/wheel.h"
#include "live/live.h"
#include "store/chore.h"

/* Groups that a step tells of something, at most; of more nothing is told but by the relay. */
#define CHORE_GROUPS_MAX 256
#define CHORE_HOLDER_MAX 64 /* as in the schema */

/* Embedded in the struct of the chore, and otherwise its own. */
struct chore {
	struct live *live;
	const char *name;
	/* Looks for work, and calls chore_begin() or chore_look_later(). afresh: not at once after a step. */
	void (*look)(struct chore *c, bool afresh);
	/* Does a step of what look() has found, and calls chore_go_on() or chore_look_later(). */
	void (*step)(struct chore *c);
	struct wheel_timer timer;
	bool stopped, afresh;
	char holder[CHORE_HOLDER_MAX + 1];
	int64_t asked_ms, until_ms; /* the lease; until_ms 0: it is not ours */
	int64_t began_usecs;	    /* the step under way */
	/* Groups that owe tokens of the fan-out: they are told to catch up in place of each change. */
	uint64_t group[CHORE_GROUPS_MAX];
	size_t groups;
};

/* Store and bus are there. The members above step() are filled in by the caller. */
void chore_start(struct chore *c);
/* Begins no further step. What is under way still calls back, until the store has gone. */
void chore_stop(struct chore *c);

/* There is work, and the lease is as the look has found it: a step, once it is ours. Else a later look. */
void chore_begin(struct chore *c, enum chore_lease lease);
/* The step is over and there may be more: looks again after a rest. */
void chore_go_on(struct chore *c);
/* There is nothing to be done, or it cannot be done now: looks again in a second. */
void chore_look_later(struct chore *c);

/* A message was changed: pushes the event that begin() begins to all who have the message. */
void chore_tell(struct chore *c, const struct store_change *change,
		void (*begin)(struct live *live, const struct store_change *change));

#endif
