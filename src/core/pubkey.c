/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Public keys from PEM and from numbers. Decides which keys are fit for an algorithm;
 * knows nothing of tokens. Leaves nothing in OpenSSL's queue of errors.
 */
#include "core/base.h"
#include "core/pubkey.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384 /* libcrypto verifies nothing with more */
#define COORDINATE_LEN 32  /* P-256 and Ed25519 */
#define ECDSA_DER_MAX 72   /* of P-256: two integers of up to 33 bytes, and their heads */

struct pubkey {
	EVP_PKEY *pkey;
	enum conf_jwt_algorithm algorithm;
};

static const char *rsa_fault(const EVP_PKEY *pkey)
{
	if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA)
		return "RS256: the public key is not an RSA key";
	if (EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN)
		return "RS256: the RSA key has less than 2048 bits";
	return EVP_PKEY_get_bits(pkey) <= RSA_BITS_MAX ? NULL : "RS256: the RSA key has more than 16384 bits";
}

static const char *key_fault(const EVP_PKEY *pkey, enum conf_jwt_algorithm a)
{
	char group[32] = "";

	if (a == JWT_RS256)
		return rsa_fault(pkey);
	if (a == JWT_EDDSA)
		return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519 ? NULL
								      : "EdDSA: the public key is not an Ed25519 key";
	if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC ||
	    EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1 || strcmp(group, SN_X9_62_prime256v1) != 0)
		return "ES256: the public key is not one of the curve P-256";
	return NULL;
}

struct pubkey *pubkey_new(const char *pem, enum conf_jwt_algorithm a, const char **err_r)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)strlen(pem));
	EVP_PKEY *pkey = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	struct pubkey *k = NULL;

	*err_r = pkey == NULL ? "there is no public key in PEM in the file" : key_fault(pkey, a);
	if (*err_r == NULL) {
		k = xmalloc(sizeof(*k));
		k->pkey = pkey;
		k->algorithm = a;
	} else {
		EVP_PKEY_free(pkey);
	}
	BIO_free(bio);
	ERR_clear_error();
	return k;
}

void pubkey_free(struct pubkey **k)
{
	if (*k == NULL)
		return;
	EVP_PKEY_free((*k)->pkey);
	free(*k);
	*k = NULL;
}

/* libcrypto takes ECDSA's two numbers in DER alone; its length, 0 where they are none. */
static size_t ecdsa_der(struct str signature, unsigned char out[ECDSA_DER_MAX])
{
	if (signature.len != 2 * COORDINATE_LEN)
		return 0;
	const unsigned char *numbers = (const unsigned char *)signature.s;
	BIGNUM *r = BN_bin2bn(numbers, COORDINATE_LEN, NULL);
	BIGNUM *s = BN_bin2bn(numbers + COORDINATE_LEN, COORDINATE_LEN, NULL);
	ECDSA_SIG *both = ECDSA_SIG_new();
	int len = 0;

	if (r != NULL && s != NULL && both != NULL && ECDSA_SIG_set0(both, r, s) == 1) {
		r = s = NULL; /* they are its now */
		len = i2d_ECDSA_SIG(both, &out);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(both);
	return len > 0 ? (size_t)len : 0;
}

bool pubkey_verify(const struct pubkey *k, struct str text, struct str signature)
{
	unsigned char der[ECDSA_DER_MAX];
	const EVP_MD *hash = k->algorithm == JWT_EDDSA ? NULL : EVP_sha256();
	const unsigned char *bytes = (const unsigned char *)signature.s;
	size_t len = signature.len;

	if (k->algorithm == JWT_ES256) {
		bytes = der;
		len = ecdsa_der(signature, der);
	}
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL && len > 0 && EVP_DigestVerifyInit(ctx, NULL, hash, NULL, k->pkey) == 1 &&
		    EVP_DigestVerify(ctx, bytes, len, (const unsigned char *)text.s, text.len) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *rsa_from(struct str modulus, struct str exponent)
{
	BIGNUM *n = BN_bin2bn((const unsigned char *)modulus.s, (int)modulus.len, NULL);
	BIGNUM *e = BN_bin2bn((const unsigned char *)exponent.s, (int)exponent.len, NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (n != NULL && e != NULL && build != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		params = OSSL_PARAM_BLD_to_param(build);
	if (params != NULL)
		pkey = from_params("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(n);
	BN_free(e);
	return pkey;
}

static EVP_PKEY *ec_from(struct str x, struct str y)
{
	char group[] = SN_X9_62_prime256v1;
	unsigned char point[1 + 2 * COORDINATE_LEN] = {POINT_CONVERSION_UNCOMPRESSED};
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_end(),
	};

	memcpy(point + 1, x.s, COORDINATE_LEN);
	memcpy(point + 1 + COORDINATE_LEN, y.s, COORDINATE_LEN);
	return from_params("EC", params);
}

/* Whether the numbers are a key's: of an RSA modulus, that it may be a product of two primes. */
static bool is_sound(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	bool sound = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return sound;
}

static char *write_pem(const EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL, *pem = NULL;

	if (bio != NULL && PEM_write_bio_PUBKEY(bio, pkey) == 1) {
		long len = BIO_get_mem_data(bio, &text);
		pem = xstrndup(text, (size_t)len);
	}
	BIO_free(bio);
	return pem;
}

char *pubkey_pem(enum conf_jwt_algorithm a, struct str first, struct str second, const char **err_r)
{
	EVP_PKEY *pkey = NULL;
	char *pem = NULL;

	if (a == JWT_RS256)
		pkey = rsa_from(first, second);
	else if (a == JWT_ES256 && first.len == COORDINATE_LEN && second.len == COORDINATE_LEN)
		pkey = ec_from(first, second);
	else if (a == JWT_EDDSA)
		pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)first.s, first.len);
	*err_r = "the numbers do not make a public key";
	if (pkey != NULL) {
		const char *fault = key_fault(pkey, a);
		if (fault != NULL)
			*err_r = fault;
		else if (is_sound(pkey))
			pem = write_pem(pkey);
	}
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return pem;
}
