/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pictures that this worker was asked for lately, so that a sticker which everybody sees is read once. What is here
 * never changes (store/sticker.h), but may be erased: so it is read again after PICTURE_CACHE_MS. All take at most
 * PICTURE_CACHE_BYTES; those that were not asked for the longest go first.
 */
#ifndef TIDINGS_CMD_PICTURE_CACHE_H
#define TIDINGS_CMD_PICTURE_CACHE_H

#include "core/base.h"
#include "core/buf.h"

#define PICTURE_CACHE_BYTES ((size_t)8 * 1024 * 1024)
#define PICTURE_CACHE_MS 60000

struct picture_cache;

struct picture_cache *picture_cache_new(void);
void picture_cache_free(struct picture_cache **c);
/* NULL: it is not here. Borrowed until the next picture_cache_put(). */
struct blob *picture_cache_get(struct picture_cache *c, struct str path);
/* Takes a reference. */
void picture_cache_put(struct picture_cache *c, struct str path, struct blob *content);

#endif
