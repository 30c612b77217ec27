/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads: a queue in front of a few connections, in which users take turns (turns.h), and of which one user's reads use
 * all but one. A read whose connection is lost is
 * done once more on another one. It waits up to 3 s for a connection; once the
 * database is known to be away on all of them (link_is_away()), what waits and what comes is answered as
 * unavailable without waiting.
 *
 * Reads that ask for the same can share one answer (pool_submit_shared()).
 */
#ifndef TIDINGS_STORE_POOL_H
#define TIDINGS_STORE_POOL_H

#include "core/base.h"

#include <sys/queue.h>
#include <uthash.h>

#include "core/buf.h"
#include "store/arena.h"
#include "store/link.h"
#include "store/store.h"
#include "store/turns.h"

struct pool;

/* That share one answer: so many keep a worker busy for some milliseconds. */
#define READ_ASKERS_MAX 16

/* Embedded first in its kind's struct, made by read_new. */
struct read {
	struct waiting waiting;
	TAILQ_ENTRY(read) entry; /* of those to be refused */
	struct pool *pool;
	struct str user; /* whose turn it takes */
	struct link_query query;
	struct buf text;    /* the statements */
	struct arena arena; /* what row() finds */
	enum store_status status;
	bool lost_once;
	bool again;		      /* pool_again() was called from within done() */
	void *asker[READ_ASKERS_MAX]; /* what each caller who shares the answer gave; the first one's from the beginning
				       */
	unsigned asker_count;
	UT_hash_handle hh; /* of those that can be shared */
	bool sharable;	   /* it is one of them */

	/* Forgets what row() has found, for it begins anew. May be NULL. */
	void (*restart)(struct read *r);
	/* May be NULL. */
	void (*row)(struct read *r, unsigned stmt, struct row *row);
	/*
	 * Calls back with what was found or, where status is not STORE_OK, with that. Afterwards the read is freed,
	 * unless it was given to pool_again().
	 */
	void (*done)(struct read *r, enum store_status status);
	/*
	 * Of two reads of one kind with the same text: the answer to one is the answer to the other. NULL: none is
	 * shared.
	 */
	bool (*same)(const struct read *a, const struct read *b);
};
TAILQ_HEAD(read_queue, read);

struct pool_options {
	const char *name; /* of its connections, for the log */
	unsigned links;
	size_t max, user_max; /* reads that wait, of all users and of one */
};
struct pool *pool_new(struct event_base *base, const struct conf *conf, const struct pool_options *options);
/* Answers all that is in it as unavailable. */
void pool_free(struct pool **p);
/* Not answered yet. */
size_t pool_pending(const struct pool *p);

/* Zeroed but for the pool and the user, absent for the server itself. `size` is that of the struct around it. */
void *read_new(struct pool *p, struct str user, size_t size);
/* Queues it; STORE_OVERLOADED where too many wait, of all users or of this one. done() runs from the loop. */
void pool_submit(struct read *r);
/*
 * The same for one whose done() calls all of asker[] with what was found, and which has a same(): where such a read
 * waits that has not been asked yet, `asker` is added to its askers and this one is freed. So an answer is never older
 * than any of its requests. Only for what is small: all askers are answered at once, and what their clients do not read
 * takes memory.
 */
void pool_submit_shared(struct read *r, void *asker);
/* From within done(): another round trip, at the user's next turn, with the text that is there now and the same
 * deadline. */
void pool_again(struct read *r);
/* Answers without the database, from the loop. */
void pool_refuse(struct read *r, enum store_status status);

#endif
