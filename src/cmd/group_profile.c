/* SPDX-License-Identifier: BSD-2-Clause */
/* A group itself: making one, its profile and its settings. */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/media.h"
#include "cmd/group.h"

#define SLOW_MODE_MAX_SECS 86400

/* ---- settings ---- */

/* Which of the words the member is, if it is there; null is the first of them, which is the default. */
static const struct problem *read_word(struct request *r, const struct json *settings, const char *name,
				       const char *const words[3], bool *given_r, unsigned *index_r)
{
	const struct json *v = json_get(settings, name);
	*given_r = v != NULL;
	*index_r = 0;
	if (v == NULL || v->type == JSON_NULL)
		return NULL;
	for (; *index_r < 3 && words[*index_r] != NULL; ++*index_r)
		if (v->type == JSON_STRING && str_is(v->text, words[*index_r]))
			return NULL;
	return request_invalid(r, "settings.%s: must be %s%s%s or %s", name, words[0], words[2] != NULL ? ", " : "",
			       words[2] != NULL ? words[1] : "", words[2] != NULL ? words[2] : words[1]);
}

static const struct problem *read_slow_mode(struct request *r, const struct json *settings, bool *given_r,
					    unsigned *secs_r)
{
	const struct json *v = json_get(settings, "slow_mode_seconds");
	uint64_t secs = 0;
	*given_r = v != NULL;
	if (v != NULL && v->type != JSON_NULL && (json_count(v, &secs) != 0 || secs > SLOW_MODE_MAX_SECS))
		return request_invalid(r, "settings.slow_mode_seconds: must be a whole number from 0 to %d",
				       SLOW_MODE_MAX_SECS);
	*secs_r = (unsigned)secs;
	return NULL;
}

static const struct problem *read_settings(struct request *r, struct store_group_op *op)
{
	static const char *const joins[3] = {"invite", "approval", "open"}, *const histories[3] = {"all", "joined"},
				 *const whos[3] = {"all", "admins"};
	const struct json *s = json_get(r->body, "settings");
	struct group_settings *to = &op->settings;
	unsigned join, history, send, add;
	if (s == NULL || (s->type == JSON_NULL && op->step == GROUP_CREATE))
		return NULL;
	if (s->type != JSON_OBJECT)
		return request_invalid(r, "settings: must be an object");
	const struct problem *p = read_word(r, s, "join", joins, &op->sets_join, &join)
					  ?: read_word(r, s, "history", histories, &op->sets_history, &history)
					  ?: read_word(r, s, "send", whos, &op->sets_send, &send)
					  ?: read_word(r, s, "add", whos, &op->sets_add, &add)
					  ?: read_slow_mode(r, s, &op->sets_slow_mode, &to->slow_mode_secs);
	if (p != NULL)
		return p;
	to->join = (enum group_join)join;
	to->history_joined = history != 0;
	to->send_admins = send != 0;
	to->add_admins = add != 0;
	return NULL;
}

/* ---- the profile ---- */

static const struct problem *read_profile(struct request *r, struct store_group_op *op)
{
	const struct json *about = json_get(r->body, "about");
	op->sets_name = json_get(r->body, "name") != NULL;
	op->sets_avatar_url = json_get(r->body, "avatar_url") != NULL;
	op->sets_about = about != NULL;
	const struct problem *p =
		request_name(r, "name", GROUP_NAME_MAX, TEXT_LINE, &op->name) ?: media_avatar_check(r, &op->avatar_url);
	if (p != NULL)
		return p;
	if (about != NULL && about->type == JSON_STRING && about->text.len == 0)
		return NULL;
	return request_name(r, "about", GROUP_ABOUT_MAX, TEXT_LINES, &op->about);
}

const struct problem *group_create_check(struct request *r, union command_args *a)
{
	struct store_group_op *op = &a->group;
	const struct json *users = json_get(r->body, "user_ids");
	op->step = GROUP_CREATE;
	op->user = request_user(r);
	const struct problem *p = read_profile(r, op);
	if (p == NULL && op->name.s == NULL)
		p = request_invalid(r, "name: is missing");
	if (p == NULL && users != NULL && users->type != JSON_NULL)
		p = request_user_ids(r, "user_ids", 0, GROUP_CREATE_MAX, &op->users, &op->user_count);
	return p ?: read_settings(r, op) ?: request_client_id(r, "client_group_id", &op->client_group_id);
}

const struct problem *group_change_check(struct request *r, union command_args *a)
{
	struct store_group_op *op = &a->group;
	group_op_begin(r, op);
	const struct problem *p = read_profile(r, op);
	if (p != NULL)
		return p;
	if (op->sets_name && op->name.s == NULL)
		return request_invalid(r, "name: a group needs one");
	return read_settings(r, op);
}

const struct problem *group_check(struct request *r, union command_args *a)
{
	(void)a;
	return group_path_check(r);
}

void group_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	group_end_conversation(r, r->path_id);
}
