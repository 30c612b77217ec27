/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group show, members: read from the configured database, past the server, as the group's owner sees it. group add,
 * remove: done by a worker of the running server, so that the sessions of the cluster are told.
 */
#include "core/base.h"
#include "ctl/question.h"
#include "ctl/remote.h"

#include "core/clock.h"
#include "core/id.h"
#include "store/group.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 100

static const char usage[] = "group show ID | members ID | add ID USER | remove ID USER [--ban]";

struct look {
	struct question ask;
	uint64_t id;
	char owner[USER_ID_MAX + 1];
	struct group_member_cursor after;
};

static const char *time_text(int64_t ms, const char *none, char out[CLOCK_RFC3339_LEN + 1])
{
	if (ms == 0)
		return none;
	clock_format_rfc3339(out, ms);
	return out;
}

/* ---- show ---- */

static void put_group_json(struct json_out *o, const struct conversation *c)
{
	const struct group *g = &c->group;
	json_object(o);
	json_put_id(o, "id", c->id);
	json_put_str(o, "name", g->name);
	json_put_str(o, "avatar_url", g->avatar_url);
	json_put_str(o, "about", g->about);
	json_put_cstr(o, "owner_id", g->owner);
	json_put_u64(o, "member_count", g->member_count);
	json_put_u64(o, "last_seq", c->last_seq);
	json_put_time(o, "last_message_time", c->last_ms);
	json_put_time(o, "created_at", c->created_ms);
	json_put_time(o, "dissolved_at", g->dissolved_ms);
	json_key(o, "settings");
	json_object(o);
	json_put_cstr(o, "join", group_join_name(g->settings.join));
	json_put_cstr(o, "history", g->settings.history_joined ? "joined" : "all");
	json_put_cstr(o, "send", g->settings.send_admins ? "admins" : "all");
	json_put_cstr(o, "add", g->settings.add_admins ? "admins" : "all");
	json_key(o, "slow_mode_seconds");
	json_i64(o, g->settings.slow_mode_secs);
	json_object_end(o);
	json_object_end(o);
}

static void print_text(const char *name, struct str s)
{
	printf("%-18s %.*s\n", name, (int)s.len, s.s != NULL ? s.s : "");
}

static void print_group(const struct conversation *c)
{
	const struct group *g = &c->group;
	char time[CLOCK_RFC3339_LEN + 1];
	printf("%-18s %" PRIu64 "\n", "id", c->id);
	print_text("name", g->name);
	print_text("avatar_url", g->avatar_url);
	print_text("about", g->about);
	printf("%-18s %s\n", "owner_id", g->owner);
	printf("%-18s %" PRIu64 "\n", "member_count", g->member_count);
	printf("%-18s %" PRIu64 "\n", "last_seq", c->last_seq);
	printf("%-18s %s\n", "last_message_time", time_text(c->last_ms, "never", time));
	printf("%-18s %s\n", "created_at", time_text(c->created_ms, "never", time));
	printf("%-18s %s\n", "dissolved_at", time_text(g->dissolved_ms, "never", time));
	printf("%-18s %s\n", "join", group_join_name(g->settings.join));
	printf("%-18s %s\n", "history", g->settings.history_joined ? "joined" : "all");
	printf("%-18s %s\n", "send", g->settings.send_admins ? "admins" : "all");
	printf("%-18s %s\n", "add", g->settings.add_admins ? "admins" : "all");
	printf("%-18s %u\n", "slow_mode_seconds", g->settings.slow_mode_secs);
}

static void on_group(enum store_status status, const struct conversation *c, void *arg)
{
	struct look *l = arg;
	if (status == STORE_OK && l->ask.ctl->json)
		put_group_json(l->ask.out, c);
	else if (status == STORE_OK)
		print_group(c);
	question_answered(&l->ask, status);
}

/* ---- members ---- */

static void put_member(struct look *l, const struct group_member *m)
{
	struct json_out *o = l->ask.out;
	char joined[CLOCK_RFC3339_LEN + 1], muted[CLOCK_RFC3339_LEN + 1];
	if (!l->ask.ctl->json) {
		printf("%-24s %-7s %-24s %s\n", m->user.user_id, group_role_name(m->role),
		       time_text(m->joined_ms, "-", joined), time_text(m->muted_until_ms, "-", muted));
		return;
	}
	json_object(o);
	json_put_cstr(o, "user_id", m->user.user_id);
	json_put_str(o, "nickname", m->user.nickname);
	json_put_cstr(o, "role", group_role_name(m->role));
	json_put_time(o, "joined_at", m->joined_ms);
	json_put_time(o, "muted_until", m->muted_until_ms);
	json_object_end(o);
}

static void ask_members(struct look *l);

static void on_members(const struct store_members *list, void *arg)
{
	struct look *l = arg;
	if (list->status != STORE_OK) {
		question_answered(&l->ask, list->status);
		return;
	}
	for (size_t i = 0; i < list->count; i++)
		put_member(l, &list->item[i]);
	if (!list->has_more || list->count == 0) {
		question_answered(&l->ask, STORE_OK);
		return;
	}
	const struct group_member *last = &list->item[list->count - 1];
	l->after.role = last->role;
	memcpy(l->after.user_id, last->user.user_id, sizeof(l->after.user_id));
	ask_members(l);
}

static void ask_members(struct look *l)
{
	store_list_members(l->ask.store, str_from(l->owner), l->id, PAGE, &l->after, STR_NULL, on_members, l);
}

/* ---- both ---- */

static void on_owner(enum store_status status, struct str owner, void *arg)
{
	struct look *l = arg;
	if (status != STORE_OK) {
		question_answered(&l->ask, status);
		return;
	}
	snprintf(l->owner, sizeof(l->owner), "%.*s", (int)owner.len, owner.s);
	if (!l->ask.ctl->json)
		printf("%-24s %-7s %-24s %s\n", "USER", "ROLE", "JOINED", "MUTED UNTIL");
	ask_members(l);
}

static int look(const struct ctl *ctl, uint64_t id, bool lists)
{
	struct look l = {.id = id};
	question_begin(&l.ask, ctl);
	if (lists)
		json_array(l.ask.out);
	if (lists)
		store_find_group_owner(l.ask.store, id, on_owner, &l);
	else
		store_find_group(l.ask.store, id, on_group, &l);
	int status = question_wait(&l.ask);
	if (lists)
		json_array_end(l.ask.out);
	if (status == 0 && l.ask.status == STORE_NOT_FOUND)
		status = ctl_fail("there is no group %" PRIu64, id);
	else if (status == 0)
		question_print(&l.ask);
	question_end(&l.ask);
	return status;
}

/* ---- add, remove ---- */

static int change(const struct ctl *ctl, uint64_t id, const char *user, bool removes, bool bans)
{
	char line[224];
	struct buf answer = {0};
	if (ctl_check_user(user) != 0)
		return 2;
	snprintf(line, sizeof(line),
		 "{\"command\":\"group\",\"group\":\"%" PRIu64 "\",\"user\":\"%s\",\"remove\":%s,\"ban\":%s}\n", id,
		 user, removes ? "true" : "false", bans ? "true" : "false");
	struct json_doc *doc = json_doc_new();
	const struct json *root = remote_ask(ctl->conf, line, doc, &answer), *changed = json_get(root, "changed");
	if (root != NULL && ctl->json)
		printf("%.*s\n", (int)answer.len, answer.data);
	else if (root != NULL && changed != NULL && changed->boolean)
		printf("%s is %s\n", user, removes ? "no longer a member" : "a member now");
	else if (root != NULL)
		printf("%s %s\n", user, removes ? "was no member" : "was a member already");
	json_doc_free(&doc);
	buf_fini(&answer);
	return root != NULL ? 0 : 1;
}

int ctl_group(const struct ctl *ctl)
{
	uint64_t id;
	if (ctl->argc < 2)
		return ctl_usage(usage);
	const char *what = ctl->argv[0];
	bool adds = strcmp(what, "add") == 0, removes = strcmp(what, "remove") == 0;
	bool lists = strcmp(what, "members") == 0, shows = strcmp(what, "show") == 0;
	bool bans = removes && ctl->argc == 4 && strcmp(ctl->argv[3], "--ban") == 0;
	if (ctl->argc != 2 + (adds || removes) + bans || !(adds || removes || lists || shows))
		return ctl_usage(usage);
	if (id_parse_u64(str_from(ctl->argv[1]), &id) != 0 || !conversation_is_group(id))
		return ctl_misuse("'%s' is no group's id: a number from %" PRIu64 " on", ctl->argv[1], GROUP_ID_MIN);
	if (lists || shows)
		return look(ctl, id, lists);
	return change(ctl, id, ctl->argv[2], removes, bans);
}
