/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes of answers. Decides nothing but when one is full. */
#include "core/base.h"
#include "store/answer.h"

#include "core/json.h"
#include "core/media_ref.h"
#include "store/reactions.h"

/* The names of the members, numbers, times and ids. */
#define MESSAGE_REST 640
#define CONVERSATION_REST 832
#define GROUP_REST 448
#define PROFILE_REST 256

bool answer_takes(struct answer *a, size_t bytes)
{
	if (a->full || (a->items != 0 && a->bytes + bytes > ANSWER_BYTES_MAX)) {
		a->full = true;
		return false;
	}
	a->bytes += bytes;
	a->items++;
	return true;
}

/* What a URL has that a file's reference has not (core/media_url.h). */
#define MEDIA_URL_REST 320

size_t answer_message_size(const struct message *m)
{
	return MESSAGE_REST + (media_ref_id(m->media_url).s != NULL ? MEDIA_URL_REST : 0) + json_str_size(m->content) +
	       json_str_size(m->media_url) + m->extra.len + json_str_size(m->client_msg_id) + m->mentions.len +
	       m->entities.len + m->forwarded_from.len + reactions_json_size(m->reactions);
}

static size_t group_size(const struct group *g)
{
	return GROUP_REST + json_str_size(g->name) + json_str_size(g->avatar_url) + json_str_size(g->about);
}

size_t answer_conversation_size(const struct conversation *c)
{
	return CONVERSATION_REST + json_str_size(c->peer_nickname) + json_str_size(c->peer_avatar_url) +
	       json_str_size(c->source_kind) + json_str_size(c->source_id) + json_str_size(c->settings.draft) +
	       (conversation_is_group(c->id) ? group_size(&c->group) : 0) +
	       (c->has_last ? answer_message_size(&c->last) : 0);
}

size_t answer_profile_size(const struct profile *p)
{
	return PROFILE_REST + json_str_size(p->nickname) + json_str_size(p->avatar_url);
}
