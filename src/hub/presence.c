/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The presence table. A user's hash picks the shard and the chain in it; each
 * shard has its own lock, heads and slots. A slot is taken if it has an owner:
 * that one word, stored last, is the truth. Chains, free list and count are
 * drawn from the owners again when a holder of the lock has died.
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

/* Links every slot that has an owner, and frees the others. Believes in nothing but owners. */
static void rebuild(const struct hub *h, const struct view *v)
{
	uint32_t used = 0;
	memset(v->heads, 0, sizeof(v->heads[0]) * ((size_t)v->head_mask + 1));
	v->shard->free = 0;
	for (uint32_t i = v->shard->fresh; i-- > 0;) {
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
	if (lock_take(&v.shard->lock)) {
		rebuild(h, &v);
		lock_repaired(&v.shard->lock);
	}
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

void presence_usage(struct hub *h, uint32_t *used_r, uint32_t *size_r)
{
	const _Atomic uint32_t *used = hub_at(h, h->used_at);
	uint32_t sum = 0;
	for (unsigned i = 0; i < PRESENCE_SHARDS; i++)
		sum += atomic_load_explicit(&used[i], memory_order_relaxed);
	*used_r = sum;
	*size_r = h->sessions;
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
	uint32_t used, size;
	ASSERT(row->worker < h->workers);
	presence_usage(h, &used, &size);
	if (used >= size)
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
	return strncmp(slot->user_id, user_id, sizeof(slot->user_id)) == 0;
}

unsigned presence_count(struct hub *h, const char *user_id)
{
	uint64_t hash = user_hash(h, user_id);
	struct view v = enter(h, shard_of(hash));
	unsigned count = 0;
	for (uint32_t link = *head_of(&v, hash); link != 0; link = v.slots[link - 1].next)
		count += is_of(&v.slots[link - 1], user_id);
	leave(&v);
	return count;
}

/* The cursor counts the user's rows that were told. */
static size_t list_user(struct hub *h, const char *user_id, uint32_t *cursor_r, struct presence_row *out, size_t max)
{
	uint64_t hash = user_hash(h, user_id);
	struct view v = enter(h, shard_of(hash));
	uint32_t skip = *cursor_r, seen = 0;
	size_t n = 0;
	bool more = false;
	for (uint32_t link = *head_of(&v, hash); link != 0 && !more; link = v.slots[link - 1].next) {
		const struct presence_slot *slot = &v.slots[link - 1];
		if (!is_of(slot, user_id) || seen++ < skip)
			continue;
		if (n < max)
			get_row(slot, &out[n++]);
		else
			more = true;
	}
	leave(&v);
	*cursor_r = more ? skip + (uint32_t)n : 0;
	return n;
}

/* The cursor is the next slot of the whole table. */
static size_t list_all(struct hub *h, uint32_t *cursor_r, struct presence_row *out, size_t max)
{
	size_t n = 0;
	unsigned shard = *cursor_r / h->slots_per_shard;
	uint32_t i = *cursor_r % h->slots_per_shard;
	for (; shard < PRESENCE_SHARDS; shard++, i = 0) {
		struct view v = enter(h, shard);
		for (; i < v.shard->fresh && n < max; i++) {
			if (owner_of(&v.slots[i]) != 0)
				get_row(&v.slots[i], &out[n++]);
		}
		bool done = i >= v.shard->fresh;
		leave(&v);
		if (!done) {
			*cursor_r = shard * h->slots_per_shard + i;
			return n;
		}
	}
	*cursor_r = 0;
	return n;
}

size_t presence_list(struct hub *h, const char *user_id, uint32_t *cursor_r, struct presence_row *out, size_t max)
{
	return user_id != NULL ? list_user(h, user_id, cursor_r, out, max) : list_all(h, cursor_r, out, max);
}

void presence_forget(struct hub *h, unsigned worker)
{
	for (unsigned shard = 0; shard < PRESENCE_SHARDS; shard++) {
		struct view v = enter(h, shard);
		bool found = false;
		for (uint32_t i = 0; i < v.shard->fresh; i++) {
			if (owner_of(&v.slots[i]) == worker + 1) {
				set_owner(&v.slots[i], 0);
				found = true;
			}
		}
		if (found)
			rebuild(h, &v);
		leave(&v);
	}
}
