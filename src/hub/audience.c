/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A word holds 40 bits of the hash of the group's id and 24 bits of the count; the lower bits of the hash pick its set,
 * a cache line. It is 0 where the count is. So readers need no lock, and a death at any point leaves words that are
 * whole. Two groups of one hash, in 40 bits and a set, would be taken for one: nobody would notice.
 */
#include "core/base.h"
#include "hub/audience.h"

#include "core/log.h"
#include "core/siphash.h"
#include "hub/hub_layout.h"

#define COUNT_BITS 24
#define COUNT_MAX ((UINT64_C(1) << COUNT_BITS) - 1)

_Static_assert(AUDIENCE_SETS <= 1 << COUNT_BITS, "the tag and the set are different bits of the hash");

static struct audience *table_of(const struct hub *h, unsigned slot)
{
	ASSERT(slot < h->workers);
	return (struct audience *)hub_at(h, h->audiences_at) + slot;
}

/* *tag_r is never 0. */
static unsigned place_of(const struct hub *h, uint64_t group_id, uint64_t *tag_r)
{
	uint64_t hash = siphash(h->key, &group_id, sizeof(group_id));
	*tag_r = hash & ~COUNT_MAX;
	if (*tag_r == 0)
		*tag_r = COUNT_MAX + 1;
	return hash & (AUDIENCE_SETS - 1);
}

/* The predecessor's words, which nobody reads any more. */
static void take_over(struct audience *a)
{
	if (atomic_load_explicit(&a->lives, memory_order_relaxed))
		return;
	if (atomic_load_explicit(&a->written, memory_order_relaxed))
		memset(a->word, 0, sizeof(a->word));
	atomic_store_explicit(&a->written, true, memory_order_relaxed);
	atomic_store_explicit(&a->lives, true, memory_order_release);
}

bool audience_set(struct hub *h, unsigned slot, uint64_t group_id, uint32_t count)
{
	struct audience *a = table_of(h, slot);
	uint64_t tag;
	_Atomic uint64_t *set = a->word[place_of(h, group_id, &tag)], *unused = NULL;
	take_over(a);
	uint64_t word = count == 0 ? 0 : tag | (count < COUNT_MAX ? count : COUNT_MAX);
	for (unsigned i = 0; i < AUDIENCE_WAYS; i++) {
		uint64_t found = atomic_load_explicit(&set[i], memory_order_relaxed);
		if (found != 0 && (found & ~COUNT_MAX) == tag) {
			atomic_store_explicit(&set[i], word, memory_order_relaxed);
			return true;
		}
		if (found == 0 && unused == NULL)
			unused = &set[i];
	}
	if (word != 0 && unused != NULL)
		atomic_store_explicit(unused, word, memory_order_relaxed);
	return word == 0 || unused != NULL;
}

uint64_t audience_count(const struct hub *h, uint64_t group_id)
{
	uint64_t tag, sum = 0;
	unsigned place = place_of(h, group_id, &tag);
	for (unsigned slot = 0; slot < h->workers; slot++) {
		const struct audience *a = table_of(h, slot);
		if (!atomic_load_explicit(&a->lives, memory_order_acquire))
			continue;
		for (unsigned i = 0; i < AUDIENCE_WAYS; i++) {
			uint64_t word = atomic_load_explicit(&a->word[place][i], memory_order_relaxed);
			if (word != 0 && (word & ~COUNT_MAX) == tag)
				sum += word & COUNT_MAX;
		}
	}
	return sum;
}

void audience_forget(struct hub *h, unsigned worker)
{
	atomic_store_explicit(&table_of(h, worker)->lives, false, memory_order_release);
}
