/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connected stream socket in a worker's loop: reading into the loop's buffer,
 * a bounded queue of output that is written once a turn (writev), one timer, and one way to
 * close. HTTP and WebSocket are handlers on top of it, and do not notice whether
 * there is TLS below.
 *
 * An idle connection owns no buffers: input that was not taken and output that
 * was not written are kept only while there is any. There may be a great many: every byte of one counts. So it has a
 * seat: memory for its handler's own state, in the same allocation.
 * How long output may wait, and how much of it, is decided in net/backlog.h.
 */
#ifndef TIDINGS_NET_CONN_H
#define TIDINGS_NET_CONN_H

#include "core/base.h"
#include "core/buf.h"
#include "net/addr.h"
#include "net/loop.h"

struct conn;
struct tls_server;

/* All run from the loop. A handler may call any conn_ function within them. */
struct conn_handler {
	/*
	 * Bytes are there: what was left the last time, followed by new ones. Returns how many were taken; the rest is
	 * kept and offered again with the next bytes or after conn_resume. May be modified in place.
	 * Not called while paused or closing.
	 */
	size_t (*input)(struct conn *c, char *data, size_t len, void *owner);
	/* The peer will send no more (FIN), and what it sent was offered; after it only output goes on. NULL: closes.
	 */
	void (*eof)(struct conn *c, void *owner);
	/*
	 * The end of a turn in which output was queued or waited: it has been written as far as the peer takes it;
	 * conn_unsent tells what is left. May be NULL.
	 */
	void (*written)(struct conn *c, void *owner);
	/* conn_set_timeout's time has passed. */
	void (*timeout)(struct conn *c, void *owner);
	/* Exactly once, at the end of a turn, never from within a conn_ function: c is freed right after it. */
	void (*closed)(struct conn *c, const char *reason, void *owner);
};

/*
 * Takes over the descriptor, which has to be non-blocking. The owner is handed to the handler's functions; NULL: it is
 * the seat.
 */
struct conn *conn_new(struct loop *l, int fd, const struct addr *peer, const struct conn_handler *h, void *owner);
/* A protocol switch: the next bytes and events go to another handler. An owner that is not the seat is noted in it. */
void conn_set_handler(struct conn *c, const struct conn_handler *h, void *owner);
bool conn_has_handler(const struct conn *c, const struct conn_handler *h);
/* CONN_SEAT bytes, zeroed at first, aligned for pointers; they go with the connection, after `closed`. And back. */
#define CONN_SEAT 56
void *conn_seat(struct conn *c);
struct conn *conn_of_seat(const void *seat);
/* A bit that the handlers may use, and that lasts over a switch; false at first. */
void conn_mark(struct conn *c);
bool conn_is_marked(const struct conn *c);

/*
 * What the peer sends from here on is TLS, also of what was received already and is not taken; the handler goes on
 * with what is meant by it. server outlives the connection.
 */
void conn_start_tls(struct conn *c, struct tls_server *server);
/* A load balancer says who the peer is. */
void conn_set_peer(struct conn *c, const struct addr *peer);

/* Queues bytes (copied) or a counted buffer (a reference is taken). Ignored while closing. */
void conn_write(struct conn *c, const void *data, size_t len);
void conn_write_blob(struct conn *c, struct blob *b);
/*
 * Queues a part of a file, net/outfile.h, and takes its descriptor. Nothing else may be queued while the connection has
 * one. Where it turns out to be shorter the connection is closed.
 */
void conn_write_file(struct conn *c, int fd, int64_t offset, int64_t len);
bool conn_has_file(const struct conn *c);
/* The buffer leaves once all that is queued is written; the one that was held before does not. NULL: none is held. */
void conn_hold(struct conn *c, struct blob *b);
/* Bytes, those of a file included. */
size_t conn_unsent(const struct conn *c);
/* Output waits that the socket did not take at the end of a turn. */
bool conn_is_blocked(const struct conn *c);
/* The peer has sent FIN or a reset, perhaps behind bytes that were not read yet: it may be gone altogether. Seen also
 * while paused. */
bool conn_peer_finished(const struct conn *c);
/* clock_mono_ms when bytes last arrived, or conn_resume let them in again. Not while closing. */
int64_t conn_last_input_ms(const struct conn *c);
/* When output last moved, or began to wait; now if none waits, or it waits for a disk. */
int64_t conn_last_progress_ms(const struct conn *c);

/* While paused nothing is read, so the peer waits; that it has reset the connection is noticed all the same. */
void conn_pause(struct conn *c);
/* What was kept is offered again at the end of the turn, or of the next one; never from within. */
void conn_resume(struct conn *c);

/* One timer a connection; 0 cancels. */
void conn_set_timeout(struct conn *c, int64_t delay_ms);

/* Reasons that net/backlog.c gives. */
#define CONN_TOO_SLOW "too slow"     /* took less than BACKLOG_RATE */
#define CONN_SHORT_FILE "short file" /* conn.c: it ended too early */
#define CONN_NO_MEMORY "no memory"   /* of those that wait, it needed most and took least */

/* Closes at the end of the turn, dropping unsent output. reason: a static word that is counted and logged. The first
 * call counts. */
void conn_close(struct conn *c, const char *reason);
/* Writes what is queued, shuts down our side, reads and drops what still comes for a short while (so that no RST
 * destroys the answer), then closes. */
void conn_close_gracefully(struct conn *c, const char *reason);
bool conn_is_closing(const struct conn *c);

struct loop *conn_loop(const struct conn *c);
/* Borrowed until the next call of conn_peer for any connection: a connection keeps its peer in a packed form. */
const struct addr *conn_peer(const struct conn *c);

#endif
