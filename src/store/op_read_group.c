/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a group up to a seq: moves the member's read_seq, and writes a read mark where the group has receipts. Only
 * the member's row is locked, not the head: many members read what one has sent, and do not hold up the next one who
 * sends.
 *
 * What is unread after a seq is what comes after it, less what counts for nobody (the table uncounted) and what the
 * member has deleted. Mostly there is neither, which the head and the member's row tell. Else it is counted once the
 * read has committed, on a connection for reads: that may take long, and the lane carries everybody's messages.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/op_read.h"
#include "store/sql.h"

static void group_read_enter(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	op->conv = batch_conv_by_id(b, o->conversation_id, false);
	batch_ask_member(b, op->conv, o->user);
}

static void group_read_move(struct batch *b, struct op_read *o, struct member *m)
{
	o->step_to = o->up_to_seq;
	/* Else it is counted later. */
	o->step_marked = o->counts ? 0 : o->step_to - m->read_seq;
	o->result.read_ms = b->now_ms;
	o->result.read_seq = o->step_to;
	m->marks |= m->conv->member_count <= (uint64_t)b->conf->groups.receipts_max;
	o->op.planned = true;
	conv_group_move(b, m, o->step_to);
}

static enum op_verdict group_read_plan(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	struct conv *c = op_conv(op);
	struct member *m = c->known ? conv_member(b, c, o->user) : NULL;
	if (m == NULL) {
		op->status = STORE_NOT_FOUND;
		return OP_PLANNED;
	}
	/* A try of unknown outcome that has moved read_seq is counted from where it was. */
	if (!read_was_done(o, m)) {
		o->count_after = m->read_seq;
		o->counts = false;
	}
	read_begin(o, m);
	if (o->up_to_seq > c->last_seq)
		o->up_to_seq = c->last_seq;
	o->counts |= c->uncounted_seq > m->read_seq || m->deleted_seq > m->read_seq;
	if (o->up_to_seq <= m->read_seq)
		b->standing = true;
	else if (op->settling)
		op->status = STORE_UNAVAILABLE;
	else
		group_read_move(b, o, m);
	o->result.unread = c->last_seq - m->read_seq;
	o->result.member_count = c->member_count;
	return OP_PLANNED;
}

/* ---- counting ---- */

/*
 * One row: the last seq, and how many messages are not unread, of those over count_after that are read now, and of
 * those that are left. It goes once through the uncounted messages and the runs of deleted ones: an uncounted message
 * within a run, which has begun and not ended yet, is not counted twice.
 */
struct group_count {
	struct read read;
	store_read_fn *fn;
	void *arg;
	struct store_read result;
	bool found;
	uint64_t last_seq, of_read, of_left;
};

static void count_restart(struct read *r)
{
	container_of(r, struct group_count, read)->found = false;
}

static void count_row(struct read *r, unsigned stmt, struct row *row)
{
	struct group_count *g = container_of(r, struct group_count, read);
	(void)stmt;
	g->found = true;
	g->last_seq = row_take_u64(row);
	g->of_read = row_take_u64(row);
	g->of_left = row_take_u64(row);
}

static void count_done(struct read *r, enum store_status status)
{
	struct group_count *g = container_of(r, struct group_count, read);
	struct store_read *result = &g->result;
	if (status == STORE_OK && !g->found)
		status = STORE_UNAVAILABLE;
	result->status = status;
	result->marked = conv_less(result->marked, g->of_read);
	result->unread = conv_less(conv_less(g->last_seq, result->read_seq), g->of_left);
	g->fn(result, g->arg);
}

static void put_runs(struct buf *out, const struct op_read *o, const char *columns, const char *where, uint64_t seq)
{
	buf_printf(out, "SELECT %s FROM deletions d FORCE INDEX (PRIMARY) WHERE d.user_id=", columns);
	sql_str(out, o->user);
	sql_lit(out, " AND d.conversation_id=");
	sql_u64(out, o->conversation_id);
	buf_append(out, where, strlen(where));
	sql_u64(out, seq);
}

/* Where a run begins it is inside, where it ends no more. The run that `after` is within begins before it. */
#define RUN_BEGINS "d.first_seq AS seq,d.last_seq,0 AS kind,1 AS inside"
#define RUN_ENDS "d.last_seq+1 AS seq,0 AS last_seq,0 AS kind,-1 AS inside"

static void put_points(struct buf *out, const struct op_read *o)
{
	put_runs(out, o, RUN_BEGINS, " AND d.first_seq>", o->count_after);
	sql_lit(out, " UNION ALL ");
	put_runs(out, o, RUN_ENDS, " AND d.first_seq>", o->count_after);
	sql_lit(out, " UNION ALL (");
	put_runs(out, o, RUN_BEGINS, " AND d.first_seq<=", o->count_after);
	sql_lit(out, " ORDER BY d.first_seq DESC LIMIT 1) UNION ALL (");
	put_runs(out, o, RUN_ENDS, " AND d.first_seq<=", o->count_after);
	sql_lit(out,
		" ORDER BY d.first_seq DESC LIMIT 1) UNION ALL SELECT u.seq,u.seq,1,0 FROM uncounted u FORCE INDEX "
		"(PRIMARY) WHERE u.conversation_id=");
	sql_u64(out, o->conversation_id);
	sql_lit(out, " AND u.seq>");
	sql_u64(out, o->count_after);
}

static void put_count(struct buf *out, const struct op_read *o)
{
	uint64_t to = o->result.read_seq;
	sql_lit(out, "SELECT (SELECT last_seq FROM group_heads WHERE id=");
	sql_u64(out, o->conversation_id);
	sql_lit(out, "),SUM(GREATEST(0,CAST(LEAST(r.last_seq,");
	sql_u64(out, to);
	sql_lit(out, ") AS SIGNED)-CAST(GREATEST(r.seq-1,");
	sql_u64(out, o->count_after);
	sql_lit(out, ") AS SIGNED))),SUM(GREATEST(0,CAST(r.last_seq AS SIGNED)-CAST(GREATEST(r.seq-1,");
	sql_u64(out, to);
	sql_lit(out,
		") AS SIGNED))) FROM (SELECT p.seq,p.last_seq,p.kind,SUM(p.inside) OVER (ORDER BY p.seq,p.kind ROWS "
		"UNBOUNDED PRECEDING) AS inside FROM (");
	put_points(out, o);
	sql_lit(out, ") p) r WHERE r.kind=0 OR r.inside=0");
}

static void group_read_answer(struct store *s, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	if (op->status != STORE_OK || !o->counts) {
		read_answer(s, op);
		return;
	}
	read_finish(o);
	struct group_count *g = read_new(s->pool, o->user, sizeof(*g));
	g->read.restart = count_restart;
	g->read.row = count_row;
	g->read.done = count_done;
	g->fn = o->fn;
	g->arg = o->arg;
	g->result = o->result;
	g->result.conversation_id = o->conversation_id;
	g->result.marked = o->result.read_seq - o->count_after;
	put_count(&g->read.text, o);
	pool_submit(&g->read);
}

const struct op_class read_group_class = {
	.name = "read of a group",
	.enter = group_read_enter,
	.plan = group_read_plan,
	.step = read_step,
	.answer = group_read_answer,
	.tells = true,
};
