/* SPDX-License-Identifier: BSD-2-Clause */
/* register, login, the change of a password, and the end of an account: passwords are hashed beside the loop. */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/login.h"
#include "cmd/operator.h"

#include "core/password.h"
#include "hub/stats.h"
#include "live/admission.h"
#include "live/revoked.h"
#include "net/work.h"
#include "store/erasure.h"

#include <stdlib.h>

enum account_what { ACCOUNT_REGISTER, ACCOUNT_LOGIN, ACCOUNT_PASSWORD, ACCOUNT_ERASE };

/* One who registers, logs in, changes the password or leaves for good, from the arguments to the answer; in the request's arena. */
struct account_call {
	struct work_job job;
	struct request *r;
	enum account_what what;
	bool matches;	   /* but of register: the password is right */
	char *made;	   /* of register and password: the hash of the new one, from the thread; NULL: there is none */
	struct str stored; /* but of register: the hash that the account has; absent: none */
	struct str user_id, password, nickname, device, new_password;
	char address[ADDR_TEXT_MAX];
};

/* ---- beside the loop ---- */

static void run(struct work_job *j)
{
	struct account_call *c = container_of(j, struct account_call, job);
	if (c->what != ACCOUNT_REGISTER)
		c->matches = password_matches(c->password.s, c->stored.s);
	if (c->what == ACCOUNT_REGISTER)
		c->made = password_hash(c->password.s);
	else if (c->what == ACCOUNT_PASSWORD && c->matches)
		c->made = password_hash(c->new_password.s);
}

static struct store_login_ask login_of(const struct account_call *c)
{
	return (struct store_login_ask){
		.user = c->user_id,
		.device = c->device,
		.address = str_from(c->address),
		.password_hash = c->stored,
	};
}

static void on_added(const struct store_user *u, void *arg)
{
	struct request *r = arg;
	if (u->status == STORE_OK)
		login_answer(r, u->login, 201);
	else if (u->status == STORE_TAKEN)
		request_fail(r, request_problem(r, PROBLEM_CONFLICT, "user_id: is taken"));
	else
		request_fail_store(r, u->status);
}

static void add(struct account_call *c)
{
	const struct store_login_ask login = login_of(c);
	const struct store_new_user added = {
		.user = c->user_id,
		.nickname = c->nickname,
		.password_hash = str_from(c->made),
		.must_be_new = true,
		.login = &login,
	};
	store_add_user(c->r->live->store, &added, on_added, c->r);
}

/* Nobody is told which of the two is wrong. */
static void credentials_fail(struct account_call *c)
{
	request_fail(c->r, request_problem(c->r, PROBLEM_CREDENTIALS_INVALID, "no such user, or another password"));
}

static void on_begun(const struct store_login *l, void *arg)
{
	struct account_call *c = arg;
	if (l->status == STORE_OK)
		login_answer(c->r, l, 200);
	/* The password was changed, or the account went, while this one was compared. */
	else if (l->status == STORE_FORBIDDEN || l->status == STORE_NOT_FOUND)
		credentials_fail(c);
	else
		request_fail_store(c->r, l->status);
}

static void password_fail(struct account_call *c)
{
	const char *name = c->what == ACCOUNT_ERASE ? "password" : "old_password";
	request_fail(c->r, request_problem(c->r, PROBLEM_FORBIDDEN, "%s: is not your password", name));
}

static void on_changed(const struct store_user *u, void *arg)
{
	struct account_call *c = arg;
	if (u->status == STORE_OK) {
		revoked_tell(c->r->live, u->change);
		request_done(c->r);
	} else if (u->status == STORE_FORBIDDEN) {
		password_fail(c);
	} else {
		request_fail_store(c->r, u->status);
	}
}

static void change(struct account_call *c)
{
	const struct store_user_change wanted = {
		.sets_password = true,
		.password_hash = str_from(c->made),
		.password_was = c->stored,
		.except_login = c->r->login,
	};
	store_change_user(c->r->live->store, c->user_id, &wanted, on_changed, c);
}

static void on_erased(const struct store_logins_ended *e, void *arg)
{
	struct account_call *c = arg;
	if (e->status == STORE_OK) {
		revoked_tell(c->r->live, &e->change);
		request_done(c->r);
	} else if (e->status == STORE_FORBIDDEN) {
		password_fail(c);
	} else {
		request_fail_store(c->r, e->status);
	}
}

static void erase(struct account_call *c)
{
	const struct store_erase e = {
		.asker = c->user_id,
		.user = c->user_id,
		.password_hash = c->stored,
		.messages = c->r->live->conf->account.erase_messages,
	};
	store_erase_user(c->r->live->store, &e, on_erased, c);
}

/* The thread has done its part. */
static void go_on(struct account_call *c)
{
	if (c->what != ACCOUNT_REGISTER && !c->matches) {
		admission_failed(c->r->live, c->r->http->peer, c->user_id.s);
		if (c->what == ACCOUNT_LOGIN)
			credentials_fail(c);
		else
			password_fail(c);
	} else if (c->what == ACCOUNT_LOGIN) {
		const struct store_login_ask login = login_of(c);
		store_begin_login(c->r->live->store, &login, on_begun, c);
	} else if (c->what == ACCOUNT_ERASE) {
		erase(c);
	} else if (c->made == NULL) {
		request_fail(c->r, request_problem(c->r, PROBLEM_UNAVAILABLE, "the password could not be hashed"));
	} else if (c->what == ACCOUNT_REGISTER) {
		add(c);
	} else {
		change(c);
	}
}

static void done(struct work_job *j, bool ran)
{
	struct account_call *c = container_of(j, struct account_call, job);
	char *made = c->made;
	stat_add(STAT_PASSWORDS, ran);
	if (ran)
		go_on(c);
	else
		request_fail(c->r, request_problem(c->r, PROBLEM_UNAVAILABLE, "the password could not be hashed"));
	free(made);
}

static void submit(struct account_call *c)
{
	if (!work_submit(c->r->api->work, &c->job))
		request_fail(c->r, request_problem(c->r, PROBLEM_OVERLOADED, "too many passwords wait to be hashed"));
}

/* ---- before ---- */

/* It is about the caller's own account. */
static bool needs_token(enum account_what what)
{
	return what == ACCOUNT_PASSWORD || what == ACCOUNT_ERASE;
}

static struct account_call *call_new(struct request *r, const union command_args *a, enum account_what what)
{
	struct account_call *c = arena_alloc(&r->arena, sizeof(*c));
	c->job = (struct work_job){.run = run, .done = done};
	c->r = r;
	c->what = what;
	c->user_id = arena_str(&r->arena, needs_token(what) ? request_user(r) : a->account.user_id);
	c->password = arena_str(&r->arena, a->account.password);
	c->new_password = arena_str(&r->arena, a->account.new_password);
	c->nickname = arena_str(&r->arena, a->account.nickname);
	c->device = arena_str(&r->arena, a->account.device);
	login_address(r, c->address);
	r->is_secret = true;
	return c;
}

static const struct problem *password_argument(struct request *r, const char *name, size_t min, struct str *out_r)
{
	const struct problem *p = request_needs_text(r, name, out_r);
	if (p != NULL)
		return p;
	if (out_r->len < min || out_r->len > PASSWORD_MAX)
		return request_invalid(r, "%s: must be of %zu to %d bytes", name, min, PASSWORD_MAX);
	return NULL;
}

static const struct problem *device_argument(struct request *r, union command_args *a)
{
	return request_name(r, "device", LOGIN_DEVICE_MAX, TEXT_LINE, &a->account.device);
}

const struct problem *account_reserved(struct request *r, struct str user)
{
	/* They are paths of their own below /users/ and /friends/; and who acts for the operator is nobody's account.
	 */
	static const char *const reserved[] = {"me",	 "register", "login",	 "refresh",
					       "logout", "blocked",  "requests", OPERATOR_USER};
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if (str_is(user, reserved[i]))
			return request_invalid(r, "user_id: %s is reserved", reserved[i]);
	}
	return NULL;
}

const struct problem *register_check(struct request *r, union command_args *a)
{
	const struct problem *p = request_user_id(r, "user_id", &a->account.user_id)
					  ?: password_argument(r, "password", PASSWORD_MIN, &a->account.password)
					  ?: request_name(r, "nickname", NICKNAME_MAX, TEXT_LINE, &a->account.nickname)
					  ?: device_argument(r, a);
	return p ?: account_reserved(r, a->account.user_id);
}

void register_proceed(struct request *r, const union command_args *a)
{
	if (r->live->conf->account.registration == REGISTRATION_CLOSED)
		request_fail(r,
			     request_problem(r, PROBLEM_FORBIDDEN,
					     "nobody can register here: the server's account.registration is closed"));
	else
		submit(call_new(r, a, ACCOUNT_REGISTER));
}

const struct problem *login_check(struct request *r, union command_args *a)
{
	return request_user_id(r, "user_id", &a->account.user_id)
		       ?: password_argument(r, "password", 0, &a->account.password) ?: device_argument(r, a);
}

static void on_found(const struct store_user *u, void *arg)
{
	struct account_call *c = arg;
	if (u->status != STORE_OK && u->status != STORE_NOT_FOUND) {
		request_fail_store(c->r, u->status);
		return;
	}
	c->stored = arena_str(&c->r->arena, u->password_hash);
	if (needs_token(c->what) && c->stored.s == NULL)
		request_fail(c->r, request_problem(c->r, PROBLEM_FORBIDDEN, "you have no password here"));
	else
		submit(c);
}

/* Guesses at a login's and at a change's password are the same guesses. */
static void look_up(struct account_call *c, struct str asker)
{
	struct request *r = c->r;
	r->retry_ms = admission_login(r->live, r->http->peer, c->user_id.s);
	if (r->retry_ms == 0)
		store_look_up_user(r->live->store, asker, c->user_id, on_found, c);
	else
		request_fail(r, request_problem(r, PROBLEM_RATE_LIMITED, "too many wrong passwords for this user"));
}

void login_proceed(struct request *r, const union command_args *a)
{
	char address[ADDR_TEXT_MAX];
	addr_format_network(r->http->peer, address);
	look_up(call_new(r, a, ACCOUNT_LOGIN), str_from(address));
}

const struct problem *password_check(struct request *r, union command_args *a)
{
	return password_argument(r, "old_password", 0, &a->account.password)
		       ?: password_argument(r, "new_password", PASSWORD_MIN, &a->account.new_password);
}

void password_proceed(struct request *r, const union command_args *a)
{
	r->retry_ms = admission_password(r->live, r->user);
	if (r->retry_ms == 0)
		look_up(call_new(r, a, ACCOUNT_PASSWORD), request_user(r));
	else
		request_fail(r, request_problem(r, PROBLEM_RATE_LIMITED, "the password is changed too often"));
}

/* Guesses count as those at a change of the password do. */
const struct problem *erase_me_check(struct request *r, union command_args *a)
{
	return password_argument(r, "password", 0, &a->account.password);
}

void erase_me_proceed(struct request *r, const union command_args *a)
{
	r->retry_ms = admission_password(r->live, r->user);
	if (r->retry_ms == 0)
		look_up(call_new(r, a, ACCOUNT_ERASE), request_user(r));
	else
		request_fail(r, request_problem(r, PROBLEM_RATE_LIMITED, "the password is asked for too often"));
}
