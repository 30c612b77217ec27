/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clearing a conversation's history for one user: raises the first seq that they may see. The messages are not touched,
 * and nothing of it is shown to others: what was unread stays unread for its sender, but does not count any more.
 *
 * Of a direct conversation the user's counters change. All of it is cleared at once; else what is unread is counted as
 * for reading, and a long way is gone in steps (op_read.c). Each leaves counters and first_seq true. Of a group what is
 * unread follows from the seqs, so that the member's row is all there is to lock.
 */
#include "core/base.h"
#include "store/op_read.h"

static void clear_enter(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	op->conv = batch_conv_by_id(b, o->conversation_id, true);
	read_ask_counts(b, o);
}

static void clear_group_enter(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	op->conv = batch_conv_by_id(b, o->conversation_id, false);
	batch_ask_member(b, op->conv, o->user);
}

/* The planned step has committed. */
static void clear_step(struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	o->result.changed |= o->steps;
	o->steps = false;
}

static void note_step(struct batch *b, struct op_read *o, struct member *m)
{
	o->steps = o->op.planned = true;
	batch_note_told_user(b, &o->op, m->user);
	conv_clear(b, m, o->step_to);
}

static enum op_verdict end(struct op *op, enum store_status status)
{
	op->status = status;
	return OP_PLANNED;
}

/* False: there is nothing to do (any more), which is the end of it. */
static bool begin(struct batch *b, struct op_read *o, const struct member *m)
{
	uint64_t last_seq = m->conv->last_seq;
	if (o->steps && o->op.uncertain && m->first_seq > o->step_to)
		clear_step(&o->op);
	o->steps = false;
	o->op.status = STORE_OK;
	if (o->up_to_seq > last_seq)
		o->up_to_seq = last_seq;
	/* One without messages can be cleared, too: then it is not listed. */
	if (o->up_to_seq >= m->first_seq && (o->up_to_seq != 0 || last_seq == 0)) {
		if (o->op.settling)
			o->op.status = STORE_UNAVAILABLE;
		return !o->op.settling;
	}
	b->standing = true;
	/* Perhaps by the process that had it, and others were not told. */
	if (o->op.inherited && !o->result.changed)
		o->op.status = STORE_UNKNOWN;
	return false;
}

/* How many of the unread messages are cleared by the next step, which goes up to o->step_to. */
static uint64_t next_step(struct batch *b, struct op_read *o, const struct member *m)
{
	const struct conv *c = m->conv;
	uint64_t after = conv_unread_after(m), to = after + o->step;
	o->step_to = o->up_to_seq;
	if (o->up_to_seq == c->last_seq)
		return m->unread;
	if (o->up_to_seq <= after)
		return 0;
	/* Messages of this batch are in the database only later. */
	if (read_is_near_end(o, c)) {
		uint64_t left = o->counted[READ_UNREAD] + batch_sent_by_others(b, c, o->user, c->last_seq) -
				batch_sent_by_others(b, c, o->user, o->up_to_seq);
		return conv_less(m->unread, left);
	}
	if (to < o->up_to_seq)
		o->step_to = to;
	return o->counted[READ_UNREAD] + batch_sent_by_others(b, c, o->user, o->step_to);
}

static enum op_verdict clear_plan(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	struct conv *c = op_conv(op);
	struct member *m = c->locked ? conv_member(b, c, o->user) : NULL;
	if (m == NULL)
		return end(op, STORE_NOT_FOUND);
	/* What was counted under the locks has to be true still. */
	if (c->changed)
		return OP_PUT_OFF;
	if (!begin(b, o, m))
		return OP_PLANNED;
	if (m->moved) {
		op->more = true;
		return OP_PLANNED;
	}
	uint64_t buried = next_step(b, o, m);
	m->unread = conv_less(m->unread, buried);
	m->dead += buried;
	if (message_id_seq(m->last_id) <= o->step_to)
		m->last_id = 0;
	c->read = true;
	note_step(b, o, m);
	op->more = o->step_to < o->up_to_seq;
	return OP_PLANNED;
}

static enum op_verdict clear_group_plan(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	struct conv *c = op_conv(op);
	struct member *m = c->known ? conv_member(b, c, o->user) : NULL;
	if (m == NULL)
		return end(op, STORE_NOT_FOUND);
	if (!begin(b, o, m))
		return OP_PLANNED;
	o->step_to = o->up_to_seq;
	note_step(b, o, m);
	return OP_PLANNED;
}

static void clear_answer(struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	if (op->status == STORE_OK)
		clear_step(op);
	const struct lane_read r = {
		.r = {.status = op->status, .changed = o->result.changed, .conversation_id = o->conversation_id}};
	o->fn(&r, o->arg);
}

const struct op_class clear_class = {
	.name = "clearing a conversation",
	.enter = clear_enter,
	.plan = clear_plan,
	.step = clear_step,
	.answer = clear_answer,
	.tells = true,
};

const struct op_class clear_group_class = {
	.name = "clearing a group",
	.enter = clear_group_enter,
	.plan = clear_group_plan,
	.step = clear_step,
	.answer = clear_answer,
	.tells = true,
};
