/* SPDX-License-Identifier: BSD-2-Clause */
/* Logins: what is answered when one begins, how it goes on, the list of them, and how they end. */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/login.h"

#include "api/render.h"
#include "live/admission.h"
#include "live/revoked.h"

#include <stdlib.h>

void login_address(const struct request *r, char out[ADDR_TEXT_MAX])
{
	if (addr_format_network(r->http->peer, out)[0] != '\0')
		addr_format_host(r->http->peer, out);
}

void login_answer(struct request *r, const struct store_login *l, int http_status)
{
	const char *reason;
	int64_t expires_ms;
	revoked_tell(r->live, &l->change);
	char *token = token_issue(r->api->keys, l->profile->user_id, l->id, NULL, r->live->conf->jwt.lifetime_secs,
				  &expires_ms, &reason);
	if (token == NULL) {
		request_fail(r, request_problem(r, PROBLEM_UNAVAILABLE, "%s", reason));
		return;
	}
	struct json_out *o = request_begin(r);
	json_key(o, "user");
	render_profile(o, l->profile);
	json_put_cstr(o, "token", token);
	json_put_time(o, "expires_at", expires_ms);
	json_put_cstr(o, "refresh_token", l->refresh_token);
	json_put_time(o, "refresh_expires_at", l->refresh_expires_ms);
	json_put_id(o, "login_id", l->id);
	request_answer(r, http_status);
	explicit_bzero(token, strlen(token));
	free(token);
}

/* ---- going on ---- */

static const struct problem *unknown_token(struct request *r)
{
	return request_problem(r, PROBLEM_TOKEN_INVALID, "unknown refresh token");
}

const struct problem *refresh_check(struct request *r, union command_args *a)
{
	struct str text;
	r->is_secret = true;
	const struct problem *p = request_needs_text(r, "refresh_token", &text);
	if (p == NULL && refresh_token_parse(text, &a->refresh_token) != 0)
		p = unknown_token(r);
	return p;
}

static void count_refresh(struct request *r, const struct store_login *l)
{
	switch (l->status) {
	case STORE_NOT_FOUND:
		return;
	case STORE_OK:
	case STORE_LOGIN_ENDED:
	case STORE_LOGIN_EXPIRED:
		admission_refresh_genuine(r->live, r->http->peer, l->id);
		return;
	default:
		admission_refresh_forgive(r->live, r->http->peer);
	}
}

static void on_refreshed(const struct store_login *l, void *arg)
{
	struct request *r = arg;
	count_refresh(r, l);
	switch (l->status) {
	case STORE_OK:
		login_answer(r, l, 200);
		return;
	case STORE_NOT_FOUND:
		request_fail(r, unknown_token(r));
		return;
	default:
		revoked_tell(r->live, &l->change);
		request_fail_store(r, l->status);
	}
}

void refresh_proceed(struct request *r, const union command_args *a)
{
	char network[ADDR_TEXT_MAX], host[ADDR_TEXT_MAX];
	r->retry_ms = admission_refresh_begin(r->live, r->http->peer, a->refresh_token.login);
	if (r->retry_ms != 0) {
		request_fail(r, request_problem(r, PROBLEM_RATE_LIMITED, "renewed too often"));
		return;
	}
	addr_format_network(r->http->peer, network);
	login_address(r, host);
	store_refresh_login(r->live->store, &a->refresh_token, str_from(network), str_from(host), on_refreshed, r);
}

/* ---- ending ---- */

void login_answer_ended(const struct store_logins_ended *e, void *arg)
{
	struct request *r = arg;
	if (e->status != STORE_OK) {
		request_fail_store(r, e->status);
		return;
	}
	revoked_tell(r->live, &e->change);
	request_done(r);
}

const struct problem *logout_check(struct request *r, union command_args *a)
{
	const struct json *all = json_get(r->body, "all");
	if (all != NULL && all->type != JSON_BOOL && all->type != JSON_NULL)
		return request_invalid(r, "all: must be true or false");
	a->all = all != NULL && all->type == JSON_BOOL && all->boolean;
	if (!a->all && r->login == 0)
		return request_invalid(r, "all: has to be true, for this token belongs to no login of this server");
	return NULL;
}

/* All: revoked as well, for the user may have tokens that another system signed, and those belong to no login. */
void logout_proceed(struct request *r, const union command_args *a)
{
	const struct store_end_logins end = {
		.user = request_user(r),
		.only = a->all ? 0 : r->login,
		.why = LOGIN_LOGGED_OUT,
		.change = a->all ? USER_REVOKE : USER_STAYS,
	};
	store_end_logins(r->live->store, &end, login_answer_ended, r);
}

void end_login_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	/* A 0 would be all. */
	if (r->path_id == 0) {
		request_fail_store(r, STORE_NOT_FOUND);
		return;
	}
	const struct store_end_logins end = {
		.user = request_user(r), .only = r->path_id, .why = LOGIN_LOGGED_OUT, .change = USER_STAYS};
	store_end_logins(r->live->store, &end, login_answer_ended, r);
}

/* ---- the list ---- */

static void on_logins(const struct store_logins *l, void *arg)
{
	struct request *r = arg;
	if (l->status != STORE_OK) {
		request_fail_store(r, l->status);
		return;
	}
	struct json_out *o = request_begin(r);
	json_key(o, "items");
	json_array(o);
	for (size_t i = 0; i < l->count; i++) {
		const struct login_shown *s = &l->item[i];
		json_object(o);
		json_put_id(o, "id", s->id);
		json_put_str(o, "device", s->device);
		json_put_time(o, "created_at", s->created_ms);
		json_put_time(o, "last_used_at", s->last_used_ms);
		json_put_str(o, "address", s->address);
		json_put_bool(o, "current", s->id == r->login);
		json_object_end(o);
	}
	json_array_end(o);
	request_answer(r, 200);
}

void logins_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_list_logins(r->live->store, request_user(r), on_logins, r);
}
