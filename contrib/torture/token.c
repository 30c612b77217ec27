/* SPDX-License-Identifier: BSD-2-Clause */
/* Signs tokens as a user system would. */
#include "core/base.h"
#include "token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <time.h>

#include "core/buf.h"

#define VALID_SECS (30 * 86400)

static void append_base64url(struct buf *b, const void *data, size_t len)
{
	char text[512];
	int n = EVP_EncodeBlock((unsigned char *)text, data, (int)len);
	for (int i = 0; i < n && text[i] != '='; i++)
		buf_append_char(b, text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
}

char *token_for(unsigned user, const char *secret)
{
	static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned mac_len;
	struct buf b = {0};
	char claims[128];
	int n = snprintf(claims, sizeof(claims), "{\"sub\":\"p%u\",\"exp\":%lld}", user,
			 (long long)time(NULL) + VALID_SECS);
	append_base64url(&b, header, sizeof(header) - 1);
	buf_append_char(&b, '.');
	append_base64url(&b, claims, (size_t)n);
	HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)b.data, b.len, mac, &mac_len);
	buf_append_char(&b, '.');
	append_base64url(&b, mac, mac_len);
	buf_cstr(&b);
	return b.data;
}
