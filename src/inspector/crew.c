/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "inspector/crew.h"

#include "core/clock.h"
#include "core/log.h"
#include "inspector/look.h"
#include "inspector/sandbox.h"
#include "media/inspect_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child's limits: picture of LOOK_PIXELS_MAX pixels fits with 16 bits and four bands. */
#define MEMORY_BYTES (UINT64_C(768) << 20)
#define FILE_BYTES_MIN (UINT64_C(8) << 20)
#define FILE_BYTES_MAX (UINT64_C(1) << 30)
#define CPU_SECS 20
/* A picture can wait; messages cannot. */
#define NICE 10
/* Its own descriptors begin behind these; libvips copies some. */
enum { CHILD_FIRST_FD = 3, CHILD_FILES = 32 };
/* A child that has been told of by a signal that only others send was not ended by its file. */
#define JOBS_A_TURN 16

struct worker_child {
	pid_t pid; /* 0: a free place */
	int answers;
	int64_t started_ms;
	enum inspect_reason killed; /* by us, for that; INSPECT_NO_REASON: not */
};

struct crew {
	int mailbox;
	unsigned most, working;
	uint64_t done;
	struct worker_child child[CREW_MAX];
};

struct crew *crew_new(int mailbox, unsigned most)
{
	struct crew *c = xcalloc(1, sizeof(*c));
	c->mailbox = mailbox;
	c->most = most < 1 ? 1 : most > CREW_MAX ? CREW_MAX : most;
	return c;
}

unsigned crew_working(const struct crew *c)
{
	return c->working;
}

uint64_t crew_done(const struct crew *c)
{
	return c->done;
}

size_t crew_poll(const struct crew *c, bool takes_jobs, struct pollfd *out)
{
	size_t n = 0;
	if (takes_jobs && c->working < c->most)
		out[n++] = (struct pollfd){.fd = c->mailbox, .events = POLLIN};
	/* Workers that do not wait any more: POLLHUP comes without being asked for. */
	for (unsigned i = 0; i < c->most; i++)
		if (c->child[i].pid != 0 && c->child[i].killed == INSPECT_NO_REASON)
			out[n++] = (struct pollfd){.fd = c->child[i].answers};
	return n;
}

/* ---- the child ---- */

static uint64_t writes_max(int file)
{
	struct stat st;
	uint64_t bytes = fstat(file, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size * 4 : 0;
	return bytes < FILE_BYTES_MIN ? FILE_BYTES_MIN : bytes > FILE_BYTES_MAX ? FILE_BYTES_MAX : bytes;
}

static uint64_t file_size(int file)
{
	struct stat st;
	return fstat(file, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

/* Nothing is open but these four, in their order from CHILD_FIRST_FD. */
static void keep_only(int fds[INSPECT_FDS])
{
	for (int i = 0; i < INSPECT_FDS; i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, CHILD_FIRST_FD + INSPECT_FDS);
	for (int i = 0; i < INSPECT_FDS; i++)
		if (fds[i] < 0 || dup2(fds[i], CHILD_FIRST_FD + i) < 0)
			_exit(1);
	for (int i = 0; i < INSPECT_FDS; i++)
		fds[i] = CHILD_FIRST_FD + i;
	if (close_range(CHILD_FIRST_FD + INSPECT_FDS, ~0u, 0) != 0)
		_exit(1);
#ifndef __SANITIZE_ADDRESS__
	/* Its libraries have nothing to say. */
	dup2(STDIN_FILENO, STDOUT_FILENO);
	dup2(STDIN_FILENO, STDERR_FILENO);
#endif
}

static void child_run(int fds[INSPECT_FDS], pid_t parent)
{
	static const int usual[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGCHLD};
	struct inspect_result r;
	unsigned char answer[INSPECT_ANSWER_MAX];
	sigset_t none;
	/* A parent that has died is gone before this. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
	prctl(PR_SET_NAME, "tidings-inspect");
	setpriority(PRIO_PROCESS, 0, NICE);
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		signal(usual[i], i < 5 ? SIG_IGN : SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	keep_only(fds);
	const struct sandbox_limits limits = {
		.memory_bytes = MEMORY_BYTES + file_size(fds[INSPECT_FD_FILE]),
		.file_bytes = writes_max(fds[INSPECT_FD_FILE]),
		.cpu_secs = CPU_SECS,
		.files = CHILD_FILES,
	};
	if (sandbox_enter(&limits, fds[INSPECT_FD_ANSWER]) != 0)
		_exit(1);
	look(fds[INSPECT_FD_FILE], fds[INSPECT_FD_THUMB], fds[INSPECT_FD_CLEAN], &r);
	size_t len = inspect_answer_write(&r, answer);
	_exit(send(fds[INSPECT_FD_ANSWER], answer, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : 1);
}

/* ---- jobs ---- */

static void answer(int fd, enum inspect_status status, enum inspect_reason reason)
{
	const struct inspect_result r = {.status = status, .reason = reason, .duration_ms = -1};
	unsigned char data[INSPECT_ANSWER_MAX];
	size_t len = inspect_answer_write(&r, data);
	/* A worker that is gone needs none. */
	if (send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE && errno != ECONNRESET)
		log_warn_gated("an answer was not sent: %s", strerror(errno));
}

static bool has_left(int answers)
{
	struct pollfd p = {.fd = answers};
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

static void begin(struct crew *c, int fds[INSPECT_FDS])
{
	struct worker_child *place = c->child;
	pid_t parent = getpid();
	if (has_left(fds[INSPECT_FD_ANSWER])) {
		close_all(fds, INSPECT_FDS);
		return;
	}
	while (place->pid != 0)
		place++;
	pid_t pid = fork();
	if (pid == 0)
		child_run(fds, parent);
	if (pid < 0) {
		log_error_gated("cannot fork for a file: %s", strerror(errno));
		answer(fds[INSPECT_FD_ANSWER], INSPECT_UNAVAILABLE, INSPECT_NO_REASON);
		close_all(fds, INSPECT_FDS);
		return;
	}
	close_all(fds + 1, INSPECT_FDS - 1);
	*place = (struct worker_child){.pid = pid, .answers = fds[INSPECT_FD_ANSWER], .started_ms = clock_mono_ms()};
	c->working++;
}

/* 1: a job, or something that is none and was dropped; 0: nothing is there; -1: nothing will come. */
static int receive(struct crew *c)
{
	unsigned char data[INSPECT_JOB_BYTES + 1];
	/* Room for more than belong to a job, so that those are seen and closed. */
	int fds[2 * INSPECT_FDS];
	size_t count = 0;
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(fds))];
	} control;
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.space,
			     .msg_controllen = sizeof(control.space)};
	ssize_t n;
	do
		n = recvmsg(c->mailbox, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	if (n == 0)
		return -1;
	for (struct cmsghdr *m = CMSG_FIRSTHDR(&msg); m != NULL; m = CMSG_NXTHDR(&msg, m)) {
		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		size_t more = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (count + more <= ARRAY_LEN(fds)) {
			memcpy(fds + count, CMSG_DATA(m), more * sizeof(int));
			count += more;
		}
	}
	if (inspect_job_read(data, (size_t)n, count)) {
		begin(c, fds);
		return 1;
	}
	/* One whose descriptors this process may not open is lost: its worker sees the end of the answers. */
	log_warn_gated("a job is malformed, or its files cannot be opened");
	close_all(fds, count);
	return 1;
}

/* ---- its children ---- */

static void child_kill(struct worker_child *w, enum inspect_reason reason)
{
	w->killed = reason;
	kill(w->pid, SIGKILL);
}

static void child_ended(struct crew *c, struct worker_child *w, int status)
{
	bool by_signal = WIFSIGNALED(status);
	if (w->killed != INSPECT_NO_REASON) {
		answer(w->answers, INSPECT_REFUSED, w->killed);
	} else if (by_signal && WTERMSIG(status) == SIGKILL) {
		log_warn("process %d, with a file, was killed by somebody else", (int)w->pid);
		answer(w->answers, INSPECT_UNAVAILABLE, INSPECT_NO_REASON);
	} else if (by_signal) {
		log_warn_gated("process %d died of its file: signal %d", (int)w->pid, WTERMSIG(status));
		answer(w->answers, INSPECT_REFUSED,
		       WTERMSIG(status) == SIGXCPU ? INSPECT_TOO_SLOW : INSPECT_TOO_COSTLY);
	} else if (WEXITSTATUS(status) != 0) {
		log_error_gated("process %d could not look at its file: status %d", (int)w->pid, WEXITSTATUS(status));
		answer(w->answers, INSPECT_UNAVAILABLE, INSPECT_NO_REASON);
	}
	close(w->answers);
	*w = (struct worker_child){0};
	c->working--;
	c->done++;
}

#ifdef __SANITIZE_ADDRESS__
static uint64_t resident_bytes(pid_t pid)
{
	char path[64];
	unsigned long pages = 0;
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
#else
static uint64_t resident_bytes(pid_t pid)
{
	(void)pid;
	return 0;
}
#endif

void crew_look(struct crew *c)
{
	int64_t now = clock_mono_ms();
	for (unsigned i = 0; i < c->most; i++) {
		struct worker_child *w = &c->child[i];
		int status;
		if (w->pid == 0)
			continue;
		pid_t pid = waitpid(w->pid, &status, WNOHANG);
		if (pid == w->pid)
			child_ended(c, w, status);
		else if (w->killed == INSPECT_NO_REASON && now - w->started_ms >= CREW_PATIENCE_MS)
			child_kill(w, INSPECT_TOO_SLOW);
		else if (w->killed == INSPECT_NO_REASON && resident_bytes(w->pid) > MEMORY_BYTES)
			child_kill(w, INSPECT_TOO_COSTLY);
	}
}

bool crew_take(struct crew *c, const struct pollfd *fds, size_t count)
{
	int got = 1;
	for (size_t i = 0; i < count; i++) {
		if (fds[i].revents == 0)
			continue;
		if (fds[i].fd == c->mailbox) {
			for (int n = 0; n < JOBS_A_TURN && c->working < c->most && got > 0; n++)
				got = receive(c);
			continue;
		}
		for (unsigned k = 0; k < c->most; k++)
			if (c->child[k].pid != 0 && c->child[k].answers == fds[i].fd && has_left(fds[i].fd))
				child_kill(&c->child[k], INSPECT_TOO_SLOW);
	}
	return got >= 0;
}

void crew_kill(struct crew *c)
{
	for (unsigned i = 0; i < c->most; i++)
		if (c->child[i].pid != 0)
			kill(c->child[i].pid, SIGKILL);
}
