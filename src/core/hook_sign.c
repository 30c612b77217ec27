/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "core/hook_sign.h"

#include "core/buf.h"
#include "core/hmac.h"

#include <stdio.h>

void hook_sign(struct str secret, int64_t now_secs, struct str body, char out[HOOK_SIGNATURE_MAX])
{
	unsigned char digest[HMAC_SHA256_LEN];
	struct buf text = {0};
	buf_append_u64(&text, now_secs > 0 ? (uint64_t)now_secs : 0);
	int n = snprintf(out, HOOK_SIGNATURE_MAX, "t=%.*s,v1=", (int)text.len, text.data);
	buf_append_char(&text, '.');
	buf_append_str(&text, body);
	hmac_sha256(secret.s, secret.len, (struct str){text.data, text.len}, digest);
	buf_fini(&text);
	char *at = out + n;
	for (size_t i = 0; i < sizeof(digest); i++, at += 2)
		hex_put(at, 2, digest[i]);
	*at = '\0';
}
