/* SPDX-License-Identifier: BSD-2-Clause */
/* Test Anything Protocol for the C units: ok(), is_int(), is_str(), and done_testing() at the end of main. */
#ifndef TIDINGS_T_TAP_H
#define TIDINGS_T_TAP_H

#include "core/base.h"
#include <stdarg.h>
#include <stdio.h>

static int tap_count, tap_failed;

static inline bool tap_ok(bool passed, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);
static inline bool tap_ok(bool passed, const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	printf("%sok %d - ", passed ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (!passed) {
		tap_failed++;
		printf("# failed at %s line %d\n", file, line);
	}
	fflush(stdout);
	return passed;
}

#define ok(cond, ...) tap_ok((cond), __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...)                                                                                         \
	do {                                                                                                           \
		long long got_ = (long long)(got), want_ = (long long)(want);                                          \
		if (!tap_ok(got_ == want_, __FILE__, __LINE__, __VA_ARGS__))                                           \
			printf("#   got %lld, want %lld\n", got_, want_);                                              \
	} while (0)

#define is_str(got, want, ...)                                                                                         \
	do {                                                                                                           \
		const char *got_ = (got), *want_ = (want);                                                             \
		bool same_ = got_ == want_ || (got_ != NULL && want_ != NULL && strcmp(got_, want_) == 0);             \
		if (!tap_ok(same_, __FILE__, __LINE__, __VA_ARGS__))                                                   \
			printf("#   got '%s', want '%s'\n", got_ ? got_ : "NULL", want_ ? want_ : "NULL");             \
	} while (0)

static inline int done_testing(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif
