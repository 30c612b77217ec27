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
#include "net/conn_priv.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"

#define WRITE_BUDGET (1024 * 1024) /* bytes a connection writes in one turn */
#define FLUSH_STALL_MS 10000	   /* closing gracefully, how long a peer may take none of our bytes */
#define DRAIN_MS 2000

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
	if (event_assign(&c->ev, loop_base(c->loop), conn_fd(c), (short)(what | EV_PERSIST), conn_on_event, c) != 0 ||
	    event_add(&c->ev, NULL) != 0) {
		c->waits_for = 0;
		log_error_gated("a socket cannot be watched: %s", strerror(errno));
		conn_close(c, "error");
	}
}

/*
 * Once the peer has finished, or while its bytes have to wait, the socket stays readable: level-triggered
 * reading would spin. Edge-triggered it still tells of a reset. EV_CLOSED alone would not do: libevent
 * reports an error as readable and writable.
 */
void conn_rearm(struct conn *c)
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

static void drop_output(struct conn *c)
{
	if (c->out == NULL)
		return;
	backlog_leave(loop_backlog(c->loop), c);
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
		setsockopt(conn_fd(c), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	drop_output(c);
	loop_defer(c->loop, &c->task);
}

static void conn_free(struct conn *c)
{
	if (c->handler->closed != NULL)
		c->handler->closed(c, c->reason, c->owner);
	close(conn_fd(c));
	conn_drop_input(c);
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
	if (c->eof || shutdown(conn_fd(c), SHUT_WR) != 0) {
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
	conn_rearm(c);
	loop_defer(c->loop, &c->task);
}

bool conn_is_closing(const struct conn *c)
{
	return c->state != CONN_OPEN;
}

/* ---- output ---- */

/* Where len more bytes are queued; NULL: nobody would get them. */
static struct outq *begin_write(struct conn *c, size_t len)
{
	if (c->state != CONN_OPEN || len == 0)
		return NULL;
	loop_defer(c->loop, &c->task);
	if (c->out == NULL) {
		c->out = xcalloc(1, sizeof(*c->out));
		outq_init(&c->out->queue, backlog_memory(loop_backlog(c->loop)));
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
		ssize_t n = outq_write(&c->out->queue, conn_fd(c), &tried);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !conn_error_passes(errno)) {
			conn_close(c, conn_error_reason(errno));
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
	if (conn_unsent(c) == 0) {
		drop_output(c);
	} else {
		if (written != 0)
			c->out->moved_ms = clock_mono_ms();
		backlog_wait(loop_backlog(c->loop), c, written);
	}
	conn_rearm(c);
}

/* The end of a turn: in the order of input, output, closing, so that an answer to what was offered leaves at once. */
static void on_turn_end(struct loop_task *t)
{
	struct conn *c = container_of(t, struct conn, task);
	if (c->offer && c->left != NULL && !loop_has_time(c->loop)) {
		loop_postpone(c->loop, &c->task);
	} else if (c->offer) {
		c->offer = false;
		conn_offer_leftover(c);
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
	int rc = event_assign(&c->ev, loop_base(l), fd, 0, conn_on_event, c);
	ASSERT(rc == 0);
	conn_rearm(c);
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

bool conn_is_blocked(const struct conn *c)
{
	return c->blocked && c->out != NULL;
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
