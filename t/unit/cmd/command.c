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
	const struct command *c = command_by_path(&api, false, str_from(path), verb, p);
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
		{"/messages/conversations/7", VERB_GET, "conversation", NULL},
		{"/messages/conversations/x/messages", VERB_GET, NULL, NULL},
		{"/messages/conversations//messages", VERB_GET, NULL, NULL},
		{"/messages/7/read", VERB_PUT, "read_message", NULL},
		{"/messages/7/recall", VERB_PUT, "recall", NULL},
		{"/messages/7", VERB_DELETE, "delete", NULL},
		{"/messages/7", VERB_GET, "message", NULL},
		{"/messages/7", VERB_PUT, "edit", NULL},
		{"/messages/7", VERB_PATCH, NULL, "GET, HEAD, PUT, DELETE"},
		{"/messages/-7", VERB_DELETE, NULL, NULL},
		{"/messages/07", VERB_DELETE, NULL, NULL},
		{"/messages/18446744073709551615", VERB_DELETE, "delete", NULL},
		{"/messages/18446744073709551616", VERB_DELETE, NULL, NULL},
		{"/messages/7/", VERB_DELETE, NULL, NULL},
		{"/messages/send", VERB_DELETE, NULL, "POST"},
		{"/messages/unread-count", VERB_GET, "unread", NULL},
		{"/messages/sync", VERB_POST, "sync", NULL},
		{"/messages/mentions", VERB_GET, "mentions", NULL},
		{"/messages/7/receipts", VERB_GET, "receipts", NULL},
		{"/messages/x/receipts", VERB_GET, NULL, NULL},
		{"/groups", VERB_POST, "create_group", NULL},
		{"/groups", VERB_GET, NULL, "POST"},
		{"/groups/17179869184", VERB_GET, "group", NULL},
		{"/groups/17179869184", VERB_PUT, "change_group", NULL},
		{"/groups/17179869184", VERB_DELETE, "dissolve_group", NULL},
		{"/groups/17179869184", VERB_POST, NULL, "GET, HEAD, PUT, DELETE"},
		{"/groups/x", VERB_GET, NULL, NULL},
		{"/groups/7/members", VERB_GET, "members", NULL},
		{"/groups/7/members", VERB_POST, "add_members", NULL},
		{"/groups/7/members", VERB_PUT, NULL, "GET, HEAD, POST"},
		{"/groups/7/members/", VERB_DELETE, NULL, NULL},
		{"/groups/7/members/bob", VERB_DELETE, "remove_member", NULL},
		{"/groups/7/members/bob", VERB_PUT, "change_member", NULL},
		{"/groups/7/members/bob", VERB_GET, NULL, "PUT, DELETE"},
		{"/groups/7/members/bob/", VERB_PUT, NULL, NULL},
		{"/groups/7/owner", VERB_PUT, "pass_on_group", NULL},
		{"/groups/7/bans", VERB_GET, "bans", NULL},
		{"/groups/7/bans/bob", VERB_DELETE, "lift_ban", NULL},
		{"/groups/7/invites", VERB_GET, "invites", NULL},
		{"/groups/7/invites", VERB_POST, "create_invite", NULL},
		{"/groups/7/invites/abc", VERB_DELETE, "revoke_invite", NULL},
		{"/groups/7/invites/", VERB_DELETE, NULL, NULL},
		{"/groups/7/join", VERB_POST, "join_group", NULL},
		{"/groups/7/requests", VERB_GET, "join_requests", NULL},
		{"/groups/7/requests/bob/accept", VERB_PUT, "accept_member", NULL},
		{"/groups/7/requests/bob/decline", VERB_PUT, "decline_member", NULL},
		{"/groups/7/requests//decline", VERB_PUT, NULL, NULL},
		{"/invites/abc", VERB_GET, "look_at_invite", NULL},
		{"/invites/abc", VERB_POST, "accept_invite", NULL},
		{"/invites/abc", VERB_DELETE, NULL, "GET, HEAD, POST"},
		{"/invites/", VERB_GET, NULL, NULL},
		{"/invites", VERB_GET, NULL, NULL},
		{"/messages/typing", VERB_POST, NULL, NULL},
		{"/messages", VERB_GET, NULL, NULL},
		{"/", VERB_GET, NULL, NULL},
		{"", VERB_GET, NULL, NULL},
	};
	struct command_path p;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		is_str(route(rows[i].path, rows[i].verb, &p), rows[i].name, "row %zu: the command", i);
		is_str(p.allow, rows[i].allow != NULL ? rows[i].allow : "", "row %zu: Allow", i);
	}
	ok(route("/messages/42/recall", VERB_PUT, &p) != NULL && p.id == 42, "the number of the path");

	ok(route("/groups/9/members/a%20b", VERB_DELETE, &p) != NULL && p.id == 9 && str_is(p.user, "a%20b") &&
		   p.code.s == NULL,
	   "the user of the path, as it is written");
	ok(route("/groups/9/invites/x-y", VERB_DELETE, &p) != NULL && p.id == 9 && str_is(p.code, "x-y") &&
		   p.user.s == NULL,
	   "the code of the path");

	ok(command_by_frame(&cmd_table, STR_LIT("send")) != NULL, "a frame's type");
	ok(command_by_frame(&cmd_table, STR_LIT("send")) ==
		   command_by_path(&api, false, STR_LIT("/messages/send"), VERB_POST, &p),
	   "one row serves both doors");
	ok(command_by_frame(&cmd_table, STR_LIT("history")) == NULL, "not every command is one of the WebSocket");
	ok(command_by_frame(&cmd_table, STR_LIT("")) == NULL && command_by_frame(&cmd_table, STR_LIT("sen")) == NULL,
	   "nor part of a name");
	return done_testing();
}
