/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One change to a group (store_change_group). group_ask.c reads what is under locks, group_change.c answers;
 * group_step.c decides what becomes of members, group_create.c, group_profile.c and group_join.c the rest; group_put.c
 * writes what several of them need.
 *
 * Rows are locked in this order: the head, group_counts in order of user, members in order of their key, and `activity`
 * last. Everything else of a group (profile, bans, requests, codes) is changed under the head's lock alone.
 */
#ifndef TIDINGS_STORE_GROUP_PRIV_H
#define TIDINGS_STORE_GROUP_PRIV_H

#include "core/base.h"
#include "core/buf.h"
#include "store/group.h"
#include "store/txn.h"

/* A space, which no client's id contains, and 128 random bits. */
#define GROUP_MADE_ID_LEN 23
#define GROUP_ASKS_MAX 20

/* A user who is concerned, and what is known of them, read under the head's lock. */
struct group_person {
	struct str id;
	bool named;		/* may come in: is counted, and screened */
	enum group_role wanted; /* GROUP_IMPORT: the role of one who comes in */
	enum group_role role;	/* GROUP_NO_ROLE: no member */
	int64_t joined_ms, muted_until_ms;
	bool has_left; /* has a row in group_leavers; muted_until_ms and last_sent_ms are from it */
	int64_t last_sent_ms;
	bool known; /* has a row in `users` */
	bool banned;
	bool erased;	  /* GROUP_IMPORT */
	bool asked;	  /* has a request pending */
	bool forth, back; /* the rows of the friendship: the actor's, theirs */
	bool blocks;	  /* they have blocked the actor */
	bool counted;	  /* has a row in group_counts */
	uint64_t groups;  /* how many count for the limit */
	bool comes;	  /* is let in by this step, as: */
	enum group_role as;
};

/* The group's row in group_heads. Changed in memory, and written back at the end. */
struct group_head {
	bool found, dirty;
	uint64_t last_seq, uncounted_seq, member_count, expiry_secs;
	struct group_settings settings;
	int64_t last_ms, sort_ms, active_ms; /* last_ms 0: no message */
	int64_t dissolved_ms;		     /* 0: it is not */
};

struct change_group {
	struct txn txn;
	store_group_fn *fn;
	void *arg;
	struct store_group_op op;
	bool accounts; /* users need a row in `users` */
	uint64_t max_members, max_per_user;
	char client_msg_id[GROUP_MADE_ID_LEN + 1]; /* of the system message; the same in every try */
	char made_code[GROUP_CODE_LEN + 1];	   /* GROUP_INVITE */
	struct group_person *person;		   /* in order of id, each once */
	size_t person_count;
	struct group_person *actor, *peer; /* peer: NULL where there is none */
	struct group_person **named;	   /* in the order given */
	size_t named_count;
	unsigned char ask[GROUP_ASKS_MAX]; /* what the statements asked for, an enum of group_ask.c */
	unsigned ask_count;

	uint64_t id;	  /* 0: not known yet, and then in the variable @g of the connection */
	uint64_t made_id; /* GROUP_CREATE: of the group that the last try made, committed or not */

	/* What is, read under locks. */
	bool mine; /* the system message of an earlier try is there */
	struct group_head head;
	struct str owner, name, avatar_url, about;
	uint64_t existing_id; /* GROUP_CREATE: of the group with this client_group_id */
	bool code_found;
	struct group_invite invite;
	unsigned codes, dead_codes; /* GROUP_INVITE: that can be used, that cannot */
	uint64_t entry_count;	    /* pending requests, or bans; as many as may be, at most */
	struct profile peer_profile;
	int64_t db_ms;	     /* the database's clock */
	int64_t now_ms;	     /* the same, moved as this node's clocks are */
	int64_t activity_ms; /* the table `activity` */

	/* What becomes of it. `was` is that of the last try that wrote something. */
	struct store_group_done now, was;
	struct message message;
	struct str *in, out;
	struct group_left_out *left_out;
	struct group_member member;
};

/* Each decides a step: returns its status, and writes what it changes but the message and the head. */
typedef enum store_status group_decide_fn(struct change_group *c, struct buf *text);
group_decide_fn group_decide_create, group_decide_change, group_decide_dissolve, group_decide_add, group_decide_remove,
	group_decide_set_member, group_decide_pass_on, group_decide_unban, group_decide_invite, group_decide_revoke,
	group_decide_join, group_decide_accept, group_decide_decline, group_decide_import;

/* A txn_class's ask and row. */
void group_ask(struct txn *t, struct buf *text);
void group_row(struct txn *t, unsigned stmt, struct row *row);
/* Forgets what an earlier try has read, and what it decided. */
void group_reset(struct change_group *c);
/* NULL: nobody who is concerned. */
struct group_person *group_person_of(struct change_group *c, struct str id);

/* ---- what several steps need ---- */

/* May the actor do what takes this role, STORE_NOT_FOUND, STORE_ROLE; and is the group one that can be changed. */
enum store_status group_may(const struct change_group *c, enum group_role least);
enum store_status group_is_alive(const struct change_group *c);
/* group_may() of what settings.add allows. */
enum store_status group_may_add(const struct change_group *c);

/* Begins a statement after those before it. */
void group_put_next(struct buf *text);
/* A new group's head and profile, whose id is in @g from then on. */
void group_put_new(const struct change_group *c, struct buf *text, struct str created_by);
/* Its picture is the op's from now on; after a statement. */
void group_put_avatar(const struct change_group *c, struct buf *text, struct str was);
/* The group's id. */
void group_put_id(struct buf *text, const struct change_group *c);
/* " WHERE user_id='…' AND conversation_id=…" */
void group_put_where(struct buf *text, const struct change_group *c, struct str user);
/* The system message that tells of this; takes the next seq. */
void group_say(struct change_group *c, const char *event, const struct str *ids, size_t count);
/* Lets a person in by this step: remembers it. */
void group_let_in(struct change_group *c, struct group_person *p, enum group_role as);
/* Writes all who come in, after group_say(): counts, members, and that they have no request any more. */
void group_put_in(struct change_group *c, struct buf *text);
/* One goes out. */
void group_put_out(struct change_group *c, struct buf *text, struct group_person *p);
/* Drops what waits for a group that is dissolved: requests and codes. */
void group_put_close(struct change_group *c, struct buf *text);
/* The message, the head, and the clock of all activity; the last of a text. */
void group_put_end(struct change_group *c, struct buf *text);
/* Can be one that was made; and is used up, or over. */
bool group_code_is_valid(struct str code);
bool group_code_is_dead(const struct group_invite *i, int64_t now_ms);
/* What is set of them. Returns whether anything differs. */
bool group_apply_settings(struct group_settings *now, const struct store_group_op *op);
/* Peer as a member, for the answer. */
void group_show_peer(struct change_group *c);

#endif
