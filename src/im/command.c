/* SPDX-License-Identifier: BSD-2-Clause */
/* The table, and finding a row in it. */
#include "core/base.h"
#include "im/command.h"

#include <stdio.h>

const struct command command_ws = {"ws", VERB_GET, "/messages/ws", NULL, BODY_IGNORED, NULL, NULL};

static const struct command commands[] = {
	{"send", VERB_POST, "/messages/send", "send", BODY_REQUIRED, send_check, send_proceed},
	{"read", VERB_PUT, "/messages/conversations/{id}/read", "read", BODY_OPTIONAL, read_check, read_proceed},
	{"history", VERB_GET, "/messages/conversations/{id}/messages", NULL, BODY_IGNORED, history_check,
	 history_proceed},
	{"conversations", VERB_GET, "/messages/conversations", NULL, BODY_IGNORED, conversations_check,
	 conversations_proceed},
	{"create", VERB_POST, "/messages/conversations/create", NULL, BODY_REQUIRED, create_check, create_proceed},
	{"read_message", VERB_PUT, "/messages/{id}/read", NULL, BODY_IGNORED, message_check, message_read_proceed},
	{"recall", VERB_PUT, "/messages/{id}/recall", "recall", BODY_IGNORED, message_check, recall_proceed},
	{"delete", VERB_DELETE, "/messages/{id}", "delete", BODY_IGNORED, message_check, delete_proceed},
	{"unread", VERB_GET, "/messages/unread-count", NULL, BODY_IGNORED, NULL, unread_proceed},
	{"sync", VERB_POST, "/messages/sync", NULL, BODY_REQUIRED, sync_check, sync_proceed},
	{"typing", VERB_OTHER, NULL, "typing", BODY_REQUIRED, typing_check, typing_proceed},
	{"watch", VERB_OTHER, NULL, "watch", BODY_REQUIRED, watch_check, watch_proceed},
	{"ping", VERB_OTHER, NULL, "ping", BODY_REQUIRED, NULL, ping_proceed},
};

void command_run(struct request *r)
{
	union command_args args;
	memset(&args, 0, sizeof(args));
	if (r->cmd->check == NULL || r->cmd->check(r, &args))
		r->cmd->proceed(r, &args);
}

const struct command *command_by_frame(struct str type)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].frame != NULL && str_is(type, commands[i].frame))
			return &commands[i];
	return NULL;
}

/* Matches a path against a pattern whose {id} stands for a decimal number. */
static bool path_matches(const char *pattern, struct str path, uint64_t *id_r)
{
	size_t at = 0;
	while (*pattern != '\0') {
		if (strncmp(pattern, "{id}", 4) == 0) {
			size_t end = at;
			while (end < path.len && path.s[end] != '/')
				end++;
			if (id_parse_u64((struct str){path.s + at, end - at}, id_r) != 0)
				return false;
			at = end;
			pattern += 4;
		} else if (at < path.len && path.s[at] == *pattern) {
			at++;
			pattern++;
		} else {
			return false;
		}
	}
	return at == path.len;
}

/* Every set of verbs that a path of the table has. */
static const char *allow_value(bool get, bool post, bool put, bool del)
{
	return get && post  ? "GET, HEAD, POST"
	       : get	    ? "GET, HEAD"
	       : post	    ? "POST"
	       : put && del ? "PUT, DELETE"
	       : put	    ? "PUT"
			    : "DELETE";
}

const struct command *command_by_path(struct str path, enum http_verb verb, uint64_t *id_r, const char **allow_r)
{
	bool get = false, post = false, put = false, del = false;
	enum http_verb wanted = verb == VERB_HEAD ? VERB_GET : verb;

	*allow_r = NULL;
	for (size_t i = 0; i <= ARRAY_LEN(commands); i++) {
		const struct command *c = i < ARRAY_LEN(commands) ? &commands[i] : &command_ws;
		if (c->path == NULL || !path_matches(c->path, path, id_r))
			continue;
		if (c->verb == wanted)
			return c;
		get = get || c->verb == VERB_GET;
		post = post || c->verb == VERB_POST;
		put = put || c->verb == VERB_PUT;
		del = del || c->verb == VERB_DELETE;
	}
	if (get || post || put || del)
		*allow_r = allow_value(get, post, put, del);
	return NULL;
}
