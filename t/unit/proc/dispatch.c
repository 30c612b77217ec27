/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accepting and passing sockets, with workers that are sockets of this test: how many are under way, what is kept until
 * it is taken, who gets it when a worker dies, the admin listener's places of its own, and rest when descriptors run
 * out.
 */
#include "core/base.h"

#include "proc/channel.h"
#include "proc/master_priv.h"
#include "../hub/child.h"
#include "../tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 2, CLIENTS = 400 };

static struct {
	struct master m;
	struct child child[WORKERS];
	struct conf conf;
	int theirs[WORKERS]; /* the workers' ends */
	uint64_t taken[WORKERS];
	struct sockaddr_in address[2]; /* of the public and of the admin listener */
	int client[CLIENTS];
	unsigned clients;
} t;

static void NORETURN die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void report(unsigned i, uint64_t taken, uint32_t connections, enum worker_state state)
{
	struct report r = {.taken = taken, .connections = connections, .state = state};
	t.taken[i] = taken;
	if (channel_report(t.theirs[i], &r) != 0)
		die("report");
}

/* What is there to do, once. */
static void turn(void)
{
	event_base_loop(t.m.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void some_turns(void)
{
	for (int i = 0; i < 20; i++)
		turn();
}

/* That the master may kill it is a part of the game: each has a process of its own, which only waits. */
static pid_t waiting_process(void)
{
	int ready[2];
	char byte;
	if (pipe(ready) != 0)
		die("pipe");
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		closefrom(3);
		for (;;)
			pause();
	}
	close(ready[1]);
	/* The end: it has closed what it got from us, other workers' channels among that. */
	if (read(ready[0], &byte, 1) != 0)
		die("read");
	close(ready[0]);
	return pid;
}

static void begin_worker(unsigned i)
{
	int pair[2];
	struct child *c = &t.child[i];
	if (channel_pair(pair) != 0)
		die("socketpair");
	*c = (struct child){.m = &t.m, .slot = i, .pid = waiting_process(), .channel = pair[0]};
	t.theirs[i] = pair[1];
	t.taken[i] = 0;
	passing_begin(c);
}

static void end_worker(unsigned i)
{
	struct child *c = &t.child[i];
	if (t.theirs[i] >= 0)
		close(t.theirs[i]);
	passing_end(c);
	close(c->channel);
	c->channel = -1;
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	c->pid = 0;
}

/* Sockets that have come to the worker; they are closed again. */
static unsigned receive(unsigned i, unsigned most)
{
	struct order order;
	int fd;
	unsigned n = 0;
	while (n < most && channel_receive(t.theirs[i], &order, &fd) == 1) {
		n++;
		close(fd);
	}
	return n;
}

static struct sockaddr_in own_address(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		die("getsockname");
	return a;
}

static void connect_clients(unsigned listener, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&t.address[listener], sizeof(t.address[listener])) != 0)
			die("connect");
		t.client[t.clients++] = fd;
	}
}

static void close_clients(void)
{
	while (t.clients > 0)
		close(t.client[--t.clients]);
}

/* 1: open, 0: closed by the server. */
static int is_open(unsigned client)
{
	char byte;
	ssize_t n = recv(t.client[client], &byte, 1, MSG_DONTWAIT);
	return n < 0 && errno == EAGAIN;
}

static unsigned open_clients(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < t.clients; i++)
		n += (unsigned)is_open(i);
	return n;
}

static void begin(void)
{
	static char *public_item[] = {(char *)"127.0.0.1:0"};
	const char *reason;
	char *err;
	t.conf = (struct conf){
		.listen = {.item = public_item, .count = 1}, .worker_connections = 1000, .workers = WORKERS};
	t.conf.admin.listen = (char *)"localhost:0";
	t.m = (struct master){.conf = &t.conf, .child = t.child, .slots = WORKERS, .phase = MASTER_SERVING};
	STAILQ_INIT(&t.m.waiting);
	t.m.base = event_base_new();
	t.m.hub = hub_new(&(struct hub_size){WORKERS, 100, 10}, &reason);
	if (dispatch_listen(&t.m, &t.conf, &err) != 0)
		die(err);
	for (unsigned i = 0; i < 2; i++)
		t.address[i] = own_address(t.m.listener[i].fd);
	for (unsigned i = 0; i < WORKERS; i++)
		begin_worker(i);
}

static void end(void)
{
	close_clients();
	for (unsigned i = 0; i < WORKERS; i++)
		if (t.child[i].channel >= 0)
			end_worker(i);
	dispatch_close(&t.m);
	passing_drop_all(&t.m);
	if (t.m.rest != NULL)
		event_free(t.m.rest);
	event_base_free(t.m.base);
	hub_free(&t.m.hub);
}

static bool is_armed(unsigned listener)
{
	return event_pending(t.m.listener[listener].event, EV_READ, NULL) != 0;
}

static void test_credit(void)
{
	begin();
	some_turns();
	ok(!is_armed(0) && !is_armed(1), "nobody is accepted before a worker is ready");
	report(0, 0, 0, WORKER_READY);
	report(1, 0, 0, WORKER_READY);
	some_turns();
	ok(is_armed(0) && is_armed(1), "and at once when one is");

	connect_clients(0, 2 * UNDER_WAY_MAX + 50);
	some_turns();
	ok(!is_armed(0), "with as many under way as may be nobody more is accepted");
	is_int(t.child[0].under_way, UNDER_WAY_MAX, "as many to the first");
	is_int(t.child[1].under_way, UNDER_WAY_MAX, "and to the second");
	/* One turn: what is not there after it would be waited for. */
	unsigned n = receive(0, 10);
	report(0, n, n, WORKER_READY);
	turn();
	ok(is_armed(0), "a worker that has taken some makes room at once");
	some_turns();
	is_int(t.child[0].under_way, UNDER_WAY_MAX, "which is filled in the next turn");
	n += receive(0, 1000);
	unsigned m = receive(1, 1000);
	report(0, n, n, WORKER_READY);
	report(1, m, m, WORKER_READY);
	some_turns();
	is_int(t.child[0].under_way + t.child[1].under_way + n + m, 2 * UNDER_WAY_MAX + 50, "none is lost");
	is_int(t.m.refused, 0, "nor refused");
	end();
}

static void test_admin(void)
{
	begin();
	report(0, 0, 0, WORKER_READY);
	some_turns();
	connect_clients(0, UNDER_WAY_MAX + 10);
	some_turns();
	ok(!is_armed(0) && is_armed(1), "the public queue is full, the admin listener's is not");
	connect_clients(1, 1);
	some_turns();
	is_int(t.child[0].admin_under_way, 1, "who connects there is passed on");
	unsigned n = receive(0, 1000);
	report(0, n, (uint32_t)t.conf.worker_connections + 1000, WORKER_READY);
	some_turns();
	ok(!is_armed(0) && is_armed(1), "nor does it count where all places are taken");
	report(0, n, (uint32_t)t.conf.worker_connections, WORKER_READY);
	some_turns();
	ok(is_armed(0), "room that comes back is used at once");
	end();
}

static void test_death(void)
{
	begin();
	report(0, 0, 0, WORKER_READY);
	some_turns();
	connect_clients(0, 20);
	connect_clients(1, 2);
	some_turns();
	is_int(t.child[0].under_way, 22, "passed to the one that is ready");
	/* It takes some, says so, and dies with the others unread. */
	unsigned n = receive(0, 7);
	report(0, n, n, WORKER_READY);
	end_worker(0);
	is_int(open_clients(), 22 - 7, "what it had taken is closed with it, the rest is not");
	report(1, 0, 0, WORKER_READY);
	some_turns();
	is_int(t.child[1].under_way, 22 - 7, "and is passed to the next that is ready");
	is_int(receive(1, 1000), 22 - 7, "who gets it");
	is_int(t.m.refused, 0, "nobody was refused");
	/* Its channel is closed, and the master has not noticed yet. */
	report(1, 22 - 7, 0, WORKER_READY);
	some_turns();
	begin_worker(0);
	report(0, 0, 0, WORKER_READY);
	some_turns();
	close_clients();
	close(t.theirs[0]);
	t.theirs[0] = -1;
	connect_clients(0, 10);
	some_turns();
	is_int(t.child[1].under_way, 10, "while one is dead and not noticed yet the other one gets all");
	is_int(open_clients(), 10, "and nobody is reset");
	end();
}

static void test_poison(void)
{
	begin();
	connect_clients(0, 1);
	unsigned deaths = 0;
	for (; deaths < 10 && open_clients() == 1; deaths++) {
		report(0, 0, 0, WORKER_READY);
		some_turns();
		if (t.child[0].under_way == 0)
			break;
		end_worker(0);
		begin_worker(0);
	}
	is_int(deaths, 3, "a connection is not passed to more than three workers that die of it");
	is_int(t.m.refused, 1, "and is counted as refused");
	end();
}

static void test_lies(void)
{
	static const struct report lies[] = {
		{.taken = 5, .state = WORKER_READY},
		{.taken = UINT64_MAX, .state = WORKER_READY},
		{.taken = 0, .state = 77},
		{.taken = 0, .state = WORKER_FREE},
	};
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		begin();
		const pid_t liar = t.child[0].pid;
		report(0, 0, 0, WORKER_READY);
		some_turns();
		connect_clients(0, 3);
		some_turns();
		if (channel_report(t.theirs[0], &lies[i]) != 0)
			die("report");
		some_turns();
		siginfo_t end_of_it = {0};
		/* Left to be waited for again. WNOHANG would come too early: the signal is on its way. */
		if (t.child[0].deaf)
			waitid(P_PID, (id_t)liar, &end_of_it, WEXITED | WNOWAIT);
		ok(end_of_it.si_pid == liar && end_of_it.si_status == SIGKILL,
		   "lie %zu: a worker that reports what cannot be is killed", i);
		is_int(t.child[0].under_way, 3, "lie %zu: and nothing of it is believed", i);
		end();
	}
	begin();
	if (send(t.theirs[0], "x", 1, 0) != 1)
		die("send");
	some_turns();
	ok(t.child[0].deaf, "a report of another size is none");
	end();
}

static void test_rest(void)
{
	struct rlimit before, low;
	begin();
	report(0, 0, 0, WORKER_READY);
	turn();
	connect_clients(0, 3);
	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	int next = dup(0);
	close(next);
	low.rlim_cur = (rlim_t)next;
	setrlimit(RLIMIT_NOFILE, &low);
	turn();
	ok(!is_armed(0) && !is_armed(1), "without a descriptor left nobody is accepted");
	dispatch_update(&t.m);
	for (int i = 0; i < 100; i++) {
		report(0, 0, 0, WORKER_READY);
		turn();
	}
	ok(t.m.rest != NULL && (!is_armed(0) || evtimer_pending(t.m.rest, NULL) == 0),
	   "and nothing that happens meanwhile undoes the rest");
	setrlimit(RLIMIT_NOFILE, &before);
	for (int i = 0; i < 1000 && t.child[0].under_way < 3; i++)
		event_base_loop(t.m.base, EVLOOP_ONCE);
	is_int(t.child[0].under_way, 3, "after it all are accepted");
	end();
}

int main(void)
{
	if (freopen("/dev/null", "w", stderr) == NULL)
		die("/dev/null");
	become_nobody();
	test_credit();
	test_admin();
	test_death();
	test_poison();
	test_lies();
	test_rest();
	return done_testing();
}
