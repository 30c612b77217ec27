/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/by_id.h"

#include "store/query.h"
#include "store/sql.h"

enum { STMT_DELETED, STMT_MARKS, STMT_MESSAGES };
enum { READER_USER, READER_PEER };

/* Which of them the user has deleted: of a group it is in the runs alone. */
static void put_deleted(const struct by_id *b, struct buf *text)
{
	sql_lit(text, "SELECT 0,0 FROM DUAL WHERE 0");
	for (size_t i = 0; i < b->count; i++) {
		uint64_t id = b->item[i].id;
		if (!conversation_is_group(message_id_conversation(id)))
			continue;
		sql_lit(text, " UNION ALL (SELECT ");
		sql_u64(text, i);
		sql_lit(text, ",last_seq FROM deletions FORCE INDEX (PRIMARY) WHERE user_id=");
		sql_str(text, b->user);
		sql_lit(text, " AND conversation_id=");
		sql_u64(text, message_id_conversation(id));
		sql_lit(text, " AND first_seq<=");
		sql_u64(text, message_id_seq(id));
		sql_lit(text, " ORDER BY first_seq DESC LIMIT 1)");
	}
}

static void put_mark(struct buf *text, size_t i, int reader, uint64_t id, struct str user)
{
	sql_lit(text, " UNION ALL (SELECT ");
	sql_u64(text, i);
	buf_printf(text, ",%d,", reader);
	row_put_mark(text, message_id_conversation(id), user, message_id_seq(id));
	buf_append_char(text, ')');
}

/* When those of direct conversations were read. */
static void put_marks(const struct by_id *b, struct buf *text)
{
	sql_lit(text, ";SELECT 0,0,NULL FROM DUAL WHERE 0");
	for (size_t i = 0; i < b->count; i++) {
		const struct by_id_item *item = &b->item[i];
		if (conversation_is_group(message_id_conversation(item->id)))
			continue;
		put_mark(text, i, READER_USER, item->id, b->user);
		if (item->peer.s != NULL)
			put_mark(text, i, READER_PEER, item->id, item->peer);
	}
}

/* hidden: of a direct conversation, that it is another's, or deleted or cleared by the user; of a group, that it is not
 * theirs, or was before their time. */
static void put_messages(const struct by_id *b, struct buf *text)
{
	bool first = true;
	sql_lit(text, ";SELECT IF(m.id<");
	sql_u64(text, message_id_make(GROUP_ID_MIN, 0));
	sql_lit(text, ",IF(m.to_user_id=");
	sql_str(text, b->user);
	sql_lit(text, ",m.deleted_by_recipient,IF(m.from_user_id=");
	sql_str(text, b->user);
	sql_lit(text, ",m.deleted_by_sender,1)) OR ");
	query_put_first_seq(text, b->user);
	sql_lit(text,
		">(m.id&268435455),g.user_id IS NULL OR " GROUP_FIRST_SEQ ">(m.id&268435455))," MESSAGE_COLUMNS
		" FROM messages m FORCE INDEX (PRIMARY) LEFT JOIN conversations c FORCE INDEX (PRIMARY) ON "
		"c.id=m.id>>28 LEFT JOIN members g FORCE INDEX (PRIMARY) ON g.conversation_id=m.id>>28 AND g.user_id=");
	sql_str(text, b->user);
	sql_lit(text, " LEFT JOIN group_heads h FORCE INDEX (PRIMARY) ON h.id=m.id>>28 WHERE m.id IN (");
	for (size_t i = 0; i < b->count; i++) {
		sql_comma(text, &first);
		sql_u64(text, b->item[i].id);
	}
	buf_append_char(text, ')');
}

void by_id_put(const struct by_id *b, struct buf *text)
{
	put_deleted(b, text);
	put_marks(b, text);
	put_messages(b, text);
}

void by_id_restart(struct by_id *b)
{
	for (size_t i = 0; i < b->count; i++) {
		struct by_id_item *item = &b->item[i];
		*item = (struct by_id_item){.id = item->id, .peer = item->peer};
	}
}

static void deleted_row(struct by_id *b, struct row *row)
{
	size_t i = row_take_u64(row);
	uint64_t last_seq = row_take_u64(row);
	if (i < b->count)
		b->item[i].deleted = last_seq >= message_id_seq(b->item[i].id);
}

static void mark_row(struct by_id *b, struct row *row)
{
	size_t i = row_take_u64(row);
	uint64_t reader = row_take_u64(row);
	if (i < b->count && reader <= READER_PEER)
		b->item[i].read_ms[reader] = row_take_ms(row);
}

static const struct message *message_row(struct by_id *b, struct arena *a, struct row *row)
{
	bool hidden = row_take_bool(row);
	struct message *m = arena_alloc(a, sizeof(*m));
	if (hidden || !row_take_message(row, a, m))
		return NULL;
	for (size_t i = 0; i < b->count; i++) {
		struct by_id_item *item = &b->item[i];
		if (item->id != m->id)
			continue;
		item->row = m;
		int64_t read_ms = item->read_ms[str_is(b->user, m->to) ? READER_USER : READER_PEER];
		if (m->is_read || read_ms == 0)
			continue;
		m->is_read = true;
		m->read_ms = read_ms;
	}
	return m;
}

const struct message *by_id_row(struct by_id *b, struct arena *a, unsigned stmt, struct row *row)
{
	if (stmt == STMT_MESSAGES)
		return message_row(b, a, row);
	if (stmt == STMT_DELETED)
		deleted_row(b, row);
	else
		mark_row(b, row);
	return NULL;
}

const struct message *by_id_message(const struct by_id *b, size_t i)
{
	const struct by_id_item *item = &b->item[i];
	return item->deleted ? NULL : item->row;
}
