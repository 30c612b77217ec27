/* SPDX-License-Identifier: BSD-2-Clause */
/* Proves which paths and methods are commands, which are 405 with what Allow, and which are not there. */
#include "core/base.h"
#include "api/api.h"
#include "cmd/cmd.h"

#include "../tap.h"

#include <stdlib.h>

static struct api api = {.commands = &cmd_table};

static const char *route(const char *path, enum http_verb verb, struct command_path *p)
{
	const struct command *c = command_by_path(&api, str_from(path), verb, p);
	return c != NULL ? c->name : NULL;
}

int main(void)
{
	static const struct {
		const char *path;
		enum http_verb verb;
		const char *name, *allow;
	} rows[] = {
		{"/messages/ws", VERB_GET, "ws", NULL},
		{"/messages/ws", VERB_POST, NULL, "GET, HEAD"},
		{"/messages/send", VERB_POST, "send", NULL},
		{"/messages/send", VERB_GET, NULL, "POST"},
		{"/messages/conversations", VERB_GET, "conversations", NULL},
		{"/messages/conversations", VERB_HEAD, "conversations", NULL},
		{"/messages/conversations", VERB_DELETE, NULL, "GET, HEAD"},
		{"/messages/conversations/create", VERB_POST, "create", NULL},
		{"/messages/conversations/7/messages", VERB_GET, "history", NULL},
		{"/messages/conversations/7/read", VERB_PUT, "read", NULL},
		{"/messages/conversations/7/read", VERB_PATCH, NULL, "PUT"},
		{"/messages/conversations/7", VERB_GET, NULL, NULL},
		{"/messages/conversations/x/messages", VERB_GET, NULL, NULL},
		{"/messages/conversations//messages", VERB_GET, NULL, NULL},
		{"/messages/7/read", VERB_PUT, "read_message", NULL},
		{"/messages/7/recall", VERB_PUT, "recall", NULL},
		{"/messages/7", VERB_DELETE, "delete", NULL},
		{"/messages/7", VERB_GET, NULL, "DELETE"},
		{"/messages/-7", VERB_DELETE, NULL, NULL},
		{"/messages/07", VERB_DELETE, NULL, NULL},
		{"/messages/18446744073709551615", VERB_DELETE, "delete", NULL},
		{"/messages/18446744073709551616", VERB_DELETE, NULL, NULL},
		{"/messages/7/", VERB_DELETE, NULL, NULL},
		{"/messages/send", VERB_DELETE, NULL, "POST"},
		{"/messages/unread-count", VERB_GET, "unread", NULL},
		{"/messages/sync", VERB_POST, "sync", NULL},
		{"/messages/typing", VERB_POST, NULL, NULL},
		{"/messages", VERB_GET, NULL, NULL},
		{"/", VERB_GET, NULL, NULL},
		{"", VERB_GET, NULL, NULL},
	};
	struct command_path p;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		is_str(route(rows[i].path, rows[i].verb, &p), rows[i].name, "row %zu: the command", i);
		is_str(p.allow, rows[i].allow, "row %zu: Allow", i);
	}
	ok(route("/messages/42/recall", VERB_PUT, &p) != NULL && p.id == 42, "the number of the path");

	ok(command_by_frame(&cmd_table, STR_LIT("send")) != NULL, "a frame's type");
	ok(command_by_frame(&cmd_table, STR_LIT("send")) ==
		   command_by_path(&api, STR_LIT("/messages/send"), VERB_POST, &p),
	   "one row serves both doors");
	ok(command_by_frame(&cmd_table, STR_LIT("history")) == NULL, "not every command is one of the WebSocket");
	ok(command_by_frame(&cmd_table, STR_LIT("")) == NULL && command_by_frame(&cmd_table, STR_LIT("sen")) == NULL,
	   "nor part of a name");
	return done_testing();
}
