/* SPDX-License-Identifier: BSD-2-Clause */
/* A device catches up, by POST /messages/sync, until there is nothing more. */
#include "core/base.h"
#include "crowd_priv.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"
#include "pace.h"

#define LIMIT 50

/* Belongs to one connection of a device: an answer that comes after its end is void. */
struct sync_call {
	struct device_of *device;
	unsigned generation;
};

static void sync_ask(struct device_of *d);

static struct str sync_body(struct device_of *d)
{
	struct crowd *c = d->person->crowd;
	struct buf *b = &c->text;
	bool first = true;
	buf_clear(b);
	buf_printf(b, "{\"limit\":%d,\"since\":", LIMIT);
	if (d->cursor[0] != '\0')
		buf_printf(b, "\"%s\"", d->cursor);
	else
		buf_printf(b, "null");
	buf_printf(b, ",\"conversations\":[");
	for (unsigned party = 0; party < c->users + c->groups; party++) {
		struct place *at = &d->place[party];
		at->shown_since_ask = false;
		if (!at->known)
			continue;
		at->asked_seq = crowd_is_group(c, party) ? record_last_seq(c->record, d->person->user, party) : 0;
		buf_printf(b, "%s{\"id\":\"%llu\",\"seq\":%u,\"change_seq\":%lld}", first ? "" : ",",
			   (unsigned long long)at->id, record_contiguous(c->record, d->number, party),
			   (long long)at->change_seq);
		first = false;
	}
	buf_printf(b, "]}");
	return (struct str){b->data, b->len};
}

/* One conversation of the answer; true: there is more of it. */
static bool take_conversation(struct device_of *d, const struct json *entry)
{
	struct record *r = d->person->crowd->record;
	const struct json *conversation = json_get(entry, "conversation"), *messages = json_get(entry, "messages");
	const struct json *changes = json_get(entry, "changes"), *more = json_get(entry, "has_more");
	unsigned party = device_party_of(d, conversation);
	bool has_more = more != NULL && more->boolean;
	uint32_t last = 0;
	int64_t change_seq, first_seq;
	struct sight s;

	if (party == UINT_MAX || messages == NULL || changes == NULL ||
	    json_int(json_get(conversation, "first_seq"), &first_seq) != 0) {
		record_violate(r, "a conversation of a sync that is none: %.*s", (int)entry->raw.len, entry->raw.s);
		return false;
	}
	struct place *at = &d->place[party];
	bool listed = at->known;
	at->known = at->shown = true;
	/* There is nothing for this user before it. */
	record_settle(r, d->number, party, (uint32_t)first_seq - 1);
	for (const struct json *m = messages->child; m != NULL; m = m->next) {
		if (!record_read_sight(r, m, &s))
			continue;
		record_synced(r, d->number, &s, crowd_now());
		last = s.seq > last ? s.seq : last;
	}
	/* Of one that was not listed these are the newest: what lies before them is asked for next. */
	if (listed || !has_more)
		record_settle(r, d->number, party, last);
	for (const struct json *change = changes->child; change != NULL; change = change->next) {
		const struct json *kind = json_get(change, "kind"), *message = json_get(change, "message_id");
		uint64_t message_id;
		if (listed && json_int(json_get(change, "change_seq"), &change_seq) == 0 && change_seq > at->change_seq)
			at->change_seq = change_seq;
		enum mark mark = kind != NULL ? record_mark_of(kind->text) : MARKS;
		if (mark != MARKS && message != NULL && id_parse_u64(message->text, &message_id) == 0)
			record_mark_told(r, d->number, message_id, mark, crowd_now());
	}
	if (!has_more && json_int(json_get(conversation, "change_seq"), &change_seq) == 0)
		at->change_seq = change_seq;
	return has_more;
}

/* True: ask again at once. */
static bool take_answer(struct device_of *d, const struct json *body)
{
	const struct json *conversations = json_get(body, "conversations"), *cursor = json_get(body, "cursor");
	const struct json *more = json_get(body, "more"), *gone = json_get(body, "gone");
	bool again = more != NULL && more->boolean;
	if (conversations == NULL || cursor == NULL || cursor->text.len >= CURSOR_ROOM) {
		record_violate(d->person->crowd->record, "an answer to sync that is none");
		return false;
	}
	for (const struct json *entry = conversations->child; entry != NULL; entry = entry->next)
		again |= take_conversation(d, entry);
	for (const struct json *id = gone != NULL ? gone->child : NULL; id != NULL; id = id->next) {
		uint64_t conversation;
		if (id_parse_u64(id->text, &conversation) == 0)
			device_on_gone(d, conversation);
	}
	snprintf(d->cursor, sizeof(d->cursor), "%.*s", (int)cursor->text.len, cursor->text.s);
	return again;
}

static void on_sync_answer(int status, const struct json *body, void *arg)
{
	struct sync_call *call = arg;
	struct device_of *d = call->device;
	bool void_now = call->generation != d->generation;
	free(call);
	if (void_now)
		return;
	if (status != 200 || body == NULL) {
		if (status != 0 && status != 503 && status != 429 && status != 408)
			record_violate(d->person->crowd->record, "a sync of p%u was answered %d", d->person->user,
				       status);
		d->syncing = false;
		d->sync_again = false;
		d->sync_at_ms = pace_real_ms() + rng_between(&d->person->rng, 100, 400);
		return;
	}
	if (take_answer(d, body) || d->sync_again) {
		d->sync_again = false;
		sync_ask(d);
		return;
	}
	d->syncing = false;
	d->synced = true;
	d->wanted_since_ms = -1;
	d->wanted_told = false;
	record_session_synced(d->person->crowd->record, d->number, crowd_now());
}

static void sync_ask(struct device_of *d)
{
	struct crowd *c = d->person->crowd;
	struct sync_call *call = xcalloc(1, sizeof(*call));
	call->device = d;
	call->generation = d->generation;
	wire_call(crowd_port(c, &d->person->rng), "POST", "/messages/sync", d->person->token, sync_body(d),
		  CALL_TIMEOUT_MS, on_sync_answer, call);
}

void sync_begin(struct device_of *d)
{
	/* Once more, from there: the request that is in progress may have been answered with what was there before. */
	if (d->syncing) {
		d->sync_again = true;
		return;
	}
	d->syncing = true;
	d->sync_at_ms = 0;
	sync_ask(d);
}
