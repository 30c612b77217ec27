/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the shared memory and keeps the scoreboard. What lies where is in
 * hub_layout.h; presence, counters and buckets look after their own parts.
 */
#include "core/base.h"
#include "hub/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "core/id.h"
#include "core/log.h"
#include "hub/hub_layout.h"

#define BUCKETS_MAX (1u << 24)

_Static_assert(sizeof(struct master_half) % 8 == 0 && sizeof(struct master_half) <= 56, "fits a half");
_Static_assert(sizeof(struct worker_half) % 8 == 0 && sizeof(struct worker_half) <= 56, "fits a half");

/* The row this process is changing, of either side. */
static struct {
	struct worker_row row;
	struct worker_row before;
	unsigned slot;
	bool open;
} worker_side, master_side;

static uint32_t power_of_two_from(uint32_t least)
{
	uint32_t p = 1;
	while (p < least)
		p *= 2;
	return p;
}

/* Takes `bytes` of the mapping that grows behind *end, on a cache line. */
static uint64_t place(uint64_t *end, uint64_t bytes)
{
	uint64_t at = (*end + HUB_LINE - 1) / HUB_LINE * HUB_LINE;
	*end = at + bytes;
	return at;
}

static struct hub layout_of(const struct hub_size *size)
{
	struct hub l = {.workers = size->workers,
			.writers = size->writers,
			.relays = size->relays,
			.slots = size->workers + size->writers + size->relays + size->media,
			.sessions = size->sessions};
	uint32_t mean = (size->sessions + PRESENCE_SHARDS - 1) / PRESENCE_SHARDS;
	/*
	 * Users do not spread evenly over the shards, so each has slots to spare and the table is full by its count.
	 * A row takes two slots at most. Slots that were never used cost address space, not memory. The same goes for
	 * sets.
	 */
	l.slots_per_shard = 2 * (2 * mean + 64);
	/* A hash picks heads and sets, so few users touch most of their pages: no more of them than a full table needs.
	 */
	l.heads_per_shard = power_of_two_from(mean < 16 ? 8 : mean / 2);
	l.bucket_sets = power_of_two_from(size->buckets * 4 / BUCKET_WAYS + 1);

	/* At most half full, were every connection from another address. */
	l.address_sets = power_of_two_from((size->sessions * 2 + ADDRESS_WAYS - 1) / ADDRESS_WAYS);

	uint64_t end = sizeof(struct hub_shared);
	l.rows_at = place(&end, sizeof(struct hub_row) * l.slots);
	l.stats_at = place(&end, sizeof(struct hub_stats) * (l.slots + UINT64_C(1)));
	l.used_at = place(&end, sizeof(uint32_t) * PRESENCE_SHARDS);
	l.shards_at = place(&end, sizeof(struct presence_shard) * PRESENCE_SHARDS);
	l.heads_at = place(&end, sizeof(uint32_t) * PRESENCE_SHARDS * l.heads_per_shard);
	l.slots_at = place(&end, sizeof(struct presence_slot) * PRESENCE_SHARDS * l.slots_per_shard);
	l.bucket_shards_at = place(&end, sizeof(struct bucket_shard) * BUCKET_SHARDS);
	l.bucket_sets_at = place(&end, sizeof(struct bucket_set) * l.bucket_sets);
	l.address_sets_at = place(&end, sizeof(struct address_set) * l.address_sets);
	l.audiences_at = place(&end, sizeof(struct audience) * size->workers);
	l.bytes = end;
	return l;
}

static const char *size_fault(const struct hub_size *size)
{
	if (size->workers == 0 || size->sessions == 0 || size->buckets == 0)
		return "a table without places";
	if (size->workers > HUB_WORKERS_MAX)
		return "too many workers";
	if (size->writers > HUB_WRITERS_MAX)
		return "too many writers";
	if (size->relays > HUB_RELAYS_MAX)
		return "too many relays";
	if (size->media > HUB_MEDIA_MAX)
		return "too many media processes";
	if (size->sessions > HUB_SESSIONS_MAX)
		return "too many sessions";
	return size->buckets > BUCKETS_MAX ? "too many buckets" : NULL;
}

struct hub *hub_new(const struct hub_size *size, const char **err_r)
{
	*err_r = size_fault(size);
	if (*err_r != NULL)
		return NULL;
	struct hub layout = layout_of(size);
	if (getrandom(layout.key, sizeof(layout.key), 0) != sizeof(layout.key)) {
		*err_r = strerror(errno);
		return NULL;
	}
	void *memory =
		mmap(NULL, layout.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		*err_r = strerror(errno);
		return NULL;
	}
	struct hub *h = xmalloc(sizeof(*h));
	*h = layout;
	h->shared = memory;
	h->shared->magic = HUB_MAGIC;
	h->shared->version = HUB_VERSION;
	h->shared->bytes = layout.bytes;
	h->masters = xcalloc(h->slots, sizeof(*h->masters));
	id_random(h->name, WORKER_NAME_LEN);
	presence_init(h);
	bucket_init(h);
	tickets_init(h);
	return h;
}

void hub_free(struct hub **hp)
{
	struct hub *h = *hp;
	if (h == NULL)
		return;
	*hp = NULL;
	munmap(h->shared, h->bytes);
	free(h->masters);
	free(h);
}

void hub_guard(struct hub *h)
{
	h->guarded = true;
}

void hub_join(struct hub *h)
{
	h->guarded = false;
	presence_tidy(h);
}

void hub_tidy(struct hub *h)
{
	presence_tidy(h);
}

const char *hub_name(const struct hub *h)
{
	return h->name;
}

_Atomic int64_t *hub_clock_shift(struct hub *h)
{
	return &h->shared->clock_shift_ms;
}

_Atomic int64_t *hub_wall_shift(struct hub *h)
{
	return &h->shared->wall_shift_ms;
}

void hub_set_leaving(struct hub *h)
{
	atomic_store(&h->shared->leaving, true);
}

bool hub_is_leaving(const struct hub *h)
{
	return atomic_load(&h->shared->leaving);
}

const char *worker_state_name(enum worker_state s)
{
	switch (s) {
	case WORKER_FREE:
		return "free";
	case WORKER_STARTING:
		return "starting";
	case WORKER_READY:
		return "ready";
	case WORKER_DRAINING:
		return "draining";
	}
	return "unknown";
}

unsigned hub_worker_slots(const struct hub *h)
{
	return h->workers;
}

unsigned hub_writer_slots(const struct hub *h)
{
	return h->writers;
}

unsigned hub_relay_slots(const struct hub *h)
{
	return h->relays;
}

unsigned hub_slots(const struct hub *h)
{
	return h->slots;
}

static struct hub_row *row_of(const struct hub *h, unsigned slot)
{
	ASSERT(slot < h->slots);
	return (struct hub_row *)hub_at(h, h->rows_at) + slot;
}

/* ---- one half ---- */

/* Only by the half's one writer; a counter that a dead one left odd ends even all the same. */
static void half_write(struct hub_half *half, const void *fields, size_t size)
{
	uint32_t change = atomic_load_explicit(&half->change, memory_order_relaxed) | 1;
	uint64_t word[ARRAY_LEN(half->word)];
	memcpy(word, fields, size);
	atomic_store_explicit(&half->change, change, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < size / sizeof(word[0]); i++)
		atomic_store_explicit(&half->word[i], word[i], memory_order_relaxed);
	atomic_store_explicit(&half->change, change + 1, memory_order_release);
}

static void half_read(const struct hub *h, struct hub_half *half, void *fields, size_t size)
{
	/*
	 * A writer that lost its processor in the middle is waited for, some 10 ms: it may have died there. Not by the
	 * master, whom no worker may stop.
	 */
	enum { SPINS = 100, NAPS = 100 };
	const int most = h->guarded ? SPINS : SPINS + NAPS;
	static const struct timespec nap = {.tv_nsec = 50000};
	uint64_t word[ARRAY_LEN(half->word)];
	for (int tries = 0; tries < most; tries++) {
		uint32_t before = atomic_load_explicit(&half->change, memory_order_acquire);
		for (size_t i = 0; i < size / sizeof(word[0]); i++)
			word[i] = atomic_load_explicit(&half->word[i], memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		uint32_t after = atomic_load_explicit(&half->change, memory_order_relaxed);
		if (before == after && before % 2 == 0)
			break;
		if (tries >= SPINS)
			nanosleep(&nap, NULL);
	}
	memcpy(fields, word, size);
}

static void master_write(struct hub *h, unsigned slot, const struct worker_row *row)
{
	struct master_half m = {
		.pid = row->pid,
		.generation = row->generation,
		.state = row->state == WORKER_FREE ? WORKER_FREE : WORKER_STARTING,
		.restarts = row->restarts,
		.started_ms = row->started_ms,
		.passed = row->passed,
	};
	h->masters[slot] = m;
	half_write(&row_of(h, slot)->master, &m, sizeof(m));
}

static void worker_write(struct hub *h, unsigned slot, const struct worker_row *row)
{
	struct worker_half w = {
		.generation = row->generation,
		.state = row->state,
		.connections = row->connections,
		.websockets = row->websockets,
		.alive_ms = row->alive_ms,
		.pending = row->pending,
		.resident_kib = row->resident_kib,
		.private_kib = row->private_kib,
		.database_up = row->database_up,
		.redis_up = row->redis_up,
		.read_only = row->read_only,
		.leads = row->leads,
		.lag_ms = row->lag_ms,
	};
	half_write(&row_of(h, slot)->worker, &w, sizeof(w));
}

static bool is_state(int32_t state)
{
	return state >= WORKER_FREE && state <= WORKER_DRAINING;
}

void hub_worker_read(const struct hub *h, unsigned slot, struct worker_row *out)
{
	struct hub_row *row = row_of(h, slot);
	struct master_half m;
	struct worker_half w;
	if (h->guarded)
		m = h->masters[slot];
	else
		half_read(h, &row->master, &m, sizeof(m));
	half_read(h, &row->worker, &w, sizeof(w));
	/* Readers count by the state. */
	m.state = is_state(m.state) ? m.state : WORKER_FREE;
	w.state = is_state(w.state) ? w.state : WORKER_FREE;
	*out = (struct worker_row){
		.pid = m.pid,
		.generation = m.generation,
		.state = m.state,
		.started_ms = m.started_ms,
		.restarts = m.restarts,
		.passed = m.passed,
	};
	if (m.state == WORKER_FREE || w.generation != m.generation)
		return;
	if (w.state != WORKER_FREE)
		out->state = w.state;
	out->connections = w.connections;
	out->websockets = w.websockets;
	out->alive_ms = w.alive_ms;
	out->pending = w.pending;
	out->resident_kib = w.resident_kib;
	out->private_kib = w.private_kib;
	out->database_up = w.database_up != 0;
	out->redis_up = w.redis_up != 0;
	out->read_only = w.read_only != 0;
	out->leads = w.leads != 0;
	out->lag_ms = w.lag_ms;
}

struct worker_row *hub_worker_begin(struct hub *h, unsigned slot)
{
	ASSERT(!worker_side.open);
	worker_side.open = true;
	worker_side.slot = slot;
	hub_worker_read(h, slot, &worker_side.row);
	worker_side.before = worker_side.row;
	return &worker_side.row;
}

void hub_worker_end(struct hub *h, unsigned slot)
{
	const struct worker_row *now = &worker_side.row, *before = &worker_side.before;
	ASSERT(worker_side.open && worker_side.slot == slot);
	ASSERT(now->pid == before->pid && now->generation == before->generation && now->passed == before->passed &&
	       now->started_ms == before->started_ms && now->restarts == before->restarts);
	worker_side.open = false;
	worker_write(h, slot, now);
}

struct worker_row *hub_master_begin(struct hub *h, unsigned slot)
{
	ASSERT(!master_side.open);
	master_side.open = true;
	master_side.slot = slot;
	hub_worker_read(h, slot, &master_side.row);
	master_side.before = master_side.row;
	return &master_side.row;
}

void hub_master_end(struct hub *h, unsigned slot)
{
	const struct worker_row *now = &master_side.row, *before = &master_side.before;
	ASSERT(master_side.open && master_side.slot == slot);
	ASSERT(now->connections == before->connections && now->websockets == before->websockets &&
	       now->alive_ms == before->alive_ms && now->pending == before->pending &&
	       now->resident_kib == before->resident_kib && now->private_kib == before->private_kib &&
	       now->database_up == before->database_up && now->redis_up == before->redis_up &&
	       now->read_only == before->read_only && now->leads == before->leads && now->lag_ms == before->lag_ms);
	master_side.open = false;
	master_write(h, slot, now);
}

void hub_worker_forget(struct hub *h, unsigned slot)
{
	struct worker_row row;
	stats_forget(h, slot);
	if (slot < h->workers) {
		presence_forget(h, slot);
		addresses_forget(h, slot);
		audience_forget(h, slot);
	}
	if (!h->guarded)
		presence_tidy(h);
	hub_worker_read(h, slot, &row);
	row.pid = 0;
	row.state = WORKER_FREE;
	master_write(h, slot, &row);
	worker_write(h, slot, &(struct worker_row){0});
}
