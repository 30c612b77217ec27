/* SPDX-License-Identifier: BSD-2-Clause */
/* Robust mutexes between processes forked from one master. */
#include "core/base.h"
#include "hub/lock.h"

#include <errno.h>
#include <linux/futex.h>
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

/*
 * The main thread of the process that holds it, 0: none. Of a robust mutex the kernel wants the owner in one word,
 * which changes in one step (Documentation/locking/robust-futex-ABI.rst); this is where glibc has that word.
 */
static pid_t owner(struct lock *l)
{
	return (pid_t)((unsigned)__atomic_load_n(&l->mutex.__data.__lock, __ATOMIC_RELAXED) & FUTEX_TID_MASK);
}

/* By the kernel's clock: it is the holder's running that counts, not what tests do to clock.h. */
static int wait_a_look(struct lock *l)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOCK_LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return pthread_mutex_clocklock(&l->mutex, CLOCK_MONOTONIC, &until);
}

/* Several looks have to agree: after a stop of the whole node all of a waiter's time has passed at once. */
static int wait_for(struct lock *l)
{
	int rc, looks = 0;
	uint32_t turn = atomic_load(&l->turn);
	pid_t holder = owner(l);
	while ((rc = wait_a_look(l)) == ETIMEDOUT) {
		uint32_t turn_now = atomic_load(&l->turn);
		pid_t holder_now = owner(l);
		looks = turn == turn_now && holder == holder_now ? looks + 1 : 0;
		turn = turn_now;
		holder = holder_now;
		if (looks < LOCK_LOOKS || holder == 0 || holder == getppid())
			continue;
		log_error("process %d stands still with a lock of the hub; it is killed", (int)holder);
		kill(holder, SIGKILL);
		looks = 0;
	}
	return rc;
}

bool lock_take(struct lock *l)
{
	int rc = pthread_mutex_trylock(&l->mutex);
	if (rc == EBUSY)
		rc = wait_for(l);
	ASSERT(rc == 0 || rc == EOWNERDEAD);
	atomic_fetch_add(&l->turn, 1);
	return rc == EOWNERDEAD;
}

void lock_repaired(struct lock *l)
{
	int rc = pthread_mutex_consistent(&l->mutex);
	ASSERT(rc == 0);
}

void lock_drop(struct lock *l)
{
	int rc = pthread_mutex_unlock(&l->mutex);
	ASSERT(rc == 0);
}
