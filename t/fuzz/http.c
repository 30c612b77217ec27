/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes into an HTTP connection, over a socket pair. The first byte says into how many pieces they are cut; the
 * path decides how the handler answers: at once, later, early, or with a file.
 */
#include "core/base.h"
#include "net/http.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct http_server *server;
static struct conf conf;
static struct http_req *pending;

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
	return HTTP_TAKE_BODY;
}

static void on_request(struct http_req *req, void *ctx)
{
	ASSERT(req->content_length < 0 || req->body.len == (size_t)req->content_length);
	ASSERT(req->body.len <= (size_t)conf.http.max_body && pending == NULL);
	if (req->path.len > 1 && req->path.s[1] == 'p')
		pending = req;
	else
		http_reply(req, 200, "text/plain", NULL, req->body);
}

static const struct http_handler handler = {.head = on_head, .request = on_request};

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
