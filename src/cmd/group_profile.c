/* SPDX-License-Identifier: BSD-2-Clause */
/* A group itself: making one, its profile and its settings. */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/group.h"

#define SLOW_MODE_MAX_SECS 86400

static bool fail(struct request *r, const char *detail)
{
	request_fail(r, PROBLEM_INVALID_ARGUMENT, "%s", detail);
	return false;
}

/* ---- settings ---- */

/* Which of the words it is; null is the first of them, which is the default. */
static bool read_word(struct request *r, const struct json *v, const char *const words[3], unsigned *index_r)
{
	*index_r = 0;
	if (v->type == JSON_NULL)
		return true;
	for (unsigned i = 0; i < 3 && words[i] != NULL; i++) {
		if (v->type == JSON_STRING && str_is(v->text, words[i])) {
			*index_r = i;
			return true;
		}
	}
	request_fail(r, PROBLEM_INVALID_ARGUMENT, "settings.%.*s: must be %s%s%s or %s", (int)v->key.len, v->key.s,
		     words[0], words[2] != NULL ? ", " : "", words[2] != NULL ? words[1] : "",
		     words[2] != NULL ? words[2] : words[1]);
	return false;
}

static bool read_slow_mode(struct request *r, const struct json *v, unsigned *secs_r)
{
	uint64_t secs = 0;
	if (v->type != JSON_NULL && (json_count(v, &secs) != 0 || secs > SLOW_MODE_MAX_SECS)) {
		request_fail(r, PROBLEM_INVALID_ARGUMENT,
			     "settings.slow_mode_seconds: must be a whole number from 0 to %d", SLOW_MODE_MAX_SECS);
		return false;
	}
	*secs_r = (unsigned)secs;
	return true;
}

static bool read_settings(struct request *r, struct store_group_op *op)
{
	static const char *const joins[3] = {"invite", "approval", "open"}, *const histories[3] = {"all", "joined"},
				 *const whos[3] = {"all", "admins"};
	const struct json *s = json_get(r->body, "settings"), *v;
	struct group_settings *to = &op->settings;
	unsigned word;
	if (s == NULL || (s->type == JSON_NULL && op->step == GROUP_CREATE))
		return true;
	if (s->type != JSON_OBJECT)
		return fail(r, "settings: must be an object");
	if ((v = json_get(s, "join")) != NULL) {
		if (!read_word(r, v, joins, &word))
			return false;
		op->sets_join = true;
		to->join = (enum group_join)word;
	}
	if ((v = json_get(s, "history")) != NULL) {
		if (!read_word(r, v, histories, &word))
			return false;
		op->sets_history = true;
		to->history_joined = word != 0;
	}
	if ((v = json_get(s, "send")) != NULL) {
		if (!read_word(r, v, whos, &word))
			return false;
		op->sets_send = true;
		to->send_admins = word != 0;
	}
	if ((v = json_get(s, "add")) != NULL) {
		if (!read_word(r, v, whos, &word))
			return false;
		op->sets_add = true;
		to->add_admins = word != 0;
	}
	if ((v = json_get(s, "slow_mode_seconds")) != NULL) {
		op->sets_slow_mode = true;
		return read_slow_mode(r, v, &to->slow_mode_secs);
	}
	return true;
}

/* ---- the profile ---- */

static bool read_profile(struct request *r, struct store_group_op *op)
{
	const struct json *about = json_get(r->body, "about");
	op->sets_name = json_get(r->body, "name") != NULL;
	op->sets_avatar_url = json_get(r->body, "avatar_url") != NULL;
	op->sets_about = about != NULL;
	if (!request_name(r, "name", GROUP_NAME_MAX, TEXT_LINE, &op->name) ||
	    !request_web_url(r, "avatar_url", &op->avatar_url))
		return false;
	if (about != NULL && about->type == JSON_STRING && about->text.len == 0)
		return true;
	return request_name(r, "about", GROUP_ABOUT_MAX, TEXT_LINES, &op->about);
}

bool group_create_check(struct request *r, union command_args *a)
{
	struct store_group_op *op = &a->group;
	const struct json *users = json_get(r->body, "user_ids");
	op->step = GROUP_CREATE;
	op->user = request_user(r);
	if (!read_profile(r, op))
		return false;
	if (op->name.s == NULL)
		return fail(r, "name: is missing");
	if (users != NULL && users->type != JSON_NULL &&
	    !request_user_ids(r, "user_ids", 0, GROUP_CREATE_MAX, &op->users, &op->user_count))
		return false;
	return read_settings(r, op) && request_client_id(r, "client_group_id", &op->client_group_id);
}

bool group_change_check(struct request *r, union command_args *a)
{
	struct store_group_op *op = &a->group;
	group_op_begin(r, op);
	if (!read_profile(r, op))
		return false;
	if (op->sets_name && op->name.s == NULL)
		return fail(r, "name: a group needs one");
	return read_settings(r, op);
}

bool group_check(struct request *r, union command_args *a)
{
	(void)a;
	return group_path_check(r);
}

void group_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	group_end_conversation(r, r->path_id);
}
