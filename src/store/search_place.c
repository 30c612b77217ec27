/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/search_place.h"

static void lower_bound(struct search_place *p, int64_t ms)
{
	if (ms < p->bound_ms)
		p->bound_ms = ms;
}

bool place_is_done(const struct search_place *p)
{
	return p->high < p->first_seq;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

enum place_need place_next(struct search_place *p, uint64_t *low_r)
{
	while (!place_is_done(p)) {
		uint64_t low = later(p->high & ~(SEARCH_PART - 1), p->first_seq);
		if (p->high > p->covered) {
			*low_r = later(low, p->covered + 1);
			return PLACE_MESSAGES;
		}
		uint64_t block = p->high >> SEARCH_BLOCK_BITS;
		if (block < p->looked_for)
			return PLACE_BLOCKS;
		while (p->hits != 0 && p->hit[p->hits - 1].block > block)
			p->hits--;
		if (p->hits != 0 && p->hit[p->hits - 1].block == block) {
			*low_r = low;
			return PLACE_MESSAGES;
		}
		if (p->hits != 0) {
			p->high = (p->hit[p->hits - 1].block << SEARCH_BLOCK_BITS) + SEARCH_BLOCK - 1;
			lower_bound(p, p->hit[p->hits - 1].last_ms);
		} else {
			p->high = p->looked_for != 0 ? (p->looked_for << SEARCH_BLOCK_BITS) - 1 : 0;
			lower_bound(p, p->looked_for_ms);
		}
	}
	return PLACE_DONE;
}

void place_ask_messages(struct search_place *p, uint64_t low)
{
	p->asks = true;
	p->high = low - 1;
}

void place_ask_blocks(struct search_place *p, uint64_t count)
{
	uint64_t last = p->high >> SEARCH_BLOCK_BITS, first_of_all = p->first_seq >> SEARCH_BLOCK_BITS;
	uint64_t first = last + 1 > count ? last + 1 - count : 0;
	p->finds = true;
	p->range = (struct search_range){p->id, later(first & ~(SEARCH_MARK - 1), first_of_all), last};
}

void place_restart(struct search_place *p)
{
	p->seen_ms = p->mark_ms = INT64_MAX;
}

void place_step(struct search_place *p, struct search_hit *hit, size_t hits)
{
	if (p->asks)
		lower_bound(p, p->seen_ms);
	if (p->finds) {
		p->looked_for = p->range.first_block;
		p->looked_for_ms = p->mark_ms;
		p->hit = hit;
		p->hits = hits;
	}
	p->asks = p->finds = false;
	place_restart(p);
}
