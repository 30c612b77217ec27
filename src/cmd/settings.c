/* SPDX-License-Identifier: BSD-2-Clause */
/* What a user sets for themselves of a conversation; when messages expire, which they set for others, too; and clearing
 * its history. */
#include "core/base.h"
#include "cmd/settings.h"

#include "api/event.h"
#include "api/render.h"
#include "cmd/cmd.h"
#include "cmd/content.h"
#include "cmd/group.h"
#include "live/group.h"
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
						?: read_draft(r, p)
						?: content_expiry_check(r, &p->sets_expires_in,
									&to->expires_in_secs);
	to->pinned_ms = pinned;
	return problem;
}

/* ---- the answer ---- */

static void answer(struct request *r, const struct conversation *c)
{
	struct online_slots slots = request_slots(r);
	render_conversation_members(request_begin(r), c, &slots);
	request_answer_online(r, 200, &slots);
}

/* The other side sees it as well. */
static void tell_peer(struct request *r, const struct store_settings_set *set, struct str peer)
{
	if (set->conversation == NULL)
		push_resync(r->live, peer);
	else
		push_to(r->live, str_from(set->conversation->user), (struct push_place){.kind = BUS_EVENT},
			event_conversation(r->live, set->conversation), NULL);
}

/* A request that sets when messages expire. */
struct expiry_request {
	struct request *r;
	struct store_settings settings; /* in the request's arena */
	struct str peer;		/* of a direct conversation */
};

static void finish(struct request *r, const struct store_settings_set *set, struct str peer)
{
	if (set->changed)
		settings_push(r, set->conversation);
	if (set->status == STORE_OK)
		answer(r, set->conversation);
	else
		request_fail_write(r, set->status, request_user(r), peer);
}

static void on_set(const struct store_settings_set *set, void *arg)
{
	finish(arg, set, STR_NULL);
}

/* ---- of both sides, or of the admins ---- */

static void on_set_for_both(const struct store_settings_set *set, void *arg)
{
	struct expiry_request *e = arg;
	if (set->of_peer)
		tell_peer(e->r, set, e->peer);
	else
		finish(e->r, set, e->peer);
}

/* Who may not speak to the other one does not say how long that one's messages last. */
static void on_peer(const struct store_peer *peer, void *arg)
{
	struct expiry_request *e = arg;
	if (peer->status != STORE_OK) {
		request_fail_store(e->r, peer->status);
		return;
	}
	e->peer = arena_str(&e->r->arena, str_from(peer->peer));
	store_set_settings(e->r->live->store, &e->settings, on_set_for_both, e);
}

static void on_group_changed(const struct store_group_done *d, void *arg)
{
	struct expiry_request *e = arg;
	struct request *r = e->r;
	if (d->status != STORE_OK) {
		group_fail_write(r, d->status, e->settings.conversation_id);
		return;
	}
	group_tell_change(r->live, GROUP_CHANGE, false, d, request_session(r));
	group_end_conversation(r, d->conversation_id);
}

static struct store_group_op change_of_group(const struct expiry_request *e)
{
	return (struct store_group_op){
		.step = GROUP_CHANGE,
		.user = request_user(e->r),
		.conversation_id = e->settings.conversation_id,
		.sets_expiry = true,
		.expiry_secs = e->settings.to.expires_in_secs,
	};
}

/* The user's own settings are there, and they may change those of the group. */
static void on_set_in_group(const struct store_settings_set *set, void *arg)
{
	struct expiry_request *e = arg;
	if (set->status != STORE_OK) {
		finish(e->r, set, STR_NULL);
		return;
	}
	const struct store_group_op op = change_of_group(e);
	if (set->changed)
		settings_push(e->r, set->conversation);
	store_change_group(e->r->live->store, &op, on_group_changed, e);
}

static void set_in_group(struct expiry_request *e)
{
	const struct store_group_op op = change_of_group(e);
	const struct problem *p = group_within_budget(e->r, &op);
	if (p != NULL)
		request_fail(e->r, p);
	else
		store_set_settings(e->r->live->store, &e->settings, on_set_in_group, e);
}

void settings_proceed(struct request *r, const union command_args *a)
{
	const struct store_settings *p = &a->settings;
	struct store *store = r->live->store;
	if (!p->sets_expires_in) {
		store_set_settings(store, p, on_set, r);
		return;
	}
	struct expiry_request *e = arena_alloc(&r->arena, sizeof(*e));
	*e = (struct expiry_request){.r = r, .settings = *p};
	e->settings.to.draft = arena_str(&r->arena, p->to.draft);
	/* Others are told, too: of a group by a message, with that one's budget; of another it costs as much as one. */
	if (conversation_is_group(p->conversation_id))
		set_in_group(e);
	else if (send_take_rate(r))
		store_find_peer(store, request_user(r), p->conversation_id, on_peer, e);
	else
		send_fail_rate(r);
}

/* ---- clearing ---- */

const struct problem *clear_check(struct request *r, union command_args *a)
{
	a->read.conversation_id = r->path_id;
	return request_query_u64(r, "up_to_seq", 0, UINT64_MAX, UINT64_MAX, &a->read.up_to_seq);
}

static void on_cleared(const struct store_settings_set *cleared, void *arg)
{
	struct request *r = arg;
	if (cleared->changed)
		settings_push(r, cleared->conversation);
	if (cleared->status != STORE_OK)
		request_fail_write(r, cleared->status, request_user(r), STR_NULL);
	else
		request_done(r);
}

void clear_proceed(struct request *r, const union command_args *a)
{
	store_clear(r->live->store, request_user(r), a->read.conversation_id, a->read.up_to_seq, on_cleared, r);
}
