/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the hub lies in memory; for src/hub and its tests alone.
 *
 * One mapping, made by the master and inherited by fork at the same address, in this order:
 *
 *   struct hub_shared | scoreboard rows | counter rows | presence: used, shards, heads, rows | buckets: shards, sets |
 *   addresses: sets | audiences: a table a worker
 *
 * How to change this:
 * - Raise HUB_VERSION with every change of a struct below or of the order: core dumps are read by it, and so will
 *   be a hub that is handed to another binary.
 * - No pointers. Places are offsets from the start of the mapping, links are indices plus one; zero is "none",
 *   so that fresh memory is an empty table and is not touched before it is used.
 * - Say who writes a field. A word without a lock has one writer and is atomic. What a lock guards must be
 *   rebuildable, by whoever finds that the former holder died, out of words that are stored in one step
 *   (presence_slot.owner, bucket_set.tag).
 * - The master takes no lock and follows no link here, and checks every number that it reads: a worker, which has fewer
 *   rights, may have written anything. hub_guard() sees to it.
 * - Whatever a worker owns must be found from its slot by hub_worker_forget.
 * - What different processes write often must not share a cache line.
 */
#ifndef TIDINGS_HUB_HUB_LAYOUT_H
#define TIDINGS_HUB_HUB_LAYOUT_H

#include "core/base.h"
#include "core/id.h"
#include "hub/lock.h"
#include "hub/presence.h"
#include "hub/stats.h"
#include "hub/tickets.h"

#include <stdatomic.h>

#define HUB_MAGIC UINT32_C(0x74646875)
#define HUB_VERSION 12
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

/*
 * A process' own knowledge of the hub: where things are is never read from the shared memory, which any worker can
 * write. Made before the fork, so that all have the same.
 */
struct hub {
	struct hub_shared *shared; /* the beginning of the mapping */
	uint64_t bytes;
	uint32_t workers;
	uint32_t writers;
	uint32_t relays;
	uint32_t slots; /* those of workers, writers, relays and media processes */
	uint32_t sessions;
	uint64_t key[2]; /* of siphash, random, never changed */
	char name[WORKER_NAME_LEN + 1];
	uint64_t rows_at, stats_at;
	uint64_t used_at, shards_at, heads_at, slots_at;
	uint32_t heads_per_shard; /* a power of two */
	uint32_t slots_per_shard;
	uint64_t bucket_shards_at, bucket_sets_at;
	uint32_t bucket_sets; /* a power of two */
	uint64_t address_sets_at;
	uint32_t address_sets; /* a power of two */
	uint64_t audiences_at;
	bool guarded;		     /* hub_guard() */
	struct master_half *masters; /* what this process has written as the master, a half a slot */
};

struct hub_shared {
	uint32_t magic;
	uint32_t version;
	uint64_t bytes;
	struct hub_tickets tickets;
	_Alignas(HUB_LINE) _Atomic int64_t clock_shift_ms; /* tidingsctl clock, through the master */
	_Atomic int64_t wall_shift_ms;			   /* the same for the wall clock alone */
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

/* What the words of the halves are. */
struct master_half {
	int32_t pid;
	uint32_t generation;
	int32_t state;
	uint32_t restarts;
	int64_t started_ms;
	uint64_t passed;
};

struct worker_half {
	uint32_t generation; /* for which the rest was written */
	int32_t state;
	uint32_t connections;
	uint32_t websockets;
	int64_t alive_ms;
	uint32_t pending;
	uint32_t resident_kib;
	uint32_t private_kib;
	uint8_t database_up;
	uint8_t redis_up;
	uint8_t read_only;
	uint8_t leads;
	uint32_t lag_ms;
	uint8_t unused[4];
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
	uint32_t fresh;		 /* slots from here on were never used; only grows */
	uint32_t free;		 /* the first free slot under fresh, plus one; rebuilt */
	_Atomic uint32_t untidy; /* a worker has died; the next one that takes the lock rebuilds */
};

/*
 * There is one for every session, and another one where its bytes are too many: those of the user's id, the session's
 * id, the device and the address, one behind the other.
 */
struct presence_slot {
	/*
	 * The worker's slot plus one, or 0: free. The truth; stored after the rest of the slot is whole, and that of a
	 * second slot before the first one's.
	 */
	_Atomic uint32_t owner;
	union {
		struct {
			uint32_t next; /* in the chain of its head or of free slots, plus one; rebuilt */
			uint16_t user_len : 7;
			uint16_t device_len : 5;
			uint16_t is_ipv4 : 1; /* of the address the last four bytes alone are kept */
			uint16_t has_second : 1;
			unsigned char bytes[54]; /* where there is a second slot, its index lies in the last four */
		};
		unsigned char more[60]; /* of a second slot, while it is taken */
	};
};
/* In the owner of a second slot. */
#define PRESENCE_SECOND (UINT32_C(1) << 31)

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

/* ---- connections of addresses: addresses.c ---- */

#define ADDRESS_WAYS 16

/* The neighbourhood of a hash. A word is one worker's connections of one address; 0: unused. */
struct address_set {
	_Alignas(HUB_LINE) _Atomic uint64_t word[ADDRESS_WAYS];
};

/* ---- members of groups who are online: audience.c ---- */

#define AUDIENCE_SETS 8192 /* a power of two */
#define AUDIENCE_WAYS 8

/* A worker's, who alone writes it; but the master ends `lives`. */
struct audience {
	_Alignas(HUB_LINE) _Atomic bool lives; /* else its words count for nothing */
	_Atomic bool written;		       /* it has words, maybe of a predecessor */
	_Alignas(HUB_LINE) _Atomic uint64_t word[AUDIENCE_SETS][AUDIENCE_WAYS];
};

_Static_assert(sizeof(struct hub_half) == HUB_LINE, "a half of a row is a cache line");
_Static_assert(sizeof(struct presence_shard) == HUB_LINE, "a shard is a cache line");
_Static_assert(sizeof(struct presence_slot) == HUB_LINE, "a slot is a cache line");

static inline void *hub_at(const struct hub *h, uint64_t offset)
{
	return (char *)h->shared + offset;
}

/* Prepare fresh memory. */
void presence_init(struct hub *h);
void bucket_init(struct hub *h);
void tickets_init(struct hub *h);
/* Take out all rows of the worker's slot, which is dead; without a lock. */
void presence_forget(struct hub *h, unsigned worker);
/* Its gauges are those of nobody. */
void stats_forget(struct hub *h, unsigned slot);
void addresses_forget(struct hub *h, unsigned worker);
void audience_forget(struct hub *h, unsigned worker);
/* Puts the shards in order that presence_forget has left untidy. */
void presence_tidy(struct hub *h);

#endif
