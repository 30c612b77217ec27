/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message whose time has come: the server recalls it for everybody. Decides by the database's clock, under the lock
 * of the head. So it is done once, even if several workers ask for it, or a user recalls or edits it at that moment. The
 * sender need not be a member any more.
 */
#include "core/base.h"
#include "store/op_change.h"

static struct op_recall *recall_of(struct op *op)
{
	return container_of(op, struct op_recall, change.op);
}

static void expire_enter(struct batch *b, struct op *op)
{
	struct op_recall *r = recall_of(op);
	op->conv = batch_conv_by_id(b, message_id_conversation(r->change.p.id), true);
	batch_ask_message(b, r->change.p.id);
	recall_ask(b, r);
}

/* One that only looks for what was done writes nothing; the next look at what is due brings it again. */
static void drop_due(struct batch *b, const struct op_change *o)
{
	if (!o->op.settling)
		batch_drop_expiry(b, o->p.id, o->p.due_ms);
}

static enum op_verdict expire_plan(struct batch *b, struct op *op)
{
	struct op_recall *r = recall_of(op);
	struct op_change *o = &r->change;
	enum op_verdict verdict;
	if (!change_find_held(b, o, &verdict)) {
		if (verdict == OP_PLANNED)
			drop_due(b, o);
		return verdict;
	}
	const struct message *m = &o->held->m;
	if (m->is_recalled) {
		drop_due(b, o);
		return change_end_standing(b, o, op->uncertain && m->recalled_ms == o->at_ms);
	}
	/* Another program has changed it. */
	if (m->expires_ms != o->p.due_ms) {
		drop_due(b, o);
		return change_end(op, STORE_NOT_FOUND);
	}
	if (op->settling || m->expires_ms > b->now_ms)
		return change_end(op, STORE_UNAVAILABLE);
	recall_write(b, r);
	batch_note_expired(b, m->id);
	return change_end_with(o, true);
}

static const struct op_class expire_class = {
	.name = "expiry", .enter = expire_enter, .plan = expire_plan, .answer = change_answer, .tells = true};
const struct act_info act_expire = {&expire_class, &expire_class, sizeof(struct op_recall)};
