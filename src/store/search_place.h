/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far a search has come in one conversation. It goes from the newest message to the oldest: first what no filter
 * covers, then the blocks whose filter says yes, by parts. Pure memory: search.c asks for what is to be looked at.
 */
#ifndef TIDINGS_STORE_SEARCH_PLACE_H
#define TIDINGS_STORE_SEARCH_PLACE_H

#include "core/base.h"
#include "store/search_backend.h"

struct search_hit {
	uint64_t conversation_id, block;
	int64_t last_ms; /* of its messages none is later */
};

struct search_place {
	uint64_t id;
	struct str peer;    /* absent in a group */
	uint64_t first_seq; /* the user sees nothing before it */
	uint64_t covered;   /* filters cover what is up to it */
	uint64_t high;	    /* what is after it has been looked at, or has been asked for */
	int64_t bound_ms;   /* what has not been looked at is not later */
	/* Blocks from it on were looked for; of them, the ones that may have it, in order, and the time before which
	 * the others are. */
	uint64_t looked_for;
	struct search_hit *hit;
	size_t hits;
	int64_t looked_for_ms;

	/* This step: */
	bool asks, finds;	   /* for messages; for blocks, that is */
	struct search_range range; /* for these */
	int64_t seen_ms, mark_ms;  /* the oldest message, and the beginning of the oldest block, that were told */
};

enum place_need {
	PLACE_DONE,
	PLACE_MESSAGES, /* those from low to high are to be looked at; both included */
	PLACE_BLOCKS,	/* it has to be asked which blocks before `high` may have it */
};

/* What comes next. Passes over blocks that do not have it. */
enum place_need place_next(struct search_place *p, uint64_t *low_r);
/* These messages are asked for: goes on before them. */
void place_ask_messages(struct search_place *p, uint64_t low);
/* After PLACE_BLOCKS: asks for up to `count` blocks. */
void place_ask_blocks(struct search_place *p, uint64_t count);
/* Forgets what the step has told, for it is told again. */
void place_restart(struct search_place *p);
/* The step's answer is there; the hits are those of its range, in order, and live on. */
void place_step(struct search_place *p, struct search_hit *hit, size_t hits);
bool place_is_done(const struct search_place *p);

#endif
