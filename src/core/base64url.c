/* SPDX-License-Identifier: BSD-2-Clause */
/* Base64url: digits of six bits become bytes of eight, and back. */
#include "core/base.h"
#include "core/base64url.h"

static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int base64url_decode(struct str in, void *out, size_t *len_r)
{
	unsigned char *bytes = out;
	uint32_t bits = 0;
	unsigned have = 0;
	size_t len = 0;

	if (in.len == 0 || in.len % 4 == 1)
		return -1;
	for (size_t i = 0; i < in.len; i++) {
		int v = digit_value(in.s[i]);
		if (v < 0)
			return -1;
		bits = (bits << 6 | (uint32_t)v) & 0xfff;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (bytes != NULL)
			bytes[len] = (unsigned char)(bits >> have);
		len++;
	}
	/* The bits to spare in the last digit. */
	if ((bits & ((1u << have) - 1)) != 0)
		return -1;
	*len_r = len;
	return 0;
}

void base64url_encode(const void *in, size_t len, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *bytes = in;
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < len; i++) {
		bits = (bits << 8 | bytes[i]) & 0xffff;
		for (have += 8; have >= 6; have -= 6)
			*out++ = digits[bits >> (have - 6) & 63];
	}
	if (have != 0)
		*out++ = digits[bits << (6 - have) & 63];
	*out = '\0';
}
