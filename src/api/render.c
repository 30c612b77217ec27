/* SPDX-License-Identifier: BSD-2-Clause */
/* Resources as JSON, field by field as the contract lists them. */
#include "core/base.h"
#include "api/render.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/message_json.h"
#include "store/profile_json.h"

void render_nickname(struct json_out *o, struct str v)
{
	profile_json_nickname(o, v);
}

static struct message_urls urls = {.prefix = ""};

void render_set_prefix(const char *p)
{
	urls.prefix = p;
}

void render_set_media_urls(const struct media_urls *media)
{
	urls.media = media;
}

static void put_url(struct json_out *o, const char *key, struct str v)
{
	json_key(o, key);
	message_json_url(o, v, &urls);
}

/* 0 is null. */
static void put_id_or_null(struct json_out *o, const char *key, uint64_t id)
{
	json_key(o, key);
	if (id != 0)
		json_id(o, id);
	else
		json_null(o);
}

static void slots_put(struct online_slots *s, struct json_out *o, const char *user_id, bool needs_friendship)
{
	static const size_t width = sizeof("false") - 1;
	json_bool(o, false);
	if (s->count == s->cap) {
		const struct online_slot *old = s->slot;
		s->cap = s->cap != 0 ? 2 * s->cap : 8;
		s->slot = arena_alloc(s->arena, s->cap * sizeof(*s->slot));
		if (old != NULL)
			memcpy(s->slot, old, s->count * sizeof(*old));
	}
	struct online_slot *slot = &s->slot[s->count++];
	slot->at = s->text->len - width;
	slot->needs_friendship = needs_friendship;
	snprintf(slot->user_id, sizeof(slot->user_id), "%s", user_id);
}

void online_slots_fill(const struct online_slots *s, char *text, const bool *online)
{
	for (size_t i = 0; i < s->count; i++)
		if (online[i])
			memcpy(text + s->slot[i].at, "true ", 5);
}

void render_avatar(struct json_out *o, struct str avatar_url)
{
	profile_json_avatar(o, avatar_url, &urls);
}

void render_message_members(struct json_out *o, const struct message *m)
{
	message_json_members(o, m, &urls, MESSAGE_JSON_WHOLE);
}

void render_reactions(struct json_out *o, struct str reactions)
{
	message_json_reactions(o, reactions);
}

void render_message(struct json_out *o, const struct message *m)
{
	json_object(o);
	render_message_members(o, m);
	json_object_end(o);
}

void render_asked_message(struct json_out *o, const struct message *m)
{
	json_object(o);
	message_json_members(o, m, &urls, m->created_ms != 0 ? MESSAGE_JSON_WITHOUT_READS : MESSAGE_JSON_UNSENT);
	json_object_end(o);
}

void render_forward_part_members(struct json_out *o, const struct forward_part *p)
{
	json_put_cstr(o, "part", p->part);
	json_put_cstr(o, "from_user_id", p->from);
	render_nickname(o, p->nickname);
	json_put_cstr(o, "message_type", message_type_name(p->type));
	json_put_str(o, "content", p->content);
	put_url(o, "media_url", p->media_url);
	json_key(o, "extra");
	json_raw(o, p->extra);
	json_key(o, "entities");
	json_raw(o, p->entities);
	json_key(o, "forwarded_from");
	json_raw(o, p->forwarded_from);
	json_put_time(o, "created_at", p->created_ms);
}

static void put_peer(struct json_out *o, const struct conversation *c, struct online_slots *slots)
{
	json_object(o);
	json_put_cstr(o, "user_id", c->peer);
	render_nickname(o, c->peer_nickname);
	render_avatar(o, c->peer_avatar_url);
	json_key(o, "online");
	if (slots == NULL)
		json_bool(o, false);
	else
		slots_put(slots, o, c->peer, true);
	json_object_end(o);
}

static void put_group_settings(struct json_out *o, const struct group_settings *s)
{
	json_object(o);
	json_put_cstr(o, "join", group_join_name(s->join));
	json_put_cstr(o, "history", s->history_joined ? "joined" : "all");
	json_put_cstr(o, "send", s->send_admins ? "admins" : "all");
	json_put_cstr(o, "add", s->add_admins ? "admins" : "all");
	json_put_u64(o, "slow_mode_seconds", s->slow_mode_secs);
	json_object_end(o);
}

static void put_group(struct json_out *o, const struct group *g)
{
	json_object(o);
	json_put_str(o, "name", g->name);
	render_avatar(o, g->avatar_url);
	json_put_str(o, "about", g->about);
	json_put_cstr(o, "owner_id", g->owner);
	json_put_cstr(o, "role", group_role_name(g->role));
	json_put_u64(o, "member_count", g->member_count);
	json_put_time(o, "joined_at", g->joined_ms);
	json_put_time(o, "dissolved_at", g->dissolved_ms);
	json_key(o, "settings");
	put_group_settings(o, &g->settings);
	json_object_end(o);
}

static void put_settings(struct json_out *o, const struct conversation_settings *s)
{
	json_object(o);
	json_put_time(o, "muted_until", s->muted_until_ms);
	json_put_time(o, "pinned_at", s->pinned_ms);
	json_put_bool(o, "archived", s->archived);
	json_put_bool(o, "marked_unread", s->marked_unread);
	json_put_str(o, "draft", s->draft);
	json_put_bool(o, "mute_mentions", s->mute_mentions);
	json_key(o, "expires_in");
	if (s->expires_in_secs != 0)
		json_i64(o, (int64_t)s->expires_in_secs);
	else
		json_null(o);
	json_object_end(o);
}

static void put_source(struct json_out *o, const struct conversation *c)
{
	if (c->source_kind.s == NULL) {
		json_null(o);
		return;
	}
	json_object(o);
	json_put_str(o, "kind", c->source_kind);
	json_put_str(o, "id", c->source_id);
	json_object_end(o);
}

void render_conversation_members(struct json_out *o, const struct conversation *c, struct online_slots *slots)
{
	bool is_group = conversation_is_group(c->id);
	json_put_id(o, "id", c->id);
	json_put_cstr(o, "kind", is_group ? "group" : "direct");
	json_key(o, "peer");
	if (is_group)
		json_null(o);
	else
		put_peer(o, c, slots);
	json_key(o, "group");
	if (is_group)
		put_group(o, &c->group);
	else
		json_null(o);
	json_key(o, "last_message");
	if (c->has_last)
		render_message(o, &c->last);
	else
		json_null(o);
	json_put_time(o, "last_message_time", c->last_ms);
	json_put_u64(o, "unread_count", c->unread);
	json_put_u64(o, "mention_count", c->mentions);
	json_put_u64(o, "read_seq", c->read_seq);
	json_key(o, "peer_read_seq");
	if (is_group)
		json_null(o);
	else
		json_i64(o, (int64_t)c->peer_read_seq);
	json_key(o, "peer_delivered_seq");
	if (is_group)
		json_null(o);
	else
		json_i64(o, (int64_t)c->peer_delivered_seq);
	json_put_u64(o, "first_seq", c->first_seq);
	json_put_u64(o, "change_seq", c->change_seq);
	json_key(o, "settings");
	put_settings(o, &c->settings);
	json_key(o, "source");
	put_source(o, c);
	json_put_time(o, "created_at", c->created_ms);
}

void render_conversation(struct json_out *o, const struct conversation *c, struct online_slots *slots)
{
	json_object(o);
	render_conversation_members(o, c, slots);
	json_object_end(o);
}

void render_profile_members(struct json_out *o, const struct profile *p)
{
	profile_json_members(o, p, &urls);
}

void render_profile(struct json_out *o, const struct profile *p)
{
	json_object(o);
	render_profile_members(o, p);
	json_object_end(o);
}

void render_friend_members(struct json_out *o, const struct befriended *f, struct online_slots *slots)
{
	json_key(o, "user");
	render_profile(o, &f->peer);
	json_key(o, "online");
	if (f->blocks_user)
		json_bool(o, false);
	else
		slots_put(slots, o, f->peer.user_id, false);
	json_put_time(o, "last_seen", f->blocks_user ? 0 : f->last_seen_ms);
	json_put_bool(o, "blocked", f->blocked);
	json_put_time(o, "since", f->since_ms);
}

void render_friend(struct json_out *o, const struct befriended *f, struct online_slots *slots)
{
	json_object(o);
	render_friend_members(o, f, slots);
	json_object_end(o);
}

void render_group_member_members(struct json_out *o, const struct group_member *m)
{
	json_key(o, "user");
	render_profile(o, &m->user);
	json_put_cstr(o, "role", group_role_name(m->role));
	json_put_time(o, "joined_at", m->joined_ms);
	json_put_time(o, "muted_until", m->muted_until_ms);
}

void render_invite_members(struct json_out *o, const struct group_invite *i)
{
	json_put_cstr(o, "code", i->code);
	json_put_time(o, "expires_at", i->expires_ms);
	json_key(o, "max_uses");
	if (i->max_uses != 0)
		json_i64(o, (int64_t)i->max_uses);
	else
		json_null(o);
	json_put_u64(o, "uses", i->uses);
	json_put_cstr(o, "created_by", i->created_by);
	json_put_time(o, "created_at", i->created_ms);
}

void render_notification_members(struct json_out *o, const struct notification *n)
{
	put_id_or_null(o, "id", n->id);
	json_put_str(o, "kind", n->kind);
	json_key(o, "actor");
	if (n->has_actor)
		render_profile(o, &n->actor);
	else
		json_null(o);
	json_key(o, "ref");
	json_raw(o, n->ref);
	put_id_or_null(o, "message_id", n->message_id);
	json_put_str(o, "body", n->body);
	json_put_bool(o, "is_read", n->is_read);
	json_put_time(o, "created_at", n->created_ms);
}

static void put_sticker(struct json_out *o, struct str pack, const struct sticker *s)
{
	char path[STICKER_PATH_MAX + 1];
	json_object(o);
	json_put_str(o, "id", s->id);
	json_put_str(o, "emoji", s->emoji);
	put_url(o, "media_url", sticker_path(pack, s->picture, path));
	json_put_u64(o, "width", s->width);
	json_put_u64(o, "height", s->height);
	json_object_end(o);
}

void render_pack_members(struct json_out *o, const struct sticker_pack *p)
{
	json_put_str(o, "id", p->id);
	json_put_str(o, "title", p->title);
	json_key(o, "stickers");
	json_array(o);
	for (size_t i = 0; i < p->count; i++)
		put_sticker(o, p->id, &p->sticker[i]);
	json_array_end(o);
	json_put_bool(o, "installed", p->installed_ms != 0);
	json_put_time(o, "updated_at", p->updated_ms);
}
