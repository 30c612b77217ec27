/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a token: refused with a reason. To get past the signature, the
 * bytes are also taken as the header and the payload of a token that is signed here.
 */
#include "core/base.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/conf_table.h"
#include "core/token.h"
#include "core/utf8.h"

#define SECRET "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct token_keys *keys;

static void start(void)
{
	char text[] = "jwt { secret = \"" SECRET "\" key k { secret = \"" SECRET "\" } audience = a }", *err = NULL;
	struct conf *c = conf_load_text("fuzz", text, sizeof(text) - 1, &err);

	keys = c == NULL ? NULL : token_keys_new(c, &err);
	conf_free(&c);
	if (keys == NULL)
		abort();
}

static void append_base64url(struct buf *b, const void *data, size_t len)
{
	unsigned char *text = xmalloc(len * 4 / 3 + 5);
	int out = EVP_EncodeBlock(text, data, (int)len);

	for (int i = 0; i < out && text[i] != '='; i++)
		buf_append_char(b, (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]));
	free(text);
}

static void try_token(struct str token)
{
	struct token_claims claims;
	const char *reason = NULL;
	enum token_status status = token_verify(keys, token, &claims, &reason);

	if (status != TOKEN_OK && (reason == NULL || reason[0] == '\0'))
		abort();
	if (status == TOKEN_OK && (!id_user_valid(str_from(claims.user_id)) || claims.expires_ms <= 0))
		abort();
}

/* The part before the first line feed is the header, the rest the payload. */
static void try_signed(struct str text)
{
	static const char usual[] = "{\"alg\":\"HS256\"}";
	const char *lf = memchr(text.s, '\n', text.len);
	size_t head = lf == NULL ? 0 : (size_t)(lf - text.s), skip = lf == NULL ? 0 : head + 1;
	unsigned char mac[EVP_MAX_MD_SIZE];
	struct buf b = {0};
	unsigned mac_len = 0;

	append_base64url(&b, lf == NULL ? usual : text.s, lf == NULL ? sizeof(usual) - 1 : head);
	buf_append_char(&b, '.');
	append_base64url(&b, text.s + skip, text.len - skip);
	HMAC(EVP_sha256(), SECRET, 32, (unsigned char *)b.data, b.len, mac, &mac_len);
	buf_append_char(&b, '.');
	append_base64url(&b, mac, mac_len);
	try_token((struct str){b.data, b.len});
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (keys == NULL)
		start();
	try_token((struct str){(const char *)data, len});
	if (len > 0)
		try_signed((struct str){(const char *)data, len});
	return 0;
}
