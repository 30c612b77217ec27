/* SPDX-License-Identifier: BSD-2-Clause */
/* Proves that the pair of two users is the same from both sides, and that what is remembered is bounded. */
#include "core/base.h"
#include "store/pairs.h"

#include "../tap.h"

static struct pair_key key_of(unsigned n)
{
	static char a[32], b[32];
	int alen = snprintf(a, sizeof(a), "user%u", n), blen = snprintf(b, sizeof(b), "peer%u", n);
	return pair_key_make((struct str){a, (size_t)alen}, (struct str){b, (size_t)blen});
}

int main(void)
{
	struct pair_key ab = pair_key_make(STR_LIT("alice"), STR_LIT("bob"));
	struct pair_key ba = pair_key_make(STR_LIT("bob"), STR_LIT("alice"));
	ok(ab.len == ba.len && memcmp(ab.text, ba.text, ab.len) == 0, "the same from both sides");
	ok(str_is(pair_key_user(&ab, 0), "alice") && str_is(pair_key_user(&ab, 1), "bob"), "the smaller first");
	struct pair_key prefix = pair_key_make(STR_LIT("ab"), STR_LIT("a"));
	ok(str_is(pair_key_user(&prefix, 0), "a"), "a prefix is smaller");
	struct pair_key one = pair_key_make(STR_LIT("a"), STR_LIT("bc")),
			other = pair_key_make(STR_LIT("ab"), STR_LIT("c"));
	ok(one.len != other.len || memcmp(one.text, other.text, one.len) != 0, "a+bc is not ab+c");
	struct pair_key upper = pair_key_make(STR_LIT("Bob"), STR_LIT("alice"));
	ok(str_is(pair_key_user(&upper, 0), "Bob"), "byte by byte: upper case first");

	struct pairs *p = pairs_new(100);
	is_int(pairs_find(p, &ab), 0, "nothing is known");
	pairs_put(p, &ab, 7);
	is_int(pairs_find(p, &ba), 7, "found from the other side");
	pairs_forget(p, &ab);
	is_int(pairs_find(p, &ab), 0, "forgotten");
	for (unsigned n = 0; n < 1000; n++) {
		struct pair_key k = key_of(n);
		pairs_put(p, &k, n + 1);
	}
	unsigned known = 0;
	bool right = true;
	for (unsigned n = 0; n < 1000; n++) {
		struct pair_key k = key_of(n);
		uint64_t id = pairs_find(p, &k);
		known += id != 0;
		right = right && (id == 0 || id == n + 1);
	}
	ok(right, "what is known is right");
	ok(known > 0 && known <= 100, "and bounded (%u)", known);
	struct pair_key last = key_of(999);
	is_int(pairs_find(p, &last), 1000, "the newest is among it");
	pairs_free(&p);
	ok(p == NULL, "freed");
	return done_testing();
}
