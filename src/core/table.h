/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds objects by a key that lies within them: open addressing with linear probing (Knuth, TAOCP vol. 3, section 6.4,
 * algorithms L and R) under SipHash with a random key of each table, so that whoever chooses names cannot make them
 * collide. Costs 11 to 16 bytes an object, and nothing in it. Objects lie at addresses that 8 divides.
 */
#ifndef TIDINGS_CORE_TABLE_H
#define TIDINGS_CORE_TABLE_H

#include "core/base.h"

/* The key of an object; never changes while that is in a table. */
typedef struct str table_key_fn(const void *item);

/* Embedded in its owner; read by table.c alone, but for `count`. Objects are borrowed. */
struct table {
	table_key_fn *key_of;
	uint64_t *slot; /* 0: empty */
	uint32_t size;
	uint32_t count;
	uint64_t secret[2];
};

/* Owns no memory before the first object is added. */
void table_init(struct table *t, table_key_fn *key_of);
void table_fini(struct table *t);
/* NULL where there is none. */
void *table_find(const struct table *t, struct str key);
/* No other object in the table may have its key. */
void table_add(struct table *t, void *item);
/* It has to be in the table. */
void table_remove(struct table *t, const void *item);
/*
 * Walks over all, in no order: *at starts at 0, and NULL is the end. Nothing may be added meanwhile. The object given
 * last may be removed; then --*at, for another may have come into its place. After that one may be given twice.
 */
void *table_next(const struct table *t, uint32_t *at);

#endif
