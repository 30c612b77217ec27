/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8 against the definition, for every code point and at every place a text can be cut. */
#include "core/base.h"

#include "core/utf8.h"
#include "../tap.h"

static size_t encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = len; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3F));
	out[0] = (char)((0xF00 >> len & 0xFF) | c);
	return len;
}

static bool valid(const char *cstr)
{
	return utf8_valid(cstr, strlen(cstr));
}

static void test_code_points(void)
{
	unsigned wrong = 0, cut = 0, inside = 0;
	for (uint32_t c = 0; c < 0x200000; c++) {
		char s[24];
		size_t n = encode(c, s);
		bool want = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
		wrong += utf8_valid(s, n) != want;
		for (size_t i = 1; i < n; i++)
			cut += utf8_valid(s, i);
		/* Among ASCII, across the words that the fast path reads. */
		if (c % 61 == 0 || c < 0x3000) {
			size_t at = c % 19;
			memset(s, 'a', sizeof(s));
			char one[4];
			memcpy(s + at, one, encode(c, one));
			inside += utf8_valid(s, sizeof(s)) != want;
		}
	}
	is_int(wrong, 0, "every code point up to U+10FFFF but the surrogates, and none above");
	is_int(cut, 0, "none of them cut short");
	is_int(inside, 0, "the same among ASCII");
}

/* Whether the bytes are an encoding: decoded by the book and encoded again. */
static bool by_definition(const unsigned char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint32_t c = s[i];
		size_t n = c < 0x80		   ? 1
			   : c >= 0xC0 && c < 0xE0 ? 2
			   : c >= 0xE0 && c < 0xF0 ? 3
			   : c >= 0xF0 && c < 0xF8 ? 4
						   : 0;
		if (n == 0 || n > len - i)
			return false;
		if (n > 1)
			c &= 0x7Fu >> n;
		for (size_t k = 1; k < n; k++) {
			if ((s[i + k] & 0xC0) != 0x80)
				return false;
			c = c << 6 | (s[i + k] & 0x3F);
		}
		char again[4];
		if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) || encode(c, again) != n)
			return false;
		i += n;
	}
	return true;
}

static void test_all_short(void)
{
	unsigned wrong = 0;
	for (uint32_t v = 0; v < 0x1000000; v++) {
		unsigned char s[3] = {(unsigned char)(v >> 16), (unsigned char)(v >> 8), (unsigned char)v};
		/* All of one and two bytes; of three bytes those whose first is not ASCII. */
		if (v < 0x100)
			wrong += utf8_valid((char *)s + 2, 1) != by_definition(s + 2, 1);
		if (v < 0x10000)
			wrong += utf8_valid((char *)s + 1, 2) != by_definition(s + 1, 2);
		if (s[0] >= 0x80)
			wrong += utf8_valid((char *)s, 3) != by_definition(s, 3);
	}
	is_int(wrong, 0, "every sequence of one, two and three bytes");

	/* Of four bytes: all leads with the edges of what may follow. */
	static const unsigned char edge[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
					     0xBF, 0xC0, 0xC2, 0xE0, 0xF4, 0xFF};
	const size_t n = ARRAY_LEN(edge);
	for (unsigned lead = 0xE0; lead < 0x100; lead++) {
		for (size_t i = 0; i < n * n * n; i++) {
			unsigned char s[4] = {(unsigned char)lead, edge[i % n], edge[i / n % n], edge[i / n / n]};
			wrong += utf8_valid((char *)s, 4) != by_definition(s, 4);
		}
	}
	is_int(wrong, 0, "four bytes at their edges");
}

static void test_boundaries(void)
{
	static const struct {
		const char *text;
		bool want;
		const char *name;
	} cases[] = {
		{"", true, "empty"},
		{"\x7F", true, "U+007F"},
		{"\xC2\x80", true, "U+0080"},
		{"\xDF\xBF", true, "U+07FF"},
		{"\xE0\xA0\x80", true, "U+0800"},
		{"\xED\x9F\xBF", true, "U+D7FF"},
		{"\xEE\x80\x80", true, "U+E000"},
		{"\xEF\xBF\xBE", true, "U+FFFE"},
		{"\xEF\xBF\xBF", true, "U+FFFF"},
		{"\xF0\x90\x80\x80", true, "U+10000"},
		{"\xF4\x8F\xBF\xBF", true, "U+10FFFF"},
		{"\xEF\xBB\xBFhi", true, "a byte order mark"},
		{"\x80", false, "a continuation byte alone"},
		{"\xBF", false, "another"},
		{"\xC0\x80", false, "NUL, overlong"},
		{"\xC1\xBF", false, "U+007F, overlong"},
		{"\xE0\x9F\xBF", false, "U+07FF, overlong"},
		{"\xF0\x8F\xBF\xBF", false, "U+FFFF, overlong"},
		{"\xED\xA0\x80", false, "U+D800"},
		{"\xED\xBF\xBF", false, "U+DFFF"},
		{"\xED\xA0\xBD\xED\xB8\x80", false, "a pair of surrogates (CESU-8)"},
		{"\xF4\x90\x80\x80", false, "U+110000"},
		{"\xF5\x80\x80\x80", false, "F5"},
		{"\xF8\x88\x80\x80\x80", false, "five bytes"},
		{"\xFE", false, "FE"},
		{"\xFF", false, "FF"},
		{"\xC3(", false, "a lead byte and a bracket"},
		{"\xE2\x82", false, "a character cut short"},
		{"\xC3\xA4\xA4", false, "one continuation byte too many"},
		{"a fairly long line of ASCII before \xC3", false, "cut after a long line"},
		{"a fairly long line of ASCII before \xE2\x82\xAC and some more of it after", true, "amid a long line"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ok(valid(cases[i].text) == cases[i].want, "%s: %s", cases[i].want ? "taken" : "refused", cases[i].name);
	ok(utf8_valid("a\0b", 3), "NUL is a character");
	ok(utf8_valid(NULL, 0), "no bytes at all");
}

static void test_pieces(void)
{
	static const char *const texts[] = {
		"ascii only, and more than sixteen bytes of it",
		"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\xED\x9F\xBF\xE0\xA0\x80\xF4\x8F\xBF\xBF",
		"mixed \xE4\xBD\xA0\xE5\xA5\xBD with twenty bytes more \xF0\x9F\x91\x8D",
		"bad \xED\xA0\x80 in the middle",
		"\xF0\x9F\x98",
	};
	for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
		const char *s = texts[t];
		size_t len = strlen(s);
		bool want = utf8_valid(s, len), same = true;
		for (size_t i = 0; i <= len; i++) {
			for (size_t k = i; k <= len; k++) {
				unsigned state = utf8_continue(UTF8_ACCEPT, s, i);
				state = utf8_continue(state, s + i, k - i);
				state = utf8_continue(state, s + k, len - k);
				same = same && (state == UTF8_ACCEPT) == want;
			}
		}
		ok(same, "text %zu in three pieces, however cut", t);
	}
	unsigned state = utf8_continue(UTF8_ACCEPT, "\xC3", 1);
	ok(state != UTF8_ACCEPT && state != UTF8_REJECT, "half a character is neither accepted nor rejected");
	state = utf8_continue(UTF8_ACCEPT, "\xFF", 1);
	is_int(state, UTF8_REJECT, "a bad byte rejects");
	is_int(utf8_continue(state, "fine again", 10), UTF8_REJECT, "for good");
	is_int(utf8_continue(state, NULL, 0), UTF8_REJECT, "also with nothing more");
}

static void is_name(const char *in, const char *want, const char *what)
{
	char out[256], again[256];
	size_t n = utf8_name(str_from(in), out), m = utf8_name((struct str){out, n}, again);
	ok(n == strlen(want) && memcmp(out, want, n) == 0, "%s: %s", want[0] != '\0' ? "a name" : "no name", what);
	ok(m == n && memcmp(out, again, n) == 0, "and again");
}

static void test_names(void)
{
	static const struct {
		const char *in, *want, *what;
	} cases[] = {
		{"Ann", "Ann", "letters"},
		{"  Ann Lee\t\n", "Ann Lee", "spaces around it go, those inside stay"},
		{"\u3000\u00A0Ann\u200B\uFEFF", "Ann", "spaces of other kinds and without width"},
		{"photo\u202Egpj.exe", "photogpj.exe", "an override"},
		{"\u061Ca\u200Eb\u200Fc\u202Ad\u202Be\u202Cf\u202Dg\u202Eh", "abcdefgh", "marks and embeddings"},
		{"a\u2066b\u2067c\u2068d\u2069", "abcd", "isolates"},
		{" \u202E \u2066Ann\u2069 \u202C ", "Ann", "directions among spaces"},
		{"\u05D3\u05DF", "\u05D3\u05DF", "Hebrew"},
		{"e\u0301", "e\u0301", "a mark upon a letter"},
		{"\u0645\u06CC\u200C\u062E", "\u0645\u06CC\u200C\u062E", "a joiner inside a word"},
		{"\u0647\u200D", "\u0647\u200D", "a joiner at its end"},
		{"\U0001F468\u200D\U0001F469", "\U0001F468\u200D\U0001F469", "emoji that are joined"},
		{"\u2764\uFE0F", "\u2764\uFE0F", "a variation"},
		{"\U000E0041\U00010348", "\U000E0041\U00010348", "four bytes each"},
		{"", "", "nothing"},
		{" \t\n", "", "spaces"},
		{"\u3000\u2003", "", "wide ones"},
		{"\u200B\u200C\u200D\u2060\uFEFF", "", "characters without width"},
		{"\u0301", "", "a mark alone"},
		{" \u0301\u20DD ", "", "marks and spaces"},
		{"\u202E\u2069", "", "directions alone"},
		{"\u3164\u115F\uFFA0", "", "fillers of Hangul"},
		{"\u2800", "", "the blank of Braille"},
		{"\u00AD", "", "a soft hyphen"},
		{"\U000E0001\U000E0100", "", "tags and variations"},
		{"\u0903", "", "a spacing mark alone"},
		{"a\xC2\x80" "b\xC2\x85" "c\xC2\x9F" "d", "abcd", "controls of two bytes"},
		{"a\u2028b\u2029c", "abc", "separators of lines and paragraphs"},
		{"a\uFFFEb\uFFFFc\uFDD0d\U0001FFFEe\U0010FFFFf", "abcdef", "noncharacters"},
		{"a\u00A0b\uFFFDc\uFDCFd\U00020000e", "a\u00A0b\uFFFDc\uFDCFd\U00020000e", "their neighbours"},
		{"a\tb\r\nc\x07", "a\tb\r\nc", "ends of lines inside"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		is_name(cases[i].in, cases[i].want, cases[i].what);
	ok(utf8_has_control(STR_LIT("a\nb"), false) && !utf8_has_control(STR_LIT("a\nb\tc\r"), true) &&
		   utf8_has_control(STR_LIT("a\x1B"), true) && utf8_has_control(STR_LIT("a\x7F"), true) &&
		   utf8_has_control(STR_LIT("\xC2\x85"), true) && utf8_has_control(STR_LIT("a\u2028"), true) &&
		   utf8_has_control(STR_LIT("a\0b"), true) && utf8_has_control(STR_LIT("\uFFFFa"), true),
	   "what no line has is found");
	ok(!utf8_has_control(STR_LIT(""), false) && !utf8_has_control(STR_LIT("\u00A0\u202E\uFFFD \U0001F600"), false),
	   "and nothing else");
	char place[] = " \u202Eab ";
	ok(utf8_name(str_from(place), place) == 2 && memcmp(place, "ab", 2) == 0, "in its own place");
	char out[32];
	size_t n = utf8_undirected(str_from(" cv\xE2\x80\xAEgpj\xD8\x9C.exe\xE2\x81\xA9 "), out);
	ok(n == 11 && memcmp(out, " cvgpj.exe ", n) == 0, "a file name loses only what turns its direction");
	ok(utf8_name((struct str){"\xE2\x80", 2}, out) <= 2, "bytes that are no text do no harm");
	ok(utf8_name((struct str){"\xF0\x9F\x98", 3}, out) <= 3, "nor such of four");
}

static void test_head(void)
{
	const struct str text = STR_LIT("a\u00E9\u6C49\U0001F600b");
	static const size_t want[] = {0, 1, 3, 6, 10, 11, 11};
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		is_int(utf8_head(text, i).len, want[i], "%zu characters", i);
	ok(utf8_head(STR_NULL, 1).s == NULL && utf8_head(STR_LIT(""), 1).len == 0, "of nothing");
}

int main(void)
{
	test_names();
	test_head();
	test_code_points();
	test_all_short();
	test_boundaries();
	test_pieces();
	return done_testing();
}
