/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of groups share. group.c has the groups of this worker and who in them is here, membership.c which
 * groups a user is in, load.c reads that, fanout.c gives events to large groups in slices, group_wire.c has what
 * workers tell one another of groups, views.c the event `conversation`.
 */
#ifndef TIDINGS_LIVE_GROUP_PRIV_H
#define TIDINGS_LIVE_GROUP_PRIV_H

#include "core/base.h"
#include "core/id.h"
#include "live/feed.h"
#include "live/group.h"
#include "live/live.h"
#include "live/push.h"
#include "net/ws_frame.h"

struct user;

/* A member with a session here. There is one for each group of each user: every byte counts. */
struct member {
	struct user *user;
	uint32_t first_seq : MESSAGE_SEQ_BITS; /* the first that the member may see */
	uint32_t waits : 1;		       /* the load of the user's groups, for the bus to confirm this one */
	uint32_t joins : 1;		       /* gets the event `conversation`, for having come in */
	uint32_t view : 1;		       /* gets it, for the profile was changed */
	uint32_t joined_seq; /* of the system message that tells of it: the version of the membership */
};

struct live_group {
	uint64_t id;
	struct live *live;
	struct bus_topic *topic;
	struct feed_list feeds; /* one, or none while nothing is said */
	struct member *members; /* in order of the user's address; &alone where there is room for one */
	struct member alone;
	struct fanout *fanout; /* NULL: nothing waits to be given */
	struct views *views;   /* NULL: nobody waits for `conversation` */
	struct live_group *next_empty;
	uint32_t count; /* of members */
	uint32_t cap : 31;
	uint32_t is_empty : 1;	   /* in groups.empty */
	uint32_t member_count;	   /* here or not, as far as is known; 0: not known */
	uint32_t member_count_seq; /* as of that message */
	uint32_t past_seq;	   /* messages up to it were published before that: */
	uint32_t confirmed_ms;	   /* since when the bus brings all, if it does: the lower half of clock_mono_ms() */
};

/* ---- group.c ---- */

void groups_init(struct live *live);
void groups_fini(struct live *live);
struct live_group *group_find(struct live *live, uint64_t id);
/* The new one subscribes to its topic. It goes at the end of the turn, if it has no members then. */
struct live_group *group_get(struct live *live, uint64_t id);
struct member *group_find_member(const struct live_group *g, const struct user *u);
/* The index of the first member whose user lies behind that address. */
uint32_t group_member_after(const struct live_group *g, uintptr_t user);
/* Neither changes what the user knows: membership.c does that. */
struct member *group_add(struct live_group *g, struct user *u, uint64_t joined_seq, uint64_t first_seq);
void group_remove(struct live_group *g, struct member *m);
void group_count_heard(struct live_group *g, uint64_t seq, uint64_t member_count);
/* `note`: a struct group_turn, which it takes, or NULL. */
void group_deliver(struct live_group *g, const struct push_place *place, struct ws_frame *frame,
		   const struct session *except, void *note);
/* A change of a message in a group, of which that user alone is told; it does not come before the message. */
void group_deliver_to(struct live *live, struct user *u, const struct push_place *place, struct ws_frame *frame,
		      const struct session *except);
/* All members are told to catch up. */
void group_resync(struct live_group *g);
/* Who is in it may have changed, and nobody here has heard of it: the same, and it is read again. */
void group_unsure(struct live_group *g);
/* The bus has confirmed the topic. */
void group_subscribed(struct live_group *g);
/* By the present link. */
bool group_is_confirmed(const struct live_group *g);

/* ---- fanout.c ---- */

/* To all members who may see that message; 0: to all. In the order of the calls. */
void fanout_give(struct live_group *g, struct ws_frame *frame, const char *except_id, uint64_t seq);
/* To that user alone, behind what waits for the members. */
void fanout_give_one(struct live_group *g, struct user *u, struct ws_frame *frame, const char *except_id);
void fanout_forget(struct live_group *g);
void fanout_on_slice(struct loop_task *t);

/* ---- group_wire.c ---- */

/* What goes with an event, and takes effect when that has its turn: what was done to the group by a system message. */
struct group_turn {
	uint64_t seq, member_count;
	enum group_out reason;
	bool dissolved;
	bool for_one; /* nothing was done: only the user in `out` is given the event */
	unsigned out_count;
	char out[]; /* ids of users, each with its NUL */
};
void group_turn_apply(struct live_group *g, const struct group_turn *turn, const char *except_id);
/* The event `left` to all members, for the group is dissolved. */
void group_tell_dissolved(struct live_group *g, const char *except_id);
/* And to this user. */
void group_tell_left(struct user *u, uint64_t id, enum group_out reason, const char *except_id);
/* Kinds on the topic of a group, and those about groups on the user's. */
void group_heard(struct live_group *g, enum bus_kind kind, struct str data);
void group_heard_for_user(struct live *live, struct str user, enum bus_kind kind, struct str data);

/* ---- membership.c, load.c ---- */

/* A user's groups, as far as is known. */
struct memberships {
	struct load *load; /* NULL: they are known */
	uint32_t count, cap;
	struct live_group *group[]; /* in order of id */
};

/* The user's first session has begun; it will subscribe to the user's topic. */
void memberships_begin(struct live *live, struct user *u);
/* Another one has: its hello waits as well where the user has come into a group that the bus has not confirmed yet. */
void memberships_await(struct live *live, struct user *u);
/* That is confirmed, or not waited for: now they can be read. */
void memberships_read(struct live *live, struct user *u);
bool memberships_allow_hello(const struct user *u);
/* The sessions say hello without them, and have to catch up when they are there. */
void memberships_no_hello(struct user *u);
/* The last session has closed: what is known is not read any more, and goes with memberships_forget(). */
void memberships_stop(struct live *live, struct user *u);
void memberships_forget(struct live *live, struct user *u);
/*
 * News of that group may have been lost, or of any group where the id is 0: the user's groups are read again, and the
 * user's sessions catch up where something has changed.
 */
void memberships_again(struct live *live, struct user *u, uint64_t id);
void memberships_again_all(struct live *live);
/* The user came in by that message, or went out by it; news of before the present membership change nothing. */
void membership_in(struct live *live, struct str user, uint64_t id, uint64_t seq, uint64_t first_seq,
		   uint64_t member_count);
void membership_out(struct live *live, struct str user, uint64_t id, uint64_t seq, enum group_out reason,
		    const char *except_id);
/* The bus has confirmed the topic of one of the groups. */
void membership_confirmed(struct user *u);
/*
 * What is known of the user and that group is true: no news of it can have been lost. Else the user may be no member
 * any more: tell them to catch up in place of giving a message, and read their groups next (memberships_hurry).
 */
bool memberships_are_sure(struct live *live, const struct user *u, uint64_t id);
void memberships_hurry(struct live *live, const struct user *u);
void memberships_init(struct live *live);
void memberships_fini(struct live *live);

/* ---- views.c ---- */

void views_init(struct live *live);
void views_fini(struct live *live);
/*
 * The member gets the event `conversation`: soon if `joins` is set, else when it has its turn. The reads are paced:
 * JOINS_PER_SECOND of those and VIEWS_PER_SECOND others in all, and a group's members are told of a changed profile
 * once a second at most.
 */
#define JOINS_PER_SECOND 1000
#define VIEWS_PER_SECOND 500
void views_want(struct live_group *g, struct member *m, bool joins);
void views_want_all(struct live_group *g);
/* The member goes. */
void views_forget_member(struct live_group *g, const struct member *m);
void views_forget(struct live_group *g);

#endif
