/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending a message. Decides, in this order: is it a repeat, may it be sent, does
 * reply_to name a message; and then gives it the next seq of its conversation.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/lane_priv.h"
#include "store/query.h"
#include "store/sql.h"

/* A space, which no client's id contains, and 128 random bits. */
#define MADE_ID_LEN 23

struct op_send {
	struct op op;
	store_sent_fn *fn;
	void *arg;
	struct store_send p;
	bool made_id; /* the client gave no client_msg_id */
	bool replayed;
	bool looked; /* the try of unknown outcome has come to nothing */
	int64_t gap_ms;
	const struct message *result;
	struct message message; /* as it is written; kept from a try of unknown outcome to tell that it was ours */
	char id[MADE_ID_LEN + 1];
};

bool send_same_fields(const struct store_send *p, const struct message *m)
{
	if (!str_is(p->to, m->to))
		return false;
	if (m->is_recalled)
		return true; /* its fields are gone */
	return p->type == m->type && str_equal(p->content, m->content) && str_equal(p->media_url, m->media_url) &&
	       str_equal(p->extra, m->extra) && p->reply_to == m->reply_to;
}

static void send_enter(struct batch *b, struct op *op)
{
	struct op_send *o = container_of(op, struct op_send, op);
	/*
	 * A transaction of unknown outcome may have made the conversation, and may be under way still: only the lock of
	 * its row, found by its id, tells its end. Before that nothing is decided anew.
	 */
	op->looks = op->settling || (op->uncertain && !o->looked);
	op->conv = op->looks ? batch_conv_by_id(b, message_id_conversation(o->message.id))
			     : batch_conv_by_pair(b, o->p.from, o->p.to);
	if (!op->looks)
		batch_ask_friends(b, op->conv, o->p.from);
	/* An id that was made for it cannot stand, unless this is not its first try. */
	if (!o->made_id || op->uncertain)
		batch_ask_sent(b, o->p.from, o->p.client_msg_id);
}

static bool send_makes(struct batch *b, struct op *op)
{
	struct op_send *o = container_of(op, struct op_send, op);
	if (op->looks || batch_sent(b, o->p.from, o->p.client_msg_id) != NULL || o->p.reply_to != 0)
		return false;
	/* The same client_msg_id earlier in this batch: that one decides what becomes of this. */
	for (unsigned i = 0; b->op[i] != op; i++) {
		const struct op_send *other = container_of(b->op[i], struct op_send, op);
		if (b->op[i]->class == op->class && str_equal(other->p.client_msg_id, o->p.client_msg_id) &&
		    str_equal(other->p.from, o->p.from))
			return false;
	}
	return batch_friends(b, o->p.from, o->p.to) == STORE_OK;
}

static enum op_verdict end(struct op *op, enum store_status status)
{
	op->status = status;
	return OP_PLANNED;
}

static enum op_verdict plan_repeat(struct batch *b, struct op_send *o, const struct sent *found)
{
	const struct message *m =
		found->held != NULL ? &found->held->m : &container_of(found->op, struct op_send, op)->message;
	if (!send_same_fields(&o->p, m))
		return end(&o->op, STORE_REUSED);
	b->standing = true;
	/* Sent by this batch and perhaps read by it: the next one finds it as it is. */
	const struct conv *c = op_conv(found->op != NULL ? found->op : &o->op);
	if (found->op != NULL && (c->changed || c->read_by[0] || c->read_by[1]))
		return OP_PUT_OFF;
	bool ours = o->op.uncertain && m->id == o->message.id && m->created_ms == o->message.created_ms;
	o->replayed = !ours;
	o->result = m;
	return end(&o->op, STORE_OK);
}

static void append_values(struct batch *b, const struct op_send *o)
{
	const struct message *m = &o->message;
	struct buf *out = &b->insert_messages;
	buf_append(out, out->len != 0 ? ",(" : "(", out->len != 0 ? 2 : 1);
	sql_u64(out, m->id);
	buf_append_char(out, ',');
	sql_str(out, o->p.from);
	buf_append_char(out, ',');
	sql_str(out, o->p.to);
	buf_append_char(out, ',');
	sql_u64(out, m->type);
	buf_append_char(out, ',');
	sql_str(out, m->content);
	buf_append_char(out, ',');
	sql_str(out, m->media_url);
	buf_append_char(out, ',');
	sql_str(out, m->extra);
	buf_append_char(out, ',');
	sql_str(out, o->p.client_msg_id);
	buf_append_char(out, ',');
	if (m->reply_to != 0)
		sql_u64(out, m->reply_to);
	else
		sql_lit(out, "NULL");
	buf_append_char(out, ',');
	sql_time(out, m->created_ms);
	buf_append_char(out, ')');
}

static void plan_new(struct batch *b, struct op_send *o, struct conv *c, int to)
{
	int64_t at = b->now_ms > c->last_ms ? b->now_ms : c->last_ms;
	o->gap_ms = c->last_seq > 0 ? at - c->last_ms : INT64_MAX;
	c->last_seq++;
	c->last_ms = at;
	c->sort_ms = b->active_ms > c->sort_ms ? b->active_ms : c->sort_ms;
	c->unread[to]++;
	c->last_id[0] = c->last_id[1] = message_id_make(c->id, c->last_seq);
	c->dirty = c->used = true;

	o->message = (struct message){
		.id = c->last_id[0],
		.type = o->p.type,
		.content = o->p.content,
		.media_url = o->p.media_url,
		.extra = o->p.extra,
		.client_msg_id = o->made_id ? STR_NULL : o->p.client_msg_id,
		.reply_to = o->p.reply_to,
		.created_ms = at,
	};
	memcpy(o->message.from, o->p.from.s, o->p.from.len);
	memcpy(o->message.to, o->p.to.s, o->p.to.len);
	o->result = &o->message;
	o->replayed = o->looked = false;
	o->op.planned = true;
	append_values(b, o);
	b->sends++;
	if (!o->made_id)
		batch_note_sent(b, o->p.from, o->p.client_msg_id, &o->op);
}

static enum op_verdict send_plan(struct batch *b, struct op *op)
{
	struct op_send *o = container_of(op, struct op_send, op);
	struct conv *c = op_conv(op);
	const struct sent *found = batch_sent(b, o->p.from, o->p.client_msg_id);
	if (found != NULL)
		return plan_repeat(b, o, found);
	if (op->settling)
		return end(op, STORE_UNAVAILABLE);
	if (op->looks) {
		o->looked = true;
		return OP_PUT_OFF;
	}
	enum store_status friends = batch_friends(b, o->p.from, o->p.to);
	if (friends != STORE_OK)
		return end(op, friends);
	if (c->id == 0)
		return o->p.reply_to != 0 ? end(op, STORE_BAD_REPLY) : OP_PUT_OFF;
	if (!c->locked) {
		pairs_forget(b->pairs, &c->pair);
		return OP_PUT_OFF;
	}
	uint64_t reply_seq = message_id_seq(o->p.reply_to);
	if (o->p.reply_to != 0 &&
	    (message_id_conversation(o->p.reply_to) != c->id || reply_seq == 0 || reply_seq > c->last_seq))
		return end(op, STORE_BAD_REPLY);
	if (c->last_seq >= MESSAGE_SEQ_MAX || c->id > CONVERSATION_ID_MAX)
		return end(op, STORE_FULL);
	int to = conv_side(c, o->p.to);
	if (to < 0)
		return OP_PUT_OFF; /* another pair's: it was remembered from another database */
	plan_new(b, o, c, to);
	return end(op, STORE_OK);
}

static void send_answer(struct store *s, struct op *op)
{
	struct op_send *o = container_of(op, struct op_send, op);
	bool done = op->status == STORE_OK;
	const struct store_sent r = {
		.status = op->status,
		.replayed = done && o->replayed,
		.message = done				 ? o->result
			   : op->status == STORE_UNKNOWN ? &o->message
							 : NULL,
		.gap_ms = done && !o->replayed ? o->gap_ms : INT64_MAX,
	};
	o->fn(&r, o->arg);
}

static const struct op_class send_class = {
	.name = "send",
	.enter = send_enter,
	.makes = send_makes,
	.plan = send_plan,
	.answer = send_answer,
	.tells = true,
};

uint64_t op_send_count(const struct batch *b, const struct conv *c, struct str to, uint64_t up_to_seq)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < b->count; i++) {
		const struct op_send *o = container_of(b->op[i], struct op_send, op);
		n += o->op.class == &send_class && o->op.planned && op_conv(&o->op) == c && str_equal(o->p.to, to) &&
		     message_id_seq(o->message.id) <= up_to_seq;
	}
	return n;
}

void store_send(struct store *s, const struct store_send *p, store_sent_fn *fn, void *arg)
{
	char *tail;
	size_t extra =
		p->from.len + p->to.len + p->content.len + p->media_url.len + p->extra.len + p->client_msg_id.len;
	struct op_send *o = op_new(&send_class, sizeof(*o), extra, &tail);
	o->fn = fn;
	o->arg = arg;
	o->p = (struct store_send){
		.from = op_keep(&tail, p->from),
		.to = op_keep(&tail, p->to),
		.type = p->type,
		.content = op_keep(&tail, p->content),
		.media_url = op_keep(&tail, p->media_url),
		.extra = op_keep(&tail, p->extra),
		.client_msg_id = op_keep(&tail, p->client_msg_id),
		.reply_to = p->reply_to,
	};
	if (p->client_msg_id.s == NULL) {
		o->made_id = true;
		o->id[0] = ' ';
		id_random(o->id + 1, MADE_ID_LEN - 1);
		o->p.client_msg_id = (struct str){o->id, MADE_ID_LEN};
	}
	if (!id_user_valid(p->from) || !id_user_valid(p->to) || str_equal(p->from, p->to) ||
	    o->p.client_msg_id.len > CLIENT_MSG_ID_MAX)
		lane_refuse(s->lane, &o->op, STORE_NOT_FRIENDS);
	else {
		struct pair_key key = pair_key_make(o->p.from, o->p.to);
		lane_submit(s->lane, &o->op, (struct str){key.text, key.len});
	}
}
