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

int problem_status(enum problem p)
{
	return problems[p].status;
}

const char *problem_code(enum problem p)
{
	return problems[p].code;
}

enum problem problem_of_store(enum store_status s, const char **detail_r)
{
	switch (s) {
	case STORE_OK:
		break;
	case STORE_UNAVAILABLE:
	case STORE_UNCERTAIN:
	case STORE_UNKNOWN:
		*detail_r = "the database is away; try again, a send with the same client_msg_id";
		return PROBLEM_UNAVAILABLE;
	case STORE_OVERLOADED:
		*detail_r = "too much is waiting to be written; try again";
		return PROBLEM_OVERLOADED;
	case STORE_NOT_FOUND:
		*detail_r = "no such thing, or not yours";
		return PROBLEM_NOT_FOUND;
	case STORE_NOT_FRIENDS:
		*detail_r = "you are not friends";
		return PROBLEM_NOT_FRIENDS;
	case STORE_BLOCKED:
		*detail_r = "this user has blocked you";
		return PROBLEM_BLOCKED;
	case STORE_NOT_SENDER:
		*detail_r = "only its sender may recall a message";
		return PROBLEM_NOT_SENDER;
	case STORE_FORBIDDEN:
		*detail_r = "only its recipient may mark a message read";
		return PROBLEM_FORBIDDEN;
	case STORE_RECALL_EXPIRED:
		*detail_r = "the time to recall this message has passed";
		return PROBLEM_RECALL_EXPIRED;
	case STORE_REUSED:
		*detail_r = "client_msg_id was used for another message";
		return PROBLEM_CLIENT_MSG_ID_REUSED;
	case STORE_BAD_REPLY:
		*detail_r = "reply_to is no message of this conversation";
		return PROBLEM_INVALID_ARGUMENT;
	case STORE_FULL:
		*detail_r = "this conversation can hold no more messages";
		return PROBLEM_CONFLICT;
	case STORE_TAKEN:
		*detail_r = "it exists already";
		return PROBLEM_CONFLICT;
	case STORE_LIMITED:
		*detail_r = "too often";
		return PROBLEM_RATE_LIMITED;
	case STORE_MUTED:
		*detail_r = "an admin has muted you in this group";
		return PROBLEM_MUTED;
	case STORE_SENDING_RESTRICTED:
		*detail_r = "only admins may send to this group";
		return PROBLEM_SENDING_RESTRICTED;
	case STORE_SLOW_MODE:
		*detail_r = "this group is in slow mode";
		return PROBLEM_RATE_LIMITED;
	case STORE_MENTIONS_ALL:
		*detail_r = "mentions: only admins may mention everyone in this group";
		return PROBLEM_FORBIDDEN;
	case STORE_GROUP_DISSOLVED:
		*detail_r = "this group is dissolved";
		return PROBLEM_GROUP_DISSOLVED;
	case STORE_GROUP_FULL:
		*detail_r = "this group has as many members as it may have";
		return PROBLEM_GROUP_FULL;
	case STORE_TOO_MANY_GROUPS:
		*detail_r = "this user is in as many groups as one may be";
		return PROBLEM_TOO_MANY_GROUPS;
	case STORE_ROLE:
		*detail_r = "your role in this group does not allow it";
		return PROBLEM_FORBIDDEN;
	case STORE_BANNED:
		*detail_r = "you are banned from this group";
		return PROBLEM_FORBIDDEN;
	case STORE_IS_OWNER:
		*detail_r = "the owner has to pass the group on first";
		return PROBLEM_CONFLICT;
	}
	log_panic(__FILE__, __LINE__, "a success is no problem");
}
