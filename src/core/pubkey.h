/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Public keys that verify tokens, through OpenSSL's EVP_PKEY; the only door to it.
 * Each is fit for one algorithm: RS256 takes an RSA key of 2048 bits or more (RFC
 * 7518 section 3.3), ES256 one of the curve P-256, EdDSA an Ed25519 key (RFC 8037).
 * The algorithms are these three here, never an HMAC one.
 */
#ifndef TIDINGS_CORE_PUBKEY_H
#define TIDINGS_CORE_PUBKEY_H

#include "core/base.h"
#include "core/conf.h"

struct pubkey;

/* From a PEM text ("PUBLIC KEY"). NULL with a static reason, if there is none in it or one that is unfit. */
struct pubkey *pubkey_new(const char *pem, enum conf_jwt_algorithm a, const char **err_r) MUST_CHECK;
/* NULL is allowed; *k becomes NULL. */
void pubkey_free(struct pubkey **k);

/*
 * Whether the signature, as a JWS has it, is of that text: RSASSA-PKCS1-v1_5 with SHA-256, R and S of ECDSA with SHA-256
 * in 64 bytes (RFC 7518 sections 3.3 and 3.4), or Ed25519's 64 bytes (RFC 8037 section 3.1).
 */
bool pubkey_verify(const struct pubkey *k, struct str text, struct str signature) MUST_CHECK;

/*
 * The PEM text, to be freed, of a key given by its numbers as a JWK has them, big-endian:
 * RS256: n and e; ES256: x and y, 32 bytes each; EdDSA: x, 32 bytes, and nothing.
 * NULL with a static reason, if they make no key or an unfit one. An RSA key is
 * searched for small and sole factors, which takes milliseconds.
 */
char *pubkey_pem(enum conf_jwt_algorithm a, struct str first, struct str second, const char **err_r) MUST_CHECK;

#endif
