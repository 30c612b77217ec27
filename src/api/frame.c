/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a frame's type and ref; what is wrong with it is an `error`, the connection stays. */
#include "core/base.h"
#include "api/frame.h"

#include "api/command.h"

#include <stdio.h>

/* The names of all types, for people: of more than it takes, the first. */
#define TYPES_MAX 256

static const struct problem *read_ref(struct request *r)
{
	const struct json *ref = json_get(r->body, "ref");
	if (ref == NULL || ref->type == JSON_NULL)
		return NULL;
	if (ref->type != JSON_STRING || ref->text.len > REF_MAX || ref->has_nul)
		return request_invalid(r, "ref: must be a string of up to %d bytes", REF_MAX);
	memcpy(r->ref, ref->text.s, ref->text.len);
	r->ref[ref->text.len] = '\0';
	r->has_ref = true;
	return NULL;
}

static const struct problem *unknown_type(struct request *r)
{
	const struct command_table *t = r->api->commands;
	char names[TYPES_MAX] = "";
	size_t len = 0;
	for (size_t i = 0; i < t->count; i++)
		if (t->row[i].frame != NULL && len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len != 0 ? ", " : "",
						t->row[i].frame);
	return request_invalid(r, "type: must be one of %s", names);
}

static const struct problem *read_frame(struct request *r, struct str text)
{
	const char *reason;
	struct str type;
	r->body = json_parse(r->api->doc, text, &reason);
	if (r->body == NULL)
		return request_problem(r, PROBLEM_MALFORMED_JSON, "%s", reason);
	if (r->body->type != JSON_OBJECT)
		return request_invalid(r, "a frame must be a JSON object");
	const struct problem *p = read_ref(r) ?: request_needs_text(r, "type", &type);
	if (p != NULL)
		return p;
	r->cmd = command_by_frame(r->api->commands, type);
	return r->cmd != NULL ? NULL : unknown_type(r);
}

void frame_received(struct session *s, struct str text, void *ctx)
{
	struct request *r = request_new_frame(ctx, s);
	command_run(r, read_frame(r, text));
}
