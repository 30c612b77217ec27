/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "core/needle.h"

#include <stdlib.h>

void needle_fini(struct needle *n)
{
	words_fini(&n->words);
	n->count = 0;
}

/* ---- reading ---- */

static bool is_known(const struct needle *n, const uint32_t *c, size_t len)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->phrase[i].len == len && memcmp(n->words.c + n->phrase[i].at, c, len * sizeof(*c)) == 0)
			return true;
	return false;
}

static void add_phrase(struct needle *n, size_t at, size_t end)
{
	if (end > at && n->count < NEEDLE_PHRASES_MAX && !is_known(n, n->words.c + at, end - at))
		n->phrase[n->count++] = (struct needle_phrase){at, end - at};
}

/* Without quotes: what was written in one piece is a phrase. */
static void add_pieces(struct needle *n, size_t at, size_t end)
{
	for (size_t i = at; i < end; i++) {
		if (i == at || (n->words.c[i] & WORD_GAP) == 0)
			continue;
		add_phrase(n, at, i);
		at = i;
	}
	add_phrase(n, at, end);
}

/* How many of its characters are in the text before that byte. */
static size_t words_before(struct needle *n, struct str q, size_t byte)
{
	words_read(&n->words, (struct str){q.s, byte}, false);
	return n->words.count;
}

/* Behind the quotation mark at or after that byte; 0: there is none. */
static size_t behind_quote(struct str q, size_t from)
{
	const char *found = from < q.len ? memchr(q.s + from, '"', q.len - from) : NULL;
	return found != NULL ? (size_t)(found - q.s) + 1 : 0;
}

void needle_read(struct needle *n, struct str q)
{
	/* Where the words begin that are in quotes, and where they end. */
	size_t quoted[NEEDLE_CHARS_MAX], quotes = 0;
	size_t open = behind_quote(q, 0), close;
	while (open != 0 && (close = behind_quote(q, open)) != 0 && quotes + 2 <= ARRAY_LEN(quoted)) {
		quoted[quotes++] = words_before(n, q, open);
		quoted[quotes++] = words_before(n, q, close);
		open = behind_quote(q, close);
	}
	n->count = 0;
	words_read(&n->words, q, false);
	size_t at = 0;
	for (size_t i = 0; i < quotes; i += 2) {
		add_pieces(n, at, quoted[i]);
		add_phrase(n, quoted[i], quoted[i + 1]);
		at = quoted[i + 1];
	}
	add_pieces(n, at, n->words.count);
}

/* ---- finding ---- */

bool needle_is_in(const struct needle *n, const struct words *a, const struct words *b)
{
	for (size_t i = 0; i < n->count; i++) {
		const uint32_t *phrase = n->words.c + n->phrase[i].at;
		size_t len = n->phrase[i].len;
		if (words_find(a, phrase, len, 0) == SIZE_MAX && words_find(b, phrase, len, 0) == SIZE_MAX)
			return false;
	}
	return n->count != 0;
}

struct nearest {
	size_t at; /* SIZE_MAX: not any more */
	const struct needle_phrase *phrase;
};

static void look_for(const struct needle *n, const struct words *w, struct nearest *f, size_t from)
{
	f->at = words_find(w, n->words.c + f->phrase->at, f->phrase->len, from);
}

static struct nearest *nearest_of(struct nearest *f, size_t count)
{
	struct nearest *best = NULL;
	for (size_t i = 0; i < count; i++)
		if (f[i].at != SIZE_MAX && (best == NULL || f[i].at < best->at))
			best = &f[i];
	return best;
}

size_t needle_ranges(const struct needle *n, const struct words *w, struct needle_range *out, size_t max)
{
	struct nearest found[NEEDLE_PHRASES_MAX], *f;
	size_t count = 0;
	for (size_t i = 0; i < n->count; i++) {
		found[i].phrase = &n->phrase[i];
		look_for(n, w, &found[i], 0);
	}
	while ((f = nearest_of(found, n->count)) != NULL) {
		uint32_t begin = w->unit[f->at], end = w->unit_end[f->at + f->phrase->len - 1];
		struct needle_range *last = count != 0 ? &out[count - 1] : NULL;
		look_for(n, w, f, f->at + 1);
		if (last != NULL && begin <= last->offset + last->length) {
			if (end > last->offset + last->length)
				last->length = end - last->offset;
			continue;
		}
		if (count == max)
			break;
		out[count++] = (struct needle_range){begin, end - begin};
	}
	return count;
}
