/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks in shared memory that survive their holder: robust, process-shared mutexes. Held for some dozens of
 * instructions, never over a call that can wait.
 */
#ifndef TIDINGS_HUB_LOCK_H
#define TIDINGS_HUB_LOCK_H

#include "core/base.h"
#include <pthread.h>

void lock_init(pthread_mutex_t *m);
/*
 * True: the former holder died within. The lock is held all the same; repair what it guards, then call lock_repaired.
 * Whoever dies before that leaves the same to the next.
 */
bool lock_take(pthread_mutex_t *m) MUST_CHECK;
void lock_repaired(pthread_mutex_t *m);
void lock_drop(pthread_mutex_t *m);

#endif
