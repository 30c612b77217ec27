/* SPDX-License-Identifier: BSD-2-Clause */
/* One message after it was sent: looking at it, reading, recalling, deleting and editing it. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/event.h"
#include "api/render.h"
#include "cmd/content.h"
#include "cmd/group.h"
#include "live/group.h"
#include "live/push.h"
#include "live/session.h"

const struct problem *message_check(struct request *r, union command_args *a)
{
	return request_id(r, "message_id", &a->message_id);
}

static void fail_change(struct request *r, const struct store_change *c)
{
	const struct message *m = c->message;
	if (m == NULL)
		request_fail_store(r, c->status);
	else if (conversation_is_group(message_id_conversation(m->id)))
		group_fail_write(r, c->status, message_id_conversation(m->id));
	else
		request_fail_write(r, c->status, str_from(m->from), m->to[0] != '\0' ? str_from(m->to) : STR_NULL);
}

/* ---- look ---- */

static void on_message(const struct store_history *h, void *arg)
{
	struct request *r = arg;
	if (h->status != STORE_OK)
		request_fail_store(r, h->status);
	else if (h->count == 0 || h->item[0].id != r->path_id)
		request_fail_store(r, STORE_NOT_FOUND);
	else
		request_answer_message(r, 200, &h->item[0]);
}

/* The newest that the caller sees of those up to it: that is the message itself, or it is not the caller's to see. */
void message_proceed(struct request *r, const union command_args *a)
{
	store_list_messages(r->live->store, request_user(r), message_id_conversation(a->message_id),
			    message_id_seq(a->message_id) + 1, STORE_NO_AFTER, 1, on_message, r);
}

/* ---- read ---- */

static void on_message_read(const struct store_change *c, void *arg)
{
	struct request *r = arg;
	struct live *live = r->live;
	if (c->status != STORE_OK) {
		fail_change(r, c);
		return;
	}
	const struct message *m = c->message;
	if (c->changed) {
		struct json_out *o = event_begin_in(live, "read", message_id_conversation(m->id));
		json_key(o, "reader_id");
		json_cstr(o, m->to);
		json_key(o, "up_to_seq");
		json_null(o);
		json_key(o, "message_ids");
		json_array(o);
		json_id(o, m->id);
		json_array_end(o);
		json_key(o, "read_at");
		json_time(o, m->read_ms);
		push_to_both(live, str_from(m->from), str_from(m->to), (struct push_place){BUS_CHANGE, m->id},
			     event_end(live), request_session(r));
	}
	request_answer_message(r, 200, m);
}

void message_read_proceed(struct request *r, const union command_args *a)
{
	store_read_message(r->live->store, request_user(r), a->message_id, on_message_read, r);
}

/* The event that was begun goes to all who have the message, or to the sender's other sessions alone. */
static void push_change(struct request *r, const struct message *m, bool to_sender_alone)
{
	struct live *live = r->live;
	uint64_t conversation_id = message_id_conversation(m->id);
	const struct push_place place = {BUS_CHANGE, m->id};
	if (m->to[0] == '\0') {
		group_fanout_owe(r, conversation_id);
		group_push(live, conversation_id, place, event_end(live), request_session(r));
	} else if (to_sender_alone) {
		push_to(live, str_from(m->from), place, event_end(live), request_session(r));
	} else {
		push_to_both(live, str_from(m->to), str_from(m->from), place, event_end(live), request_session(r));
	}
}

/* ---- recall ---- */

static void push_recalled(struct request *r, const struct store_change *c)
{
	struct live *live = r->live;
	const struct message *m = c->message;
	struct json_out *o = event_begin_in(live, "recalled", message_id_conversation(m->id));
	json_key(o, "message_id");
	json_id(o, m->id);
	json_key(o, "seq");
	json_i64(o, (int64_t)message_id_seq(m->id));
	json_key(o, "change_seq");
	json_i64(o, (int64_t)c->change_seq);
	json_key(o, "recalled_at");
	json_time(o, m->recalled_ms);
	if (m->to[0] == '\0') {
		json_key(o, "by");
		json_str(o, strcmp(m->from, r->user) != 0 ? request_user(r) : STR_NULL);
	}
	push_change(r, m, false);
}

static void on_recalled(const struct store_change *c, void *arg)
{
	struct request *r = arg;
	if (c->status != STORE_OK) {
		fail_change(r, c);
		return;
	}
	if (c->changed)
		push_recalled(r, c);
	request_answer_message(r, 200, c->message);
}

void recall_proceed(struct request *r, const union command_args *a)
{
	store_recall(r->live->store, request_user(r), a->message_id, on_recalled, r);
}

/* ---- edit ---- */

const struct problem *edit_check(struct request *r, union command_args *a)
{
	struct store_edit *e = &a->edit;
	struct content c = {0};
	const struct problem *p =
		request_id(r, "message_id", &e->id) ?: content_text_check(r, &c.text) ?: content_marks_check(r, &c);
	if (p != NULL)
		return p;
	if (c.text.s == NULL)
		return request_invalid(r, "content: is missing");
	e->user = request_user(r);
	e->content = c.text;
	e->entities = c.entities;
	e->mention = c.mentions.user;
	e->mention_count = c.mentions.count;
	e->mentions_all = c.mentions.all;
	return NULL;
}

static void push_edited(struct request *r, const struct store_change *c)
{
	struct live *live = r->live;
	struct json_out *o = event_begin(live, "edited");
	json_key(o, "message");
	render_message(o, c->message);
	json_key(o, "change_seq");
	json_i64(o, (int64_t)c->change_seq);
	push_change(r, c->message, c->hidden);
}

static void on_edited(const struct store_change *c, void *arg)
{
	struct request *r = arg;
	if (c->status != STORE_OK) {
		fail_change(r, c);
		return;
	}
	if (c->changed)
		push_edited(r, c);
	request_answer_message(r, 200, c->message);
}

static void on_membership(enum store_status status, uint64_t count, void *arg)
{
	if (status != STORE_OK || count == 0)
		request_fail_store(arg, status != STORE_OK ? status : STORE_NOT_FOUND);
	else
		request_fail(arg, &group_fanout_problem);
}

/*
 * It is told to as many as a message. So it counts as one, and waits while its group owes tokens of the fan-out; but
 * strangers learn nothing of that, so they are told apart from members first.
 */
void edit_proceed(struct request *r, const union command_args *a)
{
	struct live *live = r->live;
	uint64_t id = message_id_conversation(a->edit.id);
	if (!send_take_rate(r)) {
		send_fail_rate(r);
		return;
	}
	if (conversation_is_group(id) && (r->retry_ms = group_wait_fanout(live, id)) != 0)
		store_is_member(live->store, request_user(r), id, on_membership, r);
	else
		store_edit(live->store, &a->edit, on_edited, r);
}

/* ---- delete ---- */

static void on_deleted(const struct store_change *c, void *arg)
{
	struct request *r = arg;
	struct live *live = r->live;
	if (c->status != STORE_OK) {
		request_fail_write(r, c->status, request_user(r), STR_NULL); /* it is nobody else's business */
		return;
	}
	if (c->changed) {
		struct json_out *o = event_begin_in(live, "deleted", message_id_conversation(c->message->id));
		json_key(o, "message_id");
		json_id(o, c->message->id);
		push_to(live, request_user(r), (struct push_place){BUS_CHANGE, c->message->id}, event_end(live),
			request_session(r));
	}
	request_done(r);
}

void delete_proceed(struct request *r, const union command_args *a)
{
	store_delete(r->live->store, request_user(r), a->message_id, on_deleted, r);
}
