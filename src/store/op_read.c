/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a conversation up to a seq: marks the messages to the reader, moves read_seq, and counts what stays unread.
 *
 * A step marks a bounded number of messages, whatever is unread; a longer way is gone in a step a batch, with what
 * others have sent meanwhile in between. Each step leaves counters and read_seq true.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/lane_priv.h"
#include "store/sql.h"

/*
 * How many seqs a step moves read_seq. The first read of a batch may go far, most read a few messages, and all of
 * a full batch together pass over some 12,000 rows.
 */
#define STEP_FIRST 2048
#define STEP_FEW 256
#define FEW 8
#define STEP 32

enum { MARKED, COUNTED };

struct op_read {
	struct op op;
	store_read_fn *fn;
	void *arg;
	struct str user;
	uint64_t conversation_id;
	uint64_t up_to_seq; /* as asked; as taken, once it was planned, so that each step takes the same */
	uint64_t step;	    /* at most, in this batch */
	uint64_t found[2];  /* rows that become read, and how many of them the counter counts */
	/* The last step that was planned; 0: none, or it is counted in the result. */
	uint64_t step_to, step_marked;
	struct store_read result; /* of the steps that have committed */
};

static void read_enter(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	op->conv = batch_conv_by_id(b, o->conversation_id);
	o->found[MARKED] = o->found[COUNTED] = 0;
	o->step = b->reads == 0 ? STEP_FIRST : b->reads < FEW ? STEP_FEW : STEP;
	b->reads++;
	/* Only what is after read_seq can be unread. */
	struct buf *out = batch_ask(b, o->found);
	sql_lit(out, "SELECT COUNT(*),SUM(m.is_recalled=0 AND m.deleted_by_recipient=0) FROM (SELECT "
		     "id,last_seq,IF(user1_id=");
	sql_str(out, o->user);
	sql_lit(out, ",user1_read_seq,user2_read_seq) AS read_seq FROM conversations WHERE id=");
	sql_u64(out, o->conversation_id);
	sql_lit(out, ") c JOIN messages m ON m.id>(c.id<<28)+c.read_seq AND m.id<=(c.id<<28)+LEAST(c.last_seq,");
	sql_u64(out, o->up_to_seq);
	sql_lit(out, ",c.read_seq+");
	sql_u64(out, o->step);
	sql_lit(out, ") WHERE m.to_user_id=");
	sql_str(out, o->user);
	sql_lit(out, " AND m.is_read=0");
}

static void append_update(struct batch *b, const struct op_read *o, const struct conv *c, uint64_t after_seq)
{
	struct buf *out = batch_update(b);
	sql_lit(out, "UPDATE messages FORCE INDEX (PRIMARY) SET is_read=1,read_at=");
	sql_time(out, b->now_ms);
	sql_lit(out, " WHERE id>");
	sql_u64(out, message_id_make(c->id, after_seq));
	sql_lit(out, " AND id<=");
	sql_u64(out, message_id_make(c->id, o->step_to));
	sql_lit(out, " AND to_user_id=");
	sql_str(out, o->user);
	sql_lit(out, " AND is_read=0");
	batch_expect(b, o->step_marked);
}

/* The planned step has committed. */
static void read_step(struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	if (o->step_to == 0)
		return;
	o->result.changed = true;
	o->result.read_seq = o->result.up_to_seq = o->step_to;
	o->result.marked += o->step_marked;
	o->step_to = o->step_marked = 0;
}

static void plan_step(struct batch *b, struct op_read *o, struct conv *c, int side)
{
	uint64_t old_seq = c->read_seq[side];
	o->step_to = old_seq + o->step < o->up_to_seq ? old_seq + o->step : o->up_to_seq;
	/* Messages of this batch, which the database could not count yet. */
	uint64_t just_sent = op_send_count(b, c, o->user, o->step_to);
	o->step_marked = o->found[MARKED] + just_sent;
	o->result.read_ms = b->now_ms;
	conv_less_unread(c, side, o->found[COUNTED] + just_sent);
	c->read_seq[side] = o->step_to;
	c->dirty = c->read_by[side] = o->op.planned = true;
	if (o->step_marked != 0)
		append_update(b, o, c, old_seq);
	o->op.more = o->step_to < o->up_to_seq;
}

static enum op_verdict read_plan(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	struct conv *c = op_conv(op);
	int side = c->locked ? conv_side(c, o->user) : -1;
	if (side < 0) {
		op->status = STORE_NOT_FOUND;
		return OP_PLANNED;
	}
	/* What was counted under the locks has to be true still. */
	if (c->changed)
		return OP_PUT_OFF;
	/* A step whose outcome was not told. */
	if (op->uncertain && o->step_to != 0 && c->read_seq[side] >= o->step_to)
		read_step(op);
	o->step_to = o->step_marked = 0;
	if (o->up_to_seq > c->last_seq)
		o->up_to_seq = c->last_seq;
	struct str peer = conv_user(c, 1 - side);
	memcpy(o->result.peer, peer.s, peer.len);
	o->result.peer[peer.len] = '\0';
	op->status = STORE_OK;
	o->result.read_seq = c->read_seq[side];
	if (c->read_seq[side] >= o->up_to_seq)
		b->standing = true;
	else if (op->settling)
		op->status = STORE_UNAVAILABLE;
	else if (c->read_by[side])
		op->more = true; /* not put off: many of a long conversation would be before all others each time */
	else
		plan_step(b, o, c, side);
	o->result.unread = c->unread[side];
	return OP_PLANNED;
}

static void read_answer(struct store *s, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	struct store_read *r = &o->result;
	r->status = op->status;
	r->conversation_id = o->conversation_id;
	if (op->status == STORE_OK) {
		read_step(op);
		r->up_to_seq = o->up_to_seq;
	}
	o->fn(r, o->arg);
}

static const struct op_class read_class = {
	.name = "read of a conversation",
	.enter = read_enter,
	.plan = read_plan,
	.step = read_step,
	.answer = read_answer,
	.tells = true,
};

void store_read_conversation(struct store *s, struct str user, uint64_t conversation_id, uint64_t up_to_seq,
			     store_read_fn *fn, void *arg)
{
	char *tail;
	struct op_read *o = op_new(&read_class, sizeof(*o), user.len, &tail);
	o->fn = fn;
	o->arg = arg;
	o->user = op_keep(&tail, user);
	o->conversation_id = conversation_id;
	o->up_to_seq = up_to_seq < MESSAGE_SEQ_MAX ? up_to_seq : MESSAGE_SEQ_MAX;
	if (!id_user_valid(user) || conversation_id == 0 || conversation_id > CONVERSATION_ID_MAX)
		lane_refuse(s->lane, &o->op, STORE_NOT_FOUND);
	else
		lane_submit(s->lane, &o->op);
}
