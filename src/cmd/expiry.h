/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recalls messages whose time has come, and tells of it. Each worker looks once a second; the one that has the lease
 * (store/due.h) does what is due, EXPIRY_STEP messages at a time. Between two steps it rests, the longer the slower the
 * database has become: what others need of it comes first, and a backlog is soon done where nobody needs it.
 *
 * A worker that dies between a commit and the event leaves it to the relay, as with all events.
 */
#ifndef TIDINGS_CMD_EXPIRY_H
#define TIDINGS_CMD_EXPIRY_H

#include "core/base.h"
#include "live/live.h"

#define EXPIRY_STEP 256

struct expiry;

/* Store and bus are there. */
struct expiry *expiry_start(struct live *live);
/* Begins no further step. */
void expiry_stop(struct expiry *e);
/* After expiry_stop(), and after the store has gone, which answers the step under way. */
void expiry_free(struct expiry **e);

#endif
