/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages that mention the caller, and who has read a message. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/list.h"
#include "api/render.h"

#define LIST_LIMIT 50

const struct problem *mentions_check(struct request *r, union command_args *a)
{
	return list_query_limit(r, LIST_LIMIT, &a->list.limit) ?: list_query_cursor(r, &a->list.after);
}

static void on_mentions(const struct store_mentions *list, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, list->status);
	char cursor[CURSOR_LEN];
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		render_message(o, &list->item[i]);
	list_end(r, list->has_more ? list_cursor(cursor, list->next) : STR_NULL);
}

void mentions_proceed(struct request *r, const union command_args *a)
{
	store_list_mentions(r->live->store, request_user(r), a->list.limit, a->list.after, on_mentions, r);
}

const struct problem *receipts_check(struct request *r, union command_args *a)
{
	return list_query_limit(r, LIST_LIMIT, &a->friends.limit) ?: list_query_user_cursor(r, &a->friends.after);
}

static void on_receipts(const struct store_receipts *list, void *arg)
{
	struct request *r = arg;
	if (list->status == STORE_LIMITED) {
		request_fail(r, request_problem(r, PROBLEM_CONFLICT,
						"in groups of more than %d members nobody is told who has read what",
						r->live->conf->groups.receipts_max));
		return;
	}
	if (list->status != STORE_OK) {
		request_fail_store(r, list->status);
		return;
	}
	struct json_out *o = request_begin(r);
	json_put_u64(o, "read_count", list->read_count);
	json_key(o, "items");
	json_array(o);
	for (size_t i = 0; i < list->count; i++) {
		json_object(o);
		json_put_cstr(o, "user_id", list->item[i].user_id);
		json_put_time(o, "read_at", list->item[i].read_ms);
		json_object_end(o);
	}
	list_end(r, list->has_more && list->count != 0 ? str_from(list->item[list->count - 1].user_id) : STR_NULL);
}

void receipts_proceed(struct request *r, const union command_args *a)
{
	store_list_receipts(r->live->store, request_user(r), r->path_id, a->friends.limit, a->friends.after,
			    on_receipts, r);
}
