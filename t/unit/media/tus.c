/* SPDX-License-Identifier: BSD-2-Clause */
/* Headers of uploads. */
#include "core/base.h"
#include "media/tus.h"

#include <stdlib.h>

#include "../tap.h"

static char said[4096];

static const char *decoded(const char *text)
{
	size_t len, n = strlen(text);
	char *in = xmalloc(n + 1), *out = xmalloc(TUS_BASE64_ROOM(n));
	memcpy(in, text, n);
	int status = tus_base64((struct str){in, n}, out, &len);
	snprintf(said, sizeof(said), "%.*s", (int)len, out);
	free(in);
	free(out);
	return status == 0 ? said : NULL;
}

static void test_base64(void)
{
	is_str(decoded(""), "", "nothing");
	is_str(decoded("YQ=="), "a", "one byte");
	is_str(decoded("YWI="), "ab", "two");
	is_str(decoded("YWJj"), "abc", "three");
	is_str(decoded("YWJjZA=="), "abcd", "four");
	static const char *const wrong[] = {"Y",    "YQ",   "YQ=",   "====", "Y===", "=YWJ", "YQ==YQ==",
					    " YQ=", "YQ= ", "YW\nj", "YW-j", "YW_j", "YW!j", "\xc3\xa4YQ"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		is_str(decoded(wrong[i]), NULL, "no base64: %zu", i);
	char longest[TUS_VALUE_MAX * 2 + 5];
	memset(longest, 'A', sizeof(longest));
	longest[TUS_VALUE_MAX * 2] = '\0';
	ok(decoded(longest) != NULL, "as long as may be");
	memset(longest, 'A', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	is_str(decoded(longest), NULL, "longer");
}

static const char *value(const char *header, const char *key)
{
	struct str v = tus_metadata(str_from(header), key);
	snprintf(said, sizeof(said), "%.*s", (int)v.len, v.s != NULL ? v.s : "");
	return v.s != NULL ? said : NULL;
}

static void test_metadata(void)
{
	is_str(value("filename YQ==", "filename"), "YQ==", "a value");
	is_str(value("filetype YQ==,filename YWI=", "filename"), "YWI=", "the second");
	is_str(value(" filetype YQ== , filename   YWI= ", "filename"), "YWI=", "with blanks");
	is_str(value("filename", "filename"), "", "a key alone");
	is_str(value("filename,filetype YQ==", "filename"), "", "and others");
	is_str(value("filename YQ==,filename YWI=", "filename"), "YQ==", "the first one counts");
	static const char *const without[] = {
		"", ",", ",,,", " ", "filenames YQ==", "file YQ==", "x filename YQ==", "Filename YQ=="};
	for (size_t i = 0; i < ARRAY_LEN(without); i++)
		is_str(value(without[i], "filename"), NULL, "without: '%s'", without[i]);
	ok(tus_metadata(STR_NULL, "filename").s == NULL, "no header");
}

static enum tus_checksum checksum(const char *header, enum upload_checksum *kind_r, size_t *len_r)
{
	char digest[CHECKSUM_BYTES_MAX];
	const char *name;
	return tus_checksum(str_from(header), kind_r, digest, len_r, &name);
}

static void test_checksums(void)
{
	enum upload_checksum kind = CHECKSUM_NONE;
	size_t len = 0;
	is_int(checksum("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", &kind, &len), TUS_CHECKSUM_OK, "SHA-1");
	is_int(kind, CHECKSUM_SHA1, "is told");
	is_int(len, 20, "its length");
	is_int(checksum("md5 XrY7u+Ae7tCTyyK7j1rNww==", &kind, &len), TUS_CHECKSUM_OK, "MD5");
	is_int(checksum("sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", &kind, &len), TUS_CHECKSUM_BAD, "of another length");
	is_int(checksum("sha1 ", &kind, &len), TUS_CHECKSUM_BAD, "empty");
	is_int(checksum("sha1 !", &kind, &len), TUS_CHECKSUM_BAD, "no base64");
	static const char *const unknown[] = {"", "sha1", "sha12 AAAA", "crc32 AAAA", "SHA1 AAAA", " sha1 AAAA"};
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		is_int(checksum(unknown[i], &kind, &len), TUS_CHECKSUM_UNKNOWN, "unknown: '%s'", unknown[i]);
}

static const char *type(const char *text)
{
	struct str t = tus_media_type(str_from(text), 20);
	snprintf(said, sizeof(said), "%.*s", (int)t.len, t.s != NULL ? t.s : "");
	return t.s != NULL ? said : NULL;
}

static void test_types(void)
{
	is_str(type("text/plain"), "text/plain", "a type");
	is_str(type("text/plain; charset=utf-8"), "text/plain", "without its parameters");
	is_str(type("image/svg+xml"), "image/svg+xml", "with a suffix");
	static const char *const wrong[] = {"", "text", "a/b/c", "text/plain-that-is-long", "\"a/b\"", "\r\na/b"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		is_str(type(wrong[i]), NULL, "no type: %zu", i);
	ok(tus_media_type(STR_NULL, 20).s == NULL, "no header");
}

int main(void)
{
	test_base64();
	test_metadata();
	test_checksums();
	test_types();
	return done_testing();
}
