/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a conversation up to a seq, and reading a direct one (a group: op_read_group.c): moves read_seq, writes a
 * read mark, and counts what stays unread. The messages themselves are not touched: what is after
 * read_seq is unread, but for what was read by itself.
 *
 * To count what stays unread, either the messages that are left are counted or those that are read, whichever are few.
 * Where neither are, the way is gone in steps, one a batch, with what others have sent meanwhile in between. Each step
 * leaves counters and read_seq true.
 */
#include "core/base.h"
#include "store/op_read.h"

#include "store/sql.h"

/*
 * How many seqs are counted through. The first read of a batch may count many, most count a few messages, and all of
 * a full batch together pass over some 12,000 rows.
 */
#define STEP_FIRST 2048
#define STEP_FEW 256
#define FEW 8
#define STEP 32

/* How far the messages that are left may reach to be counted, and so all be read at once. */
static void put_is_near_end(struct buf *out, const struct op_read *o)
{
	sql_lit(out, "c.last_seq<=");
	sql_u64(out, o->up_to_seq + o->step);
}

bool read_is_near_end(const struct op_read *o, const struct conv *c)
{
	return c->stored_seq <= o->up_to_seq + o->step;
}

static void put_of_side(struct buf *out, const struct op_read *o, const char *column)
{
	sql_lit(out, "IF(user1_id=");
	sql_str(out, o->user);
	buf_printf(out, ",user1_%s,user2_%s)", column, column);
}

/* What has been cleared does not count as unread. */
void read_ask_counts(struct batch *b, struct op_read *o)
{
	o->counted[READ_UNMARKED] = o->counted[READ_UNREAD] = 0;
	o->step = b->reads == 0 ? STEP_FIRST : b->reads < FEW ? STEP_FEW : STEP;
	b->reads++;
	struct buf *out = batch_ask(b, o->counted);
	sql_lit(out,
		"SELECT COUNT(*),SUM(m.is_recalled=0 AND m.deleted_by_recipient=0 AND m.id>=(c.id<<28)+c.first_seq) "
		"FROM (SELECT c.id,c.first_seq,IF(");
	put_is_near_end(out, o);
	sql_lit(out, ",GREATEST(c.read_seq,");
	sql_u64(out, o->up_to_seq);
	sql_lit(out, "),c.read_seq) AS after_seq,IF(");
	put_is_near_end(out, o);
	sql_lit(out, ",c.last_seq,LEAST(c.read_seq+");
	sql_u64(out, o->step);
	buf_append_char(out, ',');
	sql_u64(out, o->up_to_seq);
	sql_lit(out, ")) AS to_seq FROM (SELECT id,last_seq,GREATEST(COALESCE(");
	put_of_side(out, o, "first_seq");
	sql_lit(out, ",1),kept_seq) AS first_seq,GREATEST(");
	put_of_side(out, o, "read_seq");
	sql_lit(out, ",kept_seq-1");
	if (o->clears) {
		sql_lit(out, ",COALESCE(");
		put_of_side(out, o, "first_seq");
		sql_lit(out, ",1)-1");
	}
	sql_lit(out, ") AS read_seq FROM conversations WHERE id=");
	sql_u64(out, o->conversation_id);
	sql_lit(out, ") c) c JOIN messages m ON m.id>(c.id<<28)+c.after_seq AND m.id<=(c.id<<28)+c.to_seq "
		     "WHERE m.to_user_id=");
	sql_str(out, o->user);
	sql_lit(out, " AND m.read_at IS NULL");
}

static void read_enter(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	op->conv = batch_conv_by_id(b, o->conversation_id, true);
	read_ask_counts(b, o);
}

/* The planned step has committed. */
void read_step(struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	if (o->step_to == 0)
		return;
	o->result.changed = true;
	o->result.read_seq = o->result.up_to_seq = o->step_to;
	o->result.marked += o->step_marked;
	o->step_to = o->step_marked = 0;
}

static void plan_step(struct batch *b, struct op_read *o, struct member *m)
{
	struct conv *c = m->conv;
	uint64_t before = m->unread + m->dead;
	uint64_t dead = o->counted[READ_UNMARKED] - o->counted[READ_UNREAD];
	/* Messages of this batch are in the database only later. */
	if (read_is_near_end(o, c)) {
		o->step_to = o->up_to_seq;
		m->dead = dead;
		m->unread = o->counted[READ_UNREAD] + batch_sent_by_others(b, c, o->user, c->last_seq) -
			    batch_sent_by_others(b, c, o->user, o->step_to);
	} else {
		/* What is not kept is read at one step. */
		uint64_t to = unread_after(m->read_seq, c->kept_seq) + o->step;
		o->step_to = to < o->up_to_seq ? to : o->up_to_seq;
		m->dead = conv_less(m->dead, dead);
		m->unread =
			conv_less(m->unread, o->counted[READ_UNREAD] + batch_sent_by_others(b, c, o->user, o->step_to));
	}
	o->step_marked = conv_less(before, m->unread + m->dead);
	o->result.read_ms = b->now_ms;
	m->read_seq = o->step_to;
	m->moved = c->dirty = c->read = o->op.planned = true;
	batch_note_mark(b, c->id, o->user, o->step_to);
	batch_note_told(b, &o->op, OUTBOX_READ, message_id_make(c->id, o->step_to));
	batch_note_told_user(b, &o->op, o->user);
	o->op.more = o->step_to < o->up_to_seq;
}

bool read_was_done(const struct op_read *o, const struct member *m)
{
	return o->op.uncertain && o->step_to != 0 && m->read_seq >= o->step_to;
}

void read_begin(struct op_read *o, const struct member *m)
{
	if (read_was_done(o, m))
		read_step(&o->op);
	o->step_to = o->step_marked = 0;
	o->op.status = STORE_OK;
	o->result.read_seq = m->read_seq;
}

void read_unmark(struct batch *b, struct op_read *o, struct member *m)
{
	if (o->op.settling || !conv_unmark(b, m))
		return;
	/* It stays so in later tries: one of unknown outcome may have done it. */
	o->result.unmarked = o->op.planned = true;
	batch_note_told_user(b, &o->op, m->user);
}

static enum op_verdict read_plan(struct batch *b, struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	struct conv *c = op_conv(op);
	struct member *m = c->locked ? conv_member(b, c, o->user) : NULL;
	if (m == NULL) {
		op->status = STORE_NOT_FOUND;
		return OP_PLANNED;
	}
	/* What was counted under the locks has to be true still. */
	if (c->changed)
		return OP_PUT_OFF;
	read_begin(o, m);
	if (o->up_to_seq > c->last_seq)
		o->up_to_seq = c->last_seq;
	struct str peer = conv_peer(m)->user;
	memcpy(o->result.peer, peer.s, peer.len);
	o->result.peer[peer.len] = '\0';
	read_unmark(b, o, m);
	if (m->read_seq >= o->up_to_seq) {
		b->standing = true;
		/* Perhaps by the process that had it, and others were not told. */
		if (op->inherited && !o->result.changed)
			op->status = STORE_UNKNOWN;
	} else if (op->settling)
		op->status = STORE_UNAVAILABLE;
	else if (m->moved)
		op->more = true; /* not put off: many of a long conversation would be before all others each time */
	else
		plan_step(b, o, m);
	o->result.unread = m->unread;
	return OP_PLANNED;
}

void read_answer(struct op *op)
{
	struct op_read *o = container_of(op, struct op_read, op);
	struct lane_read r = {.counts = op->status == STORE_OK && o->counts};
	o->result.status = op->status;
	o->result.conversation_id = o->conversation_id;
	if (op->status == STORE_OK) {
		read_step(op);
		o->result.up_to_seq = o->up_to_seq;
	}
	r.r = o->result;
	if (r.counts) {
		r.was_seq = o->count.read_seq;
		r.last_seq = o->count.last_seq;
		r.uncounted_seq = o->count.uncounted_seq;
		r.deleted_seq = o->count.deleted_seq;
	}
	o->fn(&r, o->arg);
}

static const struct op_class read_class = {
	.name = "read of a conversation",
	.enter = read_enter,
	.plan = read_plan,
	.step = read_step,
	.answer = read_answer,
	.tells = true,
};

void lane_read_conversation(struct lane *l, struct str user, uint64_t conversation_id, uint64_t up_to_seq, bool clears,
			    enum lane_past past, lane_read_fn *fn, void *arg)
{
	char *tail;
	bool is_group = conversation_is_group(conversation_id);
	const struct op_class *class = clears	  ? (is_group ? &clear_group_class : &clear_class)
				       : is_group ? &read_group_class
						  : &read_class;
	struct op_read *o = op_new(class, sizeof(*o), user.len, &tail);
	o->fn = fn;
	o->arg = arg;
	o->user = op_keep(&tail, user);
	o->conversation_id = conversation_id;
	o->clears = clears;
	o->up_to_seq = up_to_seq < MESSAGE_SEQ_MAX ? up_to_seq : MESSAGE_SEQ_MAX;
	if (!id_user_valid(user) || conversation_id == 0 || conversation_id > CONVERSATION_ID_MAX)
		lane_refuse(l, &o->op, STORE_NOT_FOUND);
	else
		lane_submit(l, &o->op, past, op_key_of_id(&conversation_id));
}
