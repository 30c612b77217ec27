/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a conversation up to a seq: marks the messages to the reader, moves read_seq, and counts what stays unread.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/lane_priv.h"
#include "store/sql.h"

enum { MARKED, COUNTED };

struct op_read {
	struct op op;
	store_read_fn *fn;
	void *arg;
	struct str user;
	uint64_t conversation_id;
	uint64_t up_to_seq; /* as asked; as taken, once it was planned, so that another try takes the same */
	uint64_t found[2];  /* rows that become read, and how many of them the counter counts */
	struct store_read result;
};

static void read_enter(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	op->conv = batch_conv_by_id(b, o->conversation_id);
	o->found[MARKED] = o->found[COUNTED] = 0;
	/* Only what is after read_seq can be unread. */
	struct buf *out = batch_ask(b, o->found);
	sql_lit(out, "SELECT COUNT(*),SUM(m.is_recalled=0 AND m.deleted_by_recipient=0) FROM conversations c "
		     "JOIN messages m ON m.id>(c.id<<28)+IF(c.user1_id=");
	sql_str(out, o->user);
	sql_lit(out, ",c.user1_read_seq,c.user2_read_seq) AND m.id<=(c.id<<28)+LEAST(c.last_seq,");
	sql_u64(out, o->up_to_seq);
	sql_lit(out, ") WHERE c.id=");
	sql_u64(out, o->conversation_id);
	sql_lit(out, " AND m.to_user_id=");
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
	sql_u64(out, message_id_make(c->id, o->result.read_seq));
	sql_lit(out, " AND to_user_id=");
	sql_str(out, o->user);
	sql_lit(out, " AND is_read=0");
	batch_expect(b, o->result.marked);
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
	if (c->changed || c->read_by[side])
		return OP_PUT_OFF;
	uint64_t old_seq = c->read_seq[side];
	uint64_t up_to_seq = o->up_to_seq < c->last_seq ? o->up_to_seq : c->last_seq;
	op->status = STORE_OK;
	if (up_to_seq <= old_seq) {
		b->standing = true;
		if (op->uncertain && o->result.changed && o->result.up_to_seq == up_to_seq) {
			o->result.unread =
				c->unread[side]; /* it was this op, in a try whose outcome it did not learn */
			return OP_PLANNED;
		}
	}
	o->up_to_seq = up_to_seq;
	o->result = (struct store_read){
		.status = STORE_OK,
		.changed = up_to_seq > old_seq,
		.conversation_id = c->id,
		.read_seq = up_to_seq > old_seq ? up_to_seq : old_seq,
		.up_to_seq = up_to_seq,
		.read_ms = b->now_ms,
	};
	struct str peer = conv_user(c, 1 - side);
	memcpy(o->result.peer, peer.s, peer.len);
	if (o->result.changed) {
		/* Messages of this batch, which the database could not count yet. */
		uint64_t just_sent = op_send_count(b, c, o->user, up_to_seq);
		o->result.marked = o->found[MARKED] + just_sent;
		c->unread[side] -= o->found[COUNTED] + just_sent;
		c->read_seq[side] = up_to_seq;
		c->dirty = c->read_by[side] = op->planned = true;
		if (o->result.marked != 0)
			append_update(b, o, c, old_seq);
	}
	o->result.unread = c->unread[side];
	return OP_PLANNED;
}

static void read_answer(struct store *s, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	const struct store_read failed = {.status = op->status};
	o->fn(op->status == STORE_OK ? &o->result : &failed, o->arg);
}

static const struct op_class read_class = {
	.name = "read of a conversation",
	.enter = read_enter,
	.plan = read_plan,
	.answer = read_answer,
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
