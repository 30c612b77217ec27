/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device is told of groups. As doc/api.md asks, it loads the newest messages of a group that is new to it when
 * it is shown, and forgets one that its user is out of.
 */
#include "core/base.h"
#include "crowd_priv.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"
#include "pace.h"

#define LOAD_PAGE 100
/* What is older is left to scrolling, which nobody does here. */
#define LOAD_BACK 200

/* Of a new group, whose name is "gN". UINT_MAX: it is not. */
static unsigned number_in(struct str name)
{
	unsigned n = 0;
	if (name.len < 2 || name.len > 6 || name.s[0] != 'g')
		return UINT_MAX;
	for (size_t i = 1; i < name.len; i++) {
		if (name.s[i] < '0' || name.s[i] > '9')
			return UINT_MAX;
		n = n * 10 + (unsigned)(name.s[i] - '0');
	}
	return n;
}

unsigned device_party_of(struct device_of *d, const struct json *conversation)
{
	struct crowd *c = d->person->crowd;
	const struct json *id = json_get(conversation, "id"), *name = json_get(json_get(conversation, "group"), "name");
	const struct json *peer = json_get(json_get(conversation, "peer"), "user_id");
	unsigned party = UINT_MAX;
	uint64_t conversation_id;
	if (id == NULL || id_parse_u64(id->text, &conversation_id) != 0)
		return UINT_MAX;
	if (peer != NULL)
		party = record_user_of(peer->text);
	else if (name != NULL)
		party = record_group_of(c->record, conversation_id);
	/* A group that is told of before its maker is answered. */
	if (party == UINT_MAX && name != NULL) {
		unsigned n = number_in(name->text);
		if (n < c->groups && record_conversation(c->record, 0, c->group[n].party) == 0) {
			party = c->group[n].party;
			record_group_made(c->record, party, conversation_id);
		}
	}
	if (party >= (peer != NULL ? c->users : c->users + c->groups))
		return UINT_MAX;
	d->place[party].id = conversation_id;
	return party;
}

/* ---- its newest messages ---- */

/* Belongs to one connection of a device: an answer that comes after its end is void. */
struct load_call {
	struct device_of *device;
	unsigned generation, party;
	uint32_t asked_seq;
};

static void load_ask(struct device_of *d, unsigned party);

static void load_take(struct device_of *d, unsigned party, const struct json *body)
{
	struct record *r = d->person->crowd->record;
	const struct json *items = json_get(body, "items"), *more = json_get(body, "has_more");
	struct sight s;
	uint32_t last = 0;
	for (const struct json *m = items != NULL ? items->child : NULL; m != NULL; m = m->next) {
		if (!record_read_sight(r, m, &s))
			continue;
		record_synced(r, d->number, &s, crowd_now());
		last = s.seq;
	}
	record_settle(r, d->number, party, last);
	if (more != NULL && more->boolean && last != 0)
		load_ask(d, party);
}

static void on_load_answer(int status, const struct json *body, void *arg)
{
	struct load_call call = *(struct load_call *)arg;
	struct device_of *d = call.device;
	const struct json *code = json_get(body, "code");
	free(arg);
	if (call.generation != d->generation)
		return;
	struct place *at = &d->place[call.party];
	at->loading = false;
	if (status == 200)
		load_take(d, call.party, body);
	else if (status == 404)
		record_claim(d->person->crowd->record, call.party, d->person->user, CLAIM_OUT, call.asked_seq,
			     crowd_now(), "a history that is not found");
	else if (crowd_is_passing(status, code != NULL ? code->text : STR_NULL))
		at->load_at_ms = pace_real_ms() + rng_between(&d->person->rng, 100, 400);
	else
		record_violate(d->person->crowd->record, "p%u: the newest messages of a group were answered %d",
			       d->person->user, status);
}

static void load_ask(struct device_of *d, unsigned party)
{
	struct crowd *c = d->person->crowd;
	struct load_call *call = xcalloc(1, sizeof(*call));
	char path[128];
	*call = (struct load_call){d, d->generation, party, record_last_seq(c->record, d->person->user, party)};
	d->place[party].loading = true;
	d->place[party].load_at_ms = 0;
	snprintf(path, sizeof(path), "/messages/conversations/%" PRIu64 "/messages?limit=%d&after=%u",
		 d->place[party].id, LOAD_PAGE, record_contiguous(c->record, d->number, party));
	wire_call(crowd_port(c, &d->person->rng), "GET", path, d->person->token, STR_NULL, CALL_TIMEOUT_MS,
		  on_load_answer, call);
}

void device_groups_tick(struct device_of *d, int64_t now_ms)
{
	struct crowd *c = d->person->crowd;
	for (unsigned g = 0; g < c->groups; g++) {
		const struct place *at = &d->place[c->group[g].party];
		if (at->load_at_ms != 0 && now_ms >= at->load_at_ms)
			load_ask(d, c->group[g].party);
	}
}

/* ---- events ---- */

void device_on_conversation(struct device_of *d, const struct json *frame)
{
	struct record *r = d->person->crowd->record;
	const struct json *conversation = json_get(frame, "conversation");
	unsigned party = device_party_of(d, conversation);
	int64_t first_seq, change_seq, last_seq = 0;
	const struct json *last = json_get(conversation, "last_message");
	if (party == UINT_MAX || json_int(json_get(conversation, "first_seq"), &first_seq) != 0 ||
	    json_int(json_get(conversation, "change_seq"), &change_seq) != 0 ||
	    (last != NULL && last->type == JSON_OBJECT && json_int(json_get(last, "seq"), &last_seq) != 0)) {
		record_violate(r, "an event that shows no conversation: %.*s", (int)frame->raw.len, frame->raw.s);
		return;
	}
	struct place *at = &d->place[party];
	at->shown_since_ask = true;
	if (!crowd_is_group(d->person->crowd, party) || at->shown)
		return;
	at->known = at->shown = true;
	at->change_seq = change_seq;
	record_settle(r, d->number, party, (uint32_t)first_seq - 1);
	if (last_seq > LOAD_BACK)
		record_settle(r, d->number, party, (uint32_t)last_seq - LOAD_BACK);
	if (!at->loading)
		load_ask(d, party);
}

static void forget(struct device_of *d, unsigned party)
{
	d->place[party].known = d->place[party].shown = false;
	d->place[party].load_at_ms = 0;
}

void device_on_left(struct device_of *d, const struct json *frame)
{
	const struct json *id = json_get(frame, "conversation_id"), *reason = json_get(frame, "reason");
	uint64_t conversation_id;
	unsigned party = UINT_MAX;
	if (id != NULL && id_parse_u64(id->text, &conversation_id) == 0)
		party = record_group_of(d->person->crowd->record, conversation_id);
	if (party == UINT_MAX || reason == NULL)
		record_violate(d->person->crowd->record, "an event that tells of no group: %.*s", (int)frame->raw.len,
			       frame->raw.s);
	else if (str_is(reason->text, "dissolved"))
		record_claim(d->person->crowd->record, party, d->person->user, CLAIM_DISSOLVED, 0, crowd_now(),
			     "the event `left`, dissolved");
	else
		forget(d, party);
}

void device_on_gone(struct device_of *d, uint64_t conversation_id)
{
	struct record *r = d->person->crowd->record;
	unsigned party = record_group_of(r, conversation_id);
	if (party == UINT_MAX) {
		record_violate(r, "a sync of p%u: %" PRIu64 " is gone, and is no group", d->person->user,
			       conversation_id);
		return;
	}
	struct place *at = &d->place[party];
	record_claim(r, party, d->person->user, CLAIM_OUT, at->asked_seq, crowd_now(),
		     "a group that is gone in a sync");
	if (!at->shown_since_ask)
		forget(d, party);
}
