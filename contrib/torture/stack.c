/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the processes alive, and knows which are ready, see stack.h. */
#include "core/base.h"
#include "stack.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "pace.h"
#include "stack_priv.h"
#include "wire.h"

#define TICK_MS 50
#define READY_TIMEOUT_MS 3000
#define WORKERS_MAX 64
/* After a start that failed. */
#define AGAIN_MS 500

static void mariadb_start(struct stack *s)
{
	char data[128], sock[128], pid[128], tmp[128], log[128];
	snprintf(data, sizeof(data), "--datadir=%s/mariadb", s->dir);
	snprintf(sock, sizeof(sock), "--socket=%s/mariadb.sock", s->dir);
	snprintf(pid, sizeof(pid), "--pid-file=%s/mariadb.pid", s->dir);
	snprintf(tmp, sizeof(tmp), "--tmpdir=%s/tmp", s->dir);
	snprintf(log, sizeof(log), "%s/mariadb.log", s->dir);
	const char *const argv[] = {"mariadbd",
				    "--no-defaults",
				    data,
				    sock,
				    pid,
				    tmp,
				    "--skip-networking",
				    "--innodb-flush-log-at-trx-commit=1",
				    "--innodb-log-file-size=16M",
				    "--max-connections=1000",
				    "--performance-schema=off",
				    "--character-set-server=utf8mb4",
				    getuid() == 0 ? "--user=root" : NULL,
				    NULL};
	s->mariadb.pid = child_spawn(argv, log);
}

static void redis_start(struct stack *s)
{
	char sock[128], log[128];
	snprintf(sock, sizeof(sock), "%s/redis.sock", s->dir);
	snprintf(log, sizeof(log), "%s/redis.log", s->dir);
	unlink(sock);
	const char *const argv[] = {"redis-server", "--port", "0",     "--unixsocket", sock, "--save", "",
				    "--appendonly", "no",     "--dir", s->dir,	       NULL};
	s->redis.pid = child_spawn(argv, log);
}

static void node_start(struct stack *s, struct node *n)
{
	char program[256];
	snprintf(program, sizeof(program), "%s/tidingsd", s->build);
	const char *const argv[] = {program, "-c", n->conf, NULL};
	n->process.pid = child_spawn(argv, n->log);
}

static void process_start(struct stack *s, struct process *p)
{
	p->begun_ms = pace_real_ms();
	p->may_end = p->draining = p->upgrading = p->up = false;
	p->starts++;
	if (p->kind == PROCESS_MARIADB)
		mariadb_start(s);
	else if (p->kind == PROCESS_REDIS)
		redis_start(s);
	else
		node_start(s, &s->node[p->index]);
}

static const char *process_name(const struct stack *s, const struct process *p)
{
	return p->kind == PROCESS_MARIADB ? "MariaDB" : p->kind == PROCESS_REDIS ? "Redis" : s->node[p->index].name;
}

/* ---- is it ready? ---- */

/* Both greet or answer at once when they are; neither is waited for. */
static void probe_database(struct process *p, const struct sockaddr_un *to)
{
	char text[64];
	if (p->probe < 0) {
		p->probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (p->probe < 0)
			return;
		if (connect(p->probe, (const struct sockaddr *)to, sizeof(*to)) != 0 ||
		    (p->kind == PROCESS_REDIS && send(p->probe, "PING\r\n", 6, MSG_NOSIGNAL) != 6)) {
			close(p->probe);
			p->probe = -1;
			return;
		}
	}
	ssize_t n = recv(p->probe, text, sizeof(text), 0);
	if (n < 0 && errno == EAGAIN)
		return;
	p->up = n > 4;
	close(p->probe);
	p->probe = -1;
}

static void on_ready_answer(int status, const struct json *body, void *arg)
{
	struct process *p = arg;
	(void)body;
	p->asking = false;
	p->up = status == 200 && p->pid != 0 && !p->draining;
}

static void probe_node(struct node *n)
{
	struct process *p = &n->process;
	if (p->asking)
		return;
	p->asking = true;
	wire_call(n->admin_port, "GET", "/readyz", NULL, STR_NULL, READY_TIMEOUT_MS, on_ready_answer, p);
}

/* ---- the end of one ---- */

static void process_ended(struct stack *s, struct process *p, int status)
{
	char what[160];
	bool young = !p->up && p->kind == PROCESS_NODE && p->failed_starts < 20;
	p->pid = 0;
	p->up = false;
	if (p->probe >= 0)
		close(p->probe);
	p->probe = -1;
	if (p->may_end && (status == 0 || !p->draining))
		return;
	/* Its port may have been taken meanwhile, and the database may be away: it tries again, as a manager does. */
	if (!p->may_end)
		p->start_at_ms = pace_real_ms() + AGAIN_MS;
	if (young && !p->may_end && !WIFSIGNALED(status)) {
		p->failed_starts++;
		return;
	}
	snprintf(what, sizeof(what), "%s ended %s: %s %d", process_name(s, p), p->may_end ? "badly" : "by itself",
		 WIFSIGNALED(status) ? "signal" : "status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	/* Before all is ready nobody waits for this: it is started again, as long as there is time. */
	if (s->died != NULL)
		s->died(what, s->died_arg);
	else
		fprintf(stderr, "torture: %s\n", what);
}

/*
 * The master has left: its successor, if there is one, is ours now. Where the master was killed, its workers are our
 * children as well until they have ended, with the same command line.
 */
static bool follow_upgrade(struct stack *s, struct node *n)
{
	pid_t pid = child_find_parent(n->conf, n->process.pid);
	n->process.upgrading = false;
	if (pid == 0)
		return false;
	n->process.pid = pid;
	n->process.may_end = false;
	n->process.up = false;
	return true;
}

static void process_tick(struct stack *s, struct process *p)
{
	int status;
	int64_t now = pace_real_ms();
	if (p->pid == 0) {
		if (!s->stopping && now >= p->start_at_ms)
			process_start(s, p);
		return;
	}
	if (child_ended(p->pid, &status)) {
		if (!(p->upgrading && follow_upgrade(s, &s->node[p->index])))
			process_ended(s, p, status);
		return;
	}
	if (p->kind == PROCESS_NODE)
		probe_node(&s->node[p->index]);
	else if (!p->up)
		probe_database(p, p->kind == PROCESS_MARIADB ? &s->mariadb_address : &s->redis_address);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct stack *s = arg;
	(void)fd;
	(void)what;
	process_tick(s, &s->mariadb);
	process_tick(s, &s->redis);
	for (unsigned i = 0; i < s->nodes; i++)
		process_tick(s, &s->node[i].process);
}

void stack_run(struct stack *s)
{
	static const struct timeval every = {.tv_usec = TICK_MS * 1000};
	s->tick = event_new(s->base, -1, EV_PERSIST, on_tick, s);
	event_add(s->tick, &every);
}

/* ---- from outside ---- */

static bool process_is_well(const struct process *p)
{
	return p->pid != 0 && p->up && !p->upgrading;
}

bool stack_is_well(const struct stack *s)
{
	return stack_ill(s) == NULL;
}

const char *stack_ill(const struct stack *s)
{
	if (!process_is_well(&s->mariadb))
		return "MariaDB";
	if (!process_is_well(&s->redis))
		return "Redis";
	for (unsigned i = 0; i < s->nodes; i++)
		if (!process_is_well(&s->node[i].process))
			return s->node[i].name;
	return NULL;
}

void process_restart(struct stack *s, struct process *p, int signal, int pause_ms)
{
	(void)s;
	if (p->pid == 0)
		return;
	p->may_end = true;
	p->up = false;
	p->draining = signal == SIGTERM;
	p->failed_starts = 0;
	p->start_at_ms = pace_real_ms() + pause_ms;
	kill(p->pid, SIGCONT);
	kill(p->pid, signal);
}

void stack_leave(struct stack *s)
{
	s->stopping = true;
	for (unsigned i = 0; i < s->nodes; i++)
		process_restart(s, &s->node[i].process, SIGTERM, 0);
}

bool stack_has_left(const struct stack *s)
{
	for (unsigned i = 0; i < s->nodes; i++)
		if (s->node[i].process.pid != 0)
			return false;
	return true;
}

static void ctl(struct stack *s, const struct node *n, const char *command, const char *word, const char *word2)
{
	char program[256];
	snprintf(program, sizeof(program), "%s/tidingsctl", s->build);
	const char *const argv[] = {program, "-c", n->conf, command, word, word2, NULL};
	/* Reaped with the orphans, at the end. */
	child_spawn(argv, n->log);
}

void stack_drain(struct stack *s, struct node *n, int pause_ms)
{
	struct process *p = &n->process;
	if (p->pid == 0)
		return;
	p->may_end = p->draining = true;
	p->up = false;
	p->failed_starts = 0;
	p->start_at_ms = pace_real_ms() + pause_ms;
	ctl(s, n, "drain", NULL, NULL);
}

void stack_upgrade(struct stack *s, struct node *n)
{
	struct process *p = &n->process;
	(void)s;
	if (p->pid == 0 || p->upgrading || p->draining)
		return;
	p->upgrading = p->may_end = true;
	kill(p->pid, SIGUSR2);
}

void stack_clock(struct stack *s, struct node *n, int secs)
{
	char word[32];
	snprintf(word, sizeof(word), "%d", secs);
	ctl(s, n, "clock", word, NULL);
}

void stack_wall_clock(struct stack *s, struct node *n, int secs)
{
	char word[32];
	snprintf(word, sizeof(word), "%d", secs);
	ctl(s, n, "clock", "wall", word);
}

/* By the name that the kernel has of it. */
static enum stack_child child_kind(pid_t pid)
{
	char path[64], name[32] = "";
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return STACK_WORKER;
	bool named = fgets(name, sizeof(name), f) != NULL;
	fclose(f);
	return named && strcmp(name, "tidings-writer\n") == 0  ? STACK_WRITER
	       : named && strcmp(name, "tidings-relay\n") == 0 ? STACK_RELAY
							       : STACK_WORKER;
}

pid_t stack_child(const struct node *n, enum stack_child kind, unsigned which)
{
	pid_t found[WORKERS_MAX];
	unsigned all = n->process.pid == 0 ? 0 : child_of(n->process.pid, found, WORKERS_MAX), count = 0;
	for (unsigned i = 0; i < all; i++)
		if (child_kind(found[i]) == kind)
			found[count++] = found[i];
	return count == 0 ? 0 : found[which % count];
}
