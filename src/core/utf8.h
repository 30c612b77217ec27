/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8 as RFC 3629 allows it: no surrogates, no overlong forms, nothing over U+10FFFF. */
#ifndef TIDINGS_CORE_UTF8_H
#define TIDINGS_CORE_UTF8_H

#include "core/base.h"

bool utf8_valid(const char *s, size_t len);

/* Characters of a valid text. */
size_t utf8_count(struct str s);

/* Checks a text that arrives in pieces. Start with 0; UTF8_REJECT is final. */
#define UTF8_ACCEPT 0u
#define UTF8_REJECT 1u
/* Returns the state after the bytes: UTF8_ACCEPT at the end of a whole text. */
unsigned utf8_continue(unsigned state, const char *s, size_t len);

#endif
