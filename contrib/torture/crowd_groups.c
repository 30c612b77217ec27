/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What people do with groups beside talking: at the start each group is made by one user, with friends, and others
 * join by its code; later members are added, removed and given roles, leave and join, rename it and, rarely, dissolve
 * it. Who may be in a group is fixed: some users next to each other.
 */
#include "core/base.h"
#include "crowd_priv.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "pace.h"

/* Others than these are added later, or join. */
#define MAKE_MAX 8
#define ADD_MAX 3
/* Anybody may mention everyone in a group of up to this many. */
#define MENTION_ALL_MAX 20

void crowd_groups_init(struct crowd *c, unsigned groups)
{
	c->groups = groups < c->users ? groups : c->users;
	c->group = xcalloc(c->groups + 1, sizeof(*c->group));
	for (unsigned i = 0; i < c->groups; i++) {
		const unsigned sizes[] = {2, 4, 8, c->users / 2, c->users};
		struct crowd_group *g = &c->group[i];
		g->first = i;
		g->size = sizes[i % ARRAY_LEN(sizes)] < c->users ? sizes[i % ARRAY_LEN(sizes)] : c->users;
		g->may_end = i % ARRAY_LEN(sizes) == 2;
		g->party = record_add_group(c->record, i, i % 2 == 1);
	}
}

static bool may_be_in(const struct crowd *c, const struct crowd_group *g, unsigned user)
{
	return (user + c->users - g->first) % c->users < g->size;
}

unsigned crowd_choose_group(struct person *p)
{
	const struct crowd *c = p->crowd;
	unsigned from = c->groups > 0 ? rng_below(&p->rng, c->groups) : 0;
	for (unsigned i = 0; i < c->groups; i++) {
		unsigned party = c->group[(from + i) % c->groups].party;
		const struct group_state *s = record_group_state(c->record, party);
		if (s->rank[p->user] != RANK_NONE && s->dissolved_seq == 0)
			return party;
	}
	return UINT_MAX;
}

unsigned crowd_choose_mention(struct person *p, unsigned party)
{
	const struct crowd *c = p->crowd;
	const struct crowd_group *g = &c->group[party - c->users];
	unsigned dice = rng_below(&p->rng, 100);
	if (dice < 5 && (g->size <= MENTION_ALL_MAX || record_rank(c->record, party, p->user) == RANK_OWNER))
		return MENTION_ALL;
	/* Members or not. */
	return dice < 20 ? (g->first + rng_below(&p->rng, g->size)) % c->users : MENTION_NONE;
}

/* ---- changes ---- */

static struct op *begin(struct person *p, enum op_kind kind, const struct crowd_group *g, enum group_event event)
{
	struct op *op = op_new(p, kind, g->party);
	op->event.is = event;
	return op;
}

static void name_user(struct op *op, unsigned user)
{
	op->event.user[op->event.count++] = (unsigned short)user;
}

void crowd_begin_join(struct person *p, struct crowd_group *g)
{
	if (g->code[0] != '\0')
		name_user(begin(p, OP_JOIN, g, EVENT_JOINED), p->user);
}

/* Some friends who may be in it, and are not; or one who is, which changes nothing. */
static void begin_add(struct person *p, struct crowd_group *g, enum op_kind kind, unsigned max)
{
	const struct crowd *c = p->crowd;
	unsigned from = rng_below(&p->rng, p->friends), member = UINT_MAX;
	struct event e = {.is = kind == OP_MAKE ? EVENT_CREATED : EVENT_ADDED};
	if (kind == OP_MAKE)
		e.user[e.count++] = (unsigned short)p->user;
	for (unsigned i = 0; i < p->friends && e.count < max; i++) {
		unsigned user = p->friend_of[(from + i) % p->friends];
		if (!may_be_in(c, g, user))
			continue;
		if (record_rank(c->record, g->party, user) == RANK_NONE)
			e.user[e.count++] = (unsigned short)user;
		else
			member = user;
	}
	if (e.count == 0 && member != UINT_MAX)
		e.user[e.count++] = (unsigned short)member;
	if (e.count > 0)
		op_new(p, kind, g->party)->event = e;
}

/* A member of that rank but this person; UINT_MAX: none. */
static unsigned choose_member(struct person *p, const struct crowd_group *g, enum rank below)
{
	const struct crowd *c = p->crowd;
	unsigned from = rng_below(&p->rng, g->size);
	for (unsigned i = 0; i < g->size; i++) {
		unsigned user = (g->first + (from + i) % g->size) % c->users;
		enum rank rank = record_rank(c->record, g->party, user);
		if (user != p->user && rank != RANK_NONE && rank < below)
			return user;
	}
	return UINT_MAX;
}

static void change_other(struct person *p, struct crowd_group *g, enum op_kind kind, enum group_event event,
			 enum rank below)
{
	unsigned user = choose_member(p, g, below);
	if (user == UINT_MAX)
		return;
	struct op *op = begin(p, kind, g, event);
	op->to_admin = rng_percent(&p->rng, 50);
	name_user(op, user);
}

static void change_as_member(struct person *p, struct crowd_group *g)
{
	if (rng_percent(&p->rng, 60)) {
		begin_add(p, g, OP_ADD, 1 + rng_below(&p->rng, ADD_MAX));
		return;
	}
	record_leave_asked(p->crowd->record, g->party, p->user);
	name_user(begin(p, OP_LEAVE, g, EVENT_LEFT), p->user);
}

static void change_as_admin(struct person *p, struct crowd_group *g, enum rank rank)
{
	unsigned dice = rng_below(&p->rng, 100);
	if (g->code[0] == '\0')
		begin(p, OP_INVITE, g, EVENT_NONE);
	else if (dice < 30)
		begin_add(p, g, OP_ADD, 1 + rng_below(&p->rng, ADD_MAX));
	else if (dice < 60)
		change_other(p, g, OP_REMOVE, EVENT_REMOVED, rank);
	else if (dice < 70)
		begin(p, OP_RENAME, g, EVENT_RENAMED);
	else if (rank < RANK_OWNER)
		change_as_member(p, g);
	else if (dice < 88)
		change_other(p, g, OP_ROLE, EVENT_ROLE, rank);
	else if (dice < 92 || !g->may_end)
		change_other(p, g, OP_PASS_ON, EVENT_OWNER, rank);
	else
		begin(p, OP_DISSOLVE, g, EVENT_DISSOLVED);
}

static void change_in(struct person *p, struct crowd_group *g)
{
	enum rank rank = record_rank(p->crowd->record, g->party, p->user);
	if (rank == RANK_NONE)
		crowd_begin_join(p, g);
	else if (rank == RANK_MEMBER)
		change_as_member(p, g);
	else
		change_as_admin(p, g, rank);
}

void crowd_change_group(struct person *p)
{
	struct crowd *c = p->crowd;
	unsigned from = c->groups > 0 ? rng_below(&p->rng, c->groups) : 0;
	for (unsigned i = 0; i < c->groups; i++) {
		struct crowd_group *g = &c->group[(from + i) % c->groups];
		if (!may_be_in(c, g, p->user) || record_group_state(c->record, g->party)->dissolved_seq != 0)
			continue;
		change_in(p, g);
		return;
	}
}

/* ---- requests ---- */

static void put_users(struct buf *b, const struct event *e, unsigned from)
{
	buf_printf(b, "\"user_ids\":[");
	for (unsigned i = from; i < e->count; i++)
		buf_printf(b, "%s\"p%u\"", i == from ? "" : ",", e->user[i]);
	buf_printf(b, "]");
}

static void put_body(struct person *p, const struct op *op)
{
	struct crowd *c = p->crowd;
	struct buf *b = &c->text;
	unsigned g = op->peer - c->users;
	switch (op->kind) {
	case OP_MAKE:
		buf_printf(b, "{\"name\":\"g%u\",\"client_group_id\":\"g%u\",\"settings\":{\"history\":\"%s\"},", g, g,
			   g % 2 == 1 ? "joined" : "all");
		put_users(b, &op->event, 1);
		buf_printf(b, "}");
		break;
	case OP_ADD:
		buf_printf(b, "{");
		put_users(b, &op->event, 0);
		buf_printf(b, "}");
		break;
	case OP_RENAME:
		/* Each try another, so that each that is done is told. */
		buf_printf(b, "{\"name\":\"g%u, name %u\"}", g, c->next_name++);
		break;
	case OP_ROLE:
		buf_printf(b, "{\"role\":\"%s\"}", op->to_admin ? "admin" : "member");
		break;
	case OP_PASS_ON:
		buf_printf(b, "{\"user_id\":\"p%u\"}", op->event.user[0]);
		break;
	default:
		break;
	}
}

struct str crowd_group_request(struct person *p, const struct op *op, char path[128], const char **method_r)
{
	static const struct {
		const char *method, *tail;
	} of[] = {
		[OP_MAKE] = {"POST", ""},
		[OP_ADD] = {"POST", "/members"},
		[OP_JOIN] = {"POST", ""},
		[OP_LEAVE] = {"DELETE", "/members/"},
		[OP_REMOVE] = {"DELETE", "/members/"},
		[OP_RENAME] = {"PUT", ""},
		[OP_ROLE] = {"PUT", "/members/"},
		[OP_PASS_ON] = {"PUT", "/owner"},
		[OP_DISSOLVE] = {"DELETE", ""},
		[OP_INVITE] = {"POST", "/invites"},
		[OP_LOOK] = {"GET", ""},
	};
	struct crowd *c = p->crowd;
	struct buf *b = &c->text;
	const char *tail = of[op->kind].tail;
	*method_r = of[op->kind].method;
	if (op->kind == OP_MAKE)
		snprintf(path, 128, "/groups");
	else if (op->kind == OP_JOIN)
		snprintf(path, 128, "/invites/%s", c->group[op->peer - c->users].code);
	else
		snprintf(path, 128, "/groups/%" PRIu64 "%s", record_conversation(c->record, p->user, op->peer), tail);
	if (op->kind == OP_LEAVE || op->kind == OP_REMOVE || op->kind == OP_ROLE)
		snprintf(path + strlen(path), 128 - strlen(path), "p%u", op->event.user[0]);
	buf_clear(b);
	put_body(p, op);
	return b->len == 0 ? STR_NULL : (struct str){b->data, b->len};
}

/* ---- the start and the end ---- */

bool crowd_has_groups(struct crowd *c)
{
	for (unsigned i = 0; i < c->groups && !c->groups_begun; i++)
		begin_add(&c->person[c->group[i].first], &c->group[i], OP_MAKE, MAKE_MAX);
	c->groups_begun = true;
	return crowd_unanswered(c, INT64_MAX) == 0;
}

/* Any member's look tells; who was taken out in the meantime asks in vain, and another is asked. */
bool crowd_has_looked(struct crowd *c)
{
	bool all = true;
	for (unsigned i = 0; i < c->groups; i++) {
		struct crowd_group *g = &c->group[i];
		const struct group_state *s = record_group_state(c->record, g->party);
		all &= g->looked || s->members == 0;
		for (unsigned k = 0; k < g->size && !g->looked; k++) {
			struct person *p = &c->person[(g->first + k) % c->users];
			if (s->rank[p->user] == RANK_NONE || p->ops != 0)
				continue;
			begin(p, OP_LOOK, g, EVENT_NONE);
			break;
		}
	}
	return all;
}
