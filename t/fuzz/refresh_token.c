/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a refresh token: what is read is written and read back the same, and is never genuine. */
#include "core/base.h"

#include <stdlib.h>

#include "core/refresh_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* Of its own memory, so that a byte read behind its end is seen. */
	char *text = xmalloc(len != 0 ? len : 1);
	unsigned char key[REFRESH_KEY_LEN];
	struct refresh_token t;
	char written[REFRESH_TOKEN_LEN + 1];

	memcpy(text, data, len);
	if (refresh_token_parse((struct str){text, len}, &t) == 0) {
		refresh_token_format(&t, written);
		if (len != REFRESH_TOKEN_LEN || memcmp(written, text, len) != 0)
			abort();
		arc4random_buf(key, sizeof(key));
		if (refresh_token_is_genuine(&t, key))
			abort();
	}
	free(text);
	return 0;
}
