/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding a row of the table, and running it. */
#include "core/base.h"
#include "api/command.h"

#include "core/clock.h"
#include "core/log.h"
#include "hub/bucket.h"
#include "hub/stats.h"

#include <stddef.h>
#include <stdio.h>

const struct command command_ws = {"ws", VERB_GET, "/messages/ws", NULL, BODY_IGNORED, ACCESS_USER, NULL, NULL};

unsigned command_route(const struct command_table *t, const struct command *c)
{
	return c == &command_ws ? ROUTE_FIRST_COMMAND : ROUTE_FIRST_COMMAND + 1 + (unsigned)(c - t->row);
}

const char *command_route_name(const struct command_table *t, unsigned route)
{
	static const char *const others[] = {[ROUTE_NONE] = "none", [ROUTE_FILE] = "file"};
	if (route < ROUTE_FIRST_COMMAND)
		return others[route];
	route -= ROUTE_FIRST_COMMAND;
	if (route == 0)
		return command_ws.name;
	return route <= t->count ? t->row[route - 1].name : NULL;
}

static const struct problem *within_budget(struct request *r)
{
	const struct conf *conf = r->live->conf;
	if (r->cmd->not_metered || r->cmd->access == ACCESS_ADMIN || r->user[0] == '\0')
		return NULL;
	r->retry_ms = bucket_take_many(r->live->hub, BUCKET_REQUESTS, r->user, r->tokens,
				       conf->limits.requests_per_second, conf->limits.requests_burst, clock_mono_ms());
	if (r->retry_ms == 0)
		return NULL;
	return request_problem(r, PROBLEM_RATE_LIMITED, "more than %d requests a second",
			       conf->limits.requests_per_second);
}

void command_run(struct request *r, const struct problem *p)
{
	union command_args args;
	memset(&args, 0, sizeof(args));
	if (p == NULL && r->cmd->check != NULL)
		p = r->cmd->check(r, &args);
	p = p ?: within_budget(r);
	if (p == NULL)
		r->cmd->proceed(r, &args);
	else
		request_fail(r, p);
}

const struct command *command_by_frame(const struct command_table *t, struct str type)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->row[i].frame != NULL && str_is(type, t->row[i].frame))
			return &t->row[i];
	return NULL;
}

static struct str segment_at(struct str path, size_t at)
{
	size_t end = at;
	while (end < path.len && path.s[end] != '/')
		end++;
	return (struct str){path.s + at, end - at};
}

/* A placeholder matches one segment that is not empty. */
static bool placeholder_matches(const char **pattern, struct str segment, struct command_path *out)
{
	static const struct {
		const char *text;
		size_t at;
	} places[] = {
		{"{user}", offsetof(struct command_path, user)},
		{"{session}", offsetof(struct command_path, session)},
		{"{code}", offsetof(struct command_path, code)},
		{"{device}", offsetof(struct command_path, device)},
		{"{emoji}", offsetof(struct command_path, emoji)},
		{"{pack}", offsetof(struct command_path, pack)},
		{"{picture}", offsetof(struct command_path, picture)},
		{"{media}", offsetof(struct command_path, media)},
		{"{name}", offsetof(struct command_path, name)},
	};
	if (strncmp(*pattern, "{id}", 4) == 0) {
		*pattern += 4;
		return id_parse_u64(segment, &out->id) == 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		size_t len = strlen(places[i].text);
		if (strncmp(*pattern, places[i].text, len) != 0)
			continue;
		*pattern += len;
		memcpy((char *)out + places[i].at, &segment, sizeof(segment));
		return segment.len != 0;
	}
	log_panic(__FILE__, __LINE__, "a path of the table has an unknown placeholder");
}

static bool path_matches(const char *pattern, struct str path, struct command_path *out)
{
	size_t at = 0;
	*out = (struct command_path){0};
	while (*pattern != '\0') {
		if (*pattern == '{') {
			struct str segment = segment_at(path, at);
			if (!placeholder_matches(&pattern, segment, out))
				return false;
			at += segment.len;
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

static void put_allow(char out[ALLOW_MAX], unsigned verbs)
{
	static const struct {
		enum http_verb verb;
		const char *name;
	} names[] = {
		{VERB_GET, "GET, HEAD"}, {VERB_POST, "POST"},	  {VERB_PUT, "PUT"},
		{VERB_PATCH, "PATCH"},	 {VERB_DELETE, "DELETE"},
	};
	size_t len = 0;
	out[0] = '\0';
	if ((verbs & VERB_BIT(VERB_HEAD)) != 0 && (verbs & VERB_BIT(VERB_GET)) == 0)
		len += (size_t)snprintf(out, ALLOW_MAX, "HEAD");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (verbs & VERB_BIT(names[i].verb))
			len += (size_t)snprintf(out + len, ALLOW_MAX - len, "%s%s", len != 0 ? ", " : "",
						names[i].name);
}

/* literal: only rows whose path is the path to the letter; else only patterns. True where there are any. */
static bool find(const struct api *api, bool admin, struct str path, enum http_verb verb, bool literal,
		 struct command_path *out, const struct command **found)
{
	unsigned verbs = 0;
	bool any = false;
	struct command_path here;
	const struct command_table *t = api->commands;
	for (size_t i = 0; i <= t->count; i++) {
		const struct command *c = i < t->count ? &t->row[i] : &command_ws;
		if (c->path == NULL || (c->access == ACCESS_ADMIN) != admin)
			continue;
		if ((strchr(c->path, '{') == NULL) != literal || !path_matches(c->path, path, &here))
			continue;
		if ((c->needs_search && !api->search) || (c->needs_media && api->uploads == NULL) ||
		    (c->needs_directory && !api->directory))
			continue;
		any = true;
		if (c->access == ACCESS_ANYONE && !api->accounts)
			continue;
		if (c->verb == verb) {
			*out = here;
			*found = c;
			return true;
		}
		verbs |= VERB_BIT(c->verb);
	}
	put_allow(out->allow, verbs);
	return any;
}

const struct command *command_by_path(const struct api *api, bool admin, struct str path, enum http_verb verb,
				      struct command_path *path_r)
{
	*path_r = (struct command_path){0};
	const struct command *found = NULL;
	if (!find(api, admin, path, verb, true, path_r, &found))
		find(api, admin, path, verb, false, path_r, &found);
	return found == NULL && verb == VERB_HEAD ? command_by_path(api, admin, path, VERB_GET, path_r) : found;
}
