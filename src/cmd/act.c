/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done to one message after it was sent: a table has what is told of each act, and whom. How to add one: its
 * row, and in table.c its commands, whose variant it is.
 */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/event.h"
#include "api/render.h"
#include "cmd/before_send.h"
#include "cmd/content.h"
#include "cmd/group.h"
#include "cmd/operator.h"
#include "live/group.h"
#include "live/push.h"
#include "live/session.h"
#include "store/reactions.h"

struct telling {
	/* The event for the others, of a change that was made. */
	void (*push)(struct request *r, const struct store_change *c);
	void (*answer)(struct request *r, const struct store_change *c);
	bool counts;  /* it is told to as many as a message, and costs its user as much */
	bool private; /* nobody but its user is concerned */
};
static const struct telling tellings[ACTS];

/* ---- what is asked ---- */

const struct problem *act_check(struct request *r, union command_args *a)
{
	a->act.act = (enum act)r->cmd->variant;
	a->act.by_operator = r->cmd->access == ACCESS_ADMIN;
	a->act.user = a->act.by_operator ? STR_LIT(OPERATOR_USER) : request_user(r);
	return request_id(r, "message_id", &a->act.id);
}

const struct problem *edit_check(struct request *r, union command_args *a)
{
	struct store_act *e = &a->act;
	struct content c = {0};
	const struct problem *p = act_check(r, a) ?: content_text_check(r, "content", &c.text) ?: content_marks_check(r, &c);
	if (p != NULL)
		return p;
	if (c.text.s == NULL)
		return request_invalid(r, "content: is missing");
	e->content = c.text;
	e->entities = c.entities;
	e->mention = c.mentions.user;
	e->mention_count = c.mentions.count;
	e->mentions_all = c.mentions.all;
	return NULL;
}

const struct problem *react_check(struct request *r, union command_args *a)
{
	const struct problem *p = act_check(r, a);
	a->act.emoji = r->path_emoji;
	if (p == NULL && r->session != NULL)
		p = request_needs_text(r, "emoji", &a->act.emoji);
	if (p == NULL && !reaction_emoji_valid(a->act.emoji))
		p = request_invalid(r, "emoji: must be " REACTION_EMOJI_RULE);
	return p;
}

static void fail(struct request *r, const struct store_change *c)
{
	const struct message *m = c->message;
	if (tellings[r->cmd->variant].private)
		request_fail_write(r, c->status, request_user(r), STR_NULL);
	else if (m == NULL)
		request_fail_store(r, c->status);
	else if (conversation_is_group(message_id_conversation(m->id)))
		group_fail_write(r, c->status, message_id_conversation(m->id));
	else
		request_fail_write(r, c->status, str_from(m->from), m->to[0] != '\0' ? str_from(m->to) : STR_NULL);
}

static void on_changed(const struct store_change *c, void *arg)
{
	struct request *r = arg;
	const struct telling *t = &tellings[r->cmd->variant];
	if (c->status != STORE_OK) {
		fail(r, c);
		return;
	}
	if (c->changed)
		t->push(r, c);
	if (r->cmd->access == ACCESS_ADMIN)
		request_done(r);
	else
		t->answer(r, c);
}

/* ---- an edit that may be refused or replaced: the message is looked up, for that is what is asked about ---- */

struct edit {
	struct request *r;
	struct question *question;
	struct store_act act;
};

static void on_decided(const struct problem *refusal, struct str content, void *arg)
{
	struct edit *e = arg;
	if (refusal != NULL) {
		request_fail(e->r, refusal);
		return;
	}
	if (content.s != NULL && !str_equal(content, e->act.content)) {
		e->act.entities = content_entities_fitting(e->r, e->act.entities, e->act.content, content);
		e->act.content = content;
	}
	store_act(e->r->live->store, &e->act, on_changed, e->r);
}

/* Nobody is asked about an edit that the store will refuse. */
static bool may_be_edited(const struct edit *e, const struct message *m)
{
	return str_is(e->act.user, m->from) && !m->is_recalled && m->type != MESSAGE_SYSTEM &&
	       m->type != MESSAGE_FORWARD && m->forwarded_from.s == NULL;
}

static void on_message(const struct store_history *h, void *arg)
{
	struct edit *e = arg;
	const struct problem *missing = problem_of_store(h->status == STORE_OK ? STORE_NOT_FOUND : h->status);
	if (h->status != STORE_OK || h->count == 0 || h->item[0].id != e->act.id) {
		before_send_decide(e->question, missing);
		return;
	}
	if (!may_be_edited(e, &h->item[0])) {
		before_send_decide(e->question, NULL);
		return;
	}
	struct message m = h->item[0];
	m.content = e->act.content;
	m.entities = e->act.entities;
	m.mentions = content_mentions_text(
		e->r, &(struct mention_list){e->act.mention, e->act.mention_count, e->act.mentions_all});
	before_send_ask(e->question, &m);
}

static void edit_ask(struct request *r, const struct store_act *act)
{
	struct arena *a = &r->arena;
	struct edit *e = arena_alloc(a, sizeof(*e));
	struct str *mention = arena_alloc(a, act->mention_count * sizeof(*mention));
	for (size_t i = 0; i < act->mention_count; i++)
		mention[i] = arena_str(a, act->mention[i]);
	e->r = r;
	e->act = *act;
	e->act.content = arena_str(a, act->content);
	e->act.mention = mention;
	e->question = before_send_enter(r, on_decided, e);
	store_list_messages(r->live->store, request_user(r), message_id_conversation(act->id),
			    message_id_seq(act->id) + 1, STORE_NO_AFTER, 1, on_message, e);
}

static void on_membership(enum store_status status, uint64_t count, void *arg)
{
	if (status != STORE_OK || count == 0)
		request_fail_store(arg, status != STORE_OK ? status : STORE_NOT_FOUND);
	else
		request_fail(arg, &group_fanout_problem);
}

/*
 * What counts as a message waits while its group owes tokens of the fan-out; but strangers learn nothing of that, so
 * they are told apart from members first.
 */
void act_proceed(struct request *r, const union command_args *a)
{
	struct live *live = r->live;
	uint64_t id = message_id_conversation(a->act.id);
	bool counts = tellings[r->cmd->variant].counts && !a->act.by_operator;
	if (counts && !send_take_rate(r))
		send_fail_rate(r);
	else if (counts && conversation_is_group(id) && (r->retry_ms = group_wait_fanout(live, id)) != 0)
		store_is_member(live->store, request_user(r), id, on_membership, r);
	else if (a->act.act == ACT_EDIT && r->api->before_send != NULL)
		edit_ask(r, &a->act);
	else
		store_act(live->store, &a->act, on_changed, r);
}

/* ---- what is told ---- */

static struct json_out *begin_event(struct request *r, const char *type, const struct message *m)
{
	struct json_out *o = event_begin_in(r->live, type, message_id_conversation(m->id));
	json_put_id(o, "message_id", m->id);
	return o;
}

/* The event that was begun goes to all who have the message, or to the sender's other sessions alone. */
static void push(struct request *r, const struct message *m, bool to_sender_alone)
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

static void push_read(struct request *r, const struct store_change *c)
{
	const struct message *m = c->message;
	struct json_out *o = event_begin_in(r->live, "read", message_id_conversation(m->id));
	json_put_cstr(o, "reader_id", m->to);
	json_key(o, "up_to_seq");
	json_null(o);
	json_key(o, "message_ids");
	json_array(o);
	json_id(o, m->id);
	json_array_end(o);
	json_put_time(o, "read_at", m->read_ms);
	push(r, m, false);
}

static void push_recalled(struct request *r, const struct store_change *c)
{
	event_begin_recalled(r->live, c);
	push(r, c->message, false);
}

static void push_deleted(struct request *r, const struct store_change *c)
{
	begin_event(r, "deleted", c->message);
	push_to(r->live, request_user(r), (struct push_place){BUS_CHANGE, c->message->id}, event_end(r->live),
		request_session(r));
}

static void push_edited(struct request *r, const struct store_change *c)
{
	struct json_out *o = event_begin(r->live, "edited");
	json_key(o, "message");
	render_message(o, c->message);
	json_put_u64(o, "change_seq", c->change_seq);
	push(r, c->message, c->hidden);
}

static void push_reaction(struct request *r, const struct store_change *c)
{
	event_begin_reaction(r->live, c, r->cmd->variant == ACT_REACT);
	push(r, c->message, false);
}

static void push_pinned(struct request *r, const struct store_change *c)
{
	struct json_out *o = begin_event(r, "pinned", c->message);
	json_put_bool(o, "pinned", r->cmd->variant == ACT_PIN);
	json_put_cstr(o, "by", r->user);
	json_put_u64(o, "change_seq", c->change_seq);
	push(r, c->message, false);
}

/* ---- what is answered ---- */

static void answer_message(struct request *r, const struct store_change *c)
{
	request_answer_message(r, 200, c->message);
}

static void answer_reactions(struct request *r, const struct store_change *c)
{
	struct json_out *o = request_begin(r);
	json_key(o, "reactions");
	render_reactions(o, c->message->reactions);
	request_answer(r, 200);
}

static void answer_done(struct request *r, const struct store_change *c)
{
	(void)c;
	request_done(r);
}

static const struct telling tellings[ACTS] = {
	[ACT_READ] = {push_read, answer_message},
	[ACT_RECALL] = {push_recalled, answer_message},
	[ACT_DELETE] = {push_deleted, answer_done, .private = true},
	[ACT_EDIT] = {push_edited, answer_message, .counts = true},
	[ACT_REACT] = {push_reaction, answer_reactions, .counts = true},
	[ACT_UNREACT] = {push_reaction, answer_reactions, .counts = true},
	[ACT_PIN] = {push_pinned, answer_done, .counts = true},
	[ACT_UNPIN] = {push_pinned, answer_done, .counts = true},
	/* ACT_EXPIRE is no request's: expiry.c. */
};
