/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks Redis who of the watched is online. One question is under way at a time; what is wanted meanwhile goes with the
 * next one, BUS_COUNT_CHUNK users in each. A question that could not be asked is asked again, when Redis is back or
 * LOOK_RETRY_MS later, so a friend of a dead node does not stay online.
 */
#ifndef TIDINGS_LIVE_LOOK_H
#define TIDINGS_LIVE_LOOK_H

#include "core/base.h"
#include "live/live.h"

#define LOOK_RETRY_MS 500

void looks_init(struct live *live);
void looks_fini(struct live *live);
/* watched_looked() follows, from the loop, with what Redis knows then. Asked again before that, it follows once. */
void look_at(struct watched *w);
/* Before the watched user is freed. */
void look_forget(struct watched *w);
/* Redis is back. */
void look_resume(struct live *live);

#endif
