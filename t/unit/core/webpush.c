/* SPDX-License-Identifier: BSD-2-Clause */
/* The body of a Web Push message is that of RFC 8291's appendix, and keys that are none are refused. */
#include "core/base.h"
#include "core/webpush.h"

#include "core/base64url.h"

#include "../tap.h"

static void take(const char *digits, void *out, size_t len)
{
	size_t got;
	if (base64url_decode(str_from(digits), out, &got) != 0 || got != len)
		ok(false, "the test's own '%s'", digits);
}

int main(void)
{
	struct webpush_keys keys;
	struct webpush_fixed fixed;
	struct buf body = {0}, other = {0};
	char digits[BASE64URL_DIGITS(200) + 1], big[WEBPUSH_TEXT_MAX + 1];
	struct str text = STR_LIT("When I grow up, I want to be a watermelon");

	take("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", keys.p256dh,
	     WEBPUSH_POINT_LEN);
	take("BTBZMqHH6r4Tts7J_aSIgg", keys.auth, WEBPUSH_AUTH_LEN);
	take("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw", fixed.private_key, WEBPUSH_PRIVATE_LEN);
	take("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8", fixed.point,
	     WEBPUSH_POINT_LEN);
	take("DGv6ra1nlYgDCS1FRnbzlw", fixed.salt, WEBPUSH_SALT_LEN);

	is_int(webpush_encrypt_fixed(&keys, &fixed, text, &body), 0, "RFC 8291, appendix A");
	base64url_encode(body.data, body.len, digits);
	is_str(digits,
	       "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK"
	       "6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
	       "its body");

	is_int(webpush_encrypt(&keys, text, &other), 0, "with new keys");
	is_int(other.len, body.len, "as long");
	ok(memcmp(other.data, body.data, 16) != 0 && memcmp(other.data + 21, body.data + 21, 65) != 0,
	   "another salt, and another key");

	memset(big, 'x', sizeof(big));
	buf_clear(&other);
	is_int(webpush_encrypt(&keys, (struct str){big, WEBPUSH_TEXT_MAX}, &other), 0, "the longest text");
	is_int(other.len, 4096, "makes the longest body");
	is_int(webpush_encrypt(&keys, (struct str){big, WEBPUSH_TEXT_MAX + 1}, &other), -1, "a longer one is refused");
	is_int(other.len, 4096, "and leaves nothing behind");

	struct str point = {(const char *)keys.p256dh, WEBPUSH_POINT_LEN};
	ok(webpush_point_valid(point), "a point");
	ok(!webpush_point_valid((struct str){point.s, WEBPUSH_POINT_LEN - 1}), "a shorter one");
	keys.p256dh[64] ^= 1;
	ok(!webpush_point_valid(point), "one that is not on the curve");
	is_int(webpush_encrypt(&keys, text, &other), -1, "is no key");
	keys.p256dh[64] ^= 1;
	keys.p256dh[0] = 6;
	ok(!webpush_point_valid(point), "nor one in the hybrid form");
	memset(keys.p256dh, 0, sizeof(keys.p256dh));
	ok(!webpush_point_valid(point), "nor zeroes");
	buf_fini(&body);
	buf_fini(&other);
	return done_testing();
}
