/* SPDX-License-Identifier: BSD-2-Clause */
/* Encrypting for a browser. Leaves nothing in OpenSSL's queue of errors. */
#include "core/base.h"
#include "core/webpush.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>

#include "core/hmac.h"

#define UNCOMPRESSED 4 /* what a point begins with */
#define SECRET_LEN 32
#define KEY_LEN 16
#define NONCE_LEN 12
#define TAG_LEN 16
/* Salt, record size, the length of the key's id, and that id: our point (RFC 8188 section 2.1). */
#define HEADER_LEN (WEBPUSH_SALT_LEN + 4 + 1 + WEBPUSH_POINT_LEN)
#define RECORD_SIZE 4096
#define LAST_RECORD 2 /* the byte behind the text of the last record */

_Static_assert(HEADER_LEN + WEBPUSH_TEXT_MAX + 1 + TAG_LEN == 4096, "a body of 4096 bytes");

/* ---- keys ---- */

static EVP_PKEY *make_key(int selection, OSSL_PARAM *params)
{
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, selection, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return key;
}

static EVP_PKEY *public_key(const unsigned char point[WEBPUSH_POINT_LEN])
{
	char group[] = SN_X9_62_prime256v1;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point, WEBPUSH_POINT_LEN),
		OSSL_PARAM_construct_end(),
	};
	return point[0] == UNCOMPRESSED ? make_key(EVP_PKEY_PUBLIC_KEY, params) : NULL;
}

/* A number is given to OpenSSL in the machine's own order of bytes. */
static void put_native(const unsigned char *big_endian, unsigned char *out, size_t len)
{
	const uint16_t one = 1;
	bool is_little = *(const unsigned char *)&one == 1;
	for (size_t i = 0; i < len; i++)
		out[i] = big_endian[is_little ? len - 1 - i : i];
}

static EVP_PKEY *fixed_key(const struct webpush_fixed *fixed)
{
	char group[] = SN_X9_62_prime256v1;
	unsigned char number[WEBPUSH_PRIVATE_LEN];
	put_native(fixed->private_key, number, sizeof(number));
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)fixed->point,
						  WEBPUSH_POINT_LEN),
		OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, number, sizeof(number)),
		OSSL_PARAM_construct_end(),
	};
	return make_key(EVP_PKEY_KEYPAIR, params);
}

bool webpush_point_valid(struct str point)
{
	if (point.s == NULL || point.len != WEBPUSH_POINT_LEN)
		return false;
	EVP_PKEY *key = public_key((const unsigned char *)point.s);
	EVP_PKEY_free(key);
	return key != NULL;
}

static int shared_secret(EVP_PKEY *ours, EVP_PKEY *theirs, unsigned char out[SECRET_LEN])
{
	size_t len = SECRET_LEN;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(ours, NULL);
	bool fine = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
		    EVP_PKEY_derive(ctx, out, &len) == 1 && len == SECRET_LEN;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return fine ? 0 : -1;
}

/* ---- RFC 8291 section 3.4 ---- */

struct derived {
	unsigned char key[HMAC_SHA256_LEN], nonce[HMAC_SHA256_LEN]; /* KEY_LEN and NONCE_LEN of them */
};

static struct str bytes(const void *data, size_t len)
{
	return (struct str){data, len};
}

static void derive(const struct webpush_keys *keys, const unsigned char point[WEBPUSH_POINT_LEN],
		   const unsigned char salt[WEBPUSH_SALT_LEN], const unsigned char secret[SECRET_LEN],
		   struct derived *out)
{
	static const char intro[] = "WebPush: info";
	static const char key_info[] = "Content-Encoding: aes128gcm\0\1", nonce_info[] = "Content-Encoding: nonce\0\1";
	unsigned char mac[HMAC_SHA256_LEN], info[sizeof(intro) + 2 * WEBPUSH_POINT_LEN + 1], *at = info;
	memcpy(at, intro, sizeof(intro)); /* with its NUL */
	at += sizeof(intro);
	memcpy(at, keys->p256dh, WEBPUSH_POINT_LEN);
	memcpy(at + WEBPUSH_POINT_LEN, point, WEBPUSH_POINT_LEN);
	at[2 * WEBPUSH_POINT_LEN] = 1;
	hmac_sha256(keys->auth, WEBPUSH_AUTH_LEN, bytes(secret, SECRET_LEN), mac);
	hmac_sha256(mac, sizeof(mac), bytes(info, sizeof(info)), mac);
	hmac_sha256(salt, WEBPUSH_SALT_LEN, bytes(mac, sizeof(mac)), mac);
	hmac_sha256(mac, sizeof(mac), bytes(key_info, sizeof(key_info) - 1), out->key);
	hmac_sha256(mac, sizeof(mac), bytes(nonce_info, sizeof(nonce_info) - 1), out->nonce);
	explicit_bzero(mac, sizeof(mac));
}

/* ---- RFC 8188 ---- */

static void put_header(const unsigned char point[WEBPUSH_POINT_LEN], const unsigned char salt[WEBPUSH_SALT_LEN],
		       struct buf *body)
{
	const unsigned char size[] = {0, 0, RECORD_SIZE >> 8, RECORD_SIZE & 255, WEBPUSH_POINT_LEN};
	buf_append(body, salt, WEBPUSH_SALT_LEN);
	buf_append(body, size, sizeof(size));
	buf_append(body, point, WEBPUSH_POINT_LEN);
}

static int put_record(const struct derived *d, struct str text, struct buf *body)
{
	const unsigned char end = LAST_RECORD;
	int len = 0, end_len = 0, rest = 0;
	unsigned char *out = (unsigned char *)buf_reserve(body, text.len + 1 + TAG_LEN);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool fine = ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, d->key, d->nonce) == 1 &&
		    EVP_EncryptUpdate(ctx, out, &len, (const unsigned char *)text.s, (int)text.len) == 1 &&
		    EVP_EncryptUpdate(ctx, out + len, &end_len, &end, 1) == 1 &&
		    EVP_EncryptFinal_ex(ctx, out + len + end_len, &rest) == 1 &&
		    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, out + text.len + 1) == 1;
	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	if (!fine)
		return -1;
	body->len += text.len + 1 + TAG_LEN;
	return 0;
}

static int encrypt(const struct webpush_keys *keys, EVP_PKEY *ours, const unsigned char salt[WEBPUSH_SALT_LEN],
		   struct str text, struct buf *body)
{
	unsigned char point[WEBPUSH_POINT_LEN], secret[SECRET_LEN];
	struct derived d;
	size_t len = 0, began = body->len;
	int result = -1;
	EVP_PKEY *theirs = public_key(keys->p256dh);
	if (theirs != NULL && ours != NULL && text.len <= WEBPUSH_TEXT_MAX &&
	    EVP_PKEY_get_octet_string_param(ours, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, sizeof(point), &len) == 1 &&
	    len == sizeof(point) && shared_secret(ours, theirs, secret) == 0) {
		derive(keys, point, salt, secret, &d);
		put_header(point, salt, body);
		result = put_record(&d, text, body);
		explicit_bzero(&d, sizeof(d));
	}
	explicit_bzero(secret, sizeof(secret));
	EVP_PKEY_free(theirs);
	EVP_PKEY_free(ours);
	ERR_clear_error();
	if (result != 0)
		body->len = began;
	return result;
}

int webpush_encrypt(const struct webpush_keys *keys, struct str text, struct buf *body)
{
	unsigned char salt[WEBPUSH_SALT_LEN];
	arc4random_buf(salt, sizeof(salt));
	return encrypt(keys, EVP_PKEY_Q_keygen(NULL, NULL, "EC", SN_X9_62_prime256v1), salt, text, body);
}

int webpush_encrypt_fixed(const struct webpush_keys *keys, const struct webpush_fixed *fixed, struct str text,
			  struct buf *body)
{
	return encrypt(keys, fixed_key(fixed), fixed->salt, text, body);
}
