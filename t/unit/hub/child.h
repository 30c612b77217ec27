/* SPDX-License-Identifier: BSD-2-Clause */
/* Children of a test that share its hub: started, killed at random points, waited for; and a stop watch. */
#ifndef TIDINGS_T_UNIT_HUB_CHILD_H
#define TIDINGS_T_UNIT_HUB_CHILD_H

#include "core/base.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hub/hub.h"

static inline pid_t child_start(void (*fn)(struct hub *h, unsigned slot), struct hub *h, unsigned slot)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn(h, slot);
		_exit(0);
	}
	return pid;
}

/* For tests of what must not kill others: should it, as root, it would be everybody. */
static inline void become_nobody(void)
{
	enum { NOBODY = 65534 };
	if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
		printf("Bail out! cannot become nobody\n");
		exit(1);
	}
	prctl(PR_SET_DUMPABLE, 1); /* LeakSanitizer looks at its own process */
}

/* The wait status. */
static inline int child_wait(pid_t pid)
{
	int status = -1;
	waitpid(pid, &status, 0);
	return status;
}

static inline void child_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	child_wait(pid);
}

static inline int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Lets children run until a random point. */
static inline void short_while(unsigned most_usecs)
{
	int64_t end = now_ns() + 1000 * (int64_t)(random() % most_usecs);
	while (now_ns() < end)
		usleep(20);
}

static inline struct hub *hub_for_test(unsigned workers, unsigned sessions, unsigned buckets)
{
	const char *err = NULL;
	struct hub *h = hub_new(&(struct hub_size){workers, sessions, buckets}, &err);
	if (h == NULL) {
		printf("Bail out! %s\n", err);
		exit(1);
	}
	return h;
}

#endif
