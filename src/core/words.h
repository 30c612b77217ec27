/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of a text, as search compares them: its folded characters (fold.h) without what is between words. Where
 * one begins a word, or follows such a gap, it says so.
 *
 * A phrase is found where it begins with the beginning of a word and ends anywhere, so that the beginning of a word
 * finds it; words in the middle of the phrase are whole. In scripts without spaces each character begins a word, so any
 * part is found, but not across a gap unless the phrase has one there, too.
 */
#ifndef TIDINGS_CORE_WORDS_H
#define TIDINGS_CORE_WORDS_H

#include "core/base.h"

#define WORD_STARTS UINT32_C(0x80000000)
#define WORD_UNSPACED UINT32_C(0x40000000)
#define WORD_GAP UINT32_C(0x20000000) /* before it */
#define WORD_CHAR UINT32_C(0x001FFFFF)

struct words {
	uint32_t *c; /* a character with its flags */
	/* Where it is in the text, in UTF-16 code units: only where they were asked for. */
	uint32_t *unit, *unit_end;
	size_t count, room;
	bool places;
};

/* All zeroes: empty. Keeps its memory for the next text. */
void words_fini(struct words *w);
/* A valid text of up to 4 GiB; absent: none. `places`: where each is, for words_find() is told. */
void words_read(struct words *w, struct str text, bool places);
/* Where the phrase (some characters of other words) is next, from that one on; SIZE_MAX: nowhere. */
size_t words_find(const struct words *w, const uint32_t *phrase, size_t len, size_t from);

#endif
