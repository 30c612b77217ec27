/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deletes messages that nobody sees any more, with all that other tables have of them, in a transaction for a few of
 * them; and what users have noted of such messages. Decides how many are deleted at a time.
 */
#include "core/base.h"
#include "relay/retention_priv.h"

#include "hub/stats.h"
#include "store/row.h"
#include "store/sql.h"

/* What a deletion should take. */
#define DELETE_USECS 10000
#define DELETE_MAX 200
#define REACTIONS_A_STEP 500
#define CHANGES_A_STEP 500
/* What members of a group have noted of messages that are gone is tidied up once in so many messages. */
#define TIDY_SEQ_BITS 10

/* ---- messages, and what other tables have of them ---- */

/* What other tables have of messages, by their ids or, within the conversation, by their seqs. */
struct kept_of {
	const char *table, *index, *column;
	bool of_conversation, by_seq;
};
static const struct kept_of kept_of[] = {
	{"media_uses", "by_message", "message_id", false, false}, {"mentions", "by_message", "seq", true, true},
	{"search_edits", "PRIMARY", "seq", true, true},		  {"pins", "PRIMARY", "message_id", true, false},
	{"forwards", "PRIMARY", "message_id", false, false},	  {"forwarded", "PRIMARY", "message_id", false, false},
};

/* " FROM … x WHERE …" */
static void put_rows_of(struct buf *text, const struct kept_of *k, uint64_t from, uint64_t to)
{
	buf_printf(text, " FROM %s x FORCE INDEX (%s) WHERE ", k->table, k->index);
	if (k->of_conversation) {
		sql_lit(text, "x.conversation_id=");
		sql_u64(text, message_id_conversation(from));
		sql_lit(text, " AND ");
	}
	buf_printf(text, "x.%s", k->column);
	retention_put_between(text, k->by_seq ? message_id_seq(from) : from, k->by_seq ? message_id_seq(to) : to);
}

static void put_delete_rows(struct buf *text, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < ARRAY_LEN(kept_of); i++) {
		sql_lit(text, ";DELETE x");
		put_rows_of(text, &kept_of[i], from, to);
	}
}

/* A DELETE that was killed is answered with OK (sql.h). A subquery with two rows is an error once it is evaluated. */
static void put_check_rows(struct buf *text, uint64_t from, uint64_t to)
{
	sql_lit(text, ";SET @left=IF(0");
	for (size_t i = 0; i < ARRAY_LEN(kept_of); i++) {
		sql_lit(text, " OR EXISTS(SELECT 1");
		put_rows_of(text, &kept_of[i], from, to);
		buf_append_char(text, ')');
	}
	sql_lit(text, ",(SELECT 1 UNION SELECT 2),0)");
}

static void put_of_conversation(struct buf *text, const char *table, uint64_t conversation_id)
{
	buf_printf(text, ";DELETE x FROM %s x FORCE INDEX (PRIMARY) WHERE x.conversation_id=%llu AND x.", table,
		   (unsigned long long)conversation_id);
}

/* Blocks of 64 messages, of which none is left. */
static void put_delete_blocks(struct buf *text, const char *table, uint64_t to)
{
	put_of_conversation(text, table, message_id_conversation(to));
	sql_lit(text, "block<");
	sql_u64(text, (message_id_seq(to) + 1) / 64);
}

/* Of many the rest is left to purge.c. */
static void put_reactions(struct buf *text, uint64_t from, uint64_t to)
{
	sql_lit(text, ";DELETE FROM reactions WHERE message_id");
	retention_put_between(text, from, to);
	buf_printf(text,
		   " ORDER BY message_id,user_id,emoji LIMIT %d;INSERT INTO reaction_erasures (message_id) SELECT m.id "
		   "FROM "
		   "messages m FORCE INDEX (PRIMARY) WHERE m.id",
		   REACTIONS_A_STEP);
	retention_put_between(text, from, to);
	sql_lit(text, " AND EXISTS (SELECT 1 FROM reactions x FORCE INDEX (PRIMARY) WHERE x.message_id=m.id) ON "
		      "DUPLICATE KEY "
		      "UPDATE message_id=reaction_erasures.message_id");
}

/* sweep.c deletes the files that nothing else shows. */
static void put_files(struct buf *text, uint64_t from, uint64_t to)
{
	sql_lit(text, ";INSERT INTO media_idle (media_id,due_at) SELECT u.media_id,UTC_TIMESTAMP(3) FROM "
		      "media_uses u "
		      "FORCE INDEX (by_message) WHERE u.message_id");
	retention_put_between(text, from, to);
	sql_lit(text, " ON DUPLICATE KEY UPDATE due_at=LEAST(media_idle.due_at,VALUES(due_at))");
}

/* Those that the server made at random are never sent again (src/store/op_send.c). */
static void put_spent(struct buf *text, uint64_t from, uint64_t to)
{
	sql_lit(text, ";INSERT INTO spent_sends (from_user_id,client_msg_id) SELECT m.from_user_id,m.client_msg_id "
		      "FROM messages "
		      "m FORCE INDEX (PRIMARY) WHERE m.id");
	retention_put_between(text, from, to);
	sql_lit(text, " AND (m.client_msg_id NOT LIKE ' %' OR m.client_msg_id LIKE ' f%') ON DUPLICATE KEY UPDATE "
		      "client_msg_id=spent_sends.client_msg_id");
}

static void put_expiries(struct buf *text, uint64_t from, uint64_t to)
{
	sql_lit(text,
		";DELETE e FROM messages m FORCE INDEX (PRIMARY) STRAIGHT_JOIN expiries e FORCE INDEX (PRIMARY) ON "
		"e.expires_at=m.expires_at AND e.message_id=m.id WHERE m.id");
	retention_put_between(text, from, to);
}

/* The first changes of all, up to one of a message that is kept. Those that come after that go with it. */
static void put_changes(struct buf *text, uint64_t to)
{
	unsigned long long id = message_id_conversation(to), last_id = to;
	buf_printf(
		text,
		";SET @up_to=(SELECT COALESCE(MIN(IF(k.message_id>%llu,k.change_seq,NULL))-1,MAX(k.change_seq),0) FROM "
		"(SELECT message_id,change_seq FROM changes FORCE INDEX (PRIMARY) WHERE conversation_id=%llu ORDER BY "
		"change_seq LIMIT %d) k)",
		last_id, id, CHANGES_A_STEP);
	put_of_conversation(text, "changes", id);
	sql_lit(text, "change_seq<=@up_to");
}

static uint64_t step_end(const struct retention *x)
{
	uint64_t to = x->first_id + x->delete_rows - 1;
	return to < x->last_id ? to : x->last_id;
}

static void delete_ask(struct relay *r, struct buf *text)
{
	struct retention *x = &r->retention;
	uint64_t from = x->first_id, to = step_end(x);
	retention_begin(r, text);
	put_reactions(text, from, to);
	put_files(text, from, to);
	put_spent(text, from, to);
	put_expiries(text, from, to);
	put_changes(text, to);
	put_delete_blocks(text, "search_blocks", to);
	if (retention_is_group(x))
		put_delete_blocks(text, "uncounted", to);
	put_delete_rows(text, from, to);
	put_check_rows(text, from, to);
	sql_lit(text, ";DELETE x FROM messages x FORCE INDEX (PRIMARY) WHERE x.id");
	retention_put_between(text, from, to);
	sql_lit(text, ";SELECT ROW_COUNT()" RETENTION_END);
}

/* Sets the step after a deletion: whether what users have noted of the messages is to be tidied up. */
static void deleted_all(struct retention *x)
{
	uint64_t kept_seq = message_id_seq(x->last_id) + 1;
	x->tidy_user[0] = '\0';
	x->tidy_role = 0;
	if (!retention_is_group(x))
		x->step = RETENTION_TIDYING;
	else
		x->step = x->deleted_from >> TIDY_SEQ_BITS != kept_seq >> TIDY_SEQ_BITS ? RETENTION_MEMBERS
											: RETENTION_LOOKING;
}

static void delete_done(struct relay *r)
{
	struct retention *x = &r->retention;
	stat_add(STAT_MESSAGES_TOO_OLD, x->rows);
	int64_t took = retention_rest(r);
	if (x->deleted_from == 0)
		x->deleted_from = message_id_seq(x->first_id);
	x->first_id = step_end(x) + 1;
	if (took > DELETE_USECS && x->delete_rows > RETENTION_DELETE_MIN)
		x->delete_rows /= 2;
	else if (took < DELETE_USECS / 2 && x->delete_rows < DELETE_MAX)
		x->delete_rows++;
	if (x->first_id > x->last_id)
		deleted_all(x);
}

const struct relay_job retention_delete_job = {.name = "deleting old messages",
					       .ask = delete_ask,
					       .row = retention_count_row,
					       .done = delete_done,
					       .failed = retention_skip};

/* ---- what users have noted of them ---- */

static void members_ask(struct relay *r, struct buf *text)
{
	struct retention *x = &r->retention;
	retention_begin(r, text);
	x->user_count = 0;
	sql_lit(text, ";SELECT user_id,role FROM members FORCE INDEX (by_conversation) WHERE conversation_id=");
	sql_u64(text, retention_conversation(x));
	sql_lit(text, " AND (role>");
	sql_u64(text, x->tidy_role);
	sql_lit(text, " OR (role=");
	sql_u64(text, x->tidy_role);
	sql_lit(text, " AND user_id>");
	sql_str(text, str_from(x->tidy_user));
	buf_printf(text, ")) ORDER BY role,user_id LIMIT %d" RETENTION_END, RETENTION_USERS_MAX);
}

static void members_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct retention *x = &r->retention;
	(void)stmt;
	retention_take_user(x, row);
	x->tidy_role = (unsigned)row_take_u64(row);
}

static void members_done(struct relay *r)
{
	struct retention *x = &r->retention;
	retention_rest(r);
	x->step = RETENTION_LOOKING;
	if (x->user_count == 0)
		return;
	memcpy(x->tidy_user, x->user[x->user_count - 1], sizeof(x->tidy_user));
	x->step = RETENTION_TIDYING;
}

const struct relay_job retention_members_job = {.name = "looking who is in a group",
						.ask = members_ask,
						.row = members_row,
						.done = members_done,
						.failed = retention_skip};

static void put_noted(const struct retention *x, struct buf *text, const char *table, const char *first,
		      const char *last)
{
	bool is_first = true;
	unsigned long long last_seq = message_id_seq(x->last_id);
	put_of_conversation(text, table, retention_conversation(x));
	sql_lit(text, "user_id IN (");
	for (unsigned i = 0; i < x->user_count; i++) {
		sql_comma(text, &is_first);
		sql_str(text, str_from(x->user[i]));
	}
	buf_printf(text, ") AND x.%s<=%llu AND x.%s<=%llu", first, last_seq, last, last_seq);
}

static void tidy_ask(struct relay *r, struct buf *text)
{
	struct retention *x = &r->retention;
	retention_begin(r, text);
	put_noted(x, text, "read_marks", "up_to_seq", "up_to_seq");
	put_noted(x, text, "deletions", "first_seq", "last_seq");
	sql_lit(text, RETENTION_END);
}

static void tidy_done(struct relay *r)
{
	struct retention *x = &r->retention;
	retention_rest(r);
	x->step = retention_is_group(x) ? RETENTION_MEMBERS : RETENTION_LOOKING;
}

const struct relay_job retention_tidy_job = {
	.name = "tidying up after old messages", .ask = tidy_ask, .done = tidy_done, .failed = retention_skip};
