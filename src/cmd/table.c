/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of commands: one row each, whichever door it is called by. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "hub/stats.h"

static const struct command commands[] = {
	{"send", VERB_POST, "/messages/send", "send", BODY_REQUIRED, ACCESS_USER, send_check, send_proceed,
	 .not_metered = true},
	{"read", VERB_PUT, "/messages/conversations/{id}/read", "read", BODY_OPTIONAL, ACCESS_USER, read_check,
	 read_proceed},
	{"history", VERB_GET, "/messages/conversations/{id}/messages", NULL, BODY_IGNORED, ACCESS_USER, history_check,
	 history_proceed},
	{"conversations", VERB_GET, "/messages/conversations", NULL, BODY_IGNORED, ACCESS_USER, conversations_check,
	 conversations_proceed},
	{"create", VERB_POST, "/messages/conversations/create", NULL, BODY_REQUIRED, ACCESS_USER, create_check,
	 create_proceed},
	{"read_message", VERB_PUT, "/messages/{id}/read", NULL, BODY_IGNORED, ACCESS_USER, message_check,
	 message_read_proceed},
	{"recall", VERB_PUT, "/messages/{id}/recall", "recall", BODY_IGNORED, ACCESS_USER, message_check,
	 recall_proceed},
	{"delete", VERB_DELETE, "/messages/{id}", "delete", BODY_IGNORED, ACCESS_USER, message_check, delete_proceed},
	{"unread", VERB_GET, "/messages/unread-count", NULL, BODY_IGNORED, ACCESS_USER, NULL, unread_proceed},
	{"sync", VERB_POST, "/messages/sync", NULL, BODY_REQUIRED, ACCESS_USER, sync_check, sync_proceed},
	{"register", VERB_POST, "/users/register", NULL, BODY_REQUIRED, ACCESS_ANYONE, register_check,
	 register_proceed},
	{"login", VERB_POST, "/users/login", NULL, BODY_REQUIRED, ACCESS_ANYONE, login_check, login_proceed},
	{"me", VERB_GET, "/users/me", NULL, BODY_IGNORED, ACCESS_USER, NULL, me_proceed},
	{"change_me", VERB_PUT, "/users/me", NULL, BODY_REQUIRED, ACCESS_USER, me_change_check, me_change_proceed},
	{"user", VERB_GET, "/users/{user}", NULL, BODY_IGNORED, ACCESS_USER, NULL, user_proceed},
	{"blocked", VERB_GET, "/users/blocked", NULL, BODY_IGNORED, ACCESS_USER, friends_check, blocked_proceed},
	{"block_user", VERB_PUT, "/users/{user}/block", NULL, BODY_IGNORED, ACCESS_USER, NULL, user_block_proceed,
	 USER_BLOCK},
	{"unblock_user", VERB_DELETE, "/users/{user}/block", NULL, BODY_IGNORED, ACCESS_USER, NULL, user_block_proceed,
	 USER_UNBLOCK},
	{"friends", VERB_GET, "/friends", NULL, BODY_IGNORED, ACCESS_USER, friends_check, friends_proceed},
	{"friend_requests", VERB_GET, "/friends/requests", NULL, BODY_IGNORED, ACCESS_USER, friend_requests_check,
	 friend_requests_proceed},
	{"request_friend", VERB_POST, "/friends/requests", NULL, BODY_REQUIRED, ACCESS_USER, friend_request_check,
	 friend_request_proceed, FRIEND_REQUEST},
	{"accept_friend", VERB_PUT, "/friends/requests/{user}/accept", NULL, BODY_IGNORED, ACCESS_USER, NULL,
	 friend_change_proceed, FRIEND_ACCEPT},
	{"decline_friend", VERB_PUT, "/friends/requests/{user}/decline", NULL, BODY_IGNORED, ACCESS_USER, NULL,
	 friend_change_proceed, FRIEND_DECLINE},
	{"end_friend", VERB_DELETE, "/friends/{user}", NULL, BODY_IGNORED, ACCESS_USER, NULL, friend_change_proceed,
	 FRIEND_END},
	{"block", VERB_PUT, "/friends/{user}/block", NULL, BODY_IGNORED, ACCESS_USER, NULL, friend_change_proceed,
	 FRIEND_BLOCK},
	{"unblock", VERB_DELETE, "/friends/{user}/block", NULL, BODY_IGNORED, ACCESS_USER, NULL, friend_change_proceed,
	 FRIEND_UNBLOCK},
	{"notify", VERB_POST, "/notifications", NULL, BODY_REQUIRED, ACCESS_USER, notify_check, notify_proceed,
	 .not_metered = true},
	{"notifications", VERB_GET, "/notifications", NULL, BODY_IGNORED, ACCESS_USER, notifications_check,
	 notifications_proceed},
	{"read_notification", VERB_PUT, "/notifications/{id}/read", NULL, BODY_IGNORED, ACCESS_USER, NULL,
	 notification_read_proceed},
	{"count_notifications", VERB_GET, "/notifications/unread-count", NULL, BODY_IGNORED, ACCESS_USER, NULL,
	 notifications_count_proceed},
	{"typing", VERB_OTHER, NULL, "typing", BODY_REQUIRED, ACCESS_USER, typing_check, typing_proceed},
	{"watch", VERB_OTHER, NULL, "watch", BODY_REQUIRED, ACCESS_USER, watch_check, watch_proceed},
	{"ping", VERB_OTHER, NULL, "ping", BODY_REQUIRED, ACCESS_USER, NULL, ping_proceed},
};

_Static_assert(ROUTE_FIRST_COMMAND + 1 + ARRAY_LEN(commands) <= STAT_ROUTES, "each is counted by itself");

const struct command_table cmd_table = {commands, ARRAY_LEN(commands)};
