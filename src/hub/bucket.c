/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Token buckets, each one word: the time at which it will be full again (the
 * "theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371).
 * Taking a token moves that time on by one interval; there is none if it would
 * lie further ahead than a whole burst takes to fill.
 *
 * A full bucket has that time behind it and says nothing that a new one would not:
 * so cells need no freeing, and taking over the earliest of a set harms least.
 */
#include "core/base.h"
#include "hub/bucket.h"

#include "core/log.h"
#include "core/siphash.h"
#include "hub/hub_layout.h"
#include "hub/lock.h"

#define NS_PER_MS INT64_C(1000000)
/* Rates and bursts beyond these make no difference to anybody, and keep the sums within 64 bits. */
#define INTERVAL_MAX_NS 1e15
#define FILL_MAX_NS 2e18

static struct bucket_shard *shard_at(const struct hub *h, unsigned i)
{
	return (struct bucket_shard *)hub_at(h, h->bucket_shards_at) + i;
}

void bucket_init(struct hub *h)
{
	for (unsigned i = 0; i < BUCKET_SHARDS; i++)
		lock_init(&shard_at(h, i)->lock);
}

static uint64_t name_hash(const struct hub *h, enum bucket_kind kind, const char *name)
{
	char key[256] = {(char)kind};
	size_t len = strnlen(name, sizeof(key) - 1);
	memcpy(key + 1, name, len);
	uint64_t hash = siphash(h->key, key, len + 1);
	return hash != 0 ? hash : 1;
}

/* The cell of that name, if it has one; else NULL, and in *least_r the place of the fullest. */
static int64_t *find_cell(struct bucket_set *set, uint64_t hash, unsigned *least_r)
{
	*least_r = 0;
	for (unsigned i = 0; i < BUCKET_WAYS; i++) {
		if (set->tag[i] == hash)
			return &set->full_at_ns[i];
		if (set->full_at_ns[i] < set->full_at_ns[*least_r])
			*least_r = i;
	}
	return NULL;
}

/* The cell of that name, newly full if it had none. */
static int64_t *cell_of(struct bucket_set *set, uint64_t hash)
{
	unsigned least;
	int64_t *cell = find_cell(set, hash, &least);
	if (cell != NULL)
		return cell;
	/* In this order: who dies in between leaves the old name a full bucket, not the new one a foreign debt. */
	set->full_at_ns[least] = 0;
	atomic_signal_fence(memory_order_seq_cst);
	set->tag[least] = hash;
	return &set->full_at_ns[least];
}

static double at_most(double x, double limit)
{
	return x < limit ? x : limit;
}

struct limit {
	int64_t interval_ns, fill_ns; /* of what is taken, of the whole burst */
	int64_t owed_ns;	      /* taken besides, whether it is there or not */
};

static struct limit limit_of(double rate_per_sec, double burst, double tokens)
{
	double interval = at_most(1e9 / rate_per_sec, INTERVAL_MAX_NS);
	double fill = at_most((burst > 1 ? burst : 1) * interval, FILL_MAX_NS);
	return (struct limit){.interval_ns = (int64_t)at_most(tokens * interval, fill), .fill_ns = (int64_t)fill};
}

/* How long it takes; 0 if it is there, and then *next_r is when the bucket will be full without it. What is owed, or
 * was taken under a higher limit, is waited for, too. */
static int64_t wait_for_token(const struct limit *l, int64_t full_at_ns, int64_t now_ns, int64_t *next_r)
{
	*next_r = (full_at_ns > now_ns ? full_at_ns : now_ns) + l->interval_ns;
	int64_t over_ns = *next_r - (now_ns + l->fill_ns);
	return over_ns > 0 ? (over_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
}

static struct bucket_set *lock_set(struct hub *h, uint64_t hash, struct lock **lock_r)
{
	ASSERT(!h->guarded);
	uint32_t place = hash & (h->bucket_sets - 1);
	*lock_r = &shard_at(h, place % BUCKET_SHARDS)->lock;
	if (lock_take(*lock_r))
		lock_repaired(*lock_r); /* a cell is one word, there is nothing to repair */
	return (struct bucket_set *)hub_at(h, h->bucket_sets_at) + place;
}

static int64_t ask(struct hub *h, enum bucket_kind kind, const char *name, struct limit l, int64_t now_ns, bool take)
{
	unsigned least;
	int64_t next, wait_ms;
	struct lock *lock;
	uint64_t hash = name_hash(h, kind, name);
	struct bucket_set *set = lock_set(h, hash, &lock);
	int64_t *cell = take ? cell_of(set, hash) : find_cell(set, hash, &least);
	wait_ms = wait_for_token(&l, cell != NULL ? *cell : 0, now_ns, &next);
	if (take && wait_ms == 0)
		*cell = next + l.owed_ns;
	lock_drop(lock);
	return wait_ms;
}

int64_t bucket_take(struct hub *h, enum bucket_kind kind, const char *name, double rate_per_sec, double burst,
		    int64_t now_mono_ms)
{
	if (!(rate_per_sec > 0))
		return 0;
	return ask(h, kind, name, limit_of(rate_per_sec, burst, 1), now_mono_ms * NS_PER_MS, true);
}

int64_t bucket_take_many(struct hub *h, enum bucket_kind kind, const char *name, uint64_t tokens, double rate_per_sec,
			 double burst, int64_t now_mono_ms)
{
	if (!(rate_per_sec > 0) || tokens == 0)
		return 0;
	return ask(h, kind, name, limit_of(rate_per_sec, burst, (double)tokens), now_mono_ms * NS_PER_MS, true);
}

int64_t bucket_take_owing(struct hub *h, enum bucket_kind kind, const char *name, uint64_t tokens, double rate_per_sec,
			  double burst, int64_t now_mono_ms)
{
	if (!(rate_per_sec > 0) || tokens == 0)
		return 0;
	struct limit l = limit_of(rate_per_sec, burst, (double)tokens);
	double all = at_most((double)tokens * at_most(1e9 / rate_per_sec, INTERVAL_MAX_NS), FILL_MAX_NS);
	l.owed_ns = (int64_t)all - l.interval_ns;
	return ask(h, kind, name, l, now_mono_ms * NS_PER_MS, true);
}

int64_t bucket_wait(struct hub *h, enum bucket_kind kind, const char *name, double rate_per_sec, double burst,
		    int64_t now_mono_ms)
{
	if (!(rate_per_sec > 0))
		return 0;
	return ask(h, kind, name, limit_of(rate_per_sec, burst, 1), now_mono_ms * NS_PER_MS, false);
}

void bucket_charge(struct hub *h, enum bucket_kind kind, const char *name, uint64_t tokens, double rate_per_sec,
		   double burst, int64_t now_mono_ms)
{
	struct lock *lock;
	if (!(rate_per_sec > 0) || tokens == 0)
		return;
	struct limit l = limit_of(rate_per_sec, burst, (double)tokens);
	int64_t now_ns = now_mono_ms * NS_PER_MS, most_ns = now_ns + 2 * l.fill_ns;
	uint64_t hash = name_hash(h, kind, name);
	struct bucket_set *set = lock_set(h, hash, &lock);
	int64_t *cell = cell_of(set, hash);
	int64_t next_ns = (*cell > now_ns ? *cell : now_ns) + l.interval_ns;
	*cell = next_ns < most_ns ? next_ns : most_ns;
	lock_drop(lock);
}

void bucket_give_back(struct hub *h, enum bucket_kind kind, const char *name, uint64_t tokens, double rate_per_sec,
		      double burst)
{
	unsigned least;
	struct lock *lock;
	if (!(rate_per_sec > 0) || tokens == 0)
		return;
	uint64_t hash = name_hash(h, kind, name);
	struct bucket_set *set = lock_set(h, hash, &lock);
	int64_t *cell = find_cell(set, hash, &least);
	if (cell != NULL)
		*cell -= limit_of(rate_per_sec, burst, (double)tokens).interval_ns;
	lock_drop(lock);
}
