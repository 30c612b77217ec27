/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of a search share: search.c goes its way, search_heads.c begins it, search_look.c looks. */
#ifndef TIDINGS_STORE_SEARCH_PRIV_H
#define TIDINGS_STORE_SEARCH_PRIV_H

#include "core/base.h"
#include "store/answer.h"
#include "store/by_id.h"
#include "store/message_words.h"
#include "store/pool.h"
#include "store/search.h"
#include "store/search_place.h"

enum search_step {
	SEARCH_HEADS, /* which conversations there are */
	SEARCH_LOOK,  /* messages and blocks */
	SEARCH_SHOW,  /* those that were found, as they are shown */
};

/* A message that has what is searched for. */
struct search_candidate {
	int64_t ms;
	uint64_t id;
};

struct search {
	struct read read;
	store_found_fn *fn;
	void *arg;
	const struct search_backend *backend;
	struct needle needle;
	struct message_words words; /* of the message at hand */
	struct str from;
	bool has_type, has_after;
	enum message_type type;
	uint64_t conversation_id; /* 0: all */
	int64_t after_ms;
	struct search_candidate top; /* only what is before it */
	unsigned limit;
	int64_t began_ms;

	enum search_step step;
	/* What search_heads.c has found. */
	bool looked, ready; /* the first step is done; the index is usable */
	bool party;	    /* the user sees the one conversation */
	uint64_t generation;
	struct search_place *place; /* in order of id */
	size_t places, place_room;
	uint64_t *edited; /* messages whose filter does not know their text */
	size_t edited_count, edited_at;
	struct search_place **order; /* those with something left, the one with the latest first */
	size_t order_count;

	/* The step's. */
	unsigned looks; /* how many there were */
	struct search_place **asked;
	size_t asked_count;
	bool asks_messages, asks_blocks;
	struct search_hit *hit;
	size_t hits, hit_room;
	uint64_t rows, bytes; /* messages, and their texts */
	size_t found_before;
	/* All steps'. */
	uint64_t looked_at, tested;	/* messages and blocks */
	struct search_candidate *found; /* the newest first, but for those of the step */
	size_t found_count;
	struct search_candidate floor; /* there was no room for this one and those before it */
	size_t shown;		       /* of those found, the ones that were asked for */
	struct by_id by_id;
	struct store_found_message *marked; /* of the step's those that have it, as they are now */
	size_t marked_count;

	struct store_found_message *item;
	size_t count;
	struct answer answer;
	bool full;
};

/* Those found that are not shown yet. */
#define SEARCH_FOUND_MAX 1024

/* True: the first is later. */
static inline bool search_is_after(struct search_candidate a, struct search_candidate b)
{
	return a.ms != b.ms ? a.ms > b.ms : a.id > b.id;
}

/* search_heads.c: the first step. */
void heads_put(struct search *s);
void heads_restart(struct search *s);
void heads_row(struct search *s, unsigned stmt, struct row *row);
/* After its rows. */
void heads_end(struct search *s);

/* search_look.c */
/* Puts what has something left in its order; before the first step, and after each. */
void look_sort_places(struct search *s);
/* Writes the next step; false: there is nothing to look at. */
bool look_put(struct search *s);
void look_restart(struct search *s);
void look_row(struct search *s, unsigned stmt, struct row *row);
void look_end(struct search *s);

#endif
