/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is told that two users are something else to each other than before. */
#ifndef TIDINGS_CMD_FRIEND_H
#define TIDINGS_CMD_FRIEND_H

#include "core/base.h"
#include "live/live.h"
#include "store/people.h"

/* Tells the other side what c->user has done, STORE_OK and changed. */
void friend_tell(struct live *live, enum friend_step step, const struct store_friend_change *c);

#endif
