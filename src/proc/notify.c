/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sd_notify(3): a datagram of VARIABLE=value lines to the UNIX socket that $NOTIFY_SOCKET names, a path or, with a
 * leading '@', an abstract one. These lines instead of libsystemd: a master that runs as root is better off without
 * what that library brings along.
 */
#include "core/base.h"
#include "proc/notify.h"

#include "core/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static bool manager_address(struct sockaddr_un *sa, socklen_t *len_r)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path != NULL ? strlen(path) : 0;
	if (len < 2 || len >= sizeof(sa->sun_path) || (path[0] != '/' && path[0] != '@'))
		return false;
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(sa->sun_path, path, len);
	if (path[0] == '@')
		sa->sun_path[0] = '\0';
	*len_r = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

static void tell(const char *text)
{
	struct sockaddr_un sa;
	socklen_t len;
	if (!manager_address(&sa, &len))
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sa, len) < 0)
		log_warn("the service manager cannot be told: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

void notify_ready(void)
{
	tell("READY=1\n");
}

void notify_reloading(void)
{
	char text[64];
	struct timespec ts;
	/* The machine's own clock: a shift of ours is none of the manager's business. */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n",
		 (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	tell(text);
}

void notify_stopping(void)
{
	tell("STOPPING=1\n");
}

void notify_main_pid(pid_t pid)
{
	char text[32];
	snprintf(text, sizeof(text), "MAINPID=%ld\n", (long)pid);
	tell(text);
}
