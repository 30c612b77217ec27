/* SPDX-License-Identifier: BSD-2-Clause */
/* Field by field as the contract lists them. */
#include "core/base.h"
#include "store/message_json.h"

#include <stdlib.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/media_ref.h"
#include "store/reactions.h"

/* A file that was uploaded: a URL that shows it for a while. */
static void put_file_url(struct json_out *o, struct str ref, const struct media_urls *urls)
{
	struct buf url = {0};
	struct str name = media_ref_name(ref);
	media_url_put(&url, urls, media_ref_id(ref), name.s != NULL ? name : STR_LIT("file"), MEDIA_GET,
		      clock_wall_ms());
	json_str(o, (struct str){url.data, url.len});
	buf_fini(&url);
}

void message_json_url(struct json_out *o, struct str v, const struct message_urls *urls)
{
	if (urls->media != NULL && media_ref_id(v).s != NULL) {
		put_file_url(o, v, urls->media);
		return;
	}
	/* What begins with a slash lies on this server. */
	if (v.len == 0 || v.s[0] != '/' || urls->prefix[0] == '\0') {
		json_str(o, v);
		return;
	}
	char *url = xasprintf("%s%.*s", urls->prefix, (int)v.len, v.s);
	json_cstr(o, url);
	free(url);
}

static void put_reaction(struct json_out *o, const struct reaction *r)
{
	size_t at = 0;
	json_object(o);
	json_put_str(o, "emoji", r->emoji);
	json_put_u64(o, "count", r->count);
	json_key(o, "user_ids");
	json_array(o);
	for (struct str u = reaction_next_user(r->users, &at); u.s != NULL; u = reaction_next_user(r->users, &at))
		json_str(o, u);
	json_array_end(o);
	json_object_end(o);
}

void message_json_reactions(struct json_out *o, struct str reactions)
{
	struct reaction r;
	size_t at = 0;
	json_array(o);
	while (reactions_next(reactions, &at, &r))
		put_reaction(o, &r);
	json_array_end(o);
}

static void put_reads(struct json_out *o, const struct message *m)
{
	json_key(o, "is_read");
	if (m->to[0] != '\0')
		json_bool(o, m->is_read);
	else
		json_null(o);
	json_put_time(o, "read_at", m->read_ms);
}

static void put_place(struct json_out *o, const struct message *m)
{
	json_put_id(o, "id", m->id);
	json_put_id(o, "conversation_id", message_id_conversation(m->id));
	json_put_u64(o, "seq", message_id_seq(m->id));
}

static void put_unknown_place(struct json_out *o, uint64_t conversation_id)
{
	json_put_str(o, "id", STR_NULL);
	json_key(o, "conversation_id");
	if (conversation_id != 0)
		json_id(o, conversation_id);
	else
		json_null(o);
	json_put_str(o, "seq", STR_NULL);
}

void message_json_members(struct json_out *o, const struct message *m, const struct message_urls *urls,
			  enum message_json how)
{
	if (how == MESSAGE_JSON_UNSENT)
		put_unknown_place(o, message_id_conversation(m->id));
	else
		put_place(o, m);
	json_put_cstr(o, "from_user_id", m->from);
	json_put_str(o, "to_user_id", m->to[0] != '\0' ? str_from(m->to) : STR_NULL);
	json_put_cstr(o, "message_type", message_type_name(m->type));
	json_put_str(o, "content", m->content);
	json_key(o, "media_url");
	message_json_url(o, m->media_url, urls);
	json_key(o, "extra");
	json_raw(o, m->extra);
	json_put_str(o, "client_msg_id", m->client_msg_id);
	json_key(o, "reply_to");
	if (m->reply_to != 0)
		json_id(o, m->reply_to);
	else
		json_null(o);
	json_key(o, "mentions");
	json_raw(o, m->mentions.s != NULL ? m->mentions : STR_LIT("[]"));
	json_key(o, "entities");
	json_raw(o, m->entities);
	json_key(o, "forwarded_from");
	json_raw(o, m->forwarded_from);
	json_key(o, "reactions");
	message_json_reactions(o, m->reactions);
	if (how == MESSAGE_JSON_WHOLE)
		put_reads(o, m);
	json_put_bool(o, "is_recalled", m->is_recalled);
	json_put_time(o, "recalled_at", m->recalled_ms);
	json_put_time(o, "edited_at", m->edited_ms);
	json_put_time(o, "expires_at", m->expires_ms);
	json_put_time(o, "created_at", m->created_ms);
}
