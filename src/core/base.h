/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every file of Tidings may count on: config.h, the fixed-width types, a
 * borrowed string, attributes, and allocation that does not fail.
 *
 * Included first by every .c and .h of the project.
 */
#ifndef TIDINGS_CORE_BASE_H
#define TIDINGS_CORE_BASE_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The object of type `type` whose member `member` is at `ptr`. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/*
 * A borrowed run of bytes: not terminated, not owned. s == NULL is "absent",
 * which differs from an empty string (s != NULL, len == 0).
 */
struct str {
	const char *s;
	size_t len;
};

#define STR_NULL ((struct str){NULL, 0})
#define STR_LIT(lit) ((struct str){"" lit, sizeof(lit) - 1})

static inline struct str str_from(const char *cstr)
{
	return cstr == NULL ? STR_NULL : (struct str){cstr, strlen(cstr)};
}

/* Two absent strings are equal; an absent and an empty one are not. */
static inline bool str_equal(struct str a, struct str b)
{
	if (a.s == NULL || b.s == NULL)
		return a.s == b.s;
	return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
}

static inline bool str_is(struct str a, const char *cstr)
{
	return a.s != NULL && strlen(cstr) == a.len && memcmp(a.s, cstr, a.len) == 0;
}

#define HEX_DIGITS "0123456789abcdef"

/* Writes the last `digits` hexadecimal digits of n to `at`, unterminated. */
static inline void hex_put(char *at, size_t digits, uint64_t n)
{
	for (; digits-- > 0; n >>= 4)
		at[digits] = HEX_DIGITS[n & 15];
}

/* Allocation that ends the process on failure, so callers need not check. Memory is freed by free(). */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *ptr, size_t size);
char *xstrdup(const char *cstr);
char *xstrndup(const char *s, size_t len);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
