/* SPDX-License-Identifier: BSD-2-Clause */
/* The table, and finding a row in it. */
#include "core/base.h"
#include "im/command.h"

#include "core/clock.h"
#include "core/log.h"
#include "hub/bucket.h"
#include "hub/stats.h"

const struct command command_ws = {"ws", VERB_GET, "/messages/ws", NULL, BODY_IGNORED, ACCESS_USER, NULL, NULL};

static const struct command commands[] = {
	{"send", VERB_POST, "/messages/send", "send", BODY_REQUIRED, ACCESS_USER, send_check, send_proceed,
	 .not_metered = true},
	{"read", VERB_PUT, "/messages/conversations/{id}/read", "read", BODY_OPTIONAL, ACCESS_USER, read_check,
	 read_proceed},
	{"history", VERB_GET, "/messages/conversations/{id}/messages", NULL, BODY_IGNORED, ACCESS_USER, history_check,
	 history_proceed},
	{"conversations", VERB_GET, "/messages/conversations", NULL, BODY_IGNORED, ACCESS_USER, conversations_check,
	 conversations_proceed},
	{"create", VERB_POST, "/messages/conversations/create", NULL, BODY_REQUIRED, ACCESS_USER, create_check,
	 create_proceed},
	{"read_message", VERB_PUT, "/messages/{id}/read", NULL, BODY_IGNORED, ACCESS_USER, message_check,
	 message_read_proceed},
	{"recall", VERB_PUT, "/messages/{id}/recall", "recall", BODY_IGNORED, ACCESS_USER, message_check,
	 recall_proceed},
	{"delete", VERB_DELETE, "/messages/{id}", "delete", BODY_IGNORED, ACCESS_USER, message_check, delete_proceed},
	{"unread", VERB_GET, "/messages/unread-count", NULL, BODY_IGNORED, ACCESS_USER, NULL, unread_proceed},
	{"sync", VERB_POST, "/messages/sync", NULL, BODY_REQUIRED, ACCESS_USER, sync_check, sync_proceed},
	{"register", VERB_POST, "/users/register", NULL, BODY_REQUIRED, ACCESS_ANYONE, register_check,
	 register_proceed},
	{"login", VERB_POST, "/users/login", NULL, BODY_REQUIRED, ACCESS_ANYONE, login_check, login_proceed},
	{"me", VERB_GET, "/users/me", NULL, BODY_IGNORED, ACCESS_USER, NULL, me_proceed},
	{"change_me", VERB_PUT, "/users/me", NULL, BODY_REQUIRED, ACCESS_USER, me_change_check, me_change_proceed},
	{"user", VERB_GET, "/users/{user}", NULL, BODY_IGNORED, ACCESS_USER, NULL, user_proceed},
	{"blocked", VERB_GET, "/users/blocked", NULL, BODY_IGNORED, ACCESS_USER, friends_check, blocked_proceed},
	{"block_user", VERB_PUT, "/users/{user}/block", NULL, BODY_IGNORED, ACCESS_USER, NULL, user_block_proceed,
	 USER_BLOCK},
	{"unblock_user", VERB_DELETE, "/users/{user}/block", NULL, BODY_IGNORED, ACCESS_USER, NULL, user_block_proceed,
	 USER_UNBLOCK},
	{"friends", VERB_GET, "/friends", NULL, BODY_IGNORED, ACCESS_USER, friends_check, friends_proceed},
	{"friend_requests", VERB_GET, "/friends/requests", NULL, BODY_IGNORED, ACCESS_USER, friend_requests_check,
	 friend_requests_proceed},
	{"request_friend", VERB_POST, "/friends/requests", NULL, BODY_REQUIRED, ACCESS_USER, friend_request_check,
	 friend_request_proceed, FRIEND_REQUEST},
	{"accept_friend", VERB_PUT, "/friends/requests/{user}/accept", NULL, BODY_IGNORED, ACCESS_USER, NULL,
	 friend_change_proceed, FRIEND_ACCEPT},
	{"decline_friend", VERB_PUT, "/friends/requests/{user}/decline", NULL, BODY_IGNORED, ACCESS_USER, NULL,
	 friend_change_proceed, FRIEND_DECLINE},
	{"end_friend", VERB_DELETE, "/friends/{user}", NULL, BODY_IGNORED, ACCESS_USER, NULL, friend_change_proceed,
	 FRIEND_END},
	{"block", VERB_PUT, "/friends/{user}/block", NULL, BODY_IGNORED, ACCESS_USER, NULL, friend_change_proceed,
	 FRIEND_BLOCK},
	{"unblock", VERB_DELETE, "/friends/{user}/block", NULL, BODY_IGNORED, ACCESS_USER, NULL, friend_change_proceed,
	 FRIEND_UNBLOCK},
	{"notify", VERB_POST, "/notifications", NULL, BODY_REQUIRED, ACCESS_USER, notify_check, notify_proceed,
	 .not_metered = true},
	{"notifications", VERB_GET, "/notifications", NULL, BODY_IGNORED, ACCESS_USER, notifications_check,
	 notifications_proceed},
	{"read_notification", VERB_PUT, "/notifications/{id}/read", NULL, BODY_IGNORED, ACCESS_USER, NULL,
	 notification_read_proceed},
	{"count_notifications", VERB_GET, "/notifications/unread-count", NULL, BODY_IGNORED, ACCESS_USER, NULL,
	 notifications_count_proceed},
	{"typing", VERB_OTHER, NULL, "typing", BODY_REQUIRED, ACCESS_USER, typing_check, typing_proceed},
	{"watch", VERB_OTHER, NULL, "watch", BODY_REQUIRED, ACCESS_USER, watch_check, watch_proceed},
	{"ping", VERB_OTHER, NULL, "ping", BODY_REQUIRED, ACCESS_USER, NULL, ping_proceed},
};

_Static_assert(ROUTE_FIRST_COMMAND + 1 + ARRAY_LEN(commands) <= STAT_ROUTES, "each is counted by itself");

unsigned command_route(const struct command *c)
{
	return c == &command_ws ? ROUTE_FIRST_COMMAND : ROUTE_FIRST_COMMAND + 1 + (unsigned)(c - commands);
}

const char *command_route_name(unsigned route)
{
	static const char *const others[] = {[ROUTE_NONE] = "none", [ROUTE_FILE] = "file"};
	if (route < ROUTE_FIRST_COMMAND)
		return others[route];
	route -= ROUTE_FIRST_COMMAND;
	if (route == 0)
		return command_ws.name;
	return route <= ARRAY_LEN(commands) ? commands[route - 1].name : NULL;
}

/* False after having failed the request. */
static bool within_budget(struct request *r)
{
	const struct conf *conf = r->im->conf;
	if (r->cmd->not_metered || r->cmd->access == ACCESS_ANYONE)
		return true;
	r->retry_ms = bucket_take(r->im->hub, 'r', r->user, conf->limits.requests_per_second,
				  conf->limits.requests_burst, clock_mono_ms());
	if (r->retry_ms == 0)
		return true;
	request_fail(r, PROBLEM_RATE_LIMITED, "more than %d requests a second", conf->limits.requests_per_second);
	return false;
}

void command_run(struct request *r)
{
	union command_args args;
	memset(&args, 0, sizeof(args));
	if ((r->cmd->check == NULL || r->cmd->check(r, &args)) && within_budget(r))
		r->cmd->proceed(r, &args);
}

const struct command *command_by_frame(struct str type)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].frame != NULL && str_is(type, commands[i].frame))
			return &commands[i];
	return NULL;
}

static struct str segment_at(struct str path, size_t at)
{
	size_t end = at;
	while (end < path.len && path.s[end] != '/')
		end++;
	return (struct str){path.s + at, end - at};
}

static bool path_matches(const char *pattern, struct str path, struct command_path *out)
{
	size_t at = 0;
	while (*pattern != '\0') {
		struct str segment = segment_at(path, at);
		if (strncmp(pattern, "{id}", 4) == 0) {
			if (id_parse_u64(segment, &out->id) != 0)
				return false;
			at += segment.len;
			pattern += 4;
		} else if (strncmp(pattern, "{user}", 6) == 0) {
			if (segment.len == 0)
				return false;
			out->user = segment;
			at += segment.len;
			pattern += 6;
		} else if (at < path.len && path.s[at] == *pattern) {
			at++;
			pattern++;
		} else {
			return false;
		}
	}
	return at == path.len;
}

#define VERB_BIT(v) (1u << (v))

static const char *allow_value(unsigned verbs)
{
	static const struct {
		unsigned verbs;
		const char *value;
	} values[] = {
		{VERB_BIT(VERB_GET), "GET, HEAD"},
		{VERB_BIT(VERB_POST), "POST"},
		{VERB_BIT(VERB_PUT), "PUT"},
		{VERB_BIT(VERB_DELETE), "DELETE"},
		{VERB_BIT(VERB_GET) | VERB_BIT(VERB_POST), "GET, HEAD, POST"},
		{VERB_BIT(VERB_GET) | VERB_BIT(VERB_PUT), "GET, HEAD, PUT"},
		{VERB_BIT(VERB_PUT) | VERB_BIT(VERB_DELETE), "PUT, DELETE"},
	};
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (values[i].verbs == verbs)
			return values[i].value;
	log_panic(__FILE__, __LINE__, "a path of the table has a set of verbs without a name");
}

/* literal: only rows whose path is the path to the letter; else only patterns. True where there are any. */
static bool find(const struct im *im, struct str path, enum http_verb verb, bool literal, struct command_path *out,
		 const struct command **found)
{
	unsigned verbs = 0;
	bool any = false;
	for (size_t i = 0; i <= ARRAY_LEN(commands); i++) {
		const struct command *c = i < ARRAY_LEN(commands) ? &commands[i] : &command_ws;
		if (c->path == NULL || (strchr(c->path, '{') == NULL) != literal || !path_matches(c->path, path, out))
			continue;
		any = true;
		if (c->access == ACCESS_ANYONE && !im->accounts)
			continue;
		if (c->verb == verb) {
			*found = c;
			return true;
		}
		verbs |= VERB_BIT(c->verb);
	}
	if (verbs != 0)
		out->allow = allow_value(verbs);
	return any;
}

const struct command *command_by_path(const struct im *im, struct str path, enum http_verb verb,
				      struct command_path *path_r)
{
	enum http_verb wanted = verb == VERB_HEAD ? VERB_GET : verb;
	*path_r = (struct command_path){0};
	const struct command *found = NULL;
	if (!find(im, path, wanted, true, path_r, &found))
		find(im, path, wanted, false, path_r, &found);
	return found;
}
