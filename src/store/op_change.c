/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done to one message after it was sent: reading, recalling and deleting it.
 * Decides who may, what it does to the counters, and writes it down as a change.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/lane_priv.h"
#include "store/sql.h"

struct op_change {
	struct op op;
	store_change_fn *fn;
	void *arg;
	struct str user;
	uint64_t id;
	bool changed;
	uint64_t change_seq;	   /* kept from a try of unknown outcome */
	int64_t at_ms;		   /* likewise */
	uint64_t newest_before[2]; /* delete: the newest message before it that the user has not deleted */
	struct held *held;
	struct message message; /* a copy, for ops after this one may change it further */
};

static void change_enter(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	op->conv = batch_conv_by_id(b, message_id_conversation(o->id));
	batch_ask_message(b, o->id);
}

static enum op_verdict end(struct op *op, enum store_status status)
{
	op->status = status;
	return OP_PLANNED;
}

static enum op_verdict end_with(struct op_change *o, bool changed)
{
	o->changed = changed;
	o->message = o->held->m;
	return end(&o->op, STORE_OK);
}

/* It was so before. Or it was this op itself, in a try whose outcome it did not learn. */
static enum op_verdict end_standing(struct batch *b, struct op_change *o, bool ours)
{
	b->standing = true;
	if (!ours)
		o->change_seq = op_conv(&o->op)->change_seq;
	return end_with(o, ours);
}

/* False: *verdict_r is the end of it. */
static bool find_message(struct batch *b, struct op_change *o, int *side_r, enum op_verdict *verdict_r)
{
	struct conv *c = op_conv(&o->op);
	o->held = batch_message(b, o->id);
	uint64_t seq = message_id_seq(o->id);
	if (!c->locked || (*side_r = conv_side(c, o->user)) < 0)
		*verdict_r = end(&o->op, STORE_NOT_FOUND);
	else if (o->held == NULL && seq > c->stored_seq && seq <= c->last_seq)
		*verdict_r = OP_PUT_OFF; /* this batch sends it */
	else if (o->held == NULL)
		*verdict_r = end(&o->op, STORE_NOT_FOUND);
	else if (c->read_by[0] || c->read_by[1])
		*verdict_r = OP_PUT_OFF; /* what was read of the message may be out of date */
	else
		return true;
	return false;
}

static bool is_sender(const struct op_change *o)
{
	return str_is(o->user, o->held->m.from);
}

static void note(struct batch *b, struct op_change *o, enum change_kind kind)
{
	o->op.planned = true;
	o->at_ms = b->now_ms;
	o->change_seq = batch_note_change(b, op_conv(&o->op), kind, o->id, o->user);
}

static bool counts_as_unread(const struct held *h)
{
	return !h->m.is_read && !h->m.is_recalled && !h->deleted[1];
}

static void begin_update(struct buf *out, const char *assignments)
{
	sql_lit(out, "UPDATE messages SET ");
	buf_append(out, assignments, strlen(assignments));
}

static void end_update(struct batch *b, struct buf *out, uint64_t id)
{
	sql_lit(out, " WHERE id=");
	sql_u64(out, id);
	batch_expect(b, 1);
}

/* ---- read ---- */

static enum op_verdict read_plan(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	int side;
	enum op_verdict verdict;
	if (!find_message(b, o, &side, &verdict))
		return verdict;
	struct held *h = o->held;
	if (is_sender(o))
		return end(op, STORE_FORBIDDEN);
	if (h->m.is_read)
		return end_standing(b, o, op->uncertain && h->m.read_ms == o->at_ms);
	if (op->settling)
		return end(op, STORE_UNAVAILABLE);
	if (counts_as_unread(h))
		op_conv(op)->unread[side]--;
	note(b, o, CHANGE_READ);
	h->m.is_read = true;
	h->m.read_ms = b->now_ms;
	struct buf *out = batch_update(b);
	begin_update(out, "is_read=1,read_at=");
	sql_time(out, b->now_ms);
	end_update(b, out, o->id);
	return end_with(o, true);
}

/* ---- recall ---- */

static void append_recall(struct batch *b, const struct conv *c, int side)
{
	struct buf *out = &b->insert_recalls;
	buf_append(out, out->len != 0 ? ",(" : "(", out->len != 0 ? 2 : 1);
	sql_str(out, conv_user(c, side));
	buf_append_char(out, ',');
	sql_time(out, b->active_ms);
	buf_append_char(out, ',');
	sql_u64(out, c->id);
	buf_append_char(out, ')');
}

static enum op_verdict recall_plan(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	int side;
	enum op_verdict verdict;
	if (!find_message(b, o, &side, &verdict))
		return verdict;
	struct held *h = o->held;
	struct conv *c = op_conv(op);
	if (!is_sender(o))
		return end(op, STORE_NOT_SENDER);
	if (h->m.is_recalled)
		return end_standing(b, o, op->uncertain && h->m.recalled_ms == o->at_ms);
	if (op->settling)
		return end(op, STORE_UNAVAILABLE);
	if (b->now_ms - h->m.created_ms > (int64_t)b->conf->message.recall_window_secs * 1000)
		return end(op, STORE_RECALL_EXPIRED);
	if (counts_as_unread(h))
		c->unread[1 - side]--;
	note(b, o, CHANGE_RECALLED);
	append_recall(b, c, 0);
	append_recall(b, c, 1);
	h->m.is_recalled = true;
	h->m.recalled_ms = b->now_ms;
	h->m.content = h->m.media_url = h->m.extra = STR_NULL;
	struct buf *out = batch_update(b);
	begin_update(out, "is_recalled=1,content=NULL,media_url=NULL,extra=NULL,recalled_at=");
	sql_time(out, b->now_ms);
	end_update(b, out, o->id);
	return end_with(o, true);
}

/* ---- delete ---- */

static void delete_enter(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	change_enter(b, op);
	o->newest_before[0] = 0;
	/* Only where it is the newest that the user sees: then another one takes its place. */
	struct buf *out = batch_ask(b, o->newest_before);
	sql_lit(out, "SELECT m.id,0 FROM conversations c JOIN messages m ON m.id>c.id<<28 AND m.id<");
	sql_u64(out, o->id);
	sql_lit(out, " WHERE c.id=");
	sql_u64(out, message_id_conversation(o->id));
	sql_lit(out, " AND IF(c.user1_id=");
	sql_str(out, o->user);
	sql_lit(out, ",c.user1_last_id,c.user2_last_id)=");
	sql_u64(out, o->id);
	sql_lit(out, " AND IF(m.from_user_id=");
	sql_str(out, o->user);
	sql_lit(out, ",m.deleted_by_sender,m.deleted_by_recipient)=0 ORDER BY m.id DESC LIMIT 1");
}

static enum op_verdict delete_plan(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	int side;
	enum op_verdict verdict;
	if (!find_message(b, o, &side, &verdict))
		return verdict;
	struct held *h = o->held;
	struct conv *c = op_conv(op);
	unsigned as = is_sender(o) ? 0 : 1;
	if (h->deleted[as])
		return end_standing(b, o, op->uncertain);
	if (op->settling)
		return end(op, STORE_UNAVAILABLE);
	if (c->deleted_by[side])
		return OP_PUT_OFF; /* newest_before may be what was deleted */
	if (as == 1 && counts_as_unread(h))
		c->unread[side]--;
	if (c->last_id[side] == o->id)
		c->last_id[side] = o->newest_before[0];
	c->deleted_by[side] = true;
	note(b, o, CHANGE_DELETED);
	h->deleted[as] = true;
	struct buf *out = batch_update(b);
	begin_update(out, as == 0 ? "deleted_by_sender=1" : "deleted_by_recipient=1");
	end_update(b, out, o->id);
	return end_with(o, true);
}

/* ---- */

static void change_answer(struct store *s, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	bool done = op->status == STORE_OK;
	/* What it points to was the batch's. */
	if (!done)
		o->message.content = o->message.media_url = o->message.extra = o->message.client_msg_id = STR_NULL;
	const struct store_change r = {
		.status = op->status,
		.changed = done && o->changed,
		.change_seq = done ? o->change_seq : 0,
		.message = done || op->status == STORE_UNKNOWN ? &o->message : NULL,
	};
	o->fn(&r, o->arg);
}

static void submit(struct store *s, const struct op_class *class, struct str user, uint64_t id, store_change_fn *fn,
		   void *arg)
{
	char *tail;
	struct op_change *o = op_new(class, sizeof(*o), user.len, &tail);
	o->fn = fn;
	o->arg = arg;
	o->user = op_keep(&tail, user);
	o->id = id;
	uint64_t conversation_id = message_id_conversation(id);
	if (!id_user_valid(user) || conversation_id == 0 || conversation_id > CONVERSATION_ID_MAX ||
	    message_id_seq(id) == 0)
		lane_refuse(s->lane, &o->op, STORE_NOT_FOUND);
	else
		lane_submit(s->lane, &o->op);
}

void store_read_message(struct store *s, struct str user, uint64_t id, store_change_fn *fn, void *arg)
{
	static const struct op_class class = {.name = "read of a message",
					      .enter = change_enter,
					      .plan = read_plan,
					      .answer = change_answer,
					      .tells = true};
	submit(s, &class, user, id, fn, arg);
}

void store_recall(struct store *s, struct str user, uint64_t id, store_change_fn *fn, void *arg)
{
	static const struct op_class class = {
		.name = "recall", .enter = change_enter, .plan = recall_plan, .answer = change_answer, .tells = true};
	submit(s, &class, user, id, fn, arg);
}

void store_delete(struct store *s, struct str user, uint64_t id, store_change_fn *fn, void *arg)
{
	static const struct op_class class = {
		.name = "delete", .enter = delete_enter, .plan = delete_plan, .answer = change_answer, .tells = true};
	submit(s, &class, user, id, fn, arg);
}
