/* SPDX-License-Identifier: BSD-2-Clause */
/* Refresh tokens: their form, that no other text is one, and that many who renew at once all come to the same one. */
#include "core/base.h"

#include <stdlib.h>

#include "core/refresh_token.h"
#include "../tap.h"

#define LOGIN UINT64_C(1848295061094400211)

static void test_form(void)
{
	unsigned char key[REFRESH_KEY_LEN], other[REFRESH_KEY_LEN], hash[REFRESH_HASH_LEN];
	struct refresh_token t, back;
	char text[REFRESH_TOKEN_LEN + 1], bad[REFRESH_TOKEN_LEN + 2];
	size_t taken = 0, genuine = 0;

	refresh_token_begin(&t, LOGIN, key);
	refresh_token_format(&t, text);
	is_int(strlen(text), 80, "of 80 characters");
	ok(refresh_token_parse(str_from(text), &back) == 0 && back.login == LOGIN && back.generation == 1,
	   "names its login, and is the first");
	ok(refresh_token_is_genuine(&back, key), "genuine under its login's key");
	memcpy(other, key, sizeof(other));
	other[31] ^= 1;
	ok(!refresh_token_is_genuine(&back, other), "and under no other");
	refresh_token_hash(&t, hash);
	ok(refresh_token_has_hash(&back, hash), "it has its hash");
	hash[31] ^= 1;
	ok(!refresh_token_has_hash(&back, hash), "and no other");

	/* Each character, by each other one of the alphabet's neighbours and some that are none. */
	for (size_t i = 0; i < REFRESH_TOKEN_LEN; i++) {
		for (int c = 0; c < 256; c++) {
			memcpy(bad, text, sizeof(text));
			if (bad[i] == (char)c)
				continue;
			bad[i] = (char)c;
			if (refresh_token_parse((struct str){bad, REFRESH_TOKEN_LEN}, &back) != 0)
				continue;
			taken++;
			genuine += refresh_token_is_genuine(&back, key);
		}
	}
	is_int(taken, 80 * 63, "a text of other digits is read");
	is_int(genuine, 0, "but is none of this login's");
	memcpy(bad, text, sizeof(text));
	bad[REFRESH_TOKEN_LEN] = 'A';
	ok(refresh_token_parse((struct str){bad, REFRESH_TOKEN_LEN + 1}, &back) != 0, "none is longer");
	for (size_t len = 0; len < REFRESH_TOKEN_LEN; len++)
		taken -= refresh_token_parse((struct str){text, len}, &back) != 0;
	is_int(taken, 80 * 63 - 80, "or shorter");
	ok(refresh_token_parse(STR_NULL, &back) != 0, "or absent");
}

static void test_chain(void)
{
	unsigned char key[REFRESH_KEY_LEN], hash[REFRESH_HASH_LEN];
	struct refresh_token first, ahead, again;
	size_t wrong = 0;

	refresh_token_begin(&first, LOGIN, key);
	ahead = first;
	for (uint32_t n = 2; n <= 100; n++) {
		struct refresh_token before = ahead;
		refresh_token_advance(&ahead, key);
		refresh_token_hash(&ahead, hash);
		wrong += ahead.generation != n || ahead.login != LOGIN || !refresh_token_is_genuine(&ahead, key) ||
			 refresh_token_has_hash(&before, hash) || memcmp(before.secret, ahead.secret, 32) == 0;
		/* Whoever comes with the first one is led to the same. */
		again = first;
		while (again.generation != n)
			refresh_token_advance(&again, key);
		wrong += !refresh_token_has_hash(&again, hash);
	}
	is_int(wrong, 0, "a hundred in a row are different and genuine, and each follows from the first");
	refresh_token_begin(&again, LOGIN, key);
	ok(memcmp(again.secret, first.secret, sizeof(again.secret)) != 0, "two logins have nothing in common");
	ok(!refresh_token_is_genuine(&first, key), "and take none of each other's");
}

int main(void)
{
	test_form();
	test_chain();
	return done_testing();
}
