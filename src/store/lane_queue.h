/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operations that wait for the write lane, in order of arrival, and which of them the next batch takes. Operations
 * of one conversation keep their order; else those that cannot be carried out yet are stepped over, so that they hold
 * up nobody:
 *
 * - Of a conversation that somebody else has locked one operation a batch tries its luck, and for a moment none.
 * - Of a kind that a batch can do once for a conversation only one is taken. Of one that it can do once for a user in a
 *   conversation likewise, but what comes after the second one in that conversation is not stepped over.
 * - What may still come late is not looked for in vain (guess.h).
 * - Of those that were put off before, at most half a batch is taken, so that others have room.
 *
 * Conversations are told apart by a hash under a secret key: two may be taken for one, which costs waiting alone.
 */
#ifndef TIDINGS_STORE_LANE_QUEUE_H
#define TIDINGS_STORE_LANE_QUEUE_H

#include "core/base.h"
#include "store/lane_priv.h"

#define LANE_BUCKETS 4096
struct bucket_set {
	uint64_t word[LANE_BUCKETS / 64];
};

/* What a batch has taken so far, and what it steps over from now on. Zero it and set `next` to the first. */
struct picking {
	struct op *next;
	unsigned put_off;
	struct bucket_set taken, once, once_user, passed;
};

struct lane_queue {
	struct op_queue ops;
	size_t count, bytes;
	uint64_t secret[2];
	struct bucket_set locked; /* by somebody else, when it was last tried */
	int64_t rest_until_ms;	  /* none of them is tried before; clock_mono_ms() */
};

void lane_queue_init(struct lane_queue *q);
/* A new one, behind all others. The key names its conversation: always the same one for what has to keep its order. */
void lane_queue_add(struct lane_queue *q, struct op *op, struct str key);
/* One that was in it before: goes on behind all others, or was taken and is given back, the last one first. */
void lane_queue_add_again(struct lane_queue *q, struct op *op);
void lane_queue_give_back(struct lane_queue *q, struct op *op);
void lane_queue_remove(struct lane_queue *q, struct op *op);

void picking_begin(struct picking *p, const struct lane_queue *q);
/* The next one to be taken, which stays in the queue; NULL: there is none, now. */
struct op *picking_next(struct picking *p, const struct lane_queue *q);
/* The batch takes it; removes it from the queue. */
void picking_take(struct picking *p, struct lane_queue *q, struct op *op);
/* What a batch has learned of a conversation that it has tried. */
void lane_queue_note_lock(struct lane_queue *q, const struct op *op, bool locked);

#endif
