/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading private keys, and signing with them (RFC 7515, RFC 7518). Leaves nothing in OpenSSL's queue of errors. */
#include "core/base.h"
#include "core/signer.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include "core/base64url.h"
#include "core/log.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define SIGNATURE_MAX (RSA_BITS_MAX / 8)
#define COORDINATE_LEN 32

struct signer {
	EVP_PKEY *key;
	enum signer_algorithm algorithm;
};

/* Without one the decoder would ask on the terminal. */
static int no_passphrase(char *pass, size_t size, size_t *len_r, const OSSL_PARAM params[], void *arg)
{
	(void)pass;
	(void)size;
	(void)params;
	(void)arg;
	*len_r = 0;
	return 0;
}

static EVP_PKEY *read_key(struct str pem)
{
	EVP_PKEY *key = NULL;
	const unsigned char *at = (const unsigned char *)pem.s;
	size_t left = pem.len;
	OSSL_DECODER_CTX *ctx =
		OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
	if (ctx == NULL || OSSL_DECODER_CTX_set_passphrase_cb(ctx, no_passphrase, NULL) != 1 ||
	    OSSL_DECODER_from_data(ctx, &at, &left) != 1)
		key = NULL;
	OSSL_DECODER_CTX_free(ctx);
	return key;
}

static const char *fault(const EVP_PKEY *key, enum signer_algorithm a)
{
	char group[32] = "";
	if (key == NULL)
		return "there is no private key in PEM in it, or an encrypted one";
	if (a == SIGNER_ES256)
		return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
				       EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
				       strcmp(group, SN_X9_62_prime256v1) == 0
			       ? NULL
			       : "the private key is not one of the curve P-256";
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		return "the private key is not an RSA key";
	int bits = EVP_PKEY_get_bits(key);
	return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX ? NULL : "the RSA key has less than 2048 bits, or too many";
}

struct signer *signer_new(struct str pem, enum signer_algorithm a, const char **err_r)
{
	EVP_PKEY *key = read_key(pem);
	*err_r = fault(key, a);
	ERR_clear_error();
	if (*err_r != NULL) {
		EVP_PKEY_free(key);
		return NULL;
	}
	struct signer *s = xcalloc(1, sizeof(*s));
	s->key = key;
	s->algorithm = a;
	return s;
}

void signer_free(struct signer **sp)
{
	struct signer *s = *sp;
	if (s == NULL)
		return;
	*sp = NULL;
	EVP_PKEY_free(s->key);
	free(s);
}

void signer_point(const struct signer *s, unsigned char point_r[SIGNER_POINT_LEN])
{
	size_t len = 0;
	ASSERT(s->algorithm == SIGNER_ES256);
	/* Whatever form its file has it in. */
	(void)EVP_PKEY_set_utf8_string_param(s->key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
	int got = EVP_PKEY_get_octet_string_param(s->key, OSSL_PKEY_PARAM_PUB_KEY, point_r, SIGNER_POINT_LEN, &len);
	ASSERT(got == 1 && len == SIGNER_POINT_LEN);
}

/* R and S of 32 bytes each, in place of the DER (RFC 7518 section 3.4). */
static int flatten(unsigned char *signature, size_t *len)
{
	const unsigned char *at = signature;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)*len);
	bool fine = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, COORDINATE_LEN) == COORDINATE_LEN &&
		    BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + COORDINATE_LEN, COORDINATE_LEN) == COORDINATE_LEN;
	ECDSA_SIG_free(sig);
	*len = (size_t)2 * COORDINATE_LEN;
	return fine ? 0 : -1;
}

static int sign(const struct signer *s, struct str text, unsigned char out[SIGNATURE_MAX], size_t *len_r)
{
	*len_r = SIGNATURE_MAX;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool fine = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, s->key) == 1 &&
		    EVP_DigestSign(ctx, out, len_r, (const unsigned char *)text.s, text.len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	if (!fine)
		return -1;
	return s->algorithm == SIGNER_ES256 ? flatten(out, len_r) : 0;
}

static void put_base64url(struct buf *out, const void *data, size_t len)
{
	size_t digits = BASE64URL_DIGITS(len);
	base64url_encode(data, len, buf_reserve(out, digits + 1));
	out->len += digits;
}

int signer_jwt(const struct signer *s, const char *kid, struct str claims, struct buf *out)
{
	unsigned char signature[SIGNATURE_MAX];
	size_t began = out->len, len;
	struct buf header = {0};
	buf_printf(&header, "{\"alg\":\"%s\",\"typ\":\"JWT\"", s->algorithm == SIGNER_ES256 ? "ES256" : "RS256");
	if (kid != NULL)
		buf_printf(&header, ",\"kid\":\"%s\"", kid);
	buf_append_char(&header, '}');
	put_base64url(out, header.data, header.len);
	buf_fini(&header);
	buf_append_char(out, '.');
	put_base64url(out, claims.s, claims.len);
	if (sign(s, (struct str){out->data + began, out->len - began}, signature, &len) != 0) {
		out->len = began;
		return -1;
	}
	buf_append_char(out, '.');
	put_base64url(out, signature, len);
	return 0;
}
