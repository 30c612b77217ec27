/* SPDX-License-Identifier: BSD-2-Clause */
/* Robust mutexes between processes forked from one master. */
#include "core/base.h"
#include "hub/lock.h"

#include <errno.h>

#include "core/log.h"

void lock_init(pthread_mutex_t *m)
{
	pthread_mutexattr_t attr;
	int failed = pthread_mutexattr_init(&attr);
	failed |= pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	failed |= pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	failed |= pthread_mutex_init(m, &attr);
	ASSERT(failed == 0);
	pthread_mutexattr_destroy(&attr);
}

bool lock_take(pthread_mutex_t *m)
{
	int rc = pthread_mutex_lock(m);
	ASSERT(rc == 0 || rc == EOWNERDEAD);
	return rc == EOWNERDEAD;
}

void lock_repaired(pthread_mutex_t *m)
{
	int rc = pthread_mutex_consistent(m);
	ASSERT(rc == 0);
}

void lock_drop(pthread_mutex_t *m)
{
	int rc = pthread_mutex_unlock(m);
	ASSERT(rc == 0);
}
