/* SPDX-License-Identifier: BSD-2-Clause */
/* Folding, words, and what of them a needle finds where; and filters of their terms, which never say no to any of it.
 */
#include "core/base.h"
#include "core/fold.h"
#include "core/needle.h"
#include "core/signature.h"
#include "core/utf8.h"

#include <stdio.h>
#include <stdlib.h>

#include "../tap.h"

static struct needle needle;
static struct words text, none;
static struct signature gathered;
static struct buf filter;

/* ---- folding ---- */

/* The folded text, with a bar before what begins a word. */
static const char *folded(const char *s)
{
	static char out[512];
	size_t len = 0;
	words_read(&text, str_from(s), false);
	for (size_t i = 0; i < text.count && len < sizeof(out) - 8; i++) {
		uint32_t c = text.c[i] & WORD_CHAR;
		if ((text.c[i] & WORD_STARTS) != 0)
			out[len++] = '|';
		if (c < 0x80) {
			out[len++] = (char)c;
		} else if (c < 0x800) {
			out[len++] = (char)(0xC0 | c >> 6);
			out[len++] = (char)(0x80 | (c & 0x3F));
		} else if (c < 0x10000) {
			out[len++] = (char)(0xE0 | c >> 12);
			out[len++] = (char)(0x80 | (c >> 6 & 0x3F));
			out[len++] = (char)(0x80 | (c & 0x3F));
		} else {
			out[len++] = (char)(0xF0 | c >> 18);
			out[len++] = (char)(0x80 | (c >> 12 & 0x3F));
			out[len++] = (char)(0x80 | (c >> 6 & 0x3F));
			out[len++] = (char)(0x80 | (c & 0x3F));
		}
	}
	out[len] = '\0';
	return out;
}

static void test_folding(void)
{
	is_str(folded("Hello, WORLD"), "|hello|world", "case does not matter, nor what is between words");
	is_str(folded("\xEF\xBC\xA8\xEF\xBD\x85\xEF\xBD\x8C\xEF\xBD\x8C\xEF\xBD\x8F"), "|hello", "nor does width");
	is_str(folded("caf\xC3\xA9 cafe\xCC\x81 \xC3\x85ngstr\xC3\xB6m"), "|cafe|cafe|angstrom",
	       "nor accents, in one piece or two");
	is_str(folded("stra\xC3\x9F"
		      "e STRASSE"),
	       "|strasse|strasse", "a letter may become two");
	is_str(folded("\xC5\x81\xC3\xB3"
		      "d\xC5\xBA \xC3\xB8re"),
	       "|lodz|ore", "strokes are accents");
	is_str(folded("\xC4\xB0stanbul \xC4\xB1"), "|istanbul|i", "and dots");
	is_str(folded("\xD0\x9C\xD0\x9E\xD0\xA1\xD0\x9A\xD0\x92\xD0\x90"),
	       "|\xD0\xBC\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0", "Cyrillic has case");
	is_str(folded("\xE4\xBD\xA0\xE5\xA5\xBD"), "|\xE4\xBD\xA0|\xE5\xA5\xBD", "each ideograph begins a word");
	is_str(folded("\xEF\xBD\xB6\xEF\xBE\x9E"), "|\xE3\x82\xAC", "narrow kana become wide ones, with their marks");
	is_str(folded("\xE3\x81\x8B \xE3\x81\x8C"), "|\xE3\x81\x8B|\xE3\x81\x8C", "which are no accents");
	is_str(folded("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB \xED\x95\x9C"), "|\xED\x95\x9C|\xED\x95\x9C",
	       "Korean is composed");
	is_str(folded("iPhone\xE6\x89\x8B\xE6\x9C\xBAx"), "|iphone|\xE6\x89\x8B|\xE6\x9C\xBA|x",
	       "another script begins another word");
	is_str(folded("a\xF0\x9F\x98\x80z\xE2\x9D\xA4\xEF\xB8\x8F"), "|a|\xF0\x9F\x98\x80|z|\xE2\x9D\xA4",
	       "an emoji is a word");
	is_str(folded("\xE3\x8E\x8F 10\xE2\x82\x82"), "|kg|102", "what is compatible is the same");
	is_str(folded("so\xC2\xAD"
		      "ft \xE2\x80\x8B"),
	       "|soft", "what cannot be seen is not there");
	is_str(folded(" \t\n!?"), "", "no words");
}

/* ---- finding ---- */

static bool finds(const char *q, const char *s)
{
	needle_read(&needle, str_from(q));
	words_read(&text, str_from(s), true);
	words_read(&none, STR_NULL, false);
	bool found = needle_is_in(&needle, &text, &none);
	signature_clear(&gathered);
	signature_add(&gathered, &text);
	buf_clear(&filter);
	signature_put(&gathered, &filter);
	struct signature_probe probe[SIGNATURE_PROBES_MAX];
	size_t n = signature_probes(&needle, probe);
	if (found && !signature_may_have((struct str){filter.data, filter.len}, probe, n))
		ok(false, "the filter of %s has %s", s, q);
	return found;
}

static const char *ranges(const char *q, const char *s)
{
	static char out[256];
	struct needle_range range[8];
	size_t len = 0;
	out[0] = '\0';
	if (!finds(q, s))
		return "not found";
	size_t n = needle_ranges(&needle, &text, range, ARRAY_LEN(range));
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%u+%u", i != 0 ? " " : "", range[i].offset,
					range[i].length);
	return out;
}

#define NIHAO "\xE4\xBD\xA0\xE5\xA5\xBD"  /* 你好 */
#define SHIJIE "\xE4\xB8\x96\xE7\x95\x8C" /* 世界 */
#define COMMA "\xEF\xBC\x8C"		  /* ， */

static void test_finding(void)
{
	ok(finds("hello", "Hello world"), "a word");
	ok(finds("HEL wor", "Hello world"), "beginnings of words");
	ok(!finds("ello", "Hello world"), "not their middle");
	ok(!finds("hello moon", "Hello world"), "all words are required");
	ok(finds("world hello", "Hello world"), "in any order");
	ok(finds("\"hello world\"", "well, hello -- World"), "a phrase");
	ok(!finds("\"world hello\"", "Hello world"), "in its order");
	ok(finds("\"hello wor\"", "Hello world"), "whose last word may be a beginning");
	ok(!finds("\"hel world\"", "Hello world"), "but not those before it");
	ok(finds("\"hello world", "world. hello"), "a quotation mark without its second one is none");
	ok(finds("-hello +world (hello) hello* a:b", "a b hello world"), "no operators");
	ok(!finds("hello OR moon", "Hello world"), "and no words that are");
	ok(finds("\"one two\" three \"four five\"", "three one two. four five"), "phrases and words");
	ok(!finds("", "a") && !finds("  ", "a") && !finds("\"\"", "a") && !finds("*", "a*"), "no words find nothing");
	ok(finds(NIHAO, "x" NIHAO SHIJIE), "a part of Chinese");
	ok(finds("\xE5\xA5\xBD\xE4\xB8\x96", NIHAO SHIJIE), "any part");
	ok(!finds("\xE5\xA5\xBD\xE4\xB8\x96", NIHAO COMMA SHIJIE), "but not across punctuation");
	ok(finds("\"" NIHAO " " SHIJIE "\"", NIHAO COMMA SHIJIE) && finds("\"" NIHAO " " SHIJIE "\"", NIHAO SHIJIE),
	   "unless the phrase has a gap there");
	ok(finds("\xE4\xBD\xA0", NIHAO), "one character");
	ok(finds("iphone\xE6\x89\x8B", "iPhone \xE6\x89\x8B\xE6\x9C\xBA"), "scripts meet with a space or without");
	ok(!finds("iphon\xE6\x89\x8B", "iPhone\xE6\x89\x8B"), "a word before another is whole");
	ok(finds("\xED\x95\x9C\xEA\xB5\xAD",
		 "\xEB\x8C\x80\xED\x95\x9C\xEB\xAF\xBC\xEA\xB5\xAD \xED\x95\x9C\xEA\xB5\xAD"),
	   "Korean");
	ok(finds("\xF0\x9F\x98\x80", "fun\xF0\x9F\x98\x80!"), "an emoji");
	ok(finds("don't", "I don\xE2\x80\x99t know"), "apostrophes of all kinds");
	ok(finds("photographic", "photographically") && !finds("photographs", "photographically"), "long words");
}

static void test_ranges(void)
{
	is_str(ranges("world", "hello World"), "6+5", "a range");
	is_str(ranges("wor", "hello World"), "6+3", "of what was asked for");
	is_str(ranges("o", "o or o"), "0+1 2+1 5+1", "several");
	is_str(ranges("hello ell hel", "hello hell"), "not found", "no range of what is not there");
	is_str(ranges("hel hello", "hello hell"), "0+5 6+3", "one that contains another");
	is_str(ranges("\"a b\" \"b c\"", "a b c"), "0+5", "two that overlap");
	is_str(ranges("\xE5\xA5\xBD", "\xF0\x9F\x98\x80" NIHAO), "3+1", "counted in UTF-16");
	is_str(ranges("\xF0\x9F\x98\x80", "a\xF0\x9F\x98\x80"
					  "b"),
	       "1+2", "an emoji is two units");
	is_str(ranges("cafe", "Cafe\xCC\x81!"), "0+5", "a mark belongs to its letter");
	is_str(ranges("ss", "\xC3\x9F"), "0+1", "a letter that became two");
	is_str(ranges("\xE5\x93\x88", "\xE5\x93\x88\xE5\x93\x88\xE5\x93\x88"), "0+3", "ranges that touch are one");
	is_str(ranges("x", "x x x x x x x x x x"), "0+1 2+1 4+1 6+1 8+1 10+1 12+1 14+1",
	       "no more than there is room for");
}

/* ---- against a simple reference ---- */

static const char *const pieces[] = {"a",
				     "b",
				     "ab",
				     "ba",
				     "B",
				     "\xC3\xA0",
				     " ",
				     " ",
				     ",",
				     "\"",
				     "1",
				     NIHAO,
				     "\xE4\xBD\xA0",
				     "\xE5\xA5\xBD",
				     COMMA,
				     "\xF0\x9F\x98\x80",
				     "\xE3\x81\x8B",
				     "\xE3\x82\x99",
				     "\xE1\x84\x92",
				     "\xE1\x85\xA1",
				     "abcdefghij",
				     "\xCC\x81"};

static void random_text(char *out, unsigned max)
{
	unsigned n = arc4random_uniform(max + 1);
	*out = '\0';
	while (n-- > 0)
		strcat(out, pieces[arc4random_uniform(ARRAY_LEN(pieces))]);
}

/* As words.h says, character by character. */
static bool is_at(const struct words *w, size_t at, const uint32_t *phrase, size_t len)
{
	if (at + len > w->count || (w->c[at] & WORD_STARTS) == 0)
		return false;
	for (size_t k = 0; k < len; k++) {
		uint32_t t = w->c[at + k], p = phrase[k];
		if ((t & WORD_CHAR) != (p & WORD_CHAR))
			return false;
		if (k == 0)
			continue;
		if ((t & WORD_STARTS) != (p & WORD_STARTS))
			return false;
		bool unspaced = (t & WORD_UNSPACED) != 0 && (w->c[at + k - 1] & WORD_UNSPACED) != 0;
		if (unspaced && (p & WORD_GAP) == 0 && (t & WORD_GAP) != 0)
			return false;
	}
	return true;
}

static bool is_in(const struct words *w)
{
	for (size_t i = 0; i < needle.count; i++) {
		bool found = false;
		for (size_t at = 0; at < w->count && !found; at++)
			found = is_at(w, at, needle.words.c + needle.phrase[i].at, needle.phrase[i].len);
		if (!found)
			return false;
	}
	return needle.count != 0;
}

static void test_random(void)
{
	char q[512], s[2048];
	unsigned found = 0, wrong = 0;
	for (int i = 0; i < 40000; i++) {
		random_text(q, 4);
		random_text(s, 30);
		bool is = finds(q, s);
		found += is;
		wrong += is != is_in(&text);
	}
	ok(wrong == 0, "random texts are found as by the reference");
	ok(found > 2000, "and many are found: %u", found);
}

/* A part of a text that was written down is found in it. */
static void test_parts(void)
{
	char s[2048];
	unsigned missed = 0;
	for (int i = 0; i < 5000; i++) {
		random_text(s, 30);
		words_read(&text, str_from(s), false);
		if (text.count == 0)
			continue;
		/* From the beginning of a character to the end of one. */
		size_t starts[256], count = 0, len = strlen(s);
		for (size_t at = 0; at < len && count < ARRAY_LEN(starts); at++)
			if (((unsigned char)s[at] & 0xC0) != 0x80 && s[at] != '"')
				starts[count++] = at;
		size_t from = starts[arc4random_uniform((uint32_t)count)];
		if (from != 0 && s[from - 1] != ' ')
			continue;
		char part[2048];
		snprintf(part, sizeof(part), "%s", s + from);
		needle_read(&needle, str_from(part));
		missed += needle.count != 0 && !finds(part, s);
	}
	ok(missed == 0, "the end of a text is found in it");
}

/* ---- filters ---- */

static void test_filters(void)
{
	struct signature_probe probe[SIGNATURE_PROBES_MAX];
	char word[64];
	unsigned yes = 0;
	signature_clear(&gathered);
	for (int i = 0; i < 1000; i++) {
		snprintf(word, sizeof(word), "w%dx", i * 7919);
		words_read(&text, str_from(word), false);
		signature_add(&gathered, &text);
	}
	buf_clear(&filter);
	signature_put(&gathered, &filter);
	for (int i = 0; i < 10000; i++) {
		snprintf(word, sizeof(word), "v%dy", i * 104729);
		needle_read(&needle, str_from(word));
		yes += signature_may_have((struct str){filter.data, filter.len}, probe,
					  signature_probes(&needle, probe));
	}
	ok(yes < 300, "one of a hundred says yes in vain: %u of 10000", yes);
	ok(filter.len < 1000 * 6 * 10 / 8 + 64, "of ten bits a term: %zu bytes", filter.len);
	signature_clear(&gathered);
	buf_clear(&filter);
	signature_put(&gathered, &filter);
	ok(filter.len == 0, "no terms, no filter");
	needle_read(&needle, STR_LIT("x"));
	ok(!signature_may_have(STR_LIT(""), probe, signature_probes(&needle, probe)), "and that has nothing");
	for (int i = 0; i < 100000; i++) {
		snprintf(word, sizeof(word), "%x", (unsigned)(i * 2654435761u));
		words_read(&text, str_from(word), false);
		signature_add(&gathered, &text);
	}
	buf_clear(&filter);
	signature_put(&gathered, &filter);
	ok(gathered.full && filter.len == 1, "of too many terms it is short,");
	needle_read(&needle, STR_LIT("anything at all"));
	ok(signature_may_have((struct str){filter.data, filter.len}, probe, signature_probes(&needle, probe)),
	   "and says yes to all");
	needle_read(&needle, STR_LIT("a b c d e f g h i j k l m n o p q r s t u v w x y z"));
	ok(signature_probes(&needle, probe) == SIGNATURE_PROBES_MAX, "a long needle is bounded");
}

int main(void)
{
	test_folding();
	test_finding();
	test_ranges();
	test_random();
	test_parts();
	test_filters();
	needle_fini(&needle);
	words_fini(&text);
	words_fini(&none);
	signature_fini(&gathered);
	buf_fini(&filter);
	return done_testing();
}
