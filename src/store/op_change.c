/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done to one message after it was sent: reading and recalling it, and what deleting it (op_delete.c) shares
 * with them. Decides who may, what it does to the counters, and writes it down as a change.
 */
#include "core/base.h"
#include "store/op_change.h"

#include "store/mention.h"
#include "store/parts.h"
#include "store/reactions.h"
#include "store/sql.h"

void change_enter(struct batch *b, struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	op->conv = batch_conv_by_id(b, message_id_conversation(o->p.id), true);
	batch_ask_member(b, op->conv, o->p.user);
	batch_ask_message(b, o->p.id);
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

bool change_find_held(struct batch *b, struct op_change *o, enum op_verdict *verdict_r)
{
	const struct conv *c = op_conv(&o->op);
	uint64_t seq = message_id_seq(o->p.id);
	o->held = batch_message(b, o->p.id);
	if (c->locked && o->held == NULL && seq > c->stored_seq && seq <= c->last_seq)
		*verdict_r = OP_PUT_OFF; /* this batch sends it */
	else if (!c->locked || o->held == NULL)
		*verdict_r = change_end(&o->op, STORE_NOT_FOUND);
	else if (c->read)
		*verdict_r = OP_PUT_OFF;
	else
		return true;
	return false;
}

bool change_find_message(struct batch *b, struct op_change *o, enum op_verdict *verdict_r)
{
	struct conv *c = op_conv(&o->op);
	o->held = batch_message(b, o->p.id);
	o->by = c->locked ? conv_member(b, c, o->p.user) : NULL;
	if (o->by != NULL && message_id_seq(o->p.id) >= conv_first_seq(o->by))
		return change_find_held(b, o, verdict_r);
	*verdict_r = change_end(&o->op, STORE_NOT_FOUND);
	return false;
}

bool change_find(struct batch *b, struct op_change *o, enum op_verdict *verdict_r)
{
	return o->p.by_operator ? change_find_held(b, o, verdict_r) : change_find_message(b, o, verdict_r);
}

void change_ask_may(struct batch *b, struct op_change *o)
{
	const struct conv_kind *kind = o->op.conv->kind;
	o->check.user = o->p.user;
	if (kind->ask_change != NULL)
		kind->ask_change(b, o->op.conv, &o->check);
}

enum store_status change_may(struct batch *b, const struct op_change *o)
{
	return o->by->conv->kind->check_change(b, o->by, &o->check);
}

/* Of a direct conversation the message says so itself. */
void change_ask_deleted(struct batch *b, struct op_change *o)
{
	o->deleted_up_to = 0;
	if (o->op.conv->kind != &conv_group)
		return;
	struct buf *out = batch_ask(b, &o->deleted_up_to);
	sql_lit(out, "SELECT last_seq FROM deletions FORCE INDEX (PRIMARY) WHERE user_id=");
	sql_str(out, o->p.user);
	sql_lit(out, " AND conversation_id=");
	sql_u64(out, message_id_conversation(o->p.id));
	sql_lit(out, " AND first_seq<=");
	sql_u64(out, message_id_seq(o->p.id));
	sql_lit(out, " ORDER BY first_seq DESC LIMIT 1");
}

bool change_knows_deleted(const struct op_change *o)
{
	return o->by->conv->kind != &conv_group || !o->by->deleted;
}

bool change_came_back(const struct op_change *o, uint64_t n)
{
	return o->op.uncertain && o->change_seq != 0 && n > o->change_seq;
}

bool change_is_deleted(const struct op_change *o)
{
	if (o->by->conv->kind == &conv_group)
		return o->deleted_up_to >= message_id_seq(o->p.id);
	return o->held->deleted[change_is_sender(o) ? 0 : 1];
}

bool change_is_sender(const struct op_change *o)
{
	return str_is(o->p.user, o->held->m.from);
}

void change_note(struct batch *b, struct op_change *o, enum change_kind kind)
{
	o->op.planned = true;
	o->at_ms = b->now_ms;
	o->change_seq = batch_note_change(b, op_conv(&o->op), kind, o->p.id,
					  o->by != NULL || o->p.by_operator ? o->p.user : str_from(o->held->m.from));
	batch_note_told(b, &o->op, change_kinds[kind].told_as, o->p.id);
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
	change_end_update(b, out, o->p.id);
	return change_end_with(o, true);
}

static const struct op_class read_class = {
	.name = "read of a message", .enter = change_enter, .plan = read_plan, .answer = change_answer, .tells = true};
const struct act_info act_read = {&read_class, &read_class, sizeof(struct op_change)};

/* ---- recall ---- */

void recall_ask(struct batch *b, struct op_recall *r)
{
	pin_ask(b, r->change.p.id, &r->pin_n);
}

static void recall_enter(struct batch *b, struct op *op)
{
	struct op_recall *r = container_of(op, struct op_recall, change.op);
	change_enter(b, op);
	if (op->conv->kind == &conv_group)
		batch_ask_author(b, r->change.p.id);
	recall_ask(b, r);
}

/* So many rows of reactions are deleted at once, the rest by the relay (src/relay/purge.c). */
#define REACTIONS_ERASED_MAX 500

static void erase_reactions(struct batch *b, const struct message *m)
{
	struct buf *out = batch_update(b);
	sql_lit(out, "DELETE FROM reactions WHERE message_id=");
	sql_u64(out, m->id);
	buf_printf(out, " LIMIT %d", REACTIONS_ERASED_MAX);
	if (reactions_total(m->reactions) <= REACTIONS_ERASED_MAX)
		return;
	out = batch_update(b);
	sql_lit(out, "INSERT IGNORE INTO reaction_erasures (message_id) VALUES (");
	sql_u64(out, m->id);
	buf_append_char(out, ')');
}

/* What other tables have of the message. */
static void erase_rest(struct batch *b, const struct op_recall *r)
{
	struct held *h = r->change.held;
	if (h->m.reactions.s != NULL)
		erase_reactions(b, &h->m);
	if (pin_stands(h, r->pin_n))
		pin_delete(b, h);
	if (h->m.expires_ms != 0)
		batch_drop_expiry(b, h->m.id, h->m.expires_ms);
	if (h->m.type == MESSAGE_FORWARD)
		parts_erase(b, h->m.id);
}

static void erase(struct message *m)
{
	m->content = m->media_url = m->extra = m->mentions = m->entities = m->forwarded_from = m->reactions = STR_NULL;
}

void recall_write(struct batch *b, struct op_recall *r)
{
	struct op_change *o = &r->change;
	struct conv *c = op_conv(&o->op);
	struct message *m = &o->held->m;
	c->kind->recalled(b, c, o->held);
	change_note(b, o, CHANGE_RECALLED);
	m->is_recalled = true;
	m->recalled_ms = b->now_ms;
	erase_rest(b, r);
	erase(m);
}

static enum store_status may_recall(const struct op_change *o, bool *any_time_r)
{
	if (!o->p.by_operator)
		return o->by->conv->kind->check_recall(o->by, o->held, any_time_r);
	*any_time_r = true;
	return o->held->m.type == MESSAGE_SYSTEM ? STORE_ROLE : STORE_OK;
}

static enum op_verdict recall_plan(struct batch *b, struct op *op)
{
	struct op_recall *r = container_of(op, struct op_recall, change.op);
	struct op_change *o = &r->change;
	enum op_verdict verdict;
	bool any_time;
	if (!change_find(b, o, &verdict))
		return verdict;
	struct held *h = o->held;
	enum store_status may = may_recall(o, &any_time);
	if (may != STORE_OK)
		return change_end(op, may);
	if (h->m.is_recalled)
		return change_end_standing(b, o, op->uncertain && h->m.recalled_ms == o->at_ms);
	if (op->settling)
		return change_end(op, STORE_UNAVAILABLE);
	if (!any_time && b->now_ms - h->m.created_ms > (int64_t)b->conf->message.recall_window_secs * 1000)
		return change_end(op, STORE_RECALL_EXPIRED);
	recall_write(b, r);
	struct buf *out = batch_update(b);
	change_begin_update(out, RECALL_ASSIGNMENTS ",recalled_at=");
	sql_time(out, b->now_ms);
	change_end_update(b, out, o->p.id);
	return change_end_with(o, true);
}

static const struct op_class recall_class = {
	.name = "recall", .enter = recall_enter, .plan = recall_plan, .answer = change_answer, .tells = true};
const struct act_info act_recall = {&recall_class, &recall_class, sizeof(struct op_recall)};

/* ---- from outside ---- */

/* Its recipient has deleted it, or cleared the history that it was in. */
static bool is_hidden(const struct op_change *o)
{
	const struct held *h = o->held;
	if (h->deleted[1] || o->by == NULL || o->by->conv->kind != &conv_direct)
		return h->deleted[1];
	const struct member *to = str_is(o->by->user, h->m.to) ? o->by : conv_peer(o->by);
	return message_id_seq(h->m.id) < conv_first_seq(to);
}

void change_answer(struct op *op)
{
	struct op_change *o = container_of(op, struct op_change, op);
	bool done = op->status == STORE_OK;
	/* It may never have been planned here. */
	if (o->message.id == 0) {
		o->message.id = o->p.id;
		if (id_user_valid(o->p.user))
			memcpy(o->message.from, o->p.user.s, o->p.user.len);
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
		.hidden = done && is_hidden(o),
		.change_seq = done ? o->change_seq : 0,
		.emoji = o->p.emoji,
		.message = done || op->status == STORE_UNKNOWN ? &o->message : NULL,
	};
	if (id_user_valid(o->p.user))
		memcpy(r.by, o->p.user.s, o->p.user.len);
	o->fn(&r, o->arg);
}

/* Mentions are kept once each, those that are user ids. */
static size_t keep_mentions(const struct store_act *p, struct str *kept)
{
	const struct mention_list list = {p->mention, p->mention_count, p->mentions_all};
	return mention_keep(&list, kept);
}

static struct op_change *act_new(const struct store_act *p)
{
	struct str mention[STORE_MENTIONS_MAX];
	const struct act_info *info = acts[p->act];
	size_t n = keep_mentions(p, mention), bytes = p->user.len + p->content.len + p->entities.len + p->emoji.len;
	for (size_t i = 0; i < n; i++)
		bytes += mention[i].len;
	bool of_group = conversation_is_group(message_id_conversation(p->id));
	char *tail;
	struct op_change *o =
		op_new(of_group ? info->group : info->direct, info->size, n * sizeof(mention[0]) + bytes, &tail);
	struct str *kept = (struct str *)(void *)tail;
	tail += n * sizeof(*kept);
	for (size_t i = 0; i < n; i++)
		kept[i] = op_keep(&tail, mention[i]);
	o->p = *p;
	o->p.user = o->op.user = op_keep(&tail, p->user);
	o->p.content = op_keep(&tail, p->content);
	o->p.entities = op_keep(&tail, p->entities);
	o->p.emoji = op_keep(&tail, p->emoji);
	o->p.mention = kept;
	o->p.mention_count = n;
	o->op.bytes += n * MENTION_BYTES;
	return o;
}

void lane_act(struct lane *l, const struct store_act *p, enum lane_past past, store_change_fn *fn, void *arg)
{
	struct op_change *o = act_new(p);
	uint64_t conversation_id = message_id_conversation(p->id);
	o->fn = fn;
	o->arg = arg;
	bool may_ask = p->act == ACT_EXPIRE ? p->user.s == NULL : id_user_valid(p->user);
	if (!may_ask || conversation_id == 0 || conversation_id > CONVERSATION_ID_MAX || message_id_seq(p->id) == 0)
		lane_refuse(l, &o->op, STORE_NOT_FOUND);
	else
		lane_submit(l, &o->op, past, op_key_of_id(&conversation_id));
}
