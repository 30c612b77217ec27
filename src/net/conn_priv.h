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
#include "net/outq.h"
#include "net/tls.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>

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
	struct backlog_entry wait;
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

static inline int conn_fd(const struct conn *c)
{
	return event_get_fd(&c->ev);
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

/* Makes the event wait for what the state asks for. */
void conn_rearm(struct conn *c);

/* ---- conn_input.c ---- */

void conn_on_event(evutil_socket_t fd, short what, void *arg);
/* What was kept is offered again. */
void conn_offer_leftover(struct conn *c);
void conn_drop_input(struct conn *c);

#endif
