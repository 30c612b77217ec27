/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two kinds of byte storage: struct buf grows while something is being written
 * into it; struct blob is finished, counted, and shared by many readers (one
 * event rendered once and queued to every session that receives it).
 */
#ifndef TIDINGS_CORE_BUF_H
#define TIDINGS_CORE_BUF_H

#include "core/base.h"

/* All zeroes is a valid empty buffer that owns nothing. */
struct buf {
	char *data;
	size_t len;
	size_t cap;
};

void buf_fini(struct buf *b);
/* Forgets the content, keeps the memory. */
static inline void buf_clear(struct buf *b)
{
	b->len = 0;
}
/* Makes room for `extra` more bytes after len and returns where they go; the caller adds to len what it wrote. */
char *buf_reserve(struct buf *b, size_t extra);
void buf_append(struct buf *b, const void *data, size_t len);
void buf_append_str(struct buf *b, struct str s);
void buf_append_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Decimal digits; much faster than buf_printf. */
void buf_append_u64(struct buf *b, uint64_t v);
/* Removes the first `len` bytes. */
void buf_consume(struct buf *b, size_t len);
/* A terminating NUL after the content, not counted in len. Never NULL. */
const char *buf_cstr(struct buf *b);
/* Gives memory back if more than `keep` bytes are allocated and none are used. */
void buf_shrink(struct buf *b, size_t keep);

struct blob {
	unsigned refs;
	unsigned queued; /* the queues of output that hold it (net/outq.c) */
	size_t len;
	char data[];
};

/* A copy of `len` bytes with one reference. */
struct blob *blob_new(const void *data, size_t len);
/* A blob of `len` bytes, to be filled in by the caller before it is shared. */
struct blob *blob_alloc(size_t len);
struct blob *blob_ref(struct blob *b);
/* Frees at the last reference; NULL is allowed. */
void blob_unref(struct blob *b);

#endif
