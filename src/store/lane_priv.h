/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the write lane's files share: operations, and the batch that is being
 * carried out.
 *
 * A batch is one transaction in two round trips. The first locks the rows of
 * conversations and members, all in one order (conv.h), and reads all that its operations depend on.
 * Then each operation in order of arrival is planned against the state in memory as
 * the ones before it left it. The second round trip writes the outcome and commits. Two
 * rarer ones: before, which conversation unknown pairs have; between, making those
 * that are missing, and then locking the groups, if there are any.
 *
 * A batch that does nothing but send to pairs whose conversations this lane wrote last is guessed: it takes one round
 * trip (guess.h).
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
#include "store/conv.h"
#include "store/lane.h"
#include "store/link.h"
#include "store/outbox.h"
#include "store/outbox_items.h"
#include "store/pairs.h"
#include "store/store.h"

struct batch;
struct op;

enum op_verdict {
	OP_PLANNED, /* op->status says how it ends once the transaction has committed */
	OP_PUT_OFF, /* to the next batch */
};

/* Of which operations a batch can do only one, since the second would read what the first changes. */
enum op_once {
	ONCE_NONE, /* of nothing: as many as there are */
	ONCE_CONVERSATION,
	/*
	 * Of op->user's in a conversation. What comes after the second of a user goes before it, for others' operations
	 * have nothing to do with it.
	 */
	ONCE_USER,
};

struct op_class {
	const char *name; /* for the log */
	/* Names the conversation and what has to be read for it. */
	void (*enter)(struct batch *b, struct op *op);
	/* Its conversation does not exist: is it to be made? NULL: never. */
	bool (*makes)(struct batch *b, struct op *op);
	/* Decides the outcome, changes the state in memory, adds to what is written. */
	enum op_verdict (*plan)(struct batch *b, struct op *op);
	/* Can it be planned by the conversation's head alone, as a message that is new? NULL: never. */
	bool (*guess)(const struct op *op, const struct pair_head *head);
	/* A transaction has committed, and op->more says that the next one goes on with it. NULL where it never does.
	 */
	void (*step)(struct op *op);
	/* Calls back; the op is freed afterwards, but after STORE_UNCERTAIN. */
	void (*answer)(struct op *op);
	bool tells; /* others are told of it: a try of unknown outcome has to be followed up */
	enum op_once once;
};

/* Embedded first in its kind's struct, which is one allocation with its strings. */
struct op {
	TAILQ_ENTRY(op) entry;
	const struct op_class *class;
	size_t bytes;	      /* about its share of SQL text */
	int64_t deadline_ms;  /* of clock_mono_ms: then it is answered as unavailable */
	unsigned tries;	      /* how often its transaction has failed */
	bool alone;	      /* in a batch of its own, to find whose data it is that the database refuses */
	bool put_off;	      /* batch_plan() could not plan it, in the batch that it was in last */
	uint16_t bucket;      /* its conversation's, in the queue */
	uint16_t once_bucket; /* that of which a batch takes one; see op_once */
	struct str user;      /* whose it is; of ONCE_USER */
	bool planned;	      /* this batch writes something for it */
	bool in_outbox;	      /* of which others have to be told */
	bool uncertain;	      /* a transaction that wrote for it may have committed */
	bool inherited;	      /* a process that has died had it: what that decided is not known here */
	bool looks;	      /* is only looked for in this batch, by its conversation's id */
	bool settling; /* was answered with STORE_UNCERTAIN: writes no more, only finds out whether it was done */
	bool late;     /* and has to wait for late_until_usecs, where it would be answered as not done */
	/* Until then, by clock_usecs(), a packet that would do it may still reach the database; see guess.h. */
	int64_t late_until_usecs;
	bool more; /* goes on in a later batch once this one has committed */
	/* Of the outbox: the row of its last step, of which its answer tells others; 0: there is none. */
	uint64_t row;
	bool out_of_ids; /* no conversation can be made for it */
	enum store_status status;
	struct conv *conv; /* in the present batch; see op_conv() */
};
TAILQ_HEAD(op_queue, op);

/*
 * Takes over the op; refused ones are answered from the loop. The key names the conversation: operations with the same
 * key are carried out in the order in which they came.
 */
void lane_submit(struct lane *l, struct op *op, enum lane_past past, struct str key);
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

/* A message that existed before the batch, with its state as the batch goes on. */
struct held {
	UT_hash_handle hh;
	struct message m;
	bool deleted[2]; /* of a direct conversation: by sender, by recipient */
	bool edited;	 /* by this batch: it does so once */
	/* By this batch. */
	bool pinned, unpinned;
	bool reacted;	     /* its reactions have changed: */
	struct str reactor;  /* whose was the last, */
	uint64_t react_seq;  /* the change_seq of that, */
	uint64_t stored_seq; /* and that of the last one before */
	bool passed;	     /* read together with others: m says when only after the second round trip */
	enum group_role
		author; /* of a group's, where it was asked: the sender's present role; GROUP_NO_ROLE: has left */
};
/* It counts in the unread counter of a direct conversation's recipient. */
static inline bool held_is_unread(const struct held *h)
{
	return !h->m.is_read && !h->passed && !h->m.is_recalled && !h->deleted[1];
}

/* A user's reaction to a message, as it is stored. */
struct reacted {
	struct reacted *next;
	uint64_t message_id, n;
	struct str user, emoji;
};

/* What a recall does to a row of `messages`, beside the time. */
#define RECALL_ASSIGNMENTS                                                                                             \
	"is_recalled=1,content=NULL,media_url=NULL,extra=NULL,mentions=NULL,entities=NULL,forwarded_from=NULL,"        \
	"reactions=NULL,sent_hash=NULL"

/* A client_msg_id that is used: stored before, or by an earlier op of this batch. */
struct sent {
	UT_hash_handle hh;
	struct held *held; /* NULL, and no op: the message was too old to be kept */
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
	STMT_CONVERSATIONS, /* locked rows: direct conversations */
	STMT_HEADS,	    /* of groups */
	STMT_STANDING,	    /* which of either exist, where locked ones are skipped */
	STMT_MEMBERS,	    /* locked rows */
	STMT_MEMBERS_STANDING,
	STMT_SENT,  /* messages by client_msg_id */
	STMT_SPENT, /* client_msg_ids of messages that are deleted */
	STMT_FRIENDS,
	STMT_MESSAGES, /* by id */
	STMT_REACTIONS,
	STMT_AUTHORS,	    /* which role the senders of messages have */
	STMT_GATHERED,	    /* an op's own: its first row's numbers go to it */
	STMT_GATHERED_TEXT, /* or its first column, a text */
	STMT_MAKE,	    /* a conversation */
	STMT_MARK,	    /* when a message was read together with others */
	STMT_NOW,
	STMT_NOW_CHECKED, /* the same in a batch that was guessed */
	STMT_COMMIT,
};
struct stmt {
	enum stmt_kind kind;
	/* STMT_GATHERED: uint64_t[] or NULL; STMT_GATHERED_TEXT: struct str; STMT_MAKE: the conv; STMT_MARK: the held
	 */
	void *of;
};

/* Statements of single operations, one after the other. */
struct gathered {
	struct buf text;
	struct stmt *stmt;
	unsigned count, max;
};

/* Rows of one statement. */
struct rows {
	struct buf list;
	unsigned count;
};

/* A transaction is not written later than this after its locks: its time would be wrong. */
#define BATCH_STALE_MS 5000
#define BATCH_OPS_MAX 256
#define BATCH_BYTES_MAX ((size_t)512 * 1024)

struct batch {
	struct pairs *pairs;
	struct outbox *outbox;
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
	struct reacted *reactions; /* that were asked for, and are there */
	struct member *members;	   /* of groups */

	int64_t db_ms;	/* the database's clock, read under the locks */
	int64_t now_ms; /* the same, moved as this node's clocks are */
	/*
	 * The time of what this batch does to conversations, by which they are sorted and found by a cursor. It is
	 * now_ms, but never before what was given already, here or (a second ago) elsewhere: a clock that was set back
	 * changes no order. Kept by a reset.
	 */
	int64_t active_ms;
	/* What of the database's clock was read last, and when; kept by a reset. */
	struct {
		int64_t db_ms, activity_ms; /* 0: never */
		int64_t at_mono_ms;
		bool spends; /* there may be rows in spent_sends */
	} clock;
	int64_t begun_usecs; /* before its first round trip; clock_usecs() */
	bool guessed;	     /* it is carried out in one round trip; see guess.h */
	bool groups_later;   /* groups are locked after conversations were made, in a round trip of their own */
	bool raises;   /* the table `activity` is to be moved to active_ms, if something is written; set by the lane */
	bool raised;   /* it is moved by this batch */
	bool standing; /* an answer tells of what was stored already */
	bool notes;    /* what others were told of is noted by this batch */
	bool asked_spent;

	unsigned reads; /* conversations that are read; see op_read.c */

	struct buf text;
	struct stmt *stmt;
	unsigned stmt_count, stmt_max;

	/* lists for the first round trip */
	struct buf ask_sent, ask_friends, ask_blocks, ask_messages, ask_authors, ask_reactions;
	struct gathered ask;
	/* and for the second */
	struct buf insert_texts; /* messages that have nothing but a content */
	struct buf insert_reactions, search_edits;
	struct rows edits, reacted, unreacted; /* messages that get these columns; reactions that go */
	struct buf insert_messages, insert_changes, insert_recalls, insert_marks, insert_mentions, insert_uncounted;
	struct buf insert_replaced;		     /* messages that before_send has replaced */
	struct buf insert_expiring, insert_expiries; /* messages with a time to expire at, and those times */
	struct buf expired;			     /* the ids of those that do so now */
	unsigned expired_count;
	struct buf drop_expiries; /* conditions, with OR between them */
	struct gathered updates;
	struct buf items; /* of the row in the outbox */
};

void batch_init(struct batch *b, struct pairs *pairs, struct outbox *outbox, const struct conf *conf);
void batch_fini(struct batch *b);
/* Forgets everything; the ops are the caller's again. */
void batch_reset(struct batch *b);
void batch_add(struct batch *b, struct op *op);

/* Each builds a text in b->text. The first two return whether there is anything to ask. */
bool batch_build_resolve(struct batch *b);
bool batch_build_make(struct batch *b);
void batch_build_lock(struct batch *b);
void batch_build_write(struct batch *b);
/* The same in one round trip, where batch_guess() has said so. */
void batch_build_guess(struct batch *b);
/* For what writes parts of them. Begins a statement: write it to what is returned. */
struct buf *batch_begin_stmt(struct batch *b, enum stmt_kind kind, void *of);
void batch_put_ids(struct buf *text, const uint64_t *ids, size_t n);
/* Asks for the time. */
void batch_put_now(struct batch *b, enum stmt_kind kind);
/* Locked rows of a table's are left out where another has locked them, and asked for once more. */
void batch_put_lock_end(struct batch *b, struct buf *text);
/* The ids of conversations of that kind, in order: those whose heads are to be locked, or the others. */
size_t batch_conv_ids(struct batch *b, const struct conv_kind *kind, bool locks, const uint64_t **ids_r);
/* Their answers. */
void batch_row(struct batch *b, unsigned stmt, struct row *row);
void batch_stmt_done(struct batch *b, unsigned stmt, uint64_t affected, uint64_t insert_id);
bool batch_is_commit(const struct batch *b, unsigned stmt);
/* After the last read. Some ops may be put off. False: the transaction has to be undone and run again. */
bool batch_plan(struct batch *b) MUST_CHECK;
/* After COMMIT. */
void batch_remember(struct batch *b);
/* Sets the time of the batch, by the database's clock and the table `activity`. */
void batch_set_time(struct batch *b, int64_t db_ms, int64_t activity_ms);

/* ---- for the operations ---- */

struct conv *op_conv(const struct op *op);
/* Of two strings, the first without a space; returns its length. */
size_t batch_key(char *out, struct str a, struct str b);
/* Before batch_friends(): may that side speak to the other? The conversation is named by its pair. (conv_direct.c) */
void batch_ask_friends(struct batch *b, struct conv *c, struct str from);
/* May `from` speak to `to`: STORE_OK, STORE_NOT_FRIENDS; STORE_BLOCKED, whether they are friends or not. */
enum store_status batch_friends(struct batch *b, struct str from, struct str to);

void batch_ask_message(struct batch *b, uint64_t id);
/* The same of a message of a group, for held->author. */
void batch_ask_author(struct batch *b, uint64_t id);
struct held *batch_message(struct batch *b, uint64_t id);

void batch_ask_sent(struct batch *b, struct str from, struct str client_msg_id);
struct sent *batch_sent(struct batch *b, struct str from, struct str client_msg_id);
void batch_note_sent(struct batch *b, struct str from, struct str client_msg_id, struct op *op);

/* Begins a statement of the first round trip, whose first row's numbers go to answer, one a column. Write it to what is
 * returned. */
struct buf *batch_ask(struct batch *b, uint64_t answer[]);
/* The same of one whose first row has a text, which then is the batch's; absent: null, or no row. */
struct buf *batch_ask_text(struct batch *b, struct str *answer);
/* Begins a statement of the second one. */
struct buf *batch_update(struct batch *b);
/* Deletes a message's rows in a table that has them by message_id in that index, and fails where some are left. */
void batch_erase_of(struct batch *b, const char *table, const char *index, uint64_t message_id);
/* After an UPDATE: the transaction is undone and run again where it did not change that number of rows. */
void batch_expect(struct batch *b, uint64_t rows);
/* How many messages of the conversation, up to that seq, others than the user have sent in this batch so far. */
uint64_t batch_sent_by_others(const struct batch *b, const struct conv *c, struct str user, uint64_t up_to_seq);
/* It expires, at m->expires_ms. */
void batch_note_expiry(struct batch *b, const struct message *m);
/* It does so now: its row is written together with those of others. */
void batch_note_expired(struct batch *b, uint64_t message_id);
/* It is no longer among those that are due. */
void batch_drop_expiry(struct batch *b, uint64_t message_id, int64_t at_ms);
/* The planned op is one that others have to be told of once it has committed. */
void batch_note_told(struct batch *b, struct op *op, enum outbox_kind kind, uint64_t message_id);
/* The same, where it is that user alone. */
void batch_note_told_user(struct batch *b, struct op *op, struct str user);
/* What belongs to the item before: the first character, and up to REACTION_EMOJI_MAX others. */
void batch_note_told_text(struct batch *b, char first, struct str rest);
/* In batch_build_lock() and batch_build_write(): what op_react.c has of them, and the answer. */
void react_put_asks(struct batch *b);
void react_row(struct batch *b, struct row *row);
void react_put_write(struct batch *b);
/*
 * A message that exists gets other columns, many in one statement. Begins the row of one; what is written behind it are
 * the columns and a ')'. The second one writes the statement with the columns' names; none where there are no rows.
 */
struct buf *batch_begin_changed(struct rows *rows, uint64_t message_id);
void batch_put_changed(struct batch *b, const struct rows *rows, const char *const columns[], size_t n);
/* Begins a row of a list of rows to be inserted. */
void batch_begin_row(struct buf *list);
void batch_note_mark(struct batch *b, uint64_t conversation_id, struct str user, uint64_t up_to_seq);
/* user "*": everyone. */
void batch_note_mention(struct batch *b, struct str user, const struct message *m);
void batch_put_change(struct batch *b, uint64_t change_seq, enum change_kind kind, uint64_t message_id,
		      struct str user);
/*
 * Counts a change to a message and returns its change_seq. The second one is of its reactions, which are written as the
 * message has them when the batch is.
 */
uint64_t batch_note_change(struct batch *b, struct conv *c, enum change_kind kind, uint64_t message_id,
			   struct str user);
uint64_t batch_note_reaction(struct batch *b, struct conv *c, struct held *h, struct str user);

#endif
