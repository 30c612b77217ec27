/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves share: writers.c decides, writers_io.c reads and writes. */
#ifndef TIDINGS_STORE_WRITERS_PRIV_H
#define TIDINGS_STORE_WRITERS_PRIV_H

#include "core/base.h"

#include <sys/queue.h>

#include "core/buf.h"
#include "core/table.h"
#include "store/writers.h"

struct event;
struct route_pair;

/* An operation that is not answered, with its arguments as they are sent. */
struct handed {
	TAILQ_ENTRY(handed) entry; /* of its writer's waiting or given, or of refused */
	uint64_t number;
	enum wire_kind kind;
	uint32_t route;
	struct writer *writer;
	struct route_pair *pair;    /* held; NULL: routed by an id, or not at all */
	int64_t since_ms, given_ms; /* clock_mono_ms */
	unsigned ended;		    /* sockets that have ended while the writer had it */
	bool uncertain;		    /* a writer that has it, or had it, may have done it */
	bool told;		    /* its asker was told STORE_UNCERTAIN */
	enum store_status refused_as;
	writers_fn *fn;
	void *arg;
	size_t len;
	char body[];
};
TAILQ_HEAD(handed_queue, handed);

struct writer {
	struct writers *all;
	int fd; /* -1: there is none */
	struct event *readable, *writable;
	struct buf in, out;
	struct handed_queue waiting; /* for room, or for a process; in order */
	struct handed_queue given;   /* in the order in which they were; all are in under_way */
	unsigned open;		     /* of these: those that were not told, at most WRITERS_WINDOW */
	struct wire_state state;
	bool was_known; /* how this process' database is; not while it connects for the first time */
	int64_t heard_ms;
	int64_t missing_since_ms; /* where there is no socket */
	/* Of this socket: answers so far, of the open cut (writers_cut), and of which the writer knows that others do.
	 */
	uint64_t answers, cut, told;
	bool unsure, cut_unsure; /* an answer came too late: nobody was told */
};

struct writers {
	struct event_base *base;
	const struct store_observer *obs;
	void *obs_ctx;
	unsigned count_writers;
	struct writer *writer;
	struct routes *routes;
	struct table under_way; /* by number */
	struct handed_queue refused;
	size_t count, bytes, told; /* all; and those that were told */
	uint64_t last_number;
	struct event *kick, *tick;
	struct buf scratch;
	bool was_up, ending;
};

/* ---- writers.c ---- */

/* The answer may be the first of two. */
void writers_answered(struct writers *w, struct writer *at, uint64_t number, enum wire_kind kind,
		      const union wire_result *r);
/* The socket has ended; it is closed. */
void writers_lost(struct writers *w, struct writer *at);
void writers_note_state(struct writers *w);

/* ---- writers_io.c ---- */

void writer_init(struct writer *at, struct writers *w);
/* Closes the socket; what was given waits. */
void writer_fini(struct writer *at);
void writer_take(struct writer *at, int fd);
/* Sends what is in `out`, now as far as it goes. */
void writer_flush(struct writer *at);

#endif
