/* SPDX-License-Identifier: BSD-2-Clause */
/* The client_msg_ids of forwarded messages: stored for good, so what they are must not change. */
#include "core/base.h"
#include "store/forward.h"
#include "store/lane.h"
#include "store/parts.h"

#include "../tap.h"

static struct str id_of(char *out, const struct forward_key *k, const char *to, uint64_t group, unsigned index)
{
	forward_id_make(out, k, str_from(to), group, index);
	return (struct str){out, FORWARD_ID_LEN};
}

static void test_ids(void)
{
	struct forward_key one, same, other_key, other_body;
	char a[FORWARD_ID_LEN], b[FORWARD_ID_LEN];
	forward_key_make(&one, STR_LIT("key"), STR_LIT("body"));
	forward_key_make(&same, STR_LIT("key"), STR_LIT("body"));
	forward_key_make(&other_key, STR_LIT("kez"), STR_LIT("body"));
	forward_key_make(&other_body, STR_LIT("key"), STR_LIT("bodies"));
	struct str id = id_of(a, &one, "bob", 0, 7);
	ok(str_is(id, " f22ddcec196214db6964d00e22fb8cdf38a2eba7047f416e1ec768d0d07"), "it is what it was: %.*s",
	   (int)id.len, id.s);
	ok(str_equal(id, id_of(b, &same, "bob", 0, 7)), "the same again");
	ok(!str_equal(id, id_of(b, &one, "bob", 0, 8)) && !str_equal(id, id_of(b, &one, "bop", 0, 7)) &&
		   !str_equal(id, id_of(b, &one, NULL, 7, 7)) && !str_equal(id, id_of(b, &other_key, "bob", 0, 7)) &&
		   !str_equal(id, id_of(b, &other_body, "bob", 0, 7)),
	   "each copy has its own");
	ok(forward_id_is(id) && !id_client_msg_valid(id), "it is known as one, and no client's");
	ok(forward_id_is_of(&one, id) && !forward_id_is_of(&other_body, id) && !forward_id_is_of(&other_key, id),
	   "and of which request");
	ok(memcmp(one.text, other_body.text, FORWARD_KEY_LEN) == 0 &&
		   memcmp(one.text, other_key.text, FORWARD_KEY_LEN) != 0,
	   "requests with the same client_msg_id begin alike");
	char made[MADE_ID_LEN];
	lane_make_id(made);
	ok(!forward_id_is((struct str){made, sizeof(made)}) && !forward_id_is(STR_NULL) &&
		   !forward_id_is(STR_LIT(" f")),
	   "others are not");
}

static void test_parts(void)
{
	static const char *const good[] = {"00", "99", "07.15", "00.00.00.00.00.00.00.00.00.00"};
	static const char *const bad[] = {
		"", "0", "000", "00.", ".00", "00.1", "a0", "00,11", "00.00.00.00.00.00.00.00.00.00.00"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ok(forward_part_valid(str_from(good[i])), "%s is a part", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ok(!forward_part_valid(str_from(bad[i])), "'%s' is none", bad[i]);
	static const char *const ids[] = {"", ",", "1,", ",1", "1,,2", "1 ", "1)", "x", "18446744073709551616"};
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		ok(!parts_valid(&(struct store_parts){.of = str_from(ids[i]), .count = 1}), "'%s' are no ids", ids[i]);
	const struct store_parts two = {.of = STR_LIT("1,18446744073709551615"), .count = 2};
	ok(parts_valid(&two) && parts_count(&two) == 2, "two are");
	ok(!parts_valid(&(struct store_parts){.of = two.of, .again = true, .count = 2}), "a copy is of one");
	ok(!parts_valid(&(struct store_parts){.of = two.of, .count = FORWARD_PARTS_MAX + 1}), "too many");
	ok(parts_valid(&(struct store_parts){0}), "none at all");
}

int main(void)
{
	test_ids();
	test_parts();
	return done_testing();
}
