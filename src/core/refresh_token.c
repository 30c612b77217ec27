/* SPDX-License-Identifier: BSD-2-Clause */
/* Refresh tokens: their form, and the chain of their secrets. */
#include "core/base.h"
#include "core/refresh_token.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/base64url.h"
#include "core/hmac.h"
#include "core/log.h"

#define MACED_LEN (8 + 4 + REFRESH_SECRET_LEN)
#define BYTES_LEN (MACED_LEN + REFRESH_MAC_LEN)

_Static_assert(BASE64URL_DIGITS(BYTES_LEN) == REFRESH_TOKEN_LEN, "there is one spelling of the last digits");

static void put_number(unsigned char *at, size_t bytes, uint64_t n)
{
	for (; bytes-- > 0; n >>= 8)
		at[bytes] = (unsigned char)n;
}

static uint64_t take_number(const unsigned char *at, size_t bytes)
{
	uint64_t n = 0;
	while (bytes-- > 0)
		n = n << 8 | *at++;
	return n;
}

static void put_maced(const struct refresh_token *t, unsigned char out[MACED_LEN])
{
	put_number(out, 8, t->login);
	put_number(out + 8, 4, t->generation);
	memcpy(out + 12, t->secret, REFRESH_SECRET_LEN);
}

static void make_mac(const struct refresh_token *t, const unsigned char key[REFRESH_KEY_LEN],
		     unsigned char mac_r[REFRESH_MAC_LEN])
{
	unsigned char text[MACED_LEN], whole[HMAC_SHA256_LEN];
	put_maced(t, text);
	hmac_sha256(key, REFRESH_KEY_LEN, (struct str){(const char *)text, sizeof(text)}, whole);
	memcpy(mac_r, whole, REFRESH_MAC_LEN);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(whole, sizeof(whole));
}

void refresh_token_begin(struct refresh_token *t, uint64_t login, unsigned char key_r[REFRESH_KEY_LEN])
{
	arc4random_buf(key_r, REFRESH_KEY_LEN);
	*t = (struct refresh_token){.login = login, .generation = 1};
	arc4random_buf(t->secret, REFRESH_SECRET_LEN);
	make_mac(t, key_r, t->mac);
}

void refresh_token_advance(struct refresh_token *t, const unsigned char key[REFRESH_KEY_LEN])
{
	unsigned char text[4 + REFRESH_SECRET_LEN] = {'n', 'e', 'x', 't'};
	memcpy(text + 4, t->secret, REFRESH_SECRET_LEN);
	_Static_assert(REFRESH_SECRET_LEN == HMAC_SHA256_LEN, "as long as what HMAC-SHA256 makes");
	hmac_sha256(key, REFRESH_KEY_LEN, (struct str){(const char *)text, sizeof(text)}, t->secret);
	explicit_bzero(text, sizeof(text));
	t->generation++;
	make_mac(t, key, t->mac);
}

int refresh_token_parse(struct str text, struct refresh_token *out)
{
	unsigned char bytes[BYTES_LEN];
	size_t len;
	if (text.len != REFRESH_TOKEN_LEN || base64url_decode(text, bytes, &len) != 0)
		return -1;
	out->login = take_number(bytes, 8);
	out->generation = (uint32_t)take_number(bytes + 8, 4);
	memcpy(out->secret, bytes + 12, REFRESH_SECRET_LEN);
	memcpy(out->mac, bytes + MACED_LEN, REFRESH_MAC_LEN);
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

bool refresh_token_is_genuine(const struct refresh_token *t, const unsigned char key[REFRESH_KEY_LEN])
{
	unsigned char mac[REFRESH_MAC_LEN];
	make_mac(t, key, mac);
	return CRYPTO_memcmp(mac, t->mac, sizeof(mac)) == 0;
}

void refresh_token_hash(const struct refresh_token *t, unsigned char out[REFRESH_HASH_LEN])
{
	unsigned char text[MACED_LEN];
	put_maced(t, text);
	ASSERT(EVP_Digest(text, sizeof(text), out, NULL, EVP_sha256(), NULL) == 1);
	explicit_bzero(text, sizeof(text));
}

bool refresh_token_has_hash(const struct refresh_token *t, const unsigned char hash[REFRESH_HASH_LEN])
{
	unsigned char own[REFRESH_HASH_LEN];
	refresh_token_hash(t, own);
	return CRYPTO_memcmp(own, hash, sizeof(own)) == 0;
}

void refresh_token_format(const struct refresh_token *t, char out[REFRESH_TOKEN_LEN + 1])
{
	unsigned char bytes[BYTES_LEN];
	put_maced(t, bytes);
	memcpy(bytes + MACED_LEN, t->mac, REFRESH_MAC_LEN);
	base64url_encode(bytes, sizeof(bytes), out);
	explicit_bzero(bytes, sizeof(bytes));
}

void refresh_token_wipe(struct refresh_token *t)
{
	explicit_bzero(t, sizeof(*t));
}
