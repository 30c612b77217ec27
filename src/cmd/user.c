/* SPDX-License-Identifier: BSD-2-Clause */
/* Profiles: one's own, and anybody's. */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/directory.h"

#include "cmd/media.h"
#include "api/list.h"
#include "api/render.h"
#include "core/utf8.h"

#define QUERY_CHARS_MIN 2
#define QUERY_CHARS_MAX 64
#define LIST_LIMIT 20
/* A search looks up some hundred users in several tables each: it counts as ten requests. */
#define SEARCH_TOKENS 10

static void end_profile(struct request *r, const struct profile *p)
{
	struct json_out *o = request_begin(r);
	render_profile_members(o, p);
	request_answer(r, 200);
}

static void on_me(const struct store_user *u, void *arg)
{
	struct request *r = arg;
	if (u->status == STORE_OK || u->status == STORE_NOT_FOUND)
		end_profile(r, u->profile);
	else
		request_fail_store(r, u->status);
}

void me_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_find_user(r->live->store, request_user(r), on_me, r);
}

static void on_user(const struct store_user *u, void *arg)
{
	struct request *r = arg;
	if (u->status == STORE_OK)
		end_profile(r, u->profile);
	else
		request_fail_store(r, u->status);
}

void user_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_look_up_user(r->live->store, request_user(r), str_from(r->path_user), on_user, r);
}

const struct problem *me_change_check(struct request *r, union command_args *a)
{
	struct store_user_change *c = &a->user_change;
	c->sets_nickname = json_get(r->body, "nickname") != NULL;
	c->sets_avatar_url = json_get(r->body, "avatar_url") != NULL;
	return request_name(r, "nickname", NICKNAME_MAX, TEXT_LINE, &c->nickname)
		       ?: media_avatar_check(r, &c->avatar_url);
}

static void change_me(struct request *r, struct str avatar_url, void *arg)
{
	struct store_user_change *c = arg;
	c->avatar_url = avatar_url;
	store_change_user(r->live->store, request_user(r), c, on_user, r);
}

void me_change_proceed(struct request *r, const union command_args *a)
{
	struct store_user_change *c = arena_alloc(&r->arena, sizeof(*c));
	*c = a->user_change;
	c->nickname = arena_str(&r->arena, c->nickname);
	media_avatar_find(r, c->avatar_url, change_me, c);
}

/* ---- finding users ---- */

static const struct problem *read_query(struct request *r, bool by_operator, struct str *query)
{
	const struct problem *p = request_query_text(r, "query", query);
	if (p != NULL || (by_operator && query->s == NULL))
		return p;
	size_t chars = query->s != NULL ? utf8_count(*query) : 0;
	if (chars < QUERY_CHARS_MIN || chars > QUERY_CHARS_MAX || memchr(query->s, '\0', query->len) != NULL)
		return request_invalid(r, "query: must be of %d to %d characters", QUERY_CHARS_MIN, QUERY_CHARS_MAX);
	return NULL;
}

static const struct problem *read_cursor(struct request *r, struct directory_cursor *after)
{
	struct str text;
	const struct problem *p = request_query_text(r, "cursor", &text);
	*after = (struct directory_cursor){0};
	if (p != NULL || text.s == NULL)
		return p;
	return directory_cursor_read(text, after) == 0 ? NULL
						       : request_invalid(r, "cursor: must be one that an answer gave");
}

const struct problem *directory_check(struct request *r, struct store_directory_ask *ask)
{
	ask->user = request_user(r);
	r->tokens = SEARCH_TOKENS;
	return read_query(r, ask->by_operator, &ask->query)
		       ?: list_query_limit(r, LIST_LIMIT, &ask->limit) ?: read_cursor(r, &ask->after);
}

void directory_end(struct request *r, const struct store_directory *found)
{
	char cursor[DIRECTORY_CURSOR_LEN];
	list_end(r, found->has_more ? directory_cursor_write(cursor, &found->next) : STR_NULL);
}

const struct problem *users_check(struct request *r, union command_args *a)
{
	a->directory.by_operator = false;
	return directory_check(r, &a->directory);
}

static void on_users(const struct store_directory *found, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, found->status);
	if (o == NULL)
		return;
	for (size_t i = 0; i < found->count; i++)
		render_profile(o, &found->item[i].profile);
	directory_end(r, found);
}

void users_proceed(struct request *r, const union command_args *a)
{
	store_find_users(r->live->store, &a->directory, on_users, r);
}
