/* SPDX-License-Identifier: BSD-2-Clause */
/* Remembers which conversation two users have, and who has operations on their way. */
#include "core/base.h"
#include "store/route.h"

#include <stdlib.h>

#include "core/log.h"
#include "core/siphash.h"
#include "core/table.h"
#include "store/pairs.h"

#define KNOWN_MAX 65536

struct route_pair {
	struct pair_key key;
	uint32_t route;
	unsigned held;
};

struct routes {
	struct pairs *known;
	struct table held;
};

static struct str pair_of(const void *item)
{
	const struct route_pair *p = item;
	return (struct str){p->key.text, p->key.len};
}

struct routes *routes_new(void)
{
	struct routes *r = xcalloc(1, sizeof(*r));
	r->known = pairs_new(KNOWN_MAX);
	table_init(&r->held, pair_of);
	return r;
}

void routes_free(struct routes **rp)
{
	struct routes *r = *rp;
	if (r == NULL)
		return;
	ASSERT(r->held.count == 0);
	pairs_free(&r->known);
	table_fini(&r->held);
	free(r);
	*rp = NULL;
}

/* The same in all processes; who makes names that collide only waits for themselves. */
static uint32_t hash(const void *data, size_t len)
{
	static const uint64_t key[2] = {0x7469, 0x6469};
	return (uint32_t)siphash(key, data, len);
}

uint32_t route_by_id(uint64_t conversation_id)
{
	return hash(&conversation_id, sizeof(conversation_id));
}

uint32_t route_by_pair(struct routes *r, struct str a, struct str b, struct route_pair **pair_r)
{
	struct pair_key key = pair_key_make(a, b);
	struct route_pair *p = table_find(&r->held, (struct str){key.text, key.len});
	if (p == NULL) {
		uint64_t id = pairs_find(r->known, &key);
		p = xmalloc(sizeof(*p));
		*p = (struct route_pair){.key = key, .route = id != 0 ? route_by_id(id) : hash(key.text, key.len)};
		table_add(&r->held, p);
	}
	p->held++;
	*pair_r = p;
	return p->route;
}

void route_release(struct routes *r, struct route_pair **pair, uint64_t conversation_id)
{
	struct route_pair *p = *pair;
	*pair = NULL;
	if (p == NULL)
		return;
	if (conversation_id != 0)
		pairs_put(r->known, &p->key, conversation_id);
	if (--p->held > 0)
		return;
	table_remove(&r->held, p);
	free(p);
}
