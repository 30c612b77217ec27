/* SPDX-License-Identifier: BSD-2-Clause */
/* What an import of messages knows while it runs: import_ask.c reads it, import_message.c decides by it. */
#ifndef TIDINGS_STORE_IMPORT_PRIV_H
#define TIDINGS_STORE_IMPORT_PRIV_H

#include "core/base.h"
#include "store/import.h"

#include <uthash.h>

#include "core/buf.h"
#include "store/pairs.h"
#include "store/txn.h"

/* Where messages go: two users, or a group. */
struct place {
	UT_hash_handle hh; /* by `key` */
	struct str key;	   /* a pair's text, or "#" and the client_group_id */
	bool is_group;
	struct pair_key pair; /* not of a group */
	struct str client_group_id;
	uint64_t id; /* 0: it is not there */
	bool dissolved;
	uint64_t stored_seq, last_seq;
	int64_t last_ms, sort_ms, active_ms;
	int64_t first_ms; /* of the first message that it needs to be made for; 0: none */
};

/* A message by its sender and client_msg_id, one of these or one that is answered. */
struct known {
	UT_hash_handle hh; /* by `key`: both, with a space between */
	struct str key, from, client_msg_id;
	uint64_t id; /* 0: it is not there */
	int64_t created_ms;
	bool is_ours;  /* of this transaction */
	bool is_spent; /* it was there, and is deleted since (src/relay/retention.c) */
};

enum import_stmt {
	IMPORT_ASK_PAIRS,
	IMPORT_ASK_GROUPS,
	IMPORT_ASK_NOW,
	IMPORT_ASK_KNOWN,
	IMPORT_ASK_ANSWERED,
	IMPORT_ASK_SPENT,
	IMPORT_ASK_ANSWERED_SPENT,
	IMPORT_ASKS
};

struct import_messages {
	struct txn txn;
	struct store *store;
	store_import_fn *fn;
	void *arg;
	const struct import_message *item;
	size_t count;
	struct import_result *result;
	struct place *places, **place;		   /* by key; of each item */
	struct known *knowns, **known, **answered; /* by key; of each item, NULL: answers nothing */
	enum import_stmt stmt[IMPORT_ASKS];	   /* what the statements asked for */
	unsigned stmts;
	unsigned makes; /* times that conversations were made for this */
	bool made;	/* this one does only that */
	int64_t db_ms, now_ms, activity_ms, active_ms;
	struct buf rows;
};

/* Finds places and messages of all items; once. */
void import_gather(struct import_messages *p);
/* A txn_class's ask and row. */
void import_messages_ask(struct txn *t, struct buf *text);
void import_messages_row(struct txn *t, unsigned stmt, struct row *row);

#endif
