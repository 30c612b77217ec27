/* SPDX-License-Identifier: BSD-2-Clause */
/* Robust mutexes between processes forked from one master. */
#include "core/base.h"
#include "hub/lock.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"

void lock_init(struct lock *l)
{
	pthread_mutexattr_t attr;
	int failed = pthread_mutexattr_init(&attr);
	failed |= pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	failed |= pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	failed |= pthread_mutex_init(&l->mutex, &attr);
	ASSERT(failed == 0);
	pthread_mutexattr_destroy(&attr);
}

/* By the kernel's clock: it is the holder's running that counts, not what tests do to clock.h. */
static struct timespec latest(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += LOCK_HELD_MAX_MS / 1000;
	return t;
}

static int wait_for(struct lock *l)
{
	for (;;) {
		uint32_t turn = atomic_load(&l->turn);
		pid_t holder = atomic_load(&l->holder);
		struct timespec deadline = latest();
		int rc = pthread_mutex_clocklock(&l->mutex, CLOCK_MONOTONIC, &deadline);
		if (rc != ETIMEDOUT)
			return rc;
		if (holder == 0 || holder == getppid() || holder != atomic_load(&l->holder) ||
		    turn != atomic_load(&l->turn))
			continue;
		log_error("process %d stands still with a lock of the hub; it is killed", (int)holder);
		kill(holder, SIGKILL);
	}
}

bool lock_take(struct lock *l)
{
	int rc = pthread_mutex_trylock(&l->mutex);
	if (rc == EBUSY)
		rc = wait_for(l);
	ASSERT(rc == 0 || rc == EOWNERDEAD);
	atomic_fetch_add(&l->turn, 1);
	atomic_store(&l->holder, getpid());
	return rc == EOWNERDEAD;
}

void lock_repaired(struct lock *l)
{
	int rc = pthread_mutex_consistent(&l->mutex);
	ASSERT(rc == 0);
}

void lock_drop(struct lock *l)
{
	atomic_store(&l->holder, 0);
	int rc = pthread_mutex_unlock(&l->mutex);
	ASSERT(rc == 0);
}
