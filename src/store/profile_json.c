/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/profile_json.h"

#include <stdlib.h>

#include "core/media_ref.h"
#include "core/utf8.h"

/* Pictures of users and groups are kept by clients for longer than messages. */
#define AVATAR_SECS (30 * 86400)

void profile_json_nickname(struct json_out *o, struct str v)
{
	char *clean = v.s != NULL ? xmalloc(v.len + 1) : NULL;
	size_t len = v.s != NULL ? utf8_name(v, clean) : 0;
	json_put_str(o, "nickname", len != 0 ? (struct str){clean, len} : STR_NULL);
	free(clean);
}

void profile_json_avatar(struct json_out *o, struct str avatar_url, const struct message_urls *urls)
{
	if (urls->media == NULL || media_ref_id(avatar_url).s == NULL) {
		json_put_str(o, "avatar_url", avatar_url);
		return;
	}
	struct media_urls longer = *urls->media;
	longer.lifetime_secs = longer.lifetime_secs > AVATAR_SECS ? longer.lifetime_secs : AVATAR_SECS;
	const struct message_urls of_avatar = {.prefix = urls->prefix, .media = &longer};
	json_key(o, "avatar_url");
	message_json_url(o, avatar_url, &of_avatar);
}

void profile_json_members(struct json_out *o, const struct profile *p, const struct message_urls *urls)
{
	json_put_cstr(o, "user_id", p->user_id);
	profile_json_nickname(o, p->nickname);
	profile_json_avatar(o, p->avatar_url, urls);
	json_put_time(o, "created_at", p->created_ms);
}
