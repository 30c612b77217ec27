/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending a message. Decides, in this order: is it a repeat, may it be sent (that is the kind's of conversation), does
 * reply_to name a message; and then gives it the next seq of its conversation.
 */
#include "core/base.h"
#include "store/lane_priv.h"
#include "store/op_send.h"

#include "core/clock.h"
#include "core/media_ref.h"
#include "store/guess.h"
#include "store/forward.h"
#include "store/mention.h"
#include "store/parts.h"
#include "store/sent_hash.h"
#include "store/sql.h"
#include "store/sticker.h"
#include "store/uses.h"

struct op_send {
	struct op op;
	store_sent_fn *fn;
	void *arg;
	struct store_send p;
	bool made_id;	/* the client gave no client_msg_id, */
	bool hidden_id; /* or one for this and other messages; see forward.h */
	uint64_t parts; /* of those that it is to have, which are not recalled */
	uint64_t file;	/* 1: the one that it shows is there */
	bool replayed;
	bool looked; /* the try of unknown outcome has come to nothing */
	int64_t gap_ms, retry_ms;
	const struct message *result;
	struct message message; /* as it is written; kept from a try of unknown outcome to tell that it was ours */
	char *mentions;		/* room for the array that is stored */
	unsigned char sent_hash[SENT_HASH_LEN]; /* message.sent_hash, where it has one */
};

void lane_make_id(char id[MADE_ID_LEN])
{
	char random[MADE_ID_LEN + 1]; /* about 128 bits */
	id_random(random, MADE_ID_LEN - 1);
	id[0] = ' ';
	memcpy(id + 1, random, MADE_ID_LEN - 1);
}

/* ---- is it the same ---- */

static bool is_party(const struct message *m, struct str user)
{
	return str_is(user, m->from) || str_is(user, m->to);
}

/* Those that were asked for are stored, but for who was no member. */
static bool same_mentions(const struct store_send *p, const struct message *m, const struct send_members *members)
{
	size_t at = 0;
	struct str stored = mention_next(m->mentions, &at);
	if (p->mentions_all)
		return stored.s != NULL && str_is(stored, "*");
	for (size_t i = 0; i < p->mention_count; i++) {
		struct str user = p->mention[i];
		if (stored.s != NULL && str_equal(stored, user))
			stored = mention_next(m->mentions, &at);
		else if (p->to.s != NULL ? is_party(m, user)
					 : members != NULL && members->was_member(members, user, message_id_seq(m->id)))
			return false;
	}
	return stored.s == NULL;
}

/* Of a sticker the rest was filled in by us, from a pack that may have changed since. */
static bool same_media(const struct store_send *p, const struct message *m)
{
	if (p->type == MESSAGE_STICKER)
		return sticker_same(p->extra, m->extra);
	return media_ref_same(p->media_url, m->media_url) && str_equal(p->extra, m->extra);
}

/* Of one that was replaced only the hash of what was sent is there. */
static bool same_hash(const struct store_send *p, const struct message *m)
{
	unsigned char hash[SENT_HASH_LEN];
	sent_hash(p, hash);
	return str_equal(m->sent_hash, (struct str){(const char *)hash, sizeof(hash)});
}

bool send_same_fields(const struct store_send *p, const struct message *m, const struct send_members *members)
{
	if (p->to.s != NULL ? !str_is(p->to, m->to) : message_id_conversation(m->id) != p->conversation_id)
		return false;
	if (m->is_recalled || m->edited_ms != 0)
		return true; /* the fields that it was sent with are gone */
	if (forward_id_is(p->client_msg_id))
		return true; /* the rest is in it; what was forwarded may have been edited since */
	if (m->sent_hash.s != NULL)
		return same_hash(p, m);
	return p->type == m->type && str_equal(p->content, m->content) && same_media(p, m) &&
	       str_equal(p->entities, m->entities) && p->reply_to == m->reply_to &&
	       p->expires_in_secs == m->expires_in_secs && same_mentions(p, m, members);
}

/* ---- what has to be read ---- */

static void send_enter(struct batch *b, struct op *op)
{
	struct op_send *o = container_of(op, struct op_send, op);
	bool direct = o->p.to.s != NULL;
	/*
	 * A transaction of unknown outcome may have made the conversation, and may be under way still: only the lock of
	 * its row, found by its id, tells its end. Before that nothing is decided anew. Groups are not made here. Which
	 * id an inherited one was given is not known: its pair is locked, if it has a conversation.
	 */
	op->looks = direct && ((op->settling && !op->inherited) || (op->uncertain && !o->looked));
	if (!direct)
		op->conv = batch_conv_by_id(b, o->p.conversation_id, true);
	else
		op->conv = op->looks ? batch_conv_by_id(b, message_id_conversation(o->message.id), true)
				     : batch_conv_by_pair(b, o->p.from, o->p.to);
	if (direct && !op->looks && !o->p.by_operator)
		batch_ask_friends(b, op->conv, o->p.from);
	batch_ask_member(b, op->conv, o->p.from);
	for (size_t i = 0; i < o->p.mention_count; i++)
		batch_ask_member(b, op->conv, o->p.mention[i]);
	/* An id that was made for it cannot exist, unless this is not its first try. */
	if (!o->made_id || op->uncertain)
		batch_ask_sent(b, o->p.from, o->p.client_msg_id);
	if (o->p.parts.of.s != NULL)
		parts_ask(b, &o->p.parts, &o->parts);
	if (uses_file(o->p.media_url))
		uses_ask(b, o->p.media_url, &o->file);
}

static bool send_makes(struct batch *b, struct op *op)
{
	struct op_send *o = container_of(op, struct op_send, op);
	if (op->looks || op->settling || o->p.to.s == NULL || batch_sent(b, o->p.from, o->p.client_msg_id) != NULL ||
	    o->p.reply_to != 0)
		return false;
	/* The same client_msg_id earlier in this batch: that one decides what becomes of this. */
	for (unsigned i = 0; b->op[i] != op; i++) {
		const struct op_send *other = container_of(b->op[i], struct op_send, op);
		if (b->op[i]->class == op->class && str_equal(other->p.client_msg_id, o->p.client_msg_id) &&
		    str_equal(other->p.from, o->p.from))
			return false;
	}
	return o->p.by_operator || batch_friends(b, o->p.from, o->p.to) == STORE_OK;
}

static bool send_guess(const struct op *op, const struct pair_head *head)
{
	const struct op_send *o = container_of(op, struct op_send, op);
	uint64_t reply_seq = message_id_seq(o->p.reply_to);
	if (o->p.to.s == NULL || o->p.parts.of.s != NULL || uses_file(o->p.media_url) || o->p.by_operator ||
	    head->last_seq > MESSAGE_SEQ_MAX - BATCH_OPS_MAX)
		return false;
	return o->p.reply_to == 0 || (message_id_conversation(o->p.reply_to) == op_conv(op)->id && reply_seq != 0 &&
				      reply_seq <= head->last_seq);
}

/* ---- what becomes of it ---- */

static enum op_verdict end(struct op *op, enum store_status status)
{
	op->status = status;
	return OP_PLANNED;
}

struct conv_members {
	struct send_members members;
	struct batch *b;
	struct conv *c;
};

static bool was_member(const struct send_members *members, struct str user, uint64_t seq)
{
	const struct conv_members *cm = container_of(members, struct conv_members, members);
	const struct member *m = conv_member(cm->b, cm->c, user);
	return m != NULL && m->joined_seq < seq;
}

static enum op_verdict plan_repeat(struct batch *b, struct op_send *o, const struct sent *found)
{
	if (found->held == NULL && found->op == NULL)
		return end(&o->op, STORE_REUSED);
	const struct message *m =
		found->held != NULL ? &found->held->m : &container_of(found->op, struct op_send, op)->message;
	const struct conv_members cm = {.members = {was_member}, .b = b, .c = op_conv(&o->op)};
	if (!send_same_fields(&o->p, m, &cm.members))
		return end(&o->op, STORE_REUSED);
	b->standing = true;
	/* Sent by this batch and perhaps read by it: the next one finds it as it is. */
	const struct conv *c = op_conv(found->op != NULL ? found->op : &o->op);
	if (found->op != NULL && (c->changed || c->read))
		return OP_PUT_OFF;
	/* Nobody knows whether the dead process stored it just now, or another long before: others are told, or told
	 * again. */
	bool ours = o->op.inherited ||
		    (o->op.uncertain && m->id == o->message.id && m->created_ms == o->message.created_ms);
	o->replayed = !ours;
	o->result = m;
	return end(&o->op, STORE_OK);
}

static void append_expiry(struct buf *out, const struct message *m)
{
	buf_append_char(out, ',');
	sql_time(out, m->expires_ms);
	buf_append_char(out, ',');
	if (m->expires_in_secs != 0)
		sql_u64(out, m->expires_in_secs);
	else
		sql_lit(out, "NULL");
}

static void append_values(struct batch *b, const struct op_send *o)
{
	const struct message *m = &o->message;
	bool whole = m->media_url.s != NULL || m->extra.s != NULL || m->reply_to != 0 || m->mentions.s != NULL ||
		     m->entities.s != NULL || m->forwarded_from.s != NULL || m->expires_ms != 0;
	struct buf *out = m->expires_ms != 0 ? &b->insert_expiring : whole ? &b->insert_messages : &b->insert_texts;
	if (m->sent_hash.s != NULL)
		out = &b->insert_replaced;
	batch_begin_row(out);
	sql_u64(out, m->id);
	buf_append_char(out, ',');
	sql_str(out, o->p.from);
	buf_append_char(out, ',');
	sql_str(out, str_from(m->to));
	buf_append_char(out, ',');
	sql_u64(out, m->type);
	buf_append_char(out, ',');
	sql_str(out, m->content);
	buf_append_char(out, ',');
	sql_str(out, o->p.client_msg_id);
	buf_append_char(out, ',');
	sql_time(out, m->created_ms);
	if (whole || m->sent_hash.s != NULL) {
		buf_append_char(out, ',');
		sql_str(out, m->media_url);
		buf_append_char(out, ',');
		sql_str(out, m->extra);
		buf_append_char(out, ',');
		if (m->reply_to != 0)
			sql_u64(out, m->reply_to);
		else
			sql_lit(out, "NULL");
		buf_append_char(out, ',');
		sql_str(out, m->mentions);
		buf_append_char(out, ',');
		sql_str(out, m->entities);
		buf_append_char(out, ',');
		sql_str(out, m->forwarded_from);
	}
	if (m->expires_ms != 0 || m->sent_hash.s != NULL)
		append_expiry(out, m);
	if (m->sent_hash.s != NULL) {
		buf_append_char(out, ',');
		sql_bytes(out, m->sent_hash);
	}
	buf_append_char(out, ')');
}

/* A repeat of what has an id of our making is known by that alone. */
static struct str hash_replaced(struct op_send *o)
{
	if (o->p.replaced.s == NULL || o->hidden_id)
		return STR_NULL;
	sent_hash(&o->p, o->sent_hash);
	return (struct str){(const char *)o->sent_hash, sizeof(o->sent_hash)};
}

static void plan_new(struct batch *b, struct op_send *o, struct member *from)
{
	struct conv *c = from->conv;
	bool replaced = o->p.replaced.s != NULL;
	int64_t at = b->now_ms > c->last_ms ? b->now_ms : c->last_ms;
	o->gap_ms = c->last_seq > 0 ? at - c->last_ms : INT64_MAX;
	c->last_seq++;
	c->last_ms = at;
	c->sort_ms = b->active_ms > c->sort_ms ? b->active_ms : c->sort_ms;
	c->dirty = c->used = true;

	o->message = (struct message){
		.id = message_id_make(c->id, c->last_seq),
		.type = o->p.type,
		.content = replaced ? o->p.replaced : o->p.content,
		.media_url = o->p.media_url,
		.extra = o->p.extra,
		.entities = replaced ? o->p.replaced_entities : o->p.entities,
		.sent_hash = hash_replaced(o),
		.client_msg_id = o->hidden_id ? STR_NULL : o->p.client_msg_id,
		.forwarded_from = o->p.forwarded_from,
		.reply_to = o->p.reply_to,
		.created_ms = at,
		.expires_in_secs = o->p.expires_in_secs,
	};
	uint64_t secs = o->p.expires_in_secs != 0 ? o->p.expires_in_secs : c->expires_in_secs;
	if (secs != 0)
		o->message.expires_ms = at + (int64_t)secs * 1000;
	memcpy(o->message.from, o->p.from.s, o->p.from.len);
	if (o->p.to.s != NULL)
		memcpy(o->message.to, o->p.to.s, o->p.to.len);
	c->kind->sent(b, from, &o->message);
	mention_note(b, &(struct mention_list){o->p.mention, o->p.mention_count, o->p.mentions_all}, STR_NULL,
		     o->mentions, from, &o->message);
	o->result = &o->message;
	o->replayed = o->looked = false;
	o->op.planned = true;
	append_values(b, o);
	if (o->message.expires_ms != 0)
		batch_note_expiry(b, &o->message);
	if (o->p.parts.of.s != NULL)
		parts_write(b, &o->p.parts, o->message.id);
	if (uses_file(o->p.media_url))
		uses_write(b, o->p.media_url, o->message.id);
	batch_note_told(b, &o->op, OUTBOX_SENT, o->message.id);
	b->sends++;
	if (!o->made_id)
		batch_note_sent(b, o->p.from, o->p.client_msg_id, &o->op);
}

/* It was not found and will not be sent. Or it is still to come, and is looked for once more; a guess has a
 * conversation.
 */
static enum op_verdict not_sent(const struct batch *b, struct op *op, enum store_status status)
{
	op->late = op_conv(op)->id != 0 && op->late_until_usecs > b->begun_usecs;
	return op->late ? OP_PUT_OFF : end(op, status);
}

static enum op_verdict send_plan(struct batch *b, struct op *op)
{
	struct op_send *o = container_of(op, struct op_send, op);
	struct conv *c = op_conv(op);
	const struct sent *found = batch_sent(b, o->p.from, o->p.client_msg_id);
	if (found != NULL)
		return plan_repeat(b, o, found);
	/* Without a row to lock, the transaction of a dead process may still make the conversation and send. */
	bool unseen = op->inherited && c->id == 0;
	if (op->settling)
		return not_sent(b, op, unseen ? STORE_UNKNOWN : STORE_UNAVAILABLE);
	if (op->looks) {
		o->looked = true;
		return OP_PUT_OFF;
	}
	struct conv_send check = {.p = &o->p};
	if (!c->kind->check_send(b, c, &check))
		return OP_PUT_OFF;
	o->retry_ms = check.retry_ms;
	if (check.status != STORE_OK)
		return not_sent(b, op, unseen ? STORE_UNKNOWN : check.status);
	uint64_t reply_seq = message_id_seq(o->p.reply_to);
	if (o->p.reply_to != 0 &&
	    (message_id_conversation(o->p.reply_to) != c->id || reply_seq == 0 || reply_seq > c->last_seq))
		return not_sent(b, op, STORE_BAD_REPLY);
	if (c->last_seq >= MESSAGE_SEQ_MAX || c->id > CONVERSATION_ID_MAX)
		return not_sent(b, op, STORE_FULL);
	if (o->p.parts.of.s != NULL && !parts_are_there(b, &o->p.parts, o->parts))
		return not_sent(b, op, STORE_RECALLED);
	if (uses_file(o->p.media_url) && o->file == 0)
		return not_sent(b, op, STORE_NO_FILE);
	plan_new(b, o, check.from);
	return end(op, STORE_OK);
}

static void send_answer(struct op *op)
{
	struct op_send *o = container_of(op, struct op_send, op);
	bool done = op->status == STORE_OK;
	/* It may never have been planned here. */
	if (op->status == STORE_UNKNOWN) {
		memcpy(o->message.from, o->p.from.s, o->p.from.len);
		if (o->p.to.s != NULL)
			memcpy(o->message.to, o->p.to.s, o->p.to.len);
		else if (o->message.id == 0)
			o->message.id = message_id_make(o->p.conversation_id, 0);
	}
	const struct store_sent r = {
		.status = op->status,
		.replayed = done && o->replayed,
		.message = done				 ? o->result
			   : op->status == STORE_UNKNOWN ? &o->message
							 : NULL,
		.gap_ms = done && !o->replayed ? o->gap_ms : INT64_MAX,
		.retry_ms = op->status == STORE_MUTED || op->status == STORE_SLOW_MODE ? o->retry_ms : 0,
	};
	o->fn(&r, o->arg);
}

static const struct op_class send_class = {
	.name = "send",
	.enter = send_enter,
	.makes = send_makes,
	.guess = send_guess,
	.plan = send_plan,
	.answer = send_answer,
	.tells = true,
};

uint64_t batch_sent_by_others(const struct batch *b, const struct conv *c, struct str user, uint64_t up_to_seq)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < b->count; i++) {
		const struct op_send *o = container_of(b->op[i], struct op_send, op);
		n += o->op.class == &send_class && o->op.planned && op_conv(&o->op) == c &&
		     !str_equal(o->p.from, user) && message_id_seq(o->message.id) <= up_to_seq;
	}
	return n;
}

/* ---- from outside ---- */

/* What the database copies counts as if it came from here. More than a batch may have is a batch of its own. */
static size_t parts_share(const struct store_parts *p)
{
	return p->bytes < BATCH_BYTES_MAX ? (size_t)p->bytes : BATCH_BYTES_MAX;
}

static struct op_send *send_new(const struct store_send *p)
{
	struct str mention[STORE_MENTIONS_MAX];
	size_t mentions = mention_keep(&(struct mention_list){p->mention, p->mention_count, p->mentions_all}, mention);
	size_t mention_bytes = mention_room(mention, mentions);
	size_t extra = p->from.len + p->to.len + p->content.len + p->media_url.len + p->extra.len + p->entities.len +
		       p->client_msg_id.len + p->replaced.len + p->replaced_entities.len + p->forwarded_from.len +
		       p->parts.of.len + mentions * sizeof(mention[0]) + 2 * mention_bytes;
	char *tail;
	struct op_send *o = op_new(&send_class, sizeof(*o), extra, &tail);
	struct str *kept = (struct str *)(void *)tail;
	tail += mentions * sizeof(*kept);
	for (size_t i = 0; i < mentions; i++)
		kept[i] = op_keep(&tail, mention[i]);
	o->mentions = tail;
	tail += mention_bytes;
	o->p = (struct store_send){
		.from = op_keep(&tail, p->from),
		.to = op_keep(&tail, p->to),
		.conversation_id = p->conversation_id,
		.type = p->type,
		.content = op_keep(&tail, p->content),
		.media_url = op_keep(&tail, p->media_url),
		.extra = op_keep(&tail, p->extra),
		.entities = op_keep(&tail, p->entities),
		.client_msg_id = op_keep(&tail, p->client_msg_id),
		.reply_to = p->reply_to,
		.mention = kept,
		.mention_count = mentions,
		.mentions_all = p->mentions_all,
		.expires_in_secs = p->expires_in_secs,
		.replaced = op_keep(&tail, p->replaced),
		.replaced_entities = op_keep(&tail, p->replaced_entities),
		.forwarded_from = op_keep(&tail, p->forwarded_from),
		.parts = p->parts,
		.by_operator = p->by_operator,
	};
	o->p.parts.of = op_keep(&tail, p->parts.of);
	o->op.bytes += mentions * MENTION_BYTES + parts_share(&p->parts);
	return o;
}

void lane_send(struct lane *l, const struct store_send *p, enum lane_past past, store_sent_fn *fn, void *arg)
{
	struct op_send *o = send_new(p);
	bool direct = p->to.s != NULL;
	uint64_t group = p->conversation_id;
	o->fn = fn;
	o->arg = arg;
	o->hidden_id = p->client_msg_id.len > 0 && p->client_msg_id.s[0] == ' ';
	o->made_id = o->hidden_id && !forward_id_is(p->client_msg_id);
	o->looked = past != LANE_FRESH;
	o->gap_ms = INT64_MAX;
	/* The dead process may have guessed it just now. */
	if (direct && past != LANE_FRESH)
		o->op.late_until_usecs = clock_usecs() + GUESS_LATE_MS * 1000;
	if (!id_user_valid(p->from) || p->client_msg_id.len == 0 || p->client_msg_id.len > CLIENT_MSG_ID_MAX ||
	    (direct && (!id_user_valid(p->to) || str_equal(p->from, p->to))))
		lane_refuse(l, &o->op, STORE_NOT_FRIENDS);
	else if ((p->type == MESSAGE_FORWARD) != (p->parts.of.s != NULL) || !parts_valid(&p->parts))
		lane_refuse(l, &o->op, STORE_NOT_FOUND);
	else if (!direct && (!conversation_is_group(group) || group > CONVERSATION_ID_MAX))
		lane_refuse(l, &o->op, STORE_NOT_FOUND);
	else if (!direct)
		lane_submit(l, &o->op, past, op_key_of_id(&group));
	else {
		struct pair_key key = pair_key_make(o->p.from, o->p.to);
		lane_submit(l, &o->op, past, (struct str){key.text, key.len});
	}
}
