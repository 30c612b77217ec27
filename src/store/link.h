/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One non-blocking connection to the database, the only door to MariaDB
 * Connector/C. It connects by itself, and again with a backoff when it is lost,
 * keeps itself alive while idle, and gives up a connection on which an answer does
 * not come in time, or sooner one on which the server has left answers out (probe.h).
 *
 * Each attempt to connect looks the host up again and tries all its addresses (dial.h). A connection that cannot be
 * set as settings.h says is refused. The server ends one that is silent for some seconds, so that the locks of a node
 * that vanished in the middle of a transaction do not outlive it for long.
 *
 * A connection that writes is made to a server that can be written to, and to no other: one that becomes read-only (a
 * primary that was made a replica) is left within CHECK_MS, sooner where a statement meets it. One that reads prefers
 * such a server, and does with another.
 */
#ifndef TIDINGS_STORE_LINK_H
#define TIDINGS_STORE_LINK_H

#include "core/base.h"
#include "core/conf.h"
#include "store/row.h"
#include "store/settings.h"

struct event_base;
struct link;
struct link_query;

/* Waiting for an answer longer than this means that the database is away. */
#define LINK_ANSWER_TIMEOUT_MS 5000

enum link_outcome {
	LINK_OK,
	LINK_ERROR, /* the server refused statement `stmt`; those after it were not run; the connection stays */
	LINK_LOST,  /* the connection is gone; what was sent may or may not have been done. Also where the server has
		       become read-only */
};

struct link_result {
	enum link_outcome outcome;
	bool read_only;	     /* LINK_LOST: because the server has refused statement `stmt` as one that writes */
	unsigned stmt;	     /* LINK_ERROR, and where it is read_only: counted from 0 */
	unsigned error;	     /* the server's or the client library's number */
	const char *message; /* never NULL */
	char state[6];	     /* LINK_ERROR: SQLSTATE */
};

/*
 * A text of one or more statements, embedded in its owner. The text is borrowed
 * until done, which runs exactly once and may start the next query.
 */
struct link_query {
	struct str text;
	/* A row of statement `stmt`. May be NULL. Where rows take long the loop goes on between two of them. */
	void (*row)(struct link_query *q, unsigned stmt, struct row *row);
	/* A statement has succeeded, after its rows. May be NULL. */
	void (*stmt)(struct link_query *q, unsigned stmt, uint64_t affected, uint64_t insert_id);
	void (*done)(struct link_query *q, const struct link_result *r);
};

struct link_events {
	/* Free for a query: after connecting, and after each question of the link's own that had kept it busy. */
	void (*ready)(struct link *l, void *ctx);
	/* Lost, or could not connect (each time); after the done of the query that was under way. May be NULL. */
	void (*down)(struct link *l, const char *why, void *ctx);
};

struct link_options {
	const char *name; /* for the log: "writing" */
	enum settings_role role;
	const char *database;	    /* NULL: the configured one; "": none */
	const char *host;	    /* NULL: the configured one */
	unsigned answer_timeout_ms; /* 0: LINK_ANSWER_TIMEOUT_MS */
	bool once;		    /* does not connect again, nor looks for answers left out */
};

/* conf is borrowed. */
struct link *link_new(struct event_base *base, const struct conf *conf, const struct link_options *options,
		      const struct link_events *events, void *ctx);
/* A query under way is forgotten: its done does not run. Not from within a callback of the link. */
void link_free(struct link **l);
/* Connected and no query under way. */
bool link_is_idle(const struct link *l);
bool link_is_up(const struct link *l);
/*
 * The database is known to be away: two attempts to connect have failed, one after the other, and none has succeeded
 * since. Not so while a lost connection is made anew the first time, which is what a killed connection or a failover
 * costs (about 50 ms; the second attempt follows 100 ms later). An attempt tries all addresses of the host; it fails
 * with LOOKUP_TIMEOUT_MS where its name is not told, or after some seconds where the last address does not answer.
 * Changes before `down` or `ready` is called.
 */
bool link_is_away(const struct link *l);
/* The server cannot be written to: connected to it or, where the link writes, for that reason not connected. */
bool link_is_read_only(const struct link *l);
/* Only on an idle link. Callbacks run from the loop, never from within. */
void link_query(struct link *l, struct link_query *q);

#endif
