/* SPDX-License-Identifier: BSD-2-Clause */
/* What record.c, record_check.c, record_groups.c and record_changes.c share. */
#ifndef TIDINGS_TORTURE_RECORD_GROUPS_PRIV_H
#define TIDINGS_TORTURE_RECORD_GROUPS_PRIV_H

#include "core/base.h"
#include "record_groups.h"
#include "record_priv.h"

/* A user was in the group from one message to another, both the user's to see. */
struct span {
	uint32_t from, to; /* to UINT32_MAX: they are in it */
	struct span *before;
};

struct group {
	struct talk talk;
	unsigned owner; /* who makes it */
	bool from_joining;
	uint32_t replayed; /* all up to this seq are known */
	struct group_state state;
	struct span **span; /* by user, the last one */
	bool *leave_asked;  /* by user */
	uint32_t reaches;   /* the last seq that is known to be stored */
	int64_t gap_ms;	    /* fair: since then a message is missing; -1: none is */
	bool gap_told;
};

/* A device was given a message of a group that its user is not known to have a right to. */
struct suspect {
	unsigned device, message;
	int64_t since_ms; /* fair */
};

void record_groups_free(struct record *r);
bool record_read_group_sight(struct record *r, const struct json *message, struct sight *out_r);
/* record_identify() of a system message. */
unsigned record_identify_event(struct record *r, const struct sight *s, const char *where, struct instant now);
/* Is the user, as far as is known, to be given it: was in the group before it, and still is? */
bool record_group_concerns(const struct record *r, unsigned user, const struct message *m);
bool record_group_has_replayed(const struct record *r, const struct message *m);
/* One more message of it has its place. */
void record_group_grown(struct record *r, unsigned group, struct instant now);
/* The device has it now, by whatever way. */
void record_group_given(struct record *r, unsigned device, unsigned message, struct instant now);
/* Gaps and suspects that are overdue. */
void record_groups_check(struct record *r, int64_t limit_ms, int64_t now_ms);
/* How many groups miss a message since before this fair time. */
unsigned record_group_gaps(const struct record *r, int64_t before_ms);
bool record_may_see(const struct record *r, unsigned party, unsigned user, uint32_t seq);

#endif
