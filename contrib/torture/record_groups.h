/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the recorder knows of groups. It learns who is a member from the system messages, in the order of seq, as soon
 * as it has seen all before: from then on the devices of the members are waited for, those of who is taken out are
 * not, and what a device is given that its user had no right to see is told.
 */
#ifndef TIDINGS_TORTURE_RECORD_GROUPS_H
#define TIDINGS_TORTURE_RECORD_GROUPS_H

#include "core/base.h"
#include "group_state.h"
#include "record.h"

/* Before any device is added. owner: makes it; no other group is made by that user. from_joining: who comes in sees
 * nothing from before. Returns the group's party. */
unsigned record_add_group(struct record *r, unsigned owner, bool from_joining);
unsigned record_groups(const struct record *r);
/* The party with this conversation; UINT_MAX: not known. */
unsigned record_group_of(const struct record *r, uint64_t conversation_id);
/* It was made, and this is its id. */
void record_group_made(struct record *r, unsigned party, uint64_t conversation_id);

/* As far as all messages are known. */
const struct group_state *record_group_state(const struct record *r, unsigned party);
enum rank record_rank(const struct record *r, unsigned party, unsigned user);
/* From which message on the user sees the group, 0: they are not in it. */
uint32_t record_first_seq(const struct record *r, unsigned party, unsigned user);
/* The server says that there are messages up to this seq: somebody has to be given each of them. */
void record_group_reaches(struct record *r, unsigned party, uint32_t seq, struct instant now);
/* An answer for good, and no: the message is not stored. */
void record_refused(struct record *r, unsigned message);
/* The user has asked to leave: of a dissolved group no message tells of that. */
void record_leave_asked(struct record *r, unsigned party, unsigned user);
bool record_may_have_left(const struct record *r, unsigned party, unsigned user);

/* At the end: tells of messages that nobody has seen, and of what devices were given without a right to it. */
void record_groups_end(struct record *r);

#endif
