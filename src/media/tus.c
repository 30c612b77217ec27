/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "media/tus.h"

#include <openssl/evp.h>

int tus_base64(struct str text, char *out, size_t *len_r)
{
	size_t digits = text.len;
	*len_r = 0;
	if (text.len % 4 != 0 || text.len > TUS_VALUE_MAX * 2)
		return -1;
	if (text.len == 0)
		return 0;
	while (text.len - digits < 2 && text.s[digits - 1] == '=')
		digits--;
	/* To OpenSSL '=' is a digit anywhere, and white space at both ends is none. */
	if (memchr(text.s, '=', digits) != NULL)
		return -1;
	int n = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)text.s, (int)text.len);
	if (n < 0 || (size_t)n != text.len / 4 * 3)
		return -1;
	*len_r = (size_t)n - (text.len - digits);
	return 0;
}

static struct str next_of_list(struct str *rest)
{
	const char *comma = memchr(rest->s, ',', rest->len);
	size_t len = comma != NULL ? (size_t)(comma - rest->s) : rest->len;
	struct str item = {rest->s, len};
	len += comma != NULL;
	*rest = (struct str){rest->s + len, rest->len - len};
	while (item.len != 0 && item.s[0] == ' ')
		item = (struct str){item.s + 1, item.len - 1};
	while (item.len != 0 && item.s[item.len - 1] == ' ')
		item.len--;
	return item;
}

struct str tus_metadata(struct str header, const char *key)
{
	struct str rest = header;
	size_t n = strlen(key);
	while (rest.s != NULL && rest.len != 0) {
		struct str item = next_of_list(&rest);
		if (item.len < n || memcmp(item.s, key, n) != 0 || (item.len > n && item.s[n] != ' '))
			continue;
		struct str text = {item.s + n, item.len - n};
		while (text.len != 0 && text.s[0] == ' ')
			text = (struct str){text.s + 1, text.len - 1};
		return text;
	}
	return STR_NULL;
}

enum tus_checksum tus_checksum(struct str header, enum upload_checksum *kind_r, char digest[CHECKSUM_BYTES_MAX],
			       size_t *len_r, const char **name_r)
{
	static const struct {
		const char *name;
		enum upload_checksum kind;
		size_t bytes;
	} kinds[] = {{"md5", CHECKSUM_MD5, 16},
		     {"sha1", CHECKSUM_SHA1, 20},
		     {"sha256", CHECKSUM_SHA256, 32},
		     {"sha512", CHECKSUM_SHA512, 64}};
	char bytes[TUS_BASE64_ROOM(TUS_VALUE_MAX * 2)];
	size_t len;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t n = strlen(kinds[i].name);
		if (header.len <= n || memcmp(header.s, kinds[i].name, n) != 0 || header.s[n] != ' ')
			continue;
		*name_r = kinds[i].name;
		if (tus_base64((struct str){header.s + n + 1, header.len - n - 1}, bytes, &len) != 0 ||
		    len != kinds[i].bytes)
			return TUS_CHECKSUM_BAD;
		*kind_r = kinds[i].kind;
		*len_r = len;
		memcpy(digest, bytes, len);
		return TUS_CHECKSUM_OK;
	}
	return TUS_CHECKSUM_UNKNOWN;
}

static bool is_type_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$&-^_.+/", c) != NULL);
}

/* RFC 6838, section 4.2. */
struct str tus_media_type(struct str type, size_t max)
{
	size_t len = 0, slashes = 0;
	while (type.s != NULL && len < type.len && is_type_char(type.s[len]))
		slashes += type.s[len++] == '/';
	return slashes == 1 && len <= max ? (struct str){type.s, len} : STR_NULL;
}
