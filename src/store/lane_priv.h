/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the write lane's files share: operations, and the batch that is being
 * carried out.
 *
 * A batch is one transaction in two round trips. The first locks the
 * conversations' rows, in order of id, and reads all that its operations depend on.
 * Then each operation in order of arrival is planned against the state in memory as
 * the ones before it left it. The second round trip writes the outcome and commits. Two
 * rarer ones: before, which conversation unknown pairs have; between, making those
 * that are missing.
 *
 * An operation that cannot be planned from what was read is put off to the next
 * batch, and with it all later ones of that conversation.
 */
#ifndef TIDINGS_STORE_LANE_PRIV_H
#define TIDINGS_STORE_LANE_PRIV_H

#include "core/base.h"

#include <sys/queue.h>
#include <uthash.h>

#include "core/buf.h"
#include "store/arena.h"
#include "store/lane.h"
#include "store/link.h"
#include "store/pairs.h"
#include "store/store.h"

struct batch;
struct op;

enum op_verdict {
	OP_PLANNED, /* op->status says how it ends once the transaction has committed */
	OP_PUT_OFF, /* to the next batch */
};

struct op_class {
	const char *name; /* for the log */
	/* Names the conversation and what has to be read for it. */
	void (*enter)(struct batch *b, struct op *op);
	/* Its conversation does not stand: is it to be made? NULL: never. */
	bool (*makes)(struct batch *b, struct op *op);
	/* Decides the outcome, changes the state in memory, adds to what is written. */
	enum op_verdict (*plan)(struct batch *b, struct op *op);
	/* A transaction has committed, and op->more says that the next one goes on with it. NULL where it never does.
	 */
	void (*step)(struct op *op);
	/* Calls back; the op is freed afterwards, but after STORE_UNCERTAIN. */
	void (*answer)(struct store *s, struct op *op);
	bool tells; /* others are told of it: a try of unknown outcome has to be followed up */
	bool once;  /* a batch can do one for a conversation: it reads what such a one changes */
};

/* Embedded first in its kind's struct, which is one allocation with its strings. */
struct op {
	TAILQ_ENTRY(op) entry;
	const struct op_class *class;
	size_t bytes;	     /* about its share of SQL text */
	int64_t deadline_ms; /* of clock_mono_ms: then it is answered as unavailable */
	unsigned tries;	     /* how often its transaction has failed */
	bool alone;	     /* in a batch of its own, to find whose data it is that the database refuses */
	bool put_off;	     /* batch_plan() could not plan it, in the batch that it was in last */
	uint16_t bucket;     /* its conversation's, in the queue */
	bool planned;	     /* this batch writes something for it */
	bool uncertain;	     /* a transaction that wrote for it may have committed */
	bool looks;	     /* is only looked for in this batch, by its conversation's id */
	bool settling;	     /* was answered with STORE_UNCERTAIN: writes no more, only finds out whether it was done */
	bool more;	     /* goes on in a later batch once this one has committed */
	enum store_status status;
	struct conv *conv; /* in the present batch; see op_conv() */
};
TAILQ_HEAD(op_queue, op);

/*
 * Takes over the op; refused ones are answered from the loop. The key names the conversation: operations with the same
 * key are carried out in the order in which they came.
 */
void lane_submit(struct lane *l, struct op *op, struct str key);
static inline struct str op_key_of_id(const uint64_t *conversation_id)
{
	return (struct str){(const char *)conversation_id, sizeof(*conversation_id)};
}
/* Answers without the database, from the loop. */
void lane_refuse(struct lane *l, struct op *op, enum store_status status);
/* Zeroed, with room for `extra` bytes of strings at *tail_r. */
void *op_new(const struct op_class *class, size_t size, size_t extra, char **tail_r);
/* Copies a string to the tail. */
struct str op_keep(char **tail, struct str s);

/* ---- the batch ---- */

/* A conversation: read under its lock, changed in memory, written back at the end. Sides are 0 and 1. */
struct conv {
	UT_hash_handle by_id, by_pair;
	struct conv *same;    /* it turned out to be that one */
	struct conv *next;    /* of the batch's */
	uint64_t id;	      /* 0: does not stand */
	struct pair_key pair; /* len 0 until read, where it was named by id */
	bool locked;	      /* the fields below are true */
	bool skipped;	      /* it stands, but another has locked it */
	bool friends_asked;
	bool blocks_asked[2]; /* whether the other side has blocked this one */
	bool wanted, made;    /* to be made; made by this transaction */
	bool used;	      /* a message or a create stands on its having been made */
	bool dirty;	      /* to be written back */
	bool stopped;	      /* an operation was put off */
	bool changed;	      /* a message that stood before was changed by this batch */
	bool read_by[2], deleted_by[2];
	uint64_t stored_seq; /* the last seq before this batch */
	uint64_t last_seq, change_seq, unread[2], last_id[2], read_seq[2];
	uint64_t dead[2]; /* neither read nor counted as unread: recalled, or deleted by that side, before */
	int64_t last_ms, sort_ms;
	struct str source_kind, source_id; /* where it is to be made */
};

/* A message that stood before the batch, with its state as the batch goes on. */
struct held {
	UT_hash_handle hh;
	struct message m;
	bool deleted[2]; /* by sender, by recipient */
};

/* A client_msg_id that stands: stored before, or by an earlier op of this batch. */
struct sent {
	UT_hash_handle hh;
	struct held *held;
	struct op *op;
	size_t key_len;
	char key[USER_ID_MAX + 1 + CLIENT_MSG_ID_MAX];
};

/* What one user is to another: from friendships and blocks. */
struct friendship {
	UT_hash_handle hh;
	bool friend;  /* the row of that direction exists */
	bool blocked; /* by the first, says either table */
	size_t key_len;
	char key[2 * USER_ID_MAX + 1];
};

/* What a statement's answer is. */
enum stmt_kind {
	STMT_PLAIN,	    /* nothing to be read */
	STMT_PAIRS,	    /* which conversations pairs have */
	STMT_CONVERSATIONS, /* locked rows */
	STMT_STANDING,	    /* which conversations stand, where locked ones are skipped */
	STMT_SENT,	    /* messages by client_msg_id */
	STMT_FRIENDS,
	STMT_MESSAGES, /* by id */
	STMT_GATHERED, /* an op's own: two numbers for it, or nothing */
	STMT_MAKE,     /* a conversation */
	STMT_NOW,
	STMT_COMMIT,
};
struct stmt {
	enum stmt_kind kind;
	void *of; /* STMT_GATHERED: uint64_t[2] or NULL; STMT_MAKE: the conv */
};

/* Statements of single operations, one after the other. */
struct gathered {
	struct buf text;
	uint64_t **answer;
	unsigned count, max;
};

#define BATCH_OPS_MAX 256
#define BATCH_BYTES_MAX ((size_t)512 * 1024)

struct batch {
	struct pairs *pairs;
	const struct conf *conf;
	struct arena arena;
	struct op *op[BATCH_OPS_MAX]; /* in order of arrival */
	unsigned count;
	unsigned sends;	  /* messages that are inserted */
	bool skip_locked; /* conversations that another has locked are put off, not waited for; kept by a reset */

	struct conv *convs; /* all */
	struct conv *by_id, *by_pair;
	struct held *held;
	struct sent *sent;
	struct friendship *friendships;

	int64_t db_ms;	/* the database's clock, read under the locks */
	int64_t now_ms; /* the same, moved as this node's clocks are */
	/*
	 * The time of what this batch does to conversations, by which they are sorted and found by a cursor. It is
	 * now_ms, but never before what was given already, here or (a second ago) elsewhere: a clock that was set back
	 * changes no order. Kept by a reset.
	 */
	int64_t active_ms;
	bool raises;   /* the table `activity` is to be moved to active_ms, if something is written; set by the lane */
	bool raised;   /* it is moved by this batch */
	bool standing; /* an answer tells of what stood already */

	unsigned reads; /* conversations that are read; see op_read.c */

	struct buf text;
	struct stmt *stmt;
	unsigned stmt_count, stmt_max;

	/* lists for the first round trip */
	struct buf ask_sent, ask_friends, ask_blocks, ask_messages;
	struct gathered ask;
	/* and for the second */
	struct buf insert_messages, insert_changes, insert_recalls, insert_marks;
	struct gathered updates;
};

void batch_init(struct batch *b, struct pairs *pairs, const struct conf *conf);
void batch_fini(struct batch *b);
/* Forgets everything; the ops are the caller's again. */
void batch_reset(struct batch *b);
void batch_add(struct batch *b, struct op *op);

/* Each builds a text in b->text. The first two return whether there is anything to ask. */
bool batch_build_resolve(struct batch *b);
bool batch_build_make(struct batch *b);
void batch_build_lock(struct batch *b);
void batch_build_write(struct batch *b);
/* Their answers. */
void batch_row(struct batch *b, unsigned stmt, struct row *row);
void batch_stmt_done(struct batch *b, unsigned stmt, uint64_t affected, uint64_t insert_id);
bool batch_is_commit(const struct batch *b, unsigned stmt);
/* After the last read. Some ops may be put off. False: the transaction has to be undone and run again. */
bool batch_plan(struct batch *b) MUST_CHECK;
/* After COMMIT. */
void batch_remember_pairs(struct batch *b);

/* ---- for the operations ---- */

struct conv *op_conv(const struct op *op);
/* 0 or 1; -1: no party to it. */
int conv_side(const struct conv *c, struct str user);
static inline struct str conv_user(const struct conv *c, int side)
{
	return pair_key_user(&c->pair, (unsigned)side);
}
/* A counter that says fewer than n, which a sound database never has, becomes 0. */
static inline uint64_t conv_less(uint64_t counter, uint64_t n)
{
	return counter > n ? counter - n : 0;
}
struct conv *batch_conv_by_id(struct batch *b, uint64_t id);
struct conv *batch_conv_by_pair(struct batch *b, struct str a, struct str c);

/* Before batch_friends(): may that side speak to the other? The conversation is named by its pair. */
void batch_ask_friends(struct batch *b, struct conv *c, struct str from);
/* May `from` speak to `to`: STORE_OK, STORE_NOT_FRIENDS; STORE_BLOCKED, whether they are friends or not. */
enum store_status batch_friends(struct batch *b, struct str from, struct str to);

void batch_ask_message(struct batch *b, uint64_t id);
struct held *batch_message(struct batch *b, uint64_t id);

void batch_ask_sent(struct batch *b, struct str from, struct str client_msg_id);
struct sent *batch_sent(struct batch *b, struct str from, struct str client_msg_id);
void batch_note_sent(struct batch *b, struct str from, struct str client_msg_id, struct op *op);

/* Begins a statement of the first round trip, whose first row's two numbers go to answer. Write it to what is returned.
 */
struct buf *batch_ask(struct batch *b, uint64_t answer[2]);
/* Begins a statement of the second one. */
struct buf *batch_update(struct batch *b);
/* After an UPDATE: the transaction is undone and run again where it did not change so many rows. */
void batch_expect(struct batch *b, uint64_t rows);
/* How many messages of the conversation, up to that seq, this batch has sent to `to` so far. */
uint64_t op_send_count(const struct batch *b, const struct conv *c, struct str to, uint64_t up_to_seq);
/* Counts a change to a message and returns its change_seq. */
uint64_t batch_note_change(struct batch *b, struct conv *c, enum change_kind kind, uint64_t message_id,
			   struct str user);

#endif
