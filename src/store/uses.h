/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of media_uses in the transaction that sends a message: which files it shows. A file's row is
 * locked in shared mode until a new use has committed, after all conversations, members and messages that the
 * transaction locks, so that a file is not deleted at the same time (relay/sweep.c). The parts of a merged
 * message need no such lock: the messages that they are copied from are locked, and show the same files until they are
 * recalled. The rows of one that is recalled stay for a moment, until the outbox tells the relay (relay/sweep_feed.c):
 * who asks for them looks whether it was.
 */
#ifndef TIDINGS_STORE_USES_H
#define TIDINGS_STORE_USES_H

#include "core/base.h"
#include "store/lane_priv.h"

/* media_url names a file of ours. */
bool uses_file(struct str media_url);
/* *there_r: 1 if it is there; set to 0 before. */
void uses_ask(struct batch *b, struct str media_url, uint64_t *there_r);
void uses_write(struct batch *b, struct str media_url, uint64_t message_id);
/* Those of these messages, a list of ids, also for that one. */
void uses_copy(struct batch *b, struct str of, uint64_t message_id);

#endif
