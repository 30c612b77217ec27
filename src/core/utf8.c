/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table automaton over byte classes. All text of clients passes here, most of
 * it ASCII, which is skipped sixteen bytes at a time.
 */
#include "core/base.h"
#include "core/utf8.h"

/* What a byte can be, told apart as far as RFC 3629 section 4 needs it. */
enum byte_class {
	B_BAD, /* in no text: C0, C1, F5..FF */
	B_ASCII,
	B_80,	 /* 80..8F */
	B_90,	 /* 90..9F */
	B_A0,	 /* A0..BF */
	B_LEAD2, /* C2..DF */
	B_E0,	 /* A0..BF must follow, or it would be overlong */
	B_LEAD3, /* E1..EC, EE, EF */
	B_ED,	 /* 80..9F must follow, or it would be a surrogate */
	B_F0,	 /* 90..BF must follow, or it would be overlong */
	B_LEAD4, /* F1..F3 */
	B_F4,	 /* 80..8F must follow, or it would be over U+10FFFF */
	B_COUNT
};

enum state {
	OK = UTF8_ACCEPT,
	NO = UTF8_REJECT,
	N1, /* that many continuation bytes are missing */
	N2,
	N3,
	E0, /* just after that byte */
	ED,
	F0,
	F4,
	STATES
};

static const uint8_t class_of[256] = {
	[0x00 ... 0x7F] = B_ASCII, [0x80 ... 0x8F] = B_80, [0x90 ... 0x9F] = B_90,    [0xA0 ... 0xBF] = B_A0,
	[0xC2 ... 0xDF] = B_LEAD2, [0xE0] = B_E0,	   [0xE1 ... 0xEC] = B_LEAD3, [0xED] = B_ED,
	[0xEE ... 0xEF] = B_LEAD3, [0xF0] = B_F0,	   [0xF1 ... 0xF3] = B_LEAD4, [0xF4] = B_F4,
};

/* clang-format off */
static const uint8_t step[STATES][B_COUNT] = {
	/*       bad ascii 80  90  A0 lead2 E0 lead3 ED  F0 lead4 F4 */
	[OK] = { NO,  OK,  NO, NO, NO, N1,  E0, N2,  ED, F0, N3,  F4 },
	[NO] = { NO,  NO,  NO, NO, NO, NO,  NO, NO,  NO, NO, NO,  NO },
	[N1] = { NO,  NO,  OK, OK, OK, NO,  NO, NO,  NO, NO, NO,  NO },
	[N2] = { NO,  NO,  N1, N1, N1, NO,  NO, NO,  NO, NO, NO,  NO },
	[N3] = { NO,  NO,  N2, N2, N2, NO,  NO, NO,  NO, NO, NO,  NO },
	[E0] = { NO,  NO,  NO, NO, N1, NO,  NO, NO,  NO, NO, NO,  NO },
	[ED] = { NO,  NO,  N1, N1, NO, NO,  NO, NO,  NO, NO, NO,  NO },
	[F0] = { NO,  NO,  NO, N2, N2, NO,  NO, NO,  NO, NO, NO,  NO },
	[F4] = { NO,  NO,  N2, NO, NO, NO,  NO, NO,  NO, NO, NO,  NO },
};
/* clang-format on */

static const char *skip_ascii(const char *p, const char *end)
{
	while (end - p >= 16) {
		uint64_t word[2];
		memcpy(word, p, sizeof(word));
		if (((word[0] | word[1]) & UINT64_C(0x8080808080808080)) != 0)
			break;
		p += 16;
	}
	return p;
}

unsigned utf8_continue(unsigned state, const char *s, size_t len)
{
	if (len == 0)
		return state;
	const char *end = s + len;
	while (s < end) {
		if (state == UTF8_ACCEPT) {
			s = skip_ascii(s, end);
			if (s == end)
				break;
		}
		/* A stretch by the table before looking for words of ASCII again, for texts that have none. */
		const char *stop = end - s > 16 ? s + 16 : end;
		while (s < stop)
			state = step[state][class_of[(unsigned char)*s++]];
		if (state == UTF8_REJECT)
			break;
	}
	return state;
}

bool utf8_valid(const char *s, size_t len)
{
	return utf8_continue(UTF8_ACCEPT, s, len) == UTF8_ACCEPT;
}

size_t utf8_count(struct str s)
{
	size_t count = 0;
	for (size_t i = 0; i < s.len; i++)
		count += ((unsigned char)s.s[i] & 0xc0) != 0x80;
	return count;
}

struct str utf8_head(struct str s, size_t chars)
{
	size_t len = 0;
	for (; len < s.len; len++)
		if (((unsigned char)s.s[len] & 0xc0) != 0x80 && chars-- == 0)
			break;
	return (struct str){s.s, len};
}
