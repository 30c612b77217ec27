/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The conversations of a batch of the write lane, and their members: read under locks, changed in memory, written back
 * at the end.
 *
 * There is one model of them: a head, and members. A direct conversation has always its two members, and keeps them in
 * its own row. A group has those that the batch asked for, each in a row of `members`. What differs by kind is what
 * struct conv_kind points to, and lies together in conv_direct.c and conv_group.c; operations that have nothing in
 * common but their name have a class for each kind (op_read.c, op_delete.c).
 *
 * All rows are locked in one order: conversations, group_heads, members, each in the order of its primary key.
 */
#ifndef TIDINGS_STORE_CONV_H
#define TIDINGS_STORE_CONV_H

#include "core/base.h"

#include <uthash.h>

#include "core/buf.h"
#include "store/pairs.h"
#include "store/row.h"
#include "store/store.h"
#include "store/unread.h"

struct batch;
struct conv;
struct held;

/* Of two users, or of those of a group that the batch asked for: present tells whether they are in it. */
struct member {
	UT_hash_handle hh;   /* a group's: in the batch, by group and user */
	struct member *next; /* of the conversation; of a direct one the second after the first */
	struct conv *conv;
	struct str user;
	bool present;	      /* true once it was read; the fields below then are what is stored */
	bool dirty;	      /* a group's: to be written back */
	bool listed;	      /* and it is, by a list of senders */
	bool deleted;	      /* has deleted a message in this batch */
	bool moved;	      /* read_seq or first_seq was moved by this batch */
	bool marks;	      /* and a read mark says when */
	bool blocks_asked;    /* whether the peer has blocked this one */
	enum group_role role; /* GROUP_NO_ROLE in a direct conversation */
	uint64_t first_seq;   /* as the rule or the user has it; see conv_first_seq() */
	uint64_t read_seq;
	bool marked;	   /* as unread */
	bool was_archived; /* at that last_seq: */
	uint64_t archived_seq;

	/* What is stored of the fields below it. */
	struct member_stored {
		uint64_t read_seq, unread, dead, last_id, deleted_seq, mention_seq;
	} stored;

	/* Of a direct conversation. */
	uint64_t unread, last_id;
	uint64_t dead; /* messages neither read nor counted as unread: recalled, or deleted by this member, before */

	/* Of a group. */
	uint64_t joined_seq, deleted_seq, mention_seq;
	int64_t read_ms, muted_until_ms, last_sent_ms;
};

struct conv {
	UT_hash_handle by_id, by_pair;
	const struct conv_kind *kind;
	struct conv *same;    /* it turned out to be that one */
	struct conv *next;    /* of the batch's */
	uint64_t id;	      /* 0: does not exist */
	struct pair_key pair; /* a direct one's; len 0 until read, where it was named by id */
	struct member *members;
	bool locks;   /* its head will be locked */
	bool locked;  /* it was: the fields below are true */
	bool known;   /* a group's was read, locked or not */
	bool skipped; /* it exists, but another has locked it */
	bool friends_asked;
	bool wanted, made;   /* to be made; made by this transaction */
	bool out_of_ids;     /* it would be the first with an id of the next kind */
	bool used;	     /* a message or a create depends on its having been made */
	bool dirty;	     /* to be written back */
	bool written;	     /* and it is, by a statement for those that only got messages */
	bool stopped;	     /* an operation was put off */
	unsigned unpinned;   /* messages that this batch has taken a pin from */
	bool changed;	     /* a message that existed before was changed by this batch */
	bool read;	     /* what was read of its messages may be out of date: a direct one was read further */
	uint64_t stored_seq; /* the last seq before this batch */
	int64_t stored_ms;   /* and last_ms, where it is guessed */
	uint64_t last_seq, change_seq, stored_change_seq;
	uint64_t kept_seq; /* the first message that is kept; 0 where it is guessed */
	int64_t last_ms, sort_ms;
	uint64_t expires_in_secs; /* of messages that do not say so themselves; 0: they do not expire */

	/* Of a direct one. */
	struct str source_kind, source_id; /* of a new one */

	/* Of a group. */
	uint64_t uncounted_seq, all_seq, member_count;
	bool only_admins_send;
	unsigned slow_mode_secs;
	int64_t active_ms, dissolved_ms;
};

/* May it be sent? */
struct conv_send {
	const struct store_send *p;
	struct member *from; /* STORE_OK */
	enum store_status status;
	int64_t retry_ms; /* as in struct store_sent */
};

/* May that member change a message so that the others are told? */
struct conv_check {
	struct str user;
	bool speaks;	   /* in words, as sending does */
	bool mentions_all; /* and it mentions everyone */
	bool by_pair;	   /* of a direct conversation: batch_friends() knows it; else these do */
	uint64_t friends, blocked;
};

struct conv_kind {
	/* Whether it may be sent. False: not to be told in this batch. */
	bool (*check_send)(struct batch *b, struct conv *c, struct conv_send *check);
	/* What a new message does to the head and to members. Seqs and times of the head are moved already. */
	void (*sent)(struct batch *b, struct member *from, const struct message *m);
	/* It mentions that member, who is not the sender; NULL: everyone. */
	void (*mentioned)(struct batch *b, struct member *from, const struct message *m, struct member *who);
	/* Whose row in the table mentions says so of that user, or of "*"; absent: none is kept. */
	struct str (*mention_of)(struct member *from, struct str user);
	/* Whether the member may recall the message now; *any_time_r: however old it is. */
	enum store_status (*check_recall)(const struct member *by, const struct held *h, bool *any_time_r);
	/* What that does to the head and to members. */
	void (*recalled)(struct batch *b, struct conv *c, const struct held *h);
	/* Before the locks: asks for what check_change needs; NULL: head and members have all of it. */
	void (*ask_change)(struct batch *b, struct conv *c, struct conv_check *check);
	enum store_status (*check_change)(struct batch *b, struct member *by, const struct conv_check *check);
	/* A message was changed: those who do not list the conversation find it by their cursor. */
	void (*changed)(struct batch *b, struct member *by);
};
extern const struct conv_kind conv_direct, conv_group;

/* ---- finding them (conv.c) ---- */

/* locks: whether to lock its head; that of a direct conversation always is. Else only members are (op_read_group.c). */
struct conv *batch_conv_by_id(struct batch *b, uint64_t id, bool locks);
struct conv *batch_conv_by_pair(struct batch *b, struct str one, struct str other);
/* Before the locks: asks for a group's member, which is then locked. Does nothing for a direct conversation. */
void batch_ask_member(struct batch *b, struct conv *c, struct str user);
/* NULL: is not in it. Once the conversation was read. */
struct member *conv_member(struct batch *b, struct conv *c, struct str user);
/* The other one of a direct conversation. */
static inline struct member *conv_peer(const struct member *m)
{
	return m->next != NULL ? m->next : m->conv->members;
}
/* Takes the two columns archived_seq and marked. */
void conv_take_own(struct member *m, struct row *row);
/* The member has sent what is now the last message: what nobody else has written to since it was archived stays so. */
void conv_keep_archived(struct batch *b, struct member *m);
/* A read clears the mark. False: there was none. */
bool conv_unmark(struct batch *b, struct member *m);
/* All up to that seq is cleared for the member. */
void conv_clear(struct batch *b, struct member *m, uint64_t up_to_seq);
/* The first message that the member sees. */
static inline uint64_t conv_first_seq(const struct member *m)
{
	return m->first_seq > m->conv->kept_seq ? m->first_seq : m->conv->kept_seq;
}
/* What is unread for the member is after this one: the last that was read, or is not seen. */
static inline uint64_t conv_unread_after(const struct member *m)
{
	return unread_after(m->read_seq, conv_first_seq(m));
}
/* A counter that says fewer than n, which a sound database never has, becomes 0. */
static inline uint64_t conv_less(uint64_t counter, uint64_t n)
{
	return counter > n ? counter - n : 0;
}

/* ---- for the round trips; each kind's are in its file ---- */

/* The pair's conversation has that id, which the batch may know already. */
void conv_give_id(struct batch *b, struct conv *c, uint64_t id);
/* What was remembered of it is wrong: forgets it, and has its operations put off. */
void conv_forget(struct batch *b, struct conv *c);
/* Before the locks: whose conversation it is, from what is remembered. False: that is not known. */
bool conv_recall_pair(struct batch *b, struct conv *c);
/* A direct conversation's two members, from its pair. */
void conv_set_pair(struct batch *b, struct conv *c, const struct pair_key *pair);
struct conv *conv_find(struct batch *b, uint64_t id);

void conv_direct_put_resolve(struct batch *b);
void conv_direct_row_pair(struct batch *b, struct row *row);
void conv_direct_put_locks(struct batch *b);
void conv_direct_put_make(struct batch *b, struct conv *const *wanted, size_t n);
void conv_direct_made(struct batch *b, struct conv *c, bool by_us, uint64_t id);
void conv_direct_row(struct batch *b, struct row *row);
void conv_direct_row_friend(struct batch *b, struct row *row);
/* A message to that member, which counted as unread, does not any more, though it was not read. */
void conv_direct_bury(struct member *to);
/* How many messages this batch adds to it, at the batch's time, where the head is not changed by anything else; else 0.
 */
uint64_t conv_new_messages(const struct batch *b, const struct conv *c);
/*
 * One statement for all dirty conversations that `takes` accepts and that are not written yet. `begin` begins it, up to
 * the list of their ids: the rows are as they were read, so MariaDB needs to be told nothing else. False: there is
 * none.
 */
bool conv_put_alike(struct batch *b, bool (*takes)(const struct batch *b, const struct conv *c, const void *what),
		    void (*begin)(struct batch *b, const void *what), const void *what);
/* Whether there is something to write. */
bool conv_direct_put_write(struct batch *b);

/* The member has read up to that seq, which is further than before. */
void conv_group_move(struct batch *b, struct member *m, uint64_t read_seq);
/* A member that the batch asked for, whether present or not; NULL: it did not. */
struct member *conv_group_asked(struct batch *b, const struct conv *c, struct str user);
void conv_group_put_locks(struct batch *b);
void conv_group_row_head(struct batch *b, struct row *row);
void conv_group_row_member(struct batch *b, struct row *row);
void conv_group_row_standing(struct batch *b, struct row *row);
bool conv_group_put_write(struct batch *b);

#endif
