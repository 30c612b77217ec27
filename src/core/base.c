/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocation that ends the process on failure. */
#include "core/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *check(void *p)
{
	if (p == NULL) {
		static const char msg[] = "out of memory\n";
		fwrite(msg, 1, sizeof(msg) - 1, stderr);
		abort();
	}
	return p;
}

void *xmalloc(size_t size)
{
	return check(malloc(size != 0 ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return check(calloc(count != 0 ? count : 1, size != 0 ? size : 1));
}

void *xrealloc(void *ptr, size_t size)
{
	return check(realloc(ptr, size != 0 ? size : 1));
}

char *xstrdup(const char *cstr)
{
	return check(strdup(cstr));
}

char *xstrndup(const char *s, size_t len)
{
	char *copy = xmalloc(len + 1);
	if (len != 0)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *out = NULL;
	va_start(ap, fmt);
	int n = vasprintf(&out, fmt, ap);
	va_end(ap);
	return check(n < 0 ? NULL : out);
}
