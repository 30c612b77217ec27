/* SPDX-License-Identifier: BSD-2-Clause */
/* Recalls messages whose time has come, and tells of it: a chore (chore.h) of EXPIRY_STEP messages a step. */
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
