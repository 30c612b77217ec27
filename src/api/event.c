/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as JSON. The answer to the request that caused one is rendered in another buffer. */
#include "core/base.h"
#include "api/event.h"

#include "api/render.h"
#include "live/push.h"

struct json_out *event_begin(struct live *live, const char *type)
{
	struct json_out *o = live->out;
	buf_clear(&live->scratch);
	json_begin(o, &live->scratch);
	json_object(o);
	json_key(o, "type");
	json_cstr(o, type);
	return o;
}

struct json_out *event_begin_in(struct live *live, const char *type, uint64_t conversation_id)
{
	struct json_out *o = event_begin(live, type);
	json_key(o, "conversation_id");
	json_id(o, conversation_id);
	return o;
}

struct str event_end(struct live *live)
{
	json_object_end(live->out);
	return (struct str){live->scratch.data, live->scratch.len};
}

struct str event_message(struct live *live, const struct message *m)
{
	struct json_out *o = event_begin(live, "message");
	json_key(o, "message");
	render_message(o, m);
	return event_end(live);
}

struct str event_conversation(struct live *live, const struct conversation *c)
{
	struct json_out *o = event_begin(live, "conversation");
	json_key(o, "conversation");
	render_conversation(o, c, NULL);
	return event_end(live);
}

void event_notification(struct live *live, struct str user, const struct notification *n)
{
	struct json_out *o = event_begin(live, "notification");
	json_key(o, "notification");
	json_object(o);
	render_notification_members(o, n);
	json_object_end(o);
	push_to(live, user, (struct push_place){.kind = BUS_EVENT}, event_end(live), NULL);
}
