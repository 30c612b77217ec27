/* SPDX-License-Identifier: BSD-2-Clause */
/* People, what they ask for, and how often they ask again. */
#include "core/base.h"
#include "crowd_priv.h"

#include <event2/event.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "pace.h"
#include "token.h"

#define TICK_MS 20
/* So many requests of a person may wait for their answers before new things are begun. */
#define OPS_MAX 4
/* No answer by WebSocket in that time counts as none. */
#define ANSWER_MAX_MS 6000
#define RECALL_WITHIN_MS 60000
/* Which messages may be sent again: the last ones, this many. */
#define REPEAT_AMONG 20
/* What is deleted has come to everybody before. */
#define DELETE_AFTER_MS 1000

struct instant crowd_now(void)
{
	return (struct instant){pace_real_ms(), pace_fair_ms()};
}

unsigned short crowd_port(struct crowd *c, struct rng *rng)
{
	return proxy_port(c->stack->node[rng_below(rng, c->stack->nodes)].clients);
}

bool crowd_friends(unsigned users, unsigned a, unsigned b)
{
	unsigned apart = a > b ? a - b : b - a;
	return a != b && (apart <= 2 || apart >= users - 2 || (a == 0 && b % 5 == 0) || (b == 0 && a % 5 == 0));
}

/* ---- what is asked for ---- */

bool crowd_is_group(const struct crowd *c, unsigned party)
{
	return party >= c->users;
}

const char *op_name(enum op_kind kind)
{
	static const char *const names[] = {"send",	  "read",     "recall",		"deletion", "edit",
					    "reaction",	  "pin",      "new group",	"adding",   "joining",
					    "leaving",	  "removing", "renaming",	"role",	    "passing on",
					    "dissolving", "invite",   "look at a group"};
	return names[kind];
}

struct op *op_new(struct person *p, enum op_kind kind, unsigned party)
{
	struct op *op = xcalloc(1, sizeof(*op));
	op->kind = kind;
	op->peer = party;
	op->message = UINT_MAX;
	if (crowd_is_group(p->crowd, party))
		op->asked_seq = record_last_seq(p->crowd->record, p->user, party);
	op->id = p->crowd->next_op++;
	op->home = &p->device[rng_below(&p->rng, p->devices)];
	op->first = crowd_now();
	TAILQ_INSERT_TAIL(&p->op, op, entry);
	p->ops++;
	return op;
}

static void op_free(struct person *p, struct op *op)
{
	TAILQ_REMOVE(&p->op, op, entry);
	p->ops--;
	free(op);
}

static struct op *op_find(struct person *p, unsigned id)
{
	struct op *op;
	TAILQ_FOREACH (op, &p->op, entry)
		if (op->id == id)
			return op;
	return NULL;
}

/* An HTTP request's way back to what it is for, which may be answered by then. */
struct op_call {
	struct person *person;
	struct op op;	 /* as it was */
	unsigned change; /* of a group: this try, in the record */
};

static void on_op_answer(int status, const struct json *body, void *arg)
{
	struct op_call *call = arg;
	const struct json *code_json = json_get(body, "code");
	struct str code = code_json != NULL ? code_json->text : STR_NULL;
	if (call->change != UINT_MAX)
		crowd_change_answered(call->person, &call->op, call->change, status, code, body);
	op_answered(call->person, call->op.id, status, code, body, NULL);
	free(call);
}

static void put_recipient(struct person *p, const struct op *op, const struct message *m)
{
	struct crowd *c = p->crowd;
	struct buf *b = &c->text;
	if (!crowd_is_group(c, op->peer)) {
		buf_printf(b, "\"to_user_id\":\"p%u\"", op->peer);
		return;
	}
	buf_printf(b, "\"conversation_id\":\"%" PRIu64 "\"", record_conversation(c->record, p->user, op->peer));
	if (m->mention == MENTION_ALL)
		buf_printf(b, ",\"mentions\":[\"*\"]");
	else if (m->mention != MENTION_NONE)
		buf_printf(b, ",\"mentions\":[\"p%u\"]", m->mention);
}

static struct str frame_of(struct person *p, const struct op *op, const struct message *m)
{
	static const char *const types[] = {"send", "read", "recall", "delete", "edit", "react"};
	struct buf *b = &p->crowd->text;
	char text[64];
	buf_clear(b);
	buf_printf(b, "{\"type\":\"%s\",\"ref\":\"o%u\",", types[op->kind], op->id);
	if (op->kind == OP_SEND) {
		put_recipient(p, op, m);
		record_text(p->crowd->record, op->message, false, text);
		buf_printf(b, ",\"message_type\":\"text\",\"client_msg_id\":\"m%u\",\"content\":\"%s\"}", op->message,
			   text);
	} else if (op->kind == OP_READ) {
		buf_printf(b, "\"conversation_id\":\"%" PRIu64 "\",\"up_to_seq\":%u}",
			   record_conversation(p->crowd->record, p->user, op->peer), op->up_to);
	} else if (op->kind == OP_EDIT) {
		record_text(p->crowd->record, op->message, true, text);
		buf_printf(b, "\"message_id\":\"%" PRIu64 "\",\"content\":\"%s\"}", m->id, text);
	} else {
		buf_printf(b, "\"message_id\":\"%" PRIu64 "\"%s}", m->id,
			   op->kind == OP_REACT ? ",\"emoji\":\"\xf0\x9f\x91\x8d\"" : "");
	}
	return (struct str){b->data, b->len};
}

static void op_call(struct person *p, const struct op *op, const struct message *m)
{
	struct crowd *c = p->crowd;
	struct op_call *call = xcalloc(1, sizeof(*call));
	struct str body = STR_NULL;
	char path[128];
	const char *method = op->kind == OP_SEND ? "POST" : op->kind == OP_DELETE ? "DELETE" : "PUT";
	call->person = p;
	call->op = *op;
	call->change = UINT_MAX;
	switch (op->kind) {
	case OP_SEND:
		body = frame_of(p, op, m);
		snprintf(path, sizeof(path), "/messages/send");
		break;
	case OP_READ:
		body = frame_of(p, op, m);
		snprintf(path, sizeof(path), "/messages/conversations/%" PRIu64 "/read",
			 record_conversation(c->record, p->user, op->peer));
		break;
	case OP_RECALL:
		snprintf(path, sizeof(path), "/messages/%" PRIu64 "/recall", m->id);
		break;
	case OP_EDIT:
		body = frame_of(p, op, m);
		snprintf(path, sizeof(path), "/messages/%" PRIu64, m->id);
		break;
	case OP_DELETE:
		snprintf(path, sizeof(path), "/messages/%" PRIu64, m->id);
		break;
	case OP_REACT:
		snprintf(path, sizeof(path), "/messages/%" PRIu64 "/reactions/%%F0%%9F%%91%%8D", m->id);
		break;
	case OP_PIN:
		snprintf(path, sizeof(path), "/messages/%" PRIu64 "/pin", m->id);
		break;
	default:
		body = crowd_group_request(p, op, path, &method);
		if (op->event.is != EVENT_NONE)
			call->change = record_change(c->record, op->peer, p->user, &op->event);
		break;
	}
	wire_call(crowd_port(c, &p->rng), method, path, p->token, body, CALL_TIMEOUT_MS, on_op_answer, call);
}

static void op_try(struct person *p, struct op *op)
{
	struct crowd *c = p->crowd;
	const struct message *m = op->message == UINT_MAX ? NULL : record_message(c->record, op->message);
	struct device_of *d = op->home;
	op->in_flight = true;
	op->tried_ms = pace_real_ms();
	if (op->tries++ > 0)
		record_tally(c->record)->retried++;
	if (op->kind < OP_PIN && d->state == DEVICE_OPEN && rng_percent(&p->rng, 65)) {
		op->via = d;
		wire_send(d->wire, frame_of(p, op, m));
	} else {
		op->via = NULL;
		op_call(p, op, m);
	}
}

static void op_later(struct person *p, struct op *op)
{
	unsigned times = op->tries < 6 ? op->tries : 6;
	op->in_flight = false;
	op->via = NULL;
	op->try_at_ms = pace_real_ms() + rng_between(&p->rng, 50, 100 + 250 * (int)times);
}

void ops_lost(struct person *p, const struct device_of *via)
{
	struct op *op;
	TAILQ_FOREACH (op, &p->op, entry)
		if (op->in_flight && op->via == via)
			op_later(p, op);
}

/* ---- answers ---- */

static void send_done(struct person *p, struct op *op, int status, const struct json *body)
{
	struct crowd *c = p->crowd;
	struct sight s;
	if (!record_read_sight(c->record, body, &s))
		return;
	device_meet(op->home, &s);
	record_acked(c->record, op->home->number, op->message, &s, status == 200, crowd_now());
}

static void read_done(struct person *p, struct op *op, const struct json *body)
{
	int64_t seq;
	if (json_int(json_get(body, "read_seq"), &seq) != 0) {
		record_violate(p->crowd->record, "p%u: an answer to read without read_seq", p->user);
		return;
	}
	/* To send to a group reads it too, and so does coming in. */
	if (seq > p->read_tried[op->peer] && !crowd_is_group(p->crowd, op->peer))
		record_violate(p->crowd->record,
			       "p%u has read the conversation with p%u up to %" PRId64 ", and asked for %u", p->user,
			       op->peer, seq, p->read_tried[op->peer]);
	/* Answers may come in another order than they were given in. */
	if (seq < op->done || seq < op->up_to)
		record_violate(p->crowd->record,
			       "p%u: read_seq of the conversation with %s went back from %u to %" PRId64
			       ", asked for %u",
			       p->user, record_party_name(p->crowd->record, op->peer).is, op->done, seq, op->up_to);
	if (seq > p->read_done[op->peer])
		p->read_done[op->peer] = (uint32_t)seq;
	record_tally(p->crowd->record)->reads++;
}

static enum mark mark_of(enum op_kind kind)
{
	return kind == OP_RECALL ? MARK_RECALLED
	       : kind == OP_EDIT ? MARK_EDITED
	       : kind == OP_PIN	 ? MARK_PINNED
				 : MARK_REACTED;
}

static void op_done(struct person *p, struct op *op, int status, const struct json *body)
{
	struct record *r = p->crowd->record;
	switch (op->kind) {
	case OP_SEND:
		send_done(p, op, status, body);
		break;
	case OP_READ:
		read_done(p, op, body);
		break;
	case OP_RECALL:
	case OP_EDIT:
	case OP_REACT:
	case OP_PIN:
		record_marked(r, op->home->number, op->message, mark_of(op->kind), crowd_now());
		record_tally(r)->marks[mark_of(op->kind)]++;
		break;
	case OP_DELETE:
		record_deleted(r, op->message, p->user);
		break;
	default:
		crowd_group_done(p, op, body);
		break;
	}
	op_free(p, op);
}

bool crowd_is_passing(int status, struct str code)
{
	return status == 0 || status == 408 || status == 429 || status == 503 || str_is(code, "unavailable") ||
	       str_is(code, "overloaded") || str_is(code, "rate_limited");
}

void op_answered(struct person *p, unsigned id, int status, struct str code, const struct json *body,
		 struct device_of *via)
{
	struct op *op = op_find(p, id);
	/* It was asked for twice, and the other answer came first. */
	if (op == NULL)
		return;
	if (status / 100 == 2) {
		op_done(p, op, status, body);
	} else if (crowd_is_passing(status, code)) {
		/* An earlier try may still be answered well. */
		if (op->in_flight && op->via == via)
			op_later(p, op);
	} else if (op->kind == OP_RECALL && str_is(code, "recall_expired")) {
		op_free(p, op);
	} else {
		if (!crowd_is_group(p->crowd, op->peer) || !crowd_may_refuse(p, op, code))
			record_violate(p->crowd->record, "p%u: a %s (%s, m%d) was refused: %d %.*s", p->user,
				       op_name(op->kind), record_party_name(p->crowd->record, op->peer).is,
				       (int)op->message, status, (int)code.len, code.s != NULL ? code.s : "");
		op_free(p, op);
	}
}

/* ---- what people do ---- */

static void begin_send(struct person *p, unsigned party)
{
	struct op *op = op_new(p, OP_SEND, party);
	unsigned mention = crowd_is_group(p->crowd, party) ? crowd_choose_mention(p, party) : MENTION_NONE;
	op->message = record_send(p->crowd->record, p->user, party, mention, op->first);
	op_try(p, op);
}

/* A client that has missed the acknowledgement: the message stays one, also where its sender is in the group no more.
 */
static void begin_repeat(struct person *p, unsigned party)
{
	struct record *r = p->crowd->record;
	uint32_t last = record_last_seq(r, p->user, party), back = rng_below(&p->rng, REPEAT_AMONG);
	unsigned n = back < last ? record_at(r, p->user, party, last - back) : UINT_MAX;
	if (n == UINT_MAX || record_message(r, n)->from != p->user || !record_message(r, n)->acked)
		return;
	struct op *op = op_new(p, OP_SEND, party);
	op->message = n;
	op_try(p, op);
}

static void begin_read(struct person *p, unsigned party)
{
	struct device_of *d = &p->device[rng_below(&p->rng, p->devices)];
	uint32_t up_to = record_contiguous(p->crowd->record, d->number, party);
	if (up_to == 0 || record_conversation(p->crowd->record, p->user, party) == 0)
		return;
	struct op *op = op_new(p, OP_READ, party);
	op->up_to = up_to;
	op->done = p->read_done[party];
	if (up_to > p->read_tried[party])
		p->read_tried[party] = up_to;
	op_try(p, op);
}

/* Of a group, its owner may recall what anybody has sent. */
static bool may_recall(struct person *p, const struct message *m)
{
	bool is_owner = crowd_is_group(p->crowd, m->to) && record_rank(p->crowd->record, m->to, p->user) == RANK_OWNER;
	return m->tried == m->marks && !(m->tried & MARK_BIT(MARK_RECALLED)) && m->event.is == EVENT_NONE &&
	       ((m->from == p->user && pace_real_ms() - m->sent.real_ms <= RECALL_WITHIN_MS) ||
		(is_owner && rng_percent(&p->rng, 30)));
}

/* Nothing that is under way may be refused because of another. */
static bool may_mark(struct person *p, unsigned n, enum op_kind kind)
{
	const struct message *m = record_message(p->crowd->record, n);
	if ((m->tried & (MARK_BIT(MARK_RECALLED) | MARK_BIT(mark_of(kind)))) || m->event.is != EVENT_NONE ||
	    record_deletion(p->crowd->record, n, p->user) != NULL)
		return false;
	switch (kind) {
	case OP_EDIT:
		/* An edit that does not say whom it mentions mentions nobody. */
		return m->from == p->user && m->mention == MENTION_NONE;
	case OP_PIN:
		return !crowd_is_group(p->crowd, m->to);
	default:
		return true;
	}
}

static void begin_change(struct person *p, unsigned party, enum op_kind kind)
{
	struct record *r = p->crowd->record;
	uint32_t last = record_last_seq(r, p->user, party);
	if (last == 0)
		return;
	uint32_t seq = last - rng_below(&p->rng, last < 12 ? last : 12);
	unsigned n = record_at(r, p->user, party, seq);
	if (n == UINT_MAX || (crowd_is_group(p->crowd, party) && seq < record_first_seq(r, party, p->user)))
		return;
	const struct message *m = record_message(r, n);
	if (kind == OP_RECALL) {
		if (!may_recall(p, m))
			return;
		record_mark_tried(r, n, MARK_RECALLED);
	} else if (kind != OP_DELETE) {
		if (!may_mark(p, n, kind))
			return;
		record_mark_tried(r, n, mark_of(kind));
	} else {
		if (record_deletion(r, n, p->user) != NULL || m->tried != m->marks ||
		    pace_fair_ms() - m->known.fair_ms < DELETE_AFTER_MS)
			return;
		record_delete_tried(r, n, p->user);
	}
	struct op *op = op_new(p, kind, party);
	op->message = n;
	op_try(p, op);
}

static unsigned choose_party(struct person *p)
{
	unsigned group = rng_percent(&p->rng, 45) ? crowd_choose_group(p) : UINT_MAX;
	return group != UINT_MAX ? group : p->friend_of[rng_below(&p->rng, p->friends)];
}

/* Also one that the user has left; `party` where there are none. */
static unsigned any_group(struct person *p, unsigned party)
{
	struct crowd *c = p->crowd;
	return c->groups > 0 ? c->group[rng_below(&p->rng, c->groups)].party : party;
}

static void person_act(struct person *p)
{
	unsigned party = choose_party(p), what = rng_below(&p->rng, 100);
	struct device_of *d = &p->device[rng_below(&p->rng, p->devices)];
	if (what < 60) {
		begin_send(p, party);
	} else if (what < 71) {
		begin_change(p, party, what < 64 ? OP_EDIT : what < 68 ? OP_REACT : OP_PIN);
	} else if (what < 74) {
		begin_repeat(p, rng_percent(&p->rng, 50) ? party : any_group(p, party));
	} else if (what < 81) {
		begin_read(p, party);
	} else if (what < 85) {
		begin_change(p, party, OP_RECALL);
	} else if (what < 88) {
		begin_change(p, party, OP_DELETE);
	} else if (what < 95) {
		crowd_change_group(p);
	} else if (d->state == DEVICE_OPEN && !record_device_waits(p->crowd->record, d->number)) {
		/* It misses nothing that it should have got, so that this hides nothing. */
		device_drop(d, rng_between(&p->rng, 0, 1500));
	}
}

static void person_tick(struct person *p, int64_t now)
{
	struct op *op, *next;
	for (unsigned i = 0; i < p->devices; i++)
		device_tick(&p->device[i], now);
	for (op = TAILQ_FIRST(&p->op); op != NULL; op = next) {
		next = TAILQ_NEXT(op, entry);
		if (op->in_flight && now - op->tried_ms > ANSWER_MAX_MS + (op->via == NULL ? 1000 : 0))
			op_later(p, op);
		else if (!op->in_flight && now >= op->try_at_ms)
			op_try(p, op);
	}
	if (p->crowd->talks && !p->away && now >= p->act_at_ms) {
		p->act_at_ms = now + rng_between(&p->rng, 0, (int)(2 * p->crowd->pause_ms));
		if (p->ops < OPS_MAX)
			person_act(p);
	}
}

static void note_ghosts(struct person *p)
{
	struct crowd *c = p->crowd;
	for (unsigned i = 0; i < p->devices; i++) {
		for (unsigned f = 0; f < p->friends; f++) {
			unsigned u = p->friend_of[f];
			struct place *at = &p->device[i].place[u];
			if (!c->person[u].away || !at->shown_online) {
				at->ghost_since_ms = -1;
				at->ghost_told = false;
			} else if (at->ghost_since_ms < 0) {
				at->ghost_since_ms = pace_fair_ms();
			}
		}
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct crowd *c = arg;
	int64_t now = pace_real_ms();
	(void)fd;
	(void)what;
	for (unsigned u = 0; u < c->users; u++) {
		person_tick(&c->person[u], now);
		note_ghosts(&c->person[u]);
	}
}

/* ---- from outside ---- */

static void person_init(struct crowd *c, unsigned user, uint64_t seed)
{
	struct person *p = &c->person[user];
	p->crowd = c;
	p->user = user;
	p->rng = rng_make(seed, 1000 + user);
	p->token = token_for(user, STACK_SECRET);
	p->act_at_ms = rng_between(&p->rng, 0, (int)(2 * c->pause_ms));
	p->read_tried = xcalloc(c->users + c->groups, sizeof(*p->read_tried));
	p->read_done = xcalloc(c->users + c->groups, sizeof(*p->read_done));
	p->friend_of = xcalloc(c->users, sizeof(*p->friend_of));
	TAILQ_INIT(&p->op);
	for (unsigned u = 0; u < c->users; u++)
		if (crowd_friends(c->users, user, u))
			p->friend_of[p->friends++] = u;
	p->devices = 1 + (user % 2 == 0) + (user % 6 == 0);
	for (unsigned i = 0; i < p->devices; i++)
		device_init(&p->device[i], p, i);
}

struct crowd *crowd_new(struct event_base *base, struct stack *stack, struct record *record,
			const struct crowd_options *o)
{
	static const struct timeval every = {.tv_usec = TICK_MS * 1000};
	struct crowd *c = xcalloc(1, sizeof(*c));
	c->base = base;
	c->stack = stack;
	c->record = record;
	c->users = o->users;
	c->pause_ms = (int64_t)(1000.0 * o->users / o->sends_per_second);
	c->person = xcalloc(o->users, sizeof(*c->person));
	crowd_groups_init(c, o->groups);
	for (unsigned u = 0; u < o->users; u++)
		person_init(c, u, o->seed);
	c->tick = event_new(base, -1, EV_PERSIST, on_tick, c);
	event_add(c->tick, &every);
	return c;
}

void crowd_free(struct crowd **crowd)
{
	struct crowd *c = *crowd;
	struct op *op;
	if (c == NULL)
		return;
	event_free(c->tick);
	for (unsigned u = 0; u < c->users; u++) {
		struct person *p = &c->person[u];
		for (unsigned i = 0; i < p->devices; i++)
			device_fini(&p->device[i]);
		while ((op = TAILQ_FIRST(&p->op)) != NULL)
			op_free(p, op);
		free(p->token);
		free(p->friend_of);
		free(p->read_tried);
		free(p->read_done);
	}
	buf_fini(&c->text);
	free(c->group);
	free(c->person);
	free(c);
	*crowd = NULL;
}

void crowd_talk(struct crowd *c, bool talk)
{
	c->talks = talk;
}

void crowd_set_faulty(struct crowd *c, bool faulty)
{
	c->faulty = faulty;
}
