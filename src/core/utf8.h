/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8 as RFC 3629 allows it: no surrogates, no overlong forms, nothing over U+10FFFF. */
#ifndef TIDINGS_CORE_UTF8_H
#define TIDINGS_CORE_UTF8_H

#include "core/base.h"

bool utf8_valid(const char *s, size_t len);

/* Characters of a valid text. */
size_t utf8_count(struct str s);
/* The first of them, `chars` at most. An absent text stays absent. */
struct str utf8_head(struct str s, size_t chars);

/*
 * Does a valid text have characters that no line of text has: control characters (U+0000 to U+001F, U+007F to U+009F),
 * line and paragraph separators (U+2028, U+2029), noncharacters (U+FDD0 to U+FDEF, and the last two of each plane)?
 * `lines`: those that end lines, and tabs, do not count.
 */
bool utf8_has_control(struct str s, bool lines);

/* Does a valid text have white space, or spaces without width? */
bool utf8_has_space(struct str s);

/*
 * A valid text without the characters that turn the direction of the text around them (those that utf8_name() drops):
 * they make exe look like jpg. Writes it to out, which has room for in.len bytes, and returns its bytes.
 */
size_t utf8_undirected(struct str in, char *out);

/*
 * A valid text as it may be shown as a name: without the characters that turn the direction of the text around them
 * (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), those of utf8_has_control() but ends of lines and tabs,
 * and without white space at both ends. Writes it to out,
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
