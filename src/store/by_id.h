/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages by their ids, of any conversations, as one user sees them: in one round trip, which a read makes part of its
 * own (pool.h).
 */
#ifndef TIDINGS_STORE_BY_ID_H
#define TIDINGS_STORE_BY_ID_H

#include "core/base.h"
#include "core/buf.h"
#include "store/arena.h"
#include "store/row.h"
#include "store/store.h"

/* Statements that by_id_put() writes. */
#define BY_ID_STMTS 3

/* id and peer are the caller's; the others begin as zeroes. */
struct by_id_item {
	uint64_t id;
	struct str peer;     /* who reads what the user has sent there; absent: nobody asks when that was */
	bool deleted;	     /* by a run of the user's, in a group */
	int64_t read_ms[2];  /* together with others, by the user and by the peer; 0: not */
	struct message *row; /* as by_id_message() gives it, but for `deleted` */
};

struct by_id {
	struct str user;
	struct by_id_item *item;
	size_t count; /* 0: nothing is asked, and no row comes */
};

/* Writes the statements, with ';' between them. Strings and items have to live until their rows have come. */
void by_id_put(const struct by_id *b, struct buf *text);
/* The rows come again. */
void by_id_restart(struct by_id *b);
/* A row of the statement counted from 0. Strings are copied into the arena. Returns the message that it was, or NULL.
 */
const struct message *by_id_row(struct by_id *b, struct arena *a, unsigned stmt, struct row *row);
/* After all rows. NULL: the user does not see it, or it does not exist. */
const struct message *by_id_message(const struct by_id *b, size_t i);

#endif
