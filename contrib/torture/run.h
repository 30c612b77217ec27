/* SPDX-License-Identifier: BSD-2-Clause */
/* One run: a stack, people, and rounds of faults until the time is over or something is wrong. */
#ifndef TIDINGS_TORTURE_RUN_H
#define TIDINGS_TORTURE_RUN_H

#include "core/base.h"
#include "plan.h"

struct run_options {
	const char *build;
	uint64_t seed;
	int64_t run_ms;
	unsigned users, groups, nodes, workers;
	double sends_per_second;
	struct plan plan;
	const char *faults;   /* the list that plan was chosen by */
	unsigned plan_rounds; /* print so many, and do nothing */
	bool keep;
	bool quiet; /* only what is wrong, and the last line */
};

/* 0: nothing is wrong; 1: something is, and was told; 2: the stack could not be started. */
int run_once(const struct run_options *o);
/* The faults that were begun, as a list for --only; borrowed. Empty where there were none. */
const char *run_faults_done(void);

/* Whether the recorder finds what it is for; prints TAP. */
int selftest(void);
/* After a run that failed: runs parts of its schedule until none smaller fails, and prints that. */
void shrink(const struct run_options *o, const char *program, unsigned tries_max, const char *faults);

#endif
