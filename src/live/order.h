/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of one conversation may be committed by several workers, and arrive here on different paths: from this
 * worker at once, from the others through Redis. Sessions are given them in the order of seq all the same: one that is
 * ahead of its predecessor waits for it, for ORDER_PATIENCE_MS at most, for it may have been lost. Then it is given,
 * and the user's sessions are told to catch up (resync.h). A message that arrives after a later one was given is
 * dropped, and the sessions are told likewise: whatever was committed before the later one, they find in the database.
 *
 * What is known of a conversation is forgotten after ORDER_MEMORY_MS of silence. Its next message is taken as it
 * comes then, unless the one before it is so young that it may be on its way here still.
 */
#ifndef TIDINGS_LIVE_ORDER_H
#define TIDINGS_LIVE_ORDER_H

#include "core/base.h"
#include "live/session.h"

#define ORDER_PATIENCE_MS 1000
#define ORDER_MEMORY_MS 60000

struct push_place;
/*
 * A message, or a change of one, which does not come before it; to the user's sessions here but the one named `except`
 * (NULL: all), now or when its turn has come.
 */
void order_deliver(struct live *live, struct user *u, const struct push_place *place, struct ws_frame *frame,
		   const struct session *except);
/* Redis is away, or was: what is missing will not come, and is not waited for. */
void order_release_all(struct live *live);
/* The user's last session is gone. */
void order_forget(struct user *u);

#endif
