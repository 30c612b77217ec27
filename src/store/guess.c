/* SPDX-License-Identifier: BSD-2-Clause */
/* Which batches are guessed, and what makes a wrong guess fail. Decides no outcome of an operation. */
#include "core/base.h"
#include "store/guess.h"

#include "core/clock.h"
#include "store/lane_priv.h"
#include "store/sql.h"

/* The database's clock is remembered for this long. */
#define CLOCK_MS 60000
/* A guess may be ahead of it by this much, where the two machines' clocks do not run alike. */
#define AHEAD_MS 50

/* ---- which ---- */

static bool can_guess_op(struct batch *b, const struct op *op, struct pair_head *head_r)
{
	const struct conv *c = op_conv(op);
	return op->class->guess != NULL && !op->uncertain && !op->inherited && !op->settling && !op->alone &&
	       c != NULL && c->kind == &conv_direct && c->id != 0 && c->pair.len != 0 && !c->stopped &&
	       pairs_find_head(b->pairs, &c->pair, head_r) && op->class->guess(op, head_r);
}

static void guess_head(struct conv *c, const struct pair_head *head)
{
	c->locked = true; /* by the statement that writes it */
	c->stored_seq = c->last_seq = head->last_seq;
	c->stored_ms = c->last_ms = head->last_ms;
	c->expires_in_secs = head->expires_in_secs;
	/* Their counters are at 0, and so say what is added. */
	c->members->present = c->members->next->present = true;
}

bool batch_guess(struct batch *b)
{
	struct pair_head head[BATCH_OPS_MAX];
	int64_t since_ms = clock_mono_ms() - b->clock.at_mono_ms;
	if (b->skip_locked || b->clock.db_ms == 0 || b->clock.activity_ms == 0 || since_ms > CLOCK_MS)
		return false;
	for (unsigned i = 0; i < b->count; i++)
		if (!can_guess_op(b, b->op[i], &head[i]))
			return false;
	for (unsigned i = 0; i < b->count; i++)
		guess_head(op_conv(b->op[i]), &head[i]);
	b->guessed = true;
	batch_set_time(b, b->clock.db_ms + since_ms, b->clock.activity_ms);
	return true;
}

void guess_forget(struct batch *b)
{
	for (const struct conv *c = b->convs; c != NULL; c = c->next)
		if (c->kind == &conv_direct && c->pair.len != 0)
			pairs_forget_head(b->pairs, &c->pair);
}

/* ---- heads ---- */

/* As read from the column that the row of VALUES has it in; see put_head(). */
#define SAME_HEAD                                                                                                      \
	"conversations.last_seq=VALUES(change_seq) AND conversations.last_message_time=VALUES(created_at) AND "        \
	"conversations.id=VALUES(id) AND conversations.user1_id=VALUES(user1_id) AND "                                 \
	"conversations.user2_id=VALUES(user2_id) AND conversations.expires_in<=>VALUES(expires_in)"

/* As conv_keep_archived(): the other side has sent nothing. */
#define KEPT_ARCHIVED(side)                                                                                            \
	"IF(conversations.user" side "_archived_seq=VALUES(change_seq) AND VALUES(user" side "_unread)=0,"             \
	"VALUES(last_seq),conversations.user" side "_archived_seq)"

static void put_head(struct buf *text, const struct conv *c)
{
	const struct member *one = c->members, *other = one->next;
	buf_append_char(text, '(');
	sql_u64(text, c->id);
	buf_append_char(text, ',');
	sql_str(text, one->user);
	buf_append_char(text, ',');
	sql_str(text, other->user);
	const uint64_t numbers[] = {c->last_seq, one->unread, other->unread, one->last_id, c->stored_seq};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		buf_append_char(text, ',');
		sql_u64(text, numbers[i]);
	}
	buf_append_char(text, ',');
	sql_time(text, c->last_ms);
	buf_append_char(text, ',');
	sql_time(text, c->sort_ms);
	buf_append_char(text, ',');
	sql_time(text, c->stored_ms);
	buf_append_char(text, ',');
	if (c->expires_in_secs != 0)
		sql_u64(text, c->expires_in_secs);
	else
		sql_lit(text, "NULL");
	buf_append_char(text, ')');
}

/*
 * The rows exist, so each meets its primary key and is updated, which counts as two. One that is not as it was guessed
 * would get a negative last_seq, which is an error; one that does not exist is inserted, and counts as one.
 */
unsigned guess_put_heads(struct batch *b)
{
	const uint64_t *ids;
	size_t n = batch_conv_ids(b, &conv_direct, true, &ids);
	struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
	bool first = true;
	unsigned rows = 0;
	sql_lit(text, "INSERT INTO conversations (id,user1_id,user2_id,last_seq,user1_unread,user2_unread,"
		      "user1_last_id,change_seq,last_message_time,sort_time,created_at,expires_in) VALUES ");
	for (size_t i = 0; i < n; i++) {
		const struct conv *c = conv_find(b, ids[i]);
		if (!c->dirty)
			continue;
		sql_comma(text, &first);
		put_head(text, c);
		rows += 2;
	}
	/* The first assignment comes before those that change what it compares. */
	sql_lit(text, " ON DUPLICATE KEY UPDATE last_seq=IF(" SAME_HEAD ",VALUES(last_seq),-1),"
		      "user1_unread=conversations.user1_unread+VALUES(user1_unread),"
		      "user2_unread=conversations.user2_unread+VALUES(user2_unread),"
		      "user1_last_id=VALUES(user1_last_id),user2_last_id=VALUES(user1_last_id),"
		      "user1_archived_seq=" KEPT_ARCHIVED("1") ",user2_archived_seq=" KEPT_ARCHIVED(
			      "2") ","
				   "last_message_time=VALUES(last_message_time),"
				   "sort_time=GREATEST(conversations.sort_time,VALUES(sort_time))");
	return rows;
}

/* ---- the rest ---- */

static void put_pair(struct buf *list, struct str a, struct str b, unsigned *count)
{
	if (list->len != 0)
		buf_append_char(list, ',');
	sql_pair(list, a, b);
	++*count;
}

/* Of those who send, what the other one is to them; and what they are to the other one, where that does not send. */
static void list_pairs(struct batch *b, struct buf *there, unsigned *to, struct buf *back, unsigned *from)
{
	for (const struct conv *c = b->convs; c != NULL; c = c->next) {
		const struct member *one = c->members, *other = one->next;
		if (one->blocks_asked)
			put_pair(there, other->user, one->user, to);
		else
			put_pair(back, other->user, one->user, from);
		if (other->blocks_asked)
			put_pair(there, one->user, other->user, to);
		else
			put_pair(back, one->user, other->user, from);
	}
}

static void put_list(struct buf *text, const char *head, const struct buf *list)
{
	buf_append(text, head, strlen(head));
	buf_append(text, list->data, list->len);
	buf_append_char(text, ')');
}

static void put_count(struct buf *text, const struct buf *list, const char *and, unsigned count)
{
	if (count == 0)
		return;
	put_list(text, " AND (SELECT COUNT(*) FROM friendships FORCE INDEX (PRIMARY) WHERE (user_id,friend_id) IN (",
		 list);
	buf_append(text, and, strlen(and));
	sql_lit(text, ")=");
	sql_u64(text, count);
}

void guess_put_checks(struct batch *b, unsigned rows)
{
	struct buf *there = &b->ask_blocks, *back = &b->ask_friends;
	unsigned to = 0, from = 0;
	buf_clear(there);
	buf_clear(back);
	list_pairs(b, there, &to, back, &from);
	struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
	sql_lit(text, "SET @wrong=IF(ROW_COUNT()=");
	sql_u64(text, rows);
	sql_lit(text, " AND UTC_TIMESTAMP(3) BETWEEN ");
	sql_time(text, b->db_ms - AHEAD_MS);
	sql_lit(text, " AND ");
	sql_time(text, b->db_ms + GUESS_BEHIND_MS);
	/* The first rows of spent_sends were made since: the guess is wrong. */
	buf_printf(text, " AND (SELECT at FROM activity WHERE id=1 AND spends=%d)<=", b->clock.spends);
	sql_time(text, b->active_ms);
	put_count(text, there, " AND blocked=0", to);
	put_count(text, back, "", from);
	put_list(text, " AND NOT EXISTS(SELECT 1 FROM blocks FORCE INDEX (PRIMARY) WHERE (user_id,blocked_id) IN (",
		 there);
	/* A subquery with two rows is an error once it is evaluated. */
	sql_lit(text, "),0,(SELECT 1 UNION SELECT 2))");
	batch_put_now(b, STMT_NOW_CHECKED);
}

void guess_put_spent(struct batch *b)
{
	if (!b->clock.spends || b->ask_sent.len == 0)
		return;
	struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
	put_list(text,
		 "SET @wrong=IF(EXISTS(SELECT 1 FROM spent_sends FORCE INDEX (PRIMARY) WHERE "
		 "(from_user_id,client_msg_id) IN (",
		 &b->ask_sent);
	sql_lit(text, "),(SELECT 1 UNION SELECT 2),0)");
}
