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
		o->count.read_seq = m->read_seq;
		o->counts = false;
	}
	read_begin(o, m);
	if (o->up_to_seq > c->last_seq)
		o->up_to_seq = c->last_seq;
	o->count.conversation_id = c->id;
	o->count.last_seq = c->last_seq;
	o->count.uncounted_seq = c->uncounted_seq;
	o->count.deleted_seq = m->deleted_seq;
	o->counts |= c->uncounted_seq > m->read_seq || m->deleted_seq > m->read_seq;
	if (o->up_to_seq <= m->read_seq)
		b->standing = true;
	else if (op->settling)
		op->status = STORE_UNAVAILABLE;
	else
		group_read_move(b, o, m);
	o->result.unread = conv_less(c->last_seq, m->read_seq);
	o->result.member_count = c->member_count;
	return OP_PLANNED;
}

/* ---- counting ---- */

enum { WAS_READ, IS_LEFT, COUNTS };

struct group_count {
	struct read read;
	store_read_fn *fn;
	void *arg;
	struct store_read result;
	struct unread unread[COUNTS]; /* of the messages that were read by it, and of those after them */
};

static void count_restart(struct read *r)
{
	struct group_count *g = container_of(r, struct group_count, read);
	for (size_t i = 0; i < COUNTS; i++)
		unread_restart(&g->unread[i]);
}

static void count_row(struct read *r, unsigned stmt, struct row *row)
{
	struct group_count *g = container_of(r, struct group_count, read);
	size_t i = unread_take_tag(row);
	(void)stmt;
	if (i < COUNTS)
		unread_take(row, &g->unread[i]);
}

static void count_done(struct read *r, enum store_status status)
{
	struct group_count *g = container_of(r, struct group_count, read);
	g->result.status = status;
	g->result.marked = unread_in_group(&g->unread[WAS_READ]);
	g->result.unread = unread_in_group(&g->unread[IS_LEFT]);
	g->fn(&g->result, g->arg);
}

static void count_submit(struct store *s, const struct op_read *o)
{
	struct group_count *g = read_new(s->pool, o->user, sizeof(*g));
	bool first = true, any = false;
	g->read.restart = count_restart;
	g->read.row = count_row;
	g->read.done = count_done;
	g->fn = o->fn;
	g->arg = o->arg;
	g->result = o->result;
	g->result.conversation_id = o->conversation_id;
	for (size_t i = 0; i < COUNTS; i++) {
		g->unread[i] = o->count;
		g->unread[i].user = g->read.user;
	}
	g->unread[WAS_READ].last_seq = g->unread[IS_LEFT].read_seq = o->result.read_seq;
	for (size_t i = 0; i < COUNTS; i++)
		any |= unread_put(&g->read.text, &first, i, &g->unread[i]);
	if (any)
		pool_submit(&g->read);
	else
		pool_refuse(&g->read, STORE_OK);
}

static void group_read_answer(struct store *s, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	if (op->status != STORE_OK || !o->counts) {
		read_answer(s, op);
		return;
	}
	read_finish(o);
	count_submit(s, o);
}

const struct op_class read_group_class = {
	.name = "read of a group",
	.enter = group_read_enter,
	.plan = group_read_plan,
	.step = read_step,
	.answer = group_read_answer,
	.tells = true,
};
