/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of the write lane share: lane.c has its queue, lane_run.c carries out its batches. */
#ifndef TIDINGS_STORE_LANE_STATE_H
#define TIDINGS_STORE_LANE_STATE_H

#include "core/base.h"
#include "store/lane_priv.h"
#include "store/lane_queue.h"

struct event;

/* An operation is given up when it has waited for this long. */
#define OP_DEADLINE_MS 3000

enum lane_state {
	LANE_IDLE,
	LANE_RESOLVING, /* which conversations pairs have */
	LANE_LOCKING,	/* the first round trip */
	LANE_MAKING,	/* conversations that are missing */
	LANE_WRITING,	/* the second */
	LANE_GUESSING,	/* the only one */
	LANE_UNDOING,
	LANE_NOTING, /* what others were told of; there is no batch */
};

struct lane {
	struct link *link;
	struct link_query query;
	struct event *kick;  /* at the end of the turn */
	struct event *tick;  /* while something waits */
	struct event *pause; /* pending: what somebody else has locked is not tried again */
	struct event *pace;  /* pending: the next batch waits for company */
	int64_t skip_locked_until_ms;
	int64_t raised_ms; /* the table `activity`, by this lane; clock_mono_ms */
	const struct store_observer *obs;
	void *obs_ctx;
	bool was_up;

	enum lane_state state;
	struct pairs *pairs;
	struct outbox outbox;
	uint64_t answering_row;
	struct batch batch;
	struct buf note; /* LANE_NOTING */
	char *why_undo;
	/* After a guess was wrong, some batches are not guessed: twice as many as the last time; each that was right
	 * lessens them by one. */
	unsigned guess_rest, guess_penalty;

	struct lane_queue queue;
	struct op_queue refused; /* to be answered as their status says */
	size_t refused_count, settling;
	int64_t expired_ms; /* when deadlines were looked at; clock_mono_ms */
	/* The last batch, for the next one's company. */
	int64_t last_usecs;
	unsigned last_ops;
};

/* ---- lane.c ---- */

void lane_answer(struct lane *l, struct op *op);
/* Looks at what is to be done, at the end of the turn. */
void lane_kick(struct lane *l);
/* Its time is up. */
void lane_expire_now(struct lane *l, struct op *op);
/* Others have to be told of it, if it was done. */
bool op_may_have_committed(const struct op *op);
/* The last word where the database gives none. */
enum store_status op_status_without_answer(const struct op *op);

/* ---- lane_run.c ---- */

/* All of l->query's. */
extern const struct link_query lane_query;
/* The lane is idle, and so is its link. */
void lane_begin_batch(struct lane *l);
/* The same: notes what others were told of, where no batch does. */
void lane_note_told(struct lane *l);
/* The batch may have committed. */
void lane_mark_uncertain(struct lane *l);

#endif
