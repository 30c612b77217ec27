/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON Web Key Sets (RFC 7517): keys that an identity provider publishes become keys
 * of the configuration. The text is the provider's, so a key that this server has
 * no use for must not stop it, while one that is broken must be seen:
 *
 * - taken: RSA (RFC 7518 section 6.3; alg RS256, also if there is none), EC of the
 *   curve P-256 (6.2; ES256), OKP of Ed25519 (RFC 8037; EdDSA), oct (6.4; HS256, also
 *   if there is no alg, HS384 or HS512). Each needs a kid of its own;
 * - passed over: keys with a `use` other than sig, or with key_ops without verify;
 * - passed over with a warning: an unknown kty, crv or alg;
 * - a fault: everything else, a set that is no object with an array `keys` included.
 *
 * Private members of a public key (d, p, …) are never read; they are warned of.
 */
#ifndef TIDINGS_CORE_JWKS_H
#define TIDINGS_CORE_JWKS_H

#include "core/base.h"
#include "core/conf.h"

#define JWKS_TEXT_MAX 262144
#define JWKS_KEYS_MAX 100

/* Faults and warnings name the key by its kid, or by its number where it has none, and hold no secret. */
struct jwks {
	struct conf_jwt_key *keys; /* allocated, each filled whole; the caller's */
	size_t count;
	struct conf_list faults;
	struct conf_list warnings;
};

/* Fills all of *set_r. The set is fit for use if there are no faults. The text stays the caller's, to be wiped. */
void jwks_read(struct jwks *set_r, struct str text);

#endif
