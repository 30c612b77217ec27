/* SPDX-License-Identifier: BSD-2-Clause */
/* Base64url: the bytes of RFC 4648's examples, and that no second spelling of them is taken. */
#include "core/base.h"

#include "core/base64url.h"
#include "../tap.h"

static void decodes(const char *text, const char *bytes, size_t len)
{
	char out[64];
	struct str in = {text, strlen(text)};
	size_t got = 0, measured = 0;

	ok(base64url_decode(in, out, &got) == 0 && got == len && memcmp(out, bytes, len) == 0, "'%s'", text);
	ok(base64url_decode(in, NULL, &measured) == 0 && measured == len, "and its length");
	is_int(BASE64URL_BYTES(in.len), len, "as the macro has it");
}

/* Of each length that leaves a different rest. */
static void encodes(void)
{
	char bytes[48], text[BASE64URL_DIGITS(sizeof(bytes)) + 1], back[sizeof(bytes)];
	size_t wrong = 0, got;
	for (size_t len = 1; len <= sizeof(bytes); len++) {
		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)(251 * i + 17 * len);
		base64url_encode(bytes, len, text);
		wrong += strlen(text) != BASE64URL_DIGITS(len) || base64url_decode(str_from(text), back, &got) != 0 ||
			 got != len || memcmp(back, bytes, len) != 0;
	}
	is_int(wrong, 0, "what is encoded is decoded to the same");
	base64url_encode("\xfb\xff\0", 3, text);
	is_str(text, "-_8A", "in the alphabet of URLs");
	base64url_encode("", 0, text);
	is_str(text, "", "nothing is nothing");
}

int main(void)
{
	static const char *const refused[] = {"",     "Z",     "Zg==",	 "Zg=",	 "Zh",	 "Zm9",	 "Zm9vY",
					      "Zm 9", " Zm9v", "Zm9v\n", "+_8A", "/-8A", "Zm.v", "Zm\x80v"};
	size_t len = 99, wrong = 0;

	encodes();
	decodes("Zg", "f", 1);
	decodes("Zm8", "fo", 2);
	decodes("Zm9v", "foo", 3);
	decodes("Zm9vYg", "foob", 4);
	decodes("Zm9vYmE", "fooba", 5);
	decodes("Zm9vYmFy", "foobar", 6);
	decodes("-_8A", "\xfb\xff\0", 3);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		ok(base64url_decode(str_from(refused[i]), NULL, &len) != 0, "refused: '%s'", refused[i]);
	ok(base64url_decode((struct str){"Zm\0v", 4}, NULL, &len) != 0, "refused: a NUL");
	is_int(len, 99, "what is refused has no length");

	/* Of each length exactly as many texts are taken as there are bytes. */
	for (int c = 0; c < 65536; c++) {
		char pair[2] = {(char)(c >> 8), (char)c};
		wrong += base64url_decode((struct str){pair, 2}, NULL, &len) == 0;
	}
	is_int(wrong, 256, "each byte has one spelling");
	return done_testing();
}
