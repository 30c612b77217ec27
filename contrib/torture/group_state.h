/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is in a group, as its system messages tell, one after the other. Knows no recorder. */
#ifndef TIDINGS_TORTURE_GROUP_STATE_H
#define TIDINGS_TORTURE_GROUP_STATE_H

#include "core/base.h"
#include "record.h"

enum rank { RANK_NONE, RANK_MEMBER, RANK_ADMIN, RANK_OWNER };

struct group_state {
	unsigned users, members;
	uint8_t *rank;		/* by user: enum rank */
	uint32_t *joined_seq;	/* by user, of the last time they came in */
	uint32_t dissolved_seq; /* 0: it is not */
};

void group_state_init(struct group_state *s, unsigned users);
void group_state_fini(struct group_state *s);
/*
 * What comes next: the message `seq` of `from` to the group, a system message or (EVENT_NONE) another. Returns NULL, or
 * what does not fit: who was there twice, who may not do it.
 */
const char *group_state_apply(struct group_state *s, uint32_t seq, unsigned from, const struct event *e);
const char *group_event_name(enum group_event e);
enum group_event group_event_of(struct str name); /* EVENT_NONE: none that is known */

#endif
