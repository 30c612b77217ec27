/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private keys that sign JSON Web Tokens for other services, through OpenSSL: ES256 with a key of the curve P-256 (VAPID,
 * APNs), RS256 with one of RSA (Google's service accounts). Tokens of our users are token.h's.
 */
#ifndef TIDINGS_CORE_SIGNER_H
#define TIDINGS_CORE_SIGNER_H

#include "core/base.h"
#include "core/buf.h"

enum signer_algorithm { SIGNER_ES256, SIGNER_RS256 };

#define SIGNER_POINT_LEN 65

struct signer;

/* From a PEM text, as PKCS #8 or the key's own form, not encrypted. NULL with a static reason where it is no such key. */
struct signer *signer_new(struct str pem, enum signer_algorithm a, const char **err_r) MUST_CHECK;
/* NULL is allowed; *s becomes NULL. */
void signer_free(struct signer **s);

/* Of ES256: the public key, an uncompressed point. */
void signer_point(const struct signer *s, unsigned char point_r[SIGNER_POINT_LEN]);

/* Appends the token of these claims, a JSON object; kid: a text that needs no escapes in JSON, NULL: none. -1: OpenSSL failed. */
int signer_jwt(const struct signer *s, const char *kid, struct str claims, struct buf *out) MUST_CHECK;

#endif
