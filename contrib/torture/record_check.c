/* SPDX-License-Identifier: BSD-2-Clause */
/* What is overdue, and how the recorder reads a message. */
#include "core/base.h"
#include "record.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "core/id.h"
#include "core/json.h"
#include "record_groups_priv.h"
#include "record_priv.h"

static const char *mark_waited_for(const struct wait *w)
{
	enum mark mark = 0;
	while (!(w->what & HAS_MARK(mark)))
		mark++;
	return record_mark_name(mark);
}

static void tell_overdue(struct record *r, const struct wait *w, int64_t now_ms)
{
	const struct message *m = &r->message[w->message];
	const struct device *d = &r->device[w->device];
	if (w->what & HAS_MESSAGE)
		record_violate(r,
			       "m%u from p%u to %s (conversation %" PRIu64
			       ", seq %u%s) never reached session %u.%u of p%u, "
			       "which has been connected for %" PRId64 " ms and synced for %" PRId64
			       " ms: stored since %" PRId64 " ms, expected a push or a resync",
			       w->message, m->from, record_party_name(r, m->to).is, m->conversation_id, m->seq,
			       m->acked			   ? ", acknowledged"
			       : m->event.is != EVENT_NONE ? ", tells of a change"
							   : "",
			       w->device, d->session, d->user, now_ms - d->opened.fair_ms,
			       now_ms - d->synced_at.fair_ms, now_ms - w->known_ms);
	else
		record_violate(r,
			       "that m%u (conversation %" PRIu64 ", seq %u) is %s never reached session %u.%u of p%u, "
			       "which has been synced for %" PRId64 " ms: so since %" PRId64
			       " ms, expected an event or a resync",
			       w->message, m->conversation_id, m->seq, mark_waited_for(w), w->device, d->session,
			       d->user, now_ms - d->synced_at.fair_ms, now_ms - w->known_ms);
}

void record_check_overdue(struct record *r, int64_t from_ms, int64_t limit_ms, int64_t now_ms)
{
	struct wait *w;
	if (now_ms - from_ms < limit_ms)
		return;
	record_groups_check(r, limit_ms, now_ms);
	TAILQ_FOREACH (w, &r->waits, entry) {
		const struct device *d = &r->device[w->device];
		if (w->told || now_ms - w->known_ms < limit_ms || !d->synced ||
		    now_ms - d->synced_at.fair_ms < limit_ms)
			continue;
		w->told = true;
		tell_overdue(r, w, now_ms);
	}
}

unsigned record_outstanding(const struct record *r, int64_t before_ms)
{
	const struct wait *w;
	unsigned n = record_group_gaps(r, before_ms);
	TAILQ_FOREACH (w, &r->waits, entry)
		n += w->known_ms <= before_ms && r->device[w->device].open;
	return n;
}

bool record_device_waits(const struct record *r, unsigned device)
{
	const struct wait *w;
	TAILQ_FOREACH (w, &r->waits, entry)
		if (w->device == device)
			return true;
	return false;
}

void record_check_code(struct record *r, unsigned device, int code, const char *by)
{
	const struct device *d = &r->device[device];
	switch (code) {
	case 4001:
		record_violate(
			r,
			"session %u.%u of p%u was closed as replaced (4001) by '%s', and there is no newer one of "
			"its device",
			device, d->session, d->user, by);
		break;
	case 1002:
	case 1003:
	case 1007:
	case 1009:
	case 1011:
	case 4002:
		record_violate(r, "session %u.%u of p%u was closed with %d, and its client had done nothing wrong",
			       device, d->session, d->user, code);
		break;
	default:
		break;
	}
}

static uint8_t read_marks(struct record *r, const struct json *message)
{
	const struct json *recalled = json_get(message, "is_recalled"), *edited = json_get(message, "edited_at");
	const struct json *reactions = json_get(message, "reactions");
	const struct json *first = reactions != NULL ? reactions->child : NULL;
	int64_t count;
	if (first != NULL && (first->next != NULL || json_int(json_get(first, "count"), &count) != 0 || count != 1))
		record_violate(r, "more reactions than one: %.*s", (int)reactions->raw.len, reactions->raw.s);
	return (uint8_t)((recalled != NULL && recalled->boolean ? MARK_BIT(MARK_RECALLED) : 0) |
			 (edited != NULL && edited->type == JSON_STRING ? MARK_BIT(MARK_EDITED) : 0) |
			 (first != NULL ? MARK_BIT(MARK_REACTED) : 0));
}

bool record_read_sight(struct record *r, const struct json *message, struct sight *out_r)
{
	const struct json *id = json_get(message, "id"), *conversation = json_get(message, "conversation_id");
	const struct json *from = json_get(message, "from_user_id"), *to = json_get(message, "to_user_id");
	const struct json *client = json_get(message, "client_msg_id"), *content = json_get(message, "content");
	const struct json *read = json_get(message, "is_read");
	int64_t seq;

	*out_r = (struct sight){.mention = MENTION_NONE};
	if (id == NULL || conversation == NULL || from == NULL || client == NULL ||
	    json_int(json_get(message, "seq"), &seq) != 0 || id_parse_u64(id->text, &out_r->id) != 0 ||
	    id_parse_u64(conversation->text, &out_r->conversation_id) != 0) {
		record_violate(r, "not a message: %.*s", message != NULL ? (int)message->raw.len : 0,
			       message != NULL ? message->raw.s : "");
		return false;
	}
	out_r->seq = (uint32_t)seq;
	out_r->from = record_user_of(from->text);
	out_r->to = to != NULL && to->type == JSON_STRING ? record_user_of(to->text) : UINT_MAX;
	out_r->client_msg_id = client->type == JSON_STRING ? client->text : STR_NULL;
	out_r->content = content != NULL && content->type == JSON_STRING ? content->text : STR_NULL;
	out_r->marks = read_marks(r, message);
	out_r->read = read != NULL && read->boolean;
	if (conversation_is_group(out_r->conversation_id))
		return record_read_group_sight(r, message, out_r);
	if (out_r->from < r->users && out_r->to < r->users)
		return true;
	record_violate(r, "not a message between two of us: %.*s", (int)message->raw.len, message->raw.s);
	return false;
}
