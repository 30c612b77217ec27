/* SPDX-License-Identifier: BSD-2-Clause */
/* Codes, statuses, and the translation of the store's refusals. */
#include "core/base.h"
#include "api/problem.h"

#include "core/log.h"

static const struct {
	int status;
	const char *code;
} problems[] = {
#define X(name, status, code) {status, code},
	PROBLEMS(X)
#undef X
};

int problem_status(enum problem_code c)
{
	return problems[c].status;
}

const char *problem_code_name(enum problem_code c)
{
	return problems[c].code;
}

#define AWAY                                                                                                           \
	{                                                                                                              \
		PROBLEM_UNAVAILABLE, "the database is away; try again, a send with the same client_msg_id"             \
	}

static const struct problem of_store[STORE_STATUSES] = {
	[STORE_UNAVAILABLE] = AWAY,
	[STORE_UNCERTAIN] = AWAY,
	[STORE_UNKNOWN] = AWAY,
	[STORE_OVERLOADED] = {PROBLEM_OVERLOADED, "too much is waiting to be written; try again"},
	[STORE_NOT_FOUND] = {PROBLEM_NOT_FOUND, "no such thing, or not yours"},
	[STORE_NOT_FRIENDS] = {PROBLEM_NOT_FRIENDS, "you are not friends"},
	[STORE_BLOCKED] = {PROBLEM_BLOCKED, "this user has blocked you"},
	[STORE_NOT_SENDER] = {PROBLEM_NOT_SENDER, "only its sender may do this with a message"},
	[STORE_FORBIDDEN] = {PROBLEM_FORBIDDEN, "only its recipient may mark a message read"},
	[STORE_RECALL_EXPIRED] = {PROBLEM_RECALL_EXPIRED, "the time to recall this message has passed"},
	[STORE_REUSED] = {PROBLEM_CLIENT_MSG_ID_REUSED, "client_msg_id was used for another message"},
	[STORE_BAD_REPLY] = {PROBLEM_INVALID_ARGUMENT, "reply_to is no message of this conversation"},
	[STORE_FULL] = {PROBLEM_CONFLICT, "this conversation can hold no more messages"},
	[STORE_TAKEN] = {PROBLEM_CONFLICT, "it exists already"},
	[STORE_LIMITED] = {PROBLEM_RATE_LIMITED, "too often"},
	[STORE_MUTED] = {PROBLEM_MUTED, "an admin has muted you in this group"},
	[STORE_SENDING_RESTRICTED] = {PROBLEM_SENDING_RESTRICTED, "only admins may send to this group"},
	[STORE_SLOW_MODE] = {PROBLEM_RATE_LIMITED, "this group is in slow mode"},
	[STORE_MENTIONS_ALL] = {PROBLEM_FORBIDDEN, "mentions: only admins may mention everyone in this group"},
	[STORE_GROUP_DISSOLVED] = {PROBLEM_GROUP_DISSOLVED, "this group is dissolved"},
	[STORE_GROUP_FULL] = {PROBLEM_GROUP_FULL, "this group has as many members as it may have"},
	[STORE_TOO_MANY_GROUPS] = {PROBLEM_TOO_MANY_GROUPS, "this user is in as many groups as one may be"},
	[STORE_ROLE] = {PROBLEM_FORBIDDEN, "your role in this group does not allow it"},
	[STORE_BANNED] = {PROBLEM_FORBIDDEN, "you are banned from this group"},
	[STORE_EDIT_EXPIRED] = {PROBLEM_EDIT_EXPIRED, "the time to edit this message has passed"},
	[STORE_RECALLED] = {PROBLEM_CONFLICT, "this message was recalled"},
	[STORE_TOO_MANY_KINDS] = {PROBLEM_CONFLICT, "this message has as many kinds of reactions as it may have"},
	[STORE_TOO_MANY_PINS] = {PROBLEM_CONFLICT, "this conversation has as many pinned messages as it may have"},
	[STORE_NO_TEXT] = {PROBLEM_INVALID_ARGUMENT, "content: a text needs one that is not empty"},
	[STORE_TOO_MANY_PINNED] = {PROBLEM_CONFLICT, "pinned: 100 conversations are pinned, which is the most"},
	[STORE_FORWARDED] = {PROBLEM_FORBIDDEN, "a forwarded message cannot be edited"},
	[STORE_OVER_QUOTA] = {PROBLEM_QUOTA_EXCEEDED, "your files take as much as they may"},
	[STORE_NO_FILE] = {PROBLEM_NOT_FOUND, "media_url: no such file, or not yours"},
	[STORE_LOGIN_ENDED] = {PROBLEM_TOKEN_REVOKED, "this login has ended"},
	[STORE_LOGIN_EXPIRED] = {PROBLEM_TOKEN_EXPIRED, "this login was not used for too long"},
	[STORE_DISABLED] = {PROBLEM_FORBIDDEN, "this account is disabled"},
	[STORE_IS_OWNER] = {PROBLEM_CONFLICT, "the owner has to pass the group on first"},
};

const struct problem *problem_of_store(enum store_status s)
{
	ASSERT(s < STORE_STATUSES && of_store[s].detail != NULL); /* a success is no problem */
	return &of_store[s];
}
