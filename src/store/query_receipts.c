/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has read a message, in up to three steps: may the user see it; who has read it, in a group; and when. A member
 * has read a message that is not after their read_seq, unless they joined later and have read nothing since. When is
 * told by a read mark or by a message that they sent, whichever comes first. The reader in a direct conversation has
 * read it if there is a time.
 */
#include "core/base.h"
#include "store/group.h"

#include "store/query.h"
#include "store/sql.h"
#include "store/store_priv.h"

enum receipts_step { RECEIPTS_MESSAGE, RECEIPTS_READERS, RECEIPTS_TIMES };
enum { STMT_COUNT, STMT_PAGE };
enum { STMT_MARKS, STMT_SENT };

struct receipts {
	struct read read;
	store_receipts_fn *fn;
	void *arg;
	uint64_t message_id;
	unsigned limit;
	struct str after;
	uint64_t max_members;

	enum receipts_step step;
	enum store_status found; /* the message; STORE_NOT_FOUND: or the user may not see it */
	char sender[USER_ID_MAX + 1];
	uint64_t read_count;
	struct store_receipt *item;
	uint64_t *mark; /* of each: the seq of the mark that tells when; 0: none */
	size_t count;
	bool has_more;
};

static void receipts_restart(struct read *r)
{
	struct receipts *p = container_of(r, struct receipts, read);
	if (p->step == RECEIPTS_MESSAGE)
		p->found = STORE_NOT_FOUND;
	if (p->step != RECEIPTS_TIMES) {
		p->read_count = p->count = 0;
		p->has_more = false;
	}
}

/* ---- the message ---- */

static void put_direct_message(struct receipts *p)
{
	struct buf *text = &p->read.text;
	struct str user = p->read.user;
	sql_lit(text, "SELECT IF(m.from_user_id=");
	sql_str(text, user);
	sql_lit(text, ",m.deleted_by_sender,m.deleted_by_recipient) OR ");
	query_put_first_seq(text, user);
	sql_lit(text, ">(m.id&268435455)," MESSAGE_COLUMNS
		      " FROM messages m JOIN conversations c FORCE INDEX (PRIMARY) ON c.id=m.id>>28 WHERE m.id=");
	sql_u64(text, p->message_id);
	sql_lit(text, " AND (m.from_user_id=");
	sql_str(text, user);
	sql_lit(text, " OR m.to_user_id=");
	sql_str(text, user);
	buf_append_char(text, ')');
}

static void direct_message_row(struct receipts *p, struct row *row)
{
	struct message m;
	if (row_take_bool(row) || !row_take_message(row, &p->read.arena, &m))
		return;
	p->found = STORE_OK;
	struct store_receipt *item = &p->item[p->count++];
	memcpy(item->user_id, m.to, sizeof(item->user_id));
	item->read_ms = m.read_ms;
}

static void put_group_message(struct receipts *p)
{
	struct buf *text = &p->read.text;
	uint64_t group = message_id_conversation(p->message_id);
	sql_lit(text, "SELECT " GROUP_FIRST_SEQ
		      ",h.member_count,m.from_user_id,(SELECT d.last_seq FROM deletions d FORCE INDEX "
		      "(PRIMARY) WHERE d.user_id=");
	sql_str(text, p->read.user);
	sql_lit(text, " AND d.conversation_id=");
	sql_u64(text, group);
	sql_lit(text, " AND d.first_seq<=");
	sql_u64(text, message_id_seq(p->message_id));
	sql_lit(text, " ORDER BY d.first_seq DESC LIMIT 1) FROM members g FORCE INDEX (PRIMARY) JOIN group_heads h ON "
		      "h.id=g.conversation_id JOIN messages m ON m.id=");
	sql_u64(text, p->message_id);
	sql_lit(text, " WHERE ");
	query_put_is_member(text, p->read.user, group);
}

static void group_message_row(struct receipts *p, struct row *row)
{
	uint64_t seq = message_id_seq(p->message_id), first_seq = row_take_u64(row), members = row_take_u64(row);
	row_take_user(row, p->sender);
	uint64_t deleted_up_to = row_take_u64(row);
	if (first_seq <= seq && deleted_up_to < seq)
		p->found = members <= p->max_members ? STORE_OK : STORE_LIMITED;
}

/* ---- who has read it ---- */

static void put_readers(struct buf *text, const struct receipts *p)
{
	uint64_t seq = message_id_seq(p->message_id);
	sql_lit(text, "members g FORCE INDEX (by_conversation) WHERE g.conversation_id=");
	sql_u64(text, message_id_conversation(p->message_id));
	sql_lit(text, " AND COALESCE(g.rule_seq,g.first_seq)<=");
	sql_u64(text, seq);
	sql_lit(text, " AND g.read_seq>=");
	sql_u64(text, seq);
	sql_lit(text, " AND (g.joined_seq<");
	sql_u64(text, seq);
	sql_lit(text, " OR g.read_seq>g.joined_seq) AND g.user_id<>");
	sql_str(text, str_from(p->sender));
}

static void build_readers(struct receipts *p)
{
	struct buf *text = &p->read.text;
	buf_clear(text);
	p->step = RECEIPTS_READERS;
	sql_lit(text, "SELECT COUNT(*) FROM ");
	put_readers(text, p);
	sql_lit(text, ";SELECT user_id,at FROM (SELECT g.user_id,COALESCE(g.read_at,g.joined_at) AS at FROM ");
	put_readers(text, p);
	if (p->after.s != NULL) {
		sql_lit(text, " AND g.user_id>");
		sql_str(text, p->after);
	}
	sql_lit(text, " LIMIT ");
	sql_u64(text, p->max_members);
	sql_lit(text, ") readers ORDER BY user_id LIMIT ");
	sql_u64(text, p->limit + 1);
}

static void reader_row(struct receipts *p, unsigned stmt, struct row *row)
{
	if (stmt == STMT_COUNT) {
		p->read_count = row_take_u64(row);
		return;
	}
	p->has_more = p->count == p->limit;
	if (p->has_more)
		return;
	struct store_receipt *item = &p->item[p->count++];
	row_take_user(row, item->user_id);
	item->read_ms = row_take_ms(row);
}

/* ---- when ---- */

static bool is_of_group(const struct receipts *p)
{
	return conversation_is_group(message_id_conversation(p->message_id));
}

/* What the readers of a group's message sent so soon after it that a mark may be missing. */
static void put_sent_by_readers(struct buf *text, const struct receipts *p)
{
	uint64_t group = message_id_conversation(p->message_id), seq = message_id_seq(p->message_id),
		 last = seq + GROUP_SENT_READS_MAX;
	sql_lit(text, ";SELECT from_user_id,id,created_at FROM messages FORCE INDEX (PRIMARY) WHERE id>");
	sql_u64(text, p->message_id);
	sql_lit(text, " AND id<=");
	sql_u64(text, message_id_make(group, last < MESSAGE_SEQ_MAX ? last : MESSAGE_SEQ_MAX));
	sql_lit(text, " AND message_type<>");
	sql_u64(text, MESSAGE_SYSTEM);
	sql_lit(text, " AND from_user_id IN (");
	for (size_t i = 0; i < p->count; i++) {
		if (i != 0)
			buf_append_char(text, ',');
		sql_str(text, str_from(p->item[i].user_id));
	}
	sql_lit(text, ") ORDER BY id DESC");
}

static void build_times(struct receipts *p)
{
	struct buf *text = &p->read.text;
	buf_clear(text);
	p->step = RECEIPTS_TIMES;
	for (size_t i = 0; i < p->count; i++) {
		buf_append_str(text, i == 0 ? STR_LIT("(SELECT ") : STR_LIT(" UNION ALL (SELECT "));
		sql_u64(text, i);
		sql_lit(text, ",up_to_seq,");
		row_put_mark(text, message_id_conversation(p->message_id), str_from(p->item[i].user_id),
			     message_id_seq(p->message_id));
		buf_append_char(text, ')');
	}
	if (is_of_group(p))
		put_sent_by_readers(text, p);
}

static void mark_row(struct receipts *p, struct row *row)
{
	uint64_t i = row_take_u64(row);
	if (i >= p->count)
		return;
	p->mark[i] = row_take_u64(row);
	p->item[i].read_ms = row_take_ms(row);
}

/* The newest comes first, so the oldest one that is before the mark is what remains. */
static void sent_row(struct receipts *p, struct row *row)
{
	char user[USER_ID_MAX + 1];
	row_take_user(row, user);
	uint64_t seq = message_id_seq(row_take_u64(row));
	int64_t at_ms = row_take_ms(row);
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->item[i].user_id, user) == 0 && (p->mark[i] == 0 || seq < p->mark[i]))
			p->item[i].read_ms = at_ms;
}

static void time_row(struct receipts *p, unsigned stmt, struct row *row)
{
	if (stmt == STMT_MARKS)
		mark_row(p, row);
	else
		sent_row(p, row);
}

static void receipts_row(struct read *r, unsigned stmt, struct row *row)
{
	struct receipts *p = container_of(r, struct receipts, read);
	if (p->step == RECEIPTS_READERS)
		reader_row(p, stmt, row);
	else if (p->step == RECEIPTS_TIMES)
		time_row(p, stmt, row);
	else if (is_of_group(p))
		group_message_row(p, row);
	else
		direct_message_row(p, row);
}

/* Of a direct conversation: the one reader, if they have read it and come after p->after. */
static void end_direct(struct receipts *p)
{
	const struct store_receipt *item = &p->item[0];
	p->read_count = item->read_ms != 0;
	if (p->read_count == 0 || (p->after.s != NULL && strcmp(item->user_id, p->after.s) <= 0))
		p->count = 0;
}

/* False: all is there. */
static bool build_next(struct receipts *p)
{
	if (!is_of_group(p)) {
		if (p->item[0].read_ms == 0 && p->step == RECEIPTS_MESSAGE) {
			build_times(p);
			return true;
		}
		end_direct(p);
		return false;
	}
	if (p->step == RECEIPTS_MESSAGE) {
		build_readers(p);
		return true;
	}
	if (p->step == RECEIPTS_READERS && p->count != 0) {
		build_times(p);
		return true;
	}
	return false;
}

static void receipts_done(struct read *r, enum store_status status)
{
	struct receipts *p = container_of(r, struct receipts, read);
	struct store_receipts out = {.status = status == STORE_OK ? p->found : status};
	if (out.status == STORE_OK && build_next(p)) {
		pool_again(r);
		return;
	}
	if (out.status == STORE_OK) {
		out.read_count = p->read_count;
		out.item = p->item;
		out.count = p->count;
		out.has_more = p->has_more;
	}
	p->fn(&out, p->arg);
}

void store_list_receipts(struct store *s, struct str user, uint64_t message_id, unsigned limit, struct str after,
			 store_receipts_fn *fn, void *arg)
{
	struct receipts *p = read_new(s->pool, user, sizeof(*p));
	p->read.restart = receipts_restart;
	p->read.row = receipts_row;
	p->read.done = receipts_done;
	p->fn = fn;
	p->arg = arg;
	p->message_id = message_id;
	p->limit = limit;
	p->after = arena_str(&p->read.arena, after);
	p->max_members = (uint64_t)s->conf->groups.receipts_max;
	p->item = arena_alloc(&p->read.arena, (limit + 1) * sizeof(*p->item));
	p->mark = arena_alloc(&p->read.arena, (limit + 1) * sizeof(*p->mark));
	if (message_id_conversation(message_id) > CONVERSATION_ID_MAX) {
		pool_refuse(&p->read, STORE_NOT_FOUND);
		return;
	}
	if (is_of_group(p))
		put_group_message(p);
	else
		put_direct_message(p);
	pool_submit(&p->read);
}
