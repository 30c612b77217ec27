/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table. At most three quarters of the slots are taken; it grows by half, which keeps more of them in use than
 * doubling would, and never shrinks.
 *
 * A slot holds an object's address and, in the bits that are the same in all addresses, the first bits of its key's
 * hash. They say where the object belongs and tell it from its neighbours, so nearly always the one that is looked for
 * is the only one that is touched: in a large table each would be a cache miss. With more objects than tags (some
 * 500,000) a few share one.
 */
#include "core/base.h"
#include "core/table.h"

#include <stdlib.h>
#include <sys/random.h>

#include "core/log.h"
#include "core/siphash.h"

#define SIZE_FIRST 16
/* Of an address in user space, and those that are 0 at its end. */
#define ADDRESS_BITS 48
#define ALIGN_BITS 3
#define TAG_BITS (64 - (ADDRESS_BITS - ALIGN_BITS))

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

static uint64_t tag_of(const struct table *t, struct str key)
{
	return siphash(t->secret, key.s, key.len) >> (64 - TAG_BITS);
}

static uint64_t pack(const void *item, uint64_t tag)
{
	uint64_t address = (uintptr_t)item;
	ASSERT(address >> ADDRESS_BITS == 0 && address % (1 << ALIGN_BITS) == 0);
	return address >> ALIGN_BITS << TAG_BITS | tag;
}

static void *item_in(uint64_t slot)
{
	return (void *)(uintptr_t)(slot >> TAG_BITS << ALIGN_BITS);
}

static uint64_t tag_in(uint64_t slot)
{
	return slot & ((UINT64_C(1) << TAG_BITS) - 1);
}

/* Where the probing for a key begins: its tag scaled to the size, which is no power of two. */
static uint32_t home_of(const struct table *t, uint64_t tag)
{
	return (uint32_t)(tag * t->size >> TAG_BITS);
}

static uint32_t after(const struct table *t, uint32_t at)
{
	return at + 1 == t->size ? 0 : at + 1;
}

void *table_find(const struct table *t, struct str key)
{
	if (t->count == 0)
		return NULL;
	uint64_t tag = tag_of(t, key);
	for (uint32_t at = home_of(t, tag); t->slot[at] != 0; at = after(t, at))
		if (tag_in(t->slot[at]) == tag && str_equal(t->key_of(item_in(t->slot[at])), key))
			return item_in(t->slot[at]);
	return NULL;
}

static void put(struct table *t, uint64_t slot)
{
	uint32_t at = home_of(t, tag_in(slot));
	while (t->slot[at] != 0)
		at = after(t, at);
	t->slot[at] = slot;
}

static void grow(struct table *t)
{
	uint64_t *old = t->slot;
	uint32_t old_size = t->size;
	ASSERT(old_size <= UINT32_MAX / 2);
	t->size = old_size == 0 ? SIZE_FIRST : old_size + old_size / 2;
	t->slot = xcalloc(t->size, sizeof(*t->slot));
	for (uint32_t i = 0; i < old_size; i++)
		if (old[i] != 0)
			put(t, old[i]);
	free(old);
}

void table_add(struct table *t, void *item)
{
	if (t->count >= t->size / 4 * 3)
		grow(t);
	put(t, pack(item, tag_of(t, t->key_of(item))));
	t->count++;
}

void table_remove(struct table *t, const void *item)
{
	uint64_t slot = pack(item, tag_of(t, t->key_of(item)));
	uint32_t hole = home_of(t, tag_in(slot));
	while (t->slot[hole] != slot) {
		ASSERT(t->slot[hole] != 0);
		hole = after(t, hole);
	}
	/* What follows moves up, unless that would put it before its home: then it would not be found. */
	for (uint32_t at = after(t, hole); t->slot[at] != 0; at = after(t, at)) {
		uint32_t home = home_of(t, tag_in(t->slot[at]));
		bool home_is_between = hole < at ? hole < home && home <= at : hole < home || home <= at;
		if (home_is_between)
			continue;
		t->slot[hole] = t->slot[at];
		hole = at;
	}
	t->slot[hole] = 0;
	t->count--;
}

void *table_next(const struct table *t, uint32_t *at)
{
	while (*at < t->size) {
		uint64_t slot = t->slot[(*at)++];
		if (slot != 0)
			return item_in(slot);
	}
	return NULL;
}
