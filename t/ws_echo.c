/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * t/ws_echo [-z] [PORT]: a WebSocket server on 127.0.0.1 that echoes text messages, made of the same HTTP server,
 * codec and connections as tidingsd, so that outside conformance suites can be pointed at it. -z: permessage-deflate is
 * negotiated with those who offer it. Without a port it takes a free one. Prints the port, and ends well on SIGTERM
 * and SIGINT.
 */
#include "core/base.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "core/conf.h"
#include "core/log.h"
#include "net/addr.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/ws.h"

#define MAX_MESSAGE (16 * 1024 * 1024) /* the largest that the Autobahn suite sends */

struct listener {
	struct http_server *server;
	int fd;
};

static void on_message(struct ws *ws, struct str text, void *user)
{
	struct ws_frame *frame = ws_frame_new(text);
	ws_send(ws, frame);
	ws_frame_unref(frame);
}

static void on_closed(struct ws *ws, int code, void *user)
{
}

static enum http_verdict on_head(struct http_req *req, void *ctx)
{
	static const struct ws_handler handler = {on_message, on_closed};
	http_upgrade_ws(req, NULL, &handler, NULL);
	return HTTP_ANSWERED;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	struct addr peer = {.len = sizeof(peer.sa)};
	int client = accept4(fd, (struct sockaddr *)&peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client >= 0)
		http_server_accept(l->server, client, &peer, NULL);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	loop_stop(arg);
}

static int listen_on(const char *port)
{
	struct addr a;
	const char *err;
	char text[64];
	snprintf(text, sizeof(text), "127.0.0.1:%s", port);
	if (addr_parse(&a, text, &err) != 0)
		log_fatal("%s: %s", text, err);
	int fd = addr_listen(&a, 128, &err);
	if (fd < 0)
		log_fatal("%s: %s", text, err);
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	if (getsockname(fd, (struct sockaddr *)&in, &len) != 0)
		log_fatal("getsockname: %s", strerror(errno));
	printf("%d\n", ntohs(in.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	static char origin[] = "https://friend.example";
	static char *origins[] = {origin};
	static char empty[] = "";
	static struct conf conf = {
		.http = {.prefix = empty,
			 .docroot = empty,
			 .max_body = 65536,
			 .header_timeout_secs = 10,
			 .body_timeout_secs = 30,
			 .keepalive_timeout_secs = 75,
			 .cors_origins = {origins, ARRAY_LEN(origins)}},
		.websocket = {.max_message = MAX_MESSAGE,
			      .ping_interval_secs = 30,
			      .idle_timeout_secs = 75,
			      .send_queue = 4 * MAX_MESSAGE},
	};
	static const struct http_handler handler = {.head = on_head};
	int opt;
	while ((opt = getopt(argc, argv, "z")) != -1) {
		if (opt != 'z')
			return 2;
		conf.websocket.compression = true;
	}
	struct loop *loop = loop_new();
	struct listener l = {.server = http_server_new(loop, &conf, &handler, NULL, NULL),
			     .fd = listen_on(optind < argc ? argv[optind] : "0")};
	struct event *events[] = {
		event_new(loop_base(loop), l.fd, EV_READ | EV_PERSIST, on_accept, &l),
		evsignal_new(loop_base(loop), SIGTERM, on_signal, loop),
		evsignal_new(loop_base(loop), SIGINT, on_signal, loop),
	};
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i] == NULL || event_add(events[i], NULL) != 0)
			log_fatal("cannot watch the socket and the signals");
	loop_run(loop);
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		event_free(events[i]);
	close(l.fd);
	http_server_free(&l.server);
	loop_free(&loop);
	return 0;
}
