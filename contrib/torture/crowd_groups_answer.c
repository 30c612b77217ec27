/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the answers to changes of groups mean. Several people change a group at once, so that much may be refused: each
 * refusal says how the group was, which the recorder holds against the history at the end.
 */
#include "core/base.h"
#include "crowd_priv.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"

static void claim(struct person *p, const struct op *op, unsigned user, unsigned claims, const char *what)
{
	char why[64];
	snprintf(why, sizeof(why), "p%u, %s: %s", p->user, op_name(op->kind), what);
	record_claim(p->crowd->record, op->peer, user, claims, op->asked_seq, crowd_now(), why);
}

/* Who was added, as the answer says. Those who were left out were members already: nobody is banned or unknown here. */
static void take_added(struct person *p, const struct op *op, const struct json *body, struct event *out_r)
{
	struct record *r = p->crowd->record;
	const struct json *added = json_get(body, "added"), *left_out = json_get(body, "left_out");
	*out_r = (struct event){.is = EVENT_ADDED};
	for (const struct json *u = added != NULL ? added->child : NULL; u != NULL; u = u->next) {
		unsigned user = record_user_of(u->text);
		if (user < p->crowd->users && out_r->count < EVENT_USERS_MAX)
			out_r->user[out_r->count++] = (unsigned short)user;
	}
	for (const struct json *u = left_out != NULL ? left_out->child : NULL; u != NULL; u = u->next) {
		const struct json *id = json_get(u, "user_id"), *code = json_get(u, "code");
		unsigned user = id != NULL ? record_user_of(id->text) : UINT_MAX;
		if (user < p->crowd->users && code != NULL && str_is(code->text, "already_member"))
			claim(p, op, user, CLAIM_IN, "is a member already");
		else
			record_violate(r, "p%u: adding to %s left out: %.*s", p->user,
				       record_party_name(r, op->peer).is, (int)u->raw.len, u->raw.s);
	}
}

static void change_done(struct person *p, const struct op *op, unsigned change, int status, const struct json *body)
{
	struct record *r = p->crowd->record;
	enum change_outcome outcome = CHANGE_AS_ASKED;
	struct event added = {0};
	switch (op->kind) {
	case OP_MAKE:
		outcome = status == 201 ? CHANGE_DONE : CHANGE_AS_ASKED;
		break;
	case OP_ADD:
		take_added(p, op, body, &added);
		outcome = added.count > 0 ? CHANGE_DONE : CHANGE_AS_ASKED;
		break;
	case OP_LEAVE:
	case OP_RENAME:
		outcome = CHANGE_DONE;
		break;
	case OP_JOIN:
		claim(p, op, p->user, CLAIM_IN, "is in it");
		break;
	case OP_REMOVE:
		claim(p, op, op->event.user[0], CLAIM_OUT, "is out");
		break;
	case OP_ROLE:
		claim(p, op, op->event.user[0], CLAIM(op->to_admin ? RANK_ADMIN : RANK_MEMBER), "has the role");
		break;
	case OP_PASS_ON:
		claim(p, op, op->event.user[0], CLAIM(RANK_OWNER), "is the owner");
		break;
	case OP_DISSOLVE:
		claim(p, op, p->user, CLAIM_DISSOLVED, "is dissolved");
		break;
	default:
		break;
	}
	record_change_answered(r, change, outcome, added.count > 0 ? &added : NULL, crowd_now());
}

void crowd_change_answered(struct person *p, const struct op *op, unsigned change, int status, struct str code,
			   const struct json *body)
{
	struct record *r = p->crowd->record;
	if (status / 100 == 2)
		change_done(p, op, change, status, body);
	else if (status == 429)
		record_change_answered(r, change, CHANGE_REFUSED, NULL, crowd_now());
	else if (crowd_is_passing(status, code) || status >= 500)
		record_change_answered(r, change, CHANGE_UNKNOWN, NULL, crowd_now());
	else
		record_change_answered(r, change, CHANGE_REFUSED, NULL, crowd_now());
}

void crowd_group_done(struct person *p, const struct op *op, const struct json *body)
{
	struct crowd *c = p->crowd;
	struct crowd_group *g = &c->group[op->peer - c->users];
	const struct json *id = json_get(body, "id"), *code = json_get(body, "code"),
			  *last = json_get(body, "last_message");
	uint64_t conversation_id;
	int64_t seq;
	if (op->kind == OP_MAKE && id != NULL && id_parse_u64(id->text, &conversation_id) == 0) {
		record_group_made(c->record, g->party, conversation_id);
		op_new(p, OP_INVITE, g->party);
	} else if (op->kind == OP_INVITE && code != NULL && code->text.len < sizeof(g->code)) {
		snprintf(g->code, sizeof(g->code), "%.*s", (int)code->text.len, code->text.s);
		/* At the start most of the others come in. */
		for (unsigned k = 1; k < g->size && !c->talks; k++) {
			struct person *other = &c->person[(g->first + k) % c->users];
			if (record_rank(c->record, g->party, other->user) == RANK_NONE && rng_percent(&other->rng, 80))
				crowd_begin_join(other, g);
		}
	} else if (op->kind == OP_LOOK && json_int(json_get(last, "seq"), &seq) == 0) {
		g->looked = true;
		record_group_reaches(c->record, g->party, (uint32_t)seq, crowd_now());
	}
}

/* ---- refusals ---- */

/* 404: the person is not in it; of another, or of a code, it may mean that as well. */
static bool may_be_not_found(struct person *p, const struct op *op)
{
	struct record *r = p->crowd->record;
	switch (op->kind) {
	case OP_MAKE:
		return false;
	case OP_JOIN:
		/* Codes end with the group, and when who made them is removed. */
		p->crowd->group[op->peer - p->crowd->users].code[0] = '\0';
		return true;
	case OP_ROLE:
	case OP_PASS_ON:
		return true;
	case OP_RECALL:
	case OP_DELETE:
	case OP_EDIT:
	case OP_REACT:
		/* Also where they came back, and see nothing from before. */
		record_claim(r, op->peer, p->user, CLAIM_OUT, record_message(r, op->message)->seq, crowd_now(),
			     "a message that is not found");
		return true;
	default:
		claim(p, op, p->user, CLAIM_OUT, "not found");
		return true;
	}
}

/* 403: as far as it depends on the person's role. */
static bool may_be_forbidden(struct person *p, const struct op *op)
{
	const struct crowd *c = p->crowd;
	switch (op->kind) {
	case OP_SEND:
		if (record_message(c->record, op->message)->mention != MENTION_ALL)
			return false;
		claim(p, op, p->user, CLAIM_OUT | CLAIM(RANK_MEMBER), "may not mention everyone");
		return true;
	case OP_RECALL:
		if (record_message(c->record, op->message)->from == p->user)
			return false;
		claim(p, op, p->user, CLAIM_NO_OWNER, "may not recall it");
		return true;
	case OP_RENAME:
		claim(p, op, p->user, CLAIM_OUT | CLAIM(RANK_MEMBER), "may not rename it");
		return true;
	case OP_REMOVE:
	case OP_ROLE:
	case OP_PASS_ON:
	case OP_DISSOLVE:
		claim(p, op, p->user, CLAIM_NO_OWNER, "may not do it");
		return true;
	default:
		return false;
	}
}

bool crowd_may_refuse(struct person *p, const struct op *op, struct str code)
{
	bool may = false;
	/* What is stored is answered to a repeat before anything else is looked at. */
	if (op->kind == OP_SEND && record_message(p->crowd->record, op->message)->acked)
		return false;
	if (str_is(code, "not_found")) {
		may = may_be_not_found(p, op);
	} else if (str_is(code, "forbidden") || str_is(code, "not_sender")) {
		may = may_be_forbidden(p, op);
	} else if (str_is(code, "group_dissolved")) {
		claim(p, op, p->user, CLAIM_DISSOLVED, "is dissolved");
		may = true;
	} else if (str_is(code, "conflict") && op->kind == OP_LEAVE) {
		claim(p, op, p->user, CLAIM(RANK_OWNER), "owns it");
		may = true;
	}
	if (may && op->kind == OP_SEND)
		record_refused(p->crowd->record, op->message);
	return may;
}
