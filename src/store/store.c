/* SPDX-License-Identifier: BSD-2-Clause */
/* The store as a whole, and the names of its enums. */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/people.h"

#include <stdlib.h>

struct store *store_new(struct event_base *base, const struct conf *conf, const struct store_observer *obs, void *ctx)
{
	struct store *s = xcalloc(1, sizeof(*s));
	s->conf = conf;
	s->pool = pool_new(base, conf);
	s->lane = lane_new(s, base, conf, obs, ctx);
	s->txns = txns_new(base, conf);
	s->seen = seen_new(base, s->txns);
	return s;
}

void store_free(struct store **sp)
{
	struct store *s = *sp;
	if (s == NULL)
		return;
	seen_free(&s->seen);
	/* A write's answer may ask for a read. */
	txns_free(&s->txns);
	lane_free(&s->lane);
	pool_free(&s->pool);
	free(s);
	*sp = NULL;
}

bool store_is_up(const struct store *s)
{
	return lane_is_up(s->lane);
}

bool store_refuses_writes(const struct store *s)
{
	return store_is_read_only(s) || lane_is_away(s->lane) || txns_is_away(s->txns);
}

bool store_is_read_only(const struct store *s)
{
	return lane_is_read_only(s->lane) || txns_is_read_only(s->txns);
}

size_t store_pending(const struct store *s)
{
	return lane_pending(s->lane) + txns_pending(s->txns) + pool_pending(s->pool) + seen_pending(s->seen);
}

void store_saw_user(struct store *s, struct str user, int64_t at_ms)
{
	seen_note(s->seen, user, at_ms);
}

const char *store_status_name(enum store_status s)
{
	static const char *const names[] = {
		[STORE_OK] = "ok",
		[STORE_UNAVAILABLE] = "unavailable",
		[STORE_UNCERTAIN] = "uncertain",
		[STORE_UNKNOWN] = "unknown",
		[STORE_OVERLOADED] = "overloaded",
		[STORE_NOT_FOUND] = "not_found",
		[STORE_NOT_FRIENDS] = "not_friends",
		[STORE_BLOCKED] = "blocked",
		[STORE_NOT_SENDER] = "not_sender",
		[STORE_FORBIDDEN] = "forbidden",
		[STORE_RECALL_EXPIRED] = "recall_expired",
		[STORE_REUSED] = "client_msg_id_reused",
		[STORE_BAD_REPLY] = "bad_reply",
		[STORE_FULL] = "full",
		[STORE_TAKEN] = "taken",
		[STORE_LIMITED] = "limited",
		[STORE_MUTED] = "muted",
		[STORE_SENDING_RESTRICTED] = "sending_restricted",
		[STORE_SLOW_MODE] = "slow_mode",
		[STORE_MENTIONS_ALL] = "mentions_all",
		[STORE_GROUP_DISSOLVED] = "group_dissolved",
		[STORE_GROUP_FULL] = "group_full",
		[STORE_TOO_MANY_GROUPS] = "too_many_groups",
		[STORE_ROLE] = "role",
		[STORE_BANNED] = "banned",
		[STORE_IS_OWNER] = "is_owner",
	};
	return names[s];
}

static const char *const message_types[] = {
	[MESSAGE_TEXT] = "text",   [MESSAGE_IMAGE] = "image", [MESSAGE_VOICE] = "voice",
	[MESSAGE_VIDEO] = "video", [MESSAGE_FILE] = "file",   [MESSAGE_SYSTEM] = "system",
};

const char *message_type_name(enum message_type t)
{
	return message_types[t];
}

int message_type_parse(struct str name, enum message_type *type_r)
{
	for (size_t i = 0; i <= MESSAGE_FILE; i++) {
		if (str_is(name, message_types[i])) {
			*type_r = (enum message_type)i;
			return 0;
		}
	}
	return -1;
}

const char *change_kind_name(enum change_kind k)
{
	static const char *const names[] = {"recalled", "read", "deleted"};
	return names[k];
}
