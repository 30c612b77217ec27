/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server by HTTP/1.1 for the test of fetch.c, plain or with TLS: a process that forks another for each connection.
 * What it does follows from the path of a request.
 */
#ifndef TIDINGS_T_NET_FETCH_SERVER_H
#define TIDINGS_T_NET_FETCH_SERVER_H

#include "core/base.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"

struct server {
	int fd, port;
	pid_t pid;
	SSL_CTX *tls; /* NULL: plain */
};

struct client {
	int fd;
	SSL *ssl;
	unsigned number;
	struct buf in;
};

static inline void give(struct client *c, const char *data, size_t len)
{
	if (c->ssl != NULL ? SSL_write(c->ssl, data, (int)len) <= 0 : send(c->fd, data, len, MSG_NOSIGNAL) < 0)
		_exit(0);
}

static inline void give_text(struct client *c, const char *text)
{
	give(c, text, strlen(text));
}

static inline void take_more(struct client *c)
{
	char *to = buf_reserve(&c->in, 65536);
	ssize_t n = c->ssl != NULL ? SSL_read(c->ssl, to, 65536) : read(c->fd, to, 65536);
	if (n <= 0)
		_exit(0);
	c->in.len += (size_t)n;
}

/* The head of the next request is at the beginning of c->in then, and its body follows. */
static inline size_t take_request(struct client *c, size_t *body_r)
{
	const char *end, *length;
	while ((end = strstr(buf_cstr(&c->in), "\r\n\r\n")) == NULL)
		take_more(c);
	size_t head = (size_t)(end - c->in.data) + 4;
	length = strcasestr(c->in.data, "\r\nContent-Length: ");
	*body_r = length != NULL && length < end ? (size_t)atol(length + 18) : 0;
	while (c->in.len < head + *body_r)
		take_more(c);
	return head;
}

/* The number of the connection, and the request. */
static inline void echo(struct client *c, size_t len)
{
	struct buf out = {0};
	char number[32];
	int n = snprintf(number, sizeof(number), "%u ", c->number);
	buf_printf(&out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", len + (size_t)n, number);
	buf_append(&out, c->in.data, len);
	give(c, out.data, out.len);
	buf_fini(&out);
}

static inline void answer(struct client *c, const char *path, size_t len)
{
	if (strcmp(path, "/echo") == 0)
		return echo(c, len);
	if (strcmp(path, "/later") == 0)
		return give_text(c, "HTTP/1.1 503 Later\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno");
	if (strcmp(path, "/never") == 0)
		return give_text(c, "HTTP/1.1 429 Never\r\nRetry-After: Fri, 31 Dec 2999 23:59:59 "
				    "GMT\r\nContent-Length: 0\r\n\r\n");
	if (strcmp(path, "/soon") == 0)
		return give_text(c, "HTTP/1.1 429 Soon\r\nRetry-After: -5 apples\r\nContent-Length: 0\r\n\r\n");
	if (strcmp(path, "/elsewhere") == 0)
		return give_text(c, "HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n");
	if (strcmp(path, "/garbage") == 0)
		give_text(c, "SSH-2.0-OpenSSH_9.2\r\n");
	if (strcmp(path, "/cut") == 0)
		give_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
	if (strcmp(path, "/large") == 0)
		give_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
	while (strcmp(path, "/endless") == 0 || strcmp(path, "/large") == 0)
		give_text(c, "HTTP/1.1 200 OK\r\n\r\nand so on, and so on, and so on, and so on, and so on, and so on");
	if (strcmp(path, "/headers") == 0)
		give_text(c, "HTTP/1.1 200 OK\r\n");
	while (strcmp(path, "/headers") == 0)
		give_text(c, "X-More: and so on, and so on, and so on, and so on, and so on, and so on\r\n");
	while (strcmp(path, "/hang") == 0)
		pause();
	_exit(0);
}

NORETURN static inline void serve(struct server *s, int fd, unsigned number)
{
	struct client c = {.fd = fd, .number = number};
	char path[64];
	if (s->tls != NULL) {
		c.ssl = SSL_new(s->tls);
		SSL_set_fd(c.ssl, fd);
		if (SSL_accept(c.ssl) != 1)
			_exit(0);
	}
	for (;;) {
		size_t body, head = take_request(&c, &body);
		if (sscanf(c.in.data, "%*s %63s", path) != 1)
			_exit(0);
		answer(&c, path, head + body);
		buf_consume(&c.in, head + body);
	}
}

/* It ends with the process that started it. */
static inline void server_start(struct server *s, SSL_CTX *tls)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	s->tls = tls;
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(s->fd, (struct sockaddr *)&in, len) != 0 || listen(s->fd, 64) != 0 ||
	    getsockname(s->fd, (struct sockaddr *)&in, &len) != 0)
		abort();
	s->port = ntohs(in.sin_port);
	s->pid = fork();
	if (s->pid != 0) {
		close(s->fd);
		return;
	}
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned number = 1;; number++) {
		int fd = accept(s->fd, NULL, NULL);
		pid_t pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(s, fd, number);
		}
		close(fd);
	}
}

#endif
