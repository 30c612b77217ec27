/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of a message, for administrators: when it was stored, and to whom and what it was pushed. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/render.h"
#include "core/conf.h"
#include "core/trace.h"
#include "live/tracing.h"
#include "store/device.h"

#include <stdlib.h>

struct tracing_request {
	struct request *r;
	int64_t stored_ms;
};

static void put_pushed(struct json_out *o, const struct trace_note *n)
{
	json_put_cstr(o, "session_id", n->session);
}

/* The platform of a device that was gone already is not known. */
static void put_device(struct json_out *o, const struct trace_note *n)
{
	json_put_str(o, "user_id", n->user);
	json_put_str(o, "device_id", n->name);
	json_key(o, "platform");
	if (n->detail != 0)
		json_cstr(o, device_platform_name((enum device_platform)n->detail));
	else
		json_null(o);
	json_put_cstr(o, "status", trace_status_name(n->status));
}

static void put_hook(struct json_out *o, const struct trace_note *n)
{
	json_put_str(o, "name", n->name);
	json_put_cstr(o, "event", conf_hook_event_names[n->detail]);
	json_put_cstr(o, "status", trace_status_name(n->status));
}

/* Another version of the server may have noted what this one does not know. */
static bool is_known(const struct trace_note *n)
{
	return n->kind == TRACE_PUSHED || (n->kind == TRACE_HOOK && n->detail < HOOK_EVENTS) ||
	       (n->kind == TRACE_DEVICE && n->detail <= DEVICE_APNS);
}

static bool put_notes(struct json_out *o, const char *name, enum trace_kind kind, const struct trace_note *note,
		      size_t n, void (*put)(struct json_out *o, const struct trace_note *n))
{
	bool all = true;
	json_key(o, name);
	json_array(o);
	for (size_t i = 0; i < n; i++) {
		if (note[i].kind != kind)
			continue;
		if (!is_known(&note[i])) {
			all = false;
			continue;
		}
		json_object(o);
		put(o, &note[i]);
		json_put_time(o, "at", note[i].at_ms);
		json_object_end(o);
	}
	json_array_end(o);
	return all;
}

static void on_traced(const struct trace_found *found, bool all, void *arg)
{
	const struct tracing_request *t = arg;
	struct request *r = t->r;
	size_t n;
	struct trace_note *note = trace_notes(found, &n);
	struct json_out *o = request_begin(r);
	json_put_time(o, "stored_at", t->stored_ms);
	json_put_id(o, "conversation_id", message_id_conversation(r->path_id));
	json_key(o, "seq");
	json_i64(o, (int64_t)message_id_seq(r->path_id));
	all = put_notes(o, "pushed", TRACE_PUSHED, note, n, put_pushed) && all;
	all = put_notes(o, "devices", TRACE_DEVICE, note, n, put_device) && all;
	all = put_notes(o, "hooks", TRACE_HOOK, note, n, put_hook) && all;
	json_put_bool(o, "incomplete", !all || t->stored_ms < found->since_ms);
	free(note);
	request_answer(r, 200);
}

static void on_stored(enum store_status status, int64_t stored_ms, void *arg)
{
	struct tracing_request *t = arg;
	t->stored_ms = stored_ms;
	if (status != STORE_OK)
		request_fail_store(t->r, status);
	else if (!tracing_find(t->r->live, t->r->path_id, on_traced, t))
		request_fail(t->r, request_problem(t->r, PROBLEM_OVERLOADED, "%d messages are being traced already",
						   TRACING_MAX));
}

void trace_proceed(struct request *r, const union command_args *a)
{
	struct tracing_request *t = arena_alloc(&r->arena, sizeof(*t));
	t->r = r;
	store_find_stored(r->live->store, request_user(r), a->message_id, on_stored, t);
}
