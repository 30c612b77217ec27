/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The presence table. A user's hash picks the shard and the chain in it; each
 * shard has its own lock, heads and slots. A slot is taken if it has an owner:
 * that one word, stored last, is the truth. Chains, free list and count are
 * drawn from the owners again when a holder of the lock has died, and when the master has taken the owners of a dead
 * worker out: it takes no lock, for what it would follow may be forged (hub_guard).
 */
#include "core/base.h"
#include "hub/presence.h"

#include "core/log.h"
#include "core/siphash.h"
#include "hub/hub_layout.h"
#include "hub/lock.h"

/* A shard under its lock. */
struct view {
	struct presence_shard *shard;
	struct presence_slot *slots;
	uint32_t *heads;
	uint32_t head_mask;
	_Atomic uint32_t *used;
};

static uint64_t user_hash(const struct hub *h, const char *user_id)
{
	return siphash(h->key, user_id, strnlen(user_id, USER_ID_MAX));
}

static unsigned shard_of(uint64_t hash)
{
	return hash >> 58;
}
_Static_assert(PRESENCE_SHARDS == 1 << 6, "the six upper bits of the hash");

static struct view view_of(struct hub *h, unsigned shard)
{
	return (struct view){
		.shard = (struct presence_shard *)hub_at(h, h->shards_at) + shard,
		.slots = (struct presence_slot *)hub_at(h, h->slots_at) + (size_t)shard * h->slots_per_shard,
		.heads = (uint32_t *)hub_at(h, h->heads_at) + (size_t)shard * h->heads_per_shard,
		.head_mask = h->heads_per_shard - 1,
		.used = (_Atomic uint32_t *)hub_at(h, h->used_at) + shard,
	};
}

static uint32_t owner_of(const struct presence_slot *slot)
{
	return atomic_load_explicit(&slot->owner, memory_order_relaxed);
}

static void set_owner(struct presence_slot *slot, uint32_t owner)
{
	atomic_store_explicit(&slot->owner, owner, memory_order_release);
}

static uint32_t *head_of(const struct view *v, uint64_t hash)
{
	return &v->heads[hash & v->head_mask];
}

static uint32_t *head_of_slot(const struct hub *h, const struct view *v, const struct presence_slot *slot)
{
	return head_of(v, user_hash(h, slot->user_id));
}

static void count_used(const struct view *v, int change)
{
	atomic_store_explicit(v->used, atomic_load_explicit(v->used, memory_order_relaxed) + (uint32_t)change,
			      memory_order_relaxed);
}

/* Never more than there are, whatever is written there. */
static uint32_t fresh_of(const struct hub *h, const struct view *v)
{
	uint32_t fresh = __atomic_load_n(&v->shard->fresh, __ATOMIC_RELAXED);
	return fresh < h->slots_per_shard ? fresh : h->slots_per_shard;
}

/* Links every slot that has an owner, and frees the others. Believes in nothing but owners. */
static void rebuild(const struct hub *h, const struct view *v)
{
	uint32_t used = 0;
	memset(v->heads, 0, sizeof(v->heads[0]) * ((size_t)v->head_mask + 1));
	v->shard->free = 0;
	for (uint32_t i = fresh_of(h, v); i-- > 0;) {
		struct presence_slot *slot = &v->slots[i];
		uint32_t *list = &v->shard->free;
		if (owner_of(slot) != 0) {
			list = head_of_slot(h, v, slot);
			used++;
		}
		slot->next = *list;
		*list = i + 1;
	}
	atomic_store_explicit(v->used, used, memory_order_relaxed);
}

static struct view enter(struct hub *h, unsigned shard)
{
	struct view v = view_of(h, shard);
	ASSERT(!h->guarded);
	bool broken = lock_take(&v.shard->lock);
	if (atomic_exchange(&v.shard->untidy, 0) != 0 || broken)
		rebuild(h, &v);
	if (broken)
		lock_repaired(&v.shard->lock);
	return v;
}

static void leave(const struct view *v)
{
	lock_drop(&v->shard->lock);
}

void presence_init(struct hub *h)
{
	for (unsigned i = 0; i < PRESENCE_SHARDS; i++)
		lock_init(&view_of(h, i).shard->lock);
}

uint32_t presence_total(const struct hub *h)
{
	const _Atomic uint32_t *used = hub_at(h, h->used_at);
	uint32_t sum = 0;
	for (unsigned i = 0; i < PRESENCE_SHARDS; i++)
		sum += atomic_load_explicit(&used[i], memory_order_relaxed);
	return sum;
}

static void put_row(struct presence_slot *slot, const struct presence_row *row)
{
	memcpy(slot->user_id, row->user_id, sizeof(slot->user_id));
	memcpy(slot->session_id, row->session_id, sizeof(slot->session_id));
	memcpy(slot->device, row->device, sizeof(slot->device));
	slot->address = row->address;
}

static void get_row(const struct presence_slot *slot, struct presence_row *row_r)
{
	*row_r = (struct presence_row){.address = slot->address, .worker = (uint16_t)(owner_of(slot) - 1)};
	memcpy(row_r->user_id, slot->user_id, sizeof(slot->user_id));
	memcpy(row_r->session_id, slot->session_id, sizeof(slot->session_id));
	memcpy(row_r->device, slot->device, sizeof(slot->device));
}

int32_t presence_add(struct hub *h, const struct presence_row *row)
{
	ASSERT(row->worker < h->workers);
	if (presence_total(h) >= h->sessions)
		return -1;
	uint64_t hash = user_hash(h, row->user_id);
	struct view v = enter(h, shard_of(hash));
	uint32_t i;
	if (v.shard->free != 0) {
		i = v.shard->free - 1;
		v.shard->free = v.slots[i].next;
	} else if (v.shard->fresh < h->slots_per_shard) {
		i = v.shard->fresh++;
	} else {
		leave(&v);
		return -1;
	}
	struct presence_slot *slot = &v.slots[i];
	put_row(slot, row);
	set_owner(slot, row->worker + 1u);
	uint32_t *head = head_of(&v, hash);
	slot->next = *head;
	*head = i + 1;
	count_used(&v, 1);
	leave(&v);
	return (int32_t)(shard_of(hash) * h->slots_per_shard + i);
}

void presence_remove(struct hub *h, int32_t handle)
{
	if (handle < 0)
		return;
	unsigned shard = (uint32_t)handle / h->slots_per_shard;
	uint32_t i = (uint32_t)handle % h->slots_per_shard;
	ASSERT(shard < PRESENCE_SHARDS);
	struct view v = enter(h, shard);
	struct presence_slot *slot = &v.slots[i];
	if (owner_of(slot) != 0) {
		set_owner(slot, 0);
		uint32_t *link = head_of_slot(h, &v, slot);
		while (*link != i + 1) {
			ASSERT(*link != 0);
			link = &v.slots[*link - 1].next;
		}
		*link = slot->next;
		slot->next = v.shard->free;
		v.shard->free = i + 1;
		count_used(&v, -1);
	}
	leave(&v);
}

static bool is_of(const struct presence_slot *slot, const char *user_id)
{
	return owner_of(slot) != 0 && strncmp(slot->user_id, user_id, sizeof(slot->user_id)) == 0;
}

/* ---- without the lock: what the master may do ---- */

/* A copy of the slot as it was at one moment, if it is somebody's; others may be writing it. */
static bool snapshot(const struct hub *h, const struct presence_slot *slot, struct presence_slot *out)
{
	enum { TRIES = 8 };
	struct presence_slot again;
	for (int i = 0; i < TRIES; i++) {
		if (owner_of(slot) == 0)
			return false;
		memcpy(out, slot, sizeof(*out));
		atomic_thread_fence(memory_order_acq_rel);
		memcpy(&again, slot, sizeof(again));
		if (memcmp(out, &again, sizeof(again)) == 0)
			return owner_of(out) != 0 && owner_of(out) <= h->workers;
	}
	return false;
}

/* Rows of the user (NULL: of all) in the shard, from slot *at_r on; it is then the next one's, or 0 without one. */
static size_t scan(struct hub *h, unsigned shard, const char *user_id, uint32_t *at_r, struct presence_row *out,
		   size_t max)
{
	struct view v = view_of(h, shard);
	struct presence_slot slot;
	uint32_t i = *at_r, end = fresh_of(h, &v);
	size_t n = 0;
	*at_r = 0;
	for (; i < end; i++) {
		if (!snapshot(h, &v.slots[i], &slot) || (user_id != NULL && !is_of(&slot, user_id)))
			continue;
		if (n == max) {
			*at_r = i;
			break;
		}
		get_row(&slot, &out[n++]);
	}
	return n;
}

/* The cursor is the next slot of the whole table. */
size_t presence_list(struct hub *h, const char *user_id, uint32_t *cursor_r, struct presence_row *out, size_t max)
{
	bool all = user_id == NULL;
	unsigned shard = all ? *cursor_r / h->slots_per_shard : shard_of(user_hash(h, user_id));
	uint32_t i = *cursor_r % h->slots_per_shard;
	size_t n = 0;
	do {
		n += scan(h, shard, user_id, &i, out + n, max - n);
		if (i != 0) {
			*cursor_r = shard * h->slots_per_shard + i;
			return n;
		}
		shard++;
	} while (all && shard < PRESENCE_SHARDS && n < max);
	*cursor_r = all && shard < PRESENCE_SHARDS ? shard * h->slots_per_shard : 0;
	return n;
}

static unsigned scan_count(struct hub *h, const char *user_id)
{
	struct presence_row row[16];
	uint32_t cursor = 0;
	unsigned count = 0;
	do
		count += (unsigned)presence_list(h, user_id, &cursor, row, ARRAY_LEN(row));
	while (cursor != 0);
	return count;
}

void presence_forget(struct hub *h, unsigned worker)
{
	for (unsigned shard = 0; shard < PRESENCE_SHARDS; shard++) {
		struct view v = view_of(h, shard);
		uint32_t end = fresh_of(h, &v);
		for (uint32_t i = 0; i < end; i++)
			if (owner_of(&v.slots[i]) == worker + 1)
				set_owner(&v.slots[i], 0);
		/*
		 * Behind the owners: who sees it sees them. Also where it owned nothing: it may have died between
		 * giving up its last slot and counting it.
		 */
		atomic_store(&v.shard->untidy, 1);
	}
}

/* ---- under it: what workers do ---- */

void presence_tidy(struct hub *h)
{
	for (unsigned shard = 0; shard < PRESENCE_SHARDS; shard++) {
		if (atomic_load(&view_of(h, shard).shard->untidy) == 0)
			continue;
		struct view v = enter(h, shard);
		leave(&v);
	}
}

unsigned presence_count(struct hub *h, const char *user_id)
{
	if (h->guarded)
		return scan_count(h, user_id);
	uint64_t hash = user_hash(h, user_id);
	struct view v = enter(h, shard_of(hash));
	unsigned count = 0;
	for (uint32_t link = *head_of(&v, hash); link != 0; link = v.slots[link - 1].next)
		count += is_of(&v.slots[link - 1], user_id);
	leave(&v);
	return count;
}
