/* SPDX-License-Identifier: BSD-2-Clause */
/* What membership.c, which has what is known, and load.c, which reads it, share. */
#ifndef TIDINGS_LIVE_MEMBERSHIP_PRIV_H
#define TIDINGS_LIVE_MEMBERSHIP_PRIV_H

#include "core/base.h"
#include "live/group_priv.h"

enum load_state { LOAD_TOPIC, LOAD_WANTED, LOAD_AGAIN, LOAD_READING, LOAD_ANSWERED, LOAD_CONFIRMING };

struct news {
	uint64_t id;
	uint64_t first_seq; /* 0: the user went out */
	uint32_t seq;
	uint32_t member_count;
};

struct row {
	uint64_t id;
	uint32_t joined_seq, first_seq, last_seq, member_count;
};

struct load {
	TAILQ_ENTRY(load) entry; /* in one of the lists of groups, by its state */
	struct user *user;	 /* NULL: gone while it was read */
	enum load_state state;
	bool hello_waits; /* sessions do for their hello */
	bool changed;	  /* the answer is not what was known */
	bool repeat;	  /* news may have been lost since it was read */
	uint64_t doubt;	  /* news only of that group may have been; 0: of any */
	uint32_t waiting; /* topics to be confirmed */
	uint32_t news_count, row_count;
	struct news *news; /* in the order they came */
	struct row *row;   /* in order of id */
};

/* ---- membership.c ---- */

/* Makes room for `cap` groups. */
struct memberships *memberships_grow(struct user *u, uint32_t cap);
/* Nothing is kept of a user who is known to be in no group. */
void memberships_trim(struct user *u);
/* The user is in the group since that message; false: that is known, or something later is. */
bool membership_enter(struct live *live, struct user *u, const struct row *r);
void membership_leave(struct user *u, struct live_group *g);

/* ---- load.c ---- */

/* All that it waited for has come; it is freed. */
void load_done(struct live *live, struct load *l);
/* For a read that is under way. */
void load_remember(struct user *u, const struct news *n);

#endif
