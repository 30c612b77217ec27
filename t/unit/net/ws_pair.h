/* SPDX-License-Identifier: BSD-2-Clause */
/* A WebSocket connection over a socket pair, its client a plain descriptor; time passes by moving the clock. */
#ifndef TIDINGS_T_UNIT_NET_WS_PAIR_H
#define TIDINGS_T_UNIT_NET_WS_PAIR_H

#include "core/base.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/conf.h"
#include "net/conn.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/intake.h"
#include "net/ws_priv.h"
#include "../tap.h"

#define FIN 0x80
#define TURNS_MAX 400

static struct loop *loop;
static struct conf conf;
static struct http_server *server;
static _Atomic int64_t shift_ms;

/* One connection: the server's end is a ws, the client's a plain descriptor. */
struct pair {
	struct ws *ws;
	struct conn *conn;
	int fd;
	struct buf texts; /* what `message` was given, each followed by a '|' */
	int pause_after;  /* messages until the handler pauses; 0: never */
	int close_after;
	int messages;
	int closed, code;
	struct buf in; /* what the client has read */
	bool eof;
};

static const struct http_handler no_requests;

static void start(void)
{
	clock_share_shift(&shift_ms);
	loop = loop_new();
	server = http_server_new(loop, &conf, &no_requests, NULL, NULL);
}

static void stop(void)
{
	http_server_free(&server);
	loop_free(&loop);
}

static void do_nothing(struct loop_task *t)
{
}

/* A turn of the loop that does not wait: what a socket pair carries is there at once. */
static void turn(void)
{
	static struct loop_task task = {.fn = do_nothing};
	loop_defer(loop, &task);
	loop_turn(loop);
}

static void on_message(struct ws *ws, struct str text, void *user)
{
	struct pair *p = user;
	buf_append_str(&p->texts, text);
	buf_append_char(&p->texts, '|');
	p->messages++;
	if (p->messages == p->pause_after)
		ws_pause(ws);
	if (p->messages == p->close_after)
		ws_close(ws, 4001, "replaced");
}

static void on_closed(struct ws *ws, int code, void *user)
{
	struct pair *p = user;
	p->closed++;
	p->code = code;
	p->ws = NULL;
}

/* With the defaults of the configuration. */
static void start_ws(void)
{
	conf.http.body_timeout_secs = 30;
	conf.websocket.max_message = 65536;
	conf.websocket.ping_interval_secs = 30;
	conf.websocket.idle_timeout_secs = 75;
	conf.websocket.send_queue = 262144;
	start();
}

static const struct ws_handler handler = {on_message, on_closed};
static const struct conn_handler nothing;

static void open_pair(struct pair *p)
{
	int fds[2];
	struct addr peer = {.len = sizeof(sa_family_t)};
	peer.sa.ss_family = AF_UNIX;
	*p = (struct pair){0};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
		exit(1);
	p->fd = fds[1];
	p->conn = conn_new(loop, fds[0], &peer, &nothing, NULL);
	p->ws = ws_new(p->conn, server, &handler, p);
}

static void client_read(struct pair *p)
{
	ssize_t n;
	while (p->fd >= 0 && !p->eof && (n = read(p->fd, buf_reserve(&p->in, 65536), 65536)) >= 0) {
		p->in.len += (size_t)n;
		p->eof = n == 0;
	}
}

static void client_close(struct pair *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* The server's end of the connection is gone altogether. */
static UNUSED bool hung_up(const struct pair *p)
{
	struct pollfd fd = {.fd = p->fd};
	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP) != 0;
}

/* Turns until the condition holds; the client reads in between. */
#define until(p, cond)                                                                                                 \
	for (int turn_ = 0; turn_ < TURNS_MAX && (client_read(p), !(cond)); turn_++)                                   \
	turn()

/* The clock moves on, and what is due happens. */
static void pass(int64_t ms)
{
	shift_ms += ms + WHEEL_TICK_MS;
	wheel_advance(loop_wheel(loop), clock_mono_ms());
	turn();
}

static void put_frame(struct buf *b, int first, struct str payload)
{
	char head[8] = {(char)first, (char)(0x80 | (payload.len < 126 ? payload.len : 126)), (char)(payload.len >> 8),
			(char)payload.len};
	static const char mask[4];
	buf_append(b, head, payload.len < 126 ? 2 : 4);
	buf_append(b, mask, sizeof(mask));
	buf_append_str(b, payload);
}

static void client_write(struct pair *p, const struct buf *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = write(p->fd, b->data + at, b->len - at);
		if (n > 0)
			at += (size_t)n;
		else
			turn();
	}
}

static void client_send(struct pair *p, int first, const char *text)
{
	struct buf b = {0};
	put_frame(&b, first, str_from(text));
	client_write(p, &b);
	buf_fini(&b);
}

/* Takes a frame off what the client has read: its opcode, or -1. The payload is put into `out`. */
static int take_frame(struct pair *p, struct buf *out)
{
	const unsigned char *d = (unsigned char *)p->in.data;
	buf_clear(out);
	if (p->in.len < 2)
		return -1;
	size_t len = d[1], head = 2;
	if (len == 126) {
		head = 4;
		len = (size_t)d[2] << 8 | d[3];
	}
	if (p->in.len < head + len)
		return -1;
	int op = d[0] & 0x0f;
	buf_append(out, d + head, len);
	buf_consume(&p->in, head + len);
	return op;
}

/* The next frame is a close frame of that code. */
static void is_close_frame(struct pair *p, int code, const char *name)
{
	struct buf body = {0};
	int op = take_frame(p, &body);
	is_int(op, WS_CLOSE, "%s: a close frame", name);
	int got = body.len >= 2 ? (unsigned char)body.data[0] << 8 | (unsigned char)body.data[1] : 0;
	is_int(got, code, "%s: its code", name);
	buf_fini(&body);
}

/* The end of each test: the closed callback comes once, with that code, and the client sees the end. */
static void finish(struct pair *p, int code, const char *name)
{
	until(p, p->eof || p->fd < 0);
	if (p->fd >= 0)
		ok(p->eof, "%s: the server closed", name);
	client_close(p);
	until(p, p->closed);
	for (int i = 0; i < 4; i++)
		turn();
	is_int(p->closed, 1, "%s: closed was called once", name);
	is_int(p->code, code, "%s: its code", name);
	buf_fini(&p->texts);
	buf_fini(&p->in);
}

#endif
