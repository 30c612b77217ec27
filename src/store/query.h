/* SPDX-License-Identifier: BSD-2-Clause */
/* What the reads share: a conversation's columns, and repeats. */
#ifndef TIDINGS_STORE_QUERY_H
#define TIDINGS_STORE_QUERY_H

#include "core/base.h"
#include "store/pool.h"
#include "store/row.h"
#include "store/store.h"

/*
 * "SELECT … FROM <from> …" of whole conversations as the user sees them, up to where a WHERE or ORDER BY may
 * follow; `from` is a part of SQL that names conversations AS c.
 */
void query_put_conversations(struct buf *text, struct str user, const char *from, struct str more_from);
void query_take_conversation(struct row *row, struct arena *a, struct str user, struct conversation *out);

/* "(c.user1_id='u' OR c.user2_id='u')" */
void query_put_is_party(struct buf *text, struct str user);

/* store_find_conversation(). */
void query_conversation(struct pool *p, struct str user, uint64_t id, store_conversation_fn *fn, void *arg);

/* What the text's first column says, one number. */
void query_count(struct pool *p, struct str user, struct str text, store_count_fn *fn, void *arg);

/* Is a send the repeat of that message? (op_send.c) */
bool send_same_fields(const struct store_send *p, const struct message *m);

#endif
