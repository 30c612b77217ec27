/* SPDX-License-Identifier: BSD-2-Clause */
/* Searching messages. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/list.h"
#include "api/render.h"
#include "core/clock.h"
#include "core/utf8.h"

#define LIST_LIMIT 20
/* Requests that a search counts as: it looks at thousands of messages. */
#define SEARCH_TOKENS 10

static const struct problem *read_query(struct request *r, struct str *q)
{
	const struct problem *p = request_query_text(r, "q", q);
	if (p != NULL)
		return p;
	size_t chars = q->s != NULL ? utf8_count(*q) : 0;
	if (chars < 1 || chars > NEEDLE_CHARS_MAX || memchr(q->s, '\0', q->len) != NULL)
		return request_invalid(r, "q: must be of 1 to %d characters", NEEDLE_CHARS_MAX);
	return NULL;
}

static const struct problem *read_conversation(struct request *r, uint64_t *id_r)
{
	struct str text;
	const struct problem *p = request_query_text(r, "conversation_id", &text);
	if (p != NULL || text.s == NULL)
		return p;
	if (id_parse_u64(text, id_r) != 0)
		return request_invalid(r, "conversation_id: must be an id, a string of decimal digits");
	/* None has the number 0, which here means all. */
	if (*id_r == 0)
		*id_r = UINT64_MAX;
	return NULL;
}

static const struct problem *read_from(struct request *r, struct str *from)
{
	const struct problem *p = request_query_text(r, "from", from);
	if (p != NULL || from->s == NULL || id_user_valid(*from))
		return p;
	return request_invalid(r, "from: must be " USER_ID_RULE);
}

static const struct problem *read_type(struct request *r, struct store_search *s)
{
	struct str text;
	const struct problem *p = request_query_text(r, "type", &text);
	if (p != NULL || text.s == NULL)
		return p;
	/* Some numbers are no type. */
	for (int type = 0; type < MESSAGE_TYPES; type++) {
		const char *name = message_type_name((enum message_type)type);
		if (name == NULL || !str_is(text, name))
			continue;
		s->has_type = true;
		s->type = (enum message_type)type;
		return NULL;
	}
	return request_invalid(r, "type: must be a message_type");
}

static const struct problem *read_time(struct request *r, const char *name, bool *has_r, int64_t *ms_r)
{
	struct str text;
	const struct problem *p = request_query_text(r, name, &text);
	if (p != NULL || text.s == NULL)
		return p;
	*has_r = true;
	if (clock_parse_rfc3339(text, ms_r) != 0)
		return request_invalid(r, "%s: must be a time like 2026-11-23T03:01:21Z", name);
	/* No message is as old as that, and the store takes 0 for none. */
	if (*ms_r < 1)
		*ms_r = 1;
	return NULL;
}

const struct problem *search_check(struct request *r, union command_args *a)
{
	struct store_search *s = &a->search;
	s->user = request_user(r);
	r->tokens = SEARCH_TOKENS;
	return read_query(r, &s->q)
		       ?: read_conversation(r, &s->conversation_id)
		       ?: read_from(r, &s->from)
		       ?: read_type(r, s)
		       ?: read_time(r, "after", &s->has_after, &s->after_ms)
		       ?: read_time(r, "before", &s->has_before, &s->before_ms)
		       ?: list_query_limit(r, LIST_LIMIT, &s->limit)
		       ?: list_query_cursor(r, &s->after);
}

static void put_item(struct json_out *o, const struct store_found_message *item)
{
	json_object(o);
	json_key(o, "message");
	render_message(o, item->message);
	json_put_id(o, "conversation_id", message_id_conversation(item->message->id));
	json_key(o, "highlights");
	json_array(o);
	for (size_t i = 0; i < item->range_count; i++) {
		json_array(o);
		json_i64(o, item->range[i].offset);
		json_i64(o, item->range[i].length);
		json_array_end(o);
	}
	json_array_end(o);
	json_object_end(o);
}

static void on_found(const struct store_found *found, void *arg)
{
	struct request *r = arg;
	char cursor[CURSOR_LEN];
	if (found->building) {
		request_fail(r, request_problem(r, PROBLEM_UNAVAILABLE, "the search index is being built"));
		return;
	}
	struct json_out *o = list_begin(r, found->status);
	if (o == NULL)
		return;
	for (size_t i = 0; i < found->count; i++)
		put_item(o, &found->item[i]);
	list_end(r, found->has_more ? list_cursor(cursor, found->next) : STR_NULL);
}

void search_proceed(struct request *r, const union command_args *a)
{
	store_search(r->live->store, &a->search, on_found, r);
}
