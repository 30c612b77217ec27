/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands about groups share. */
#ifndef TIDINGS_CMD_GROUP_H
#define TIDINGS_CMD_GROUP_H

#include "core/base.h"
#include "api/command.h"
#include "live/session.h"

/*
 * A message costs as many tokens of the node's groups.fanout_per_second as the group has members online here. False
 * where there are too few, with retry_ms: group_fanout_problem says so. The request holds the tokens, and gives
 * them back at its end, unless they were used for a push (r->fanout 0).
 */
bool group_fanout_take(struct request *r, uint64_t conversation_id);
extern const struct problem group_fanout_problem;
/* For an event to all members for which none were taken. */
void group_fanout_owe(struct request *r, uint64_t conversation_id);

/* request_fail_write() for what is done to a group: where nobody knows whether it was, its members catch up. */
void group_fail_write(struct request *r, enum store_status s, uint64_t conversation_id);

/*
 * Tells the sessions of what was done, STORE_OK; `leaves`: who went out did so themselves. Uses
 * live->scratch.
 */
void group_tell_change(struct live *live, enum group_step step, bool leaves, const struct store_group_done *d,
		       const struct session *except);

/* NULL: the user may ask for that change now. Of what may be told to a group, and how often users change them. */
const struct problem *group_within_budget(struct request *r, const struct store_group_op *op) MUST_CHECK;

/* Is the {id} of the path one of a group, as far as the number tells? If not, 404. */
const struct problem *group_path_check(const struct request *r);
/* Begins the operation that the row of the table names: by this user, on the group and the user of the path. */
void group_op_begin(struct request *r, struct store_group_op *op);

/* Ends the request with the conversation as this user sees it. */
void group_end_conversation(struct request *r, uint64_t conversation_id);

#endif
