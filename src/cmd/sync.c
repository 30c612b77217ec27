/* SPDX-License-Identifier: BSD-2-Clause */
/* sync: what a client that was away has missed. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/list.h"
#include "api/render.h"

#define SYNC_LIMIT 50
#define SYNC_LIMIT_MAX 100

static const struct problem *read_number(struct request *r, const struct json *item, const char *name, uint64_t *out_r)
{
	if (json_count(json_get(item, name), out_r) != 0)
		return request_invalid(r, "conversations[].%s: must be a whole number from 0 on", name);
	return NULL;
}

static const struct problem *read_listed(struct request *r, struct store_sync_request *s)
{
	const struct json *list = json_get(r->body, "conversations");
	if (list == NULL || list->type == JSON_NULL)
		return NULL;
	if (list->type != JSON_ARRAY || list->count > STORE_SYNC_LISTED_MAX)
		return request_invalid(r, "conversations: must be an array of up to %d", STORE_SYNC_LISTED_MAX);
	struct store_sync_have *have = arena_alloc(&r->arena, list->count * sizeof(*have));
	s->have = have;
	s->have_count = list->count;
	for (const struct json *item = list->child; item != NULL; item = item->next, have++) {
		const struct json *id = json_get(item, "id");
		if (id == NULL || id->type != JSON_STRING || id_parse_u64(id->text, &have->id) != 0)
			return request_invalid(r, "conversations[].id: must be an id, a string of decimal digits");
		const struct problem *p = read_number(r, item, "seq", &have->seq)
						  ?: read_number(r, item, "change_seq", &have->change_seq);
		if (p != NULL)
			return p;
	}
	return NULL;
}

const struct problem *sync_check(struct request *r, union command_args *a)
{
	struct store_sync_request *s = &a->sync;
	struct str since;
	s->user = request_user(r);
	const struct problem *p = read_listed(r, s) ?: request_text(r, "since", &since);
	if (p != NULL)
		return p;
	s->has_since = since.s != NULL;
	if (s->has_since && (p = list_parse_cursor(r, "since", since, &s->since)) != NULL)
		return p;
	int64_t limit = SYNC_LIMIT;
	const struct json *v = json_get(r->body, "limit");
	if (v != NULL && v->type != JSON_NULL && (json_int(v, &limit) != 0 || limit < 1 || limit > SYNC_LIMIT_MAX))
		return request_invalid(r, "limit: must be a number from 1 to %d", SYNC_LIMIT_MAX);
	s->limit = (unsigned)limit;
	return NULL;
}

static void put_item(struct json_out *o, const struct store_sync_item *item, struct online_slots *slots)
{
	json_object(o);
	json_key(o, "conversation");
	render_conversation(o, &item->conversation, slots);
	json_key(o, "messages");
	json_array(o);
	for (size_t i = 0; i < item->message_count; i++)
		render_message(o, &item->message[i]);
	json_array_end(o);
	json_key(o, "changes");
	json_array(o);
	for (size_t i = 0; i < item->change_count; i++) {
		const struct store_sync_change *c = &item->change[i];
		json_object(o);
		json_put_u64(o, "change_seq", c->change_seq);
		json_put_cstr(o, "kind", change_kind_name(c->kind));
		json_put_id(o, "message_id", c->message_id);
		json_put_time(o, "at", c->at_ms);
		json_object_end(o);
	}
	json_array_end(o);
	json_key(o, "updated");
	json_array(o);
	for (size_t i = 0; i < item->updated_count; i++)
		render_message(o, &item->updated[i]);
	json_array_end(o);
	json_put_bool(o, "has_more", item->has_more);
	json_object_end(o);
}

static void on_synced(const struct store_synced *synced, void *arg)
{
	struct request *r = arg;
	if (synced->status != STORE_OK) {
		request_fail_store(r, synced->status);
		return;
	}
	struct online_slots slots = request_slots(r);
	struct json_out *o = request_begin(r);
	char cursor[CURSOR_LEN];
	json_key(o, "conversations");
	json_array(o);
	for (size_t i = 0; i < synced->count; i++)
		put_item(o, &synced->item[i], &slots);
	json_array_end(o);
	json_key(o, "gone");
	json_array(o);
	for (size_t i = 0; i < synced->gone_count; i++)
		json_id(o, synced->gone[i]);
	json_array_end(o);
	json_put_str(o, "cursor", list_cursor(cursor, synced->cursor));
	json_put_bool(o, "more", synced->more);
	request_answer_online(r, 200, &slots);
}

void sync_proceed(struct request *r, const union command_args *a)
{
	store_sync(r->live->store, &a->sync, on_synced, r);
}
