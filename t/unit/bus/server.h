/* SPDX-License-Identifier: BSD-2-Clause */
/* A Redis of the test's own, on a UNIX socket in a directory of its own, and a plain connection to order it about. */
#ifndef TIDINGS_T_UNIT_BUS_SERVER_H
#define TIDINGS_T_UNIT_BUS_SERVER_H

#include "core/base.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct server {
	char dir[64];
	char path[96];
	int port;  /* of 127.0.0.1, which it serves too; 0: none */
	pid_t pid; /* 0: not running */
};

/* A blocking connection, or -1. */
static inline int server_connect(const struct server *s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", s->path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline void server_init(struct server *s)
{
	*s = (struct server){.dir = "/tmp/tidings-bus-XXXXXX"};
	if (mkdtemp(s->dir) == NULL) {
		printf("Bail out! mkdtemp: %s\n", strerror(errno));
		exit(1);
	}
	snprintf(s->path, sizeof(s->path), "%s/redis.sock", s->dir);
}

/* Returns when it answers. */
static inline void server_start(struct server *s, const char *password)
{
	char port[16];
	snprintf(port, sizeof(port), "%d", s->port);
	fflush(stdout);
	s->pid = fork();
	if (s->pid == 0) {
		int null = open("/dev/null", O_RDWR);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, 1);
		dup2(null, 2);
		if (chdir(s->dir) == 0)
			execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--unixsocket",
			       s->path, "--save", "", "--appendonly", "no", "--requirepass", password, (char *)NULL);
		_exit(127);
	}
	int fd = -1;
	for (int i = 0; i < 1000 && (fd = server_connect(s)) < 0; i++)
		usleep(10000);
	if (fd < 0) {
		printf("Bail out! redis-server does not start\n");
		kill(s->pid, SIGKILL);
		exit(1);
	}
	close(fd);
}

static inline void server_kill(struct server *s)
{
	if (s->pid != 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
		s->pid = 0;
	}
	unlink(s->path);
}

static inline void server_fini(struct server *s)
{
	server_kill(s);
	rmdir(s->dir);
}

/* One inline command on a connection of its own; what came back, as it came, in `out`. */
static inline void server_order(const struct server *s, const char *line, char *out, size_t size)
{
	int fd = server_connect(s);
	size_t len = 0;
	char text[256];
	/* The answer to QUIT ends what is read. */
	int n = snprintf(text, sizeof(text), "%s\r\nQUIT\r\n", line);
	out[0] = '\0';
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		return;
	while (len + 1 < size) {
		ssize_t got = read(fd, out + len, size - len - 1);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	out[len] = '\0';
	close(fd);
}

/* Cuts the connection that has this name. */
static inline bool server_cut(const struct server *s, const char *name)
{
	char list[16384], line[64], wanted[64], answer[64];
	server_order(s, "CLIENT LIST", list, sizeof(list));
	snprintf(wanted, sizeof(wanted), " name=%s ", name);
	char *at = strstr(list, wanted);
	if (at == NULL)
		return false;
	*at = '\0';
	char *id = NULL;
	for (char *p = list; (p = strstr(p, "id=")) != NULL; p++) {
		if (p == list || p[-1] == '\n')
			id = p + 3;
	}
	if (id == NULL)
		return false;
	snprintf(line, sizeof(line), "CLIENT KILL ID %ld", strtol(id, NULL, 10));
	server_order(s, line, answer, sizeof(answer));
	return strncmp(answer, ":1", 2) == 0;
}

#endif
