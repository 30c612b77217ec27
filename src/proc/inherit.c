/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors across exec: what sd_listen_fds(3) says of the environment, from both sides. */
#include "core/base.h"
#include "proc/inherit.h"

#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SOCKETS_MAX 64
#define CHANNEL_VARIABLE "TIDINGS_PREDECESSOR_FD"
/* How many of the sockets, the first ones, a service manager made; all of them where no predecessor says. */
#define ACTIVATED_VARIABLE "TIDINGS_ACTIVATED_FDS"

static struct {
	int fd[SOCKETS_MAX]; /* -1 once asked for */
	bool activated[SOCKETS_MAX];
	size_t count;
	int predecessor;
} inherited = {.predecessor = -1};

/* The number in the variable, which is removed; -1 if there is none up to max. */
static long take_number(const char *name, long max)
{
	const char *text = getenv(name);
	char *end;
	long v = -1;
	if (text != NULL && *text >= '0' && *text <= '9') {
		v = strtol(text, &end, 10);
		if (*end != '\0' || v > max)
			v = -1;
	}
	unsetenv(name);
	return v;
}

static bool is_listening(int fd)
{
	int listens = 0, type = 0;
	socklen_t size = sizeof(int);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

void inherit_take(void)
{
	long pid = take_number("LISTEN_PID", INT32_MAX);
	long count = take_number("LISTEN_FDS", SOCKETS_MAX);
	long channel = take_number(CHANNEL_VARIABLE, INT32_MAX);
	long activated = take_number(ACTIVATED_VARIABLE, SOCKETS_MAX);
	unsetenv("LISTEN_FDNAMES");
	/* Another process's, left in the environment by what started us. */
	if (pid != getpid())
		return;
	for (int fd = INHERIT_FIRST_FD; fd < INHERIT_FIRST_FD + count; fd++) {
		if (!is_listening(fd)) {
			log_warn("descriptor %d was handed over and is no listening socket", fd);
			continue;
		}
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, O_NONBLOCK);
		inherited.activated[inherited.count] = activated < 0 || fd < INHERIT_FIRST_FD + activated;
		inherited.fd[inherited.count++] = fd;
	}
	if (channel >= 0 && fcntl((int)channel, F_SETFD, FD_CLOEXEC) == 0)
		inherited.predecessor = (int)channel;
}

static const char *name_of(int fd, char out[ADDR_TEXT_MAX])
{
	struct addr a = {.len = sizeof(a.sa)};
	if (getsockname(fd, (struct sockaddr *)&a.sa, &a.len) != 0)
		a.sa.ss_family = AF_UNSPEC;
	return addr_format(&a, out);
}

int inherit_socket(const struct addr *a, bool *activated_r)
{
	char wanted[ADDR_TEXT_MAX], name[ADDR_TEXT_MAX];
	addr_format(a, wanted);
	for (size_t i = 0; i < inherited.count; i++) {
		int fd = inherited.fd[i];
		if (fd >= 0 && strcmp(name_of(fd, name), wanted) == 0) {
			inherited.fd[i] = -1;
			*activated_r = inherited.activated[i];
			return fd;
		}
	}
	return -1;
}

void inherit_close_rest(void)
{
	char name[ADDR_TEXT_MAX];
	for (size_t i = 0; i < inherited.count; i++) {
		if (inherited.fd[i] < 0)
			continue;
		log_warn("the socket %s was handed over, and the configuration does not name it",
			 name_of(inherited.fd[i], name));
		close(inherited.fd[i]);
	}
	inherited.count = 0;
}

int inherit_predecessor(void)
{
	return inherited.predecessor;
}

static void set_number(const char *name, long v)
{
	char text[24];
	snprintf(text, sizeof(text), "%ld", v);
	setenv(name, text, 1);
}

void inherit_run(char *const *argv, const int *sockets, size_t n, size_t activated, int channel)
{
	int moved[SOCKETS_MAX + 1];
	int first = INHERIT_FIRST_FD, last = first + (int)n;
	if (n > SOCKETS_MAX) {
		log_error("more than %d sockets cannot be handed over", SOCKETS_MAX);
		return;
	}
	/*
	 * Out of the way first: the log, which may have to be told why this failed, and each of them, for it may have
	 * the number that another one is to get.
	 */
	if (log_fd() >= 0)
		log_take_fd(fcntl(log_fd(), F_DUPFD_CLOEXEC, last + 1));
	for (size_t i = 0; i <= n; i++)
		moved[i] = fcntl(i < n ? sockets[i] : channel, F_DUPFD_CLOEXEC, last + 1);
	for (size_t i = 0; i <= n; i++) {
		if (dup2(moved[i], first + (int)i) < 0) {
			log_error("cannot hand over a socket: %s", strerror(errno));
			return;
		}
	}
	set_number("LISTEN_FDS", (long)n);
	set_number("LISTEN_PID", getpid());
	set_number(CHANNEL_VARIABLE, last);
	set_number(ACTIVATED_VARIABLE, (long)activated);
	execvp(argv[0], argv);
	log_error("cannot run %s: %s", argv[0], strerror(errno));
}
