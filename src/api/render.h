/* SPDX-License-Identifier: BSD-2-Clause */
/* The resources of the contract, section 2, as JSON. */
#ifndef TIDINGS_API_RENDER_H
#define TIDINGS_API_RENDER_H

#include "core/base.h"
#include "core/buf.h"
#include "core/id.h"
#include "core/json.h"
#include "core/media_url.h"
#include "store/arena.h"
#include "store/forward.h"
#include "store/group.h"
#include "store/people.h"
#include "store/sticker.h"
#include "store/store.h"

/* http.prefix, which precedes the paths on this server. Borrowed for good; "" at first. */
void render_set_prefix(const char *prefix);
/* How URLs of uploaded files are made. Borrowed for good; without it they are shown as they are stored. */
void render_set_media_urls(const struct media_urls *urls);

void render_message_members(struct json_out *o, const struct message *m);
void render_message(struct json_out *o, const struct message *m);
/* One as before_send is asked about it; created_ms 0: it is not stored yet, and what is not known is null. */
void render_asked_message(struct json_out *o, const struct message *m);
/* The member `nickname`, as it may be shown: another system may have written it. */
void render_nickname(struct json_out *o, struct str nickname);
/* The member `avatar_url`: an address elsewhere, or of a file that was uploaded here. */
void render_avatar(struct json_out *o, struct str avatar_url);
void render_forward_part_members(struct json_out *o, const struct forward_part *p);

/* Those of a message, as it is stored: an array. */
void render_reactions(struct json_out *o, struct str reactions);

/*
 * The places in a text where it is not known yet who is online: each says `false` until
 * online_slots_fill turns it into `true ` (as long, and white space is free in JSON).
 */
struct online_slots {
	struct arena *arena;	/* in which the slots are */
	const struct buf *text; /* what is rendered into */
	struct online_slot {
		size_t at;
		bool needs_friendship; /* only friends who do not block the reader are shown online */
		char user_id[USER_ID_MAX + 1];
	} * slot;
	size_t count, cap;
};
/* In a copy of the text; online[i] belongs to slot[i]. */
void online_slots_fill(const struct online_slots *s, char *text, const bool *online);

/* slots: NULL where it is of no matter who is online, as in a group. */
void render_conversation_members(struct json_out *o, const struct conversation *c, struct online_slots *slots);
void render_conversation(struct json_out *o, const struct conversation *c, struct online_slots *slots);

void render_profile_members(struct json_out *o, const struct profile *p);
void render_profile(struct json_out *o, const struct profile *p);
void render_friend_members(struct json_out *o, const struct befriended *f, struct online_slots *slots);
void render_friend(struct json_out *o, const struct befriended *f, struct online_slots *slots);
void render_group_member_members(struct json_out *o, const struct group_member *m);
void render_invite_members(struct json_out *o, const struct group_invite *i);
void render_notification_members(struct json_out *o, const struct notification *n);
void render_pack_members(struct json_out *o, const struct sticker_pack *p);

#endif
