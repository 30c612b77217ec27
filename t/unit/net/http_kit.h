/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An HTTP server on socket pairs for its tests. The handler answers by the path:
 * /now at once from the request callback, with the body echoed; /pending is kept for the test to answer; /early and
 * /early-later from the head callback, now or by the test; /file/… from the document root. The bodies of /stream… come
 * in parts: /stream/paused is paused at first, /stream/pausing after each part, /stream/early is answered at a part
 * with a '!'. /content… is answered with content_part of content_path.
 */
#ifndef TIDINGS_T_NET_HTTP_KIT_H
#define TIDINGS_T_NET_HTTP_KIT_H

#include "core/base.h"
#include "net/http.h"

#include "core/conf.h"
#include "pair.h"
#include "../tap.h"

#include <fcntl.h>

#define PENDING_MAX 64

static struct conf conf;
static struct http_server *server;
static const char *docroot = "/nonexistent";

/* What was seen since reset_seen(). */
static struct {
	int heads, requests, aborted, opened, closed, answered;
	int status;
	const char *reason;
	struct http_req *pending[PENDING_MAX];
	int pending_count;
	char path[64];
	int parts;
} seen;
static struct http_req *streamed; /* the last one */
static struct buf taken;	  /* of it */
static const char *content_path = "/dev/null";
static struct http_content content_part;
static int content_fd = -1; /* the last one */

static inline void keep_pending(struct http_req *req)
{
	if (seen.pending_count < PENDING_MAX)
		seen.pending[seen.pending_count++] = req;
}

static inline bool path_begins(const struct http_req *req, const char *with)
{
	return req->path.len >= strlen(with) && memcmp(req->path.s, with, strlen(with)) == 0;
}

static enum http_verdict kit_head(struct http_req *req, void *ctx)
{
	seen.heads++;
	snprintf(seen.path, sizeof(seen.path), "%.*s", (int)req->path.len, req->path.s);
	if (path_begins(req, "/early-later")) {
		keep_pending(req);
		return HTTP_ANSWERED;
	}
	if (path_begins(req, "/early")) {
		http_reply_problem(req, 403, "forbidden", "no", 0, NULL);
		return HTTP_ANSWERED;
	}
	if (path_begins(req, "/file")) {
		http_reply_file(req, docroot, (struct str){req->path.s + 5, req->path.len - 5});
		return HTTP_ANSWERED;
	}
	if (path_begins(req, "/content")) {
		struct http_content c = content_part;
		c.fd = content_fd = open(content_path, O_RDONLY | O_CLOEXEC);
		http_reply_content(req, &c);
		return HTTP_ANSWERED;
	}
	if (path_begins(req, "/stream")) {
		streamed = req;
		buf_clear(&taken);
		if (path_begins(req, "/stream/paused"))
			http_body_pause(req);
		return HTTP_STREAM_BODY;
	}
	return HTTP_TAKE_BODY;
}

static void kit_body(struct http_req *req, struct str part, void *ctx)
{
	seen.parts++;
	buf_append_str(&taken, part);
	if (path_begins(req, "/stream/pausing"))
		http_body_pause(req);
	if (path_begins(req, "/stream/early") && memchr(part.s, '!', part.len) != NULL)
		http_reply_problem(req, 409, "conflict", "no", 0, NULL);
}

static void kit_request(struct http_req *req, void *ctx)
{
	seen.requests++;
	if (path_begins(req, "/pending"))
		keep_pending(req);
	else if (path_begins(req, "/stream"))
		http_reply(req, 200, "text/plain", NULL, STR_LIT("streamed"));
	else
		http_reply(req, 200, "text/plain", NULL, req->body);
}

static void kit_aborted(struct http_req *req, void *ctx)
{
	seen.aborted++;
}

static void kit_opened(void *ctx)
{
	seen.opened++;
}

static void kit_closed(const char *reason, void *ctx)
{
	seen.closed++;
	seen.reason = reason;
}

static void kit_answered(const struct http_req *req, int status, size_t bytes, void *ctx)
{
	seen.answered++;
	seen.status = status;
}

static const struct http_handler kit_handler = {kit_head, kit_request, kit_aborted, kit_body};
static const struct http_observer kit_observer = {kit_opened, kit_closed, kit_answered};

static inline void reset_seen(void)
{
	buf_clear(&taken);
	memset(&seen, 0, sizeof(seen));
}

static inline void start_server(void)
{
	conf.http.max_body = 1000;
	conf.http.header_timeout_secs = 10;
	conf.http.body_timeout_secs = 30;
	conf.http.keepalive_timeout_secs = 75;
	if (loop == NULL)
		start_loop();
	server = http_server_new(loop, &conf, &kit_handler, &kit_observer, NULL);
	reset_seen();
}

static inline void stop_server(void)
{
	http_server_free(&server);
	buf_fini(&taken);
	turn();
}

/* A client: its descriptor, and what it has received. */
struct client {
	int fd;
	struct buf in;
	bool eof;
};

static inline void open_client_with(struct client *c, int buffer_size, struct tls_server *tls)
{
	int fds[2];
	*c = (struct client){0};
	make_pair(fds, buffer_size);
	http_server_accept(server, fds[0], &unix_peer, tls);
	c->fd = fds[1];
}

static inline void open_client(struct client *c)
{
	open_client_with(c, 0, NULL);
}

static inline void close_client(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_fini(&c->in);
	turns(3);
}

static inline void send_bytes(struct client *c, const void *data, size_t len)
{
	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(c->fd, (const char *)data + sent, len - sent, MSG_NOSIGNAL);
		if (n > 0)
			sent += (size_t)n;
		else if (errno != EAGAIN)
			break;
		turn();
	}
}

static inline void say(struct client *c, const char *text)
{
	send_bytes(c, text, strlen(text));
}

/* What came since the last call, after some turns. */
static inline const char *hear(struct client *c)
{
	buf_clear(&c->in);
	for (int quiet = 0; quiet < 3;) {
		size_t before = c->in.len;
		turn();
		c->eof = drain_into(c->fd, &c->in);
		quiet = c->in.len == before ? quiet + 1 : 0;
	}
	return buf_cstr(&c->in);
}

/* The first line's status; 0 without an answer. */
static inline int status_of(const char *answer)
{
	return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

static inline int count_of(const char *text, const char *what)
{
	int n = 0;
	for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
		n++;
	return n;
}

static inline bool has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

static inline const char *body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");
	return end != NULL ? end + 4 : "";
}

#endif
