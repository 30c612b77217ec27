/* SPDX-License-Identifier: BSD-2-Clause */
/* Proves that the cache of profiles shows nothing that is known to be out of date, and stays small. */
#include "core/base.h"
#include "store/profiles.h"

#include "core/clock.h"
#include "../tap.h"

#include <stdio.h>

static _Atomic int64_t shift_ms;

static bool has(struct profiles *p, const char *user, const char *nickname)
{
	struct str n, a;
	return profiles_find(p, str_from(user), &n, &a) && str_is(n, nickname);
}

static bool knows(struct profiles *p, const char *user)
{
	struct str n, a;
	return profiles_find(p, str_from(user), &n, &a);
}

static void put(struct profiles *p, const char *user, const char *nickname)
{
	profiles_put(p, profiles_now(p), str_from(user), str_from(nickname), STR_NULL);
}

static void test_text(void)
{
	struct profiles *p = profiles_new(10, 10000);
	struct str n, a;
	ok(!knows(p, "ann"), "nothing is known");
	profiles_put(p, profiles_now(p), STR_LIT("ann"), STR_LIT("Ann"), STR_LIT("https://x/y"));
	ok(profiles_find(p, STR_LIT("ann"), &n, &a) && str_is(n, "Ann") && str_is(a, "https://x/y"), "both are kept");
	profiles_put(p, profiles_now(p), STR_LIT("ann"), STR_NULL, STR_LIT("https://x/z"));
	ok(profiles_find(p, STR_LIT("ann"), &n, &a) && n.s == NULL && str_is(a, "https://x/z"), "none of one");
	profiles_put(p, profiles_now(p), STR_LIT("ann"), STR_LIT(""), STR_NULL);
	ok(profiles_find(p, STR_LIT("ann"), &n, &a) && n.s != NULL && n.len == 0 && a.s == NULL, "empty is not none");
	is_int(profiles_count(p), 1, "one entry for one user");
	ok(!knows(p, "an") && !knows(p, "anna") && !knows(p, "Ann"), "and nobody else's");
	static const char hostile[] = "');DROP TABLE users;--\0\n\"\\\xf0\x9f\x92\xa3%s%n\x80\xff";
	const struct str text = {hostile, sizeof(hostile) - 1};
	profiles_put(p, profiles_now(p), STR_LIT("eve"), text, text);
	ok(profiles_find(p, STR_LIT("eve"), &n, &a) && str_equal(n, text) && str_equal(a, text), "any bytes");
	profiles_free(&p);
	ok(p == NULL, "freed");
	profiles_free(&p);
}

static void test_forgetting(void)
{
	struct profiles *p = profiles_new(10, 10000);
	put(p, "ann", "Ann");
	put(p, "bob", "Bob");
	struct profiles_moment before = profiles_now(p);
	profiles_forget(p, STR_LIT("ann"));
	ok(!knows(p, "ann") && has(p, "bob", "Bob"), "one is forgotten, the other is not");
	profiles_put(p, before, STR_LIT("ann"), STR_LIT("Old"), STR_NULL);
	ok(!knows(p, "ann"), "a read that began before is not remembered");
	put(p, "ann", "New");
	ok(has(p, "ann", "New"), "one that began after is");
	profiles_put(p, before, STR_LIT("ann"), STR_LIT("Old"), STR_NULL);
	ok(has(p, "ann", "New"), "the one before changes nothing then");
	before = profiles_now(p);
	profiles_forget_all(p);
	ok(!knows(p, "ann") && !knows(p, "bob"), "all are forgotten");
	is_int(profiles_bytes(p), 0, "with all their bytes");
	profiles_put(p, before, STR_LIT("bob"), STR_LIT("Old"), STR_NULL);
	ok(!knows(p, "bob"), "reads that began before are not remembered, whoever they are of");
	profiles_forget(p, STR_LIT("nobody"));
	put(p, "nobody", "Somebody");
	ok(has(p, "nobody", "Somebody"), "who was not known can be forgotten");
	profiles_free(&p);
}

static void test_age(void)
{
	struct profiles *p = profiles_new(10, 10000);
	struct profiles_moment began = profiles_now(p);
	put(p, "ann", "Ann");
	shift_ms += PROFILES_LIFETIME_MS / 2;
	ok(has(p, "ann", "Ann"), "a young one is used");
	profiles_put(p, began, STR_LIT("bob"), STR_LIT("Bob"), STR_NULL);
	put(p, "cat", "Cat");
	profiles_put(p, began, STR_LIT("cat"), STR_LIT("Old cat"), STR_NULL);
	ok(has(p, "cat", "Cat"), "of two reads the later one counts");
	shift_ms += PROFILES_LIFETIME_MS / 2;
	ok(!knows(p, "ann"), "an old one is not, however often it was used");
	ok(!knows(p, "bob"), "its age is that of the read");
	ok(has(p, "cat", "Cat"), "the others stay");
	is_int(profiles_count(p), 1, "and what is too old has gone");
	profiles_put(p, began, STR_LIT("dan"), STR_LIT("Dan"), STR_NULL);
	is_int(profiles_count(p), 1, "a read that took so long is not remembered");
	profiles_free(&p);
}

static void test_bounds(void)
{
	char user[32], long_name[1000];
	struct profiles *p = profiles_new(100, 1000000);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(user, sizeof(user), "u%u", i);
		put(p, user, "x");
	}
	ok(knows(p, "u0"), "full");
	put(p, "one more", "x");
	is_int(profiles_count(p), 100, "no more than that");
	ok(knows(p, "u0") && !knows(p, "u1") && knows(p, "u2"), "the one not used for longest has gone");
	profiles_free(&p);

	memset(long_name, 'n', sizeof(long_name));
	const struct str name = {long_name, sizeof(long_name)};
	p = profiles_new(PROFILES_MAX, PROFILES_BYTES_MAX);
	bool within = true;
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(user, sizeof(user), "user%u", i);
		profiles_put(p, profiles_now(p), str_from(user), i % 2 ? name : STR_LIT("short"), STR_NULL);
		within = within && profiles_count(p) <= PROFILES_MAX && profiles_bytes(p) <= PROFILES_BYTES_MAX;
	}
	ok(within && profiles_bytes(p) > PROFILES_BYTES_MAX / 2, "100,000 users: %zu bytes for %zu of them",
	   profiles_bytes(p), profiles_count(p));
	ok(knows(p, "user99999") && !knows(p, "user0"), "the latest");
	static char huge[PROFILES_TEXT_MAX + 1];
	memset(huge, 'h', sizeof(huge));
	profiles_put(p, profiles_now(p), STR_LIT("huge"), STR_LIT("x"), (struct str){huge, sizeof(huge)});
	ok(!knows(p, "huge") && knows(p, "user99999"), "a huge one is not remembered");
	profiles_free(&p);
	p = profiles_new(10, 100);
	profiles_put(p, profiles_now(p), STR_LIT("large"), name, STR_NULL);
	ok(!knows(p, "large") && profiles_bytes(p) == 0, "nor one larger than all the room");
	profiles_free(&p);
}

int main(void)
{
	clock_share_shift(&shift_ms);
	test_text();
	test_forgetting();
	test_age();
	test_bounds();
	return done_testing();
}
