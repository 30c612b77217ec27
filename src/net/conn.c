/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides when a socket is read, written and closed. Must not look at the bytes,
 * and must not call a handler from within a conn_ function: the caller would find its objects gone.
 *
 * What a connection's socket is waited for is changed only when a
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

static void wait_for(struct conn *c, unsigned what)
{
	unsigned before = c->waits_for;
	if (what == before)
		return;
	c->waits_for = what & 15;
	if (poller_set(loop_poller(c->loop), c->fd, c, before, what) == 0)
		return;
	c->waits_for = 0;
	log_error_gated("a socket cannot be watched: %s", strerror(errno));
	conn_close(c, "error");
}

/*
 * Once the peer has finished, or while its bytes have to wait, the socket stays readable, and to wait for that would
 * spin. Only its end is of interest then, and once.
 */
void conn_rearm(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	unsigned what = POLLER_READ;
	if (c->eof || c->quiet)
		what = POLLER_END | POLLER_EDGE;
	if (c->blocked)
		what |= POLLER_WRITE;
	wait_for(c, what);
}

/* ---- the state of a connection that is not idle ---- */

static void on_turn_end(struct loop_task *t);

struct conn_work *conn_work(struct conn *c)
{
	if (c->work == NULL) {
		c->work = xcalloc(1, sizeof(*c->work));
		c->work->conn = c;
		c->work->task.fn = on_turn_end;
	}
	return c->work;
}

void conn_defer(struct conn *c)
{
	loop_defer(c->loop, &conn_work(c)->task);
}

void conn_rest(struct conn *c)
{
	struct conn_work *w = c->work;
	if (w == NULL || w->writing || w->held != NULL || w->left != NULL || w->offer || w->tls != NULL ||
	    c->state != CONN_OPEN || loop_is_deferred(&w->task))
		return;
	free(w);
	c->work = NULL;
}

/* ---- closing ---- */

static void drop_output(struct conn *c)
{
	if (!conn_is_writing(c))
		return;
	backlog_leave(loop_backlog(c->loop), c);
	outq_fini(&c->work->queue);
	outfile_free(&c->work->file);
	c->work->writing = false;
}

void conn_close(struct conn *c, const char *reason)
{
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	if (conn_work(c)->reason == NULL)
		c->work->reason = reason;
	wait_for(c, 0);
	wheel_cancel(&c->timer);
	/* The peer does not take it: a reset frees what the kernel holds for it, megabytes else kept for minutes. */
	static const struct linger at_once = {.l_onoff = 1};
	if (c->work->writing)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	drop_output(c);
	conn_defer(c);
}

static void conn_free(struct conn *c)
{
	struct conn_work *w = c->work;
	if (c->handler->closed != NULL)
		c->handler->closed(c, w->reason, conn_owner(c));
	close(c->fd);
	conn_drop_input(c);
	tls_free(&w->tls);
	blob_unref(w->held);
	free(w);
	free(c);
}

static void on_timeout(struct wheel_timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);
	switch ((enum conn_state)c->state) {
	case CONN_OPEN:
		c->handler->timeout(c, conn_owner(c));
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
	if (c->eof || shutdown(c->fd, SHUT_WR) != 0) {
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
	if (conn_tls(c) != NULL && !conn_has_file(c))
		tls_end(c->work->tls);
	c->state = CONN_FLUSHING;
	conn_work(c)->reason = reason;
	c->quiet = false;
	c->dropped = 0;
	wheel_set(loop_wheel(c->loop), &c->timer, FLUSH_STALL_MS, on_timeout);
	conn_rearm(c);
	conn_defer(c);
}

bool conn_is_closing(const struct conn *c)
{
	return c->state != CONN_OPEN;
}

/* ---- output ---- */

/* Where bytes are queued. */
static struct outq *queue_of(struct conn *c)
{
	conn_defer(c);
	struct conn_work *w = c->work;
	if (!w->writing) {
		w->writing = true;
		outq_init(&w->queue, backlog_memory(loop_backlog(c->loop)));
		w->wait = (struct backlog_entry){0};
		w->moved_ms = clock_mono_ms();
	}
	return &w->queue;
}

/* Where len more bytes are queued; NULL: nobody would get them. */
static struct outq *begin_write(struct conn *c, size_t len)
{
	if (c->state != CONN_OPEN || len == 0)
		return NULL;
	ASSERT(!conn_has_file(c));
	return queue_of(c);
}

void conn_write(struct conn *c, const void *data, size_t len)
{
	struct outq *q = begin_write(c, len);
	if (q != NULL && c->work->tls != NULL)
		tls_write(c->work->tls, data, len);
	else if (q != NULL)
		outq_add(q, data, len);
}

void conn_write_blob(struct conn *c, struct blob *b)
{
	struct outq *q = begin_write(c, b->len);
	if (q != NULL && c->work->tls != NULL)
		tls_write(c->work->tls, b->data, b->len);
	else if (q != NULL)
		outq_add_blob(q, b);
}

void conn_hold(struct conn *c, struct blob *b)
{
	if (b == NULL && (c->work == NULL || c->work->held == NULL))
		return;
	conn_defer(c);
	blob_unref(c->work->held);
	c->work->held = b != NULL ? blob_ref(b) : NULL;
}

static void write_held(struct conn *c)
{
	struct blob *b = c->work->held;
	c->work->held = NULL;
	conn_write_blob(c, b);
	blob_unref(b);
}

static void queue_cipher(const void *data, size_t len, void *ctx)
{
	struct conn *c = ctx;
	if (c->state == CONN_OPEN || c->state == CONN_FLUSHING)
		outq_add(queue_of(c), data, len);
}

void conn_start_tls(struct conn *c, struct tls_server *server)
{
	if (c->state == CONN_OPEN)
		conn_work(c)->tls = tls_new(server, queue_cipher, c);
}

/* ---- files ---- */

static void on_file_loaded(void *owner)
{
	struct conn *c = owner;
	c->work->moved_ms = clock_mono_ms();
	conn_defer(c);
}

void conn_write_file(struct conn *c, int fd, int64_t offset, int64_t len)
{
	if (begin_write(c, (size_t)len) != NULL)
		c->work->file = outfile_new(c->loop, fd, offset, len, on_file_loaded, c);
	else
		close(fd);
}

bool conn_has_file(const struct conn *c)
{
	return c->work != NULL && c->work->file != NULL;
}

static bool waits_for_disk(const struct conn *c)
{
	return conn_has_file(c) && c->work->queue.unsent == 0 && outfile_is_loading(c->work->file);
}

static void close_for_file(struct conn *c, ssize_t n)
{
	log_warn_gated("a file cannot be sent to its end: %s", n == 0 ? "it has become shorter" : strerror(errno));
	conn_close(c, n == 0 ? CONN_SHORT_FILE : "error");
}

static void end_file(struct conn *c)
{
	struct conn_work *w = c->work;
	if (outfile_left(w->file) != 0)
		return;
	outfile_free(&w->file);
	if (w->tls != NULL && c->state == CONN_FLUSHING)
		tls_end(w->tls);
}

/* One record a time: what a slow peer does not take is held encrypted. */
static void encrypt_file(struct conn *c, size_t ready)
{
	char plain[TLS_RECORD_MAX];
	ssize_t n = outfile_read(c->work->file, plain, ready < sizeof(plain) ? ready : sizeof(plain));
	if (n <= 0) {
		close_for_file(c, n);
		return;
	}
	tls_write(c->work->tls, plain, (size_t)n);
	end_file(c);
}

static ssize_t send_file(struct conn *c, size_t ready, size_t *tried_r)
{
	ssize_t n = outfile_send(c->work->file, c->fd, ready);
	*tried_r = ready;
	if (n == 0)
		close_for_file(c, n);
	else if (n > 0)
		end_file(c);
	return n;
}

/* ---- */

/* How much of the file may be sent: many files at once must not hold up what else the loop has to do. */
static size_t file_share(struct conn *c)
{
	size_t ready = outfile_ready(c->work->file);
	if (ready == 0 || loop_has_time(c->loop))
		return ready;
	loop_postpone(c->loop, &c->work->task);
	return 0;
}

/* As send(2) does it. 0: there is nothing to be sent now. */
static ssize_t write_some(struct conn *c, size_t *tried_r)
{
	struct conn_work *w = c->work;
	size_t ready = w->queue.unsent == 0 ? file_share(c) : 0;
	if (ready != 0 && w->tls == NULL)
		return send_file(c, ready, tried_r);
	if (ready != 0)
		encrypt_file(c, ready);
	*tried_r = 0;
	if (conn_unsent(c) == 0 || w->queue.unsent == 0)
		return 0;
	return outq_write(&w->queue, c->fd, w->file != NULL && w->tls == NULL, tried_r);
}

static void flush(struct conn *c)
{
	size_t written = 0;
	while (conn_unsent(c) != 0 && !c->blocked) {
		size_t tried;
		ssize_t n = write_some(c, &tried);
		if (n == 0)
			break;
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
			conn_defer(c);
			break;
		}
	}
	if (conn_unsent(c) == 0) {
		drop_output(c);
	} else {
		if (written != 0)
			c->work->moved_ms = clock_mono_ms();
		if (waits_for_disk(c))
			backlog_leave(loop_backlog(c->loop), c);
		else
			backlog_wait(loop_backlog(c->loop), c, written);
	}
	conn_rearm(c);
}

/* The end of a turn: in the order of input, output, closing, so that an answer to what was offered leaves at once. */
static void on_turn_end(struct loop_task *t)
{
	struct conn_work *w = container_of(t, struct conn_work, task);
	struct conn *c = w->conn;
	if (w->offer && w->left != NULL && !loop_has_time(c->loop)) {
		loop_postpone(c->loop, t);
	} else if (w->offer) {
		w->offer = false;
		conn_offer_leftover(c);
	}
	bool had_output = w->writing;
	if (c->state == CONN_OPEN || c->state == CONN_FLUSHING)
		flush(c);
	if (c->state == CONN_OPEN && had_output && c->handler->written != NULL)
		c->handler->written(c, conn_owner(c));
	if (w->held != NULL && !w->writing)
		write_held(c);
	if (c->state == CONN_FLUSHING && !w->writing)
		start_draining(c);
	if (c->state == CONN_CLOSED) {
		loop_undefer(c->loop, t);
		conn_free(c);
	} else {
		conn_rest(c);
	}
}

/* ---- the rest ---- */

void *conn_seat(struct conn *c)
{
	return c + 1;
}

struct conn *conn_of_seat(const void *seat)
{
	return (struct conn *)(uintptr_t)seat - 1;
}

static void set_owner(struct conn *c, void *owner)
{
	c->seated = owner == conn_seat(c);
	if (!c->seated)
		*(void **)conn_seat(c) = owner;
}

struct conn *conn_new(struct loop *l, int fd, const struct addr *peer, const struct conn_handler *h, void *owner)
{
	struct conn *c = xcalloc(1, sizeof(*c) + CONN_SEAT);
	c->loop = l;
	c->fd = fd;
	c->handler = h;
	set_owner(c, owner != NULL ? owner : conn_seat(c));
	c->last_input_ms = (uint32_t)clock_mono_ms();
	c->peer_host = addr_pack(peer, &c->peer_port);
	if (peer->sa.ss_family != AF_UNIX) {
		int on = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	conn_rearm(c);
	return c;
}

void conn_set_handler(struct conn *c, const struct conn_handler *h, void *owner)
{
	c->handler = h;
	set_owner(c, owner);
	if (c->eof_told && c->state == CONN_OPEN) {
		c->eof_told = false;
		conn_defer(c);
		c->work->offer = true;
	}
}

void conn_mark(struct conn *c)
{
	c->marked = true;
}

bool conn_is_marked(const struct conn *c)
{
	return c->marked;
}

bool conn_has_handler(const struct conn *c, const struct conn_handler *h)
{
	return c->handler == h;
}

void conn_set_peer(struct conn *c, const struct addr *peer)
{
	c->peer_host = addr_pack(peer, &c->peer_port);
}

size_t conn_unsent(const struct conn *c)
{
	if (!conn_is_writing(c))
		return 0;
	return c->work->queue.unsent + (c->work->file != NULL ? (size_t)outfile_left(c->work->file) : 0);
}

bool conn_is_blocked(const struct conn *c)
{
	return c->blocked && conn_is_writing(c);
}

bool conn_peer_finished(const struct conn *c)
{
	return c->finished;
}

int64_t conn_last_input_ms(const struct conn *c)
{
	int64_t now_ms = clock_mono_ms();
	return now_ms - ((uint32_t)now_ms - c->last_input_ms);
}

int64_t conn_last_progress_ms(const struct conn *c)
{
	return conn_is_writing(c) && !waits_for_disk(c) ? c->work->moved_ms : clock_mono_ms();
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
