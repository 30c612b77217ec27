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

int main(void)
{
	static const char *const refused[] = {"",     "Z",     "Zg==",	 "Zg=",	 "Zh",	 "Zm9",	 "Zm9vY",
					      "Zm 9", " Zm9v", "Zm9v\n", "+_8A", "/-8A", "Zm.v", "Zm\x80v"};
	size_t len = 99, wrong = 0;

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
