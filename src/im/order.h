/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of one conversation may be committed by several workers, and come here by
 * ways of different length: from this worker at once, from the others through Redis. Sessions
 * are given them in the order of seq all the same: one that is ahead of its predecessor waits
 * for it, for ORDER_PATIENCE_MS at most, for it may have been lost.
 *
 * What is known of a conversation is forgotten after ORDER_MEMORY_MS of silence; its next message is taken as it
 * comes then. So the order of pushes is kept, as far as one can tell here; the order that counts is seq.
 */
#ifndef TIDINGS_IM_ORDER_H
#define TIDINGS_IM_ORDER_H

#include "core/base.h"
#include "im/session.h"

#define ORDER_PATIENCE_MS 300
#define ORDER_MEMORY_MS 60000

enum order_what {
	ORDER_MESSAGE, /* the message of that id itself */
	ORDER_CHANGE,  /* something done to it: not before it */
};

/* To the user's sessions here but the one named `except` (NULL: all), now or when its turn has come. */
void order_deliver(struct im *im, struct user *u, uint64_t message_id, enum order_what what, struct ws_frame *frame,
		   const struct session *except);
/* Redis went away: what is missing will not come. */
void order_release_all(struct im *im);
/* The user's last session is gone. */
void order_forget(struct user *u);

#endif
