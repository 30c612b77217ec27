/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection as its files share it: conn.c, its life and its output; conn_input.c, what comes in; backlog.c, output
 * that waits.
 */
#ifndef TIDINGS_NET_CONN_PRIV_H
#define TIDINGS_NET_CONN_PRIV_H

#include "core/base.h"
#include "net/backlog.h"
#include "net/conn.h"
#include "net/outfile.h"
#include "net/outq.h"
#include "net/poller.h"
#include "net/tls.h"

#include <errno.h>

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

/*
 * What a connection has only while something is under way with it: a task for the end of the turn, output, input that
 * was not taken, TLS, or its end.
 */
struct conn_work {
	struct loop_task task;
	struct conn *conn;
	struct outq queue;
	struct outfile *file; /* leaves when the queue is empty; NULL: none */
	int64_t moved_ms;     /* when the output last got shorter, or began to wait */
	struct backlog_entry wait;
	struct leftover *left; /* NULL when there is none */
	struct blob *held;     /* leaves when nothing else is queued; NULL: none */
	struct tls *tls;       /* NULL: bytes are what they are */
	const char *reason;    /* set when closing */
	bool writing;	       /* output was queued, and all of it is not known to be written */
	bool offer;	       /* the task offers the leftover */
};

/* There may be a great many: every byte counts. The handler's memory, CONN_SEAT bytes, follows. */
struct conn {
	struct loop *loop;
	const struct conn_handler *handler;
	struct wheel_timer timer;
	struct conn_work *work;	   /* NULL: it is idle */
	struct in6_addr peer_host; /* as addr_pack gives it */
	int fd;
	union {
		uint32_t last_input_ms; /* CONN_OPEN: the lower half of clock_mono_ms() */
		uint32_t dropped;	/* later: bytes read and dropped */
	};
	in_port_t peer_port;
	uint16_t waits_for : 4; /* as poller_set has it */
	uint16_t state : 2;	/* enum conn_state */
	uint16_t seated : 1;	/* the owner is the seat; else a pointer to the owner is in it */
	uint16_t marked : 1;	/* the handlers' */
	uint16_t paused : 1;
	uint16_t quiet : 1;    /* while paused: bytes are waiting, and only the end is told */
	uint16_t blocked : 1;  /* the socket takes no more output */
	uint16_t eof : 1;      /* read to its end */
	uint16_t eof_told : 1; /* the handler knows */
	uint16_t finished : 1; /* FIN or a reset has been seen, read up to it or not */
};

/* With the seat and the header of malloc's it fits a chunk of 144 bytes. */
_Static_assert(sizeof(struct conn) + CONN_SEAT <= 136, "an idle connection is small");

static inline int conn_fd(const struct conn *c)
{
	return c->fd;
}

static inline bool conn_is_writing(const struct conn *c)
{
	return c->work != NULL && c->work->writing;
}

static inline bool conn_has_offer(const struct conn *c)
{
	return c->work != NULL && c->work->offer;
}

static inline struct leftover *conn_left(const struct conn *c)
{
	return c->work != NULL ? c->work->left : NULL;
}

static inline struct tls *conn_tls(const struct conn *c)
{
	return c->work != NULL ? c->work->tls : NULL;
}

static inline void *conn_owner(struct conn *c)
{
	return c->seated ? conn_seat(c) : *(void **)conn_seat(c);
}

/* An error after which the socket may go on. */
static inline bool conn_error_passes(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

/* The word for any other. */
static inline const char *conn_error_reason(int err)
{
	return err == ECONNRESET || err == EPIPE ? "reset" : err == ETIMEDOUT ? "unreachable" : "error";
}

/* ---- conn.c ---- */

/* Waits for what the state asks for. */
void conn_rearm(struct conn *c);
/* It has some from now on, if only until the end of the turn. */
struct conn_work *conn_work(struct conn *c);
/* Frees that, if nothing is under way. */
void conn_rest(struct conn *c);
/* The end of a turn comes to it. */
void conn_defer(struct conn *c);

/* ---- conn_input.c ---- */

void conn_on_event(struct conn *c, unsigned what);
/* What was kept is offered again. */
void conn_offer_leftover(struct conn *c);
void conn_drop_input(struct conn *c);

#endif
