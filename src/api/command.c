/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding a row of the table, and running it. */
#include "core/base.h"
#include "api/command.h"

#include "core/clock.h"
#include "core/log.h"
#include "hub/bucket.h"
#include "hub/stats.h"

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

/* False after having failed the request. */
static bool within_budget(struct request *r)
{
	const struct conf *conf = r->live->conf;
	if (r->cmd->not_metered || r->cmd->access == ACCESS_ANYONE)
		return true;
	r->retry_ms = bucket_take(r->live->hub, 'r', r->user, conf->limits.requests_per_second,
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
static bool find(const struct api *api, struct str path, enum http_verb verb, bool literal, struct command_path *out,
		 const struct command **found)
{
	unsigned verbs = 0;
	bool any = false;
	const struct command_table *t = api->commands;
	for (size_t i = 0; i <= t->count; i++) {
		const struct command *c = i < t->count ? &t->row[i] : &command_ws;
		if (c->path == NULL || (strchr(c->path, '{') == NULL) != literal || !path_matches(c->path, path, out))
			continue;
		any = true;
		if (c->access == ACCESS_ANYONE && !api->accounts)
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

const struct command *command_by_path(const struct api *api, struct str path, enum http_verb verb,
				      struct command_path *path_r)
{
	enum http_verb wanted = verb == VERB_HEAD ? VERB_GET : verb;
	*path_r = (struct command_path){0};
	const struct command *found = NULL;
	if (!find(api, path, wanted, true, path_r, &found))
		find(api, path, wanted, false, path_r, &found);
	return found;
}
