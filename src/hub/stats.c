/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters and histograms. A row has one writer, so adding is a load and a
 * store, atomic only so that a reader never sees half a word.
 */
#include "core/base.h"
#include "hub/stats.h"

#include "core/log.h"
#include "hub/hub_layout.h"

static struct hub_stats *own;

static struct hub_stats *rows_of(const struct hub *h)
{
	return hub_at(h, h->stats_at);
}

static void add(_Atomic uint64_t *word, uint64_t n)
{
	atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + n, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

void stats_attach(struct hub *h, unsigned slot)
{
	ASSERT(slot <= h->slots);
	own = rows_of(h) + slot;
}

void stat_add(enum stat_counter c, uint64_t n)
{
	if (own != NULL)
		add(&own->counter[c], n);
}

void stat_set(enum stat_gauge g, uint64_t value)
{
	if (own != NULL)
		atomic_store_explicit(&own->gauge[g], value, memory_order_relaxed);
}

void stats_forget(struct hub *h, unsigned slot)
{
	struct hub_stats *row = rows_of(h) + slot;
	for (int g = 0; g < STAT_GAUGES; g++)
		atomic_store_explicit(&row->gauge[g], 0, memory_order_relaxed);
}

/* The first bucket whose bound 2^i is not under the value. */
static unsigned bucket_for(uint64_t value)
{
	if (value <= 1)
		return 0;
	unsigned bits = 64 - (unsigned)__builtin_clzll(value - 1);
	return bits < STAT_BUCKETS ? bits : STAT_BUCKETS - 1;
}

void stat_observe(enum stat_histogram hist, uint64_t value)
{
	if (own == NULL)
		return;
	add(&own->histogram[hist].bucket[bucket_for(value)], 1);
	add(&own->histogram[hist].total, value);
}

const int stat_statuses[STAT_STATUSES] = STATS_STATUSES;

static unsigned status_place(int status)
{
	unsigned i = 0;
	while (i < STAT_STATUSES - 1 && stat_statuses[i] != status)
		i++;
	return i;
}

void stat_answered(unsigned route, int status)
{
	ASSERT(route < STAT_ROUTES);
	if (own != NULL)
		add(&own->answered[route][status_place(status)], 1);
}

void stat_refused(unsigned reason)
{
	ASSERT(reason < STAT_REASONS);
	if (own != NULL)
		add(&own->refused[reason], 1);
}

uint64_t stats_of(const struct hub *h, unsigned slot, enum stat_counter c)
{
	ASSERT(slot <= h->slots);
	return get(&(rows_of(h) + slot)->counter[c]);
}

/* ---- sums over all rows ---- */

uint64_t stats_sum(const struct hub *h, enum stat_counter c)
{
	const struct hub_stats *row = rows_of(h);
	uint64_t sum = 0;
	for (unsigned i = 0; i <= h->slots; i++)
		sum += get(&row[i].counter[c]);
	return sum;
}

uint64_t stats_gauge(const struct hub *h, enum stat_gauge g)
{
	const struct hub_stats *row = rows_of(h);
	uint64_t sum = 0;
	for (unsigned i = 0; i <= h->slots; i++)
		sum += get(&row[i].gauge[g]);
	return sum;
}

uint64_t stats_answered(const struct hub *h, unsigned route, unsigned status)
{
	const struct hub_stats *row = rows_of(h);
	uint64_t sum = 0;
	for (unsigned i = 0; i <= h->slots; i++)
		sum += get(&row[i].answered[route][status]);
	return sum;
}

uint64_t stats_refused(const struct hub *h, unsigned reason)
{
	const struct hub_stats *row = rows_of(h);
	uint64_t sum = 0;
	for (unsigned i = 0; i <= h->slots; i++)
		sum += get(&row[i].refused[reason]);
	return sum;
}

void stats_histogram(const struct hub *h, enum stat_histogram hist, struct stat_sum *out)
{
	const struct hub_stats *row = rows_of(h);
	*out = (struct stat_sum){.count = 0};
	for (unsigned i = 0; i <= h->slots; i++) {
		for (unsigned b = 0; b < STAT_BUCKETS; b++)
			out->bucket[b] += get(&row[i].histogram[hist].bucket[b]);
		out->total += get(&row[i].histogram[hist].total);
	}
	for (unsigned b = 1; b < STAT_BUCKETS; b++)
		out->bucket[b] += out->bucket[b - 1];
	out->count = out->bucket[STAT_BUCKETS - 1];
}

#define X(name, key, family, label, help) [STAT_##name] = {key, family, label, help},
const struct stat_counter_info stat_counters[STAT_COUNTERS] = {STATS_COUNTERS(X)};
#undef X
#define X(name, family, help, unit) [STAT_##name] = {family, help, unit},
const struct stat_gauge_info stat_gauges[STAT_GAUGES] = {STATS_GAUGES(X)};
#undef X
#define X(name, family, help, unit, bounds) [STAT_HIST_##name] = {family, help, unit, bounds},
const struct stat_histogram_info stat_histograms[STAT_HISTOGRAMS] = {STATS_HISTOGRAMS(X)};
#undef X

const char *stat_counter_name(enum stat_counter c)
{
	return stat_counters[c].key;
}
