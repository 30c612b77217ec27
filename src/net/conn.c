/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides when a socket is read, written and closed. Must not look at the bytes,
 * and must not call a handler from within a conn_ function: the caller would find its objects gone.
 *
 * There is one event a connection. What it waits for is changed only when a
 * write has blocked, the peer has finished, or bytes come while paused: the usual
 * request, answered before the client sends more, costs no epoll_ctl.
 */
#include "core/base.h"
#include "net/conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "core/clock.h"
#include "core/log.h"
#include "net/outq.h"
#include "net/tls.h"

#define WRITE_BUDGET (1024 * 1024) /* bytes a connection writes in one turn */
#define FLUSH_STALL_MS 10000	   /* closing gracefully, how long a peer may take none of our bytes */
#define DRAIN_MS 2000
#define DRAIN_BYTES (1024 * 1024)
#define CIPHER_BYTES 32768 /* of TLS that are read at once */

/* Input that the handler did not take. */
struct leftover {
	size_t off, len;
	char data[];
};

enum conn_state {
	CONN_OPEN,
	CONN_FLUSHING, /* conn_close_gracefully: output goes on, input is dropped */
	CONN_DRAINING, /* our side is shut down, input is dropped */
	CONN_CLOSED,   /* to be freed at the end of the turn */
};

/* Output that waits. */
struct unsent {
	struct outq queue;
	int64_t moved_ms; /* when it last got shorter, or began to wait */
};

struct conn {
	struct event ev; /* knows the descriptor */
	struct loop *loop;
	const struct conn_handler *handler;
	void *owner;
	struct wheel_timer timer;
	struct loop_task task;
	struct unsent *out;    /* NULL when all is written */
	struct leftover *left; /* NULL when there is none */
	struct tls *tls;       /* NULL: bytes are what they are */
	union {
		int64_t last_input_ms; /* CONN_OPEN */
		int64_t dropped;       /* later: bytes read and dropped */
	};
	const char *reason;	   /* set when closing */
	struct in6_addr peer_host; /* as addr_pack gives it */
	in_port_t peer_port;
	short waits_for;    /* what the event is set to; 0: not added */
	unsigned state : 2; /* enum conn_state */
	unsigned paused : 1;
	unsigned quiet : 1;    /* while paused: told of changes only (edge-triggered), for bytes are waiting */
	unsigned offer : 1;    /* the task offers the leftover */
	unsigned blocked : 1;  /* the socket takes no more output */
	unsigned eof : 1;      /* read to its end */
	unsigned eof_told : 1; /* the handler knows */
	unsigned finished : 1; /* FIN has been seen, read up to it or not */
};

static void on_event(evutil_socket_t fd, short what, void *arg);

static int fd_of(const struct conn *c)
{
	return event_get_fd(&c->ev);
}

/* ---- waiting for the socket ---- */

static void wait_for(struct conn *c, short what)
{
	if (what == c->waits_for)
		return;
	if (c->waits_for != 0)
		event_del(&c->ev);
	c->waits_for = what;
	if (what == 0)
		return;
	if (event_assign(&c->ev, loop_base(c->loop), fd_of(c), (short)(what | EV_PERSIST), on_event, c) != 0 ||
	    event_add(&c->ev, NULL) != 0) {
		c->waits_for = 0;
		log_error("a socket cannot be watched: %s", strerror(errno));
		conn_close(c, "error");
	}
}

/*
 * Once the peer has finished, or while its bytes have to wait, the socket stays readable: level-triggered
 * reading would spin. Edge-triggered it still tells of a reset. EV_CLOSED alone would not do: libevent
 * reports an error as readable and writable.
 */
static void rearm(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	short what = EV_READ;
	if (c->eof || c->quiet)
		what = EV_READ | EV_CLOSED | EV_ET;
	if (c->blocked)
		what |= EV_WRITE;
	wait_for(c, what);
}

/* ---- closing ---- */

static void drop_input(struct conn *c)
{
	free(c->left);
	c->left = NULL;
	c->offer = false;
}

static void drop_output(struct conn *c)
{
	if (c->out != NULL)
		outq_fini(&c->out->queue);
	free(c->out);
	c->out = NULL;
}

void conn_close(struct conn *c, const char *reason)
{
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	if (c->reason == NULL)
		c->reason = reason;
	wait_for(c, 0);
	wheel_cancel(&c->timer);
	/* The peer does not take it: a reset frees what the kernel holds for it, megabytes else kept for minutes. */
	static const struct linger at_once = {.l_onoff = 1};
	if (c->out != NULL)
		setsockopt(fd_of(c), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	drop_output(c);
	loop_defer(c->loop, &c->task);
}

static void conn_free(struct conn *c)
{
	if (c->handler->closed != NULL)
		c->handler->closed(c, c->reason, c->owner);
	close(fd_of(c));
	drop_input(c);
	tls_free(&c->tls);
	free(c);
}

static void on_timeout(struct wheel_timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);
	switch ((enum conn_state)c->state) {
	case CONN_OPEN:
		c->handler->timeout(c, c->owner);
		break;
	case CONN_FLUSHING: {
		int64_t stalled_ms = clock_mono_ms() - conn_last_progress_ms(c);
		if (stalled_ms >= FLUSH_STALL_MS)
			conn_close(c, "stalled");
		else
			wheel_set(loop_wheel(c->loop), &c->timer, FLUSH_STALL_MS - stalled_ms, on_timeout);
		break;
	}
	case CONN_DRAINING:
		conn_close(c, "drained");
		break;
	case CONN_CLOSED:
		break;
	}
}

/* The output of a graceful closing is out. */
static void start_draining(struct conn *c)
{
	if (c->eof || shutdown(fd_of(c), SHUT_WR) != 0) {
		conn_close(c, "drained");
		return;
	}
	c->state = CONN_DRAINING;
	wheel_set(loop_wheel(c->loop), &c->timer, DRAIN_MS, on_timeout);
}

void conn_close_gracefully(struct conn *c, const char *reason)
{
	if (c->state != CONN_OPEN)
		return;
	if (c->tls != NULL)
		tls_end(c->tls);
	c->state = CONN_FLUSHING;
	c->reason = reason;
	c->quiet = false;
	c->dropped = 0;
	wheel_set(loop_wheel(c->loop), &c->timer, FLUSH_STALL_MS, on_timeout);
	rearm(c);
	loop_defer(c->loop, &c->task);
}

bool conn_is_closing(const struct conn *c)
{
	return c->state != CONN_OPEN;
}

/* ---- input ---- */

static void keep(struct conn *c, const char *data, size_t len)
{
	if (len == 0)
		return;
	c->left = xmalloc(sizeof(*c->left) + len);
	c->left->off = 0;
	c->left->len = len;
	memcpy(c->left->data, data, len);
}

/* Returns how many bytes the handlers took: another handler, set by the first, sees the rest at once. */
static size_t feed(struct conn *c, char *data, size_t len)
{
	size_t used = 0;
	while (used < len && !c->paused && c->state == CONN_OPEN) {
		const struct conn_handler *h = c->handler;
		const struct tls *tls = c->tls;
		size_t n = h->input(c, data + used, len - used, c->owner);
		ASSERT(n <= len - used);
		used += n;
		if (c->handler == h || c->tls != tls)
			break;
	}
	return used;
}

static void tell_eof(struct conn *c)
{
	if (!c->eof || c->eof_told || c->paused || c->offer || c->state != CONN_OPEN)
		return;
	c->eof_told = true;
	if (c->handler->eof != NULL)
		c->handler->eof(c, c->owner);
	else
		conn_close(c, "eof");
}

static void offer_leftover(struct conn *c)
{
	if (c->paused || c->state != CONN_OPEN)
		return;
	struct leftover *left = c->left;
	if (left != NULL) {
		size_t used = feed(c, left->data + left->off, left->len - left->off);
		left->off += used;
		if (left->off == left->len) {
			free(left);
			c->left = NULL;
		}
	}
	tell_eof(c);
}

static bool is_transient(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

static const char *reason_of(int err)
{
	return err == ECONNRESET || err == EPIPE ? "reset" : err == ETIMEDOUT ? "unreachable" : "error";
}

/* Nothing may be read now; see whether the peer has left. */
static void look_for_end(struct conn *c, short what)
{
	char byte;
	ssize_t n = recv(fd_of(c), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && !is_transient(errno)) {
		conn_close(c, reason_of(errno));
		return;
	}
	if (n == 0 || (what & EV_CLOSED) != 0)
		c->finished = true;
	if (!c->eof && !c->quiet) {
		c->quiet = true;
		rearm(c);
	}
}

static void drop_incoming(struct conn *c)
{
	ssize_t n = recv(fd_of(c), loop_read_buffer(c->loop), LOOP_READ_SIZE, MSG_DONTWAIT);
	if (n < 0) {
		if (!is_transient(errno))
			conn_close(c, "drained");
		return;
	}
	if (n == 0) {
		c->eof = c->finished = true;
		if (c->state == CONN_DRAINING)
			conn_close(c, "drained");
		else
			rearm(c);
		return;
	}
	c->dropped += n;
	if (c->dropped > DRAIN_BYTES)
		conn_close(c, "drained");
}

static void end_of_input(struct conn *c)
{
	c->eof = c->finished = true;
	rearm(c);
	tell_eof(c);
}

/* Puts what the bytes mean behind the first `have` of the read buffer, and tells how many bytes that is. */
static size_t decrypt(struct conn *c, const char *cipher, size_t len, size_t have, bool *end_r)
{
	size_t n;
	enum tls_progress progress = tls_receive(c->tls, cipher, len, loop_read_buffer(c->loop) + have, &n);
	*end_r = progress == TLS_END;
	if (progress == TLS_FAILED)
		conn_close_gracefully(c, "tls");
	return n;
}

/* As recv() does it. Where a handshake would cost too much in this turn, the socket stays readable for the next. */
static ssize_t receive_tls(struct conn *c, size_t have, bool *end_r)
{
	char cipher[CIPHER_BYTES];
	if (tls_is_shaking_hands(c->tls) && !loop_may_shake_hands(c->loop)) {
		errno = EAGAIN;
		return -1;
	}
	ssize_t n = recv(fd_of(c), cipher, sizeof(cipher), MSG_DONTWAIT);
	if (n == 0)
		*end_r = true;
	return n > 0 ? (ssize_t)decrypt(c, cipher, (size_t)n, have, end_r) : n;
}

static ssize_t receive(struct conn *c, size_t have, bool *end_r)
{
	if (c->tls != NULL)
		return receive_tls(c, have, end_r);
	ssize_t n = recv(fd_of(c), loop_read_buffer(c->loop) + have, LOOP_READ_SIZE - have, MSG_DONTWAIT);
	*end_r = n == 0;
	return n;
}

/* Gives the first bytes of the read buffer to the handler, and keeps what it does not take. */
static void take(struct conn *c, size_t len)
{
	char *buffer = loop_read_buffer(c->loop), cipher[CIPHER_BYTES];
	bool plain = c->tls == NULL, end = false;
	size_t used = feed(c, buffer, len);
	size_t rest = len - used;
	if (plain && c->tls != NULL && rest <= sizeof(cipher)) {
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
	size_t have = c->left != NULL ? c->left->len - c->left->off : 0;
	size_t most = LOOP_READ_SIZE - (c->tls != NULL ? CIPHER_BYTES + TLS_RECORD_MAX : 0);
	bool end = false;
	if (have >= most) {
		conn_close(c, "overflow");
		return;
	}
	ssize_t n = receive(c, have, &end);
	if (n < 0) {
		if (!is_transient(errno))
			conn_close(c, reason_of(errno));
		return;
	}
	if (n > 0) {
		c->last_input_ms = clock_mono_ms();
		if (have != 0) {
			memcpy(loop_read_buffer(c->loop), c->left->data + c->left->off, have);
			drop_input(c);
		}
		take(c, have + (size_t)n);
	}
	if (end)
		end_of_input(c);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	if ((what & EV_WRITE) != 0) {
		c->blocked = false;
		loop_defer(c->loop, &c->task);
	}
	if ((what & (EV_READ | EV_CLOSED)) == 0)
		return;
	if (c->state == CONN_OPEN && (c->paused || c->eof))
		look_for_end(c, what);
	else if (c->state != CONN_OPEN && !c->eof)
		drop_incoming(c);
	else if (c->state != CONN_OPEN)
		look_for_end(c, what);
	else if (!c->offer)
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
	c->last_input_ms = clock_mono_ms();
	if (c->quiet) {
		c->quiet = false;
		rearm(c);
	}
	c->offer = true;
	loop_defer(c->loop, &c->task);
}

/* ---- output ---- */

/* Where len more bytes are queued; NULL: nobody would get them. */
static struct outq *begin_write(struct conn *c, size_t len)
{
	if (c->state != CONN_OPEN || len == 0)
		return NULL;
	loop_defer(c->loop, &c->task);
	if (c->out == NULL) {
		c->out = xmalloc(sizeof(*c->out));
		outq_init(&c->out->queue);
		c->out->moved_ms = clock_mono_ms();
	}
	return &c->out->queue;
}

void conn_write(struct conn *c, const void *data, size_t len)
{
	struct outq *q = begin_write(c, len);
	if (q != NULL && c->tls != NULL)
		tls_write(c->tls, data, len);
	else if (q != NULL)
		outq_add(q, data, len);
}

void conn_write_blob(struct conn *c, struct blob *b)
{
	struct outq *q = begin_write(c, b->len);
	if (q != NULL && c->tls != NULL)
		tls_write(c->tls, b->data, b->len);
	else if (q != NULL)
		outq_add_blob(q, b);
}

static void queue_cipher(const void *data, size_t len, void *ctx)
{
	struct conn *c = ctx;
	struct outq *q = begin_write(c, len);
	if (q != NULL)
		outq_add(q, data, len);
}

void conn_start_tls(struct conn *c, struct tls_server *server)
{
	if (c->state == CONN_OPEN)
		c->tls = tls_new(server, queue_cipher, c);
}

static void flush(struct conn *c)
{
	size_t written = 0;
	while (conn_unsent(c) != 0 && !c->blocked) {
		size_t tried;
		ssize_t n = outq_write(&c->out->queue, fd_of(c), &tried);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !is_transient(errno)) {
			conn_close(c, reason_of(errno));
			return;
		}
		if (n > 0)
			written += (size_t)n;
		c->blocked = n < 0 || (size_t)n < tried;
		if (written >= WRITE_BUDGET && conn_unsent(c) != 0 && !c->blocked) {
			loop_defer(c->loop, &c->task);
			break;
		}
	}
	if (conn_unsent(c) == 0)
		drop_output(c);
	else if (written != 0)
		c->out->moved_ms = clock_mono_ms();
	rearm(c);
}

/* The end of a turn: in the order of input, output, closing, so that an answer to what was offered leaves at once. */
static void on_turn_end(struct loop_task *t)
{
	struct conn *c = container_of(t, struct conn, task);
	if (c->offer) {
		c->offer = false;
		offer_leftover(c);
	}
	bool had_output = c->out != NULL;
	if (c->state == CONN_OPEN || c->state == CONN_FLUSHING)
		flush(c);
	if (c->state == CONN_OPEN && had_output && c->handler->written != NULL)
		c->handler->written(c, c->owner);
	if (c->state == CONN_FLUSHING && c->out == NULL)
		start_draining(c);
	if (c->state == CONN_CLOSED) {
		loop_undefer(c->loop, &c->task);
		conn_free(c);
	}
}

/* ---- the rest ---- */

struct conn *conn_new(struct loop *l, int fd, const struct addr *peer, const struct conn_handler *h, void *owner)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	c->loop = l;
	c->handler = h;
	c->owner = owner;
	c->task.fn = on_turn_end;
	c->last_input_ms = clock_mono_ms();
	c->peer_host = addr_pack(peer, &c->peer_port);
	if (peer->sa.ss_family != AF_UNIX) {
		int on = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	int rc = event_assign(&c->ev, loop_base(l), fd, 0, on_event, c);
	ASSERT(rc == 0);
	rearm(c);
	return c;
}

void conn_set_handler(struct conn *c, const struct conn_handler *h, void *owner)
{
	c->handler = h;
	c->owner = owner;
	if (c->eof_told && c->state == CONN_OPEN) {
		c->eof_told = false;
		c->offer = true;
		loop_defer(c->loop, &c->task);
	}
}

void conn_set_peer(struct conn *c, const struct addr *peer)
{
	c->peer_host = addr_pack(peer, &c->peer_port);
}

size_t conn_unsent(const struct conn *c)
{
	return c->out != NULL ? c->out->queue.unsent : 0;
}

bool conn_peer_finished(const struct conn *c)
{
	return c->finished;
}

int64_t conn_last_input_ms(const struct conn *c)
{
	return c->last_input_ms;
}

int64_t conn_last_progress_ms(const struct conn *c)
{
	return c->out != NULL ? c->out->moved_ms : clock_mono_ms();
}

void conn_set_timeout(struct conn *c, int64_t delay_ms)
{
	if (c->state != CONN_OPEN)
		return;
	if (delay_ms == 0)
		wheel_cancel(&c->timer);
	else
		wheel_set(loop_wheel(c->loop), &c->timer, delay_ms, on_timeout);
}

struct loop *conn_loop(const struct conn *c)
{
	return c->loop;
}

const struct addr *conn_peer(const struct conn *c)
{
	static struct addr unpacked; /* a worker has one thread */
	unpacked = addr_unpack(&c->peer_host, c->peer_port);
	return &unpacked;
}
