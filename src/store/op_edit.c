/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Editing a message: its text, formatting and mentions, by its sender, who must still be allowed to write there. What
 * counts as unread does not change by it.
 */
#include "core/base.h"
#include "store/op_change.h"

#include "store/mention.h"
#include "store/sql.h"

struct op_edit {
	struct op_change change;
	struct store_edit p;
	char *mentions; /* room for the array that is stored */
	struct conv_edit check;
};

static struct op_edit *edit_of(struct op *op)
{
	return container_of(op, struct op_edit, change.op);
}

static struct mention_list list_of(const struct store_edit *p)
{
	return (struct mention_list){p->mention, p->mention_count, p->mentions_all};
}

static void edit_enter(struct batch *b, struct op *op)
{
	struct op_edit *e = edit_of(op);
	change_enter(b, op);
	for (size_t i = 0; i < e->p.mention_count; i++)
		batch_ask_member(b, op->conv, e->p.mention[i]);
	e->check = (struct conv_edit){.p = &e->p};
	if (op->conv->kind->ask_edit != NULL)
		op->conv->kind->ask_edit(b, op->conv, &e->check);
}

static void write_edit(struct batch *b, struct op_edit *e)
{
	struct message *m = &e->change.held->m;
	struct mention_list list = list_of(&e->p);
	struct str before = m->mentions;
	change_note(b, &e->change, CHANGE_EDITED);
	e->change.held->edited = true;
	/* Later operations of the batch may outlive this one. */
	m->content = arena_str(&b->arena, e->p.content);
	m->entities = arena_str(&b->arena, e->p.entities);
	m->edited_ms = b->now_ms;
	mention_note(b, &list, before, e->mentions, e->change.by, m);
	m->mentions = arena_str(&b->arena, m->mentions);
	e->change.by->conv->kind->edited(b, e->change.by);
	struct buf *out = batch_update(b);
	change_begin_update(out, "content=");
	sql_str(out, m->content);
	sql_lit(out, ",entities=");
	sql_str(out, m->entities);
	sql_lit(out, ",mentions=");
	sql_str(out, m->mentions);
	sql_lit(out, ",edited_at=");
	sql_time(out, m->edited_ms);
	change_end_update(b, out, m->id);
	mention_forget(b, before, e->change.by, m);
}

/* Those of the list who are in the conversation are those who are stored. */
static bool same_mentions(struct batch *b, const struct op_edit *e, struct str stored)
{
	size_t at = 0;
	struct str next = mention_next(stored, &at);
	if (e->p.mentions_all)
		return next.s != NULL && str_is(next, "*");
	for (size_t i = 0; i < e->p.mention_count; i++) {
		if (conv_member(b, e->change.by->conv, e->p.mention[i]) == NULL)
			continue;
		if (next.s == NULL || !str_equal(next, e->p.mention[i]))
			return false;
		next = mention_next(stored, &at);
	}
	return next.s == NULL;
}

static bool is_same(struct batch *b, const struct op_edit *e)
{
	const struct message *m = &e->change.held->m;
	bool same_content = str_equal(e->p.content, m->content) || (e->p.content.len == 0 && m->content.len == 0);
	return same_content && str_equal(e->p.entities, m->entities) && same_mentions(b, e, m->mentions);
}

static enum op_verdict edit_plan(struct batch *b, struct op *op)
{
	struct op_edit *e = edit_of(op);
	struct op_change *o = &e->change;
	enum op_verdict verdict;
	if (!change_find_message(b, o, &verdict))
		return verdict;
	/* The rows of its mentions are deleted and inserted by lists, which have no order. */
	if (o->held->edited)
		return OP_PUT_OFF;
	const struct message *m = &o->held->m;
	if (m->type == MESSAGE_SYSTEM)
		return change_end(op, STORE_ROLE);
	if (!change_is_sender(o))
		return change_end(op, STORE_NOT_SENDER);
	if (m->is_recalled)
		return change_end(op, STORE_RECALLED);
	if (is_same(b, e))
		return change_end_standing(b, o, op->uncertain && m->edited_ms == o->at_ms);
	if (op->settling)
		return change_end(op, STORE_UNAVAILABLE);
	if (b->now_ms - m->created_ms > (int64_t)b->conf->message.edit_window_secs * 1000)
		return change_end(op, STORE_EDIT_EXPIRED);
	if (m->type == MESSAGE_TEXT && e->p.content.len == 0)
		return change_end(op, STORE_NO_TEXT);
	enum store_status may = o->by->conv->kind->check_edit(b, o->by, &e->check);
	if (may != STORE_OK)
		return change_end(op, may);
	write_edit(b, e);
	return change_end_with(o, true);
}

void lane_edit(struct lane *l, const struct store_edit *p, enum lane_past past, store_change_fn *fn, void *arg)
{
	static const struct op_class class = {
		.name = "edit", .enter = edit_enter, .plan = edit_plan, .answer = change_answer, .tells = true};
	struct str mention[STORE_MENTIONS_MAX];
	struct mention_list list = list_of(p);
	size_t n = mention_keep(&list, mention), room = mention_room(mention, n);
	char *tail;
	struct op_edit *e =
		op_new(&class, sizeof(*e),
		       n * sizeof(mention[0]) + p->user.len + p->content.len + p->entities.len + 2 * room, &tail);
	struct str *kept = (struct str *)(void *)tail;
	tail += n * sizeof(*kept);
	for (size_t i = 0; i < n; i++)
		kept[i] = op_keep(&tail, mention[i]);
	e->mentions = tail;
	tail += room;
	e->p = (struct store_edit){
		.user = op_keep(&tail, p->user),
		.id = p->id,
		.content = op_keep(&tail, p->content),
		.entities = op_keep(&tail, p->entities),
		.mention = kept,
		.mention_count = n,
		.mentions_all = p->mentions_all,
	};
	e->change.op.bytes += n * MENTION_BYTES;
	change_submit(l, &e->change, e->p.user, p->id, past, fn, arg);
}
