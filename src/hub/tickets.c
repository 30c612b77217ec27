/* SPDX-License-Identifier: BSD-2-Clause */
/* Ticket keys, the newest first. Who finds the lock of a dead one forgets all keys: clients then shake hands anew. */
#include "core/base.h"
#include "hub/tickets.h"

#include "core/log.h"
#include "hub/hub_layout.h"
#include "hub/lock.h"

#include <errno.h>
#include <sys/random.h>

void tickets_init(struct hub *h)
{
	lock_init(&h->shared->tickets.lock);
}

static bool is_made(const struct ticket_slot *slot)
{
	return slot->made_ms != 0;
}

static void make_key(struct ticket_slot *slot, int64_t now_ms)
{
	/* Never blocks nor falls short once the kernel has started (getrandom(2)). */
	ssize_t n = getrandom(&slot->key, sizeof(slot->key), 0);
	if (n != (ssize_t)sizeof(slot->key))
		log_fatal("getrandom: %s", strerror(errno));
	slot->made_ms = now_ms;
}

static void take(struct hub *h)
{
	struct hub_tickets *t = &h->shared->tickets;
	ASSERT(!h->guarded);
	if (!lock_take(&t->lock))
		return;
	memset(t->slot, 0, sizeof(t->slot));
	lock_repaired(&t->lock);
}

/* Under the lock: slot 0 has a key that is young enough. */
static void rotate(struct hub *h, int64_t now_ms)
{
	struct ticket_slot *slot = h->shared->tickets.slot;
	for (unsigned i = 0; i < TICKET_KEYS; i++)
		if (now_ms - slot[i].made_ms >= TICKET_KEYS * TICKET_KEY_MS)
			explicit_bzero(&slot[i], sizeof(slot[i]));
	if (is_made(&slot[0]) && now_ms - slot[0].made_ms < TICKET_KEY_MS)
		return;
	memmove(&slot[1], &slot[0], (TICKET_KEYS - 1) * sizeof(*slot));
	make_key(&slot[0], now_ms);
}

void ticket_key_newest(struct hub *h, int64_t now_mono_ms, struct ticket_key *out)
{
	take(h);
	rotate(h, now_mono_ms);
	*out = h->shared->tickets.slot[0].key;
	lock_drop(&h->shared->tickets.lock);
}

bool ticket_key_find(struct hub *h, const unsigned char name[TICKET_NAME_LEN], int64_t now_mono_ms,
		     struct ticket_key *out, bool *newest_r)
{
	bool found = false;
	take(h);
	rotate(h, now_mono_ms);
	for (unsigned i = 0; i < TICKET_KEYS && !found; i++) {
		const struct ticket_slot *slot = &h->shared->tickets.slot[i];
		found = is_made(slot) && memcmp(slot->key.name, name, TICKET_NAME_LEN) == 0;
		if (found) {
			*out = slot->key;
			*newest_r = i == 0;
		}
	}
	lock_drop(&h->shared->tickets.lock);
	return found;
}
