/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table. At most three quarters of the slots are taken; it grows by half, which keeps more of them in use than
 * doubling would, and never shrinks.
 */
#include "core/base.h"
#include "core/table.h"

#include <stdlib.h>
#include <sys/random.h>

#include "core/log.h"
#include "core/siphash.h"

#define SIZE_FIRST 16

void table_init(struct table *t, table_key_fn *key_of)
{
	*t = (struct table){.key_of = key_of};
	ssize_t n = getrandom(t->secret, sizeof(t->secret), 0);
	ASSERT(n == sizeof(t->secret));
}

void table_fini(struct table *t)
{
	free(t->slot);
	t->slot = NULL;
	t->size = t->count = 0;
}

/* Where the probing for a key begins: the hash's upper half scaled to the size, which is no power of two. */
static uint32_t home_of(const struct table *t, struct str key)
{
	return (uint32_t)((siphash(t->secret, key.s, key.len) >> 32) * t->size >> 32);
}

static uint32_t after(const struct table *t, uint32_t at)
{
	return at + 1 == t->size ? 0 : at + 1;
}

void *table_find(const struct table *t, struct str key)
{
	if (t->count == 0)
		return NULL;
	for (uint32_t at = home_of(t, key); t->slot[at] != NULL; at = after(t, at))
		if (str_equal(t->key_of(t->slot[at]), key))
			return t->slot[at];
	return NULL;
}

static void put(struct table *t, void *item)
{
	uint32_t at = home_of(t, t->key_of(item));
	while (t->slot[at] != NULL)
		at = after(t, at);
	t->slot[at] = item;
}

static void grow(struct table *t)
{
	void **old = t->slot;
	uint32_t old_size = t->size;
	ASSERT(old_size <= UINT32_MAX / 2);
	t->size = old_size == 0 ? SIZE_FIRST : old_size + old_size / 2;
	t->slot = xcalloc(t->size, sizeof(*t->slot));
	for (uint32_t i = 0; i < old_size; i++)
		if (old[i] != NULL)
			put(t, old[i]);
	free(old);
}

void table_add(struct table *t, void *item)
{
	if (t->count >= t->size / 4 * 3)
		grow(t);
	put(t, item);
	t->count++;
}

void table_remove(struct table *t, const void *item)
{
	uint32_t hole = home_of(t, t->key_of(item));
	while (t->slot[hole] != item) {
		ASSERT(t->slot[hole] != NULL);
		hole = after(t, hole);
	}
	/* What follows moves up, unless that would put it before its home: then it would not be found. */
	for (uint32_t at = after(t, hole); t->slot[at] != NULL; at = after(t, at)) {
		uint32_t home = home_of(t, t->key_of(t->slot[at]));
		bool home_is_between = hole < at ? hole < home && home <= at : hole < home || home <= at;
		if (home_is_between)
			continue;
		t->slot[hole] = t->slot[at];
		hole = at;
	}
	t->slot[hole] = NULL;
	t->count--;
}

void *table_next(const struct table *t, uint32_t *at)
{
	while (*at < t->size) {
		void *item = t->slot[(*at)++];
		if (item != NULL)
			return item;
	}
	return NULL;
}
