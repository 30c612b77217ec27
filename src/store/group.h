/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups: what happens to them and to their members, and what is read of them. Messages of groups, their history and
 * what is unread are in store.h, with those of direct conversations.
 *
 * All that is done to a group is ordered with its messages: it is done under the lock of its head, and told by a system
 * message, which takes the next seq. Who comes in has that seq as their read_seq, and sees nothing from before it where
 * the group's history is for those who had joined.
 *
 * Reads of a group answer STORE_NOT_FOUND to users who are no members, but for what a stranger may see.
 */
#ifndef TIDINGS_STORE_GROUP_H
#define TIDINGS_STORE_GROUP_H

#include "core/base.h"
#include "store/people.h"
#include "store/store.h"

/* In characters. */
#define GROUP_NAME_MAX 64
#define GROUP_ABOUT_MAX 1024
/* Users that are added at once; to a new group, or later. */
#define GROUP_CREATE_MAX 500
#define GROUP_ADD_MAX 100
#define GROUP_CODE_LEN 16
/* The most codes of a group at once: STORE_LIMITED beyond. Requests to join too. */
#define GROUP_INVITES_MAX 100
#define GROUP_REQUESTS_MAX 1000
/* Users that are banned at once: STORE_LIMITED beyond. */
#define GROUP_BANS_MAX 10000
/*
 * A message to a group reads up to itself (store_send()). Where that is at most so many messages further than before,
 * the message itself is what tells when; else there is a read mark. So the first message of a user within that distance
 * after another message, or the first mark, tells when the user had read that one.
 */
#define GROUP_SENT_READS_MAX 256

const char *group_role_name(enum group_role r);
const char *group_join_name(enum group_join j);

/* ---- what is done ---- */

enum group_step {
	/*
	 * A repeated client_group_id answers the id of the group that was made with it, with created false; its creator
	 * may have left it. Users who cannot be added are left out. STORE_TOO_MANY_GROUPS: the creator.
	 */
	GROUP_CREATE,
	GROUP_CHANGE,	/* the profile and the settings, what is set of them. Admins */
	GROUP_DISSOLVE, /* The owner. Again: nothing changes */
	GROUP_ADD,	/* `users`, by the group's settings. Each is added, or left out */
	/*
	 * `peer` leaves or is removed (by the operator always). The user: leaves; STORE_IS_OWNER for an owner who is
	 * not alone, else the group is dissolved. Another: admins over members, the owner over all, nobody over the
	 * owner; with `ban` they may not come back. A peer who is no member: STORE_OK, nothing changes (but for the
	 * ban). Leaving a dissolved group is told nobody: there is no message.
	 */
	GROUP_REMOVE,
	GROUP_SET_MEMBER, /* peer's role (the owner alone), muted_until (admins over members, the owner over admins) */
	GROUP_PASS_ON,	  /* peer becomes the owner, the owner an admin. STORE_NOT_FOUND: peer is no member */
	GROUP_UNBAN,	  /* peer. Admins. Nobody banned: nothing changes */
	GROUP_INVITE,	  /* a new code; by the group's settings */
	GROUP_REVOKE,	  /* the code; by those who may invite. STORE_NOT_FOUND: no such code of this group */
	/*
	 * By the code, where conversation_id is 0, else as the group's settings allow (STORE_NOT_FOUND where they do
	 * not). Members: STORE_OK, nothing changes. `requested`: an admin must let the user in; again: nothing changes.
	 * Each join with a code, and each request, uses it once. STORE_BANNED.
	 */
	GROUP_JOIN,
	GROUP_ACCEPT,  /* peer's request. Admins. STORE_NOT_FOUND: there is none */
	GROUP_DECLINE, /* as GROUP_ACCEPT */
	/*
	 * An administrator's import (import.h): makes the group with client_group_id, owned by the user, or finds it;
	 * lets in those of `users` and the user who are not in it, but for those who are banned or erased. Nobody is
	 * told. Refused as a whole: STORE_GROUP_FULL; STORE_TOO_MANY_GROUPS, with the first such user in left_out;
	 * STORE_FORBIDDEN where created_ms is in the future; STORE_DISABLED where a new group's owner is erased.
	 */
	GROUP_IMPORT,
};

struct store_group_op {
	enum group_step step;
	struct str user;
	uint64_t conversation_id; /* 0: GROUP_CREATE, and GROUP_JOIN by its code */
	struct str peer;
	/* GROUP_CREATE, GROUP_ADD, GROUP_IMPORT: valid ids; who is named twice counts once. */
	const struct str *users;
	size_t user_count;
	/* GROUP_IMPORT: of each of the users GROUP_ADMIN or GROUP_MEMBER; and when it was, 0: now. */
	const enum group_role *roles;
	int64_t created_ms;
	/* GROUP_CREATE, GROUP_CHANGE: what is not set stays, what is set to absent is cleared (never the name). */
	bool sets_name, sets_avatar_url, sets_about;
	struct str name, avatar_url, about;
	bool sets_join, sets_history, sets_send, sets_add, sets_slow_mode;
	/* GROUP_CHANGE: when messages expire that do not say so themselves; 0: never. */
	bool sets_expiry;
	uint64_t expiry_secs;
	struct group_settings settings;
	struct str client_group_id; /* GROUP_CREATE, absent: none; GROUP_IMPORT */
	/* GROUP_REMOVE */
	bool ban;
	/* GROUP_SET_MEMBER. muted_until_ms 0: not muted. */
	bool sets_role, sets_muted;
	enum group_role role; /* GROUP_ADMIN or GROUP_MEMBER */
	int64_t muted_until_ms;
	/* The code: of GROUP_REVOKE and GROUP_JOIN. GROUP_INVITE makes one; both 0: no end. */
	struct str code;
	int64_t expires_in_secs;
	uint64_t max_uses;
	/* The server's operator asks: role, friendship, blocks and settings are not looked at, limits and bans are. */
	bool by_operator;
};

struct group_invite {
	char code[GROUP_CODE_LEN + 1];
	char created_by[USER_ID_MAX + 1];
	int64_t created_ms, expires_ms; /* 0: never */
	uint64_t max_uses, uses;	/* 0: any number */
};

struct group_member {
	struct profile user;
	enum group_role role;
	int64_t joined_ms;
	int64_t muted_until_ms; /* 0: not muted */
};

/* Why a user was not added. */
struct group_left_out {
	char user_id[USER_ID_MAX + 1];
	/* STORE_NOT_FRIENDS, STORE_BLOCKED, STORE_TAKEN (a member already), STORE_BANNED, STORE_GROUP_FULL,
	 * STORE_TOO_MANY_GROUPS, STORE_NOT_FOUND */
	enum store_status why;
};

struct store_group_done {
	enum store_status status;
	uint64_t conversation_id;
	bool created;	/* GROUP_CREATE, GROUP_IMPORT: it is new */
	bool requested; /* GROUP_JOIN */
	/*
	 * The system message that tells of it; NULL where nothing was changed that is told. Without STORE_OK there is
	 * nothing but the status and conversation_id, 0 where it is not known. STORE_UNKNOWN: `in` and `out` are those
	 * who may have come in or gone out.
	 */
	const struct message *message;
	int64_t gap_ms; /* since the message before it; INT64_MAX: the first one */
	/* Who came in, in the order given, and who went out. */
	const struct str *in, *out;
	size_t in_count, out_count;
	uint64_t first_seq; /* of those who came in */
	bool banned;	    /* who went out is */
	bool dissolved;	    /* by this */
	uint64_t member_count;
	const struct group_left_out *left_out; /* GROUP_CREATE, GROUP_ADD, GROUP_IMPORT */
	size_t left_out_count;
	const struct group_member *member; /* GROUP_SET_MEMBER, GROUP_ACCEPT: peer as they are now */
	bool role_changed;		   /* GROUP_SET_MEMBER, GROUP_PASS_ON */
	const struct group_invite *invite; /* GROUP_INVITE */
};
typedef void store_group_fn(const struct store_group_done *d, void *arg);
void store_change_group(struct store *s, const struct store_group_op *op, store_group_fn *fn, void *arg);

/* ---- what is read ---- */

/* Groups as some of their members see them, in one read: one conversation for each of those who is a member, some
 * hundreds at most, in no order. */
struct group_viewer {
	uint64_t conversation_id;
	struct str user;
};
void store_find_group_views(struct store *s, const struct group_viewer *who, size_t n, store_conversations_fn *fn,
			    void *arg);

/*
 * For the server's operator: the group as its owner sees it, but with nothing unread and no settings; also if nobody is
 * in it any more. STORE_NOT_FOUND: no such group.
 */
void store_find_group(struct store *s, uint64_t conversation_id, store_conversation_fn *fn, void *arg);

/* For the server's operator: the members are listed as the owner sees them. STORE_NOT_FOUND: no such group. */
typedef void store_owner_fn(enum store_status status, struct str owner, void *arg);
void store_find_group_owner(struct store *s, uint64_t conversation_id, store_owner_fn *fn, void *arg);

/* Of one user in one group. */
struct group_membership {
	size_t user; /* its index in what was asked for */
	uint64_t conversation_id;
	uint64_t joined_seq, first_seq;
	uint64_t last_seq, member_count; /* the group's, as it was read */
};
struct store_memberships {
	enum store_status status;
	const struct group_membership *item; /* each user's in order of conversation_id */
	size_t count;
};
/* 1 if the user is a member, else 0. */
void store_is_member(struct store *s, struct str user, uint64_t conversation_id, store_count_fn *fn, void *arg);

typedef void store_memberships_fn(const struct store_memberships *r, void *arg);
/* All groups that these users are in, dissolved ones too. One indexed read. */
void store_find_memberships(struct store *s, const struct str *users, size_t n, store_memberships_fn *fn, void *arg);

/* A place in the list of members: that of the last one of a page. All zeroes: from the first on. */
struct group_member_cursor {
	enum group_role role;
	char user_id[USER_ID_MAX + 1];
};
struct store_members {
	enum store_status status;
	const struct group_member *item; /* owner and admins first, then in order of user id */
	size_t count;
	bool has_more;
};
typedef void store_members_fn(const struct store_members *r, void *arg);
/*
 * query: only those whose id begins with it, or whose nickname contains it in any case; absent: all. Such a page may
 * look at all members of the group, 2,000 at a time with other users' turns in between.
 */
void store_list_members(struct store *s, struct str user, uint64_t conversation_id, unsigned limit,
			const struct group_member_cursor *after, struct str query, store_members_fn *fn, void *arg);

/* Bans, and requests to join: in order of user id, those after `after` (absent: from the first on). Admins; else
 * STORE_ROLE. */
struct group_entry {
	struct profile user;
	char by[USER_ID_MAX + 1]; /* who banned them; "" of a request */
	int64_t created_ms;
};
struct store_group_entries {
	enum store_status status;
	const struct group_entry *item;
	size_t count;
	bool has_more;
};
typedef void store_group_entries_fn(const struct store_group_entries *r, void *arg);
void store_list_bans(struct store *s, struct str user, uint64_t conversation_id, unsigned limit, struct str after,
		     store_group_entries_fn *fn, void *arg);
void store_list_join_requests(struct store *s, struct str user, uint64_t conversation_id, unsigned limit,
			      struct str after, store_group_entries_fn *fn, void *arg);

struct store_invites {
	enum store_status status;
	const struct group_invite *item; /* those that can be used, newest first; GROUP_INVITES_MAX at most */
	size_t count;
};
typedef void store_invites_fn(const struct store_invites *r, void *arg);
/* By the group's settings; else STORE_ROLE. */
void store_list_invites(struct store *s, struct str user, uint64_t conversation_id, store_invites_fn *fn, void *arg);

struct store_invite_seen {
	enum store_status status; /* STORE_NOT_FOUND: used up, expired, revoked, dissolved; STORE_BANNED: this user */
	uint64_t conversation_id;
	struct str name, avatar_url, about;
	uint64_t member_count;
};
typedef void store_invite_fn(const struct store_invite_seen *r, void *arg);
/* What a stranger may see of the group that the code is for. */
void store_look_at_invite(struct store *s, struct str user, struct str code, store_invite_fn *fn, void *arg);

/*
 * Messages that mention the user or everyone, newest first, of all the user's conversations; and where to go on.
 * Without those that are recalled, that the user has deleted, or does not see. Behind very many of these a page may be
 * short, or empty, and has_more.
 */
struct store_mentions {
	enum store_status status;
	const struct message *item;
	size_t count;
	bool has_more;
	struct store_cursor next;
};
typedef void store_mentions_fn(const struct store_mentions *r, void *arg);
void store_list_mentions(struct store *s, struct str user, unsigned limit, struct store_cursor after,
			 store_mentions_fn *fn, void *arg);

/*
 * Who has read a message, without its sender, in order of user id. Who joined after it has once they have read
 * something.
 */
struct store_receipt {
	char user_id[USER_ID_MAX + 1];
	int64_t read_ms;
};
struct store_receipts {
	enum store_status status; /* STORE_LIMITED: the group has more members than receipts_max */
	uint64_t read_count;
	const struct store_receipt *item;
	size_t count;
	bool has_more;
};
typedef void store_receipts_fn(const struct store_receipts *r, void *arg);
void store_list_receipts(struct store *s, struct str user, uint64_t message_id, unsigned limit, struct str after,
			 store_receipts_fn *fn, void *arg);

#endif
