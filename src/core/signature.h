/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which words may be in some texts: a filter of Bloom ("Space/time trade-offs in hash coding with allowable errors",
 * CACM 1970) over their terms. Where it says no, none of the texts has what is searched for; where it says yes, they
 * have to be looked at.
 *
 * The terms of a word are its beginnings of 1, 2, 3, 4, 6 and 8 characters, and the word together with the first two of
 * the word after it, so that phrases of frequent words are told apart. Those of a script without spaces are each
 * character, and each two that follow one another without a gap.
 *
 * How to change this: what is stored was made by the same rules, and is of no use after any of them (or of fold.h and
 * words.h) has changed. Count SIGNATURE_FORMAT up then: all is made anew.
 */
#ifndef TIDINGS_CORE_SIGNATURE_H
#define TIDINGS_CORE_SIGNATURE_H

#include "core/base.h"
#include "core/buf.h"
#include "core/needle.h"
#include "core/words.h"

#define SIGNATURE_FORMAT 1
/* Bits that each term sets, out of ten in the filter that are there for it: one of a hundred says yes in vain. */
#define SIGNATURE_PROBES 4
#define SIGNATURE_BYTES_MAX ((size_t)16 * 1024)

/* Terms that are gathered; all zeroes: none. */
struct signature {
	uint64_t *slot; /* a table with open addressing; 0: free */
	size_t size, count;
	bool full; /* of more than any filter has room for: the one that is written says yes to all */
};

void signature_fini(struct signature *s);
void signature_clear(struct signature *s);
void signature_add(struct signature *s, const struct words *w);
/* Appends the filter: nothing where there are no terms. */
void signature_put(const struct signature *s, struct buf *out);

/* A bit that has to be set in a filter of `len` bytes, none of which is set where len is 0. */
struct signature_probe {
	uint32_t hash; /* byte (hash >> 3) % len, bit hash & 7 */
};
/* Of up to that many terms: the longest ones of the first words are enough. */
#define SIGNATURE_TERMS_MAX 12
#define SIGNATURE_PROBES_MAX (SIGNATURE_TERMS_MAX * SIGNATURE_PROBES)
/* Returns how many are written to out; with no phrase in the needle none. */
size_t signature_probes(const struct needle *n, struct signature_probe out[SIGNATURE_PROBES_MAX]);
/* Does it say yes? (The database asks this by itself.) */
bool signature_may_have(struct str filter, const struct signature_probe *probe, size_t n) MUST_CHECK;

#endif
