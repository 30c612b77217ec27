/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tidings-media: looks at files that strangers have sent. The master starts it (proc/media.h) with nothing of its own
 * but these descriptors; people do not.
 *
 *	tidings-media NUMBER CHILDREN LOG LEVEL FORMAT
 *
 * LOG is stderr, syslog, or file; a file's descriptor is MEDIA_FD_LOG. It loads the libraries once and forks for each
 * file (crew.h), so a file costs no start and gets no further than its own child.
 */
#include "core/base.h"

#include "core/clock.h"
#include "core/heap.h"
#include "core/log.h"
#include "inspector/crew.h"
#include "inspector/look.h"
#include "proc/channel.h"
#include "proc/media.h"
#include "proc/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TICK_MS 1000
/* While children work: a hung one is found in time, and memory is watched where there are no limits. */
#define TICK_BUSY_MS 100
/* When the master is gone, workers drain for less long. */
#define ORPHAN_DRAIN_MS 10000

struct media {
	struct crew *crew;
	int channel, signals;
	bool has_master, drains, stops;
	enum worker_state state;
	int64_t deadline_ms, told_ms;
};

static void tell_master(struct media *m)
{
	struct report r = {.state = m->state, .jobs = crew_working(m->crew), .jobs_done = crew_done(m->crew)};
	m->told_ms = clock_mono_ms();
	heap_read_memory(&r.resident_kib, &r.private_kib);
	if (m->has_master && channel_report(m->channel, &r) != 0 && errno != EPIPE && errno != ECONNRESET)
		log_error_gated("the master cannot be told anything: %s", strerror(errno));
}

static void drain(struct media *m, int64_t within_ms)
{
	if (m->drains)
		return;
	log_info("draining");
	m->drains = true;
	m->state = WORKER_DRAINING;
	m->deadline_ms = clock_mono_ms() + within_ms;
	tell_master(m);
}

static void obey(struct media *m, const struct order *o, int fd)
{
	switch (o->kind) {
	case ORDER_DRAIN:
		drain(m, o->deadline_ms);
		break;
	case ORDER_QUIT:
		m->stops = true;
		break;
	case ORDER_LOG:
		log_take_fd(fd);
		fd = -1;
		break;
	default:
		break;
	}
	if (fd >= 0)
		close(fd);
}

static void hear_master(struct media *m)
{
	struct order o;
	int fd, got;
	while ((got = channel_receive(m->channel, &o, &fd)) > 0)
		obey(m, &o, fd);
	if (got < 0) {
		log_error("the master is gone");
		m->has_master = false;
		/* Workers still drain, and may have jobs; when they are gone too the mailbox ends. */
		m->deadline_ms = clock_mono_ms() + ORPHAN_DRAIN_MS;
	}
}

static void wait_for_something(struct media *m)
{
	struct pollfd fds[CREW_MAX + 3];
	size_t own = 0;
	fds[own++] = (struct pollfd){.fd = m->signals, .events = POLLIN};
	if (m->has_master)
		fds[own++] = (struct pollfd){.fd = m->channel, .events = POLLIN};
	size_t count = crew_poll(m->crew, !m->drains, fds + own);
	if (poll(fds, (nfds_t)(own + count), crew_working(m->crew) > 0 ? TICK_BUSY_MS : TICK_MS) < 0)
		return;
	struct signalfd_siginfo info;
	while (read(m->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		;
	if (own > 1 && fds[1].revents != 0)
		hear_master(m);
	if (!crew_take(m->crew, fds + own, count)) {
		m->drains = true;
		if (m->deadline_ms == 0)
			m->deadline_ms = clock_mono_ms() + ORPHAN_DRAIN_MS;
	}
}

static void run(struct media *m)
{
	m->state = WORKER_READY;
	log_info("ready");
	tell_master(m);
	while (!m->stops) {
		wait_for_something(m);
		crew_look(m->crew);
		int64_t now = clock_mono_ms();
		if (now - m->told_ms >= TICK_MS)
			tell_master(m);
		bool idle = m->drains && crew_working(m->crew) == 0;
		if (idle || (m->deadline_ms != 0 && now >= m->deadline_ms))
			m->stops = true;
	}
	crew_kill(m->crew);
}

static int open_log(char *const *argv)
{
	const char *reason;
	enum log_level level = (enum log_level)atoi(argv[4]);
	enum log_format format = (enum log_format)atoi(argv[5]);
	if (strcmp(argv[3], "file") != 0)
		return log_open(argv[3], level, format, &reason);
	log_open_fd(MEDIA_FD_LOG, level, format);
	return 0;
}

static int begin(struct media *m, char *const *argv)
{
	static const int masters[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE};
	const char *reason;
	char who[32];
	sigset_t child;
	if (open_log(argv) != 0)
		return -1;
	snprintf(who, sizeof(who), "media %s", argv[1]);
	log_identity(who);
	prctl(PR_SET_NAME, MEDIA_COMM);
	for (size_t i = 0; i < ARRAY_LEN(masters); i++)
		signal(masters[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	for (int fd = MEDIA_FD_CHANNEL; fd <= MEDIA_FD_LOG; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	m->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals < 0) {
		log_error("cannot wait for children: %s", strerror(errno));
		return -1;
	}
	if (look_start(&reason) != 0) {
		log_error("cannot begin: %s", reason);
		return -1;
	}
	log_start();
	return 0;
}

int main(int argc, char **argv)
{
	struct media m = {.channel = MEDIA_FD_CHANNEL, .has_master = true, .state = WORKER_STARTING};
	if (argc != 6) {
		fputs("tidings-media is started by tidingsd.\n", stderr);
		return 2;
	}
	if (begin(&m, argv) != 0)
		return PROCESS_UNABLE;
	m.crew = crew_new(MEDIA_FD_MAILBOX, (unsigned)atoi(argv[2]));
	run(&m);
	log_stop();
	/* Not exit(): the libraries' own farewells are worth nothing, and one of them could hang. */
	_exit(0);
}
