/* SPDX-License-Identifier: BSD-2-Clause */
/* Creating a conversation. One that stands is answered even to those who are friends no longer, unless one blocks the
 * other. */
#include "core/base.h"
#include "store/store_priv.h"

#include <stdlib.h>

#include "store/lane_priv.h"
#include "store/query.h"

struct op_create {
	struct op op;
	store_created_fn *fn;
	void *arg;
	struct str user, peer, source_kind, source_id;
	uint64_t id; /* of the conversation; kept from a try of unknown outcome */
	bool created;
};

/* It is read once it has committed. */
struct created {
	store_created_fn *fn;
	void *arg;
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

static void on_found(enum store_status status, const struct conversation *c, void *arg)
{
	struct created *found = arg;
	const struct store_created r = {
		.status = status,
		.created = status == STORE_OK && found->created,
		.conversation = status == STORE_OK ? c : NULL,
	};
	found->fn(&r, found->arg);
	free(found);
}

static void create_answer(struct store *s, struct op *op)
{
	struct op_create *o = container_of(op, struct op_create, op);
	struct created *found = xmalloc(sizeof(*found));
	*found = (struct created){.fn = o->fn, .arg = o->arg, .created = o->created};
	if (op->status == STORE_OK)
		query_conversation(s->pool, o->user, o->id, on_found, found);
	else
		on_found(op->status, NULL, found);
}

void store_create(struct store *s, struct str user, struct str peer, struct str source_kind, struct str source_id,
		  store_created_fn *fn, void *arg)
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
		lane_refuse(s->lane, &o->op, STORE_NOT_FRIENDS);
	else {
		struct pair_key key = pair_key_make(o->user, o->peer);
		lane_submit(s->lane, &o->op, (struct str){key.text, key.len});
	}
}
