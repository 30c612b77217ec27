/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a search index has to know: in which blocks of messages a needle may be. All else is the same for each of them:
 * whose messages are looked at and in which order (search.c, search_place.c), comparing the texts, and when blocks are
 * written (relay/index.c). An index may name blocks in vain, and must never leave one out.
 *
 * There is one, of filters (search_filters.c). How to add another: a file with its struct, a value of enum
 * conf_search_backend and its name in core/conf_table.c, and a line in search_backend(). Two that others have used:
 *
 *	MySQL's ngram parser   A FULLTEXT INDEX … WITH PARSER ngram on messages(content), which the database keeps by
 *	                       itself: there is nothing to gather. put_find() writes SELECT id>>28,(id>>6)&0x3FFFFF,…
 *FROM messages WHERE MATCH (content) AGAINST ('"…"' IN BOOLEAN MODE) AND (the ranges of ids) GROUP BY block, of the
 *needle's phrases without their operators. (MariaDB has no such parser.) an external engine     The relay hands it the
 *messages of a block where it now writes a filter; put_find() cannot be a statement then: the step of a search that
 *probes (search.c) asks the engine for ids of blocks within the same ranges. The permission stays where it is: the
 *ranges are the user's own.
 */
#ifndef TIDINGS_STORE_SEARCH_BACKEND_H
#define TIDINGS_STORE_SEARCH_BACKEND_H

#include "core/base.h"
#include "core/buf.h"
#include "core/conf.h"
#include "core/needle.h"
#include "store/message_words.h"

/* A block's messages are those with seq >> SEARCH_BLOCK_BITS = block. */
#define SEARCH_BLOCK_BITS 6
#define SEARCH_BLOCK ((uint64_t)1 << SEARCH_BLOCK_BITS)
/* Filters cover a block by parts, so that what is compared directly stays short, and no block is written often. */
#define SEARCH_PART ((uint64_t)16)
/* Of a range, the blocks that are told even though the needle is not in them, for the sake of their times. */
#define SEARCH_MARK ((uint64_t)8)

struct search_range {
	uint64_t conversation_id;
	uint64_t first_block, last_block; /* both included */
};

struct gathered;

struct search_backend {
	const char *name;
	unsigned format; /* of what it stores; see core/signature.h */

	/*
	 * "SELECT conversation_id,block,first_at,last_at,may_have …" of the blocks in these ranges that may have all
	 * of the needle's phrases, and of those whose number SEARCH_MARK divides, in any order.
	 */
	void (*put_find)(struct buf *text, const struct needle *n, const struct search_range *range, size_t count);

	/* What it stores of one block: made of the words of its messages. */
	struct gathered *(*gather_new)(void);
	void (*gather_free)(struct gathered **g);
	void (*gather)(struct gathered *g, const struct message_words *w);
	/* Appends it, and begins anew. */
	void (*gather_put)(struct gathered *g, struct buf *filter);
};

/* NULL: there is none, for search is off. */
const struct search_backend *search_backend(const struct conf *conf);
extern const struct search_backend search_filters;

#endif
