/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking at one message, at its reactions, and at those that are pinned. act.c has what is done to one. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/list.h"
#include "api/render.h"
#include "store/reactions.h"

const struct problem *message_check(struct request *r, union command_args *a)
{
	return request_id(r, "message_id", &a->message_id);
}

static void on_message(const struct store_history *h, void *arg)
{
	struct request *r = arg;
	if (h->status != STORE_OK)
		request_fail_store(r, h->status);
	else if (h->count == 0 || h->item[0].id != r->path_id)
		request_fail_store(r, STORE_NOT_FOUND);
	else
		request_answer_message(r, 200, &h->item[0]);
}

/* The newest that the caller sees of those up to it: that is the message itself, or it is not the caller's to see. */
void message_proceed(struct request *r, const union command_args *a)
{
	store_list_messages(r->live->store, request_user(r), message_id_conversation(a->message_id),
			    message_id_seq(a->message_id) + 1, STORE_NO_AFTER, 1, on_message, r);
}

/* ---- reactions ---- */

#define LIST_LIMIT 50

const struct problem *reactions_check(struct request *r, union command_args *a)
{
	const struct problem *p = list_query_limit(r, LIST_LIMIT, &a->reactions.limit)
					  ?: request_query_text(r, "emoji", &a->reactions.emoji)
					  ?: request_query_text(r, "user_id", &a->reactions.user_id)
					  ?: request_query_u64(r, "cursor", 1, UINT32_MAX, 0, &a->reactions.after);
	if (p == NULL && a->reactions.emoji.s != NULL && !reaction_emoji_valid(a->reactions.emoji))
		return request_invalid(r, "emoji: must be " REACTION_EMOJI_RULE);
	if (p == NULL && a->reactions.user_id.s != NULL && !id_user_valid(a->reactions.user_id))
		return request_invalid(r, "user_id: must be " USER_ID_RULE);
	return p;
}

static void on_reactions(const struct store_reactions *list, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, list->status);
	char cursor[CURSOR_LEN];
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		json_object(o);
		json_put_cstr(o, "user_id", list->item[i].user_id);
		json_put_str(o, "emoji", list->item[i].emoji);
		json_put_time(o, "at", list->item[i].at_ms);
		json_object_end(o);
	}
	list_end(r, list->has_more ? list_cursor_of_id(cursor, list->item[list->count - 1].n) : STR_NULL);
}

void reactions_proceed(struct request *r, const union command_args *a)
{
	store_list_reactions(r->live->store, request_user(r), r->path_id, &a->reactions, on_reactions, r);
}

/* ---- pins ---- */

static void on_pins(const struct store_pins *list, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, list->status);
	char cursor[CURSOR_LEN];
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		render_message(o, &list->item[i]);
	list_end(r, list->has_more ? list_cursor_of_id(cursor, list->next) : STR_NULL);
}

const struct problem *pins_check(struct request *r, union command_args *a)
{
	return request_query_u64(r, "cursor", 1, UINT32_MAX, 0, &a->page.before);
}

void pins_proceed(struct request *r, const union command_args *a)
{
	store_list_pins(r->live->store, request_user(r), r->path_id, a->page.before, on_pins, r);
}
