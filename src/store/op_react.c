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
	bool wants_first; /* another takes the place of one who is shown: was not asked for at first */
	struct str first; /* those who reacted so, in order, where that was asked */
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

static void put_key(struct buf *out, const struct op_change *o)
{
	buf_append_str(out, out->len != 0 ? STR_LIT(",(") : STR_LIT("("));
	sql_u64(out, o->p.id);
	buf_append_char(out, ',');
	sql_str(out, o->p.user);
	buf_append_char(out, ',');
	sql_str(out, o->p.emoji);
	buf_append_char(out, ')');
}

static void ask_first(struct batch *b, struct op_react *r)
{
	const struct op_change *o = &r->change;
	r->first = STR_NULL;
	struct buf *out = batch_ask_text(b, &r->first);
	sql_lit(out,
		"SELECT GROUP_CONCAT(user_id ORDER BY n) FROM (SELECT user_id,n FROM reactions FORCE INDEX (by_emoji) "
		"WHERE message_id=");
	sql_u64(out, o->p.id);
	sql_lit(out, " AND emoji=");
	sql_str(out, o->p.emoji);
	buf_printf(out, " ORDER BY n LIMIT %d) first", REACTION_USERS_SHOWN + 1);
}

static void react_enter(struct batch *b, struct op *op)
{
	struct op_react *r = react_of(op);
	struct op_change *o = &r->change;
	change_enter(b, op);
	change_ask_deleted(b, o);
	put_key(&b->ask_reactions, o);
	if (adds(o))
		change_ask_may(b, o);
	else if (r->wants_first)
		ask_first(b, r);
}

void react_put_asks(struct batch *b)
{
	if (b->ask_reactions.len == 0)
		return;
	struct buf *text = batch_begin_stmt(b, STMT_REACTIONS, NULL);
	sql_lit(text, "SELECT message_id,n,user_id,emoji FROM reactions FORCE INDEX (PRIMARY) WHERE "
		      "(message_id,user_id,emoji) IN (");
	buf_append(text, b->ask_reactions.data, b->ask_reactions.len);
	buf_append_char(text, ')');
}

void react_row(struct batch *b, struct row *row)
{
	struct reacted *r = arena_alloc(&b->arena, sizeof(*r));
	r->message_id = row_take_u64(row);
	r->n = row_take_u64(row);
	r->user = arena_str(&b->arena, row_take_str(row));
	r->emoji = arena_str(&b->arena, row_take_str(row));
	r->next = b->reactions;
	b->reactions = r;
}

/* The n of the user's own of that emoji; 0: there is none. */
static uint64_t own_n(const struct batch *b, const struct op_change *o)
{
	for (const struct reacted *r = b->reactions; r != NULL; r = r->next)
		if (r->message_id == o->p.id && str_equal(r->user, o->p.user) && str_equal(r->emoji, o->p.emoji))
			return r->n;
	return 0;
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

/* One who is shown goes, and there are others. */
static bool needs_first(const struct op_react *r)
{
	const struct op_change *o = &r->change;
	const struct reaction now = reactions_find(o->held->m.reactions, o->p.emoji);
	return !adds(o) && !r->wants_first && now.count > REACTION_USERS_SHOWN && reaction_shows(&now, o->p.user);
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
	batch_note_told_user(b, &o->op, o->p.user);
	batch_note_told_text(b, adds(o) ? '+' : '-', o->p.emoji);
	if (adds(o)) {
		now = reaction_added(&b->arena, &now, o->p.user);
		insert_reaction(b, o);
	} else {
		now = reaction_removed(&b->arena, &now, o->p.user, r->wants_first ? r->first : now.users);
		put_key(&b->unreacted.list, o);
		b->unreacted.count++;
	}
	m->reactions = reactions_with(&b->arena, m->reactions, &now);
}

static void put_changed(struct batch *b, const struct held *h)
{
	struct buf *out = batch_begin_changed(&b->reacted, h->m.id);
	sql_str(out, h->m.reactions);
	buf_append_char(out, ',');
	sql_u64(out, h->react_seq);
	buf_append_char(out, ')');
	batch_put_change(b, h->react_seq, CHANGE_REACTION, h->m.id, h->reactor);
}

/* In place of the entries from before. */
static void put_old_entries(struct batch *b)
{
	struct buf *text = NULL;
	bool first = true;
	for (const struct held *h = b->held; h != NULL; h = h->hh.next) {
		if (!h->reacted || h->stored_seq == 0)
			continue;
		if (text == NULL) {
			text = batch_begin_stmt(b, STMT_PLAIN, NULL);
			sql_lit(text, "DELETE x FROM changes x FORCE INDEX (PRIMARY) WHERE "
				      "(x.conversation_id,x.change_seq) IN (");
		}
		sql_comma(text, &first);
		buf_append_char(text, '(');
		sql_u64(text, message_id_conversation(h->m.id));
		buf_append_char(text, ',');
		sql_u64(text, h->stored_seq);
		buf_append_char(text, ')');
	}
	if (text != NULL)
		buf_append_char(text, ')');
}

void react_put_write(struct batch *b)
{
	static const char *const columns[] = {"reactions", "reaction_seq"};
	if (b->unreacted.count != 0) {
		struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
		sql_lit(text,
			"DELETE x FROM reactions x FORCE INDEX (PRIMARY) WHERE (x.message_id,x.user_id,x.emoji) IN (");
		buf_append(text, b->unreacted.list.data, b->unreacted.list.len);
		buf_append_char(text, ')');
		sql_expect(batch_begin_stmt(b, STMT_PLAIN, NULL), b->unreacted.count);
	}
	for (const struct held *h = b->held; h != NULL; h = h->hh.next)
		if (h->reacted)
			put_changed(b, h);
	batch_put_changed(b, &b->reacted, columns, ARRAY_LEN(columns));
	put_old_entries(b);
}

static enum store_status check_new(struct batch *b, const struct op_change *o)
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
	if (!change_find(b, o, &verdict))
		return verdict;
	if (!o->p.by_operator && !change_knows_deleted(o))
		return OP_PUT_OFF;
	if (!o->p.by_operator && change_is_deleted(o))
		return change_end(op, STORE_NOT_FOUND);
	if (is_out_of_date(b, o))
		return OP_PUT_OFF;
	if (o->held->m.type == MESSAGE_SYSTEM)
		return change_end(op, STORE_ROLE);
	if (o->held->m.is_recalled)
		return change_end(op, STORE_RECALLED);
	uint64_t n = own_n(b, o);
	if ((n != 0) == adds(o))
		return change_end_standing(b, o, op->uncertain && (!adds(o) || n == o->change_seq));
	if (!adds(o) && change_came_back(o, n))
		return change_end_standing(b, o, true);
	if (op->settling)
		return change_end(op, STORE_UNAVAILABLE);
	enum store_status may = adds(o) ? check_new(b, o) : STORE_OK;
	if (may != STORE_OK)
		return change_end(op, may);
	if (needs_first(r)) {
		r->wants_first = true;
		return OP_PUT_OFF;
	}
	write_reaction(b, r);
	return change_end_with(o, true);
}

static const struct op_class react_class = {
	.name = "reaction", .enter = react_enter, .plan = react_plan, .answer = change_answer, .tells = true};
const struct act_info act_react = {&react_class, &react_class, sizeof(struct op_react)};
