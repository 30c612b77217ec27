/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was asked to be done to groups and what was answered, held at the end against the system messages: a change
 * that was answered is there exactly once, one of unknown outcome at most once, and nothing is there that nobody asked
 * for. An answer that says how it was (it is so already; you are no member) has to fit some moment between the request
 * and the answer.
 */
#ifndef TIDINGS_TORTURE_RECORD_CHANGES_H
#define TIDINGS_TORTURE_RECORD_CHANGES_H

#include "core/base.h"
#include "record.h"

enum change_outcome {
	CHANGE_UNKNOWN,	 /* at most one message tells of it; also before it is answered */
	CHANGE_DONE,	 /* exactly one */
	CHANGE_AS_ASKED, /* it is as asked, by this or before: at most one */
	CHANGE_REFUSED	 /* none */
};

/* One request, not repeated; event: what the message would be, where it adds users: of any of these. Its number. */
unsigned record_change(struct record *r, unsigned party, unsigned actor, const struct event *event);
/* event: what the answer says was done; NULL: as asked. */
void record_change_answered(struct record *r, unsigned change, enum change_outcome outcome, const struct event *event,
			    struct instant now);

/* Any of these was so at some moment: the user had one of these ranks, or the group was dissolved. */
#define CLAIM(rank) (1U << (rank))
#define CLAIM_OUT CLAIM(RANK_NONE)
#define CLAIM_IN (CLAIM(RANK_MEMBER) | CLAIM(RANK_ADMIN) | CLAIM(RANK_OWNER))
#define CLAIM_NO_OWNER (CLAIM_OUT | CLAIM(RANK_MEMBER) | CLAIM(RANK_ADMIN))
#define CLAIM_DISSOLVED 0x80U
/* why: what the answer was, of up to 63 characters. since_seq: the last one known before the request. */
void record_claim(struct record *r, unsigned party, unsigned user, unsigned claims, uint32_t since_seq,
		  struct instant now, const char *why);

#endif
