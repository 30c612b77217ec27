/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a frame's type and ref; what is wrong with it is an `error`, the connection stays. */
#include "core/base.h"
#include "api/frame.h"

#include "api/command.h"

static bool read_ref(struct request *r)
{
	const struct json *ref = json_get(r->body, "ref");
	if (ref == NULL || ref->type == JSON_NULL)
		return true;
	if (ref->type != JSON_STRING || ref->text.len > REF_MAX || ref->has_nul) {
		request_fail(r, PROBLEM_INVALID_ARGUMENT, "ref: must be a string of up to %d bytes", REF_MAX);
		return false;
	}
	memcpy(r->ref, ref->text.s, ref->text.len);
	r->ref[ref->text.len] = '\0';
	r->has_ref = true;
	return true;
}

void frame_received(struct session *s, struct str text, void *ctx)
{
	struct request *r = request_new_frame(ctx, s);
	const char *reason;
	struct str type;

	r->body = json_parse(r->api->doc, text, &reason);
	if (r->body == NULL) {
		request_fail(r, PROBLEM_MALFORMED_JSON, "%s", reason);
		return;
	}
	if (r->body->type != JSON_OBJECT) {
		request_fail(r, PROBLEM_INVALID_ARGUMENT, "a frame must be a JSON object");
		return;
	}
	if (!read_ref(r) || !request_needs_text(r, "type", &type))
		return;
	r->cmd = command_by_frame(r->api->commands, type);
	if (r->cmd == NULL) {
		request_fail(r, PROBLEM_INVALID_ARGUMENT,
			     "type: must be send, read, recall, delete, typing, watch or ping");
		return;
	}
	command_run(r);
}
