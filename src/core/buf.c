/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growing buffers and shared blobs. Decides how a buffer grows: by doubling, so
 * that appending is linear. Must not know what the bytes mean.
 */
#include "core/base.h"
#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/log.h"

#define BUF_MIN 64
/* Far above any length the limits of the configuration allow, far below what would overflow. */
#define SIZE_LIMIT (SIZE_MAX / 4)

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

char *buf_reserve(struct buf *b, size_t extra)
{
	ASSERT(extra <= SIZE_LIMIT && b->len <= SIZE_LIMIT);
	size_t need = b->len + extra;
	if (need > b->cap || b->data == NULL) {
		size_t cap = b->cap < BUF_MIN ? BUF_MIN : b->cap;
		while (cap < need)
			cap *= 2;
		b->data = xrealloc(b->data, cap);
		b->cap = cap;
	}
	return b->data + b->len;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	memcpy(buf_reserve(b, len), data, len);
	b->len += len;
}

void buf_append_str(struct buf *b, struct str s)
{
	buf_append(b, s.s, s.len);
}

void buf_append_char(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->len++;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	/* vsnprintf wants a place for its NUL also where it fits exactly. */
	char *at = buf_reserve(b, 1);
	size_t room = b->cap - b->len;
	int n = vsnprintf(at, room, fmt, ap);
	ASSERT(n >= 0);
	if ((size_t)n >= room) {
		at = buf_reserve(b, (size_t)n + 1);
		vsnprintf(at, (size_t)n + 1, fmt, again);
	}
	b->len += (size_t)n;
	va_end(again);
	va_end(ap);
}

void buf_append_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	buf_append(b, digits + at, sizeof(digits) - at);
}

void buf_consume(struct buf *b, size_t len)
{
	ASSERT(len <= b->len);
	b->len -= len;
	if (b->len != 0 && len != 0)
		memmove(b->data, b->data + len, b->len);
}

const char *buf_cstr(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return b->data;
}

void buf_shrink(struct buf *b, size_t keep)
{
	if (b->len == 0 && b->cap > keep)
		buf_fini(b);
}

struct blob *blob_alloc(size_t len)
{
	ASSERT(len <= SIZE_LIMIT);
	struct blob *b = xmalloc(sizeof(*b) + len);
	b->refs = 1;
	b->queued = 0;
	b->len = len;
	return b;
}

struct blob *blob_new(const void *data, size_t len)
{
	struct blob *b = blob_alloc(len);
	if (len != 0)
		memcpy(b->data, data, len);
	return b;
}

struct blob *blob_ref(struct blob *b)
{
	ASSERT(b->refs != 0 && b->refs != UINT32_MAX);
	b->refs++;
	return b;
}

void blob_unref(struct blob *b)
{
	if (b == NULL)
		return;
	ASSERT(b->refs != 0);
	if (--b->refs == 0)
		free(b);
}
