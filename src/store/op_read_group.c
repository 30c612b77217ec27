/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a group up to a seq: moves the member's read_seq, and writes a read mark where the group has receipts. Only
 * the member's row is locked, not the head: many members read what one has sent, and do not hold up the next one who
 * sends.
 *
 * What is unread after a seq is what comes after it, less what counts for nobody (the table uncounted) and what the
 * member has deleted. Mostly there is neither, which the head and the member's row tell. Else it is counted once the
 * read has committed (read_count.c), on a connection for reads: that may take long, and the lane carries everybody's
 * messages.
 */
#include "core/base.h"
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
	o->step_marked = o->counts ? 0 : conv_less(o->step_to, conv_unread_after(m));
	o->result.read_ms = b->now_ms;
	o->result.read_seq = o->step_to;
	m->marks |= m->conv->member_count <= (uint64_t)b->conf->groups.receipts_max;
	o->op.planned = true;
	batch_note_told(b, &o->op, OUTBOX_READ, message_id_make(m->conv->id, o->step_to));
	batch_note_told_user(b, &o->op, o->user);
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
		o->count.read_seq = conv_unread_after(m);
		o->counts = false;
	}
	read_begin(o, m);
	if (o->up_to_seq > c->last_seq)
		o->up_to_seq = c->last_seq;
	o->count.conversation_id = c->id;
	o->count.last_seq = c->last_seq;
	o->count.uncounted_seq = c->uncounted_seq;
	o->count.deleted_seq = m->deleted_seq;
	o->counts |= c->uncounted_seq > conv_unread_after(m) || m->deleted_seq > conv_unread_after(m);
	read_unmark(b, o, m);
	if (o->up_to_seq <= m->read_seq) {
		b->standing = true;
		/* Perhaps by the process that had it, and others were not told. */
		if (op->inherited && !o->result.changed)
			op->status = STORE_UNKNOWN;
	} else if (op->settling)
		op->status = STORE_UNAVAILABLE;
	else
		group_read_move(b, o, m);
	o->result.unread = conv_less(c->last_seq, conv_unread_after(m));
	o->result.member_count = c->member_count;
	return OP_PLANNED;
}

const struct op_class read_group_class = {
	.name = "read of a group",
	.enter = group_read_enter,
	.plan = group_read_plan,
	.step = read_step,
	.answer = read_answer,
	.tells = true,
};
