/* SPDX-License-Identifier: BSD-2-Clause */
/* The signature is what openssl(1) makes of the same secret, time and body, and each of them counts. */
#include "core/base.h"
#include "core/hook_sign.h"

#include "../tap.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define BODY "{\"message\":{\"content\":\"hi\"}}"

int main(void)
{
	char out[HOOK_SIGNATURE_MAX], other[HOOK_SIGNATURE_MAX];
	/* printf '1700000000.{"message":{"content":"hi"}}' | openssl dgst -sha256 -hmac SECRET */
	hook_sign(STR_LIT(SECRET), 1700000000, STR_LIT(BODY), out);
	is_str(out, "t=1700000000,v1=f694f9d441e6047f6346d96db8a1deaed0f34b5d8cbac379676ceef07ef6f91f",
	       "the vector made by openssl");
	hook_sign(STR_LIT(SECRET), 1700000001, STR_LIT(BODY), other);
	ok(strcmp(strchr(out, ','), strchr(other, ',')) != 0, "another time is another signature");
	hook_sign(STR_LIT(SECRET), 1700000000, STR_LIT(BODY " "), other);
	ok(strcmp(out, other) != 0, "so is another body");
	hook_sign(STR_LIT(SECRET "0"), 1700000000, STR_LIT(BODY), other);
	ok(strcmp(out, other) != 0, "and another secret");
	hook_sign(STR_LIT(SECRET), INT64_MAX, STR_LIT(""), other);
	ok(strncmp(other, "t=9223372036854775807,v1=", 25) == 0 && strlen(other) == 25 + 64, "the longest time fits");
	hook_sign(STR_LIT(SECRET), -1, STR_LIT(""), other);
	ok(strncmp(other, "t=0,v1=", 7) == 0, "a time before 1970 is 0");
	return done_testing();
}
