/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Batches that take one round trip: sends to pairs whose conversations this lane wrote last, and nothing else. They are
 * planned against what is remembered of the heads (pairs.h) and of the database's clock, and one packet writes,
 * checks and commits.
 *
 * Nothing that is remembered is trusted. The packet ends before its COMMIT with an error
 *
 * - where a head is not as remembered, or is another pair's: the statement that writes it fails, and holds its lock;
 * - where a message's seq or client_msg_id is used: a unique key refuses it;
 * - where two are not friends, the recipient has blocked the sender, or the time is wrong: a statement after
 *   those locks compares.
 *
 * The transaction is undone then, and its operations are run again in two round trips, which decide what becomes of
 * them. So the conditions of a guess are those of op_send.c and conv_direct.c for a message that is new and may be
 * sent. A change of the rules in one of them needs the same change in the others.
 *
 * A packet whose connection is lost may reach the database late, and lock nothing until then. It fails where its
 * operations were done anew meanwhile, for the head is another one, and also once GUESS_LATE_MS have passed. Before
 * that none of them is answered as not done (op->late_until_usecs).
 *
 * Rows are locked in the same order as always: conversations by id, messages, the outbox, `activity`. Counters of the
 * members move by what is added, for reads and deletions may have changed them since.
 */
#ifndef TIDINGS_STORE_GUESS_H
#define TIDINGS_STORE_GUESS_H

#include "core/base.h"

struct batch;

/* A guess comes too late this long after its time, by the database's clock; */
#define GUESS_BEHIND_MS 2000
/* and surely after that, by ours, where the two do not run alike. */
#define GUESS_LATE_MS (GUESS_BEHIND_MS + 500)

/* The batch has its operations. True: it can be guessed. Its time is set, and batch_plan() comes next. Else nothing is
 * changed. */
bool batch_guess(struct batch *b);
/*
 * Parts of batch_build_guess(): what locks and writes the heads, and says what ROW_COUNT() has to be then; what checks
 * that and the rest, under their locks; and, behind the messages, what checks that none was sent before and is deleted
 * since: of one that is being deleted, the message that is inserted waits for the end of that.
 */
unsigned guess_put_heads(struct batch *b);
void guess_put_checks(struct batch *b, unsigned rows);
void guess_put_spent(struct batch *b);
/* What the batch has guessed is wrong, or nobody knows: its heads are read before they are guessed again. */
void guess_forget(struct batch *b);

#endif
