/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Base64url without padding (RFC 7515 section 2), read strictly: whatever is not
 * the one spelling of some bytes is refused.
 */
#ifndef TIDINGS_CORE_BASE64URL_H
#define TIDINGS_CORE_BASE64URL_H

#include "core/base.h"

/* How many bytes `len` digits stand for. */
#define BASE64URL_BYTES(len) ((len) / 4 * 3 + (len) % 4 * 3 / 4)

/* Writes BASE64URL_BYTES(in.len) bytes to out, or only looks at the text if that is NULL. An empty text is refused. */
int base64url_decode(struct str in, void *out, size_t *len_r) MUST_CHECK;
/* How many digits `len` bytes take. */
#define BASE64URL_DIGITS(len) (((len)*8 + 5) / 6)
/* Writes BASE64URL_DIGITS(len) digits and a NUL. */
void base64url_encode(const void *in, size_t len, char *out);

#endif
