/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as JSON. The answer to the request that caused one is rendered in another buffer. */
#include "core/base.h"
#include "api/event.h"

#include "api/render.h"
#include "live/push.h"
#include "store/reactions.h"

struct json_out *event_begin(struct live *live, const char *type)
{
	struct json_out *o = live->out;
	buf_clear(&live->scratch);
	json_begin(o, &live->scratch);
	json_object(o);
	json_put_cstr(o, "type", type);
	return o;
}

struct json_out *event_begin_in(struct live *live, const char *type, uint64_t conversation_id)
{
	struct json_out *o = event_begin(live, type);
	json_put_id(o, "conversation_id", conversation_id);
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

/* Who has expired a message is nobody. */
static void put_recaller(struct json_out *o, const struct store_change *c)
{
	bool expired = c->by[0] == '\0', own = strcmp(c->by, c->message->from) == 0;
	if (c->message->to[0] == '\0') {
		json_put_str(o, "by", expired || own ? STR_NULL : str_from(c->by));
	}
	if (expired) {
		json_put_cstr(o, "reason", "expired");
	}
}

static struct json_out *begin_change(struct live *live, const char *type, const struct store_change *c)
{
	const struct message *m = c->message;
	struct json_out *o = event_begin_in(live, type, message_id_conversation(m->id));
	json_put_id(o, "message_id", m->id);
	json_put_u64(o, "seq", message_id_seq(m->id));
	json_put_u64(o, "change_seq", c->change_seq);
	return o;
}

void event_begin_recalled(struct live *live, const struct store_change *c)
{
	struct json_out *o = begin_change(live, "recalled", c);
	json_put_time(o, "recalled_at", c->message->recalled_ms);
	put_recaller(o, c);
}

void event_begin_reaction(struct live *live, const struct store_change *c, bool added)
{
	struct json_out *o = begin_change(live, "reaction", c);
	json_put_cstr(o, "user_id", c->by);
	json_put_str(o, "emoji", c->emoji);
	json_put_bool(o, "added", added);
	json_put_u64(o, "count", reactions_find(c->message->reactions, c->emoji).count);
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
