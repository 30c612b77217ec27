/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verifies and signs JSON Web Tokens. Which key and which algorithm a token is held
 * against is decided here, from the configuration; its signature is verified by libcrypto over the bytes as they were
 * sent, and the claims are read from those. Nothing of a token may reach a log or a reason.
 *
 * libjwt signs alone: 1.10 verifies no token of another typ than JWT (access tokens of RFC 9068 have at+jwt), knows no
 * EdDSA, and takes the algorithm from the token.
 */
#include "core/base.h"
#include "core/token.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jwt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/base64url.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/pubkey.h"
#include "core/token_cache.h"

/* As long as the headers of a request may be, so that they are what limits a token. */
#define TOKEN_MAX 16384
#define LOGINS_SINCE_MS INT64_C(1577836800000) /* 2020: before there were any */
#define LOGIN_AHEAD_MS INT64_C(86400000)       /* more than the clocks of nodes and database may differ */
#define SECS_MAX INT64_C(253402300799)	       /* the end of the year 9999 */

struct key {
	struct str kid;
	bool usable;
	enum conf_jwt_algorithm algorithm;
	unsigned char *secret; /* of HMAC */
	int secret_len;
	struct pubkey *public; /* of the others */
};

struct token_keys {
	struct key *keys; /* the first is the section's own */
	size_t count;
	char *issuer, *audience, *user_claim; /* "" where not checked */
	int64_t leeway_secs;
	EVP_MD_CTX *hashing;
	EVP_MD *sha256;
	struct json_doc *header, *payload;
	struct token_cache *cache;
	char header_text[TOKEN_MAX], payload_text[TOKEN_MAX], signature[TOKEN_MAX];
};

static jwt_alg_t libjwt_alg(enum conf_jwt_algorithm a)
{
	switch (a) {
	case JWT_HS256:
		return JWT_ALG_HS256;
	case JWT_HS384:
		return JWT_ALG_HS384;
	case JWT_HS512:
		return JWT_ALG_HS512;
	case JWT_RS256:
		return JWT_ALG_RS256;
	case JWT_ES256:
		return JWT_ALG_ES256;
	case JWT_EDDSA:
		break;
	}
	return JWT_ALG_INVAL;
}

const char *token_key_fault(const struct conf_jwt_key *key)
{
	enum conf_jwt_algorithm a = (enum conf_jwt_algorithm)key->algorithm;
	struct pubkey *pubkey;
	const char *fault;

	if (conf_jwt_algorithm_is_hmac(a))
		return key->secret_len > 0 ? NULL : "there is no secret";
	pubkey = pubkey_new(key->public_key, a, &fault);
	pubkey_free(&pubkey);
	return fault;
}

static int load_key(struct key *k, const struct conf_jwt_key *from, char **err_r)
{
	bool hmac = conf_jwt_algorithm_is_hmac((enum conf_jwt_algorithm)from->algorithm);
	size_t len = hmac ? from->secret_len : strlen(from->public_key);
	const char *fault;

	k->kid = (struct str){xstrdup(from->kid), strlen(from->kid)};
	/* The section's own key may be absent, where there are titled ones. */
	if (from->kid[0] == '\0' && len == 0)
		return 0;
	fault = token_key_fault(from);
	if (fault != NULL) {
		if (from->kid[0] == '\0')
			*err_r = xasprintf("jwt: %s", fault);
		else
			*err_r = xasprintf("jwt.key \"%s\": %s", from->kid, fault);
		return -1;
	}
	k->usable = true;
	k->algorithm = (enum conf_jwt_algorithm)from->algorithm;
	if (hmac) {
		k->secret_len = (int)len;
		k->secret = xmalloc(len);
		memcpy(k->secret, from->secret, len);
	} else {
		k->public = pubkey_new(from->public_key, k->algorithm, &fault);
	}
	return 0;
}

/* The section's own first, then the titled ones, then those of jwks_file. */
static const struct conf_jwt_key *configured_key(const struct conf *conf, size_t i)
{
	if (i == 0)
		return &conf->jwt.own;
	return i <= conf->jwt.key_count ? &conf->jwt.keys[i - 1] : &conf->jwt.jwks[i - 1 - conf->jwt.key_count];
}

struct token_keys *token_keys_new(const struct conf *conf, char **err_r)
{
	struct token_keys *k = xcalloc(1, sizeof(*k));
	size_t usable = 0;

	k->count = 1 + conf->jwt.key_count + conf->jwt.jwks_count;
	k->keys = xcalloc(k->count, sizeof(*k->keys));
	k->issuer = xstrdup(conf->jwt.issuer);
	k->audience = xstrdup(conf->jwt.audience);
	k->user_claim = xstrdup(conf->jwt.user_claim);
	k->leeway_secs = conf->jwt.leeway_secs;
	k->header = json_doc_new();
	k->payload = json_doc_new();
	k->cache = token_cache_new();
	for (size_t i = 0; i < k->count; i++) {
		if (load_key(&k->keys[i], configured_key(conf, i), err_r) != 0)
			goto err;
		usable += k->keys[i].usable;
	}
	if (usable == 0) {
		*err_r =
			xstrdup("jwt: there is no key: neither by secret_file nor by public_key_file nor by jwks_file");
		goto err;
	}
	k->hashing = EVP_MD_CTX_new();
	k->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (k->hashing == NULL || k->sha256 == NULL) {
		*err_r = xstrdup("jwt: libcrypto has no SHA-256");
		goto err;
	}
	return k;
err:
	token_keys_free(&k);
	return NULL;
}

void token_keys_free(struct token_keys **kp)
{
	struct token_keys *k = *kp;

	if (k == NULL)
		return;
	for (size_t i = 0; i < k->count; i++) {
		if (k->keys[i].secret != NULL)
			explicit_bzero(k->keys[i].secret, (size_t)k->keys[i].secret_len);
		free(k->keys[i].secret);
		pubkey_free(&k->keys[i].public);
		free((char *)k->keys[i].kid.s);
	}
	free(k->keys);
	free(k->issuer);
	free(k->audience);
	free(k->user_claim);
	json_doc_free(&k->header);
	json_doc_free(&k->payload);
	token_cache_free(&k->cache);
	EVP_MD_CTX_free(k->hashing);
	EVP_MD_free(k->sha256);
	explicit_bzero(k, sizeof(*k));
	free(k);
	*kp = NULL;
}

/* The three parts of a token, still encoded. */
static bool split(struct str token, struct str part[3])
{
	const char *first = memchr(token.s, '.', token.len), *second;
	size_t rest;

	if (first == NULL)
		return false;
	rest = token.len - (size_t)(first + 1 - token.s);
	second = memchr(first + 1, '.', rest);
	if (second == NULL)
		return false;
	part[0] = (struct str){token.s, (size_t)(first - token.s)};
	part[1] = (struct str){first + 1, (size_t)(second - first - 1)};
	part[2] = (struct str){second + 1, token.len - (size_t)(second + 1 - token.s)};
	return true;
}

/* The key that the header asks for, if it may have it. */
static const struct key *choose_key(const struct token_keys *k, const struct json *header, const char **reason_r)
{
	const struct json *alg = json_get(header, "alg"), *kid = json_get(header, "kid");
	const struct key *key = NULL;

	*reason_r = "the token's header is malformed";
	if (header->type != JSON_OBJECT || header->has_nul || alg == NULL || alg->type != JSON_STRING)
		return NULL;
	if (json_get(header, "crit") != NULL) {
		*reason_r = "the token's header has critical extensions";
		return NULL;
	}
	*reason_r = "the token's key is unknown";
	if (kid == NULL)
		key = &k->keys[0];
	for (size_t i = 1; kid != NULL && kid->type == JSON_STRING && i < k->count; i++) {
		if (str_equal(kid->text, k->keys[i].kid))
			key = &k->keys[i];
	}
	if (key == NULL || !key->usable)
		return NULL;
	*reason_r = "the token's algorithm is not allowed";
	return str_is(alg->text, conf_jwt_algorithm_name(key->algorithm)) ? key : NULL;
}

static bool hmac_verifies(const struct key *key, struct str text, struct str signature)
{
	const EVP_MD *hash = key->algorithm == JWT_HS256   ? EVP_sha256()
			     : key->algorithm == JWT_HS384 ? EVP_sha384()
							   : EVP_sha512();
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned len;

	return HMAC(hash, key->secret, key->secret_len, (const unsigned char *)text.s, text.len, mac, &len) != NULL &&
	       signature.len == len && CRYPTO_memcmp(signature.s, mac, len) == 0;
}

/* A NumericDate (RFC 7519 section 2) in whole seconds, kept within years of four digits. */
static bool read_date(const struct json *v, int64_t *secs_r)
{
	char text[64];
	double secs;

	if (v == NULL || v->type != JSON_NUMBER || v->text.len >= sizeof(text))
		return false;
	memcpy(text, v->text.s, v->text.len);
	text[v->text.len] = '\0';
	secs = strtod(text, NULL);
	*secs_r = secs > (double)SECS_MAX ? SECS_MAX : secs < 0 ? 0 : (int64_t)secs;
	return true;
}

static bool is_text(const struct json *v, const char *text)
{
	return v != NULL && v->type == JSON_STRING && str_is(v->text, text);
}

static bool audience_fits(const struct json *aud, const char *audience)
{
	if (aud == NULL || aud->type != JSON_ARRAY)
		return is_text(aud, audience);
	for (const struct json *e = aud->child; e != NULL; e = e->next) {
		if (is_text(e, audience))
			return true;
	}
	return false;
}

static unsigned read_scopes(struct str text)
{
	static const char *const names[] = {[TOKEN_SCOPE_NOTIFY] = "notify", [TOKEN_SCOPE_ADMIN] = "admin"};
	unsigned scopes = 0;
	while (text.len != 0) {
		const char *space = memchr(text.s, ' ', text.len);
		struct str word = {text.s, space != NULL ? (size_t)(space - text.s) : text.len};
		size_t used = space != NULL ? word.len + 1 : word.len;
		for (unsigned i = 0; i < ARRAY_LEN(names); i++)
			scopes |= str_is(word, names[i]) ? 1u << i : 0;
		text = (struct str){text.s + used, text.len - used};
	}
	return scopes;
}

/*
 * Others have claims of that name, too: ours is a number in a text, which says when the login began. Nobody else's
 * number is taken for one that began long ago, and so revoked for ever, nor for one that is yet to begin, and so never.
 */
static uint64_t read_login(const struct json *sid, int64_t now_ms)
{
	uint64_t login;
	if (sid == NULL || sid->type != JSON_STRING || id_parse_u64(sid->text, &login) != 0)
		return 0;
	int64_t began_ms = id_made_ms(login);
	return began_ms >= LOGINS_SINCE_MS && began_ms <= now_ms + LOGIN_AHEAD_MS ? login : 0;
}

static enum token_status check_claims(const struct token_keys *k, const struct json *payload, int64_t now_ms,
				      struct token_claims *claims_r, const char **reason_r)
{
	const struct json *user = json_get(payload, k->user_claim), *scope = json_get(payload, "scope");
	const struct json *nbf = json_get(payload, "nbf");
	int64_t exp_secs, nbf_secs = 0, iat_secs = 0;

	memset(claims_r, 0, sizeof(*claims_r));
	if (payload->type != JSON_OBJECT) {
		*reason_r = "the token's payload is not an object";
	} else if (!read_date(json_get(payload, "exp"), &exp_secs)) {
		*reason_r = "the token has no valid exp";
	} else if (nbf != NULL && !read_date(nbf, &nbf_secs)) {
		*reason_r = "the token's nbf is not a number";
	} else if (now_ms < (nbf_secs - k->leeway_secs) * 1000) {
		*reason_r = "the token is not valid yet";
	} else if (k->issuer[0] != '\0' && !is_text(json_get(payload, "iss"), k->issuer)) {
		*reason_r = "the token's issuer is not accepted";
	} else if (k->audience[0] != '\0' && !audience_fits(json_get(payload, "aud"), k->audience)) {
		*reason_r = "the token is for another audience";
	} else if (user == NULL || user->type != JSON_STRING || !id_user_valid(user->text)) {
		*reason_r = "the token names no valid user id";
	} else {
		memcpy(claims_r->user_id, user->text.s, user->text.len);
		if (scope != NULL && scope->type == JSON_STRING)
			claims_r->scopes = read_scopes(scope->text);
		claims_r->expires_ms = (exp_secs + k->leeway_secs) * 1000;
		claims_r->issued_ms = read_date(json_get(payload, "iat"), &iat_secs) ? iat_secs * 1000 : 0;
		if (now_ms < claims_r->expires_ms)
			return TOKEN_OK;
		*reason_r = "the token has expired";
		return TOKEN_EXPIRED;
	}
	return TOKEN_INVALID;
}

/* Everything but the cache. */
static enum token_status verify_anew(struct token_keys *k, struct str token, int64_t now_ms,
				     struct token_claims *claims_r, bool *hmac_r, const char **reason_r)
{
	struct str part[3], header = {k->header_text, 0}, payload = {k->payload_text, 0};
	const struct json *root;
	const struct key *key;
	struct str signature = {k->signature, 0};
	const char *why;

	*reason_r = "the token is malformed";
	if (!split(token, part) || base64url_decode(part[0], k->header_text, &header.len) != 0 ||
	    base64url_decode(part[1], k->payload_text, &payload.len) != 0 ||
	    base64url_decode(part[2], k->signature, &signature.len) != 0)
		return TOKEN_INVALID;
	root = json_parse(k->header, header, &why);
	if (root == NULL)
		return TOKEN_INVALID;
	key = choose_key(k, root, reason_r);
	if (key == NULL)
		return TOKEN_INVALID;
	*hmac_r = conf_jwt_algorithm_is_hmac(key->algorithm);
	*reason_r = "the token's signature is wrong";
	/* RFC 7515 section 5.2: what is signed is the first two parts as they were sent. */
	struct str text = {part[0].s, (size_t)(part[2].s - 1 - part[0].s)};
	if (!(*hmac_r ? hmac_verifies(key, text, signature) : pubkey_verify(key->public, text, signature)))
		return TOKEN_INVALID;
	*reason_r = "the token's payload is malformed";
	root = json_parse(k->payload, payload, &why);
	if (root == NULL)
		return TOKEN_INVALID;
	enum token_status status = check_claims(k, root, now_ms, claims_r, reason_r);
	if (status == TOKEN_OK && key == &k->keys[0] && *hmac_r)
		claims_r->login = read_login(json_get(root, "sid"), now_ms);
	return status;
}

static enum token_status verify(struct token_keys *k, struct str token, bool once, struct token_claims *claims_r,
				const char **reason_r)
{
	unsigned char hash[TOKEN_HASH_LEN];
	int64_t now_ms = clock_wall_ms();
	enum token_status status;
	bool hashed, hmac = false;

	*reason_r = "the token is malformed";
	if (token.s == NULL || token.len == 0 || token.len > TOKEN_MAX || memchr(token.s, '\0', token.len) != NULL)
		return TOKEN_INVALID;
	hashed = EVP_DigestInit_ex2(k->hashing, k->sha256, NULL) == 1 &&
		 EVP_DigestUpdate(k->hashing, token.s, token.len) == 1 &&
		 EVP_DigestFinal_ex(k->hashing, hash, NULL) == 1;
	if (hashed && token_cache_get(k->cache, hash, now_ms, claims_r))
		return TOKEN_OK;
	status = verify_anew(k, token, now_ms, claims_r, &hmac, reason_r);
	if (status == TOKEN_OK && hashed && !(once && hmac))
		token_cache_put(k->cache, hash, now_ms, claims_r);
	return status;
}

enum token_status token_verify(struct token_keys *k, struct str token, struct token_claims *claims_r,
			       const char **reason_r)
{
	return verify(k, token, false, claims_r, reason_r);
}

enum token_status token_verify_once(struct token_keys *k, struct str token, struct token_claims *claims_r,
				    const char **reason_r)
{
	return verify(k, token, true, claims_r, reason_r);
}

bool token_has_scope(unsigned scopes, enum token_scope scope)
{
	return (scopes >> scope & 1) != 0;
}

char *token_issue(const struct token_keys *k, const char *user_id, uint64_t login, const char *scope, int ttl_secs,
		  int64_t *expires_ms_r, const char **err_r)
{
	char sid[24];
	const struct key *own = &k->keys[0];
	int64_t now_secs = clock_wall_ms() / 1000;
	char *token = NULL;
	jwt_t *jwt = NULL;

	if (!own->usable || !conf_jwt_algorithm_is_hmac(own->algorithm)) {
		*err_r = "only a secret in the section jwt signs tokens";
		return NULL;
	}
	if (!id_user_valid(str_from(user_id))) {
		*err_r = "not a valid user id";
		return NULL;
	}
	if (ttl_secs < 1) {
		*err_r = "the lifetime of a token is a second at least";
		return NULL;
	}
	snprintf(sid, sizeof(sid), "%" PRIu64, login);
	if (jwt_new(&jwt) == 0 && jwt_set_alg(jwt, libjwt_alg(own->algorithm), own->secret, own->secret_len) == 0 &&
	    jwt_add_grant(jwt, k->user_claim, user_id) == 0 && jwt_add_grant_int(jwt, "iat", now_secs) == 0 &&
	    jwt_add_grant_int(jwt, "exp", now_secs + ttl_secs) == 0 &&
	    (k->issuer[0] == '\0' || jwt_add_grant(jwt, "iss", k->issuer) == 0) &&
	    (k->audience[0] == '\0' || jwt_add_grant(jwt, "aud", k->audience) == 0) &&
	    (login == 0 || jwt_add_grant(jwt, "sid", sid) == 0) &&
	    (scope == NULL || jwt_add_grant(jwt, "scope", scope) == 0))
		token = jwt_encode_str(jwt);
	jwt_free(jwt);
	*err_r = "libjwt cannot write these claims";
	if (token != NULL)
		*expires_ms_r = (now_secs + ttl_secs) * 1000;
	return token;
}
