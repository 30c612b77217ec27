/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nicknames as the directory finds them: folded (core/fold.h), and one row of `user_names` for each of their characters,
 * with the name from there on.
 *
 * How to change what the rows are: the relay compares each user's with what names_rows() says, and writes them anew
 * where they differ (src/relay/names.c).
 */
#ifndef TIDINGS_STORE_NAMES_H
#define TIDINGS_STORE_NAMES_H

#include "core/base.h"
#include "core/buf.h"

/* A search may begin at so many of a name's characters, */
#define NAME_PLACES_MAX 64
/* and each row has so many of those that follow. */
#define NAME_PART_CHARS 32
#define NAME_PART_BYTES (NAME_PART_CHARS * 4)
/* Folded; the rest of a longer one is not found. */
#define NAME_FOLDED_BYTES 1024

struct name_folded {
	char text[NAME_FOLDED_BYTES];
	size_t len;
};
/* Absent or not valid: empty. */
void name_fold(struct name_folded *out, struct str name);
bool name_contains(const struct name_folded *name, const struct name_folded *query);
/* The row that begins at that byte; it ends with no space, as the database takes such for equal. */
struct str name_part(const struct name_folded *n, size_t at);

/* The rows of a nickname, sorted, with a line feed between them. Empty: none. */
void names_rows(struct buf *out, struct str nickname);
/* Writes the statements that make these a user's rows (sql_next()). */
void names_put(struct buf *text, struct str user, struct str nickname);
/* The same where that holds, an expression of SQL. */
void names_put_if(struct buf *text, const char *holds, struct str user, struct str nickname);

#endif
