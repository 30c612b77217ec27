/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orders to workers that cannot take them: one that is leaving by itself is let go, one that does not run is killed.
 * And workers that cannot be started at first: they are, later.
 */
#include "core/base.h"

#include "proc/channel.h"
#include "proc/master_priv.h"
#include "../hub/child.h"
#include "../tap.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* A worker that does nothing but wait for a byte on `hold`, and then leaves well; with or without its channel. */
static struct child *worker(struct master *m, int hold, bool keeps_channel)
{
	int pair[2], ready[2];
	char byte;
	if (channel_pair(pair) != 0 || pipe(ready) != 0)
		exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		close(ready[0]);
		if (!keeps_channel)
			close(pair[1]);
		close(ready[1]);
		_exit(read(hold, &byte, 1) == 1 ? 0 : 1);
	}
	close(pair[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 0) /* its end: the child has come to its waiting */
		exit(1);
	close(ready[0]);
	m->child[0] = (struct child){.m = m, .pid = pid, .channel = pair[0]};
	return &m->child[0];
}

static int end_of(const struct child *c)
{
	int status = -1;
	waitpid(c->pid, &status, 0);
	close(c->channel);
	return status;
}

static unsigned forks, failing;

/* A system without processes to spare, for `failing` times; then one whose workers only wait. */
static pid_t scarce_fork(void)
{
	forks++;
	if (failing > 0) {
		failing--;
		errno = EAGAIN;
		return -1;
	}
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static unsigned fill_in_time(struct master *m, unsigned wanted)
{
	/* As many turns as it takes; each waits for a timer of the throttle. */
	for (int i = 0; i < 100 && spawn_living(m) < wanted; i++)
		event_base_loop(m->base, EVLOOP_ONCE);
	return spawn_living(m);
}

static void end_all(struct master *m)
{
	for (unsigned i = 0; i < m->slots; i++) {
		struct child *c = &m->child[i];
		if (c->pid != 0) {
			kill(c->pid, SIGKILL);
			waitpid(c->pid, NULL, 0);
			passing_end(c);
			partners_end(c);
			close(c->channel);
		}
		if (c->respawn != NULL)
			event_free(c->respawn);
		*c = (struct child){.m = m, .slot = i, .channel = -1};
	}
}

static void test_scarcity(void)
{
	enum { WORKERS = 3, SLOTS = 6 };
	struct child slot[SLOTS];
	struct conf conf = {.workers = WORKERS, .worker_connections = 10};
	struct master m = {.conf = &conf, .child = slot, .slots = SLOTS, .phase = MASTER_SERVING};
	const char *reason;
	STAILQ_INIT(&m.waiting);
	m.base = event_base_new();
	m.hub = hub_new(&(struct hub_size){SLOTS, 100, 10}, &reason);
	for (unsigned i = 0; i < SLOTS; i++)
		slot[i] = (struct child){.m = &m, .slot = i, .channel = -1};
	spawn_fork = scarce_fork;

	failing = WORKERS + 2;
	spawn_fill(&m);
	is_int(spawn_living(&m), 0, "no process can be had");
	unsigned tried = forks;
	spawn_fill(&m);
	is_int(forks, tried, "which is not tried again at once");
	is_int(fill_in_time(&m, WORKERS), WORKERS, "but later, until all are there");
	is_int(forks, 2 * WORKERS + 2, "and no more than these");
	end_all(&m);

	/* The same without descriptors for a channel. */
	struct rlimit before, low;
	int next = dup(0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	low.rlim_cur = (rlim_t)next;
	setrlimit(RLIMIT_NOFILE, &low);
	spawn_fill(&m);
	is_int(spawn_living(&m), 0, "no channel can be had");
	setrlimit(RLIMIT_NOFILE, &before);
	is_int(fill_in_time(&m, WORKERS), WORKERS, "later it can, and all are there");
	end_all(&m);
	spawn_fork = fork;
	event_base_free(m.base);
	hub_free(&m.hub);
}

int main(void)
{
	int hold[2];
	struct child slot;
	struct master m = {.child = &slot, .slots = 1, .phase = MASTER_STOPPING};
	become_nobody();
	if (pipe(hold) != 0)
		exit(1);

	struct child *c = worker(&m, hold[0], false);
	spawn_quit_all(&m);
	is_int(waitpid(c->pid, NULL, WNOHANG), 0, "one that has closed its channel is still about to end");
	if (write(hold[1], "x", 1) != 1)
		exit(1);
	int status = end_of(c);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "and is left to do so");

	c = worker(&m, hold[0], true);
	const struct order order = {.kind = ORDER_LOST};
	while (channel_send(c->channel, &order, -1) == 0)
		;
	spawn_quit_all(&m);
	status = end_of(c);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "one that takes nothing from its channel is killed");

	test_scarcity();
	return done_testing();
}
