/* SPDX-License-Identifier: BSD-2-Clause */
/* Creating a conversation. One that stands is answered even to those who are friends no longer, unless one blocks the
 * other. */
#include "core/base.h"
#include "store/lane_priv.h"

struct op_create {
	struct op op;
	lane_created_fn *fn;
	void *arg;
	struct str user, peer, source_kind, source_id;
	uint64_t id; /* of the conversation; kept from a try of unknown outcome */
	bool created;
};

static void create_enter(struct batch *b, struct op *op)
{
	struct op_create *o = container_of(op, struct op_create, op);
	op->conv = batch_conv_by_pair(b, o->user, o->peer);
	batch_ask_friends(b, op->conv, o->user);
}

static bool create_makes(struct batch *b, struct op *op)
{
	struct op_create *o = container_of(op, struct op_create, op);
	if (batch_friends(b, o->user, o->peer) != STORE_OK)
		return false;
	struct conv *c = op_conv(op);
	c->source_kind = o->source_kind;
	c->source_id = o->source_id;
	return true;
}

static enum op_verdict create_plan(struct batch *b, struct op *op)
{
	struct op_create *o = container_of(op, struct op_create, op);
	struct conv *c = op_conv(op);
	enum store_status friends = batch_friends(b, o->user, o->peer);
	op->status = friends;
	if (friends == STORE_BLOCKED || (friends == STORE_NOT_FRIENDS && c->id == 0))
		return OP_PLANNED;
	if (c->out_of_ids) {
		op->status = STORE_FULL;
		return OP_PLANNED;
	}
	if (!c->locked) {
		if (c->id != 0)
			pairs_forget(b->pairs, &c->pair);
		return OP_PUT_OFF;
	}
	if (conv_member(b, c, o->user) == NULL)
		return OP_PUT_OFF; /* another pair's: it was remembered from another database */
	op->status = STORE_OK;
	bool ours = op->uncertain && o->created && o->id == c->id;
	o->created = ours || (c->made && !c->used);
	o->id = c->id;
	op->planned = c->made;
	b->standing |= !c->made;
	c->used = true;
	return OP_PLANNED;
}

static void create_answer(struct op *op)
{
	struct op_create *o = container_of(op, struct op_create, op);
	const struct lane_created r = {
		.status = op->status,
		.created = op->status == STORE_OK && o->created,
		.conversation_id = op->status == STORE_OK ? o->id : 0,
	};
	o->fn(&r, o->arg);
}

void lane_create(struct lane *l, struct str user, struct str peer, struct str source_kind, struct str source_id,
		 enum lane_past past, lane_created_fn *fn, void *arg)
{
	static const struct op_class class = {
		.name = "create",
		.enter = create_enter,
		.makes = create_makes,
		.plan = create_plan,
		.answer = create_answer,
	};
	char *tail;
	struct op_create *o = op_new(&class, sizeof(*o), user.len + peer.len + source_kind.len + source_id.len, &tail);
	o->fn = fn;
	o->arg = arg;
	o->user = op_keep(&tail, user);
	o->peer = op_keep(&tail, peer);
	o->source_kind = op_keep(&tail, source_kind);
	o->source_id = op_keep(&tail, source_id);
	if (!id_user_valid(user) || !id_user_valid(peer) || str_equal(user, peer))
		lane_refuse(l, &o->op, STORE_NOT_FRIENDS);
	else {
		struct pair_key key = pair_key_make(o->user, o->peer);
		lane_submit(l, &o->op, past, (struct str){key.text, key.len});
	}
}
