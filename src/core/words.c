/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of texts, and finding a phrase among them. Decides where words begin; what is a letter of one is fold.c's. */
#include "core/base.h"
#include "core/words.h"

#include <stdlib.h>

#include "core/fold.h"
#include "core/log.h"

#define ROOM_MIN 256

void words_fini(struct words *w)
{
	free(w->c);
	free(w->unit);
	free(w->unit_end);
	*w = (struct words){0};
}

static void make_room(struct words *w, size_t more)
{
	if (w->count + more <= w->room && (!w->places || w->unit != NULL))
		return;
	if (w->count + more > w->room)
		w->room = 2 * w->room > w->count + more ? 2 * w->room : w->count + more + ROOM_MIN;
	w->c = xrealloc(w->c, w->room * sizeof(*w->c));
	/* Their memory is as large where there is any. */
	if (w->places || w->unit != NULL) {
		w->unit = xrealloc(w->unit, w->room * sizeof(*w->unit));
		w->unit_end = xrealloc(w->unit_end, w->room * sizeof(*w->unit_end));
	}
}

/* The flags of the next character, by the class of that one and of the one before it (FOLD_OTHER: a gap). */
static uint32_t flags_of(enum fold_class class, enum fold_class before)
{
	switch (class) {
	case FOLD_UNSPACED:
		return WORD_UNSPACED | WORD_STARTS;
	case FOLD_MARK:
		return before == FOLD_UNSPACED || before == FOLD_MARK ? WORD_UNSPACED : WORD_UNSPACED | WORD_STARTS;
	case FOLD_LETTER:
		return before == FOLD_LETTER ? 0 : WORD_STARTS;
	default:
		return WORD_STARTS;
	}
}

void words_read(struct words *w, struct str text, bool places)
{
	struct fold f = {0};
	enum fold_class before = FOLD_OTHER;
	w->count = 0;
	w->places = places;
	while (fold_next(&f, text)) {
		make_room(w, f.count);
		for (unsigned i = 0; i < f.count; i++) {
			enum fold_class class = (enum fold_class)f.class[i];
			if (class != FOLD_OTHER) {
				w->c[w->count] =
					f.c[i] | flags_of(class, before) | (before == FOLD_OTHER ? WORD_GAP : 0);
				if (places) {
					w->unit[w->count] = (uint32_t)f.unit_before;
					w->unit_end[w->count] = (uint32_t)f.unit;
				}
				w->count++;
			}
			before = class;
		}
	}
}

/* Is that character of the phrase, which is not its first, the one in the text? Each is after another one. */
static bool is_same(const uint32_t *text, const uint32_t *phrase)
{
	if (((*text ^ *phrase) & (WORD_CHAR | WORD_STARTS)) != 0)
		return false;
	/* Within such a script a gap is not passed over. */
	bool joined = (phrase[0] & phrase[-1] & WORD_UNSPACED) != 0 && (*phrase & WORD_GAP) == 0;
	return !joined || (*text & WORD_GAP) == 0;
}

size_t words_find(const struct words *w, const uint32_t *phrase, size_t len, size_t from)
{
	ASSERT(len != 0);
	const uint32_t first = (phrase[0] & WORD_CHAR) | WORD_STARTS;
	for (size_t i = from; i + len <= w->count; i++) {
		if ((w->c[i] & (WORD_CHAR | WORD_STARTS)) != first)
			continue;
		size_t n = 1;
		while (n < len && is_same(&w->c[i + n], &phrase[n]))
			n++;
		if (n == len)
			return i;
	}
	return SIZE_MAX;
}
