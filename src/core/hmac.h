/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC-SHA256 (RFC 2104). What else JSON Web Tokens are signed with is in token.c. */
#ifndef TIDINGS_CORE_HMAC_H
#define TIDINGS_CORE_HMAC_H

#include "core/base.h"

#define HMAC_SHA256_LEN 32
/* Of all of the text, under a key of any length, but no more than INT_MAX. out may be the key, or lie in the text. */
void hmac_sha256(const void *key, size_t key_len, struct str text, unsigned char out[HMAC_SHA256_LEN]);

#endif
