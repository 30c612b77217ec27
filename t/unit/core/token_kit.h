/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and tokens for tests of what verifies them, made with libcrypto and not with the code under test. */
#ifndef TIDINGS_T_CORE_TOKEN_KIT_H
#define TIDINGS_T_CORE_TOKEN_KIT_H

#include "core/base.h"

#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "core/conf_table.h"
#include "core/token.h"
#include "../tap.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static EVP_PKEY *rsa, *ec, *ed;

static inline void kit_make_keys(void)
{
	rsa = EVP_RSA_gen(2048);
	ec = EVP_EC_gen("P-256");
	ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static inline void kit_free_keys(void)
{
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(ed);
}

static inline char *encode(const void *data, size_t len)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *in = data;
	struct buf out = {0};
	char *text;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
			     (i + 2 < len ? in[i + 2] : 0);
		for (unsigned k = 0; k < 4 && i + k <= len; k++)
			buf_append_char(&out, digit[v >> (18 - 6 * k) & 63]);
	}
	text = xstrdup(buf_cstr(&out));
	buf_fini(&out);
	return text;
}

static inline size_t sign_ec(const char *text, unsigned char *sig)
{
	unsigned char der[256];
	const unsigned char *p = der;
	size_t len = sizeof(der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ECDSA_SIG *rs;

	if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, ec) != 1 ||
	    EVP_DigestSign(ctx, der, &len, (const unsigned char *)text, strlen(text)) != 1)
		abort();
	rs = d2i_ECDSA_SIG(NULL, &p, (long)len);
	BN_bn2binpad(ECDSA_SIG_get0_r(rs), sig, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(rs), sig + 32, 32);
	ECDSA_SIG_free(rs);
	EVP_MD_CTX_free(ctx);
	return 64;
}

static inline size_t sign_rsa(const char *text, unsigned char *sig, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, rsa) != 1 ||
	    EVP_DigestSign(ctx, sig, &size, (const unsigned char *)text, strlen(text)) != 1)
		abort();
	EVP_MD_CTX_free(ctx);
	return size;
}

static inline size_t sign_ed(const char *text, unsigned char *sig, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, ed) != 1 ||
	    EVP_DigestSign(ctx, sig, &size, (const unsigned char *)text, strlen(text)) != 1)
		abort();
	EVP_MD_CTX_free(ctx);
	return size;
}

/* how: 'H' HMAC with SHA-256, '5' with SHA-512, 'R' RSA, 'E' EC, 'D' Ed25519, '-' no signature. */
static inline char *make_bytes(char how, const void *secret, size_t secret_len, const char *header, const char *payload,
			       size_t payload_len)
{
	char *head = encode(header, strlen(header)), *body = encode(payload, payload_len), *tail, *token;
	char *text = xasprintf("%s.%s", head, body);
	unsigned char sig[1024];
	unsigned hmac_len = 0;
	size_t len = 0;

	if (how == 'R')
		len = sign_rsa(text, sig, sizeof(sig));
	else if (how == 'E')
		len = sign_ec(text, sig);
	else if (how == 'D')
		len = sign_ed(text, sig, sizeof(sig));
	else if (how != '-')
		HMAC(how == '5' ? EVP_sha512() : EVP_sha256(), secret, (int)secret_len, (unsigned char *)text,
		     strlen(text), sig, &hmac_len);
	tail = encode(sig, len + hmac_len);
	token = xasprintf("%s.%s", text, tail);
	free(head);
	free(body);
	free(tail);
	free(text);
	return token;
}

static inline char *make(char how, const char *header, const char *payload)
{
	return make_bytes(how, SECRET, 32, header, payload, strlen(payload));
}

#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define ALWAYS "\"sub\":\"alice\",\"exp\":4000000000"

static inline struct token_keys *keys_of(const char *jwt, struct conf **conf_r)
{
	char *text = xasprintf("jwt { %s }", jwt), *err = NULL;
	struct conf *c = conf_load_text("t.conf", text, strlen(text), &err);
	struct token_keys *k = NULL;

	is_str(err, NULL, "configuration");
	free(text);
	free(err);
	err = NULL;
	if (c != NULL)
		k = token_keys_new(c, &err);
	is_str(err, NULL, "keys");
	free(err);
	if (conf_r != NULL)
		*conf_r = c;
	else
		conf_free(&c);
	if (k == NULL)
		abort();
	return k;
}

#endif
