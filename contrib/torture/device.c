/* SPDX-License-Identifier: BSD-2-Clause */
/* A device's connection: when it is opened and given up, and what its events mean. */
#include "core/base.h"
#include "crowd_priv.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"
#include "pace.h"

/* A handshake without its hello is given up. */
#define HELLO_MAX_MS 8000
#define PING_EVERY_MS 4000
/* Nothing was heard, though a ping was sent. */
#define SILENCE_MAX_MS 25000

static void on_frame(const struct json *frame, void *arg);
static void on_closed(int code, const char *why, void *arg);
static const struct wire_events device_events = {.frame = on_frame, .closed = on_closed};

void device_init(struct device_of *d, struct person *p, unsigned class_number)
{
	d->person = p;
	d->class_number = class_number;
	d->number = record_add_device(p->crowd->record, p->user);
	d->place = xcalloc(p->crowd->users + p->crowd->groups, sizeof(*d->place));
	for (unsigned u = 0; u < p->crowd->users; u++)
		d->place[u].ghost_since_ms = -1;
	d->wanted_since_ms = pace_fair_ms();
}

void device_fini(struct device_of *d)
{
	wire_close(&d->wire);
	free(d->place);
}

static void device_set_state(struct device_of *d, enum device_state state)
{
	d->state = state;
	d->since_ms = pace_real_ms();
}

/* Its connection is gone, or given up. */
void device_drop(struct device_of *d, int64_t try_again_in_ms)
{
	wire_close(&d->wire);
	d->generation++;
	d->syncing = d->sync_again = d->synced = false;
	d->sync_at_ms = 0;
	for (unsigned u = 0; u < d->person->crowd->users + d->person->crowd->groups; u++) {
		d->place[u].shown_online = d->place[u].loading = false;
		d->place[u].load_at_ms = 0;
	}
	record_session_closed(d->person->crowd->record, d->number);
	device_set_state(d, DEVICE_DOWN);
	d->try_at_ms = pace_real_ms() + try_again_in_ms;
	if (d->wanted_since_ms < 0)
		d->wanted_since_ms = pace_fair_ms();
	ops_lost(d->person, d);
}

static void device_open(struct device_of *d)
{
	char path[64];
	struct crowd *c = d->person->crowd;
	snprintf(path, sizeof(path), "/messages/ws?device=d%u", d->class_number);
	d->wire = wire_open(crowd_port(c, &d->person->rng), path, d->person->token, &device_events, d);
	d->replaced_by[0] = '\0';
	device_set_state(d, DEVICE_OPENING);
	d->heard_ms = d->pinged_ms = pace_real_ms();
}

void device_tick(struct device_of *d, int64_t now)
{
	if (d->state == DEVICE_DOWN) {
		if (!d->person->away && now >= d->try_at_ms)
			device_open(d);
		return;
	}
	if (d->state == DEVICE_OPENING && now - d->since_ms > HELLO_MAX_MS) {
		device_drop(d, rng_between(&d->person->rng, 20, 300));
		return;
	}
	if (d->state != DEVICE_OPEN)
		return;
	if (now - d->heard_ms > SILENCE_MAX_MS) {
		device_drop(d, rng_between(&d->person->rng, 20, 300));
		return;
	}
	if (now - d->pinged_ms > PING_EVERY_MS) {
		d->pinged_ms = now;
		wire_send(d->wire, STR_LIT("{\"type\":\"ping\"}"));
	}
	if (d->sync_at_ms != 0 && now >= d->sync_at_ms) {
		d->sync_at_ms = 0;
		sync_begin(d);
	}
	device_groups_tick(d, now);
}

void device_meet(struct device_of *d, const struct sight *s)
{
	unsigned user = d->person->user;
	struct place *at = &d->place[crowd_is_group(d->person->crowd, s->to) || s->from == user ? s->to : s->from];
	at->known = true;
	at->id = s->conversation_id;
}

/* ---- events ---- */

static void send_watch(struct device_of *d)
{
	struct buf *b = &d->person->crowd->text;
	buf_clear(b);
	buf_printf(b, "{\"type\":\"watch\",\"ref\":\"watch\",\"user_ids\":[");
	for (unsigned i = 0; i < d->person->friends; i++)
		buf_printf(b, "%s\"p%u\"", i == 0 ? "" : ",", d->person->friend_of[i]);
	buf_append_str(b, STR_LIT("]}"));
	wire_send(d->wire, (struct str){b->data, b->len});
}

static void on_hello(struct device_of *d)
{
	if (d->state != DEVICE_OPENING)
		return;
	device_set_state(d, DEVICE_OPEN);
	d->failures = 0;
	record_session_opened(d->person->crowd->record, d->number, crowd_now());
	send_watch(d);
	sync_begin(d);
}

static void on_message(struct device_of *d, const struct json *frame)
{
	struct crowd *c = d->person->crowd;
	struct sight s;
	if (!record_read_sight(c->record, json_get(frame, "message"), &s))
		return;
	device_meet(d, &s);
	record_pushed(c->record, d->number, &s, c->faulty, crowd_now());
}

static void on_mark(struct device_of *d, const struct json *frame, enum mark mark)
{
	struct record *r = d->person->crowd->record;
	const struct json *message = json_get(frame, "message");
	const struct json *id = message != NULL ? json_get(message, "id") : json_get(frame, "message_id");
	uint64_t message_id;
	struct sight s;
	if (message != NULL && record_read_sight(r, message, &s))
		record_seen(r, &s, crowd_now());
	if (id == NULL || id_parse_u64(id->text, &message_id) != 0)
		record_violate(r, "an event that a message is %s, without its id", record_mark_name(mark));
	else
		record_mark_told(r, d->number, message_id, mark, crowd_now());
}

static void note_presence(struct device_of *d, const struct json *entry)
{
	const struct json *id = json_get(entry, "user_id"), *online = json_get(entry, "online");
	unsigned user = id == NULL ? UINT_MAX : record_user_of(id->text);
	if (user < d->person->crowd->users && online != NULL)
		d->place[user].shown_online = online->boolean;
}

static unsigned op_of(const struct json *frame)
{
	const struct json *ref = json_get(frame, "ref");
	uint64_t id;
	if (ref == NULL || ref->type != JSON_STRING || ref->text.len < 2 || ref->text.s[0] != 'o' ||
	    id_parse_u64((struct str){ref->text.s + 1, ref->text.len - 1}, &id) != 0)
		return UINT_MAX;
	return (unsigned)id;
}

static void on_answer(struct device_of *d, const struct json *frame, struct str type)
{
	struct person *p = d->person;
	const struct json *ref = json_get(frame, "ref"), *users = json_get(frame, "users");
	if (ref != NULL && str_is(ref->text, "watch")) {
		for (const struct json *u = users != NULL ? users->child : NULL; u != NULL; u = u->next)
			note_presence(d, u);
		return;
	}
	if (str_is(type, "error")) {
		const struct json *code = json_get(frame, "code");
		op_answered(p, op_of(frame), 400, code != NULL ? code->text : STR_NULL, NULL, d);
		return;
	}
	const struct json *replayed = json_get(frame, "replayed"), *message = json_get(frame, "message");
	bool again = replayed != NULL && replayed->boolean;
	struct sight s;
	/* Also where another try was answered before: this session has heard of it now. */
	if (str_is(type, "ack") && record_read_sight(p->crowd->record, message, &s)) {
		device_meet(d, &s);
		record_answered(p->crowd->record, d->number, &s, crowd_now());
	}
	op_answered(p, op_of(frame), again ? 200 : 201, STR_NULL, message != NULL ? message : frame, d);
}

static void on_frame(const struct json *frame, void *arg)
{
	struct device_of *d = arg;
	const struct json *type = json_get(frame, "type");
	struct str is = type != NULL ? type->text : STR_NULL;
	d->heard_ms = pace_real_ms();
	if (str_is(is, "hello")) {
		on_hello(d);
	} else if (str_is(is, "message")) {
		on_message(d, frame);
	} else if (record_mark_of(is) != MARKS) {
		on_mark(d, frame, record_mark_of(is));
	} else if (str_is(is, "conversation")) {
		device_on_conversation(d, frame);
	} else if (str_is(is, "left")) {
		device_on_left(d, frame);
	} else if (str_is(is, "presence")) {
		note_presence(d, frame);
	} else if (str_is(is, "ack") || str_is(is, "result") || str_is(is, "error")) {
		on_answer(d, frame, is);
	} else if (str_is(is, "resync")) {
		record_resync(d->person->crowd->record, d->number);
		sync_begin(d);
	} else if (str_is(is, "kicked")) {
		const struct json *by = json_get(frame, "by_session");
		if (by != NULL && by->type == JSON_STRING)
			snprintf(d->replaced_by, sizeof(d->replaced_by), "%.*s", (int)by->text.len, by->text.s);
	}
	/* read, deleted, typing, pong, reconnect (the close that follows tells the same). */
}

static void on_closed(int code, const char *why, void *arg)
{
	struct device_of *d = arg;
	struct rng *rng = &d->person->rng;
	(void)why;
	d->wire = NULL;
	record_check_code(d->person->crowd->record, d->number, code, d->replaced_by);
	if (d->failures < 5)
		d->failures++;
	device_drop(d, rng_between(rng, 20, 120 * (int)(1 + d->failures)));
}
