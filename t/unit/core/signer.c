/* SPDX-License-Identifier: BSD-2-Clause */
/* Tokens for other services verify with the public key of the private one; other files are refused with the reason. */
#include "core/base.h"
#include "core/signer.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "core/base64url.h"
#include "core/pubkey.h"

#include "../tap.h"

/* A new key's PEM, and its public one's. */
static void make(const char *type, const char *curve, char **private_r, char **public_r, const char *passphrase)
{
	EVP_PKEY *key = curve != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, type, curve)
				      : EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)2048);
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	PEM_write_bio_PrivateKey(bio, key, passphrase != NULL ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
				 (void *)(uintptr_t)passphrase);
	long len = BIO_get_mem_data(bio, &data);
	*private_r = xstrndup(data, (size_t)len);
	BIO_free(bio);
	if (public_r != NULL) {
		bio = BIO_new(BIO_s_mem());
		PEM_write_bio_PUBKEY(bio, key);
		len = BIO_get_mem_data(bio, &data);
		*public_r = xstrndup(data, (size_t)len);
		BIO_free(bio);
	}
	EVP_PKEY_free(key);
}

static struct str part(const char *token, int n)
{
	while (n-- > 0)
		token = strchr(token, '.') + 1;
	return (struct str){token, strcspn(token, ".")};
}

static const char *decoded(struct str digits)
{
	static char text[200];
	size_t len = 0;
	if (base64url_decode(digits, text, &len) != 0)
		return "?";
	text[len] = '\0';
	return text;
}

static bool verifies(const char *token, const char *public_pem, enum conf_jwt_algorithm a)
{
	const char *err;
	char signature[1024];
	size_t len = 0;
	struct pubkey *k = pubkey_new(public_pem, a, &err);
	struct str third = part(token, 2);
	bool fine = k != NULL && base64url_decode(third, signature, &len) == 0 &&
		    pubkey_verify(k, (struct str){token, (size_t)(third.s - token) - 1}, (struct str){signature, len});
	pubkey_free(&k);
	return fine;
}

int main(void)
{
	char *ec, *ec_public, *rsa, *rsa_public, *other, *locked;
	const char *err;
	unsigned char point[SIGNER_POINT_LEN];
	struct buf out = {0};
	make("EC", "P-256", &ec, &ec_public, NULL);
	make("RSA", NULL, &rsa, &rsa_public, NULL);
	make("EC", "P-384", &other, NULL, NULL);
	make("EC", "P-256", &locked, NULL, "secret");

	struct signer *s = signer_new(str_from(ec), SIGNER_ES256, &err);
	ok(s != NULL, "a key of P-256");
	signer_point(s, point);
	is_int(point[0], 4, "its point is uncompressed");
	for (int i = 0; i < 20; i++) {
		buf_clear(&out);
		is_int(signer_jwt(s, "KEY", STR_LIT("{\"iss\":\"team\"}"), &out), 0, "signs");
		ok(verifies(buf_cstr(&out), ec_public, JWT_ES256), "and that verifies");
	}
	is_str(decoded(part(buf_cstr(&out), 0)), "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"KEY\"}", "the header");
	is_str(decoded(part(buf_cstr(&out), 1)), "{\"iss\":\"team\"}", "the claims");
	signer_free(&s);

	s = signer_new(str_from(rsa), SIGNER_RS256, &err);
	buf_clear(&out);
	is_int(signer_jwt(s, NULL, STR_LIT("{}"), &out), 0, "RS256");
	ok(verifies(buf_cstr(&out), rsa_public, JWT_RS256), "verifies");
	is_str(decoded(part(buf_cstr(&out), 0)), "{\"alg\":\"RS256\",\"typ\":\"JWT\"}", "no kid");
	signer_free(&s);
	signer_free(&s);

	ok(signer_new(str_from(rsa), SIGNER_ES256, &err) == NULL && strstr(err, "P-256") != NULL, "an RSA key: %s", err);
	ok(signer_new(str_from(other), SIGNER_ES256, &err) == NULL && strstr(err, "P-256") != NULL, "P-384: %s", err);
	ok(signer_new(str_from(ec), SIGNER_RS256, &err) == NULL && strstr(err, "RSA") != NULL, "not RSA: %s", err);
	const char *const none[] = {ec_public, "", "junk", locked};
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		ok(signer_new(str_from(none[i]), SIGNER_ES256, &err) == NULL && strstr(err, "no private key") != NULL,
		   "none: %s", err);
	free(ec);
	free(ec_public);
	free(rsa);
	free(rsa_public);
	free(other);
	free(locked);
	buf_fini(&out);
	return done_testing();
}
