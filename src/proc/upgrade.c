/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new binary takes over without a connection refused. The old master starts it with all its listening sockets and a
 * channel; the new one makes its own hub and workers, and says on the channel when they are ready. Then the old one
 * lets go of the sockets and of the channel, whose end tells the new one to begin, and drains. What connects between
 * waits in the sockets' backlog. Should either of them die, the other one serves.
 */
#include "core/base.h"
#include "proc/master_priv.h"

#include "core/log.h"
#include "proc/inherit.h"
#include "proc/notify.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* So long a new one may take to be ready. */
#define READY_SECS 60
#define READY_BYTE '+'

/* ---- the old one ---- */

struct upgrade {
	struct master *m;
	pid_t pid;
	int channel;
	struct event *event; /* the channel, and how long it may be silent */
};

void upgrade_free(struct upgrade **up)
{
	struct upgrade *u = *up;
	if (u == NULL)
		return;
	*up = NULL;
	event_free(u->event);
	close(u->channel);
	free(u);
}

static void on_successor(evutil_socket_t channel, short what, void *arg)
{
	struct upgrade *u = arg;
	struct master *m = u->m;
	char byte;
	if (what & EV_TIMEOUT) {
		log_error("upgrade: process %d is not ready after %d s and is killed", (int)u->pid, READY_SECS);
		kill(u->pid, SIGKILL);
		upgrade_free(&m->upgrade);
		return;
	}
	if (read(channel, &byte, 1) != 1 || byte != READY_BYTE) {
		log_error("upgrade: process %d did not start; this one serves on", (int)u->pid);
		upgrade_free(&m->upgrade);
		return;
	}
	log_info("upgrade: process %d is ready and takes over", (int)u->pid);
	notify_main_pid(u->pid);
	master_hand_over(m);
	upgrade_free(&m->upgrade);
}

static pid_t start_successor(struct master *m, const int channel[2])
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	size_t n = 0, activated = 0;
	int *sockets = xcalloc(m->listener_count + 1, sizeof(*sockets));
	for (size_t i = 0; i < m->listener_count; i++)
		if (m->listener[i].not_ours)
			sockets[activated++] = m->listener[i].fd;
	n = activated;
	for (size_t i = 0; i < m->listener_count; i++)
		if (!m->listener[i].not_ours)
			sockets[n++] = m->listener[i].fd;
	sockets[n++] = control_socket(m->control);
	inherit_run(m->argv, sockets, n, activated, channel[1]);
	_exit(127);
}

int upgrade_start(struct master *m, char **err_r)
{
	static const struct timeval patience = {.tv_sec = READY_SECS};
	int channel[2];
	if (m->phase != MASTER_SERVING || m->upgrade != NULL) {
		*err_r = xstrdup(m->upgrade != NULL ? "one is under way" : "this server is not in service");
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0) {
		*err_r = xstrdup(strerror(errno));
		return -1;
	}
	pid_t pid = start_successor(m, channel);
	close(channel[1]);
	if (pid < 0) {
		*err_r = xasprintf("cannot fork: %s", strerror(errno));
		close(channel[0]);
		return -1;
	}
	struct upgrade *u = m->upgrade = xcalloc(1, sizeof(*u));
	*u = (struct upgrade){.m = m, .pid = pid, .channel = channel[0]};
	u->event = event_new(m->base, u->channel, EV_READ, on_successor, u);
	event_add(u->event, &patience);
	log_info("upgrade: %s started as process %d", m->argv[0], (int)pid);
	return 0;
}

void upgrade_cancel(struct master *m)
{
	if (m->upgrade == NULL)
		return;
	kill(m->upgrade->pid, SIGTERM);
	upgrade_free(&m->upgrade);
}

/* ---- the new one ---- */

/* The predecessor has let go, or has died. */
static void on_predecessor(evutil_socket_t channel, short what, void *arg)
{
	struct master *m = arg;
	(void)channel;
	(void)what;
	upgrade_end_wait(m);
	master_take_over(m);
}

void upgrade_wait(struct master *m)
{
	m->predecessor = event_new(m->base, inherit_predecessor(), EV_READ, on_predecessor, m);
	event_add(m->predecessor, NULL);
}

void upgrade_say_ready(struct master *m)
{
	const char byte = READY_BYTE;
	if (m->predecessor != NULL && send(event_get_fd(m->predecessor), &byte, 1, MSG_NOSIGNAL) != 1)
		log_warn("upgrade: the old server is gone: %s", strerror(errno));
}

void upgrade_end_wait(struct master *m)
{
	if (m->predecessor == NULL)
		return;
	close(event_get_fd(m->predecessor));
	event_free(m->predecessor);
	m->predecessor = NULL;
}
