/* SPDX-License-Identifier: BSD-2-Clause */
/* The texts of a batch's round trips: what is asked under the locks, and what is written. What the answers mean is in
 * batch.c. */
#include "core/base.h"
#include "store/lane_priv.h"

#include <stdlib.h>

#include "core/log.h"
#include "store/change.h"
#include "store/guess.h"
#include "store/sql.h"

#define SENT_COLUMNS "id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at"
#define WHOLE_COLUMNS SENT_COLUMNS ",media_url,extra,reply_to,mentions,entities,forwarded_from"
#define HELD_COLUMNS MESSAGE_COLUMNS ",m.deleted_by_sender,m.deleted_by_recipient,m.reaction_seq,m.sent_hash"

/* ---- statements ---- */

static void note_stmt(struct batch *b, enum stmt_kind kind, void *of)
{
	if (b->stmt_count == b->stmt_max) {
		b->stmt_max = b->stmt_max != 0 ? b->stmt_max * 2 : 32;
		b->stmt = xrealloc(b->stmt, b->stmt_max * sizeof(*b->stmt));
	}
	b->stmt[b->stmt_count++] = (struct stmt){kind, of};
}

struct buf *batch_begin_stmt(struct batch *b, enum stmt_kind kind, void *of)
{
	if (b->stmt_count != 0)
		buf_append_char(&b->text, ';');
	note_stmt(b, kind, of);
	return &b->text;
}

/* Statements that were gathered, with their semicolons, in a buffer of their own. */
static void append_gathered(struct batch *b, const struct gathered *g)
{
	if (g->count == 0)
		return;
	struct buf *text = batch_begin_stmt(b, g->stmt[0].kind, g->stmt[0].of);
	buf_append(text, g->text.data, g->text.len);
	for (unsigned i = 1; i < g->count; i++)
		note_stmt(b, g->stmt[i].kind, g->stmt[i].of);
}

static struct buf *gather(struct gathered *g, enum stmt_kind kind, void *of)
{
	if (g->count == g->max) {
		g->max = g->max != 0 ? g->max * 2 : 32;
		g->stmt = xrealloc(g->stmt, g->max * sizeof(*g->stmt));
	}
	if (g->count != 0)
		buf_append_char(&g->text, ';');
	g->stmt[g->count++] = (struct stmt){kind, of};
	return &g->text;
}

static void begin_text(struct batch *b)
{
	buf_clear(&b->text);
	b->stmt_count = 0;
}

void batch_put_now(struct batch *b, enum stmt_kind kind)
{
	sql_lit(batch_begin_stmt(b, kind, NULL),
		"SELECT UTC_TIMESTAMP(3),MAX(at),MAX(spends) FROM activity WHERE id=1");
}

struct buf *batch_ask(struct batch *b, uint64_t answer[])
{
	return gather(&b->ask, STMT_GATHERED, answer);
}

/* A DELETE that was killed is answered with OK (sql.h), so that it is looked whether something is left. */
void batch_erase_of(struct batch *b, const char *table, const char *index, uint64_t message_id)
{
	unsigned long long id = message_id;
	buf_printf(batch_update(b), "DELETE x FROM %s x FORCE INDEX (%s) WHERE x.message_id=%llu", table, index, id);
	buf_printf(batch_update(b),
		   "SET @left=IF(EXISTS(SELECT 1 FROM %s x FORCE INDEX (%s) WHERE x.message_id=%llu),"
		   "(SELECT 1 UNION SELECT 2),0)",
		   table, index, id);
}

struct buf *batch_ask_text(struct batch *b, struct str *answer)
{
	return gather(&b->ask, STMT_GATHERED_TEXT, answer);
}

struct buf *batch_update(struct batch *b)
{
	return gather(&b->updates, STMT_PLAIN, NULL);
}

void batch_expect(struct batch *b, uint64_t rows)
{
	sql_expect(batch_update(b), rows);
}

static int by_conv_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* The rows exist, so each meets its primary key; what a new one would need besides is never looked at. */
struct buf *batch_begin_changed(struct rows *rows, uint64_t message_id)
{
	struct buf *out = &rows->list;
	rows->count++;
	batch_begin_row(out);
	sql_u64(out, message_id);
	sql_lit(out, ",'','',0,");
	sql_u64(out, message_id);
	sql_lit(out, ",0,");
	return out;
}

void batch_put_changed(struct batch *b, const struct rows *rows, const char *const columns[], size_t n)
{
	if (rows->count == 0)
		return;
	struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
	sql_lit(text, "INSERT INTO messages (id,from_user_id,to_user_id,message_type,client_msg_id,created_at");
	for (size_t i = 0; i < n; i++)
		buf_printf(text, ",%s", columns[i]);
	sql_lit(text, ") VALUES ");
	buf_append(text, rows->list.data, rows->list.len);
	sql_lit(text, " ON DUPLICATE KEY UPDATE ");
	for (size_t i = 0; i < n; i++)
		buf_printf(text, "%s%s=VALUES(%s)", i != 0 ? "," : "", columns[i], columns[i]);
	/* One that is updated counts as two. */
	sql_expect(batch_begin_stmt(b, STMT_PLAIN, NULL), 2 * (uint64_t)rows->count);
}

/* ---- round trips ---- */

bool batch_build_resolve(struct batch *b)
{
	begin_text(b);
	conv_direct_put_resolve(b);
	return b->stmt_count != 0;
}

void batch_put_ids(struct buf *text, const uint64_t *ids, size_t n)
{
	bool first = true;
	for (size_t i = 0; i < n; i++) {
		sql_comma(text, &first);
		sql_u64(text, ids[i]);
	}
}

size_t batch_conv_ids(struct batch *b, const struct conv_kind *kind, bool locks, const uint64_t **ids_r)
{
	uint64_t *ids = arena_alloc(&b->arena, sizeof(*ids) * (HASH_CNT(by_id, b->by_id) + 1));
	size_t n = 0;
	for (struct conv *c = b->convs; c != NULL; c = c->next)
		if (c->kind == kind && c->id != 0 && c->same == NULL && c->locks == locks)
			ids[n++] = c->id;
	qsort(ids, n, sizeof(*ids), by_conv_id);
	*ids_r = ids;
	return n;
}

void batch_put_lock_end(struct batch *b, struct buf *text)
{
	sql_lit(text, " FOR UPDATE");
	if (b->skip_locked)
		sql_lit(text, " SKIP LOCKED");
}

/* After the messages: one that is deleted in between is found here. */
static void append_ask_spent(struct batch *b)
{
	b->asked_spent = b->clock.spends;
	if (!b->asked_spent)
		return;
	struct buf *text = batch_begin_stmt(b, STMT_SPENT, NULL);
	sql_lit(text, "SELECT s.from_user_id,s.client_msg_id FROM spent_sends s FORCE INDEX (PRIMARY) WHERE "
		      "(s.from_user_id,s.client_msg_id) IN (");
	buf_append(text, b->ask_sent.data, b->ask_sent.len);
	buf_append_char(text, ')');
}

static void append_ask_sent(struct batch *b)
{
	struct buf *text = batch_begin_stmt(b, STMT_SENT, NULL);
	sql_lit(text, "SELECT m.from_user_id,m.client_msg_id," HELD_COLUMNS
		      " FROM messages m FORCE INDEX (by_client) WHERE (m.from_user_id,m.client_msg_id) IN (");
	buf_append(text, b->ask_sent.data, b->ask_sent.len);
	buf_append_char(text, ')');
	append_ask_spent(b);
}

static void append_friends(struct batch *b)
{
	if (b->ask_friends.len == 0)
		return;
	struct buf *text = batch_begin_stmt(b, STMT_FRIENDS, NULL);
	sql_lit(text, "SELECT user_id,friend_id,1,blocked FROM friendships FORCE INDEX (PRIMARY) "
		      "WHERE (user_id,friend_id) IN (");
	buf_append(text, b->ask_friends.data, b->ask_friends.len);
	buf_append_char(text, ')');
	text = batch_begin_stmt(b, STMT_FRIENDS, NULL);
	sql_lit(text, "SELECT user_id,blocked_id,0,1 FROM blocks FORCE INDEX (PRIMARY) "
		      "WHERE (user_id,blocked_id) IN (");
	buf_append(text, b->ask_blocks.data, b->ask_blocks.len);
	buf_append_char(text, ')');
}

/* What is asked once all locks are held. */
static void append_asks(struct batch *b)
{
	if (b->ask_messages.len != 0) {
		struct buf *text = batch_begin_stmt(b, STMT_MESSAGES, NULL);
		sql_lit(text, "SELECT " HELD_COLUMNS " FROM messages m FORCE INDEX (PRIMARY) WHERE m.id IN (");
		buf_append(text, b->ask_messages.data, b->ask_messages.len);
		buf_append_char(text, ')');
	}
	react_put_asks(b);
	if (b->ask_authors.len != 0) {
		struct buf *text = batch_begin_stmt(b, STMT_AUTHORS, NULL);
		sql_lit(text,
			"SELECT m.id,g.role FROM messages m FORCE INDEX (PRIMARY) JOIN members g FORCE INDEX (PRIMARY) "
			"ON g.user_id=m.from_user_id AND g.conversation_id=m.id>>28 WHERE m.id IN (");
		buf_append(text, b->ask_authors.data, b->ask_authors.len);
		buf_append_char(text, ')');
	}
	append_gathered(b, &b->ask);
}

/* A conversation that is made is locked by that, which comes before the locks of groups. */
static bool may_make(const struct batch *b)
{
	for (const struct conv *c = b->convs; c != NULL; c = c->next)
		if (c->id == 0 && c->same == NULL)
			return true;
	return false;
}

static void append_begin(struct batch *b)
{
	sql_lit(batch_begin_stmt(b, STMT_PLAIN, NULL), SQL_BEGIN_1);
	sql_lit(batch_begin_stmt(b, STMT_PLAIN, NULL), SQL_BEGIN_2);
}

void batch_build_lock(struct batch *b)
{
	begin_text(b);
	append_begin(b);
	conv_direct_put_locks(b);
	b->groups_later = b->members != NULL && may_make(b);
	if (!b->groups_later)
		conv_group_put_locks(b);
	if (b->ask_sent.len != 0)
		append_ask_sent(b);
	append_friends(b);
	if (!b->groups_later)
		append_asks(b);
	batch_put_now(b, STMT_NOW);
}

static int by_pair_key(const void *a, const void *b)
{
	const struct conv *x = *(struct conv *const *)a, *y = *(struct conv *const *)b;
	return strcmp(x->pair.text, y->pair.text);
}

bool batch_build_make(struct batch *b)
{
	struct conv *wanted[BATCH_OPS_MAX];
	size_t n = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct op *op = b->op[i];
		struct conv *c = op_conv(op);
		if (c == NULL || c->id != 0 || c->wanted || c->out_of_ids || op->class->makes == NULL ||
		    !op->class->makes(b, op))
			continue;
		c->wanted = true;
		wanted[n++] = c;
	}
	if (n == 0 && !b->groups_later)
		return false;
	qsort(wanted, n, sizeof(*wanted), by_pair_key);
	begin_text(b);
	if (n != 0)
		conv_direct_put_make(b, wanted, n);
	if (b->groups_later)
		conv_group_put_locks(b);
	/* Another lane may have made one just before and put there what was not found then. */
	if (b->ask_sent.len != 0)
		append_ask_sent(b);
	if (b->groups_later)
		append_asks(b);
	batch_put_now(b, STMT_NOW);
	return true;
}

static void append_marks(struct batch *b)
{
	for (struct held *h = b->held; h != NULL; h = h->hh.next) {
		if (!h->passed)
			continue;
		struct buf *text = batch_begin_stmt(b, STMT_MARK, h);
		sql_lit(text, "SELECT ");
		row_put_mark(text, message_id_conversation(h->m.id), str_from(h->m.to), message_id_seq(h->m.id));
	}
}

static void append_list(struct batch *b, const char *head, const struct buf *list)
{
	if (list->len == 0)
		return;
	struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
	buf_append(text, head, strlen(head));
	buf_append(text, list->data, list->len);
}

/* The outbox and what follows it; `wrote`: what conversations are sorted and found by. */
static void append_end(struct batch *b, bool wrote)
{
	if (b->items.len != 0)
		outbox_put_row(b->outbox, batch_begin_stmt(b, STMT_PLAIN, NULL),
			       (struct str){b->items.data, b->items.len}, NULL);
	b->notes = outbox_is_due(b->outbox);
	if (b->notes)
		outbox_put_done(b->outbox, batch_begin_stmt(b, STMT_PLAIN, NULL));
	/* The last row that is locked, so that nobody who waits for it keeps another one from us. */
	b->raised = wrote && b->raises;
	if (b->raised) {
		struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
		sql_lit(text, "UPDATE activity SET at=GREATEST(at,");
		sql_time(text, b->active_ms);
		sql_lit(text, ") WHERE id=1");
	}
	if (b->standing && !wrote)
		sql_lit(batch_begin_stmt(b, STMT_PLAIN, NULL),
			"INSERT INTO fences (id,n) VALUES (CONNECTION_ID()%64,1) ON DUPLICATE KEY UPDATE n=n+1");
	sql_lit(batch_begin_stmt(b, STMT_PLAIN, NULL), SQL_END_1);
	sql_lit(batch_begin_stmt(b, STMT_COMMIT, NULL), SQL_END_2);
}

static void append_messages(struct batch *b)
{
	append_list(b, "INSERT INTO messages (" SENT_COLUMNS ") VALUES ", &b->insert_texts);
	append_list(b, "INSERT INTO messages (" WHOLE_COLUMNS ") VALUES ", &b->insert_messages);
	append_list(b, "INSERT INTO messages (" WHOLE_COLUMNS ",expires_at,expires_in) VALUES ", &b->insert_expiring);
	append_list(b, "INSERT INTO messages (" WHOLE_COLUMNS ",expires_at,expires_in,sent_hash) VALUES ",
		    &b->insert_replaced);
	append_list(b, "INSERT INTO expiries (expires_at,message_id) VALUES ", &b->insert_expiries);
}

/* After all else that is done to messages, of which it leaves nothing. */
static void append_expired(struct batch *b)
{
	if (b->expired_count != 0) {
		struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
		sql_lit(text, "UPDATE messages FORCE INDEX (PRIMARY) SET " RECALL_ASSIGNMENTS ",recalled_at=");
		sql_time(text, b->now_ms);
		sql_lit(text, " WHERE id IN (");
		buf_append(text, b->expired.data, b->expired.len);
		buf_append_char(text, ')');
		sql_expect(batch_begin_stmt(b, STMT_PLAIN, NULL), b->expired_count);
	}
	append_list(b, "DELETE e FROM expiries e FORCE INDEX (PRIMARY) WHERE ", &b->drop_expiries);
}

static void append_recalls(struct batch *b)
{
	append_list(b, "INSERT INTO recalls (user_id,recalled_at,conversation_id) VALUES ", &b->insert_recalls);
	if (b->insert_recalls.len != 0)
		buf_printf(&b->text,
			   " ON DUPLICATE KEY UPDATE recalled_at=IF(VALUES(recalled_at)>recalled_at+INTERVAL %d "
			   "MICROSECOND,VALUES(recalled_at),recalled_at)",
			   RECALLS_BEHIND_MS * 1000);
}

static void append_mentions(struct batch *b)
{
	append_list(b, "INSERT INTO mentions (user_id,conversation_id,seq,at) VALUES ", &b->insert_mentions);
	/* One is there where another program has changed the message. */
	if (b->insert_mentions.len != 0)
		sql_lit(&b->text, " ON DUPLICATE KEY UPDATE at=mentions.at");
}

void batch_build_guess(struct batch *b)
{
	begin_text(b);
	append_begin(b);
	unsigned rows = guess_put_heads(b);
	guess_put_checks(b, rows);
	append_messages(b);
	guess_put_spent(b);
	append_mentions(b);
	append_end(b, true);
}

void batch_build_write(struct batch *b)
{
	static const char *const edit_columns[] = {"content", "entities", "mentions", "edited_at"};
	begin_text(b);
	/* Fails where this comes too late: a subquery with two rows is an error once it is evaluated. */
	struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
	sql_lit(text, "SET @late=IF(UTC_TIMESTAMP(3)>");
	sql_time(text, b->db_ms + BATCH_STALE_MS);
	sql_lit(text, ",(SELECT 1 UNION SELECT 2),0)");
	append_marks(b);
	append_messages(b);
	batch_put_changed(b, &b->edits, edit_columns, ARRAY_LEN(edit_columns));
	append_list(b, "INSERT INTO search_edits (conversation_id,seq,change_seq) VALUES ", &b->search_edits);
	if (b->search_edits.len != 0)
		sql_lit(&b->text, " ON DUPLICATE KEY UPDATE change_seq=VALUES(change_seq)");
	append_list(b, "INSERT INTO reactions (message_id,user_id,emoji,n,at) VALUES ", &b->insert_reactions);
	react_put_write(b);
	append_gathered(b, &b->updates);
	append_expired(b);
	append_list(b, "INSERT INTO changes (conversation_id,change_seq,kind,message_id,user_id,at) VALUES ",
		    &b->insert_changes);
	append_recalls(b);
	append_list(b, "INSERT INTO uncounted (block,bits,conversation_id) VALUES ", &b->insert_uncounted);
	if (b->insert_uncounted.len != 0)
		sql_lit(&b->text, " ON DUPLICATE KEY UPDATE bits=uncounted.bits|VALUES(bits)");
	append_mentions(b);
	bool wrote = conv_direct_put_write(b);
	wrote |= conv_group_put_write(b);
	append_list(b, "INSERT INTO read_marks (conversation_id,user_id,up_to_seq,at) VALUES ", &b->insert_marks);
	/* One is there where another program has set read_seq back: the first read is what counts. */
	if (b->insert_marks.len != 0)
		sql_lit(&b->text, " ON DUPLICATE KEY UPDATE at=read_marks.at");
	append_end(b, wrote);
}
