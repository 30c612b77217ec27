/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connecting, framing and writing for the load generator. Trusts the server to
 * frame well: what does not look right closes the connection and is reported.
 */
#include "core/base.h"
#include "peer.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/ws_deflate.h"

#define READ_SIZE 65536

int swarm_init(struct swarm *s)
{
	STAILQ_INIT(&s->dirty);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	/* A wait ends when it should, not up to 50 us later. */
	prctl(PR_SET_TIMERSLACK, 1);
	return s->epoll < 0 ? -1 : 0;
}

static void watch(struct swarm *s, struct peer *p, int op, bool write)
{
	struct epoll_event ev = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = p};
	if (epoll_ctl(s->epoll, op, p->fd, &ev) != 0) {
		perror("epoll_ctl");
		exit(1);
	}
	p->wants_write = write;
}

void peer_close(struct swarm *s, struct peer *p)
{
	if (p->state == PEER_CLOSED)
		return;
	close(p->fd);
	p->fd = -1;
	p->state = PEER_CLOSED;
	buf_fini(&p->in);
	buf_fini(&p->out);
}

static void fail(struct swarm *s, struct peer *p, const char *reason)
{
	peer_close(s, p);
	s->on.closed(p, reason);
}

static void queue_output(struct swarm *s, struct peer *p)
{
	if (p->queued || p->state == PEER_CONNECTING)
		return;
	p->queued = true;
	STAILQ_INSERT_TAIL(&s->dirty, p, dirty);
}

int peer_open(struct swarm *s, struct peer *p, enum peer_kind kind, unsigned user, const char *token)
{
	int one = 1;

	*p = (struct peer){.kind = kind, .user = user, .state = PEER_CONNECTING};
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -1;
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (s->source.s_addr != INADDR_ANY) {
		struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = s->source};
		/* The port is chosen at connect, so that one address serves as many as there are ports. */
		setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(p->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
			return -1;
	}
	if (connect(p->fd, (struct sockaddr *)&s->server, sizeof(s->server)) != 0 && errno != EINPROGRESS)
		return -1;
	if (kind == PEER_WS)
		buf_printf(&p->out,
			   "GET %s/messages/ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
			   "%sAuthorization: Bearer %s\r\n\r\n",
			   s->prefix, s->deflate != NULL ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "",
			   token);
	watch(s, p, EPOLL_CTL_ADD, true);
	return 0;
}

#define RSV1 0x40

/* A masked final frame; the key is zero, which saves the masking here and nothing at the server. */
static void send_frame(struct swarm *s, struct peer *p, unsigned char first, const char *data, size_t len)
{
	unsigned char head[8] = {0x80 | first};
	size_t n = 2;

	if (p->state != PEER_OPEN)
		return;
	if (len < 126) {
		head[1] = 0x80 | len;
	} else {
		head[1] = 0x80 | 126;
		head[2] = len >> 8;
		head[3] = len & 0xff;
		n = 4;
	}
	buf_append(&p->out, head, n + 4);
	buf_append(&p->out, data, len);
	queue_output(s, p);
}

void peer_send_text(struct swarm *s, struct peer *p, const char *data, size_t len)
{
	static struct buf packed;

	buf_clear(&packed);
	if (p->deflate && ws_deflate_pack(s->deflate, (struct str){data, len}, &packed))
		send_frame(s, p, RSV1 | 0x1, packed.data, packed.len);
	else
		send_frame(s, p, 0x1, data, len);
}

void peer_get(struct swarm *s, struct peer *p, const char *path, const char *token)
{
	if (p->state == PEER_CLOSED)
		return;
	buf_printf(&p->out, "GET %s%s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", s->prefix, path,
		   token);
	queue_output(s, p);
}

void peer_post(struct swarm *s, struct peer *p, const char *path, const char *token, const char *body, size_t len)
{
	if (p->state == PEER_CLOSED)
		return;
	buf_printf(&p->out,
		   "POST %s%s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"
		   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		   s->prefix, path, token, len);
	buf_append(&p->out, body, len);
	queue_output(s, p);
}

static int give_packed(struct swarm *s, struct peer *p, const char *data, size_t len)
{
	static struct buf text;

	buf_clear(&text);
	if (s->deflate == NULL ||
	    ws_deflate_unpack(s->deflate, (struct str){data, len}, 1 << 24, &text) != WS_UNPACKED) {
		fail(s, p, "a frame that cannot be unpacked");
		return -1;
	}
	s->on.text(p, text.data, text.len);
	return 0;
}

/* Both return the bytes taken, 0 if the unit is not whole yet, -1 after having closed the connection. */
static ssize_t take_frame(struct swarm *s, struct peer *p, const unsigned char *data, size_t len)
{
	size_t head = 2, body;
	char reason[32];

	if (len < 2)
		return 0;
	body = data[1] & 0x7f;
	if (body == 126) {
		if (len < 4)
			return 0;
		body = (size_t)data[2] << 8 | data[3];
		head = 4;
	} else if (body == 127) {
		fail(s, p, "frame over 64 KiB");
		return -1;
	}
	if (len < head + body)
		return 0;
	switch (data[0]) {
	case 0x81:
		s->on.text(p, (const char *)data + head, body);
		break;
	case RSV1 | 0x81:
		if (give_packed(s, p, (const char *)data + head, body) != 0)
			return -1;
		break;
	case 0x89:
		send_frame(s, p, 0xA, (const char *)data + head, body);
		p->pings++;
		if (s->on.pinged != NULL)
			s->on.pinged(p);
		break;
	case 0x8A:
		break;
	case 0x88:
		snprintf(reason, sizeof(reason), "close %d", body < 2 ? 1005 : data[head] << 8 | data[head + 1]);
		fail(s, p, reason);
		return -1;
	default:
		fail(s, p, "unexpected frame");
		return -1;
	}
	return p->state == PEER_CLOSED ? -1 : (ssize_t)(head + body);
}

static ssize_t take_response(struct swarm *s, struct peer *p, const char *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);
	const char *at;
	char reason[48];
	size_t head, body = 0;
	int status;

	if (end == NULL)
		return 0;
	head = end + 4 - data;
	if (len < 12 || memcmp(data, "HTTP/1.1 ", 9) != 0) {
		fail(s, p, "no HTTP");
		return -1;
	}
	status = atoi(data + 9);
	for (at = memchr(data, '\n', head); at != NULL && at < end; at = memchr(at + 1, '\n', end - at))
		if (strncasecmp(at + 1, "Content-Length:", 15) == 0)
			body = strtoul(at + 16, NULL, 10);
	if (p->kind == PEER_WS) {
		if (status != 101) {
			snprintf(reason, sizeof(reason), "upgrade answered %d", status);
			fail(s, p, reason);
			return -1;
		}
		p->state = PEER_OPEN;
		p->deflate = memmem(data, head, "permessage-deflate", 18) != NULL;
		s->on.opened(p);
		return head;
	}
	if (len < head + body)
		return 0;
	s->on.response(p, status, data + head, body);
	return p->state == PEER_CLOSED ? -1 : (ssize_t)(head + body);
}

/* Takes what is whole; the number of bytes taken, or -1 once closed. */
static ssize_t take_all(struct swarm *s, struct peer *p, const char *data, size_t len)
{
	size_t used = 0;
	ssize_t n;

	while (used < len) {
		if (p->kind == PEER_WS && p->state == PEER_OPEN)
			n = take_frame(s, p, (const unsigned char *)data + used, len - used);
		else
			n = take_response(s, p, data + used, len - used);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		used += n;
	}
	return used;
}

static void on_readable(struct swarm *s, struct peer *p)
{
	static char chunk[READ_SIZE];
	ssize_t n = recv(p->fd, chunk, sizeof(chunk), 0);
	ssize_t used;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(s, p, n == 0 ? "end of stream" : strerror(errno));
		return;
	}
	s->received += (size_t)n;
	if (p->in.len == 0) {
		used = take_all(s, p, chunk, n);
		if (used >= 0 && used < n)
			buf_append(&p->in, chunk + used, n - used);
		return;
	}
	buf_append(&p->in, chunk, n);
	used = take_all(s, p, p->in.data, p->in.len);
	if (used > 0)
		buf_consume(&p->in, used);
	if (used >= 0)
		buf_shrink(&p->in, 0);
}

static void flush(struct swarm *s, struct peer *p)
{
	ssize_t n;

	if (p->state == PEER_CLOSED || p->out.len == 0)
		return;
	n = send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		fail(s, p, strerror(errno));
		return;
	}
	if (n > 0) {
		s->sent += (size_t)n;
		buf_consume(&p->out, n);
	}
	if ((p->out.len > 0) != p->wants_write)
		watch(s, p, EPOLL_CTL_MOD, p->out.len > 0);
}

static void on_writable(struct swarm *s, struct peer *p)
{
	if (p->state == PEER_CONNECTING) {
		int err = 0;
		socklen_t len = sizeof(err);
		getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err != 0) {
			fail(s, p, strerror(err));
			return;
		}
		p->state = p->kind == PEER_WS ? PEER_UPGRADING : PEER_OPEN;
		if (p->kind == PEER_HTTP)
			s->on.opened(p);
		if (p->out.len == 0)
			watch(s, p, EPOLL_CTL_MOD, false);
	}
	flush(s, p);
}

static void flush_all(struct swarm *s)
{
	struct peer *p;

	while ((p = STAILQ_FIRST(&s->dirty)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->dirty, dirty);
		p->queued = false;
		flush(s, p);
	}
}

void swarm_turn(struct swarm *s, uint64_t timeout_us)
{
	struct epoll_event ev[256];
	struct peer *p;
	const struct timespec timeout = {.tv_sec = (time_t)(timeout_us / 1000000),
					 .tv_nsec = (long)(timeout_us % 1000000 * 1000)};
	int n;

	flush_all(s);
	n = epoll_pwait2(s->epoll, ev, ARRAY_LEN(ev), &timeout, NULL);

	for (int i = 0; i < n; i++) {
		p = ev[i].data.ptr;
		if (ev[i].events & EPOLLOUT)
			on_writable(s, p);
		if (ev[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP) && p->state != PEER_CLOSED)
			on_readable(s, p);
	}
	flush_all(s);
}
