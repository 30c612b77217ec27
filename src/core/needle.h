/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What somebody searches for: words, and phrases in double quotes. Nothing else in it is an operator: what is no letter
 * and no symbol only parts words, and a quotation mark without its second one does as well.
 */
#ifndef TIDINGS_CORE_NEEDLE_H
#define TIDINGS_CORE_NEEDLE_H

#include "core/base.h"
#include "core/words.h"

/* In characters. */
#define NEEDLE_CHARS_MAX 128
/* Each of its phrases is a character at least. */
#define NEEDLE_PHRASES_MAX NEEDLE_CHARS_MAX

struct needle_phrase {
	size_t at, len; /* in `words` */
};

struct needle {
	struct words words;
	struct needle_phrase phrase[NEEDLE_PHRASES_MAX]; /* all are required; none: nothing is found */
	size_t count;
};

/* All zeroes: empty. */
void needle_fini(struct needle *n);
/* A valid text; what is behind NEEDLE_PHRASES_MAX phrases is ignored. */
void needle_read(struct needle *n, struct str q);
/* Is each phrase in one of the two? */
bool needle_is_in(const struct needle *n, const struct words *a, const struct words *b) MUST_CHECK;

/* A part of a text that was found, in UTF-16 code units. */
struct needle_range {
	uint32_t offset, length;
};
/*
 * Where the phrases are in a text whose words were read with their places: sorted, none touches another. Writes the
 * first `max` of them, and returns how many these are.
 */
size_t needle_ranges(const struct needle *n, const struct words *w, struct needle_range *out, size_t max);

#endif
