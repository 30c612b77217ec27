/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON Web Tokens (RFC 7519, RFC 7515): signed by libjwt, of which this is the only door; verified by libcrypto.
 *
 * The algorithm is pinned by the key's configuration and compared with the token's header; typ is not looked at. A
 * token that was verified once is remembered by its SHA-256 until it expires, in a cache of bounded size.
 */
#ifndef TIDINGS_CORE_TOKEN_H
#define TIDINGS_CORE_TOKEN_H

#include "core/base.h"
#include "core/conf.h"
#include "core/id.h"

enum token_status { TOKEN_OK, TOKEN_INVALID, TOKEN_EXPIRED };

struct token_claims {
	char user_id[USER_ID_MAX + 1];
	int64_t expires_ms; /* exp plus the leeway: when the token stops being accepted (clock_wall_ms) */
	unsigned scopes;    /* those that this server knows: enum token_scope, each a bit */
	uint64_t login;	    /* sid, of a token that this server has signed for a login; 0: none */
	int64_t issued_ms;  /* iat; 0: there is none */
};

/* Words of the claim scope (RFC 8693 section 4.2), however long that is. Others mean nothing here. */
enum token_scope { TOKEN_SCOPE_NOTIFY, TOKEN_SCOPE_ADMIN };

struct token_keys;

/* Why a key of the configuration cannot be used, as a static text; NULL if it can. */
const char *token_key_fault(const struct conf_jwt_key *key) MUST_CHECK;

/* Builds the keys of the configuration; NULL with a reason in *err_r (freed by the caller) where one is unusable. */
struct token_keys *token_keys_new(const struct conf *conf, char **err_r) MUST_CHECK;
void token_keys_free(struct token_keys **k);

/*
 * TOKEN_OK fills *claims_r. Otherwise *reason_r is a static text for the client
 * that never holds any part of the token. Checked: form, alg against the key's,
 * kid (a known one; without kid the section's own key), signature, exp (required),
 * nbf, iss and aud where configured, and that the user claim is a valid user id.
 */
enum token_status token_verify(struct token_keys *k, struct str token, struct token_claims *claims_r,
			       const char **reason_r) MUST_CHECK;

/*
 * The same for a token that is not expected again soon, as that of a WebSocket's handshake: one signed with a secret is
 * not remembered then, for it is checked anew as fast, and a hundred thousand of them take memory.
 */
enum token_status token_verify_once(struct token_keys *k, struct str token, struct token_claims *claims_r,
				    const char **reason_r) MUST_CHECK;

bool token_has_scope(unsigned scopes, enum token_scope scope);

/*
 * Signs a token with the section's own key, which has to be an HMAC one: iat, exp =
 * now + ttl_secs, the user claim, iss and aud as configured, scope if not NULL, sid if login is not 0.
 * Returns a string to be freed, or NULL with a static reason in *err_r.
 */
char *token_issue(const struct token_keys *k, const char *user_id, uint64_t login, const char *scope, int ttl_secs,
		  int64_t *expires_ms_r, const char **err_r) MUST_CHECK;

#endif
