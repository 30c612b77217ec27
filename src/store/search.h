/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Searching messages: what store.h says of operations holds here, too. How it works is in search.c; the index that it
 * reads (schema/0018_search.sql) is the relay's (relay/index.h).
 */
#ifndef TIDINGS_STORE_SEARCH_H
#define TIDINGS_STORE_SEARCH_H

#include "core/base.h"
#include "core/needle.h"
#include "store/store.h"

#define STORE_RANGES_MAX 100

struct store_search {
	struct str user;
	struct str q;		  /* valid UTF-8 of up to NEEDLE_CHARS_MAX characters */
	uint64_t conversation_id; /* 0: all of the user's */
	struct str from;	  /* absent: anybody's */
	bool has_type, has_after, has_before;
	enum message_type type;
	int64_t after_ms, before_ms; /* both excluded, and from 1 on */
	unsigned limit;
	struct store_cursor after; /* as in lists */
};

struct store_found_message {
	const struct message *message;
	const struct needle_range *range; /* of its content, up to STORE_RANGES_MAX */
	size_t range_count;
};

struct store_found {
	enum store_status status;		/* STORE_NOT_FOUND: the conversation is not the user's */
	const struct store_found_message *item; /* newest first */
	size_t count;				/* may be less than the limit, or 0, although has_more */
	bool has_more;
	struct store_cursor next;
	bool building; /* STORE_UNAVAILABLE, because the index is being built */
};
typedef void store_found_fn(const struct store_found *r, void *arg);
/*
 * STORE_UNAVAILABLE also while the index is being built. Searches have a connection of their own, on which users take
 * turns; STORE_OVERLOADED where too many wait for it.
 */
void store_search(struct store *s, const struct store_search *p, store_found_fn *fn, void *arg);

/* ---- the index as a whole, for tidingsctl ---- */

enum search_state { SEARCH_BUILDING, SEARCH_READY, SEARCH_OFF }; /* as they are stored */
const char *search_state_name(enum search_state s);

struct store_search_state {
	enum store_status status;
	enum search_state state;
	uint64_t generation, format;
	int64_t changed_ms; /* since when it is in this state */
	/* How many conversations there are at most, by their ids; and to how many the building has come. */
	uint64_t conversations, walked;
};
typedef void store_search_state_fn(const struct store_search_state *r, void *arg);
void store_find_search_state(struct store *s, store_search_state_fn *fn, void *arg);
/* The relay makes the index anew; until that is done no search is answered. count is 0. */
void store_rebuild_search(struct store *s, store_count_fn *fn, void *arg);

#endif
