/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "core/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/log.h"

void hmac_sha256(const void *key, size_t key_len, struct str text, unsigned char out[HMAC_SHA256_LEN])
{
	unsigned len = 0;
	ASSERT(HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text.s, text.len, out, &len) != NULL &&
	       len == HMAC_SHA256_LEN);
}
