/* SPDX-License-Identifier: BSD-2-Clause */
/* The automaton against decoding by the book, and whole against cut in two anywhere; and what is left of a name. */
#include "core/base.h"

#include <stdlib.h>

#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool by_the_book(const uint8_t *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t c = s[i], least;
		if (c < 0x80) {
			n = 1;
			continue;
		}
		if (c >= 0xC0 && c <= 0xDF) {
			n = 2;
			c &= 0x1F;
			least = 0x80;
		} else if (c >= 0xE0 && c <= 0xEF) {
			n = 3;
			c &= 0x0F;
			least = 0x800;
		} else if (c >= 0xF0 && c <= 0xF7) {
			n = 4;
			c &= 0x07;
			least = 0x10000;
		} else {
			return false;
		}
		if (n > len - i)
			return false;
		for (size_t k = 1; k < n; k++) {
			if (s[i + k] < 0x80 || s[i + k] > 0xBF)
				return false;
			c = c << 6 | (s[i + k] & 0x3Fu);
		}
		if (c < least || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
			return false;
	}
	return true;
}

/* What turns the direction of text, in UTF-8. */
static const char *const turns[] = {"\u061C", "\u200E", "\u200F", "\u202A", "\u202B", "\u202C",
				    "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069"};

static void check_name(const char *s, size_t len, bool valid)
{
	char *out = malloc(len + 1), *again = malloc(len + 1);
	if (out == NULL || again == NULL)
		abort();
	if (utf8_undirected((struct str){s, len}, out) > len)
		abort();
	size_t n = utf8_name((struct str){s, len}, out);
	if (n > len)
		abort();
	if (valid) {
		if (!utf8_valid(out, n) || utf8_name((struct str){out, n}, again) != n || memcmp(out, again, n) != 0)
			abort();
		for (size_t i = 0; i < ARRAY_LEN(turns); i++)
			if (memmem(out, n, turns[i], strlen(turns[i])) != NULL)
				abort();
		if (n != 0 && (out[0] == ' ' || out[n - 1] == ' '))
			abort();
	}
	free(out);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *s = (const char *)data;
	bool want = by_the_book(data, len);
	if (utf8_valid(s, len) != want)
		abort();
	check_name(s, len, want);
	size_t step = len < 256 ? 1 : len / 64;
	for (size_t i = 0; i <= len; i += step) {
		unsigned state = utf8_continue(UTF8_ACCEPT, s, i);
		if ((utf8_continue(state, s + i, len - i) == UTF8_ACCEPT) != want)
			abort();
	}
	return 0;
}
