/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the faults of a plan to a stack. */
#ifndef TIDINGS_TORTURE_FAULT_H
#define TIDINGS_TORTURE_FAULT_H

#include "core/base.h"
#include "plan.h"

#include <sys/types.h>

struct stack;

enum fault_state { FAULT_WAITS, FAULT_LASTS, FAULT_OVER };

struct fault {
	struct plan_fault plan;
	enum fault_state state;
	int64_t until_ms; /* real */
	pid_t pid;	  /* who is frozen */
};

/* Begins it at round_ms + at_ms and ends it in time; called again and again until it is over. */
void fault_tick(struct stack *s, struct fault *f, int64_t round_ms, int64_t now_ms);
/* How often each kind was done. */
extern unsigned fault_count[FAULTS];

#endif
