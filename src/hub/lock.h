/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks in shared memory that survive their holder: robust, process-shared mutexes. Held for some dozens of
 * instructions, never over a call that can wait.
 */
#ifndef TIDINGS_HUB_LOCK_H
#define TIDINGS_HUB_LOCK_H

#include "core/base.h"
#include <pthread.h>
#include <stdatomic.h>

/* Who holds it for so many looks in a row, of so long each, does not run. */
#define LOCK_LOOKS 6
#define LOCK_LOOK_MS 500

struct lock {
	pthread_mutex_t mutex;
	_Atomic uint32_t turn; /* counts the holders */
};

void lock_init(struct lock *l);
/*
 * True: the former holder died within. The lock is held all the same; repair what it guards, then call lock_repaired.
 * Whoever dies before that leaves the same to the next.
 * A holder that stands still is killed after LOCK_LOOKS, unless it is our parent, the master.
 */
bool lock_take(struct lock *l) MUST_CHECK;
void lock_repaired(struct lock *l);
void lock_drop(struct lock *l);

#endif
