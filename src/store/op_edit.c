/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Editing a message: its text, formatting and mentions, by its sender, who must still be allowed to write there. What
 * counts as unread does not change by it.
 */
#include "core/base.h"
#include "store/op_change.h"

#include "store/mention.h"
#include "store/sql.h"

static struct mention_list list_of(const struct store_act *p)
{
	return (struct mention_list){p->mention, p->mention_count, p->mentions_all};
}

static void edit_enter(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	change_enter(b, op);
	for (size_t i = 0; i < o->p.mention_count; i++)
		batch_ask_member(b, op->conv, o->p.mention[i]);
	o->check = (struct conv_check){.speaks = true, .mentions_all = o->p.mentions_all};
	change_ask_may(b, o);
}

/* What search has of it is of the text before: so the message itself is compared until that is made anew. */
static void note_for_search(struct batch *b, const struct op_change *o)
{
	uint64_t id = o->held->m.id;
	if (b->conf->search.backend == SEARCH_BACKEND_OFF)
		return;
	struct buf *out = &b->search_edits;
	batch_begin_row(out);
	sql_u64(out, message_id_conversation(id));
	buf_append_char(out, ',');
	sql_u64(out, message_id_seq(id));
	buf_append_char(out, ',');
	sql_u64(out, o->change_seq);
	buf_append_char(out, ')');
}

static void write_edit(struct batch *b, struct op_change *o)
{
	struct message *m = &o->held->m;
	struct mention_list list = list_of(&o->p);
	struct str before = m->mentions;
	change_note(b, o, CHANGE_EDITED);
	o->held->edited = true;
	/* Later operations of the batch may outlive this one. */
	m->content = arena_str(&b->arena, o->p.content);
	m->entities = arena_str(&b->arena, o->p.entities);
	m->edited_ms = b->now_ms;
	char *room = arena_alloc(&b->arena, mention_room(list.user, list.count));
	mention_note(b, &list, before, room, o->by, m);
	o->by->conv->kind->changed(b, o->by);
	struct buf *out = batch_begin_changed(&b->edits, m->id);
	sql_str(out, m->content);
	buf_append_char(out, ',');
	sql_str(out, m->entities);
	buf_append_char(out, ',');
	sql_str(out, m->mentions);
	buf_append_char(out, ',');
	sql_time(out, m->edited_ms);
	buf_append_char(out, ')');
	mention_forget(b, before, o->by, m);
	note_for_search(b, o);
}

/* Those of the list who are in the conversation are those who are stored. */
static bool same_mentions(struct batch *b, const struct op_change *o, struct str stored)
{
	size_t at = 0;
	struct str next = mention_next(stored, &at);
	if (o->p.mentions_all)
		return next.s != NULL && str_is(next, "*");
	for (size_t i = 0; i < o->p.mention_count; i++) {
		if (conv_member(b, o->by->conv, o->p.mention[i]) == NULL)
			continue;
		if (next.s == NULL || !str_equal(next, o->p.mention[i]))
			return false;
		next = mention_next(stored, &at);
	}
	return next.s == NULL;
}

static bool is_same(struct batch *b, const struct op_change *o)
{
	const struct message *m = &o->held->m;
	bool same_content = str_equal(o->p.content, m->content) || (o->p.content.len == 0 && m->content.len == 0);
	return same_content && str_equal(o->p.entities, m->entities) && same_mentions(b, o, m->mentions);
}

static enum op_verdict edit_plan(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
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
	/* It says who wrote it, and that is not who would edit it. */
	if (m->forwarded_from.s != NULL || m->type == MESSAGE_FORWARD)
		return change_end(op, STORE_FORWARDED);
	if (is_same(b, o))
		return change_end_standing(b, o, op->uncertain && m->edited_ms == o->at_ms);
	if (op->settling)
		return change_end(op, STORE_UNAVAILABLE);
	if (b->now_ms - m->created_ms > (int64_t)b->conf->message.edit_window_secs * 1000)
		return change_end(op, STORE_EDIT_EXPIRED);
	if (m->type == MESSAGE_TEXT && o->p.content.len == 0)
		return change_end(op, STORE_NO_TEXT);
	enum store_status may = change_may(b, o);
	if (may != STORE_OK)
		return change_end(op, may);
	write_edit(b, o);
	return change_end_with(o, true);
}

static const struct op_class edit_class = {
	.name = "edit", .enter = edit_enter, .plan = edit_plan, .answer = change_answer, .tells = true};
const struct act_info act_edit = {&edit_class, &edit_class, sizeof(struct op_change)};
