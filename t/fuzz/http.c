/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes into an HTTP connection, over a socket pair. The first byte says into how many pieces they are cut; the
 * path decides how the handler answers: at once, later, early, with a file or a part of one, or to a streamed body that
 * it may pause or answer within.
 */
#include "core/base.h"
#include "net/http.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct http_server *server;
static struct conf conf;
static struct http_req *pending, *paused;
static size_t streamed;
static int file;

static void pause_body(struct http_req *req)
{
	http_body_pause(req);
	paused = req;
}

static enum http_verdict on_head(struct http_req *req, void *ctx)
{
	struct str value;
	ASSERT(req->path.len != 0 && req->id[0] != '\0');
	if (http_req_query(req, "q", &value) == 1)
		ASSERT(value.s != NULL);
	if (req->path.len > 1 && req->path.s[1] == 'e') {
		http_reply_problem(req, 403, "forbidden", "no", 1, NULL);
		return HTTP_ANSWERED;
	}
	if (req->path.len > 1 && req->path.s[1] == 'f') {
		http_reply_file(req, "/nonexistent", req->path);
		return HTTP_ANSWERED;
	}
	if (req->path.len > 1 && req->path.s[1] == 'c') {
		http_reply_content(req, &(struct http_content){.fd = dup(file),
							       .offset = 1,
							       .size = 9,
							       .etag = "\"v1\"",
							       .content_type = "text/plain"});
		return HTTP_ANSWERED;
	}
	if (req->path.len > 1 && strchr("sS", req->path.s[1]) != NULL) {
		if (req->path.s[1] == 'S')
			pause_body(req);
		streamed = 0;
		return HTTP_STREAM_BODY;
	}
	return HTTP_TAKE_BODY;
}

static void on_body(struct http_req *req, struct str part, void *ctx)
{
	ASSERT(part.len != 0 && paused == NULL);
	streamed += part.len;
	ASSERT(streamed <= (size_t)conf.http.max_body);
	if (memchr(part.s, 'P', part.len) != NULL)
		pause_body(req);
	if (memchr(part.s, 'A', part.len) != NULL) {
		paused = NULL;
		http_reply(req, 200, "text/plain", NULL, part);
	}
}

static void on_aborted(struct http_req *req, void *ctx)
{
	if (req == paused)
		paused = NULL;
}

static void on_request(struct http_req *req, void *ctx)
{
	bool in_parts = req->path.len > 1 && strchr("sS", req->path.s[1]) != NULL;
	ASSERT(paused == NULL);
	ASSERT(req->content_length < 0 || (in_parts ? streamed : req->body.len) == (size_t)req->content_length);
	ASSERT(req->body.len <= (size_t)conf.http.max_body && pending == NULL);
	if (req->path.len > 1 && req->path.s[1] == 'p')
		pending = req;
	else
		http_reply(req, 200, "text/plain", NULL, req->body);
}

static const struct http_handler handler = {
	.head = on_head, .request = on_request, .aborted = on_aborted, .body = on_body};

static void do_nothing(struct loop_task *t)
{
}

/* A turn that does not wait; what is pending is answered in it. */
static void turn(int client)
{
	static struct loop_task task = {.fn = do_nothing};
	static char sink[65536];
	loop_defer(loop, &task);
	loop_turn(loop);
	if (pending != NULL) {
		struct http_req *req = pending;
		pending = NULL;
		http_reply(req, 200, "text/plain", NULL, req->body);
	}
	if (paused != NULL) {
		struct http_req *req = paused;
		paused = NULL;
		http_body_resume(req);
	}
	while (client >= 0 && recv(client, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
}

static void start(void)
{
	static char origin[] = "https://o";
	static char *origins[] = {origin};
	conf.http.max_body = 100;
	conf.http.header_timeout_secs = conf.http.body_timeout_secs = conf.http.keepalive_timeout_secs = 10;
	conf.http.cors_origins = (struct conf_list){origins, 1};
	file = memfd_create("fuzz", 0);
	if (file < 0 || write(file, "0123456789", 10) != 10)
		abort();
	loop = loop_new();
	server = http_server_new(loop, &conf, &handler, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct addr peer = {.sa.ss_family = AF_UNIX, .len = sizeof(sa_family_t)};
	int fds[2];
	if (loop == NULL)
		start();
	if (size == 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
		return 0;
	http_server_accept(server, fds[0], &peer, NULL);
	size_t piece = (size - 1) / (data[0] % 8 + 1u) + 1;
	for (size_t at = 1; at < size; at += piece) {
		size_t len = size - at < piece ? size - at : piece;
		if (send(fds[1], data + at, len, MSG_NOSIGNAL) < 0)
			break;
		turn(fds[1]);
	}
	turn(fds[1]);
	close(fds[1]);
	for (int i = 0; http_server_connections(server) != 0; i++) {
		ASSERT(i < 1000);
		turn(-1);
	}
	return 0;
}
