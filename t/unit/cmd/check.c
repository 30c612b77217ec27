/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves that each command's check tells what is wrong first, ends nothing, and keeps only what it has to: one that is
 * told all by its path and query keeps nothing at all.
 */
#include "core/base.h"
#include "cmd/cmd.h"

#include "core/conf_table.h"

#include "../tap.h"

#include <stdlib.h>

static char conf_text[] = "jwt { secret = \"0123456789abcdef0123456789abcdef\" }\nmessage { max_content = 16 }\n";
static struct live live;
static struct api api = {.live = &live, .commands = &cmd_table};
static struct http_req http;

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < cmd_table.count; i++)
		if (strcmp(cmd_table.row[i].name, name) == 0)
			return &cmd_table.row[i];
	ok(false, "there is a command %s", name);
	exit(1);
}

/* As a door makes it; http or not is of no matter to what is read from a body. */
static struct request *request_for(const char *name, const char *body)
{
	const char *reason;
	struct request *r = request_new_http(&api, &http);
	r->cmd = find(name);
	r->path_id = GROUP_ID_MIN + 1;
	r->path_emoji = STR_LIT("x");
	memcpy(r->user, "alice", 6);
	r->login = (uint64_t)1 << 60;
	r->body = body != NULL ? json_parse(api.doc, str_from(body), &reason) : NULL;
	if (body != NULL && r->body == NULL)
		ok(false, "%s is JSON (%s)", body, reason);
	return r;
}

static void end(struct request *r)
{
	r->http = NULL; /* nobody is there to be answered */
	request_end(r, NULL);
}

/* ---- what is wrong ---- */

struct row {
	const char *command, *body;
	enum problem_code code;
	const char *detail; /* NULL: nothing is wrong */
};

static const struct row rows[] = {
	{"send", "{}", PROBLEM_INVALID_ARGUMENT, "to_user_id: is missing, and so is conversation_id"},
	{"send", "{\"to_user_id\":7,\"conversation_id\":8}", PROBLEM_INVALID_ARGUMENT, "to_user_id: must be a string"},
	{"send", "{\"to_user_id\":\"bob\",\"conversation_id\":\"8\"}", PROBLEM_INVALID_ARGUMENT,
	 "to_user_id, conversation_id: only one of them can be given"},
	{"send", "{\"to_user_id\":\"alice\"}", PROBLEM_INVALID_ARGUMENT, "to_user_id: one cannot send to oneself"},
	{"send", "{\"conversation_id\":\"x\",\"message_type\":1}", PROBLEM_INVALID_ARGUMENT,
	 "conversation_id: must be an id, a string of decimal digits"},
	{"send", "{\"to_user_id\":\"bob\"}", PROBLEM_INVALID_ARGUMENT, "message_type: is missing"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"system\"}", PROBLEM_INVALID_ARGUMENT,
	 "message_type: must be text, image, voice, video, file or sticker"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"sticker\",\"media_url\":\"x\"}", PROBLEM_INVALID_ARGUMENT,
	 "extra: must be an object with the pack and the sticker"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"sticker\",\"extra\":{\"sticker\":\"x\",\"pack\":\"..\"}}",
	 PROBLEM_INVALID_ARGUMENT, "extra.pack: must be a string of " NAME_ID_RULE},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"sticker\",\"extra\":{\"pack\":\"x\"},\"reply_to\":\"x\"}",
	 PROBLEM_INVALID_ARGUMENT, "extra.sticker: is missing"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"sticker\",\"extra\":{\"pack\":\"x\",\"sticker\":\"y\"}}",
	 PROBLEM_COUNT, NULL},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"12345678901234567\"}",
	 PROBLEM_INVALID_ARGUMENT, "content: is over 16 bytes of UTF-8"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\"}", PROBLEM_INVALID_ARGUMENT,
	 "content: a text needs one that is not empty"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"image\"}", PROBLEM_INVALID_ARGUMENT,
	 "media_url: is missing"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\",\"extra\":[],\"reply_to\":\"\"}",
	 PROBLEM_INVALID_ARGUMENT, "extra: must be an object"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\",\"client_msg_id\":\"\"}",
	 PROBLEM_INVALID_ARGUMENT, "client_msg_id: must be 1 to 64 characters from ! to ~"},
	{"send",
	 "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\",\"reply_to\":\"0\",\"mentions\":1}",
	 PROBLEM_INVALID_ARGUMENT, "reply_to: must be a message's id, a string of decimal digits"},
	{"send",
	 "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\",\"mentions\":[\"a\",\"*\",\"?\"]}",
	 PROBLEM_INVALID_ARGUMENT, "mentions[2]: must be * or " USER_ID_RULE},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\",\"expires_in\":4}",
	 PROBLEM_INVALID_ARGUMENT, "expires_in: must be a whole number of seconds from 5 to 31536000"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\",\"expires_in\":31536001}",
	 PROBLEM_INVALID_ARGUMENT, "expires_in: must be a whole number of seconds from 5 to 31536000"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\",\"expires_in\":5.0}",
	 PROBLEM_INVALID_ARGUMENT, "expires_in: must be a whole number of seconds from 5 to 31536000"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\",\"expires_in\":\"5\"}",
	 PROBLEM_INVALID_ARGUMENT, "expires_in: must be a whole number of seconds from 5 to 31536000"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\",\"expires_in\":1e3}",
	 PROBLEM_INVALID_ARGUMENT, "expires_in: must be a whole number of seconds from 5 to 31536000"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\",\"expires_in\":-5}",
	 PROBLEM_INVALID_ARGUMENT, "expires_in: must be a whole number of seconds from 5 to 31536000"},
	{"set_settings", "{\"expires_in\":4}", PROBLEM_INVALID_ARGUMENT,
	 "expires_in: must be a whole number of seconds from 5 to 31536000"},
	{"send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\",\"mentions\":[\"a\",\"b\"]}",
	 PROBLEM_COUNT, NULL},
	{"forward", "{\"message_ids\":[\"1\"],\"to\":[{\"user_id\":\"alice\"}],\"merged\":1}", PROBLEM_INVALID_ARGUMENT,
	 "to[0].user_id: one cannot send to oneself"},
	{"forward", "{\"message_ids\":[\"1\",\"x\"],\"to\":7}", PROBLEM_INVALID_ARGUMENT,
	 "message_ids[1]: must be an id, a string of decimal digits"},
	{"forward", "{\"message_ids\":[\"1\"],\"to\":[{\"user_id\":\"bob\"}],\"comment\":\"12345678901234567\"}",
	 PROBLEM_INVALID_ARGUMENT, "comment: is over 16 bytes of UTF-8"},
	{"forward", "{\"message_ids\":[\"2\",\"1\",\"2\"],\"to\":[{\"user_id\":\"bob\"}],\"client_msg_id\":\"x\"}",
	 PROBLEM_COUNT, NULL},
	{"read", "{\"up_to_seq\":-1}", PROBLEM_INVALID_ARGUMENT, "up_to_seq: must be a whole number from 0 on"},
	{"create", "{\"user_id\":\"alice\",\"source\":1}", PROBLEM_INVALID_ARGUMENT,
	 "user_id: one cannot talk to oneself"},
	{"create", "{\"user_id\":\"bob\",\"source\":{\"id\":\"1\"}}", PROBLEM_INVALID_ARGUMENT,
	 "source.kind: must be a string of 1 to 32 bytes"},
	{"sync", "{\"conversations\":[{\"id\":\"1\",\"seq\":2}],\"since\":\"x\"}", PROBLEM_INVALID_ARGUMENT,
	 "conversations[].change_seq: must be a whole number from 0 on"},
	{"sync", "{\"conversations\":[],\"since\":\"x\",\"limit\":0}", PROBLEM_INVALID_ARGUMENT,
	 "since: is not a cursor of this server"},
	{"sync", "{\"limit\":101}", PROBLEM_INVALID_ARGUMENT, "limit: must be a number from 1 to 100"},
	{"create_group", "{\"about\":1}", PROBLEM_INVALID_ARGUMENT, "about: must be a string"},
	{"create_group", "{\"user_ids\":1}", PROBLEM_INVALID_ARGUMENT, "name: is missing"},
	{"create_group", "{\"name\":\"\\u200b\"}", PROBLEM_INVALID_ARGUMENT, "name: has no character that can be seen"},
	{"create_group", "{\"name\":\"x\",\"user_ids\":[\"bob\",3],\"settings\":1}", PROBLEM_INVALID_ARGUMENT,
	 "user_ids[1]: must be " USER_ID_RULE},
	{"create_group", "{\"name\":\"x\",\"settings\":{\"slow_mode_seconds\":-1,\"join\":\"no\"}}",
	 PROBLEM_INVALID_ARGUMENT, "settings.join: must be invite, approval or open"},
	{"create_group", "{\"name\":\"x\",\"settings\":{\"add\":\"owner\"},\"client_group_id\":\"\"}",
	 PROBLEM_INVALID_ARGUMENT, "settings.add: must be all or admins"},
	{"create_group", "{\"name\":\"x\",\"settings\":{\"slow_mode_seconds\":86401}}", PROBLEM_INVALID_ARGUMENT,
	 "settings.slow_mode_seconds: must be a whole number from 0 to 86400"},
	{"create_group", "{\"name\":\"x\",\"client_group_id\":\" \"}", PROBLEM_INVALID_ARGUMENT,
	 "client_group_id: must be 1 to 64 characters from ! to ~"},
	{"change_group", "{\"name\":null}", PROBLEM_INVALID_ARGUMENT, "name: a group needs one"},
	{"change_group", "{\"settings\":null}", PROBLEM_INVALID_ARGUMENT, "settings: must be an object"},
	{"change_group", "{\"about\":\"\"}", PROBLEM_COUNT, NULL},
	{"add_members", "{\"user_ids\":[]}", PROBLEM_INVALID_ARGUMENT,
	 "user_ids: must be an array of 1 to 100 user ids"},
	{"change_member", "{\"role\":\"owner\",\"muted_until\":1}", PROBLEM_INVALID_ARGUMENT,
	 "role: must be admin or member"},
	{"change_member", "{\"muted_until\":\"soon\"}", PROBLEM_INVALID_ARGUMENT,
	 "muted_until: must be a time like 2026-11-23T03:01:21Z, or null"},
	{"pass_on_group", "{}", PROBLEM_INVALID_ARGUMENT, "user_id: is missing"},
	{"create_invite", "{\"max_uses\":0,\"expires_in\":0}", PROBLEM_INVALID_ARGUMENT,
	 "expires_in: must be a whole number from 1 to 31536000"},
	{"register", "{\"user_id\":\"me\",\"password\":\"short\"}", PROBLEM_INVALID_ARGUMENT,
	 "password: must be of 8 to 256 bytes"},
	{"register", "{\"user_id\":\"me\",\"password\":\"long enough\"}", PROBLEM_INVALID_ARGUMENT,
	 "user_id: me is reserved"},
	{"login", "{\"user_id\":\"me\",\"password\":\"\"}", PROBLEM_COUNT, NULL},
	{"login", "{\"user_id\":\"me\",\"password\":\"\",\"device\":\"\"}", PROBLEM_INVALID_ARGUMENT,
	 "device: must be of 1 to 64 characters"},
	{"refresh", "{\"refresh_token\":\"x\"}", PROBLEM_TOKEN_INVALID, "unknown refresh token"},
	{"logout", "{\"all\":1}", PROBLEM_INVALID_ARGUMENT, "all: must be true or false"},
	{"change_password", "{\"old_password\":\"\",\"new_password\":\"short\"}", PROBLEM_INVALID_ARGUMENT,
	 "new_password: must be of 8 to 256 bytes"},
	{"change_me", "{\"nickname\":\"a\\u0007\",\"avatar_url\":\"x\"}", PROBLEM_INVALID_ARGUMENT,
	 "nickname: must not contain control characters, line separators or noncharacters"},
	{"change_me", "{\"avatar_url\":\"ftp://x/\"}", PROBLEM_INVALID_ARGUMENT,
	 "avatar_url: must be an http or https URL"},
	{"request_friend", "{\"user_id\":\"alice\"}", PROBLEM_INVALID_ARGUMENT, "user_id: one cannot befriend oneself"},
	{"notify", "{\"user_id\":\"bob\",\"kind\":\"a b\",\"actor_id\":\"?\"}", PROBLEM_INVALID_ARGUMENT,
	 "kind: must be 1 to 64 printable ASCII characters without spaces"},
	{"notify", "{\"user_id\":\"bob\",\"kind\":\"x\",\"ref\":1,\"message_id\":\"0\"}", PROBLEM_INVALID_ARGUMENT,
	 "ref: must be an object"},
	{"notify", "{\"user_id\":\"bob\",\"kind\":\"x\",\"message_id\":\"0\"}", PROBLEM_INVALID_ARGUMENT,
	 "message_id: must be an id, a string of decimal digits"},
	{"notify", "{\"user_id\":\"bob\",\"kind\":\"x\"}", PROBLEM_FORBIDDEN,
	 "the token's scope does not contain notify"},
	{"watch", "{\"user_ids\":[\"bob\",\"\"]}", PROBLEM_INVALID_ARGUMENT, "user_ids[]: must be user ids"},
};

static void test_problems(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		union command_args args = {0};
		struct request *r = request_for(rows[i].command, rows[i].body);
		const struct problem *p = r->cmd->check(r, &args);
		is_str(p != NULL ? p->detail : NULL, rows[i].detail, "%s %s", rows[i].command, rows[i].body);
		if (rows[i].detail != NULL)
			is_int(p != NULL ? (int)p->code : -1, rows[i].code, "and its code");
		ok(r->http == &http, "the request goes on");
		end(r);
	}
}

/* ---- what is kept ---- */

static void test_costs_nothing(void)
{
	for (size_t i = 0; i < cmd_table.count; i++) {
		const struct command *c = &cmd_table.row[i];
		union command_args args = {0};
		/* What has to be there is in the body, in the query, or, of an upload, in its headers. */
		if (c->body == BODY_REQUIRED || c->body == BODY_FILE || c->needs_search || c->needs_directory)
			continue;
		struct request *r = request_for(c->name, NULL);
		ok((c->check == NULL || c->check(r, &args) == NULL) && r->arena.block == NULL,
		   "%s keeps nothing of a plain request", c->name);
		end(r);
	}
}

/* The text of the body is another's with the next request. */
static void test_kept(void)
{
	static const char body[] = "{\"name\":\" our \\u006eame \",\"user_ids\":[\"bob\"]}";
	union command_args args = {0};
	struct request *r = request_for("create_group", body);
	ok(r->cmd->check(r, &args) == NULL && str_is(args.group.name, "our name"), "a name is cleaned");
	is_int((int)args.group.user_count, 1, "there is one user");
	ok(str_is(args.group.users[0], "bob"), "who is named");
	end(r);
	r = request_for("watch", "{\"user_ids\":[\"b\\u006fb\"]}");
	memset(&args, 0, sizeof(args));
	ok(r->cmd->check(r, &args) == NULL, "watch");
	struct request *next = request_for("send", "{\"to_user_id\":\"\\u0061nother\"}");
	ok(str_is(args.watch.user_id[0], "bob"), "who is watched is kept past the next request");
	end(next);
	end(r);
}

/* ---- the store's refusals ---- */

static void test_of_store(void)
{
	for (int s = STORE_OK + 1; s < STORE_STATUSES; s++) {
		const struct problem *p = problem_of_store((enum store_status)s);
		ok(p->detail[0] != '\0' && problem_status(p->code) >= 400, "%s: %d %s",
		   store_status_name((enum store_status)s), problem_status(p->code), problem_code_name(p->code));
	}
	struct request *r = request_for("me", NULL);
	const struct problem *p = request_problem(r, PROBLEM_CONFLICT, "%300d", 7);
	is_int((int)strlen(p->detail), 255, "a detail has 255 bytes at most");
	end(r);
}

int main(void)
{
	char *fault = NULL;
	struct conf *conf = conf_load_text("t.conf", conf_text, sizeof(conf_text) - 1, &fault);
	if (conf == NULL) {
		printf("Bail out! %s\n", fault);
		return 1;
	}
	live.conf = conf;
	live.out = json_out_new();
	api.doc = json_doc_new();
	test_problems();
	test_costs_nothing();
	test_kept();
	test_of_store();
	json_doc_free(&api.doc);
	json_out_free(&live.out);
	buf_fini(&live.text);
	buf_fini(&live.scratch);
	conf_free(&conf);
	return done_testing();
}
