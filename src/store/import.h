/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an administrator imports from another system: users, friendships, groups and messages, with the times that they
 * had there. Many rows are one transaction. Whatever was imported before is found and skipped, also a message that
 * retention has deleted since, so an import that was cut short is repeated from its beginning.
 *
 * A message takes the next seq of its conversation, in the order given, whatever its time. It counts as read by
 * everybody, and nobody is told of it but the search index. A conversation's or group's place in lists is the latest
 * time that it has got.
 *
 * Groups are found by their client_group_id alone: what is imported is made by IMPORT_USER, not by the owner.
 *
 * As in store.h: every callback runs exactly once, from the loop. But arguments are not copied: what they point to has
 * to last until then. `asker` is whose turn it takes.
 */
#ifndef TIDINGS_STORE_IMPORT_H
#define TIDINGS_STORE_IMPORT_H

#include "core/base.h"
#include "store/group.h"
#include "store/store.h"

/* Items at once: MariaDB makes a table of a list of 1000 values, two an item (in_predicate_conversion_threshold). */
#define IMPORT_ITEMS_MAX 400
/* In group_profiles.created_by. */
#define IMPORT_USER STR_LIT("system")

enum import_outcome {
	IMPORT_DONE,
	IMPORT_SKIPPED, /* it is there already */
	IMPORT_REFUSED, /* for the reason `why` */
};

struct import_result {
	enum import_outcome outcome;
	const char *why;
	/* Of a message to a group that is there now, and of a group. */
	uint64_t conversation_id, seq;
};

/* result: one for each item; NULL unless status is STORE_OK. */
typedef void store_import_fn(enum store_status status, const struct import_result *result, void *arg);

struct import_user {
	struct str user, nickname, avatar_url;
	int64_t created_ms; /* 0: now */
};
void store_import_users(struct store *s, struct str asker, const struct import_user *item, size_t count,
			store_import_fn *fn, void *arg);

/* Done where a row of the two was missing. */
struct import_friendship {
	struct str user, friend;
	int64_t created_ms; /* 0: now */
};
void store_import_friendships(struct store *s, struct str asker, const struct import_friendship *item, size_t count,
			      store_import_fn *fn, void *arg);

struct import_message {
	struct str from;
	struct str to;		    /* either this, */
	struct str client_group_id; /* or this */
	enum message_type type;
	struct str content, media_url, extra, entities;
	struct str mentions; /* a JSON array, as it is stored */
	struct str client_msg_id;
	/* What it answers, by the sender and client_msg_id of that; absent: nothing. */
	struct str reply_from, reply_client_msg_id;
	int64_t created_ms;
};
void store_import_messages(struct store *s, struct str asker, const struct import_message *item, size_t count,
			   store_import_fn *fn, void *arg);

/*
 * Members of the group for whom nothing before first_seq is unread have read up to last_seq afterwards. Done after its
 * messages, once for many of them, for it writes a row of each member.
 */
typedef void store_done_fn(enum store_status status, void *arg);
void store_import_read(struct store *s, struct str asker, uint64_t conversation_id, uint64_t first_seq,
		       uint64_t last_seq, store_done_fn *fn, void *arg);

#endif
