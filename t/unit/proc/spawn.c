/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders to workers that cannot take them: one that is leaving by itself is let go, one that does not run is killed. */
#include "core/base.h"

#include "proc/channel.h"
#include "proc/master_priv.h"
#include "../tap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
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

int main(void)
{
	int hold[2];
	struct child slot;
	struct master m = {.child = &slot, .slots = 1, .phase = MASTER_STOPPING};
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
	return done_testing();
}
