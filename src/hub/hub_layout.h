/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the hub lies in memory; for src/hub and its tests alone.
 *
 * One mapping, made by the master and inherited by fork at the same address, in this order:
 *
 *   struct hub | scoreboard rows | counter rows | presence: used, shards, heads, rows | buckets: shards, sets
 *
 * How to change this:
 * - Raise HUB_VERSION with every change of a struct below or of the order: core dumps are read by it, and so will
 *   be a hub that is handed to another binary.
 * - No pointers. Places are offsets from the start of the mapping, links are indices plus one; zero is "none",
 *   so that fresh memory is an empty table and is not touched before it is used.
 * - Say who writes a field. A word without a lock has one writer and is atomic. What a lock guards must be
 *   rebuildable, by whoever finds that the former holder died, out of words that are stored in one step
 *   (presence_slot.owner, bucket_set.tag).
 * - Whatever a worker owns must be found from its slot by hub_worker_forget.
 * - What different processes write often must not share a cache line.
 */
#ifndef TIDINGS_HUB_HUB_LAYOUT_H
#define TIDINGS_HUB_HUB_LAYOUT_H

#include "core/base.h"
#include "hub/lock.h"
#include "hub/presence.h"
#include "hub/stats.h"
#include "hub/tickets.h"

#include <stdatomic.h>

#define HUB_MAGIC UINT32_C(0x74646875)
#define HUB_VERSION 4
#define HUB_LINE 64

/* ---- keys of TLS session tickets ---- */

/* One for new tickets, and those whose tickets are still good. */
#define TICKET_KEYS 3

struct ticket_slot {
	int64_t made_ms; /* mono clock; 0: none */
	struct ticket_key key;
};

struct hub_tickets {
	struct lock lock;
	struct ticket_slot slot[TICKET_KEYS];
};

struct hub {
	uint32_t magic;
	uint32_t version;
	uint64_t bytes;
	uint32_t workers;
	uint32_t sessions;
	uint64_t key[2]; /* of siphash, random, never changed */
	uint64_t rows_at, stats_at;
	uint64_t used_at, shards_at, heads_at, slots_at;
	uint32_t heads_per_shard; /* a power of two */
	uint32_t slots_per_shard;
	uint64_t bucket_shards_at, bucket_sets_at;
	uint32_t bucket_sets; /* a power of two */
	struct hub_tickets tickets;
	_Alignas(HUB_LINE) _Atomic int64_t clock_shift_ms; /* tidingsctl clock, through the master */
	_Atomic bool leaving;				   /* tidingsctl drain, through the master */
};

/* ---- scoreboard ---- */

/*
 * A half of a row, one writer each. The writer makes `change` odd, stores the words, and makes it even; a reader
 * copies the words between two equal even values of it.
 */
struct hub_half {
	_Alignas(HUB_LINE) _Atomic uint32_t change;
	_Atomic uint64_t word[7];
};

struct hub_row {
	struct hub_half master;
	struct hub_half worker;
};

/* ---- counters: one writer a row ---- */

struct hub_stats {
	_Alignas(HUB_LINE) _Atomic uint64_t counter[STAT_COUNTERS];
	_Atomic uint64_t gauge[STAT_GAUGES];
	struct {
		_Atomic uint64_t bucket[STAT_BUCKETS]; /* not cumulative here */
		_Atomic uint64_t total;
	} histogram[STAT_HISTOGRAMS];
	_Atomic uint64_t answered[STAT_ROUTES][STAT_STATUSES];
	_Atomic uint64_t refused[STAT_REASONS];
};

/* ---- presence ---- */

#define PRESENCE_SHARDS 64

/* A shard has its own heads and slots. */
struct presence_shard {
	_Alignas(HUB_LINE) struct lock lock;
	uint32_t fresh; /* slots from here on were never used; only grows */
	uint32_t free;	/* the first free slot under fresh, plus one; rebuilt */
};

/* There is one for every session: strings that fill their field are not terminated. */
struct presence_slot {
	/* The worker's slot plus one, or 0: free. The truth; stored after the rest of the row is whole. */
	_Atomic uint32_t owner;
	uint32_t next; /* in the chain of its head or of free slots, plus one; rebuilt */
	char user_id[USER_ID_MAX];
	char session_id[SESSION_ID_LEN];
	char device[DEVICE_MAX];
	struct in6_addr address;
};

/* ---- token buckets ---- */

#define BUCKET_SHARDS 64
#define BUCKET_WAYS 16

struct bucket_shard {
	_Alignas(HUB_LINE) struct lock lock;
};

/* The neighbourhood of a hash. full_at[i] belongs to tag[i]. */
struct bucket_set {
	_Alignas(HUB_LINE) uint64_t tag[BUCKET_WAYS]; /* the name's hash; 0: unused */
	int64_t full_at_ns[BUCKET_WAYS];	      /* mono clock: when the bucket will be full again */
};

_Static_assert(sizeof(struct hub_half) == HUB_LINE, "a half of a row is a cache line");
_Static_assert(sizeof(struct presence_shard) == HUB_LINE, "a shard is a cache line");
_Static_assert(sizeof(struct presence_slot) == 2 * HUB_LINE, "a slot is two cache lines");

static inline void *hub_at(const struct hub *h, uint64_t offset)
{
	return (char *)(uintptr_t)h + offset;
}

/* Prepare fresh memory. */
void presence_init(struct hub *h);
void bucket_init(struct hub *h);
void tickets_init(struct hub *h);
/* Takes out all rows of the worker's slot. */
void presence_forget(struct hub *h, unsigned worker);
/* Its gauges are those of nobody. */
void stats_forget(struct hub *h, unsigned slot);

#endif
