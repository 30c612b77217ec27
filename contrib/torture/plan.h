/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The schedule of faults: rounds, made from the seed alone, each with one to three faults. A round's faults begin at
 * their offsets, and the next round begins when all is well again, so that what a fault has broken is not hidden by the
 * next one. The same seed gives the same rounds.
 */
#ifndef TIDINGS_TORTURE_PLAN_H
#define TIDINGS_TORTURE_PLAN_H

#include "core/base.h"

#define ROUND_FAULTS_MAX 3

enum fault_kind {
	FAULT_WORKER_KILL,
	FAULT_WORKER_FREEZE,
	FAULT_WRITER_KILL,
	FAULT_WRITER_FREEZE,
	FAULT_RELAY_KILL,
	FAULT_RELAY_FREEZE,
	FAULT_MASTER_KILL,
	FAULT_MASTER_FREEZE,
	FAULT_REDIS_KILL,
	FAULT_REDIS_FREEZE,
	FAULT_MARIADB_KILL,
	FAULT_MARIADB_FREEZE,
	FAULT_DB_CUT,
	FAULT_REDIS_CUT,
	FAULT_CLIENTS_CUT,
	FAULT_DB_HOLD,
	FAULT_REDIS_HOLD,
	FAULT_CLIENTS_HOLD,
	FAULT_DB_DELAY,
	FAULT_REDIS_DELAY,
	FAULT_CLIENTS_DELAY,
	FAULT_COMMIT_LOST,
	FAULT_CLOCK,
	FAULT_WALL_CLOCK,
	FAULT_RELOAD,
	FAULT_UPGRADE,
	FAULT_DRAIN,
	FAULT_STOP,
	FAULTS
};

struct plan_fault {
	enum fault_kind kind;
	unsigned round, number; /* it is called ROUND.NUMBER */
	int at_ms;		/* from the beginning of the round */
	int last_ms;
	unsigned node;
	unsigned which; /* worker, writer or relay */
	int amount;	/* bytes, milliseconds or seconds, as the kind has it */
};

struct plan {
	uint64_t seed;
	unsigned nodes;
	bool kind[FAULTS];
	const char *only; /* a list of ROUND.NUMBER, for repeating a part; NULL: all */
};

const char *fault_name(enum fault_kind kind);
/* Marks the kinds of a list of names: kinds, "all", "none", and "-kind" without one. False: no such kind. */
bool plan_choose(struct plan *p, const char *list);
/* The faults of a round, in order of time; how many. */
unsigned plan_round(const struct plan *p, unsigned round, struct plan_fault out[ROUND_FAULTS_MAX]);
/* The last round that `only` names. */
unsigned plan_last_round(const struct plan *p);
/* "3.1 worker-kill of n2 at 120 ms for 0 ms", for the schedule and the report. */
void plan_describe(const struct plan_fault *f, char *out, size_t size);

#endif
