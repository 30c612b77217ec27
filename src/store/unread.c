/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting what is unread. Decides which of the tables have to be looked at. */
#include "core/base.h"
#include "store/unread.h"

#include "core/id.h"
#include "store/sql.h"

static void begin_part(struct buf *text, bool *first, size_t tag)
{
	buf_append_str(text, *first ? STR_LIT("(SELECT ") : STR_LIT(" UNION ALL (SELECT "));
	*first = false;
	sql_u64(text, tag);
	buf_append_char(text, ',');
}

/* " WHERE [user_id='…' AND] conversation_id=… AND <seq>>read_seq AND <seq><=last_seq" */
static void put_where_after(struct buf *text, const struct unread *u, struct str user, const char *seq)
{
	sql_lit(text, " WHERE ");
	if (user.s != NULL) {
		sql_lit(text, "user_id=");
		sql_str(text, user);
		sql_lit(text, " AND ");
	}
	sql_lit(text, "conversation_id=");
	sql_u64(text, u->conversation_id);
	buf_printf(text, " AND %s>", seq);
	sql_u64(text, u->read_seq);
	buf_printf(text, " AND %s<=", seq);
	sql_u64(text, u->last_seq);
}

/* ---- groups ---- */

static void put_uncounted(struct buf *text, const struct unread *u)
{
	sql_lit(text, "COUNT(*),0 FROM uncounted FORCE INDEX (PRIMARY)");
	put_where_after(text, u, STR_NULL, "seq");
}

static void put_mentions(struct buf *text, const struct unread *u, struct str user)
{
	sql_lit(text, "0,COUNT(*) FROM mentions n FORCE INDEX (PRIMARY)");
	put_where_after(text, u, user, "seq");
	sql_lit(text,
		" AND NOT EXISTS(SELECT 1 FROM uncounted x WHERE x.conversation_id=n.conversation_id AND x.seq=n.seq)");
}

/* Each message once, also one that mentions the user as well. */
static void put_not_by_name(struct buf *text, const struct unread *u)
{
	if (u->mention_seq <= u->read_seq)
		return;
	sql_lit(text,
		" AND NOT EXISTS(SELECT 1 FROM mentions o WHERE o.conversation_id=n.conversation_id AND o.seq=n.seq "
		"AND o.user_id=");
	sql_str(text, u->user);
	buf_append_char(text, ')');
}

static void put_mentions_of_all(struct buf *text, const struct unread *u)
{
	put_mentions(text, u, STR_LIT("*"));
	put_not_by_name(text, u);
}

/* One end of each run of deleted messages. The last is the one that read_seq may be in the middle of. */
static void put_run_ends(struct buf *text, const struct unread *u, bool begin)
{
	const char *union_all = begin ? "" : " UNION ALL ";
	buf_printf(text, "%sSELECT ", union_all);
	if (begin)
		sql_lit(text, "first_seq AS seq,LEAST(last_seq,");
	else
		sql_lit(text, "LEAST(last_seq,");
	sql_u64(text, u->last_seq);
	buf_append_str(text, begin ? STR_LIT(") AS last_seq,0 AS kind,1 AS run,1 AS gone") : STR_LIT(")+1,0,0,-1,-1"));
	sql_lit(text, " FROM deletions FORCE INDEX (PRIMARY)");
	put_where_after(text, u, u->user, "first_seq");
	sql_lit(text, " UNION ALL (SELECT ");
	if (begin) {
		sql_u64(text, u->read_seq + 1);
		buf_append_char(text, ',');
	}
	sql_lit(text, "LEAST(last_seq,");
	sql_u64(text, u->last_seq);
	buf_append_str(text, begin ? STR_LIT("),0,1,1") : STR_LIT(")+1,0,0,-1,-1"));
	sql_lit(text, " FROM deletions FORCE INDEX (PRIMARY) WHERE user_id=");
	sql_str(text, u->user);
	sql_lit(text, " AND conversation_id=");
	sql_u64(text, u->conversation_id);
	sql_lit(text, " AND first_seq<=");
	sql_u64(text, u->read_seq);
	sql_lit(text, " ORDER BY first_seq DESC LIMIT 1)");
}

static void put_uncounted_ends(struct buf *text, const struct unread *u)
{
	sql_lit(text, " UNION ALL SELECT seq,seq,1,0,1 FROM uncounted FORCE INDEX (PRIMARY)");
	put_where_after(text, u, STR_NULL, "seq");
	sql_lit(text, " UNION ALL SELECT seq+1,0,0,0,-1 FROM uncounted FORCE INDEX (PRIMARY)");
	put_where_after(text, u, STR_NULL, "seq");
}

static void put_mention_places(struct buf *text, const struct unread *u, struct str user)
{
	sql_lit(text, " UNION ALL SELECT seq,seq,2,0,0 FROM mentions n FORCE INDEX (PRIMARY)");
	put_where_after(text, u, user, "seq");
}

/*
 * Where the user has deleted messages that were not read, these and the uncounted ones may be the same. So all are put
 * in order, as runs that begin and end: `run` is 1 within a run of deleted messages, `gone` is not 0 where a message is
 * deleted or uncounted. Of what is at one seq a run's ends come first (kind 0), then what is uncounted (1), then a
 * mention (2). Both are sums from the beginning on, which MariaDB carries on from row to row; a MAX over the rows
 * before it would be found anew for each of them.
 */
static void put_with_deleted(struct buf *text, const struct unread *u)
{
	sql_lit(text,
		"SUM(IF(kind=0 AND last_seq>=seq,last_seq-seq+1,kind=1 AND run=0)),SUM(kind=2 AND gone=0) FROM (SELECT "
		"seq,last_seq,kind,SUM(run) OVER (ORDER BY seq,kind ROWS UNBOUNDED PRECEDING) AS run,SUM(gone) OVER ("
		"ORDER BY seq,kind ROWS UNBOUNDED PRECEDING) AS gone FROM (");
	put_run_ends(text, u, true);
	put_run_ends(text, u, false);
	if (u->uncounted_seq > u->read_seq)
		put_uncounted_ends(text, u);
	if (u->mention_seq > u->read_seq)
		put_mention_places(text, u, u->user);
	if (u->all_seq > u->read_seq) {
		put_mention_places(text, u, STR_LIT("*"));
		put_not_by_name(text, u);
	}
	sql_lit(text, ") ends) ordered");
}

static void put_group(struct buf *text, bool *first, size_t tag, const struct unread *u)
{
	if (u->deleted_seq > u->read_seq) {
		begin_part(text, first, tag);
		put_with_deleted(text, u);
		buf_append_char(text, ')');
		return;
	}
	if (u->uncounted_seq > u->read_seq) {
		begin_part(text, first, tag);
		put_uncounted(text, u);
		buf_append_char(text, ')');
	}
	if (u->mention_seq > u->read_seq) {
		begin_part(text, first, tag);
		put_mentions(text, u, u->user);
		buf_append_char(text, ')');
	}
	if (u->all_seq > u->read_seq) {
		begin_part(text, first, tag);
		put_mentions_of_all(text, u);
		buf_append_char(text, ')');
	}
}

/* ---- direct conversations ---- */

static void put_direct(struct buf *text, bool *first, size_t tag, const struct unread *u)
{
	if (u->mention_seq <= u->read_seq)
		return;
	begin_part(text, first, tag);
	sql_lit(text,
		"0,COUNT(*) FROM mentions n FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages m FORCE INDEX (PRIMARY) ON "
		"m.id=(n.conversation_id<<28)+n.seq AND m.to_user_id=n.user_id AND m.read_at IS NULL AND "
		"m.is_recalled=0 AND m.deleted_by_recipient=0");
	put_where_after(text, u, u->user, "seq");
	buf_append_char(text, ')');
}

bool unread_is_known(const struct unread *u)
{
	if (u->last_seq <= u->read_seq)
		return true;
	return u->mention_seq <= u->read_seq && u->all_seq <= u->read_seq && u->uncounted_seq <= u->read_seq &&
	       u->deleted_seq <= u->read_seq;
}

bool unread_put(struct buf *text, bool *first, size_t tag, const struct unread *u)
{
	if (unread_is_known(u))
		return false;
	if (conversation_is_group(u->conversation_id))
		put_group(text, first, tag, u);
	else
		put_direct(text, first, tag, u);
	return true;
}

size_t unread_take_tag(struct row *row)
{
	return row_take_u64(row);
}

void unread_take(struct row *row, struct unread *u)
{
	u->gone += row_take_u64(row);
	u->mentions += row_take_u64(row);
}

void unread_restart(struct unread *u)
{
	u->gone = u->known_gone;
	u->mentions = 0;
}
