/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does what is left of users who are erased (store/erasure.h): a chore (chore.h). Friendships end, groups are left,
 * reactions are taken back and messages recalled as if the user did it, so that others are told of it; rows that concern
 * nobody else are deleted.
 */
#ifndef TIDINGS_CMD_ERASURE_H
#define TIDINGS_CMD_ERASURE_H

#include "core/base.h"
#include "live/live.h"

struct erasing_chore;

/* Store and bus are there. */
struct erasing_chore *erasure_start(struct live *live);
/* Begins no further step. */
void erasure_stop(struct erasing_chore *e);
/* After erasure_stop(), and after the store has gone, which answers the step under way. */
void erasure_free(struct erasing_chore **e);

#endif
