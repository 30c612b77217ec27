/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of one conversation may be committed by several workers, and come here by
 * ways of different length: from this worker at once, from the others through Redis. Sessions
 * are given them in the order of seq all the same: one that is ahead of its predecessor waits
 * for it, for ORDER_PATIENCE_MS at most, for it may have been lost.
 *
 * What is known of a conversation is forgotten after ORDER_MEMORY_MS of silence. Its next message is taken as it
 * comes then, unless the one before it is so young that it may be on its way here still.
 */
#ifndef TIDINGS_IM_ORDER_H
#define TIDINGS_IM_ORDER_H

#include "core/base.h"
#include "im/session.h"

#define ORDER_PATIENCE_MS 1000
#define ORDER_MEMORY_MS 60000

struct push_place;
/*
 * A message, or a change of one, which does not come before it; to the user's sessions here but the one named `except`
 * (NULL: all), now or when its turn has come.
 */
void order_deliver(struct im *im, struct user *u, const struct push_place *place, struct ws_frame *frame,
		   const struct session *except);
/* Redis was away: what is missing will not come. */
void order_release_all(struct im *im);
/* The user's last session is gone. */
void order_forget(struct user *u);

#endif
