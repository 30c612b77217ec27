/* SPDX-License-Identifier: BSD-2-Clause */
/* A group's members: the list, adding and removing, roles and mutes, the owner; and who is banned. */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/group.h"

#include "api/list.h"
#include "api/render.h"
#include "core/utf8.h"

#include <stdio.h>

#define LIST_LIMIT 50
/* In characters. */
#define QUERY_MAX 64
/* A search looks at all members, which takes the database 0.1 s in a group of 10,000: it counts as ten requests. */
#define SEARCH_TOKENS 10

/* ---- changes ---- */

const struct problem *group_add_check(struct request *r, union command_args *a)
{
	struct store_group_op *op = &a->group;
	group_op_begin(r, op);
	return request_user_ids(r, "user_ids", 1, GROUP_ADD_MAX, &op->users, &op->user_count);
}

const struct problem *group_remove_check(struct request *r, union command_args *a)
{
	struct store_group_op *op = &a->group;
	struct str ban;
	group_op_begin(r, op);
	const struct problem *p = request_query_text(r, "ban", &ban);
	if (p != NULL)
		return p;
	op->ban = str_is(ban, "true");
	if (ban.s != NULL && !op->ban && !str_is(ban, "false"))
		return request_invalid(r, "ban: must be true or false");
	if (op->ban && str_equal(op->peer, op->user))
		return request_invalid(r, "ban: one cannot ban oneself");
	return NULL;
}

static const struct problem *read_role(struct request *r, struct store_group_op *op)
{
	const struct json *v = json_get(r->body, "role");
	if (v == NULL)
		return NULL;
	op->sets_role = true;
	bool admin = v->type == JSON_STRING && str_is(v->text, "admin");
	op->role = admin ? GROUP_ADMIN : GROUP_MEMBER;
	if (admin || (v->type == JSON_STRING && str_is(v->text, "member")))
		return NULL;
	return request_invalid(r, "role: must be admin or member");
}

static const struct problem *read_muted_until(struct request *r, struct store_group_op *op)
{
	const struct json *v = json_get(r->body, "muted_until");
	if (v == NULL)
		return NULL;
	op->sets_muted = true;
	/* A time in the past is no mute, which the database's clock tells. */
	return request_time(r, "muted_until", &op->muted_until_ms);
}

const struct problem *group_set_member_check(struct request *r, union command_args *a)
{
	group_op_begin(r, &a->group);
	return read_role(r, &a->group) ?: read_muted_until(r, &a->group);
}

const struct problem *group_pass_on_check(struct request *r, union command_args *a)
{
	group_op_begin(r, &a->group);
	return request_user_id(r, "user_id", &a->group.peer);
}

/* ---- the list ---- */

/* "2-bob": the role, as it is stored, and the id of the last one. */
static const struct problem *read_cursor(struct request *r, struct group_member_cursor *cursor)
{
	struct str text;
	const struct problem *p = request_query_text(r, "cursor", &text);
	if (p != NULL)
		return p;
	if (text.s == NULL)
		return NULL;
	struct str user = text.len > 2 ? (struct str){text.s + 2, text.len - 2} : STR_NULL;
	if (!id_user_valid(user) || text.s[0] < '0' + GROUP_OWNER || text.s[0] > '0' + GROUP_MEMBER || text.s[1] != '-')
		return request_invalid(r, "cursor: is not a cursor of this server");
	cursor->role = (enum group_role)(text.s[0] - '0');
	memcpy(cursor->user_id, user.s, user.len);
	cursor->user_id[user.len] = '\0';
	return NULL;
}

const struct problem *members_check(struct request *r, union command_args *a)
{
	struct str *query = &a->members.query;
	const struct problem *p = list_query_limit(r, LIST_LIMIT, &a->members.limit)
					  ?: read_cursor(r, &a->members.after)
					  ?: request_query_text(r, "query", query);
	if (p != NULL)
		return p;
	if (query->s == NULL)
		return NULL;
	r->tokens = SEARCH_TOKENS;
	size_t chars = utf8_count(*query);
	if (chars < 1 || chars > QUERY_MAX || memchr(query->s, '\0', query->len) != NULL)
		return request_invalid(r, "query: must be of 1 to %d characters", QUERY_MAX);
	return NULL;
}

static void on_members(const struct store_members *list, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, list->status);
	char cursor[sizeof("2-") + USER_ID_MAX] = "";
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		json_object(o);
		render_group_member_members(o, &list->item[i]);
		json_object_end(o);
	}
	if (list->has_more && list->count != 0) {
		const struct group_member *last = &list->item[list->count - 1];
		snprintf(cursor, sizeof(cursor), "%d-%s", (int)last->role, last->user.user_id);
	}
	list_end(r, cursor[0] != '\0' ? str_from(cursor) : STR_NULL);
}

void members_proceed(struct request *r, const union command_args *a)
{
	store_list_members(r->live->store, request_user(r), r->path_id, a->members.limit, &a->members.after,
			   a->members.query, on_members, r);
}

/* ---- bans, and who waits to be let in ---- */

const struct problem *group_entries_check(struct request *r, union command_args *a)
{
	return list_query_limit(r, LIST_LIMIT, &a->friends.limit) ?: list_query_user_cursor(r, &a->friends.after);
}

static void on_entries(const struct store_group_entries *list, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, list->status);
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		const struct group_entry *e = &list->item[i];
		json_object(o);
		json_key(o, "user");
		render_profile(o, &e->user);
		if (e->by[0] != '\0') {
			json_put_cstr(o, "banned_by", e->by);
		}
		json_put_time(o, "created_at", e->created_ms);
		json_object_end(o);
	}
	list_end(r, list->has_more && list->count != 0 ? str_from(list->item[list->count - 1].user.user_id) : STR_NULL);
}

void bans_proceed(struct request *r, const union command_args *a)
{
	store_list_bans(r->live->store, request_user(r), r->path_id, a->friends.limit, a->friends.after, on_entries, r);
}

void join_requests_proceed(struct request *r, const union command_args *a)
{
	store_list_join_requests(r->live->store, request_user(r), r->path_id, a->friends.limit, a->friends.after,
				 on_entries, r);
}
