/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two halves of a connection share. link.c is the door to the library: the steps of connecting and asking.
 * link_life.c decides when a connection is made, given up, checked and refused, and knows nothing of the library.
 */
#ifndef TIDINGS_STORE_LINK_PRIV_H
#define TIDINGS_STORE_LINK_PRIV_H

#include "core/base.h"
#include "core/buf.h"
#include "store/link.h"

struct dial;
struct event;
struct probe;
struct st_mysql;
struct st_mysql_res;

enum link_state {
	LINK_DOWN,    /* waits for the time to connect again */
	LINK_DIALING, /* the addresses are looked up */
	LINK_CONNECTING,
	LINK_IDLE,
	LINK_ASKING,  /* a query is being sent, its first answer awaited */
	LINK_STORING, /* rows of a result are coming */
	LINK_GIVING,  /* they are there, and are given to the query's owner over some turns of the loop */
	LINK_NEXT,    /* the next result is awaited */
};

struct link {
	struct event_base *base;
	const struct conf *conf;
	const char *database; /* "": none */
	struct link_options options;
	const struct link_events *events;
	void *ctx;

	enum link_state state;
	bool up;	     /* the settings were made */
	bool read_only;	     /* the server is; or it is down, and this is why */
	unsigned complained; /* the error of the present absence that was logged; 0: none */
	int64_t complained_ms, connected_ms, checked_ms;
	unsigned failures; /* of attempts to connect since it was up, at most AWAY_ATTEMPTS */
	struct st_mysql *mysql;
	int fd;	   /* -1, or what the events below watch */
	int wants; /* MYSQL_WAIT_… that the events are armed for */
	struct event *readable, *writable;
	struct event *timer; /* DOWN: connect again; IDLE: ping; else: see what holds it up */
	unsigned left_ms;    /* else: beyond the timer, before it is given up */
	struct event *later; /* when a step of a query has finished at once, and for more of LINK_GIVING */
	unsigned backoff_ms;
	struct dial *dial; /* NULL: the server's address is the path of a socket */

	struct link_query *query; /* not NULL from ASKING to NEXT */
	struct link_query own;	  /* the settings, and checks */
	struct buf own_text;
	char *unfit; /* why the connection is refused, as its settings say */
	unsigned stmt;
	struct probe *probe; /* while it is asked what became of the next answer */
	unsigned probed_stmt;

	/* where the library leaves what its functions return */
	struct st_mysql *connected;
	struct st_mysql_res *result;
	int failed;
};

/* ---- link.c ---- */

/* Connects to the present address of the dial, or to the socket. The end is link_connected() or link_lost(). */
void link_connect(struct link *l);
/* Sends the query. The link is idle, or has just connected. */
void link_ask(struct link *l, struct link_query *q);
/* Ends the step that l->later is for. */
void link_go_on(struct link *l);
/* Closes what is open, with a goodbye where the link is idle. The state is for the caller to change. */
void link_close(struct link *l);
unsigned long link_server_id(const struct link *l);
bool link_in_transaction(const struct link *l);
/* There is something to read, be it the end. */
bool link_has_input(const struct link *l);

/* ---- link_life.c ---- */

/* Waits for an answer, no longer than that and than the link's own limit. */
void link_begin_waiting(struct link *l, unsigned ms);
/* The server has let us in: what remains is to set the connection up. */
void link_connected(struct link *l);
/* The query's answer is complete, and the link is idle. */
void link_became_idle(struct link *l);
/* After the done of a query that was the owner's, who may have begun another. */
void link_check_if_due(struct link *l);
/* The connection, or the attempt at one, is at its end. */
void link_lost(struct link *l, const char *reason, unsigned error);

#endif
