/* SPDX-License-Identifier: BSD-2-Clause */
/* A row as the database sends it, and reading it into the structs of store.h. */
#ifndef TIDINGS_STORE_ROW_H
#define TIDINGS_STORE_ROW_H

#include "core/base.h"
#include "core/buf.h"
#include "store/arena.h"
#include "store/store.h"

/* Borrowed for the callback that gets it. `at` is the next column that a row_take_… reads. */
struct row {
	char **column; /* NULL: null */
	const unsigned long *len;
	unsigned count;
	unsigned at;
};

/* Each takes the next column. A null is absent, 0 or false. */
struct str row_take_str(struct row *r);
bool row_next_is_null(const struct row *r);
uint64_t row_take_u64(struct row *r);
bool row_take_bool(struct row *r);
int64_t row_take_ms(struct row *r);
void row_take_user(struct row *r, char out[USER_ID_MAX + 1]);
/* GROUP_NO_ROLE where it is none. */
enum group_role row_take_role(struct row *r);
/* One that this server does not know is a file's. */
enum message_type row_take_type(struct row *r);

/* The columns that row_take_message reads, of messages AS m; read_at: what tells when it was read. */
#define MESSAGE_COLUMNS_WITH(read_at)                                                                                  \
	"m.id,m.from_user_id,m.to_user_id,m.message_type,m.content,m.media_url,m.extra,m.client_msg_id,"               \
	"m.reply_to," read_at ",m.is_recalled,m.recalled_at,m.created_at,m.mentions,m.entities,m.edited_at,"           \
	"m.forwarded_from,m.reactions,m.expires_at,m.expires_in"
/* Without the mark: it is looked for later, by a range of constants. */
#define MESSAGE_COLUMNS MESSAGE_COLUMNS_WITH("m.read_at")
/* Strings are copied into the arena. False where the row is null throughout (an outer join that found none). */
bool row_take_message(struct row *r, struct arena *a, struct message *out);
/* "at FROM read_marks …": when the user has read up to that seq, in one row at most. */
void row_put_mark(struct buf *text, uint64_t conversation_id, struct str user, uint64_t seq);
/* Of that message, its time. */
void row_take_mark(struct row *r, struct message *m);

#endif
