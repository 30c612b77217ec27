/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a conversation up to a seq: moves read_seq, writes a read mark, and counts what stays unread. The messages
 * themselves are not touched, whatever was unread: what is after read_seq is unread, but for what was read by itself.
 *
 * To count what stays unread, either the messages that are left are counted or those that are read, whichever are few.
 * Where neither are, the way is gone in steps, one a batch, with what others have sent meanwhile in between. Each step
 * leaves counters and read_seq true.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/lane_priv.h"
#include "store/sql.h"

/*
 * How many seqs are counted through. The first read of a batch may count many, most count a few messages, and all of
 * a full batch together pass over some 12,000 rows.
 */
#define STEP_FIRST 2048
#define STEP_FEW 256
#define FEW 8
#define STEP 32

/* Messages that are not read, and how many of them count as unread. */
enum { UNMARKED, UNREAD };

struct op_read {
	struct op op;
	store_read_fn *fn;
	void *arg;
	struct str user;
	uint64_t conversation_id;
	uint64_t up_to_seq;  /* as asked; as taken, once it was planned, so that each step takes the same */
	uint64_t step;	     /* at most, in this batch */
	uint64_t counted[2]; /* of those that are left, where they are few, else of the step; see below */
	/* The last step that was planned; 0: none, or it is counted in the result. */
	uint64_t step_to, step_marked;
	struct store_read result; /* of the steps that have committed */
};

/* How far the messages that are left may reach to be counted, and so all be read at once. */
static void put_is_near_end(struct buf *out, const struct op_read *o)
{
	sql_lit(out, "c.last_seq<=");
	sql_u64(out, o->up_to_seq + o->step);
}

static bool is_near_end(const struct op_read *o, const struct conv *c)
{
	return c->stored_seq <= o->up_to_seq + o->step;
}

static void read_enter(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	op->conv = batch_conv_by_id(b, o->conversation_id);
	o->counted[UNMARKED] = o->counted[UNREAD] = 0;
	o->step = b->reads == 0 ? STEP_FIRST : b->reads < FEW ? STEP_FEW : STEP;
	b->reads++;
	struct buf *out = batch_ask(b, o->counted);
	sql_lit(out, "SELECT COUNT(*),SUM(m.is_recalled=0 AND m.deleted_by_recipient=0) FROM (SELECT c.id,IF(");
	put_is_near_end(out, o);
	sql_lit(out, ",GREATEST(c.read_seq,");
	sql_u64(out, o->up_to_seq);
	sql_lit(out, "),c.read_seq) AS after_seq,IF(");
	put_is_near_end(out, o);
	sql_lit(out, ",c.last_seq,LEAST(c.read_seq+");
	sql_u64(out, o->step);
	buf_append_char(out, ',');
	sql_u64(out, o->up_to_seq);
	sql_lit(out, ")) AS to_seq FROM (SELECT id,last_seq,IF(user1_id=");
	sql_str(out, o->user);
	sql_lit(out, ",user1_read_seq,user2_read_seq) AS read_seq FROM conversations WHERE id=");
	sql_u64(out, o->conversation_id);
	sql_lit(out, ") c) c JOIN messages m ON m.id>(c.id<<28)+c.after_seq AND m.id<=(c.id<<28)+c.to_seq "
		     "WHERE m.to_user_id=");
	sql_str(out, o->user);
	sql_lit(out, " AND m.read_at IS NULL");
}

static void append_mark(struct batch *b, const struct op_read *o)
{
	struct buf *out = &b->insert_marks;
	buf_append(out, out->len != 0 ? ",(" : "(", out->len != 0 ? 2 : 1);
	sql_u64(out, o->conversation_id);
	buf_append_char(out, ',');
	sql_str(out, o->user);
	buf_append_char(out, ',');
	sql_u64(out, o->step_to);
	buf_append_char(out, ',');
	sql_time(out, b->now_ms);
	buf_append_char(out, ')');
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
	uint64_t before = c->unread[side] + c->dead[side];
	uint64_t dead = o->counted[UNMARKED] - o->counted[UNREAD];
	/* Messages of this batch are in the database only later. */
	if (is_near_end(o, c)) {
		o->step_to = o->up_to_seq;
		c->dead[side] = dead;
		c->unread[side] = o->counted[UNREAD] + op_send_count(b, c, o->user, c->last_seq) -
				  op_send_count(b, c, o->user, o->step_to);
	} else {
		uint64_t to = c->read_seq[side] + o->step;
		o->step_to = to < o->up_to_seq ? to : o->up_to_seq;
		c->dead[side] = conv_less(c->dead[side], dead);
		c->unread[side] =
			conv_less(c->unread[side], o->counted[UNREAD] + op_send_count(b, c, o->user, o->step_to));
	}
	o->step_marked = conv_less(before, c->unread[side] + c->dead[side]);
	o->result.read_ms = b->now_ms;
	c->read_seq[side] = o->step_to;
	c->dirty = c->read_by[side] = o->op.planned = true;
	append_mark(b, o);
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
		lane_submit(s->lane, &o->op, op_key_of_id(&conversation_id));
}
