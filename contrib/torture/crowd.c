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

static struct op *op_new(struct person *p, enum op_kind kind)
{
	struct op *op = xcalloc(1, sizeof(*op));
	op->kind = kind;
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
	unsigned id;
};

static void on_op_answer(int status, const struct json *body, void *arg)
{
	struct op_call *call = arg;
	const struct json *code = json_get(body, "code");
	op_answered(call->person, call->id, status, code != NULL ? code->text : STR_NULL, body, NULL);
	free(call);
}

static struct str frame_of(struct person *p, const struct op *op, const struct message *m)
{
	static const char *const types[] = {"send", "read", "recall", "delete"};
	struct buf *b = &p->crowd->text;
	char text[64];
	buf_clear(b);
	buf_printf(b, "{\"type\":\"%s\",\"ref\":\"o%u\",", types[op->kind], op->id);
	if (op->kind == OP_SEND) {
		record_text(p->crowd->record, op->message, text);
		buf_printf(b,
			   "\"to_user_id\":\"p%u\",\"message_type\":\"text\",\"client_msg_id\":\"m%u\",\"content\":\"%"
			   "s\"}",
			   op->peer, op->message, text);
	} else if (op->kind == OP_READ) {
		buf_printf(b, "\"conversation_id\":\"%" PRIu64 "\",\"up_to_seq\":%u}",
			   record_conversation(p->crowd->record, p->user, op->peer), op->up_to);
	} else {
		buf_printf(b, "\"message_id\":\"%" PRIu64 "\"}", m->id);
	}
	return (struct str){b->data, b->len};
}

static void op_call(struct person *p, const struct op *op, const struct message *m)
{
	struct crowd *c = p->crowd;
	struct op_call *call = xcalloc(1, sizeof(*call));
	struct str body = frame_of(p, op, m);
	char path[96];
	const char *method = op->kind == OP_SEND ? "POST" : op->kind == OP_DELETE ? "DELETE" : "PUT";
	call->person = p;
	call->id = op->id;
	switch (op->kind) {
	case OP_SEND:
		snprintf(path, sizeof(path), "/messages/send");
		break;
	case OP_READ:
		snprintf(path, sizeof(path), "/messages/conversations/%" PRIu64 "/read",
			 record_conversation(c->record, p->user, op->peer));
		break;
	case OP_RECALL:
		snprintf(path, sizeof(path), "/messages/%" PRIu64 "/recall", m->id);
		body = STR_NULL;
		break;
	case OP_DELETE:
		snprintf(path, sizeof(path), "/messages/%" PRIu64, m->id);
		body = STR_NULL;
		break;
	}
	wire_call(crowd_port(c, &p->rng), method, path, p->token, body, CALL_TIMEOUT_MS, on_op_answer, call);
}

static void op_try(struct person *p, struct op *op)
{
	struct crowd *c = p->crowd;
	const struct message *m = op->kind == OP_READ ? NULL : record_message(c->record, op->message);
	struct device_of *d = op->home;
	op->in_flight = true;
	op->tried_ms = pace_real_ms();
	if (op->tries++ > 0)
		record_tally(c->record)->retried++;
	if (d->state == DEVICE_OPEN && rng_percent(&p->rng, 65)) {
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
	if (seq > p->read_tried[op->peer])
		record_violate(p->crowd->record,
			       "p%u has read the conversation with p%u up to %" PRId64 ", and asked for %u", p->user,
			       op->peer, seq, p->read_tried[op->peer]);
	if (seq < p->read_done[op->peer])
		record_violate(p->crowd->record,
			       "p%u: read_seq of the conversation with p%u went back from %u to %" PRId64, p->user,
			       op->peer, p->read_done[op->peer], seq);
	else
		p->read_done[op->peer] = (uint32_t)seq;
	record_tally(p->crowd->record)->reads++;
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
		record_recalled(r, op->home->number, op->message, crowd_now());
		record_tally(r)->recalls++;
		break;
	case OP_DELETE:
		record_deleted(r, op->message, p->user);
		break;
	}
	op_free(p, op);
}

static bool is_passing(int status, struct str code)
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
	} else if (is_passing(status, code)) {
		/* An earlier try may still be answered well. */
		if (op->in_flight && op->via == via)
			op_later(p, op);
	} else if (op->kind == OP_RECALL && str_is(code, "recall_expired")) {
		op_free(p, op);
	} else {
		record_violate(p->crowd->record, "p%u: a %s of m%u was refused: %d %.*s", p->user,
			       op->kind == OP_SEND   ? "send"
			       : op->kind == OP_READ ? "read"
						     : "change",
			       op->message, status, (int)code.len, code.s != NULL ? code.s : "");
		op_free(p, op);
	}
}

/* ---- what people do ---- */

static void begin_send(struct person *p, unsigned peer)
{
	struct op *op = op_new(p, OP_SEND);
	op->peer = peer;
	op->message = record_send(p->crowd->record, p->user, peer, op->first);
	op_try(p, op);
}

static void begin_read(struct person *p, unsigned peer)
{
	struct device_of *d = &p->device[rng_below(&p->rng, p->devices)];
	uint32_t up_to = record_contiguous(p->crowd->record, d->number, peer);
	if (up_to == 0 || record_conversation(p->crowd->record, p->user, peer) == 0)
		return;
	struct op *op = op_new(p, OP_READ);
	op->peer = peer;
	op->up_to = up_to;
	if (up_to > p->read_tried[peer])
		p->read_tried[peer] = up_to;
	op_try(p, op);
}

static void begin_change(struct person *p, unsigned peer, enum op_kind kind)
{
	struct record *r = p->crowd->record;
	uint32_t last = record_last_seq(r, p->user, peer);
	if (last == 0)
		return;
	uint32_t back = rng_below(&p->rng, last < 12 ? last : 12);
	unsigned n = record_at(r, p->user, peer, last - back);
	if (n == UINT_MAX)
		return;
	const struct message *m = record_message(r, n);
	if (kind == OP_RECALL) {
		if (m->from != p->user || m->recall_tried || pace_real_ms() - m->sent.real_ms > RECALL_WITHIN_MS)
			return;
		record_recall_tried(r, n);
	} else {
		if (m->delete_tried[p->user == m->to] || pace_fair_ms() - m->known.fair_ms < DELETE_AFTER_MS)
			return;
		record_delete_tried(r, n, p->user);
	}
	struct op *op = op_new(p, kind);
	op->message = n;
	op_try(p, op);
}

static void person_act(struct person *p)
{
	unsigned peer = p->friend_of[rng_below(&p->rng, p->friends)], what = rng_below(&p->rng, 100);
	struct device_of *d = &p->device[rng_below(&p->rng, p->devices)];
	if (what < 78) {
		begin_send(p, peer);
	} else if (what < 87) {
		begin_read(p, peer);
	} else if (what < 92) {
		begin_change(p, peer, OP_RECALL);
	} else if (what < 95) {
		begin_change(p, peer, OP_DELETE);
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
	p->read_tried = xcalloc(c->users, sizeof(*p->read_tried));
	p->read_done = xcalloc(c->users, sizeof(*p->read_done));
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
