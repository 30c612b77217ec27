/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a send the repeat of a message? For the lane, and for the read that only looks (query_small.c). */
#ifndef TIDINGS_STORE_OP_SEND_H
#define TIDINGS_STORE_OP_SEND_H

#include "core/base.h"
#include "store/store.h"

/* The members of a group; the caller embeds it in what it knows of them. */
struct send_members {
	/* Whether the user is a member, and was one before the message with that seq. */
	bool (*was_member)(const struct send_members *members, struct str user, uint64_t seq);
};

/*
 * The same recipient or group, and the same fields. Of a recalled or edited message only the former is compared. The
 * mentions are the same if those that are not stored were no members then: who came in since does not make a repeat
 * another message.
 */
bool send_same_fields(const struct store_send *p, const struct message *m, const struct send_members *members);

#endif
