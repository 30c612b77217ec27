/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8 as RFC 3629 allows it: no surrogates, no overlong forms, nothing over U+10FFFF. */
#ifndef TIDINGS_CORE_UTF8_H
#define TIDINGS_CORE_UTF8_H

#include "core/base.h"

bool utf8_valid(const char *s, size_t len);

/* Characters of a valid text. */
size_t utf8_count(struct str s);

/*
 * A valid text without the characters that turn the direction of the text around them (those that utf8_name() drops):
 * they make exe look like jpg. Writes it to out, which has room for in.len bytes, and returns its bytes.
 */
size_t utf8_undirected(struct str in, char *out);

/*
 * A valid text as it may be shown as a name: without the characters that turn the direction of the text around them
 * (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), and without white space at both ends. Writes it to out,
 * which has room for in.len bytes or is in.s itself, and returns its bytes. 0: nothing of it can be seen, for there are
 * only spaces, characters without width, and marks without a letter.
 */
size_t utf8_name(struct str in, char *out);

/* Checks a text that arrives in pieces. Start with 0; UTF8_REJECT is final. */
#define UTF8_ACCEPT 0u
#define UTF8_REJECT 1u
/* Returns the state after the bytes: UTF8_ACCEPT at the end of a whole text. */
unsigned utf8_continue(unsigned state, const char *s, size_t len);

#endif
