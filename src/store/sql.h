/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing SQL text into a buffer. Every value from outside goes through sql_str. */
#ifndef TIDINGS_STORE_SQL_H
#define TIDINGS_STORE_SQL_H

#include "core/base.h"
#include "core/buf.h"

/* A piece of SQL written in the program. */
#define sql_lit(b, lit) buf_append(b, "" lit, sizeof(lit) - 1)
#define sql_u64 buf_append_u64
/* A quoted string; an absent one is NULL. */
void sql_str(struct buf *b, struct str s);
/* Any bytes, as a hexadecimal literal. */
void sql_bytes(struct buf *b, struct str s);
/* A pattern of LIKE: `before` and `after` are patterns, what is between them is meant as it is. */
void sql_like(struct buf *b, const char *before, struct str s, const char *after);
/* A name of a database or table, between backticks. */
void sql_name(struct buf *b, const char *name);
/* A DATETIME(3); 0 is NULL. */
void sql_time(struct buf *b, int64_t ms);
/* The database's clock, moved as this node's clocks are. */
void sql_now(struct buf *b);
/* ('a','b') */
void sql_pair(struct buf *b, struct str first, struct str second);
/*
 * A statement that fails (ER_SUBQUERY_NO_1_ROW) where the one before it did not change `rows` rows. MariaDB answers an
 * UPDATE or DELETE that a KILL QUERY has ended with OK, and goes on to the next statement, which may be the COMMIT.
 */
void sql_expect(struct buf *b, uint64_t rows);
/*
 * A transaction that writes begins with these two statements and ends with those two. The server may roll it back
 * between our packets without a word (a node of a Galera cluster does, where another node's transaction wins), and what
 * follows would then be done without its locks. Such connections have autocommit off, so that nothing is committed but
 * by COMMIT, and the savepoint is gone with the transaction that it belongs to: SQL_END_1 fails (ER_SP_DOES_NOT_EXIST).
 */
#define SQL_BEGIN_1 "START TRANSACTION"
#define SQL_BEGIN_2 "SAVEPOINT whole"
#define SQL_END_1 "RELEASE SAVEPOINT whole"
#define SQL_END_2 "COMMIT"
/* ';' before all but the first statement of a text. */
static inline void sql_next(struct buf *b)
{
	if (b->len != 0)
		buf_append_char(b, ';');
}
/* "," before all but the first element of a list. */
static inline void sql_comma(struct buf *b, bool *first)
{
	if (!*first)
		buf_append_char(b, ',');
	*first = false;
}

#endif
