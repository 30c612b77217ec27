/* SPDX-License-Identifier: BSD-2-Clause */
/* Terms, and filters of them. */
#include "core/base.h"
#include "core/signature.h"

#include <stdlib.h>

#define BITS_A_TERM 10
/* A filter's length is a multiple of it. */
#define STEP_BYTES 16
#define SLOTS_MIN 1024
/* Beyond that even the largest filter says yes to almost everything. */
#define TERMS_MAX ((size_t)40000)
#define ALL_SET "\xff"

/* ---- terms ---- */

/* The finalizer of MurmurHash3 (Appleby), which changes half of the bits for each that differs. */
static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static uint64_t term_of(uint64_t before, uint32_t c)
{
	return mix(before * UINT64_C(0x9e3779b97f4a7c15) + (c & WORD_CHAR) + 1);
}

static bool is_term_length(size_t n)
{
	return n <= 4 || n == 6 || n == 8;
}

#define TERM_LENGTH_MAX 8
/* Characters of a word that tell it from others. */
#define WORD_MAX 24

/* Does that one, which is not the first, follow the one before it in a script without spaces? */
static bool is_joined(const uint32_t *c)
{
	return (c[0] & c[-1] & WORD_UNSPACED) != 0 && (c[0] & WORD_GAP) == 0;
}

/* The end of the word that begins there: letters up to the next beginning. */
static size_t word_end(const uint32_t *c, size_t at, size_t count)
{
	size_t end = at + 1;
	while (end < count && (c[end] & (WORD_STARTS | WORD_UNSPACED)) == 0)
		end++;
	return end;
}

/* Where one of two characters differs from a word that begins with the same two, it is told by its seed. */
#define SEED_WORD 1
#define SEED_PAIR 2
#define SEED_NEXT 3

static uint64_t pair_at(const uint32_t *second)
{
	return term_of(term_of(SEED_PAIR, second[-1]), second[0]);
}

/*
 * A whole word and how the next one begins: its first two characters, or the only one. Of a next one that is a
 * beginning itself a single character says nothing: 0.
 */
static uint64_t next_at(const uint32_t *word, size_t len, const uint32_t *next, size_t next_len, bool is_whole)
{
	uint64_t term = SEED_NEXT;
	if (next_len < 2 && !is_whole)
		return 0;
	for (size_t i = 0; i < len && i < WORD_MAX; i++)
		term = term_of(term, word[i]);
	term = term_of(term, 0);
	for (size_t i = 0; i < next_len && i < 2; i++)
		term = term_of(term, next[i]);
	return term;
}

/* Is there a word with letters? */
static bool is_word(const uint32_t *c, size_t at, size_t count)
{
	return at < count && (c[at] & WORD_UNSPACED) == 0;
}

/* ---- gathering ---- */

void signature_fini(struct signature *s)
{
	free(s->slot);
	*s = (struct signature){0};
}

void signature_clear(struct signature *s)
{
	if (s->count != 0)
		memset(s->slot, 0, s->size * sizeof(*s->slot));
	s->count = 0;
	s->full = false;
}

static void insert(struct signature *s, uint64_t term)
{
	size_t at = term & (s->size - 1);
	while (s->slot[at] != 0 && s->slot[at] != term)
		at = (at + 1) & (s->size - 1);
	s->count += s->slot[at] == 0;
	s->slot[at] = term;
}

static void grow(struct signature *s)
{
	uint64_t *old = s->slot;
	size_t old_size = s->size;
	s->size = old_size != 0 ? 2 * old_size : SLOTS_MIN;
	s->slot = xcalloc(s->size, sizeof(*s->slot));
	s->count = 0;
	for (size_t i = 0; i < old_size; i++)
		if (old[i] != 0)
			insert(s, old[i]);
	free(old);
}

static void add_term(struct signature *s, uint64_t term)
{
	s->full |= s->count >= TERMS_MAX;
	if (s->full)
		return;
	if (s->count >= s->size / 2)
		grow(s);
	insert(s, term != 0 ? term : 1);
}

void signature_add(struct signature *s, const struct words *w)
{
	for (size_t i = 0; i < w->count && !s->full; i++) {
		uint64_t term = SEED_WORD;
		if ((w->c[i] & WORD_UNSPACED) != 0) {
			add_term(s, term_of(SEED_WORD, w->c[i]));
			if (i != 0 && is_joined(&w->c[i]))
				add_term(s, pair_at(&w->c[i]));
			continue;
		}
		size_t end = word_end(w->c, i, w->count);
		for (size_t n = 1; i + n <= end && n <= TERM_LENGTH_MAX; n++) {
			term = term_of(term, w->c[i + n - 1]);
			if (is_term_length(n))
				add_term(s, term);
		}
		if (is_word(w->c, end, w->count))
			add_term(s, next_at(w->c + i, end - i, w->c + end, word_end(w->c, end, w->count) - end, true));
		i = end - 1;
	}
}

/* ---- filters ---- */

static uint32_t probe_of(uint64_t term, uint32_t i)
{
	return (uint32_t)term + i * ((uint32_t)(term >> 32) | 1);
}

void signature_put(const struct signature *s, struct buf *out)
{
	if (s->full) {
		buf_append(out, ALL_SET, 1);
		return;
	}
	size_t len = (s->count * BITS_A_TERM / 8 + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
	if (s->count != 0 && len < STEP_BYTES)
		len = STEP_BYTES;
	if (len > SIGNATURE_BYTES_MAX)
		len = SIGNATURE_BYTES_MAX;
	if (len == 0)
		return;
	uint8_t *filter = (uint8_t *)buf_reserve(out, len);
	memset(filter, 0, len);
	for (size_t k = 0; k < s->size; k++) {
		if (s->slot[k] == 0)
			continue;
		for (uint32_t i = 0; i < SIGNATURE_PROBES; i++) {
			uint32_t hash = probe_of(s->slot[k], i);
			filter[(hash >> 3) % len] |= (uint8_t)(1u << (hash & 7));
		}
	}
	out->len += len;
}

/* ---- asking ---- */

struct probes {
	struct signature_probe *out;
	size_t count;
};

static bool is_asked(const struct probes *p, uint64_t term)
{
	for (size_t i = 0; i < p->count; i += SIGNATURE_PROBES)
		if (p->out[i].hash == probe_of(term, 0) && p->out[i + 1].hash == probe_of(term, 1))
			return true;
	return false;
}

static void ask(struct probes *p, uint64_t term)
{
	term = term != 0 ? term : 1;
	if (p->count == SIGNATURE_PROBES_MAX || is_asked(p, term))
		return;
	for (uint32_t i = 0; i < SIGNATURE_PROBES; i++)
		p->out[p->count++].hash = probe_of(term, i);
}

static void ask_word(struct probes *p, const uint32_t *c, size_t len)
{
	uint64_t term = SEED_WORD, longest = SEED_WORD;
	for (size_t n = 1; n <= len && n <= TERM_LENGTH_MAX; n++) {
		term = term_of(term, c[n - 1]);
		if (is_term_length(n))
			longest = term;
	}
	ask(p, longest);
}

static void ask_next(struct probes *p, const uint32_t *word, size_t len, const uint32_t *next, size_t next_len,
		     bool is_whole)
{
	uint64_t term = next_at(word, len, next, next_len, is_whole);
	if (term != 0)
		ask(p, term);
}

/* What tells most comes first. */
static void ask_phrase(struct probes *p, const uint32_t *c, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((c[i] & WORD_UNSPACED) == 0) {
			size_t end = word_end(c, i, len);
			if (is_word(c, end, len))
				ask_next(p, c + i, end - i, c + end, word_end(c, end, len) - end,
					 word_end(c, end, len) < len);
			ask_word(p, c + i, end - i);
			i = end - 1;
			continue;
		}
		bool after = i != 0 && is_joined(&c[i]), before = i + 1 < len && is_joined(&c[i + 1]);
		if (after)
			ask(p, pair_at(&c[i]));
		else if (!before)
			ask(p, term_of(SEED_WORD, c[i]));
	}
}

size_t signature_probes(const struct needle *n, struct signature_probe out[SIGNATURE_PROBES_MAX])
{
	struct probes p = {.out = out};
	for (size_t i = 0; i < n->count; i++)
		ask_phrase(&p, n->words.c + n->phrase[i].at, n->phrase[i].len);
	return p.count;
}

bool signature_may_have(struct str filter, const struct signature_probe *probe, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t hash = probe[i].hash;
		if (filter.len == 0 || ((uint8_t)filter.s[(hash >> 3) % filter.len] & 1u << (hash & 7)) == 0)
			return false;
	}
	return true;
}
