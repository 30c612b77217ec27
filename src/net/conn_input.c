/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes in: read when the socket says so, decrypted where there is TLS, offered to the handler, and
 * kept as far as it does not take it.
 */
#include "core/base.h"
#include "net/conn_priv.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "core/clock.h"

#define DRAIN_BYTES (1024 * 1024)
#define CIPHER_BYTES 32768 /* of TLS that are read at once */

void conn_drop_input(struct conn *c)
{
	if (c->work == NULL)
		return;
	free(c->work->left);
	c->work->left = NULL;
	c->work->offer = false;
}

static void keep(struct conn *c, const char *data, size_t len)
{
	if (len == 0)
		return;
	struct leftover *left = xmalloc(sizeof(*left) + len);
	left->off = 0;
	left->len = len;
	memcpy(left->data, data, len);
	conn_work(c)->left = left;
}

/* Returns how many bytes the handlers took: another handler, set by the first, sees the rest at once. */
static size_t feed(struct conn *c, char *data, size_t len)
{
	size_t used = 0;
	while (used < len && !c->paused && c->state == CONN_OPEN) {
		const struct conn_handler *h = c->handler;
		const struct tls *tls = conn_tls(c);
		size_t n = h->input(c, data + used, len - used, conn_owner(c));
		ASSERT(n <= len - used);
		used += n;
		if (c->handler == h || conn_tls(c) != tls)
			break;
	}
	return used;
}

static void tell_eof(struct conn *c)
{
	if (!c->eof || c->eof_told || c->paused || conn_has_offer(c) || c->state != CONN_OPEN)
		return;
	c->eof_told = true;
	if (c->handler->eof != NULL)
		c->handler->eof(c, conn_owner(c));
	else
		conn_close(c, "eof");
}

void conn_offer_leftover(struct conn *c)
{
	if (c->paused || c->state != CONN_OPEN)
		return;
	struct leftover *left = conn_left(c);
	if (left != NULL) {
		size_t used = feed(c, left->data + left->off, left->len - left->off);
		left->off += used;
		if (left->off == left->len) {
			free(left);
			c->work->left = NULL;
		}
	}
	tell_eof(c);
}

/* Nothing may be read now; see whether the peer has left. */
static void look_for_end(struct conn *c, unsigned what)
{
	char byte;
	ssize_t n = recv(conn_fd(c), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && !conn_error_passes(errno)) {
		conn_close(c, conn_error_reason(errno));
		return;
	}
	if (n == 0 || (what & POLLER_END) != 0)
		c->finished = true;
	if (!c->eof && !c->quiet) {
		c->quiet = true;
		conn_rearm(c);
	}
}

static void drop_incoming(struct conn *c)
{
	ssize_t n = recv(conn_fd(c), loop_read_buffer(c->loop), LOOP_READ_SIZE, MSG_DONTWAIT);
	if (n < 0) {
		if (!conn_error_passes(errno))
			conn_close(c, "drained");
		return;
	}
	if (n == 0) {
		c->eof = c->finished = true;
		if (c->state == CONN_DRAINING)
			conn_close(c, "drained");
		else
			conn_rearm(c);
		return;
	}
	c->dropped += (uint32_t)n;
	if (c->dropped > DRAIN_BYTES)
		conn_close(c, "drained");
}

static void end_of_input(struct conn *c)
{
	c->eof = c->finished = true;
	conn_rearm(c);
	tell_eof(c);
}

/* Puts what the bytes mean behind the first `have` of the read buffer, and tells how many bytes that is. */
static size_t decrypt(struct conn *c, const char *cipher, size_t len, size_t have, bool *end_r)
{
	size_t n;
	enum tls_progress progress = tls_receive(conn_tls(c), cipher, len, loop_read_buffer(c->loop) + have, &n);
	*end_r = progress == TLS_END;
	if (progress == TLS_FAILED)
		conn_close_gracefully(c, "tls");
	return n;
}

/* As recv() does it. Where a handshake would cost too much in this turn, the socket stays readable for the next. */
static ssize_t receive_tls(struct conn *c, size_t have, bool *end_r)
{
	char cipher[CIPHER_BYTES];
	if (tls_is_shaking_hands(conn_tls(c)) && !loop_may_shake_hands(c->loop)) {
		errno = EAGAIN;
		return -1;
	}
	ssize_t n = recv(conn_fd(c), cipher, sizeof(cipher), MSG_DONTWAIT);
	if (n == 0)
		*end_r = true;
	return n > 0 ? (ssize_t)decrypt(c, cipher, (size_t)n, have, end_r) : n;
}

static ssize_t receive(struct conn *c, size_t have, bool *end_r)
{
	if (conn_tls(c) != NULL)
		return receive_tls(c, have, end_r);
	ssize_t n = recv(conn_fd(c), loop_read_buffer(c->loop) + have, LOOP_READ_SIZE - have, MSG_DONTWAIT);
	*end_r = n == 0;
	return n;
}

/* Gives the first bytes of the read buffer to the handler, and keeps what it does not take. */
static void take(struct conn *c, size_t len)
{
	char *buffer = loop_read_buffer(c->loop), cipher[CIPHER_BYTES];
	bool plain = conn_tls(c) == NULL, end = false;
	size_t used = feed(c, buffer, len);
	size_t rest = len - used;
	if (plain && conn_tls(c) != NULL && rest <= sizeof(cipher)) {
		memcpy(cipher, buffer + used, rest);
		len = decrypt(c, cipher, rest, 0, &end);
		used = feed(c, buffer, len);
		rest = len - used;
	}
	if (c->state == CONN_OPEN)
		keep(c, buffer + used, rest);
	if (end)
		end_of_input(c);
}

/* One buffer a wake-up: what is beyond waits for the next turn, and the others come first. */
static void read_some(struct conn *c)
{
	const struct leftover *left = conn_left(c);
	size_t have = left != NULL ? left->len - left->off : 0;
	size_t most = LOOP_READ_SIZE - (conn_tls(c) != NULL ? CIPHER_BYTES + TLS_RECORD_MAX : 0);
	bool end = false;
	if (have >= most) {
		conn_close(c, "overflow");
		return;
	}
	ssize_t n = receive(c, have, &end);
	if (n < 0) {
		if (!conn_error_passes(errno))
			conn_close(c, conn_error_reason(errno));
		return;
	}
	if (n > 0) {
		if (c->state == CONN_OPEN)
			c->last_input_ms = (uint32_t)clock_mono_ms();
		if (have != 0) {
			memcpy(loop_read_buffer(c->loop), left->data + left->off, have);
			conn_drop_input(c);
			conn_rest(c);
		}
		take(c, have + (size_t)n);
	}
	if (end)
		end_of_input(c);
}

void conn_on_event(struct conn *c, unsigned what)
{
	if ((what & c->waits_for & POLLER_WRITE) != 0) {
		c->blocked = false;
		conn_defer(c);
	}
	if ((what & (POLLER_READ | POLLER_END)) == 0)
		return;
	if (c->state == CONN_OPEN && (c->paused || c->eof))
		look_for_end(c, what);
	else if (c->state != CONN_OPEN && !c->eof)
		drop_incoming(c);
	else if (c->state != CONN_OPEN)
		look_for_end(c, what);
	else if (!conn_has_offer(c))
		read_some(c);
}

void conn_pause(struct conn *c)
{
	c->paused = true;
}

void conn_resume(struct conn *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	if (c->state != CONN_OPEN)
		return;
	c->last_input_ms = (uint32_t)clock_mono_ms();
	if (c->quiet) {
		c->quiet = false;
		conn_rearm(c);
	}
	conn_defer(c);
	c->work->offer = true;
}
