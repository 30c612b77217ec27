/* SPDX-License-Identifier: BSD-2-Clause */
/* What a user sets for themselves of a conversation. */
#include "core/base.h"
#include "cmd/settings.h"

#include "api/event.h"
#include "api/render.h"
#include "cmd/cmd.h"
#include "live/push.h"

void settings_push(struct request *r, const struct conversation *c)
{
	struct live *live = r->live;
	if (c == NULL)
		push_resync(live, request_user(r));
	else
		push_to(live, request_user(r), (struct push_place){.kind = BUS_EVENT}, event_conversation(live, c),
			request_session(r));
}

/* ---- arguments; null clears a setting ---- */

static const struct problem *read_flag(struct request *r, const char *name, bool *given_r, bool *value_r)
{
	const struct json *v = json_get(r->body, name);
	*given_r = v != NULL;
	if (v == NULL || v->type == JSON_NULL)
		return NULL;
	if (v->type != JSON_BOOL)
		return request_invalid(r, "%s: must be true, false or null", name);
	*value_r = v->boolean;
	return NULL;
}

/* An empty one is none. */
static const struct problem *read_draft(struct request *r, struct store_settings *p)
{
	p->sets_draft = json_get(r->body, "draft") != NULL;
	const struct problem *problem = request_text(r, "draft", &p->to.draft);
	if (problem != NULL)
		return problem;
	if (p->to.draft.len > STORE_DRAFT_MAX)
		return request_invalid(r, "draft: is over %d bytes", STORE_DRAFT_MAX);
	if (p->to.draft.len == 0)
		p->to.draft = STR_NULL;
	return NULL;
}

const struct problem *settings_check(struct request *r, union command_args *a)
{
	struct store_settings *p = &a->settings;
	struct conversation_settings *to = &p->to;
	bool pinned = false;
	*p = (struct store_settings){.user = request_user(r), .conversation_id = r->path_id};
	p->sets_muted_until = json_get(r->body, "muted_until") != NULL;
	const struct problem *problem = request_time(r, "muted_until", &to->muted_until_ms)
						?: read_flag(r, "pinned", &p->sets_pinned, &pinned)
						?: read_flag(r, "archived", &p->sets_archived, &to->archived)
						?: read_flag(r, "marked_unread", &p->sets_marked_unread,
							     &to->marked_unread)
						?: read_flag(r, "mute_mentions", &p->sets_mute_mentions,
							     &to->mute_mentions)
						?: read_draft(r, p);
	to->pinned_ms = pinned;
	return problem;
}

static void on_set(const struct store_settings_set *set, void *arg)
{
	struct request *r = arg;
	if (set->changed)
		settings_push(r, set->conversation);
	if (set->status != STORE_OK) {
		request_fail_write(r, set->status, request_user(r), STR_NULL);
		return;
	}
	struct online_slots slots = request_slots(r);
	render_conversation_members(request_begin(r), set->conversation, &slots);
	request_answer_online(r, 200, &slots);
}

void settings_proceed(struct request *r, const union command_args *a)
{
	store_set_settings(r->live->store, &a->settings, on_set, r);
}
