/* SPDX-License-Identifier: BSD-2-Clause */
/* register and login: a password is hashed beside the loop, and a token signed. */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/operator.h"

#include "api/render.h"
#include "core/password.h"
#include "hub/stats.h"
#include "live/admission.h"
#include "net/work.h"

#include <stdlib.h>

/* One who registers or logs in, from the arguments to the answer; in the request's arena. */
struct account_call {
	struct work_job job;
	struct request *r;
	bool registers;
	bool matches;	   /* login: the password is right */
	char *made;	   /* register: the hash of the password, from the thread; NULL: there is none */
	struct str stored; /* login: the hash that the account has; absent: none */
	struct str user_id, password, nickname;
};

static void answer_with_token(struct request *r, const struct profile *user, int http_status)
{
	struct live *live = r->live;
	const char *reason;
	int64_t expires_ms;
	char *token =
		token_issue(r->api->keys, user->user_id, 0, NULL, live->conf->jwt.lifetime_secs, &expires_ms, &reason);
	if (token == NULL) {
		request_fail(r, request_problem(r, PROBLEM_UNAVAILABLE, "%s", reason));
		return;
	}
	struct json_out *o = request_begin(r);
	json_key(o, "user");
	render_profile(o, user);
	json_key(o, "token");
	json_cstr(o, token);
	json_key(o, "expires_at");
	json_time(o, expires_ms);
	request_answer(r, http_status);
	explicit_bzero(token, strlen(token));
	free(token);
}

/* ---- beside the loop ---- */

static void run(struct work_job *j)
{
	struct account_call *c = container_of(j, struct account_call, job);
	if (c->registers)
		c->made = password_hash(c->password.s);
	else
		c->matches = password_matches(c->password.s, c->stored.s);
}

static void on_added(const struct store_user *u, void *arg)
{
	if (u->status == STORE_OK)
		answer_with_token(arg, u->profile, 201);
	else if (u->status == STORE_TAKEN)
		request_fail(arg, request_problem(arg, PROBLEM_CONFLICT, "user_id: is taken"));
	else
		request_fail_store(arg, u->status);
}

static void on_profile(const struct store_user *u, void *arg)
{
	if (u->status == STORE_OK)
		answer_with_token(arg, u->profile, 200);
	else
		request_fail_store(arg, u->status == STORE_NOT_FOUND ? STORE_UNAVAILABLE : u->status);
}

static void login_fail(struct account_call *c)
{
	admission_failed(c->r->live, c->r->http->peer, c->user_id.s);
	request_fail(c->r, request_problem(c->r, PROBLEM_CREDENTIALS_INVALID, "no such user, or another password"));
}

static void done(struct work_job *j, bool ran)
{
	struct account_call *c = container_of(j, struct account_call, job);
	struct store *store = c->r->live->store;
	char *made = c->made;
	const struct store_new_user added = {
		.user = c->user_id,
		.nickname = c->nickname,
		.password_hash = str_from(made),
		.must_be_new = true,
	};
	stat_add(STAT_PASSWORDS, ran);
	if (!ran || (c->registers && made == NULL))
		request_fail(c->r, request_problem(c->r, PROBLEM_UNAVAILABLE, "the password could not be hashed"));
	else if (c->registers)
		store_add_user(store, &added, on_added, c->r);
	else if (c->matches)
		store_find_user(store, c->user_id, on_profile, c->r);
	else
		login_fail(c);
	free(made);
}

static void submit(struct account_call *c)
{
	if (!work_submit(c->r->api->work, &c->job))
		request_fail(c->r, request_problem(c->r, PROBLEM_OVERLOADED, "too many passwords wait to be hashed"));
}

/* ---- before ---- */

static struct account_call *call_new(struct request *r, const union command_args *a, bool registers)
{
	struct account_call *c = arena_alloc(&r->arena, sizeof(*c));
	c->job = (struct work_job){.run = run, .done = done};
	c->r = r;
	c->registers = registers;
	c->user_id = arena_str(&r->arena, a->account.user_id);
	c->password = arena_str(&r->arena, a->account.password);
	c->nickname = arena_str(&r->arena, a->account.nickname);
	r->is_secret = true;
	return c;
}

static const struct problem *password_argument(struct request *r, size_t min, struct str *out_r)
{
	const struct problem *p = request_needs_text(r, "password", out_r);
	if (p != NULL)
		return p;
	if (out_r->len < min || out_r->len > PASSWORD_MAX)
		return request_invalid(r, "password: must be of %zu to %d bytes", min, PASSWORD_MAX);
	return NULL;
}

const struct problem *register_check(struct request *r, union command_args *a)
{
	/* They are paths of their own below /users/ and /friends/; and who acts for the operator is nobody's account.
	 */
	static const char *const reserved[] = {"me", "register", "login", "blocked", "requests", OPERATOR_USER};
	const struct problem *p = request_user_id(r, "user_id", &a->account.user_id)
					  ?: password_argument(r, PASSWORD_MIN, &a->account.password)
					  ?: request_name(r, "nickname", NICKNAME_MAX, TEXT_LINE, &a->account.nickname);
	if (p != NULL)
		return p;
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if (str_is(a->account.user_id, reserved[i]))
			return request_invalid(r, "user_id: %s is reserved", reserved[i]);
	}
	return NULL;
}

void register_proceed(struct request *r, const union command_args *a)
{
	if (r->live->conf->account.registration == REGISTRATION_CLOSED)
		request_fail(r,
			     request_problem(r, PROBLEM_FORBIDDEN,
					     "nobody can register here: the server's account.registration is closed"));
	else
		submit(call_new(r, a, true));
}

const struct problem *login_check(struct request *r, union command_args *a)
{
	return request_user_id(r, "user_id", &a->account.user_id) ?: password_argument(r, 0, &a->account.password);
}

static void on_found(const struct store_user *u, void *arg)
{
	struct account_call *c = arg;
	if (u->status == STORE_OK || u->status == STORE_NOT_FOUND) {
		c->stored = arena_str(&c->r->arena, u->password_hash);
		submit(c);
	} else {
		request_fail_store(c->r, u->status);
	}
}

void login_proceed(struct request *r, const union command_args *a)
{
	struct account_call *c = call_new(r, a, false);
	char address[ADDR_TEXT_MAX];
	addr_format_network(r->http->peer, address);
	r->retry_ms = admission_login(r->live, r->http->peer, c->user_id.s);
	if (r->retry_ms == 0)
		store_look_up_user(r->live->store, str_from(address), c->user_id, on_found, c);
	else
		request_fail(r, request_problem(r, PROBLEM_RATE_LIMITED, "too many wrong passwords for this user"));
}
