/* SPDX-License-Identifier: BSD-2-Clause */
/* The store as a whole, and the names of its enums. */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/people.h"

#include <stdlib.h>

#include "store/search_backend.h"

/* That wait, of all users and of one. */
#define READS_MAX 8192
#define READS_USER_MAX 256
#define SEARCHES_MAX 256
#define SEARCHES_USER_MAX 8

static struct store *new_without_lane(struct event_base *base, const struct conf *conf)
{
	struct store *s = xcalloc(1, sizeof(*s));
	s->conf = conf;
	s->pool = pool_new(base, conf,
			   &(struct pool_options){
				   .name = "reading",
				   .links = conf->mysql.connections > 2 ? (unsigned)conf->mysql.connections - 1 : 1,
				   .max = READS_MAX,
				   .user_max = READS_USER_MAX,
			   });
	if (search_backend(conf) != NULL)
		s->search_pool = pool_new(
			base, conf,
			&(struct pool_options){
				.name = "searching", .links = 1, .max = SEARCHES_MAX, .user_max = SEARCHES_USER_MAX});
	s->txns = txns_new(base, conf);
	s->seen = seen_new(base, s->txns);
	return s;
}

struct store *store_new(struct event_base *base, const struct conf *conf, const struct store_observer *obs, void *ctx)
{
	struct store *s = new_without_lane(base, conf);
	s->lane = lane_new(base, conf, obs, ctx);
	return s;
}

struct store *store_new_with_writers(struct event_base *base, const struct conf *conf, const struct store_observer *obs,
				     void *ctx)
{
	struct store *s = new_without_lane(base, conf);
	s->writers = writers_new(base, (unsigned)conf->writers, obs, ctx);
	return s;
}

void store_take_writer(struct store *s, unsigned index, int fd)
{
	writers_take(s->writers, index, fd);
}

uint64_t store_missing_writers(const struct store *s)
{
	return s->writers != NULL ? writers_missing(s->writers) : 0;
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
	writers_free(&s->writers);
	pool_free(&s->pool);
	pool_free(&s->search_pool);
	free(s);
	*sp = NULL;
}

bool store_is_up(const struct store *s)
{
	return s->lane != NULL ? lane_is_up(s->lane) : writers_are_up(s->writers);
}

bool store_refuses_writes(const struct store *s)
{
	bool away = s->lane != NULL ? lane_is_away(s->lane) : writers_are_away(s->writers);
	return store_is_read_only(s) || away || txns_is_away(s->txns);
}

bool store_is_read_only(const struct store *s)
{
	bool read_only = s->lane != NULL ? lane_is_read_only(s->lane) : writers_are_read_only(s->writers);
	return read_only || txns_is_read_only(s->txns);
}

size_t store_pending(const struct store *s)
{
	size_t searches = s->search_pool != NULL ? pool_pending(s->search_pool) : 0;
	size_t writes = s->lane != NULL ? lane_pending(s->lane) : writers_pending(s->writers);
	return writes + txns_pending(s->txns) + pool_pending(s->pool) + searches + seen_pending(s->seen);
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
		[STORE_EDIT_EXPIRED] = "edit_expired",
		[STORE_RECALLED] = "recalled",
		[STORE_NO_TEXT] = "no_text",
		[STORE_TOO_MANY_KINDS] = "too_many_kinds",
		[STORE_TOO_MANY_PINS] = "too_many_pins",
		[STORE_TOO_MANY_PINNED] = "too_many_pinned",
		[STORE_OVER_QUOTA] = "over_quota",
		[STORE_NO_FILE] = "no_file",
		[STORE_LOGIN_ENDED] = "login_ended",
		[STORE_LOGIN_EXPIRED] = "login_expired",
		[STORE_DISABLED] = "disabled",
		[STORE_FORWARDED] = "forwarded",
	};
	return names[s];
}

static const char *const message_types[] = {
	[MESSAGE_TEXT] = "text",       [MESSAGE_IMAGE] = "image",   [MESSAGE_VOICE] = "voice",
	[MESSAGE_VIDEO] = "video",     [MESSAGE_FILE] = "file",	    [MESSAGE_STICKER] = "sticker",
	[MESSAGE_FORWARD] = "forward", [MESSAGE_SYSTEM] = "system",
};

const char *message_type_name(enum message_type t)
{
	return message_types[t];
}

int message_type_parse(struct str name, enum message_type *type_r)
{
	for (size_t i = 0; i <= MESSAGE_STICKER; i++) {
		if (str_is(name, message_types[i])) {
			*type_r = (enum message_type)i;
			return 0;
		}
	}
	return -1;
}
