/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text without what search does not tell apart: case, width and accents. The only door to utf8proc, which knows
 * Unicode: a text is folded as by NFKC_Casefold (Unicode Standard Annex #31, and #15 for the forms), and loses the
 * marks that are accents. Marks that make another letter of it (the voiced kana, the vowels of Thai) stay.
 */
#ifndef TIDINGS_CORE_FOLD_H
#define TIDINGS_CORE_FOLD_H

#include "core/base.h"

/* What a folded character is to those who look for words. */
enum fold_class {
	FOLD_OTHER,    /* white space, punctuation and the like: between words */
	FOLD_LETTER,   /* a letter, a digit, or a mark on one */
	FOLD_UNSPACED, /* of a script that is written without spaces between words: any of them may begin one */
	FOLD_MARK,     /* of such a script, on the character before it */
	FOLD_SYMBOL,   /* a picture, such as an emoji: a word by itself */
};

/* One character of the text with its marks; of characters that one can be made of (U+FDFA is the largest). */
#define FOLD_OUT_MAX 64
struct fold {
	size_t at;   /* the next byte of the text; begins as 0 */
	size_t unit; /* the same in UTF-16 code units */
	/* What fold_next() has found: */
	uint32_t c[FOLD_OUT_MAX]; /* may be none */
	uint8_t class[FOLD_OUT_MAX];
	unsigned count;
	size_t unit_before; /* where it begins; it ends at `unit` */
};

/* Folds what comes next of a valid text. False: its end. */
bool fold_next(struct fold *f, struct str text) MUST_CHECK;

#endif
