/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reacting to a message, and taking that back. Under the lock of the conversation's head the table reactions gets or
 * loses one row, and the message's own summary (reactions.h) follows. What a batch does to one message is written once,
 * and leaves one row in `changes`, in place of the one from before: so a message with ten thousand reactions has one.
 */
#include "core/base.h"
#include "store/op_change.h"

#include "store/reactions.h"
#include "store/sql.h"

struct op_react {
	struct op_change change;
	uint64_t own_n;	  /* of the user's own, such as it is asked; 0: there is none */
	struct str first; /* those who reacted so, in order; ACT_UNREACT */
};

static struct op_react *react_of(struct op *op)
{
	return container_of(op, struct op_react, change.op);
}

static bool adds(const struct op_change *o)
{
	return o->p.act == ACT_REACT;
}

/* ---- what is read ---- */

static void put_of_message(struct buf *out, const struct op_change *o)
{
	sql_lit(out, " WHERE message_id=");
	sql_u64(out, o->p.id);
	sql_lit(out, " AND emoji=");
	sql_str(out, o->p.emoji);
}

static void react_enter(struct batch *b, struct op *op)
{
	struct op_react *r = react_of(op);
	struct op_change *o = &r->change;
	change_enter(b, op);
	change_ask_deleted(b, o);
	if (adds(o))
		change_ask_may(b, o);
	r->own_n = 0;
	struct buf *out = batch_ask(b, &r->own_n);
	sql_lit(out, "SELECT n FROM reactions FORCE INDEX (PRIMARY)");
	put_of_message(out, o);
	sql_lit(out, " AND user_id=");
	sql_str(out, o->p.user);
	if (adds(o))
		return;
	r->first = STR_NULL;
	out = batch_ask_text(b, &r->first);
	sql_lit(out,
		"SELECT GROUP_CONCAT(user_id ORDER BY n) FROM (SELECT user_id,n FROM reactions FORCE INDEX (by_emoji)");
	put_of_message(out, o);
	buf_printf(out, " ORDER BY n LIMIT %d) first", REACTION_USERS_SHOWN + 1);
}

/* ---- what becomes of it ---- */

static const struct op_class react_class;

/* What was read of it may be out of date: an earlier one of this batch has changed the same. */
static bool is_out_of_date(const struct batch *b, const struct op_change *o)
{
	for (unsigned i = 0; b->op[i] != &o->op; i++) {
		const struct op_change *other = container_of(b->op[i], struct op_change, op);
		if (b->op[i]->class == &react_class && b->op[i]->planned && other->p.id == o->p.id &&
		    str_equal(other->p.emoji, o->p.emoji) &&
		    (!adds(o) || !adds(other) || str_equal(other->p.user, o->p.user)))
			return true;
	}
	return false;
}

static void insert_reaction(struct batch *b, const struct op_change *o)
{
	struct buf *out = &b->insert_reactions;
	batch_begin_row(out);
	sql_u64(out, o->p.id);
	buf_append_char(out, ',');
	sql_str(out, o->p.user);
	buf_append_char(out, ',');
	sql_str(out, o->p.emoji);
	buf_append_char(out, ',');
	sql_u64(out, o->change_seq);
	buf_append_char(out, ',');
	sql_time(out, b->now_ms);
	buf_append_char(out, ')');
}

static void delete_reaction(struct batch *b, const struct op_change *o)
{
	struct buf *out = batch_update(b);
	sql_lit(out, "DELETE FROM reactions");
	put_of_message(out, o);
	sql_lit(out, " AND user_id=");
	sql_str(out, o->p.user);
	batch_expect(b, 1);
}

static void write_reaction(struct batch *b, struct op_react *r)
{
	struct op_change *o = &r->change;
	struct message *m = &o->held->m;
	struct reaction now = reactions_find(m->reactions, o->p.emoji);
	o->op.planned = true;
	o->at_ms = b->now_ms;
	o->change_seq = batch_note_reaction(b, op_conv(&o->op), o->held, o->p.user);
	batch_note_told(b, &o->op, OUTBOX_REACTION, o->p.id);
	if (adds(o)) {
		now = reaction_added(&b->arena, &now, o->p.user);
		insert_reaction(b, o);
	} else {
		now = reaction_removed(&b->arena, &now, o->p.user, r->first);
		delete_reaction(b, o);
	}
	m->reactions = reactions_with(&b->arena, m->reactions, &now);
}

static enum store_status check_new(const struct batch *b, const struct op_change *o)
{
	struct str there = o->held->m.reactions;
	enum store_status may = change_may(b, o);
	if (may != STORE_OK)
		return may;
	bool is_first = reactions_find(there, o->p.emoji).count == 0;
	return is_first && reactions_kinds(there) >= REACTION_KINDS_MAX ? STORE_TOO_MANY_KINDS : STORE_OK;
}

static enum op_verdict react_plan(struct batch *b, struct op *op)
{
	struct op_react *r = react_of(op);
	struct op_change *o = &r->change;
	enum op_verdict verdict;
	if (!change_find_message(b, o, &verdict))
		return verdict;
	if (change_is_deleted(o))
		return change_end(op, STORE_NOT_FOUND);
	if (is_out_of_date(b, o))
		return OP_PUT_OFF;
	if (o->held->m.type == MESSAGE_SYSTEM)
		return change_end(op, STORE_ROLE);
	if (o->held->m.is_recalled)
		return change_end(op, STORE_RECALLED);
	if ((r->own_n != 0) == adds(o))
		return change_end_standing(b, o, op->uncertain && (!adds(o) || r->own_n == o->change_seq));
	if (op->settling)
		return change_end(op, STORE_UNAVAILABLE);
	enum store_status may = adds(o) ? check_new(b, o) : STORE_OK;
	if (may != STORE_OK)
		return change_end(op, may);
	write_reaction(b, r);
	return change_end_with(o, true);
}

static const struct op_class react_class = {
	.name = "reaction", .enter = react_enter, .plan = react_plan, .answer = change_answer, .tells = true};
const struct act_info act_react = {&react_class, &react_class, sizeof(struct op_react)};
