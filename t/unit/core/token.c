/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tokens: that exactly those are taken whose signature is by the configured key with the configured
 * algorithm, at the right time and for us; and that what is remembered of them
 * never outlives them.
 */
#include "core/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "core/clock.h"
#include "core/token.h"
#include "core/token_cache.h"
#include "token_kit.h"
#include "../tap.h"

#define LEEWAY 30

static _Atomic int64_t shift_ms;
static char dir[] = "/tmp/tidings-token-XXXXXX";
static char *rsa_file, *ec_file, *ed_file;

/* Verifies and frees the token; the reason must say `why` where it is refused. */
static void expect(struct token_keys *k, char *token, enum token_status want, const char *why, const char *what)
{
	struct token_claims claims;
	const char *reason = NULL;
	enum token_status got = token_verify_once(k, str_from(token), &claims, &reason);

	if (got == want)
		got = token_verify(k, str_from(token), &claims, &reason);
	is_int(got, want, "%s", what);
	if (want != TOKEN_OK)
		is_str(reason, why, "%s: the reason", what);
	else
		is_str(claims.user_id, "alice", "%s: the user", what);
	free(token);
}

static void expect_claims(struct token_keys *k, const char *claims, enum token_status want, const char *why)
{
	char *payload = xasprintf("{%s}", claims);
	expect(k, make('H', HS256, payload), want, why, claims);
	free(payload);
}

static char *write_pem(EVP_PKEY *key, const char *name, bool private)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	if (f == NULL ||
	    (private ? PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) : PEM_write_PUBKEY(f, key)) != 1)
		abort();
	fclose(f);
	return path;
}

static void test_issue(void)
{
	static const char *const algorithm[] = {"HS256", "HS384", "HS512"};

	for (size_t i = 0; i < ARRAY_LEN(algorithm); i++) {
		char *text =
			xasprintf("algorithm = %s secret = \"" SECRET "\" issuer = me audience = you user_claim = uid",
				  algorithm[i]);
		struct token_keys *k = keys_of(text, NULL);
		struct token_claims claims;
		const char *err = NULL;
		int64_t expires_ms = 0, now_ms = clock_wall_ms();
		char *token = token_issue(k, "bob@x", 0, "notify admin", 60, &expires_ms, &err);

		ok(token != NULL, "%s: issued", algorithm[i]);
		ok(expires_ms >= now_ms - 1000 + 60000 && expires_ms <= clock_wall_ms() + 60000, "expires in a minute");
		is_int(token_verify(k, str_from(token), &claims, &err), TOKEN_OK, "%s: verified", algorithm[i]);
		is_str(claims.user_id, "bob@x", "the user");
		is_int(claims.expires_ms, expires_ms + LEEWAY * 1000, "accepted until exp and the leeway");
		ok(token_has_scope(claims.scopes, TOKEN_SCOPE_NOTIFY) && token_has_scope(claims.scopes, TOKEN_SCOPE_ADMIN),
		   "its scopes");
		char *header = xasprintf("{\"alg\":\"%s\",\"typ\":\"JWT\"}", algorithm[i]), *encoded;
		encoded = encode(header, strlen(header));
		ok(strncmp(token, encoded, strlen(encoded)) == 0 && token[strlen(encoded)] == '.', "its header");
		free(encoded);
		free(header);
		free(token);
		ok(claims.login == 0 && claims.issued_ms >= now_ms - 1000, "of no login, issued now");
		const uint64_t login = (uint64_t)now_ms << ID_CHANCE_BITS | 5;
		token = token_issue(k, "bob@x", login, NULL, 60, &expires_ms, &err);
		for (int again = 0; again < 2; again++)
			ok(token_verify(k, str_from(token), &claims, &err) == TOKEN_OK && claims.login == login &&
				   claims.issued_ms == expires_ms - 60000,
			   "of a login, also when it is remembered");
		free(token);
		ok(token_issue(k, "not a user", 0, NULL, 60, &expires_ms, &err) == NULL, "no token for a bad user id");
		ok(token_issue(k, "bob", 0, NULL, 0, &expires_ms, &err) == NULL, "no token for no time");
		token_keys_free(&k);
		free(text);
	}
	unsigned char secret[33] = {0};
	memset(secret + 1, 0xff, 32);
	char *path = xasprintf("%s/zero", dir), *text = xasprintf("secret_file = '%s'", path);
	FILE *f = fopen(path, "w");
	ok(f != NULL && fwrite(secret, 1, 33, f) == 33 && fclose(f) == 0, "a secret that begins with NUL");
	struct token_keys *k = keys_of(text, NULL);
	expect(k, make_bytes('H', secret, 33, HS256, "{" ALWAYS "}", strlen("{" ALWAYS "}")), TOKEN_OK, NULL,
	       "is used whole");
	expect(k, make_bytes('H', secret, 1, HS256, "{" ALWAYS "}", strlen("{" ALWAYS "}")), TOKEN_INVALID,
	       "the token's signature is wrong", "and not as a string");
	token_keys_free(&k);
	unlink(path);
	free(path);
	free(text);
}

static void test_algorithms(void)
{
	const char *payload = "{" ALWAYS "}", *alg = "the token's algorithm is not allowed";
	const char *sig = "the token's signature is wrong";
	char *text = xasprintf("secret = \"" SECRET "\" key r { algorithm = RS256 public_key_file = '%s' }"
			       "key e { algorithm = ES256 public_key_file = '%s' }"
			       "key h { algorithm = HS512 secret = \"x" SECRET "\" }",
			       rsa_file, ec_file);
	struct token_keys *k = keys_of(text, NULL);
	struct conf *c;
	char *pem, *err, *token;
	size_t pem_len;

	expect(k, make('H', HS256, payload), TOKEN_OK, NULL, "HS256");
	expect(k, make('R', "{\"alg\":\"RS256\",\"kid\":\"r\"}", payload), TOKEN_OK, NULL, "RS256 by kid");
	/* RFC 9068 section 2.1: access tokens of identity providers. */
	expect(k, make('R', "{\"typ\":\"at+jwt\",\"alg\":\"RS256\",\"kid\":\"r\"}", payload), TOKEN_OK, NULL,
	       "RS256 with typ at+jwt");
	expect(k, make('H', "{\"typ\":\"application/at+jwt\",\"alg\":\"HS256\"}", payload), TOKEN_OK, NULL,
	       "HS256 with typ application/at+jwt");
	expect(k, make('E', "{\"alg\":\"ES256\",\"kid\":\"e\"}", payload), TOKEN_OK, NULL, "ES256 by kid");
	expect(k, make_bytes('5', "x" SECRET, 33, "{\"kid\":\"h\",\"alg\":\"HS512\"}", payload, strlen(payload)),
	       TOKEN_OK, NULL, "HS512 by kid");
	expect(k, make('R', "{\"alg\":\"RS256\",\"kid\":\"e\"}", payload), TOKEN_INVALID, alg,
	       "RS256 for the ES256 key");
	expect(k, make('R', "{\"alg\":\"ES256\",\"kid\":\"e\"}", payload), TOKEN_INVALID, sig,
	       "an RSA signature as ES256");
	expect(k, make('E', "{\"alg\":\"RS256\",\"kid\":\"r\"}", payload), TOKEN_INVALID, sig,
	       "an EC signature as RS256");
	expect(k, make('R', "{\"alg\":\"RS256\"}", payload), TOKEN_INVALID, alg, "RS256 without kid");
	expect(k, make('H', "{\"alg\":\"HS256\",\"kid\":\"x\"}", payload), TOKEN_INVALID, "the token's key is unknown",
	       "an unknown kid");
	expect(k, make('H', "{\"alg\":\"HS256\",\"kid\":\"\"}", payload), TOKEN_INVALID, "the token's key is unknown",
	       "an empty kid is not the section's own key");
	expect(k, make('H', "{\"alg\":\"HS256\",\"kid\":null}", payload), TOKEN_INVALID, "the token's key is unknown",
	       "a kid of another type");
	expect(k, make('H', "{\"alg\":\"HS256\",\"kid\":\"h\"}", payload), TOKEN_INVALID, alg,
	       "HS256 for the HS512 key");
	expect(k, make('5', "{\"alg\":\"HS512\"}", payload), TOKEN_INVALID, alg, "HS512 with the secret of HS256");
	expect(k, make('5', "{\"alg\":\"HS256\"}", payload), TOKEN_INVALID, sig, "HS512 that says HS256");
	expect(k, make('H', "{\"alg\":\"hs256\"}", payload), TOKEN_INVALID, alg, "another case");
	expect(k, make('H', "{\"alg\":[\"HS256\"]}", payload), TOKEN_INVALID, "the token's header is malformed",
	       "a list");
	expect(k, make('H', "{\"typ\":\"JWT\"}", payload), TOKEN_INVALID, "the token's header is malformed", "no alg");
	expect(k, make('H', "[]", payload), TOKEN_INVALID, "the token's header is malformed", "no object");
	expect(k, make('H', "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", payload), TOKEN_INVALID,
	       "the token's header has critical extensions", "crit");
	expect(k, make('H', "{\"alg\":\"none\"}", payload), TOKEN_INVALID, alg, "none, signed");
	expect(k, make('-', "{\"alg\":\"none\"}", payload), TOKEN_INVALID, "the token is malformed", "none, unsigned");
	token = make('-', "{\"alg\":\"none\"}", payload);
	char *longer = xasprintf("%sAAAA", token);
	free(token);
	expect(k, longer, TOKEN_INVALID, alg, "none, with anything");
	expect(k, make('-', HS256, payload), TOKEN_INVALID, "the token is malformed", "no signature");
	expect(k, make('H', "{\"alg\":\"none\",\"alg\":\"HS256\"}", payload), TOKEN_OK, NULL,
	       "of a double the last counts");
	expect(k, make('H', "{\"alg\":\"HS256\",\"alg\":\"none\"}", payload), TOKEN_INVALID, alg,
	       "and none does not pass");
	expect(k, make_bytes('H', "x" SECRET, 33, HS256, payload, strlen(payload)), TOKEN_INVALID, sig,
	       "another secret");
	token_keys_free(&k);
	free(text);

	/* The classic: the public key as an HMAC secret. */
	text = xasprintf("algorithm = RS256 public_key_file = '%s'", rsa_file);
	k = keys_of(text, &c);
	if (conf_read_file(rsa_file, 65535, &pem, &pem_len) != 0)
		abort();
	expect(k, make('R', "{\"alg\":\"RS256\"}", payload), TOKEN_OK, NULL, "RS256 without kid");
	expect(k, make_bytes('H', pem, pem_len, HS256, payload, strlen(payload)), TOKEN_INVALID, alg,
	       "HS256 signed with the public key");
	expect(k, make_bytes('H', pem, pem_len, "{\"alg\":\"RS256\"}", payload, strlen(payload)), TOKEN_INVALID, sig,
	       "the same, called RS256");
	const char *why = NULL;
	int64_t expires_ms;
	ok(token_issue(k, "alice", 0, NULL, 60, &expires_ms, &why) == NULL, "a public key signs nothing");
	is_str(why, "only a secret in the section jwt signs tokens", "and says so");
	token_keys_free(&k);
	free(pem);

	/* The same configuration without material. */
	free(c->jwt.own.public_key);
	c->jwt.own.public_key = xstrdup("");
	k = token_keys_new(c, &err);
	ok(k == NULL, "no key at all");
	is_str(err, "jwt: there is no key: neither by secret_file nor by public_key_file nor by jwks_file", "is told");
	free(err);
	conf_free(&c);
	free(text);
}

/* RFC 8037 section 3.1: by the same rules as the others. */
static void test_eddsa(void)
{
	static const char header[] = "{\"alg\":\"EdDSA\"}", by_kid[] = "{\"alg\":\"EdDSA\",\"kid\":\"d\"}";
	const char *payload = "{" ALWAYS "}", *alg = "the token's algorithm is not allowed";
	const char *sig = "the token's signature is wrong", *malformed = "the token is malformed", *why = NULL;
	char *text = xasprintf("algorithm = EdDSA public_key_file = '%s' issuer = me audience = us", ed_file), *pem,
	     *token;
	struct token_keys *k = keys_of(text, NULL);
	int64_t now_secs = clock_wall_ms() / 1000, expires_ms;
	size_t pem_len, len, taken = 0;

	expect(k, make('D', header, "{\"iss\":\"me\",\"aud\":\"us\"," ALWAYS "}"), TOKEN_OK, NULL, "EdDSA");
	expect(k, make('D', header, "{\"iss\":\"you\",\"aud\":\"us\"," ALWAYS "}"), TOKEN_INVALID,
	       "the token's issuer is not accepted", "EdDSA: its issuer counts");
	expect(k, make('D', header, "{\"iss\":\"me\"," ALWAYS "}"), TOKEN_INVALID, "the token is for another audience",
	       "EdDSA: its audience counts");
	expect(k, make('D', header, "{\"iss\":\"me\",\"aud\":\"us\",\"sub\":\"alice\"}"), TOKEN_INVALID,
	       "the token has no valid exp", "EdDSA: exp is required");
	expect(k, make('D', header, "{\"iss\":\"me\",\"aud\":\"us\",\"sub\":\"alice\",\"exp\":1}"), TOKEN_EXPIRED,
	       "the token has expired", "EdDSA: exp counts");
	char *early = xasprintf("{\"nbf\":%lld,\"iss\":\"me\",\"aud\":\"us\"," ALWAYS "}", (long long)now_secs + 900);
	expect(k, make('D', header, early), TOKEN_INVALID, "the token is not valid yet", "EdDSA: nbf counts");
	free(early);
	ok(token_issue(k, "alice", 0, NULL, 60, &expires_ms, &why) == NULL, "EdDSA: a public key signs nothing");
	token_keys_free(&k);
	free(text);

	text = xasprintf("secret = \"" SECRET "\" key d { algorithm = EdDSA public_key_file = '%s' }"
			 "key r { algorithm = RS256 public_key_file = '%s' }",
			 ed_file, rsa_file);
	k = keys_of(text, NULL);
	if (conf_read_file(ed_file, 65535, &pem, &pem_len) != 0)
		abort();
	expect(k, make('D', by_kid, payload), TOKEN_OK, NULL, "EdDSA by kid");
	expect(k, make('D', header, payload), TOKEN_INVALID, alg, "EdDSA without kid is held against the own key");
	expect(k, make('D', "{\"alg\":\"RS256\",\"kid\":\"r\"}", payload), TOKEN_INVALID, sig, "EdDSA that says RS256");
	expect(k, make('R', by_kid, payload), TOKEN_INVALID, sig, "RS256 that says EdDSA");
	expect(k, make_bytes('H', pem, pem_len, "{\"alg\":\"HS256\",\"kid\":\"d\"}", payload, strlen(payload)),
	       TOKEN_INVALID, alg, "HS256 signed with the public key");
	expect(k, make_bytes('H', pem, pem_len, by_kid, payload, strlen(payload)), TOKEN_INVALID, sig,
	       "the same, called EdDSA");
	expect(k, make('-', "{\"alg\":\"none\",\"kid\":\"d\"}", payload), TOKEN_INVALID, malformed, "none for it");
	expect(k, make('-', by_kid, payload), TOKEN_INVALID, malformed, "no signature");

	token = make('D', by_kid, payload);
	len = strlen(token);
	for (size_t i = 0; i < len; i++) {
		struct token_claims claims;
		char saved = token[i];
		token[i] = saved == 'A' ? 'E' : 'A';
		taken += token_verify(k, str_from(token), &claims, &why) != TOKEN_INVALID;
		token[i] = saved;
		taken += token_verify(k, (struct str){token, i}, &claims, &why) != TOKEN_INVALID;
	}
	is_int(taken, 0, "EdDSA: no changed character is overlooked, and no cut");
	char *longer = xasprintf("%sAAAA", token);
	expect(k, longer, TOKEN_INVALID, sig, "EdDSA: a signature and three bytes");
	token[len - 2] = '\0';
	expect(k, xstrdup(token), TOKEN_INVALID, sig, "EdDSA: a signature of 63 bytes");
	free(token);
	EVP_PKEY *mine = ed;
	ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	expect(k, make('D', by_kid, payload), TOKEN_INVALID, sig, "EdDSA: by another key");
	EVP_PKEY_free(ed);
	ed = mine;
	token_keys_free(&k);
	free(pem);
	free(text);
}

static void unfit(const char *algorithm, EVP_PKEY *key, bool private, const char *fault)
{
	char *path = write_pem(key, "unfit", private), *err = NULL, *want = xasprintf("t.conf:2: jwt: %s", fault);
	char *text = xasprintf("jwt { algorithm = %s\npublic_key_file = '%s' }", algorithm, path);
	struct conf *c = conf_load_text("t.conf", text, strlen(text), &err);

	ok(c == NULL, "%s: unfit key", algorithm);
	is_str(err, want, "is told with its line");
	unlink(path);
	free(path);
	free(want);
	free(text);
	free(err);
	conf_free(&c);
}

static void test_unfit_keys(void)
{
	EVP_PKEY *weak = EVP_RSA_gen(1024), *p384 = EVP_EC_gen("P-384"), *k256 = EVP_EC_gen("secp256k1");
	EVP_PKEY *ed448 = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");

	unfit("RS256", weak, false, "RS256: the RSA key has less than 2048 bits");
	unfit("RS256", ec, false, "RS256: the public key is not an RSA key");
	unfit("RS256", rsa, true, "there is no public key in PEM in the file");
	unfit("ES256", p384, false, "ES256: the public key is not one of the curve P-256");
	unfit("ES256", k256, false, "ES256: the public key is not one of the curve P-256");
	unfit("ES256", rsa, false, "ES256: the public key is not one of the curve P-256");
	unfit("EdDSA", ec, false, "EdDSA: the public key is not an Ed25519 key");
	unfit("EdDSA", ed448, false, "EdDSA: the public key is not an Ed25519 key");
	unfit("RS256", ed, false, "RS256: the public key is not an RSA key");
	unfit("EdDSA", ed, true, "there is no public key in PEM in the file");
	EVP_PKEY_free(weak);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(k256);
	EVP_PKEY_free(ed448);
}

static void test_claims(void)
{
	struct token_keys *k = keys_of("secret = \"" SECRET "\" issuer = \"https://i\" audience = us", NULL);
	const char *ours = "\"iss\":\"https://i\",\"aud\":\"us\"," ALWAYS;
	const char *issuer = "the token's issuer is not accepted", *audience = "the token is for another audience";

	expect_claims(k, ours, TOKEN_OK, NULL);
	expect_claims(k, "\"aud\":\"us\"," ALWAYS, TOKEN_INVALID, issuer);
	expect_claims(k, "\"iss\":\"https://i/\",\"aud\":\"us\"," ALWAYS, TOKEN_INVALID, issuer);
	expect_claims(k, "\"iss\":[\"https://i\"],\"aud\":\"us\"," ALWAYS, TOKEN_INVALID, issuer);
	expect_claims(k, "\"iss\":\"https://i\"," ALWAYS, TOKEN_INVALID, audience);
	expect_claims(k, "\"iss\":\"https://i\",\"aud\":\"use\"," ALWAYS, TOKEN_INVALID, audience);
	expect_claims(k, "\"iss\":\"https://i\",\"aud\":[\"a\",\"us\"]," ALWAYS, TOKEN_OK, NULL);
	expect_claims(k, "\"iss\":\"https://i\",\"aud\":[\"a\",1,null]," ALWAYS, TOKEN_INVALID, audience);
	expect_claims(k, "\"iss\":\"https://i\",\"aud\":[]," ALWAYS, TOKEN_INVALID, audience);
	expect_claims(k, "\"iss\":\"https://i\",\"aud\":{\"us\":\"us\"}," ALWAYS, TOKEN_INVALID, audience);
	token_keys_free(&k);

	k = keys_of("secret = \"" SECRET "\"", NULL);
	const char *user = "the token names no valid user id", *exp = "the token has no valid exp";
	expect_claims(k, "\"iss\":1,\"aud\":2," ALWAYS, TOKEN_OK, NULL);
	expect_claims(k, "\"exp\":4000000000", TOKEN_INVALID, user);
	expect_claims(k, "\"sub\":7,\"exp\":4000000000", TOKEN_INVALID, user);
	expect_claims(k, "\"sub\":\"\",\"exp\":4000000000", TOKEN_INVALID, user);
	expect_claims(k, "\"sub\":\"a b\",\"exp\":4000000000", TOKEN_INVALID, user);
	expect_claims(k, "\"sub\":\"alice\\n\",\"exp\":4000000000", TOKEN_INVALID, user);
	expect_claims(k, "\"sub\":\"al\\u0069ce\",\"exp\":4000000000", TOKEN_OK, NULL);
	expect_claims(k, "\"sub\":\"eve\"," ALWAYS, TOKEN_OK, NULL);
	expect_claims(k, "\"sub\":\"alice\"", TOKEN_INVALID, exp);
	expect_claims(k, "\"sub\":\"alice\",\"exp\":\"4000000000\"", TOKEN_INVALID, exp);
	expect_claims(k, "\"sub\":\"alice\",\"exp\":null", TOKEN_INVALID, exp);
	expect_claims(k, "\"sub\":\"alice\",\"exp\":true", TOKEN_INVALID, exp);
	expect_claims(k, "\"sub\":\"alice\",\"exp\":-1", TOKEN_EXPIRED, "the token has expired");
	expect_claims(k, "\"sub\":\"alice\",\"exp\":-9e300", TOKEN_EXPIRED, "the token has expired");
	expect_claims(k, "\"sub\":\"alice\",\"exp\":1", TOKEN_EXPIRED, "the token has expired");
	expect_claims(k, "\"sub\":\"a b\",\"exp\":1", TOKEN_INVALID, user);
	expect_claims(k, "\"sub\":\"alice\",\"exp\":4000000000.75", TOKEN_OK, NULL);
	expect_claims(k, "\"sub\":\"alice\",\"exp\":4e9", TOKEN_OK, NULL);
	expect_claims(k, "\"nbf\":\"1\"," ALWAYS, TOKEN_INVALID, "the token's nbf is not a number");
	expect_claims(k, "\"nbf\":-5.5," ALWAYS, TOKEN_OK, NULL);
	expect_claims(k, "\"nbf\":9e300," ALWAYS, TOKEN_INVALID, "the token is not valid yet");
	expect(k, make('H', HS256, "[1]"), TOKEN_INVALID, "the token's payload is not an object", "a list");
	expect(k, make('H', HS256, "{" ALWAYS "} x"), TOKEN_INVALID, "the token's payload is malformed",
	       "something after it");

	static const char *const giant[] = {"9223372036854775807", "9223372036854775", "253402300799", "1e308"};
	for (size_t i = 0; i < ARRAY_LEN(giant); i++) {
		char *payload = xasprintf("{\"sub\":\"alice\",\"exp\":%s}", giant[i]),
		     *token = make('H', HS256, payload);
		struct token_claims claims;
		const char *reason;
		is_int(token_verify(k, str_from(token), &claims, &reason), TOKEN_OK, "exp %s", giant[i]);
		is_int(claims.expires_ms, INT64_C(253402300799000) + LEEWAY * 1000, "does not overflow");
		free(token);
		free(payload);
	}

	struct token_claims claims;
	const char *reason;
	static const struct {
		const char *scope;
		bool notify, admin;
	} scopes[] = {
		{"", false, false},
		{"notify", true, false},
		{"  admin ", false, true},
		{"admin notify", true, true},
		{"not notifyx xnotify NOTIFY", false, false},
		{"notify\\u0000x", false, false},
		{"a\\u0000 notify", true, false},
	};
	char *payload, *token;
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		payload = xasprintf("{" ALWAYS ",\"scope\":\"%s\"}", scopes[i].scope);
		token = make('H', HS256, payload);
		is_int(token_verify(k, str_from(token), &claims, &reason), TOKEN_OK, "the scope '%s'", scopes[i].scope);
		ok(token_has_scope(claims.scopes, TOKEN_SCOPE_NOTIFY) == scopes[i].notify &&
			   token_has_scope(claims.scopes, TOKEN_SCOPE_ADMIN) == scopes[i].admin,
		   "means what it says");
		free(token);
		free(payload);
	}
	payload = xasprintf("{" ALWAYS ",\"scope\":\"%*s notify\"}", 3000, "much:more");
	token = make('H', HS256, payload);
	for (int again = 0; again < 2; again++)
		ok(token_verify(k, str_from(token), &claims, &reason) == TOKEN_OK &&
			   token_has_scope(claims.scopes, TOKEN_SCOPE_NOTIFY) && !token_has_scope(claims.scopes, TOKEN_SCOPE_ADMIN),
		   "a long scope counts%s", again ? ", also when the token is remembered" : "");
	free(token);
	free(payload);
	token = make('H', HS256, "{" ALWAYS ",\"scope\":[\"notify\"]}");
	ok(token_verify(k, str_from(token), &claims, &reason) == TOKEN_OK &&
		   !token_has_scope(claims.scopes, TOKEN_SCOPE_NOTIFY),
	   "a scope of another type is none");
	free(token);
	token_keys_free(&k);
}

static char *timed(const char *claim, int64_t ms)
{
	char *payload = xasprintf("{\"sub\":\"alice\",%s%lld}", claim, (long long)(ms / 1000));
	char *token = make('H', HS256, payload);

	free(payload);
	return token;
}

static void test_time(void)
{
	struct token_keys *k = keys_of("secret = \"" SECRET "\"", NULL), *other;
	int64_t now_ms = clock_wall_ms();
	char *token = timed("\"exp\":", now_ms + 1000000);
	struct token_claims claims;
	const char *reason;

	/* Five seconds' room, for the clock goes on meanwhile. */
	for (int cached = 0; cached < 2; cached++) {
		shift_ms = 0;
		expect(k, xstrdup(token), TOKEN_OK, NULL, cached ? "remembered" : "before exp");
		shift_ms = 1000000 + 5000;
		expect(k, xstrdup(token), TOKEN_OK, NULL, "after exp, within the leeway");
		shift_ms = 1000000 + LEEWAY * 1000 - 5000;
		expect(k, xstrdup(token), TOKEN_OK, NULL, "shortly before the leeway's end");
		shift_ms = 1000000 + LEEWAY * 1000;
		expect(k, xstrdup(token), TOKEN_EXPIRED, "the token has expired", "at the leeway's end");
		expect(k, xstrdup(token), TOKEN_EXPIRED, "the token has expired", "and again");
	}
	token[strlen(token) - 3] = token[strlen(token) - 3] == 'A' ? 'B' : 'A';
	expect(k, xstrdup(token), TOKEN_INVALID, "the token's signature is wrong", "expired and forged is forged");
	free(token);
	shift_ms = 0;

	token = timed("\"exp\":4000000000,\"nbf\":", now_ms + 1000000);
	expect(k, xstrdup(token), TOKEN_INVALID, "the token is not valid yet", "before nbf");
	shift_ms = 1000000 - LEEWAY * 1000 - 5000;
	expect(k, xstrdup(token), TOKEN_INVALID, "the token is not valid yet", "before nbf less the leeway");
	shift_ms = 1000000 - LEEWAY * 1000;
	expect(k, xstrdup(token), TOKEN_OK, NULL, "at nbf less the leeway");
	shift_ms = 0;
	free(token);

	token = make('H', HS256, "{" ALWAYS "}");
	expect(k, xstrdup(token), TOKEN_OK, NULL, "known to these keys");
	other = keys_of("secret = \"x" SECRET "\"", NULL);
	expect(other, xstrdup(token), TOKEN_INVALID, "the token's signature is wrong", "and not to others");
	expect(k, xstrdup(token), TOKEN_OK, NULL, "still known");
	ok(token_verify(k, (struct str){token, strlen(token) - 1}, &claims, &reason) == TOKEN_INVALID,
	   "but not if it is cut");
	free(token);
	token_keys_free(&other);
	token_keys_free(&k);
	token_keys_free(&k);
}

static void test_garbage(void)
{
	struct token_keys *k = keys_of("secret = \"" SECRET "\"", NULL);
	char *token = make('H', HS256, "{" ALWAYS "}"), big[16386];
	size_t len = strlen(token), taken = 0;
	struct token_claims claims;
	const char *reason;
	static const char with[] = "AB.=-+/ \n\x80";

	/* No other spelling of it passes. The trailing NUL of `with` is tried too. */
	for (size_t i = 0; i < len; i++) {
		for (size_t w = 0; w < sizeof(with); w++) {
			char saved = token[i];
			token[i] = with[w];
			taken += with[w] != saved &&
				 token_verify(k, (struct str){token, len}, &claims, &reason) != TOKEN_INVALID;
			token[i] = saved;
		}
	}
	is_int(taken, 0, "no changed character is overlooked");
	for (size_t cut = 0; cut < len; cut++)
		taken += token_verify(k, (struct str){token, cut}, &claims, &reason) != TOKEN_INVALID;
	is_int(taken, 0, "no cut token is taken");
	/* The last digit of 32 bytes has two bits to spare. */
	token[len - 1] = token[len - 1] == '_' ? '-' : (char)(token[len - 1] + 1);
	expect(k, xstrdup(token), TOKEN_INVALID, "the token is malformed", "bits to spare are not free");
	token[len - 1] = '\0';
	free(token);

	static const char *const odd[] = {
		".",	   "..",	"...",	     "a.b.c",		"AA.AA.AA",	 "e30.e30.e30",
		"e30.e30", ".e30.AAAA", "e30..AAAA", "bnVsbA.e30.AAAA", "e30.e30.AAAA.", "W10.W10.AAAA"};
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		ok(token_verify(k, str_from(odd[i]), &claims, &reason) == TOKEN_INVALID, "refused: %s", odd[i]);
	ok(token_verify(k, STR_NULL, &claims, &reason) == TOKEN_INVALID, "refused: none");
	char *pad = xasprintf("{" ALWAYS ",\"x\":\"%*s\"}", 12500, "");
	expect(k, make('H', HS256, pad), TOKEN_INVALID, "the token is malformed", "more than 16 KiB");
	pad[10000] = '\0';
	char *fit = xasprintf("%s\"}", pad);
	expect(k, make('H', HS256, fit), TOKEN_OK, NULL, "less than 16 KiB");
	free(pad);
	free(fit);
	memset(big, 'A', sizeof(big));
	big[5460] = big[10920] = '.';
	ok(token_verify(k, (struct str){big, 16384}, &claims, &reason) == TOKEN_INVALID, "16 KiB of nothing");
	ok(token_verify(k, (struct str){big, 16385}, &claims, &reason) == TOKEN_INVALID, "and more");
	token_keys_free(&k);
}

static void hash_of(uint32_t n, unsigned char hash[TOKEN_HASH_LEN])
{
	EVP_Digest(&n, sizeof(n), hash, NULL, EVP_sha256(), NULL);
}

static void test_cache(void)
{
	struct token_cache *cache = token_cache_new();
	struct token_claims claims = {.user_id = "u", .scopes = 2, .expires_ms = 1000}, got;
	unsigned char hash[TOKEN_HASH_LEN], near[TOKEN_HASH_LEN];
	size_t wrong = 0, found = 0;
	hash_of(0, hash);
	memcpy(near, hash, sizeof(near));
	near[31] ^= 1;
	ok(!token_cache_get(cache, hash, 0, &got), "an empty cache has nothing");
	token_cache_put(cache, hash, 0, &claims);
	ok(token_cache_get(cache, hash, 999, &got), "a token is remembered to the last millisecond");
	ok(strcmp(got.user_id, "u") == 0 && got.scopes == 2 && got.expires_ms == 1000, "with its claims");
	ok(!token_cache_get(cache, near, 0, &got), "another hash of the same set is another token");
	claims.expires_ms = 2000;
	token_cache_put(cache, hash, 0, &claims);
	is_int(token_cache_count(cache), 1, "the same token again takes no more room");
	ok(!token_cache_get(cache, hash, 2000, &got), "when it expires it is forgotten");
	is_int(token_cache_count(cache), 0, "for good");

	claims.expires_ms = 10000000;
	for (uint32_t n = 0; n < 2 * TOKEN_CACHE_MAX; n++) {
		hash_of(n, hash);
		snprintf(claims.user_id, sizeof(claims.user_id), "%u", n);
		token_cache_put(cache, hash, 0, &claims);
		/* The first is in use all the time. */
		hash_of(0, hash);
		found += token_cache_get(cache, hash, 0, &got);
	}
	is_int(found, 2 * TOKEN_CACHE_MAX, "what is in use stays");
	ok(token_cache_count(cache) <= TOKEN_CACHE_MAX && token_cache_count(cache) > TOKEN_CACHE_MAX * 9 / 10,
	   "the cache is bounded, and its room is used: %zu", token_cache_count(cache));
	found = 0;
	for (uint32_t n = 0; n < 2 * TOKEN_CACHE_MAX; n++) {
		char user[16];
		snprintf(user, sizeof(user), "%u", n);
		hash_of(n, hash);
		if (token_cache_get(cache, hash, 0, &got)) {
			found++;
			wrong += strcmp(got.user_id, user) != 0;
		}
	}
	is_int(found, token_cache_count(cache), "what is counted is found");
	is_int(wrong, 0, "and is nobody else's");
	token_cache_free(&cache);
	ok(cache == NULL, "freed");
}

int main(void)
{
	clock_share_shift(&shift_ms);
	if (mkdtemp(dir) == NULL)
		return 1;
	kit_make_keys();
	rsa_file = write_pem(rsa, "rsa", false);
	ec_file = write_pem(ec, "ec", false);
	ed_file = write_pem(ed, "ed", false);
	test_issue();
	test_algorithms();
	test_eddsa();
	test_unfit_keys();
	test_claims();
	test_time();
	test_garbage();
	test_cache();
	unlink(rsa_file);
	unlink(ec_file);
	unlink(ed_file);
	rmdir(dir);
	free(rsa_file);
	free(ec_file);
	free(ed_file);
	kit_free_keys();
	return done_testing();
}
