/* SPDX-License-Identifier: BSD-2-Clause */
/* The arguments of forward. */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/forward.h"

#include "cmd/content.h"

#include <stdlib.h>

/* Copies that are looked up for one token of limits.requests_per_second. */
#define COPIES_A_TOKEN 20

static int compare_forwarded(const void *a, const void *b)
{
	const struct forwarded *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* In order, and who is named twice once, by its first place. */
static void sort_messages(struct forward *f)
{
	size_t kept = 0;
	qsort(f->message, f->message_count, sizeof(*f->message), compare_forwarded);
	for (size_t i = 0; i < f->message_count; i++)
		if (kept == 0 || f->message[i].id != f->message[kept - 1].id)
			f->message[kept++] = f->message[i];
	f->message_count = kept;
	for (size_t i = 0; i < kept; i++)
		f->message_id[i] = f->message[i].id;
}

static const struct problem *check_messages(struct request *r, struct forward *f)
{
	const struct json *list = json_get(r->body, "message_ids");
	if (list == NULL || list->type != JSON_ARRAY || list->count < 1 || list->count > FORWARD_MESSAGES_MAX)
		return request_invalid(r, "message_ids: must be an array of 1 to %d ids", FORWARD_MESSAGES_MAX);
	f->message = arena_alloc(&r->arena, list->count * sizeof(*f->message));
	f->message_id = arena_alloc(&r->arena, list->count * sizeof(*f->message_id));
	for (const struct json *v = list->child; v != NULL; v = v->next) {
		struct forwarded *m = &f->message[f->message_count];
		m->at = f->message_count++;
		if (v->type != JSON_STRING || id_parse_u64(v->text, &m->id) != 0)
			return request_invalid(r, "message_ids[%zu]: must be an id, a string of decimal digits", m->at);
	}
	sort_messages(f);
	return NULL;
}

static const struct problem *check_target(struct request *r, struct forward_target *t, const struct json *v, size_t at)
{
	const struct json *user = v->type == JSON_OBJECT ? json_get(v, "user_id") : NULL;
	const struct json *conversation = v->type == JSON_OBJECT ? json_get(v, "conversation_id") : NULL;
	bool has_user = user != NULL && user->type != JSON_NULL;
	bool has_conversation = conversation != NULL && conversation->type != JSON_NULL;
	if (has_user == has_conversation)
		return request_invalid(r, "to[%zu]: must be an object with either user_id or conversation_id", at);
	if (has_conversation &&
	    (conversation->type != JSON_STRING || id_parse_u64(conversation->text, &t->conversation_id) != 0))
		return request_invalid(r, "to[%zu].conversation_id: must be an id, a string of decimal digits", at);
	if (has_conversation)
		return NULL;
	if (user->type != JSON_STRING || !id_user_valid(user->text))
		return request_invalid(r, "to[%zu].user_id: must be " USER_ID_RULE, at);
	if (str_is(user->text, r->user))
		return request_invalid(r, "to[%zu].user_id: one cannot send to oneself", at);
	t->user = arena_str(&r->arena, user->text);
	return NULL;
}

static const struct problem *check_targets(struct request *r, struct forward *f)
{
	const struct json *list = json_get(r->body, "to");
	if (list == NULL || list->type != JSON_ARRAY || list->count < 1 || list->count > FORWARD_TARGETS_MAX)
		return request_invalid(r, "to: must be an array of 1 to %d users and conversations",
				       FORWARD_TARGETS_MAX);
	for (const struct json *v = list->child; v != NULL; v = v->next) {
		struct forward_target *t = &f->target[f->target_count];
		t->forward = f;
		const struct problem *p = check_target(r, t, v, f->target_count++);
		if (p != NULL)
			return p;
	}
	return NULL;
}

static const struct problem *check_rest(struct request *r, struct forward *f, struct str *client_msg_id)
{
	const struct json *merged = json_get(r->body, "merged");
	if (merged != NULL && merged->type != JSON_NULL && merged->type != JSON_BOOL)
		return request_invalid(r, "merged: must be true or false");
	f->merged = merged != NULL && merged->type == JSON_BOOL && merged->boolean;
	const struct problem *p =
		content_text_check(r, "comment", &f->comment) ?: request_client_id(r, "client_msg_id", client_msg_id);
	if (p == NULL && f->comment.s != NULL && f->comment.len == 0)
		return request_invalid(r, "comment: must not be empty");
	f->comment = arena_str(&r->arena, f->comment);
	return p;
}

/* What tells this request from others with the same client_msg_id. */
static struct str write_body(struct request *r, const struct forward *f)
{
	struct buf *out = &r->live->scratch;
	buf_clear(out);
	for (size_t i = 0; i < f->message_count; i++) {
		buf_append_u64(out, f->message_id[i]);
		buf_append_char(out, ' ');
	}
	for (size_t i = 0; i < f->target_count; i++) {
		buf_append_char(out, '\n');
		buf_append_str(out, f->target[i].user);
		buf_append_char(out, ' ');
		buf_append_u64(out, f->target[i].conversation_id);
	}
	buf_append_char(out, f->merged ? '+' : '-');
	buf_append_char(out, f->comment.s != NULL ? '+' : '-');
	buf_append_str(out, f->comment);
	return (struct str){out->data, out->len};
}

const struct problem *forward_check(struct request *r, union command_args *a)
{
	struct forward *f = a->forward = arena_alloc(&r->arena, sizeof(*f));
	struct str client_msg_id;
	f->r = r;
	const struct problem *p = check_messages(r, f) ?: check_targets(r, f) ?: check_rest(r, f, &client_msg_id);
	if (p != NULL)
		return p;
	f->has_key = client_msg_id.s != NULL;
	if (f->has_key)
		forward_key_make(&f->key, client_msg_id, write_body(r, f));
	r->tokens = 1 + (unsigned)(f->message_count * f->target_count / COPIES_A_TOKEN);
	return NULL;
}
