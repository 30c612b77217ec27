/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transactions that carry no messages: rare ones, one at a time, on a connection of
 * their own, so that none of them ever holds up the write lane. Users take turns (turns.h). They wait for
 * that connection as the lane's operations do, and are refused like them once the database is known to be away.
 *
 * Each locks and reads what it depends on, decides, writes, and commits. One that fails for a reason of the moment (a
 * deadlock, a duplicate that came in between, a lost connection) is run again from its beginning; after a COMMIT of
 * unknown outcome it is run again as uncertain, and then must take what it finds done for its own doing. If others are
 * told of it and the time is up before that, it is answered with STORE_UNCERTAIN, and a second time, with
 * STORE_UNKNOWN, once the database answers again: it has been given the locks then, so what was under way is over, and
 * clients that catch up see it.
 */
#ifndef TIDINGS_STORE_TXN_H
#define TIDINGS_STORE_TXN_H

#include "core/base.h"

#include <sys/queue.h>

#include "core/buf.h"
#include "core/conf.h"
#include "store/arena.h"
#include "store/outbox_items.h"
#include "store/row.h"
#include "store/store.h"
#include "store/turns.h"

struct event_base;
struct txn;
struct txns;

struct txn_class {
	const char *name; /* for the log */
	/* Forgets what an earlier try found, and writes the statements that lock and read, with ';' between them. */
	void (*ask)(struct txn *t, struct buf *text);
	/* A row of the statement counted from 0. May be NULL where ask() writes nothing. */
	void (*row)(struct txn *t, unsigned stmt, struct row *row);
	/* Sets t->status, and writes the statements that change something, if any. */
	void (*decide)(struct txn *t, struct buf *text);
	/*
	 * After the commit, or where t->status says that nothing was done. The transaction is freed afterwards, but
	 * after STORE_UNCERTAIN.
	 */
	void (*answer)(struct txn *t);
	/*
	 * Others are told of what decide() writes: puts that as items for the outbox (outbox_items.h). Then ask() has
	 * to lock what it may have written. NULL: nobody is told.
	 */
	void (*tell)(const struct txn *t, struct buf *items);
	/*
	 * May be NULL. The number of tell()'s first item, an expression in SQL, where only the database knows it; NULL:
	 * it is as tell() says.
	 */
	const char *(*tell_id)(const struct txn *t);
	/*
	 * May be NULL. Webhooks are told of it, and perhaps nobody else is: puts that as further items. It is of what
	 * this try has found and written, so a try that finds done what an earlier one did puts nothing.
	 */
	void (*tell_hooks)(const struct txn *t, struct buf *items);
	/* May be NULL. A statement of decide()'s has made a row whose id the database counts. */
	void (*made)(struct txn *t, uint64_t id);
};

/* Embedded first in its kind's struct, made by txn_new. */
struct txn {
	struct waiting waiting;
	TAILQ_ENTRY(txn) entry; /* of those to be refused */
	struct txns *txns;
	const struct txn_class *class;
	struct arena arena; /* lives as long as it */
	struct str user;    /* whose turn it takes */
	enum store_status status;
	unsigned tries;
	bool wrote;	/* this try */
	bool rejected;	/* STORE_UNAVAILABLE, and will be each time: the database refuses the data in it */
	bool uncertain; /* an earlier try may have committed */
	bool settling;	/* was answered with STORE_UNCERTAIN, and changes nothing any more */
};
TAILQ_HEAD(txn_queue, txn);

struct txns *txns_new(struct event_base *base, const struct conf *conf);
/* Answers all that is in it: STORE_UNAVAILABLE, or STORE_UNKNOWN. */
void txns_free(struct txns **t);
/* Down, and not only for the moment that making a lost connection anew takes: what comes is refused. */
bool txns_is_away(const struct txns *t);
/* The reason is that the database is read-only. */
bool txns_is_read_only(const struct txns *t);
/* Others were told of all that they have to be, in the answers until txns_cut(). (outbox.h) */
void txns_cut(struct txns *t);
void txns_told(struct txns *t);
/* And in all others, and that is noted; or the database is away, and the relay tells others once more. */
bool txns_have_told(const struct txns *t);
/* Not answered yet. */
size_t txns_pending(const struct txns *t);

/*
 * Zeroed but for what it belongs to, and the user, absent for the server itself. `size` is that of the struct around
 * it.
 */
void *txn_new(struct txns *t, const struct txn_class *class, struct str user, size_t size);
/* Queues it; STORE_OVERLOADED where too many wait, of all users or of this one. answer() runs from the loop. */
void txn_submit(struct txn *t);

#endif
