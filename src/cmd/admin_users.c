/* SPDX-License-Identifier: BSD-2-Clause */
/* Users, as administrators find, make, see, change, bar and erase them. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/list.h"
#include "api/render.h"
#include "cmd/directory.h"
#include "cmd/login.h"
#include "core/password.h"
#include "hub/stats.h"
#include "live/revoked.h"
#include "net/work.h"
#include "store/account.h"
#include "store/erasure.h"

#include <stdlib.h>

/* ---- answering ---- */

static enum store_status status_of(const struct store_account *a)
{
	return a->status == STORE_OK && a->state.erased_ms != 0 ? STORE_NOT_FOUND : a->status;
}

static void put_members(struct json_out *o, const struct profile *p, bool disabled, int64_t last_seen_ms)
{
	render_profile_members(o, p);
	json_put_bool(o, "disabled", disabled);
	json_put_time(o, "last_seen", last_seen_ms);
}

struct shown {
	struct request *r;
	int http_status;
};

static void on_account(const struct store_account *a, void *arg)
{
	const struct shown *s = arg;
	struct request *r = s->r;
	if (status_of(a) != STORE_OK) {
		request_fail_store(r, status_of(a));
		return;
	}
	put_members(request_begin(r), a->user->profile, a->state.disabled, a->user->last_seen_ms);
	request_answer(r, s->http_status);
}

static void show(struct request *r, struct str user, int http_status)
{
	struct shown *s = arena_alloc(&r->arena, sizeof(*s));
	*s = (struct shown){r, http_status};
	store_find_account(r->live->store, request_user(r), user, on_account, s);
}

void any_user_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	show(r, str_from(r->path_user), 200);
}

/* ---- the list ---- */

const struct problem *any_users_check(struct request *r, union command_args *a)
{
	a->directory.by_operator = true;
	return directory_check(r, &a->directory);
}

static void on_users(const struct store_directory *found, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, found->status);
	if (o == NULL)
		return;
	for (size_t i = 0; i < found->count; i++) {
		const struct found_user *u = &found->item[i];
		json_object(o);
		put_members(o, &u->profile, u->disabled, u->last_seen_ms);
		json_object_end(o);
	}
	directory_end(r, found);
}

void any_users_proceed(struct request *r, const union command_args *a)
{
	store_find_users(r->live->store, &a->directory, on_users, r);
}

/* ---- making one ---- */

struct making {
	struct work_job job;
	struct request *r;
	struct str user, nickname, password;
	char *made;
};

const struct problem *add_user_check(struct request *r, union command_args *a)
{
	struct str password;
	const struct problem *p = request_user_id(r, "user_id", &a->account.user_id)
					  ?: request_name(r, "nickname", NICKNAME_MAX, TEXT_LINE, &a->account.nickname)
					  ?: request_text(r, "password", &password);
	if (p != NULL)
		return p;
	if (password.s != NULL && (password.len < PASSWORD_MIN || password.len > PASSWORD_MAX))
		return request_invalid(r, "password: must be of %d to %d bytes", PASSWORD_MIN, PASSWORD_MAX);
	a->account.password = password;
	return account_reserved(r, a->account.user_id);
}

static void on_added(const struct store_user *u, void *arg)
{
	struct request *r = arg;
	if (u->status == STORE_OK)
		show(r, str_from(u->profile->user_id), 201);
	else if (u->status == STORE_TAKEN)
		request_fail(r, request_problem(r, PROBLEM_CONFLICT, "user_id: is taken"));
	else
		request_fail_store(r, u->status);
}

/* The administrator may give an id that occurs already to its owner. */
static void add(struct making *m)
{
	const struct store_new_user u = {m->user, m->nickname, str_from(m->made), .must_be_new = false};
	store_add_user(m->r->live->store, &u, on_added, m->r);
}

static void run(struct work_job *j)
{
	struct making *m = container_of(j, struct making, job);
	m->made = password_hash(m->password.s);
}

static void done(struct work_job *j, bool ran)
{
	struct making *m = container_of(j, struct making, job);
	char *made = m->made;
	stat_add(STAT_PASSWORDS, ran);
	if (ran && made != NULL)
		add(m);
	else
		request_fail(m->r, request_problem(m->r, PROBLEM_UNAVAILABLE, "the password could not be hashed"));
	free(made);
}

void add_user_proceed(struct request *r, const union command_args *a)
{
	struct making *m = arena_alloc(&r->arena, sizeof(*m));
	*m = (struct making){.job = {.run = run, .done = done}, .r = r};
	m->user = arena_str(&r->arena, a->account.user_id);
	m->nickname = arena_str(&r->arena, a->account.nickname);
	m->password = arena_str(&r->arena, a->account.password);
	r->is_secret = true;
	if (m->password.s == NULL)
		add(m);
	else if (!work_submit(r->api->work, &m->job))
		request_fail(r, request_problem(r, PROBLEM_OVERLOADED, "too many passwords wait to be hashed"));
}

/* ---- changing one ---- */

struct changing {
	struct request *r;
	bool bars, disables, revokes;
	struct store_user_change profile;
};

static const struct problem *read_flag(struct request *r, const char *name, bool *given_r, bool *value_r)
{
	const struct json *v = json_get(r->body, name);
	*given_r = v != NULL && v->type != JSON_NULL;
	*value_r = *given_r && v->type == JSON_BOOL && v->boolean;
	return !*given_r || v->type == JSON_BOOL ? NULL : request_invalid(r, "%s: must be true or false", name);
}

const struct problem *change_any_user_check(struct request *r, union command_args *a)
{
	struct store_user_change *c = &a->user_access.profile;
	bool revoke_given;
	c->sets_nickname = json_get(r->body, "nickname") != NULL;
	c->sets_avatar_url = json_get(r->body, "avatar_url") != NULL;
	return request_name(r, "nickname", NICKNAME_MAX, TEXT_LINE, &c->nickname)
		       ?: request_web_url(r, "avatar_url", &c->avatar_url)
		       ?: read_flag(r, "disabled", &a->user_access.bars, &a->user_access.disables)
		       ?: read_flag(r, "revoke", &revoke_given, &a->user_access.revokes);
}

static void bar_next(struct changing *c);

static void on_barred(const struct store_logins_ended *e, void *arg)
{
	struct changing *c = arg;
	if (e->status != STORE_OK) {
		request_fail_store(c->r, e->status);
		return;
	}
	revoked_tell(c->r->live, &e->change);
	bar_next(c);
}

static void bar(struct changing *c, enum user_change change, enum login_end why)
{
	const struct store_end_logins e = {.user = str_from(c->r->path_user), .why = why, .change = change};
	store_end_logins(c->r->live->store, &e, on_barred, c);
}

/* Each is a transaction of its own. Where one fails the call can be repeated. */
static void bar_next(struct changing *c)
{
	if (c->revokes) {
		c->revokes = false;
		bar(c, USER_REVOKE, LOGIN_REVOKED);
	} else if (c->bars) {
		c->bars = false;
		bar(c, c->disables ? USER_DISABLE : USER_ENABLE, LOGIN_DISABLED);
	} else {
		show(c->r, str_from(c->r->path_user), 200);
	}
}

static void on_profile(const struct store_user *u, void *arg)
{
	struct changing *c = arg;
	if (u->status == STORE_OK)
		bar_next(c);
	else
		request_fail_store(c->r, u->status);
}

/* Nothing is written of an id that was typed wrong. But a user need not have an account here to be refused. */
static void on_known(const struct store_account *a, void *arg)
{
	struct changing *c = arg;
	struct request *r = c->r;
	bool changes_profile = c->profile.sets_nickname || c->profile.sets_avatar_url;
	bool refuses = c->revokes || (c->bars && c->disables);
	if (status_of(a) == STORE_NOT_FOUND && a->state.erased_ms == 0 && refuses && !changes_profile)
		bar_next(c);
	else if (status_of(a) != STORE_OK)
		request_fail_store(r, status_of(a));
	else if (changes_profile)
		store_change_user(r->live->store, str_from(r->path_user), &c->profile, on_profile, c);
	else
		bar_next(c);
}

void change_any_user_proceed(struct request *r, const union command_args *a)
{
	struct changing *c = arena_alloc(&r->arena, sizeof(*c));
	*c = (struct changing){
		.r = r,
		.bars = a->user_access.bars,
		.disables = a->user_access.disables,
		.revokes = a->user_access.revokes,
		.profile = a->user_access.profile,
	};
	c->profile.nickname = arena_str(&r->arena, c->profile.nickname);
	c->profile.avatar_url = arena_str(&r->arena, c->profile.avatar_url);
	store_find_account(r->live->store, request_user(r), str_from(r->path_user), on_known, c);
}

/* ---- erasing one ---- */

void erase_any_user_proceed(struct request *r, const union command_args *a)
{
	const struct store_erase e = {
		.asker = request_user(r),
		.user = str_from(r->path_user),
		.messages = r->live->conf->account.erase_messages,
	};
	(void)a;
	store_erase_user(r->live->store, &e, login_answer_ended, r);
}
