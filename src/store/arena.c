/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is given back all at once. Decides the sizes of blocks; knows nothing of what is in them. */
#include "core/base.h"
#include "store/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define BLOCK_MIN 4096
/* A block larger than this is not worth keeping when the arena is cleared. */
#define KEEP_MAX ((size_t)256 * 1024)

struct arena_block {
	struct arena_block *older;
	size_t size;
	alignas(max_align_t) char data[];
};

static void add_block(struct arena *a, size_t need)
{
	size_t size = a->block != NULL ? a->size * 2 : a->first_size != 0 ? a->first_size : BLOCK_MIN;
	if (size > KEEP_MAX)
		size = KEEP_MAX;
	if (size < need)
		size = need;
	struct arena_block *block = xmalloc(sizeof(*block) + size);
	block->older = a->block;
	block->size = size;
	a->block = block;
	a->size = size;
	a->used = 0;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (a->block == NULL || a->size - a->used < rounded)
		add_block(a, rounded);
	void *p = a->block->data + a->used;
	a->used += rounded;
	return memset(p, 0, size);
}

struct str arena_str(struct arena *a, struct str s)
{
	if (s.s == NULL)
		return STR_NULL;
	char *copy = arena_alloc(a, s.len + 1);
	memcpy(copy, s.s, s.len);
	return (struct str){copy, s.len};
}

void arena_clear(struct arena *a)
{
	while (a->block != NULL && (a->block->older != NULL || a->block->size > KEEP_MAX)) {
		struct arena_block *gone = a->block;
		a->block = gone->older;
		free(gone);
	}
	a->size = a->block != NULL ? a->block->size : 0;
	a->used = 0;
}

void arena_fini(struct arena *a)
{
	while (a->block != NULL) {
		struct arena_block *gone = a->block;
		a->block = gone->older;
		free(gone);
	}
	*a = (struct arena){0};
}

void arena_wipe(struct arena *a)
{
	for (struct arena_block *b = a->block; b != NULL; b = b->older)
		explicit_bzero(b->data, b->size);
}
