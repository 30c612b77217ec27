/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done to one message after it was sent: reading and recalling it, and what deleting it (op_delete.c) shares
 * with them. Decides who may, what it does to the counters, and writes it down as a change.
 */
#include "core/base.h"
#include "store/op_change.h"

#include "store/change.h"
#include "store/sql.h"

void change_enter(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	op->conv = batch_conv_by_id(b, message_id_conversation(o->id), true);
	batch_ask_member(b, op->conv, o->user);
	batch_ask_message(b, o->id);
}

enum op_verdict change_end(struct op *op, enum store_status status)
{
	op->status = status;
	return OP_PLANNED;
}

enum op_verdict change_end_with(struct op_change *o, bool changed)
{
	o->changed = changed;
	o->message = o->held->m;
	return change_end(&o->op, STORE_OK);
}

/* It was so before. Or it was this op itself, in a try whose outcome it did not learn. */
enum op_verdict change_end_standing(struct batch *b, struct op_change *o, bool ours)
{
	b->standing = true;
	ours = ours && o->change_seq != 0;
	/* Which of its changes it was, and whether others were told of it, nobody knows. */
	if (!ours && o->op.inherited) {
		o->message = o->held->m;
		return change_end(&o->op, STORE_UNKNOWN);
	}
	if (!ours)
		o->change_seq = op_conv(&o->op)->change_seq;
	return change_end_with(o, ours);
}

/* False: *verdict_r is the end of it. */
bool change_find_message(struct batch *b, struct op_change *o, enum op_verdict *verdict_r)
{
	struct conv *c = op_conv(&o->op);
	uint64_t seq = message_id_seq(o->id);
	o->held = batch_message(b, o->id);
	o->by = c->locked ? conv_member(b, c, o->user) : NULL;
	if (o->by == NULL || seq < o->by->first_seq)
		*verdict_r = change_end(&o->op, STORE_NOT_FOUND);
	else if (o->held == NULL && seq > c->stored_seq && seq <= c->last_seq)
		*verdict_r = OP_PUT_OFF; /* this batch sends it */
	else if (o->held == NULL)
		*verdict_r = change_end(&o->op, STORE_NOT_FOUND);
	else if (c->read)
		*verdict_r = OP_PUT_OFF;
	else
		return true;
	return false;
}

bool change_is_sender(const struct op_change *o)
{
	return str_is(o->user, o->held->m.from);
}

void change_note(struct batch *b, struct op_change *o, enum change_kind kind)
{
	o->op.planned = true;
	o->at_ms = b->now_ms;
	o->change_seq = batch_note_change(b, op_conv(&o->op), kind, o->id, o->user);
	batch_note_told(b, &o->op, change_kinds[kind].told_as, o->id);
}

void change_begin_update(struct buf *out, const char *assignments)
{
	sql_lit(out, "UPDATE messages SET ");
	buf_append(out, assignments, strlen(assignments));
}

void change_end_update(struct batch *b, struct buf *out, uint64_t id)
{
	sql_lit(out, " WHERE id=");
	sql_u64(out, id);
	batch_expect(b, 1);
}

/* ---- read ---- */

static enum op_verdict read_plan(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	enum op_verdict verdict;
	if (!change_find_message(b, o, &verdict))
		return verdict;
	struct held *h = o->held;
	if (change_is_sender(o) || o->by->conv->kind == &conv_group)
		return change_end(op, STORE_FORBIDDEN);
	if (h->m.is_read || h->passed)
		return change_end_standing(b, o, op->uncertain && h->m.read_ms == o->at_ms);
	if (op->settling)
		return change_end(op, STORE_UNAVAILABLE);
	if (held_is_unread(h))
		o->by->unread = conv_less(o->by->unread, 1);
	else
		o->by->dead = conv_less(o->by->dead, 1);
	change_note(b, o, CHANGE_READ);
	h->m.is_read = true;
	h->m.read_ms = b->now_ms;
	struct buf *out = batch_update(b);
	change_begin_update(out, "is_read=1,read_at=");
	sql_time(out, b->now_ms);
	change_end_update(b, out, o->id);
	return change_end_with(o, true);
}

/* ---- recall ---- */

static void recall_enter(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	change_enter(b, op);
	if (op->conv->kind == &conv_group)
		batch_ask_author(b, o->id);
}

static void erase(struct message *m)
{
	m->content = m->media_url = m->extra = m->mentions = m->entities = m->forwarded_from = m->reactions = STR_NULL;
}

static enum op_verdict recall_plan(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	enum op_verdict verdict;
	bool any_time;
	if (!change_find_message(b, o, &verdict))
		return verdict;
	struct held *h = o->held;
	const struct conv_kind *kind = o->by->conv->kind;
	enum store_status may = kind->check_recall(o->by, h, &any_time);
	if (may != STORE_OK)
		return change_end(op, may);
	if (h->m.is_recalled)
		return change_end_standing(b, o, op->uncertain && h->m.recalled_ms == o->at_ms);
	if (op->settling)
		return change_end(op, STORE_UNAVAILABLE);
	if (!any_time && b->now_ms - h->m.created_ms > (int64_t)b->conf->message.recall_window_secs * 1000)
		return change_end(op, STORE_RECALL_EXPIRED);
	kind->recalled(b, o->by, h);
	change_note(b, o, CHANGE_RECALLED);
	h->m.is_recalled = true;
	h->m.recalled_ms = b->now_ms;
	erase(&h->m);
	struct buf *out = batch_update(b);
	change_begin_update(out, "is_recalled=1,content=NULL,media_url=NULL,extra=NULL,mentions=NULL,entities=NULL,"
				 "forwarded_from=NULL,reactions=NULL,recalled_at=");
	sql_time(out, b->now_ms);
	change_end_update(b, out, o->id);
	return change_end_with(o, true);
}

/* ---- from outside ---- */

void change_answer(struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	bool done = op->status == STORE_OK;
	/* It may never have been planned here. */
	if (o->message.id == 0) {
		o->message.id = o->id;
		memcpy(o->message.from, o->user.s, o->user.len);
	}
	if (done && o->held->passed) {
		o->message.is_read = o->held->m.is_read;
		o->message.read_ms = o->held->m.read_ms;
	}
	/* What it points to was the batch's. */
	if (!done) {
		erase(&o->message);
		o->message.client_msg_id = STR_NULL;
	}
	struct store_change r = {
		.status = op->status,
		.changed = done && o->changed,
		.hidden = done && o->held->deleted[1],
		.change_seq = done ? o->change_seq : 0,
		.message = done || op->status == STORE_UNKNOWN ? &o->message : NULL,
	};
	if (id_user_valid(o->user))
		memcpy(r.by, o->user.s, o->user.len);
	o->fn(&r, o->arg);
}

void change_submit(struct lane *l, struct op_change *o, struct str user, uint64_t id, enum lane_past past,
		   store_change_fn *fn, void *arg)
{
	o->fn = fn;
	o->arg = arg;
	o->user = o->op.user = user;
	o->id = id;
	uint64_t conversation_id = message_id_conversation(id);
	if (!id_user_valid(user) || conversation_id == 0 || conversation_id > CONVERSATION_ID_MAX ||
	    message_id_seq(id) == 0)
		lane_refuse(l, &o->op, STORE_NOT_FOUND);
	else
		lane_submit(l, &o->op, past, op_key_of_id(&conversation_id));
}

void change_submit_new(struct lane *l, const struct op_class *class, size_t size, struct str user, uint64_t id,
		       enum lane_past past, store_change_fn *fn, void *arg)
{
	char *tail;
	struct op_change *o = op_new(class, size, user.len, &tail);
	change_submit(l, o, op_keep(&tail, user), id, past, fn, arg);
}

void lane_read_message(struct lane *l, struct str user, uint64_t id, enum lane_past past, store_change_fn *fn,
		       void *arg)
{
	static const struct op_class class = {.name = "read of a message",
					      .enter = change_enter,
					      .plan = read_plan,
					      .answer = change_answer,
					      .tells = true};
	change_submit_new(l, &class, sizeof(struct op_change), user, id, past, fn, arg);
}

void lane_recall(struct lane *l, struct str user, uint64_t id, enum lane_past past, store_change_fn *fn, void *arg)
{
	static const struct op_class class = {
		.name = "recall", .enter = recall_enter, .plan = recall_plan, .answer = change_answer, .tells = true};
	change_submit_new(l, &class, sizeof(struct op_change), user, id, past, fn, arg);
}
