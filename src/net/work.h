/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that takes too long for the loop, on one thread beside it, of a lower priority
 * (setpriority(2)), so that the loop goes first where both want a processor. The thread is started by the first
 * job.
 */
#ifndef TIDINGS_NET_WORK_H
#define TIDINGS_NET_WORK_H

#include "core/base.h"
#include "net/loop.h"

#include <sys/queue.h>

/* Embedded in its owner, which keeps it until done(). */
struct work_job {
	TAILQ_ENTRY(work_job) entry;
	/* On the thread: touches nothing but its owner. */
	void (*run)(struct work_job *j);
	/* On the loop, exactly once. ran: false where the queue was freed before its turn came. */
	void (*done)(struct work_job *j, bool ran);
};

struct work;

/* waiting_max: how many jobs may wait for the thread. The loop outlives it. */
struct work *work_new(struct loop *loop, unsigned waiting_max);
/* Waits for the job that is running; then every job's done() runs. */
void work_free(struct work **w);
/* False where too many wait: then done() is never called. */
bool work_submit(struct work *w, struct work_job *j) MUST_CHECK;

#endif
