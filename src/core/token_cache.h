/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to token.c: the verified tokens that are remembered, by SHA-256. At most
 * TOKEN_CACHE_MAX of them; a set of eight is searched whole, and its longest unused one
 * makes room.
 */
#ifndef TIDINGS_CORE_TOKEN_CACHE_H
#define TIDINGS_CORE_TOKEN_CACHE_H

#include "core/base.h"
#include "core/token.h"

#define TOKEN_CACHE_SETS 2048
#define TOKEN_CACHE_WAYS 8
#define TOKEN_CACHE_MAX (TOKEN_CACHE_SETS * TOKEN_CACHE_WAYS)
#define TOKEN_HASH_LEN 32

struct token_cache;

struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache **cache);
/* hash: TOKEN_HASH_LEN bytes. Fills *claims_r, if the token is remembered. One that expired by now_ms is forgotten
 * instead. */
bool token_cache_get(struct token_cache *cache, const unsigned char *hash, int64_t now_ms,
		     struct token_claims *claims_r);
void token_cache_put(struct token_cache *cache, const unsigned char *hash, int64_t now_ms,
		     const struct token_claims *claims);
size_t token_cache_count(const struct token_cache *cache);

#endif
