/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache of verified tokens; see token_cache.h. Only what was verified goes
 * in, so that nobody without a key can push others out. Within a set the order is that
 * of use. The table of sets is touched page by page, and an entry is as long as
 * its user id.
 */
#include "core/base.h"
#include "core/token_cache.h"

#include <stdlib.h>

struct entry {
	unsigned char hash[TOKEN_HASH_LEN];
	int64_t expires_ms, issued_ms;
	uint64_t login;
	unsigned scopes;
	unsigned char user_len;
	char user[]; /* not terminated */
};

struct token_cache {
	size_t count;
	struct entry *set[TOKEN_CACHE_SETS][TOKEN_CACHE_WAYS]; /* the latest used first; NULL only at the end */
};

static struct entry **find_set(struct token_cache *cache, const unsigned char *hash)
{
	return cache->set[((unsigned)hash[0] << 8 | hash[1]) % TOKEN_CACHE_SETS];
}

static void move_to_front(struct entry **set, size_t way)
{
	struct entry *e = set[way];
	memmove(set + 1, set, way * sizeof(*set));
	set[0] = e;
}

static void forget(struct token_cache *cache, struct entry **set, size_t way)
{
	free(set[way]);
	memmove(set + way, set + way + 1, (TOKEN_CACHE_WAYS - 1 - way) * sizeof(*set));
	set[TOKEN_CACHE_WAYS - 1] = NULL;
	cache->count--;
}

struct token_cache *token_cache_new(void)
{
	return xcalloc(1, sizeof(struct token_cache));
}

void token_cache_free(struct token_cache **cache)
{
	if (*cache == NULL)
		return;
	for (size_t i = 0; i < TOKEN_CACHE_SETS && (*cache)->count > 0; i++) {
		while ((*cache)->set[i][0] != NULL)
			forget(*cache, (*cache)->set[i], 0);
	}
	free(*cache);
	*cache = NULL;
}

bool token_cache_get(struct token_cache *cache, const unsigned char *hash, int64_t now_ms,
		     struct token_claims *claims_r)
{
	struct entry **set = find_set(cache, hash);

	for (size_t way = 0; way < TOKEN_CACHE_WAYS && set[way] != NULL; way++) {
		const struct entry *e = set[way];
		if (memcmp(e->hash, hash, TOKEN_HASH_LEN) != 0)
			continue;
		if (now_ms >= e->expires_ms) {
			forget(cache, set, way);
			return false;
		}
		memset(claims_r, 0, sizeof(*claims_r));
		claims_r->expires_ms = e->expires_ms;
		claims_r->issued_ms = e->issued_ms;
		claims_r->login = e->login;
		claims_r->scopes = e->scopes;
		memcpy(claims_r->user_id, e->user, e->user_len);
		move_to_front(set, way);
		return true;
	}
	return false;
}

void token_cache_put(struct token_cache *cache, const unsigned char *hash, int64_t now_ms,
		     const struct token_claims *claims)
{
	struct entry **set = find_set(cache, hash);
	size_t user_len = strlen(claims->user_id), way = 0;
	struct entry *e;

	while (way < TOKEN_CACHE_WAYS && set[way] != NULL) {
		if (now_ms >= set[way]->expires_ms || memcmp(set[way]->hash, hash, TOKEN_HASH_LEN) == 0)
			forget(cache, set, way);
		else
			way++;
	}
	if (way == TOKEN_CACHE_WAYS)
		forget(cache, set, --way);
	e = xmalloc(sizeof(*e) + user_len);
	memcpy(e->hash, hash, TOKEN_HASH_LEN);
	e->expires_ms = claims->expires_ms;
	e->issued_ms = claims->issued_ms;
	e->login = claims->login;
	e->user_len = (unsigned char)user_len;
	e->scopes = claims->scopes;
	memcpy(e->user, claims->user_id, user_len);
	set[way] = e;
	move_to_front(set, way);
	cache->count++;
}

size_t token_cache_count(const struct token_cache *cache)
{
	return cache->count;
}
