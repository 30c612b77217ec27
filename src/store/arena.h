/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is given back all at once: what a batch or a read has found lives in one, and what a request keeps. */
#ifndef TIDINGS_STORE_ARENA_H
#define TIDINGS_STORE_ARENA_H

#include "core/base.h"

struct arena_block;

/* All zeroes is an empty arena. */
struct arena {
	struct arena_block *block; /* the newest first */
	size_t used, size;	   /* of the newest block */
	size_t first_size;	   /* of the first block, at least; 0: a few KiB */
};

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy with a NUL after it. An absent string stays absent. */
struct str arena_str(struct arena *a, struct str s);
/* Forgets everything, keeps one block for what comes next. */
void arena_clear(struct arena *a);
void arena_fini(struct arena *a);
/* Overwrites what is in it, before arena_fini(). */
void arena_wipe(struct arena *a);

#endif
