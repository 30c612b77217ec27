/* SPDX-License-Identifier: BSD-2-Clause */
/* forwarded: the parts of a merged message. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/list.h"
#include "api/render.h"

#include <stdlib.h>

#define LIST_LIMIT 50

const struct problem *forwarded_check(struct request *r, union command_args *a)
{
	const uint64_t none = FORWARD_MESSAGES_MAX;
	uint64_t after;
	const struct problem *p = list_query_limit(r, LIST_LIMIT, &a->forwarded.limit)
					  ?: request_query_u64(r, "cursor", 0, FORWARD_MESSAGES_MAX - 1, none, &after)
					  ?: request_query_text(r, "part", &a->forwarded.of);
	if (p == NULL && a->forwarded.of.s != NULL && !forward_part_valid(a->forwarded.of))
		return request_invalid(r, "part: must be the part of an item of this list");
	if (p == NULL)
		a->forwarded.after = after != none ? (int)after : -1;
	return p;
}

static void on_forwarded(const struct store_forwarded *list, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, list->status);
	char cursor[CURSOR_LEN];
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		json_object(o);
		render_forward_part_members(o, &list->item[i]);
		json_object_end(o);
	}
	if (!list->has_more || list->count == 0) {
		list_end(r, STR_NULL);
		return;
	}
	const char *part = list->item[list->count - 1].part;
	list_end(r, list_cursor_of_id(cursor, strtoul(part + strlen(part) - 2, NULL, 10)));
}

void forwarded_proceed(struct request *r, const union command_args *a)
{
	store_list_forwarded(r->live->store, request_user(r), r->path_id, a->forwarded.of, a->forwarded.after,
			     a->forwarded.limit, on_forwarded, r);
}
