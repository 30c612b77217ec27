/* SPDX-License-Identifier: BSD-2-Clause */
/* What selftest.c and selftest_groups.c share: a trial is a small history, and what has to be said of it. */
#ifndef TIDINGS_TORTURE_SELFTEST_PRIV_H
#define TIDINGS_TORTURE_SELFTEST_PRIV_H

#include "core/base.h"
#include "record.h"

#define TRIAL_DEVICES_MAX 5
#define TRIAL_LIMIT_MS 15000

struct trial {
	struct record *record;
	int64_t now;
	unsigned devices[TRIAL_DEVICES_MAX];
	char said[2048]; /* the violations, a line each */
};

struct trial_row {
	const char *name;
	void (*play)(struct trial *t);
	const char *says; /* in any violation; NULL: there is none */
};

/* Some time later. */
struct instant trial_at(struct trial *t);
void trial_on_violation(const char *text, void *arg);
/* Tells what is overdue by now, a long time later. */
void trial_check(struct trial *t);

/* ---- selftest_groups.c ---- */
extern const struct trial_row group_trials[];
extern const size_t group_trial_count;
void group_trial_begin(struct trial *t);

#define USERS 4
#define G0 USERS
#define G1 (USERS + 1)
#define ID_OF(party) (GROUP_ID_MIN + (party))

/* The message n with that seq, as it is seen. */
struct sight group_sight_of(struct trial *t, unsigned n, uint32_t seq);
/* Users and devices are digits. Asked, done and answered. */
void group_change(struct trial *t, unsigned party, uint32_t seq, unsigned actor, enum group_event is,
		  const char *users);
/* Sent and acknowledged. */
void group_say(struct trial *t, unsigned party, uint32_t seq, unsigned from);
unsigned group_send_mentioning(struct trial *t, unsigned party, uint32_t seq, unsigned from, unsigned mention);
void group_push_all(struct trial *t, const char *devices, unsigned party, uint32_t seq);
/* All that is overdue, and what is told at the end. */
void group_end(struct trial *t);

/* ---- selftest_counts.c ---- */
extern const struct trial_row count_trials[];
extern const size_t count_trial_count;

#endif
