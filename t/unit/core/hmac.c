/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC-SHA256 is that of RFC 4231. */
#include "core/base.h"
#include "core/hmac.h"

#include <stdio.h>

#include "../tap.h"

static const char *hex(const unsigned char mac[HMAC_SHA256_LEN])
{
	static char text[2 * HMAC_SHA256_LEN + 1];
	for (size_t i = 0; i < HMAC_SHA256_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", mac[i]);
	return text;
}

int main(void)
{
	unsigned char mac[HMAC_SHA256_LEN], key[131];
	hmac_sha256("Jefe", 4, STR_LIT("what do ya want for nothing?"), mac);
	is_str(hex(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "test case 2");
	memset(key, 0xaa, sizeof(key));
	hmac_sha256(key, sizeof(key), STR_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
	is_str(hex(mac), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
	       "test case 6, a key longer than a block");
	memset(key, 0x0b, 20);
	hmac_sha256(key, 20, STR_LIT("Hi There"), key);
	is_str(hex(key), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
	       "test case 1, in the place of its key");
	return done_testing();
}
