/* SPDX-License-Identifier: BSD-2-Clause */
/* Pinning a message, and taking that back: by either side of a direct conversation, by the admins of a group. */
#include "core/base.h"
#include "store/op_change.h"

#include "store/sql.h"

struct op_pin {
	struct op_change change;
	uint64_t found[2]; /* n of this message's, 0: it is not pinned; and how many the conversation has */
};
enum { OWN_N, COUNT };

static struct op_pin *pin_of(struct op *op)
{
	return container_of(op, struct op_pin, change.op);
}

static bool pins(const struct op_change *o)
{
	return o->p.act == ACT_PIN;
}

static void put_pin(struct buf *out, uint64_t message_id)
{
	sql_lit(out, " WHERE conversation_id=");
	sql_u64(out, message_id_conversation(message_id));
	sql_lit(out, " AND message_id=");
	sql_u64(out, message_id);
}

void pin_ask(struct batch *b, uint64_t message_id, uint64_t *n)
{
	*n = 0;
	struct buf *out = batch_ask(b, n);
	sql_lit(out, "SELECT n FROM pins FORCE INDEX (PRIMARY)");
	put_pin(out, message_id);
}

void pin_delete(struct batch *b, struct held *h)
{
	struct buf *out = batch_update(b);
	sql_lit(out, "DELETE FROM pins");
	put_pin(out, h->m.id);
	batch_expect(b, 1);
	h->pinned = false;
	h->unpinned = true;
	conv_find(b, message_id_conversation(h->m.id))->unpinned++;
}

bool pin_stands(const struct held *h, uint64_t n)
{
	return h->pinned || (n != 0 && !h->unpinned);
}

static void pin_insert(struct batch *b, const struct op_change *o)
{
	struct buf *out = batch_update(b);
	sql_lit(out, "INSERT INTO pins (conversation_id,message_id,n,user_id,at) VALUES (");
	sql_u64(out, message_id_conversation(o->p.id));
	buf_append_char(out, ',');
	sql_u64(out, o->p.id);
	buf_append_char(out, ',');
	sql_u64(out, o->change_seq);
	buf_append_char(out, ',');
	sql_str(out, o->p.user);
	buf_append_char(out, ',');
	sql_time(out, b->now_ms);
	buf_append_char(out, ')');
	o->held->pinned = true;
}

static void pin_enter(struct batch *b, struct op *op)
{
	struct op_pin *p = pin_of(op);
	change_enter(b, op);
	change_ask_deleted(b, &p->change);
	pin_ask(b, p->change.p.id, &p->found[OWN_N]);
	if (!pins(&p->change))
		return;
	change_ask_may(b, &p->change);
	p->found[COUNT] = 0;
	struct buf *out = batch_ask(b, &p->found[COUNT]);
	sql_lit(out, "SELECT COUNT(*) FROM pins FORCE INDEX (PRIMARY) WHERE conversation_id=");
	sql_u64(out, message_id_conversation(p->change.p.id));
}

static enum store_status check_role(const struct member *by)
{
	bool may = by->conv->kind == &conv_direct || by->role == GROUP_OWNER || by->role == GROUP_ADMIN;
	return may ? STORE_OK : STORE_ROLE;
}

static enum store_status check_new(struct batch *b, const struct op_pin *p)
{
	const struct op_change *o = &p->change;
	enum store_status may = change_may(b, o);
	if (o->held->m.type == MESSAGE_SYSTEM)
		return STORE_ROLE;
	if (may != STORE_OK)
		return may;
	if (o->held->m.is_recalled)
		return STORE_RECALLED;
	/* It was read before what this batch has done. */
	return p->found[COUNT] >= STORE_PINS_MAX + op_conv(&o->op)->unpinned ? STORE_TOO_MANY_PINS : STORE_OK;
}

static enum op_verdict pin_plan(struct batch *b, struct op *op)
{
	struct op_pin *p = pin_of(op);
	struct op_change *o = &p->change;
	enum op_verdict verdict;
	if (!change_find_message(b, o, &verdict))
		return verdict;
	if (pins(o) && !change_knows_deleted(o))
		return OP_PUT_OFF;
	/* Else nobody could take away what they have pinned. */
	if (pins(o) && change_is_deleted(o))
		return change_end(op, STORE_NOT_FOUND);
	enum store_status may = check_role(o->by);
	if (may != STORE_OK)
		return change_end(op, may);
	uint64_t n = p->found[OWN_N];
	bool there = pin_stands(o->held, n);
	if (there == pins(o))
		return change_end_standing(b, o, op->uncertain && (!pins(o) || n == o->change_seq));
	if (!pins(o) && change_came_back(o, n))
		return change_end_standing(b, o, true);
	if (op->settling)
		return change_end(op, STORE_UNAVAILABLE);
	may = pins(o) ? check_new(b, p) : STORE_OK;
	if (may != STORE_OK)
		return change_end(op, may);
	change_note(b, o, pins(o) ? CHANGE_PINNED : CHANGE_UNPINNED);
	if (pins(o))
		pin_insert(b, o);
	else
		pin_delete(b, o->held);
	return change_end_with(o, true);
}

/* The second of a batch would count what the first changes. */
static const struct op_class pin_class = {.name = "pin",
					  .enter = pin_enter,
					  .plan = pin_plan,
					  .answer = change_answer,
					  .tells = true,
					  .once = ONCE_CONVERSATION};
const struct act_info act_pin = {&pin_class, &pin_class, sizeof(struct op_pin)};
