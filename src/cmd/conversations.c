/* SPDX-License-Identifier: BSD-2-Clause */
/* Conversations: the list, beginning one, its history. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/list.h"
#include "api/render.h"

#define CONVERSATIONS_LIMIT 20
#define MESSAGES_LIMIT 50
#define SOURCE_KIND_MAX 32
#define SOURCE_ID_MAX 64

static const struct problem *read_archived(struct request *r, bool *archived_r)
{
	struct str text;
	const struct problem *p = request_query_text(r, "archived", &text);
	if (p != NULL)
		return p;
	*archived_r = text.s != NULL && str_is(text, "true");
	if (text.s != NULL && !*archived_r && !str_is(text, "false"))
		return request_invalid(r, "archived: must be true or false");
	return NULL;
}

const struct problem *conversations_check(struct request *r, union command_args *a)
{
	return list_query_limit(r, CONVERSATIONS_LIMIT, &a->list.limit)
		       ?: list_query_cursor(r, &a->list.after) ?: read_archived(r, &a->list.archived);
}

static void on_conversations(const struct store_conversations *list, void *arg)
{
	struct request *r = arg;
	struct online_slots slots = request_slots(r);
	struct json_out *o = list_begin(r, list->status);
	char cursor[CURSOR_LEN];
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		render_conversation(o, &list->item[i], &slots);
	list_end_online(r, &slots, list->has_more ? list_cursor(cursor, list->next) : STR_NULL);
}

void conversations_proceed(struct request *r, const union command_args *a)
{
	store_list_conversations(r->live->store, request_user(r), a->list.archived, a->list.limit, a->list.after,
				 on_conversations, r);
}

const struct problem *conversation_check(struct request *r, union command_args *a)
{
	a->conversation_id = r->path_id;
	return NULL;
}

static void on_conversation(enum store_status status, const struct conversation *c, void *arg)
{
	struct request *r = arg;
	if (status != STORE_OK) {
		request_fail_store(r, status);
		return;
	}
	struct online_slots slots = request_slots(r);
	render_conversation_members(request_begin(r), c, &slots);
	request_answer_online(r, 200, &slots);
}

void conversation_proceed(struct request *r, const union command_args *a)
{
	store_find_conversation(r->live->store, request_user(r), a->conversation_id, on_conversation, r);
}

static const struct problem *source_part(struct request *r, const struct json *source, const char *name, size_t max,
					 struct str *out_r)
{
	const struct json *v = json_get(source, name);
	if (v == NULL || v->type != JSON_STRING || v->has_nul || v->text.len == 0 || v->text.len > max)
		return request_invalid(r, "source.%s: must be a string of 1 to %zu bytes", name, max);
	*out_r = v->text;
	return NULL;
}

const struct problem *create_check(struct request *r, union command_args *a)
{
	const struct problem *p = request_user_id(r, "user_id", &a->create.peer);
	if (p != NULL)
		return p;
	if (str_equal(a->create.peer, request_user(r)))
		return request_invalid(r, "user_id: one cannot talk to oneself");
	const struct json *source = json_get(r->body, "source");
	if (source == NULL || source->type == JSON_NULL)
		return NULL;
	if (source->type != JSON_OBJECT)
		return request_invalid(r, "source: must be an object");
	return source_part(r, source, "kind", SOURCE_KIND_MAX, &a->create.source_kind)
		       ?: source_part(r, source, "id", SOURCE_ID_MAX, &a->create.source_id);
}

static void on_created(const struct store_created *c, void *arg)
{
	struct request *r = arg;
	if (c->status != STORE_OK) {
		request_fail_store(r, c->status);
		return;
	}
	struct online_slots slots = request_slots(r);
	render_conversation_members(request_begin(r), c->conversation, &slots);
	request_answer_online(r, c->created ? 201 : 200, &slots);
}

void create_proceed(struct request *r, const union command_args *a)
{
	store_create(r->live->store, request_user(r), a->create.peer, a->create.source_kind, a->create.source_id,
		     on_created, r);
}

const struct problem *history_check(struct request *r, union command_args *a)
{
	a->history.conversation_id = r->path_id;
	const struct problem *p = list_query_limit(r, MESSAGES_LIMIT, &a->history.limit)
					  ?: request_query_u64(r, "before", 1, UINT64_MAX, 0, &a->history.before);
	if (p != NULL)
		return p;
	p = request_query_u64(r, "after", 0, STORE_NO_AFTER - 1, STORE_NO_AFTER, &a->history.after);
	if (p != NULL)
		return p;
	if (a->history.before != 0 && a->history.after != STORE_NO_AFTER)
		return request_invalid(r, "before, after: only one of them can be given");
	return NULL;
}

static void on_history(const struct store_history *h, void *arg)
{
	struct request *r = arg;
	if (h->status != STORE_OK) {
		request_fail_store(r, h->status);
		return;
	}
	struct json_out *o = request_begin(r);
	json_key(o, "items");
	json_array(o);
	for (size_t i = 0; i < h->count; i++)
		render_message(o, &h->item[i]);
	json_array_end(o);
	json_put_bool(o, "has_more", h->has_more);
	request_answer(r, 200);
}

void history_proceed(struct request *r, const union command_args *a)
{
	store_list_messages(r->live->store, request_user(r), a->history.conversation_id, a->history.before,
			    a->history.after, a->history.limit, on_history, r);
}
