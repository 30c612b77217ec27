/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers remember profiles for a short time (store/profiles.h). This tells all of them, of all nodes, when one has
 * changed. Where the word may be lost, all is forgotten; so it is while Redis goes and comes back.
 */
#ifndef TIDINGS_LIVE_PROFILE_H
#define TIDINGS_LIVE_PROFILE_H

#include "core/base.h"
#include "live/live.h"

/* This worker's store has changed it. */
void profile_changed(struct live *live, struct str user);
/* Another worker says so; `data` as it came. */
void profile_heard(struct live *live, struct str data);

#endif
