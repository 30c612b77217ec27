/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of a merged message (forward.h) in the transaction that sends or recalls it.
 *
 * The database copies them from the messages themselves, so that no text goes over the wire twice. These are locked
 * from the reads of the transaction to its end (shared, so that any number of transactions can copy them): a message
 * that is not recalled then is copied whole. Who recalls or edits one meanwhile waits for that. Its lock comes after
 * those of heads and members, and before those of what is written; two transactions that each recall a message that the
 * other one copies deadlock, and one of them is run again.
 */
#ifndef TIDINGS_STORE_PARTS_H
#define TIDINGS_STORE_PARTS_H

#include "core/base.h"
#include "store/store.h"

struct batch;

/* What of it can be written: ids and commas, and as few as there may be. Absent parts are valid. */
bool parts_valid(const struct store_parts *p);
/* How many `of` names. */
uint64_t parts_count(const struct store_parts *p);
/* Before the locks: *answer becomes how many of these are not recalled. */
void parts_ask(struct batch *b, const struct store_parts *p, uint64_t *answer);
/* All are there, by that answer, and none was recalled by this batch before. */
bool parts_are_there(struct batch *b, const struct store_parts *p, uint64_t answer);
/* They become parts of the message. */
void parts_write(struct batch *b, const struct store_parts *p, uint64_t message_id);
/* The message has none any more. */
void parts_erase(struct batch *b, uint64_t message_id);

#endif
