/* SPDX-License-Identifier: BSD-2-Clause */
/* Profiles: one's own, and anybody's. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "cmd/media.h"
#include "api/render.h"

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
