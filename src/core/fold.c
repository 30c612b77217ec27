/* SPDX-License-Identifier: BSD-2-Clause */
/* Folding, a character with its marks at a time. Most text is ASCII or ideographs, which are done without utf8proc. */
#include "core/base.h"
#include "core/fold.h"

#include <utf8proc.h>

/* Characters of the text that are folded together, at most; what follows is folded by itself. */
#define SEGMENT_MAX 24

struct range {
	uint32_t first, last;
};

static bool is_in(const struct range *range, size_t n, uint32_t c)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t at = low + (high - low) / 2;
		if (range[at].last < c)
			low = at + 1;
		else
			high = at;
	}
	return low < n && range[low].first <= c;
}

/* Chinese, Japanese and Korean; Thai, Lao, Burmese and Khmer. What of it is no letter is told by its category. */
static bool is_unspaced(uint32_t c)
{
	static const struct range ranges[] = {
		{0x0E00, 0x0EFF},   {0x1000, 0x109F},	{0x1100, 0x11FF}, {0x1780, 0x17FF}, {0x2E80, 0x2FDF},
		{0x3005, 0x3007},   {0x3021, 0x3029},	{0x3031, 0x3035}, {0x3038, 0x303C}, {0x3040, 0x30FF},
		{0x3100, 0x318F},   {0x31A0, 0x31BF},	{0x31F0, 0x31FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF},
		{0xA960, 0xA97F},   {0xA9E0, 0xA9FF},	{0xAA60, 0xAA7F}, {0xAC00, 0xD7FF}, {0xF900, 0xFAFF},
		{0x1AFF0, 0x1B16F}, {0x20000, 0x3FFFF},
	};
	return is_in(ranges, ARRAY_LEN(ranges), c);
}

/* Marks without which a word is still the same: accents, and the points of Hebrew and Arabic. */
static bool is_accent(uint32_t c)
{
	static const struct range ranges[] = {
		{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x05BF, 0x05BF}, {0x05C1, 0x05C2},
		{0x05C4, 0x05C5}, {0x05C7, 0x05C7}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0670, 0x0670},
		{0x06D6, 0x06DC}, {0x06DF, 0x06E4}, {0x06E7, 0x06E8}, {0x06EA, 0x06ED}, {0x1AB0, 0x1AFF},
		{0x1DC0, 0x1DFF}, {0x20D0, 0x20FF}, {0xFE20, 0xFE2F},
	};
	return c >= 0x0300 && is_in(ranges, ARRAY_LEN(ranges), c);
}

/* Letters with a stroke, which no form of Unicode takes apart. */
static uint32_t without_stroke(uint32_t c)
{
	switch (c) {
	case 0x00F8:
		return 'o';
	case 0x0111:
		return 'd';
	case 0x0127:
		return 'h';
	case 0x0131:
		return 'i';
	case 0x0142:
		return 'l';
	case 0x0167:
		return 't';
	default:
		return c;
	}
}

static enum fold_class class_of(uint32_t c)
{
	switch (utf8proc_category((utf8proc_int32_t)c)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
	case UTF8PROC_CATEGORY_ND:
	case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_NO:
		return is_unspaced(c) ? FOLD_UNSPACED : FOLD_LETTER;
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ME:
		return is_unspaced(c) ? FOLD_MARK : FOLD_LETTER;
	case UTF8PROC_CATEGORY_SO:
		return FOLD_SYMBOL;
	default:
		return FOLD_OTHER;
	}
}

/* ---- reading the text ---- */

/* The character at that byte of a valid text, and how many bytes it takes. */
static uint32_t read_char(struct str text, size_t at, size_t *len_r)
{
	const uint8_t *p = (const uint8_t *)text.s + at;
	if (p[0] < 0x80) {
		*len_r = 1;
		return p[0];
	}
	if (p[0] < 0xE0) {
		*len_r = 2;
		return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
	}
	if (p[0] < 0xF0) {
		*len_r = 3;
		return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
	}
	*len_r = 4;
	return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 | (uint32_t)(p[2] & 0x3F) << 6 |
	       (p[3] & 0x3F);
}

static uint32_t take_char(struct fold *f, struct str text)
{
	size_t len;
	uint32_t c = read_char(text, f->at, &len);
	f->at += len;
	f->unit += c >= 0x10000 ? 2 : 1;
	return c;
}

static bool is_ideograph(uint32_t c)
{
	return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF);
}

/* Does it belong to the character before it: as a mark, or as the rest of a Korean syllable? */
static bool continues(uint32_t c)
{
	if (c < 0x0300 || is_ideograph(c))
		return false;
	if ((c >= 0x1160 && c <= 0x11FF) || (c >= 0xD7B0 && c <= 0xD7FF) || c == 0xFF9E || c == 0xFF9F)
		return true;
	utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
	return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME;
}

static bool next_continues(const struct fold *f, struct str text)
{
	size_t len;
	/* An ASCII byte is the most frequent answer. */
	return f->at < text.len && (uint8_t)text.s[f->at] >= 0x80 && continues(read_char(text, f->at, &len));
}

/* ---- folding ---- */

static void put(struct fold *f, uint32_t c, enum fold_class class)
{
	f->c[f->count] = c;
	f->class[f->count++] = (uint8_t) class;
}

static void put_ascii(struct fold *f, uint32_t c)
{
	bool upper = c >= 'A' && c <= 'Z';
	bool word = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
	put(f, upper ? c + 'a' - 'A' : c, word ? FOLD_LETTER : FOLD_OTHER);
}

/* Marks in the order of their classes (canonical ordering). */
static void sort_marks(utf8proc_int32_t *c, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		utf8proc_int32_t moved = c[i];
		int class = utf8proc_get_property(moved)->combining_class;
		size_t at = i;
		for (; class != 0 && at > 0 && utf8proc_get_property(c[at - 1])->combining_class > class; at--)
			c[at] = c[at - 1];
		c[at] = moved;
	}
}

/* Takes one apart, without its accents; to out, which has room for `room`. Returns how many there are. */
static size_t decompose(uint32_t c, utf8proc_int32_t *out, size_t room)
{
	const utf8proc_option_t options =
		UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
	int boundclass = 0;
	utf8proc_ssize_t n =
		utf8proc_decompose_char((utf8proc_int32_t)c, out, (utf8proc_ssize_t)room, options, &boundclass);
	if (n < 0 || (size_t)n > room)
		return 0;
	size_t kept = 0;
	for (size_t i = 0; i < (size_t)n; i++)
		if (!is_accent((uint32_t)out[i]))
			out[kept++] = out[i];
	return kept;
}

static void fold_segment(struct fold *f, struct str text, uint32_t c)
{
	utf8proc_int32_t out[FOLD_OUT_MAX];
	size_t n = decompose(c, out, FOLD_OUT_MAX);
	for (unsigned i = 1; i < SEGMENT_MAX && n < FOLD_OUT_MAX && next_continues(f, text); i++)
		n += decompose(take_char(f, text), out + n, FOLD_OUT_MAX - n);
	sort_marks(out, n);
	utf8proc_ssize_t composed =
		utf8proc_normalize_utf32(out, (utf8proc_ssize_t)n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	for (utf8proc_ssize_t i = 0; i < composed; i++)
		put(f, without_stroke((uint32_t)out[i]), class_of((uint32_t)out[i]));
}

bool fold_next(struct fold *f, struct str text)
{
	f->count = 0;
	f->unit_before = f->unit;
	if (f->at >= text.len)
		return false;
	uint32_t c = take_char(f, text);
	if ((c < 0x80 || is_ideograph(c)) && !next_continues(f, text)) {
		if (c < 0x80)
			put_ascii(f, c);
		else
			put(f, c, FOLD_UNSPACED);
		return true;
	}
	fold_segment(f, text, c);
	return true;
}
