/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A word holds 31 bits of the address' hash, the worker's slot plus one (13 bits), and the count (20 bits). It is taken
 * by one compare-and-swap from 0 and is 0 again when the count is, so the death of its worker at any point leaves a
 * word that is whole.
 */
#include "core/base.h"
#include "hub/addresses.h"

#include "core/siphash.h"
#include "hub/hub_layout.h"

#define COUNT_BITS 20
#define OWNER_BITS 13
#define COUNT_MAX ((UINT64_C(1) << COUNT_BITS) - 1)
#define OWNER_MASK (((UINT64_C(1) << OWNER_BITS) - 1) << COUNT_BITS)
#define ADDRESS_MASK (~(OWNER_MASK | COUNT_MAX))

_Static_assert(HUB_WORKERS_MAX < UINT64_C(1) << OWNER_BITS, "a slot fits");

static uint64_t owned_by(unsigned slot)
{
	return (slot + UINT64_C(1)) << COUNT_BITS;
}

/* *name_r: the part of the hash that is in the word. The other one picks the set. */
static struct address_set *set_of(const struct hub *h, const char *address, uint64_t *name_r)
{
	uint64_t hash = siphash(h->key, address, strlen(address));
	*name_r = hash & ADDRESS_MASK;
	return (struct address_set *)hub_at(h, h->address_sets_at) + (hash & (h->address_sets - 1));
}

static uint64_t count_in(const struct address_set *set, uint64_t name)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < ADDRESS_WAYS; i++) {
		uint64_t word = atomic_load_explicit(&set->word[i], memory_order_acquire);
		if ((word & ADDRESS_MASK) == name)
			sum += word & COUNT_MAX;
	}
	return sum;
}

/* The worker's own word of that address, or NULL. */
static _Atomic uint64_t *own_word(struct address_set *set, uint64_t mine)
{
	for (unsigned i = 0; i < ADDRESS_WAYS; i++) {
		uint64_t word = atomic_load_explicit(&set->word[i], memory_order_relaxed);
		if ((word & ~COUNT_MAX) == mine && (word & COUNT_MAX) != 0)
			return &set->word[i];
	}
	return NULL;
}

static bool add_one(struct address_set *set, uint64_t mine)
{
	_Atomic uint64_t *own = own_word(set, mine);
	if (own != NULL) {
		uint64_t word = atomic_load_explicit(own, memory_order_relaxed);
		if ((word & COUNT_MAX) == COUNT_MAX)
			return false;
		atomic_store_explicit(own, word + 1, memory_order_release);
		return true;
	}
	for (unsigned i = 0; i < ADDRESS_WAYS; i++) {
		uint64_t unused = 0;
		if (atomic_compare_exchange_strong(&set->word[i], &unused, mine + 1))
			return true;
	}
	return false;
}

static void take_one(struct address_set *set, uint64_t mine)
{
	_Atomic uint64_t *own = own_word(set, mine);
	if (own == NULL)
		return;
	uint64_t word = atomic_load_explicit(own, memory_order_relaxed);
	atomic_store_explicit(own, (word & COUNT_MAX) == 1 ? 0 : word - 1, memory_order_release);
}

enum addresses_verdict addresses_enter(struct hub *h, unsigned slot, const char *address, unsigned max)
{
	uint64_t name;
	struct address_set *set = set_of(h, address, &name);
	/* Counted first, so that of two that come at once at most max stay. */
	if (!add_one(set, name | owned_by(slot)))
		return count_in(set, name) < max ? ADDRESSES_UNCOUNTED : ADDRESSES_FULL;
	if (count_in(set, name) <= max)
		return ADDRESSES_COUNTED;
	take_one(set, name | owned_by(slot));
	return ADDRESSES_FULL;
}

void addresses_leave(struct hub *h, unsigned slot, const char *address)
{
	uint64_t name;
	struct address_set *set = set_of(h, address, &name);
	take_one(set, name | owned_by(slot));
}

unsigned addresses_count(const struct hub *h, const char *address)
{
	uint64_t name;
	struct address_set *set = set_of(h, address, &name);
	return (unsigned)count_in(set, name);
}

void addresses_forget(struct hub *h, unsigned worker)
{
	struct address_set *sets = hub_at(h, h->address_sets_at);
	for (uint32_t s = 0; s < h->address_sets; s++) {
		for (unsigned i = 0; i < ADDRESS_WAYS; i++) {
			_Atomic uint64_t *word = &sets[s].word[i];
			if ((atomic_load_explicit(word, memory_order_relaxed) & OWNER_MASK) == owned_by(worker))
				atomic_store_explicit(word, 0, memory_order_release);
		}
	}
}
