/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures in memory: found again, for a time and within a bound, the ones used last. */
#include "core/base.h"

#include "cmd/picture_cache.h"

#include "../live/clock_kit.h"
#include "../tap.h"

static struct picture_cache *cache;

static void put(const char *path, size_t size)
{
	struct blob *b = blob_alloc(size);
	memset(b->data, path[0], size);
	picture_cache_put(cache, str_from(path), b);
	blob_unref(b);
}

static bool has(const char *path)
{
	const struct blob *b = picture_cache_get(cache, str_from(path));
	return b != NULL && b->data[0] == path[0];
}

int main(void)
{
	cache = picture_cache_new();
	ok(!has("a"), "at first there is none");
	put("a", 10);
	put("b", 10);
	ok(has("a") && has("b") && !has("ab") && !has(""), "what was put is found");
	put("a", 10);
	ok(has("a"), "twice is once");

	now_ms += PICTURE_CACHE_MS - 1;
	put("c", 10);
	ok(has("a") && has("b"), "for a time");
	now_ms += 1;
	ok(!has("a") && !has("b") && has("c"), "and no longer, however often it was asked for");
	put("a", 10);
	ok(has("a"), "until it is put anew");

	const size_t quarter = PICTURE_CACHE_BYTES / 4 - 1024;
	put("1", quarter);
	put("2", quarter);
	put("3", quarter);
	put("4", quarter);
	ok(has("a") && has("1") && has("2") && has("3") && has("4"), "what fits stays");
	ok(has("1"), "one is used");
	put("5", quarter);
	ok(has("1") && has("5"), "then it stays");
	ok(!has("a") && !has("2"), "and the one that was not used the longest goes");
	struct blob *held = blob_ref(picture_cache_get(cache, STR_LIT("5")));
	put("6", PICTURE_CACHE_BYTES);
	ok(has("6") && !has("5"), "one that takes all room is alone");
	ok(held->data[0] == '5', "who has another has it still");
	blob_unref(held);
	picture_cache_free(&cache);
	ok(cache == NULL, "and it ends");
	picture_cache_free(&cache);
	return done_testing();
}
