/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The presence table. A user's hash picks the shard and the chain in it; each
 * shard has its own lock, heads and slots. A slot is taken if it has an owner:
 * that one word, stored last, is the truth. A row of many bytes has a second slot, with the same owner. Chains, free
 * list and count are drawn from the owners again when a holder of the lock has died, and when the master has taken the
 * owners of a dead worker out: it takes no lock, for what it would follow may be forged (hub_guard).
 */
#include "core/base.h"
#include "hub/presence.h"

#include "core/log.h"
#include "core/siphash.h"
#include "hub/hub_layout.h"
#include "hub/lock.h"
#include "hub/presence_image.h"

/* A shard under its lock. */
struct view {
	struct presence_shard *shard;
	struct presence_slot *slots;
	uint32_t *heads;
	uint32_t head_mask;
	_Atomic uint32_t *used;
	uint32_t count; /* of slots */
};

/* What a slot holds of the row's bytes, beside the index of the second one where there is one. */
#define FIRST_ALONE sizeof(((struct presence_slot *)NULL)->bytes)
#define FIRST_OF_TWO (FIRST_ALONE - sizeof(uint32_t))
_Static_assert(FIRST_OF_TWO + sizeof(((struct presence_slot *)NULL)->more) >= PRESENCE_BYTES_MAX, "two slots suffice");

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
		.count = h->slots_per_shard,
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

/* ---- the slots of a row ---- */

static bool is_row(uint32_t owner)
{
	return owner != 0 && (owner & PRESENCE_SECOND) == 0;
}

/* The second slot of a row of this owner; NULL: it has none, or what is written there is wrong. */
static struct presence_slot *second_of(const struct view *v, const struct presence_slot *slot)
{
	uint32_t at;
	if (!slot->has_second)
		return NULL;
	memcpy(&at, slot->bytes + FIRST_OF_TWO, sizeof(at));
	return at < v->count ? &v->slots[at] : NULL;
}

/* `second`: NULL where there is none. False: that is no row's. */
static bool get_image(const struct presence_slot *slot, const struct presence_slot *second, struct presence_image *out)
{
	*out = (struct presence_image){
		.user_len = slot->user_len, .device_len = slot->device_len, .is_ipv4 = slot->is_ipv4};
	if (out->user_len > USER_ID_MAX || out->device_len > DEVICE_MAX ||
	    (second == NULL) != (presence_image_len(out) <= FIRST_ALONE))
		return false;
	memcpy(out->bytes, slot->bytes, second == NULL ? FIRST_ALONE : FIRST_OF_TWO);
	if (second != NULL)
		memcpy(out->bytes + FIRST_OF_TWO, second->more, sizeof(second->more));
	return true;
}

/* The owner of the second slot is set, and not yet that of the first. */
static void put_image(const struct view *v, uint32_t first, uint32_t second, const struct presence_image *image,
		      uint32_t owner)
{
	struct presence_slot *slot = &v->slots[first];
	slot->user_len = image->user_len & 127;
	slot->device_len = image->device_len & 31;
	slot->is_ipv4 = image->is_ipv4;
	slot->has_second = presence_image_len(image) > FIRST_ALONE;
	memcpy(slot->bytes, image->bytes, slot->has_second ? FIRST_OF_TWO : FIRST_ALONE);
	if (!slot->has_second)
		return;
	memcpy(slot->bytes + FIRST_OF_TWO, &second, sizeof(second));
	memcpy(v->slots[second].more, image->bytes + FIRST_OF_TWO, sizeof(v->slots[second].more));
	set_owner(&v->slots[second], owner | PRESENCE_SECOND);
}

static bool is_of(const struct view *v, const struct presence_slot *slot, const char *user_id, size_t len)
{
	struct presence_image image;
	return slot->user_len == len && memcmp(slot->bytes, user_id, len < FIRST_OF_TWO ? len : FIRST_OF_TWO) == 0 &&
	       (len <= FIRST_OF_TWO ||
		(get_image(slot, second_of(v, slot), &image) && memcmp(image.bytes, user_id, len) == 0));
}

/* Whatever is in the slot. */
static uint32_t *head_of_slot(const struct hub *h, const struct view *v, const struct presence_slot *slot)
{
	struct presence_image image;
	if (!get_image(slot, second_of(v, slot), &image))
		image.user_len = 0;
	return head_of(v, siphash(h->key, image.bytes, image.user_len));
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

static void push(const struct view *v, uint32_t *list, uint32_t i)
{
	v->slots[i].next = *list;
	*list = i + 1;
}

/* Links every row that has an owner, and frees the other slots. Believes in nothing but owners. */
static void rebuild(const struct hub *h, const struct view *v)
{
	uint32_t used = 0;
	memset(v->heads, 0, sizeof(v->heads[0]) * ((size_t)v->head_mask + 1));
	v->shard->free = 0;
	for (uint32_t i = fresh_of(h, v); i-- > 0;) {
		uint32_t owner = owner_of(&v->slots[i]);
		if (owner == 0)
			push(v, &v->shard->free, i);
		if (!is_row(owner))
			continue;
		push(v, head_of_slot(h, v, &v->slots[i]), i);
		used++;
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

/* A slot that is nobody's; false: there is none. */
static bool take_free(const struct view *v, uint32_t *i_r)
{
	if (v->shard->free != 0) {
		*i_r = v->shard->free - 1;
		v->shard->free = v->slots[*i_r].next;
		return true;
	}
	*i_r = v->shard->fresh;
	if (v->shard->fresh >= v->count)
		return false;
	v->shard->fresh++;
	return true;
}

int32_t presence_add(struct hub *h, const struct presence_row *row)
{
	ASSERT(row->worker < h->workers);
	struct presence_image image;
	presence_image_make(&image, row);
	if (presence_total(h) >= h->sessions)
		return -1;
	uint64_t hash = siphash(h->key, image.bytes, image.user_len);
	struct view v = enter(h, shard_of(hash));
	uint32_t i, second = 0, owner = row->worker + 1u;
	if (!take_free(&v, &i)) {
		leave(&v);
		return -1;
	}
	if (presence_image_len(&image) > FIRST_ALONE && !take_free(&v, &second)) {
		push(&v, &v.shard->free, i);
		leave(&v);
		return -1;
	}
	put_image(&v, i, second, &image, owner);
	set_owner(&v.slots[i], owner);
	push(&v, head_of(&v, hash), i);
	count_used(&v, 1);
	leave(&v);
	return (int32_t)(shard_of(hash) * h->slots_per_shard + i);
}

static void unlink_row(struct hub *h, const struct view *v, uint32_t i)
{
	uint32_t *link = head_of_slot(h, v, &v->slots[i]);
	while (*link != i + 1) {
		ASSERT(*link != 0);
		link = &v->slots[*link - 1].next;
	}
	*link = v->slots[i].next;
}

void presence_remove(struct hub *h, int32_t handle)
{
	if (handle < 0)
		return;
	unsigned shard = (uint32_t)handle / h->slots_per_shard;
	uint32_t i = (uint32_t)handle % h->slots_per_shard;
	ASSERT(shard < PRESENCE_SHARDS);
	struct view v = enter(h, shard);
	struct presence_slot *slot = &v.slots[i], *second = second_of(&v, slot);
	uint32_t owner = owner_of(slot);
	if (is_row(owner)) {
		set_owner(slot, 0);
		unlink_row(h, &v, i);
		if (second != NULL && owner_of(second) == (owner | PRESENCE_SECOND)) {
			set_owner(second, 0);
			push(&v, &v.shard->free, (uint32_t)(second - v.slots));
		}
		push(&v, &v.shard->free, i);
		count_used(&v, -1);
	}
	leave(&v);
}

/* ---- without the lock: what the master may do ---- */

/* Copies the slots of a row; false: what is there is none. */
static bool copy_slots(const struct view *v, const struct presence_slot *slot, struct presence_slot copy[2])
{
	memcpy(&copy[0], slot, sizeof(copy[0]));
	const struct presence_slot *second = second_of(v, &copy[0]);
	if (!copy[0].has_second)
		memset(&copy[1], 0, sizeof(copy[1]));
	else if (second != NULL)
		memcpy(&copy[1], second, sizeof(copy[1]));
	return !copy[0].has_second || second != NULL;
}

/* The row as it was at one moment, if it is somebody's; others may be writing it. */
static bool snapshot(const struct hub *h, const struct view *v, const struct presence_slot *slot,
		     struct presence_row *row_r)
{
	enum { TRIES = 8 };
	struct presence_slot copy[2], again[2];
	struct presence_image image;
	for (int i = 0; i < TRIES; i++) {
		if (!is_row(owner_of(slot)))
			return false;
		bool whole = copy_slots(v, slot, copy);
		atomic_thread_fence(memory_order_acq_rel);
		if (!whole || !copy_slots(v, slot, again) || memcmp(copy, again, sizeof(copy)) != 0)
			continue;
		uint32_t owner = owner_of(&copy[0]);
		bool has_second = copy[0].has_second;
		if (!is_row(owner) || owner > h->workers ||
		    (has_second && owner_of(&copy[1]) != (owner | PRESENCE_SECOND)) ||
		    !get_image(&copy[0], has_second ? &copy[1] : NULL, &image))
			return false;
		presence_image_read(&image, row_r);
		row_r->worker = (uint16_t)(owner - 1);
		return true;
	}
	return false;
}

/* Rows of the user (NULL: of all) in the shard, from slot *at_r on; it is then the next one's, or 0 without one. */
static size_t scan(struct hub *h, unsigned shard, const char *user_id, uint32_t *at_r, struct presence_row *out,
		   size_t max)
{
	struct view v = view_of(h, shard);
	struct presence_row row;
	uint32_t i = *at_r, end = fresh_of(h, &v);
	size_t n = 0;
	*at_r = 0;
	for (; i < end; i++) {
		if (!snapshot(h, &v, &v.slots[i], &row) || (user_id != NULL && strcmp(row.user_id, user_id) != 0))
			continue;
		if (n == max) {
			*at_r = i;
			break;
		}
		out[n++] = row;
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
			if ((owner_of(&v.slots[i]) & ~PRESENCE_SECOND) == worker + 1)
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
	size_t len = strnlen(user_id, USER_ID_MAX);
	for (uint32_t link = *head_of(&v, hash); link != 0; link = v.slots[link - 1].next)
		count += is_of(&v, &v.slots[link - 1], user_id, len);
	leave(&v);
	return count;
}
