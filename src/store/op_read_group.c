/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a group up to a seq: moves the member's read_seq, and writes a read mark where the group has receipts. Only
 * the member's row is locked, not the head: many members read what one has sent, and do not hold up the next one who
 * sends.
 *
 * What is unread after a seq is what comes after it, less what counts for nobody (the table uncounted) and what the
 * member has deleted. Both are mostly none at all, which the head and the member's row tell.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/op_read.h"
#include "store/sql.h"

/*
 * What is asked where that is not so, in one statement and so as of one time: the last seq, and how many messages are
 * not unread, of those that are read now and of those that are left.
 */
enum { LAST_SEQ, OF_READ, OF_LEFT };

static void put_member(struct buf *out, const struct op_read *o, const char *columns, const char *join)
{
	buf_printf(out, "SELECT %s,m.read_seq FROM members m FORCE INDEX (PRIMARY) JOIN %s", columns, join);
	sql_lit(out, " WHERE m.user_id=");
	sql_str(out, o->user);
	sql_lit(out, " AND m.conversation_id=");
	sql_u64(out, o->conversation_id);
}

/* Runs of seqs over read_seq that are not unread; they may overlap. The last part is the run that read_seq is within.
 */
static void put_runs(struct buf *out, const struct op_read *o)
{
	put_member(out, o, "u.seq AS first_seq,u.seq AS last_seq",
		   "uncounted u FORCE INDEX (PRIMARY) ON u.conversation_id=m.conversation_id AND u.seq>m.read_seq");
	sql_lit(out, " UNION ALL ");
	put_member(out, o, "d.first_seq,d.last_seq",
		   "deletions d FORCE INDEX (PRIMARY) ON d.user_id=m.user_id AND d.conversation_id=m.conversation_id "
		   "AND d.first_seq>m.read_seq");
	sql_lit(out, " UNION ALL (");
	put_member(out, o, "d.first_seq,d.last_seq",
		   "deletions d FORCE INDEX (PRIMARY) ON d.user_id=m.user_id AND d.conversation_id=m.conversation_id "
		   "AND d.first_seq<=m.read_seq");
	sql_lit(out, " ORDER BY d.first_seq DESC LIMIT 1)");
}

/* Each run adds what the ones before it have not covered: the seqs after after_seq, up to its last. */
static void ask_counts(struct batch *b, struct op_read *o)
{
	char columns[160];
	struct buf *out = batch_ask(b, o->counted);
	snprintf(columns, sizeof(columns),
		 "CAST(h.last_seq AS SIGNED) AS last_seq,"
		 "CAST(GREATEST(m.read_seq,LEAST(h.last_seq,%" PRIu64 ")) AS SIGNED) AS to_seq",
		 o->up_to_seq);
	sql_lit(out, "SELECT MAX(x.last_seq),SUM(GREATEST(0,LEAST(r.last_seq,x.to_seq)-r.after_seq)),"
		     "SUM(GREATEST(0,r.last_seq-GREATEST(r.after_seq,x.to_seq))) FROM (");
	put_member(out, o, columns, "group_heads h FORCE INDEX (PRIMARY) ON h.id=m.conversation_id");
	sql_lit(out, ") x LEFT JOIN (SELECT CAST(n.last_seq AS SIGNED) AS last_seq,CAST(GREATEST(n.first_seq-1,"
		     "n.read_seq,COALESCE(MAX(n.last_seq) OVER (ORDER BY n.first_seq,n.last_seq ROWS BETWEEN "
		     "UNBOUNDED PRECEDING AND 1 PRECEDING),0)) AS SIGNED) AS after_seq FROM (");
	put_runs(out, o);
	sql_lit(out, ") n) r ON 1");
}

static void read_enter(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	op->conv = batch_conv_by_id(b, o->conversation_id, false);
	batch_ask_member(b, op->conv, o->user);
	memset(o->counted, 0, sizeof(o->counted));
	/* One of unknown outcome finds out at once. */
	o->counts |= op->uncertain;
	if (o->counts)
		ask_counts(b, o);
}

/* Whether all after that seq is unread. */
static bool is_all_unread(const struct member *m, uint64_t seq)
{
	return m->conv->uncounted_seq <= seq && m->deleted_seq <= seq;
}

/* The group's last seq, as of which the op counts. */
static uint64_t last_seq_of(const struct op_read *o, const struct member *m)
{
	/* Locked: with the messages of this batch. */
	return o->counts && !m->conv->locked ? o->counted[LAST_SEQ] : m->conv->last_seq;
}

static void plan_read(struct batch *b, struct op_read *o, struct member *m, uint64_t of_read)
{
	o->step_to = o->up_to_seq;
	o->step_marked = conv_less(o->step_to - m->read_seq, of_read);
	o->result.read_ms = b->now_ms;
	m->marks |= m->conv->member_count <= (uint64_t)b->conf->groups.receipts_max;
	o->op.planned = true;
	conv_group_move(b, m, o->step_to);
}

static enum op_verdict read_plan(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	struct conv *c = op_conv(op);
	struct member *m = c->known ? conv_member(b, c, o->user) : NULL;
	if (m == NULL) {
		op->status = STORE_NOT_FOUND;
		return OP_PLANNED;
	}
	/* What was counted has to be true still. */
	if (c->changed)
		return OP_PUT_OFF;
	read_begin(o, m);
	uint64_t last_seq = last_seq_of(o, m);
	if (o->up_to_seq > last_seq)
		o->up_to_seq = last_seq;
	bool moves = o->up_to_seq > m->read_seq;
	bool all_unread = is_all_unread(m, m->read_seq);
	if (moves && op->settling)
		op->status = STORE_UNAVAILABLE;
	else if (!all_unread && (!o->counts || m->moved))
		op->more = o->counts = true; /* not put off: the group's messages do not wait for it */
	else {
		uint64_t of_read = all_unread ? 0 : o->counted[OF_READ], of_left = all_unread ? 0 : o->counted[OF_LEFT];
		if (moves)
			plan_read(b, o, m, of_read);
		else
			b->standing = true;
		o->result.unread = conv_less(last_seq - m->read_seq, of_left);
		o->result.read_seq = m->read_seq;
	}
	o->result.member_count = c->member_count;
	return OP_PLANNED;
}

const struct op_class read_group_class = {
	.name = "read of a group",
	.enter = read_enter,
	.plan = read_plan,
	.step = read_step,
	.answer = read_answer,
	.tells = true,
};
