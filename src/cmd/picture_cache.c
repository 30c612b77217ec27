/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides which pictures stay in memory. Knows nothing of requests. */
#include "core/base.h"
#include "cmd/picture_cache.h"

#include "core/clock.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

struct entry {
	UT_hash_handle hh;
	TAILQ_ENTRY(entry) used; /* the one used last is the last */
	struct blob *content;
	int64_t until_ms; /* of clock_mono_ms */
	size_t path_len;
	char path[];
};

struct picture_cache {
	struct entry *entries; /* by path */
	TAILQ_HEAD(, entry) used;
	size_t bytes;
};

static size_t size_of(const struct entry *e)
{
	return sizeof(*e) + e->path_len + e->content->len;
}

static void drop(struct picture_cache *c, struct entry *e)
{
	c->bytes -= size_of(e);
	HASH_DEL(c->entries, e);
	TAILQ_REMOVE(&c->used, e, used);
	blob_unref(e->content);
	free(e);
}

struct picture_cache *picture_cache_new(void)
{
	struct picture_cache *c = xcalloc(1, sizeof(*c));
	TAILQ_INIT(&c->used);
	return c;
}

void picture_cache_free(struct picture_cache **cp)
{
	struct picture_cache *c = *cp;
	struct entry *e;
	if (c == NULL)
		return;
	while ((e = TAILQ_FIRST(&c->used)) != NULL)
		drop(c, e);
	free(c);
	*cp = NULL;
}

struct blob *picture_cache_get(struct picture_cache *c, struct str path)
{
	struct entry *e;
	HASH_FIND(hh, c->entries, path.s, path.len, e);
	if (e == NULL)
		return NULL;
	if (e->until_ms <= clock_mono_ms()) {
		drop(c, e);
		return NULL;
	}
	TAILQ_REMOVE(&c->used, e, used);
	TAILQ_INSERT_TAIL(&c->used, e, used);
	return e->content;
}

void picture_cache_put(struct picture_cache *c, struct str path, struct blob *content)
{
	if (picture_cache_get(c, path) != NULL)
		return;
	struct entry *e = xcalloc(1, sizeof(*e) + path.len);
	e->content = blob_ref(content);
	e->until_ms = clock_mono_ms() + PICTURE_CACHE_MS;
	e->path_len = path.len;
	memcpy(e->path, path.s, path.len);
	HASH_ADD(hh, c->entries, path, path.len, e);
	TAILQ_INSERT_TAIL(&c->used, e, used);
	c->bytes += size_of(e);
	/* One picture alone always fits. */
	while (c->bytes > PICTURE_CACHE_BYTES && TAILQ_FIRST(&c->used) != e)
		drop(c, TAILQ_FIRST(&c->used));
}
