/* SPDX-License-Identifier: BSD-2-Clause */
/* A holder that stands still: another worker is killed and the lock passed on, the master is waited for. */
#include "core/base.h"

#include "hub/lock.h"
#include "../tap.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Two locks of the master's, and what the workers say. */
struct shared {
	struct lock lock[2];
	_Atomic int begun, taken;
};

static struct shared *shared;

static pid_t start(void (*fn)(void))
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn();
		_exit(0);
	}
	return pid;
}

static void stop_within(void)
{
	if (!lock_take(&shared->lock[0]))
		raise(SIGSTOP);
}

static void wait_for_master(void)
{
	atomic_store(&shared->begun, 1);
	if (!lock_take(&shared->lock[1]))
		atomic_store(&shared->taken, 1);
	lock_drop(&shared->lock[1]);
}

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		exit(1);
	lock_init(&shared->lock[0]);
	lock_init(&shared->lock[1]);

	ok(!lock_take(&shared->lock[1]), "a lock is taken");
	pid_t waiting = start(wait_for_master);
	while (atomic_load(&shared->begun) == 0)
		sched_yield();
	pid_t stopped = start(stop_within);
	int status = 0;
	waitpid(stopped, &status, WUNTRACED);
	ok(WIFSTOPPED(status), "a worker is stopped with another one");
	ok(lock_take(&shared->lock[0]), "it is given to who waits, to be repaired");
	lock_repaired(&shared->lock[0]);
	lock_drop(&shared->lock[0]);
	waitpid(stopped, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "and the worker was killed");
	ok(!lock_take(&shared->lock[0]), "after that it is a lock as before");
	lock_drop(&shared->lock[0]);

	/* The other one has waited for as long by now, and a look longer. */
	usleep(2 * LOCK_LOOK_MS * 1000);
	is_int(atomic_load(&shared->taken), 0, "the lock that the master keeps is waited for");
	lock_drop(&shared->lock[1]);
	waitpid(waiting, &status, 0);
	ok(WIFEXITED(status) && atomic_load(&shared->taken) == 1, "until it is dropped, and nobody died of it");
	return done_testing();
}
