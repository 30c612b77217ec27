/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands, one file a family: `check` and `proceed` of each (api/command.h says what they are). */
#ifndef TIDINGS_CMD_CMD_H
#define TIDINGS_CMD_CMD_H

#include "core/base.h"
#include "api/command.h"

extern const struct command_table cmd_table;

bool send_check(struct request *r, union command_args *a);
void send_proceed(struct request *r, const union command_args *a);
bool message_check(struct request *r, union command_args *a);
void message_read_proceed(struct request *r, const union command_args *a);
void recall_proceed(struct request *r, const union command_args *a);
void delete_proceed(struct request *r, const union command_args *a);
bool read_check(struct request *r, union command_args *a);
void read_proceed(struct request *r, const union command_args *a);
bool conversations_check(struct request *r, union command_args *a);
void conversations_proceed(struct request *r, const union command_args *a);
bool create_check(struct request *r, union command_args *a);
void create_proceed(struct request *r, const union command_args *a);
bool history_check(struct request *r, union command_args *a);
void history_proceed(struct request *r, const union command_args *a);
void unread_proceed(struct request *r, const union command_args *a);
bool sync_check(struct request *r, union command_args *a);
void sync_proceed(struct request *r, const union command_args *a);
bool mentions_check(struct request *r, union command_args *a);
void mentions_proceed(struct request *r, const union command_args *a);
bool receipts_check(struct request *r, union command_args *a);
void receipts_proceed(struct request *r, const union command_args *a);
/* What is done to a group: each has a check, which begins its store_group_op, and they share how it goes on. */
bool group_create_check(struct request *r, union command_args *a);
bool group_change_check(struct request *r, union command_args *a);
bool group_add_check(struct request *r, union command_args *a);
bool group_remove_check(struct request *r, union command_args *a);
bool group_set_member_check(struct request *r, union command_args *a);
bool group_pass_on_check(struct request *r, union command_args *a);
bool group_invite_check(struct request *r, union command_args *a);
bool accept_invite_check(struct request *r, union command_args *a);
/* Of those that are all in the path. */
bool group_op_check(struct request *r, union command_args *a);
void group_change_proceed(struct request *r, const union command_args *a);
bool group_check(struct request *r, union command_args *a);
void group_proceed(struct request *r, const union command_args *a);
bool members_check(struct request *r, union command_args *a);
void members_proceed(struct request *r, const union command_args *a);
bool group_entries_check(struct request *r, union command_args *a);
void bans_proceed(struct request *r, const union command_args *a);
void join_requests_proceed(struct request *r, const union command_args *a);
void invites_proceed(struct request *r, const union command_args *a);
void look_at_invite_proceed(struct request *r, const union command_args *a);
bool typing_check(struct request *r, union command_args *a);
void typing_proceed(struct request *r, const union command_args *a);
bool watch_check(struct request *r, union command_args *a);
void watch_proceed(struct request *r, const union command_args *a);
void ping_proceed(struct request *r, const union command_args *a);
bool register_check(struct request *r, union command_args *a);
void register_proceed(struct request *r, const union command_args *a);
bool login_check(struct request *r, union command_args *a);
void login_proceed(struct request *r, const union command_args *a);
void me_proceed(struct request *r, const union command_args *a);
bool me_change_check(struct request *r, union command_args *a);
void me_change_proceed(struct request *r, const union command_args *a);
void user_proceed(struct request *r, const union command_args *a);
bool friend_request_check(struct request *r, union command_args *a);
void friend_request_proceed(struct request *r, const union command_args *a);
void friend_change_proceed(struct request *r, const union command_args *a);
bool friends_check(struct request *r, union command_args *a);
void friends_proceed(struct request *r, const union command_args *a);
void user_block_proceed(struct request *r, const union command_args *a);
/* Its arguments are those of friends_check. */
void blocked_proceed(struct request *r, const union command_args *a);
bool friend_requests_check(struct request *r, union command_args *a);
void friend_requests_proceed(struct request *r, const union command_args *a);
bool notify_check(struct request *r, union command_args *a);
void notify_proceed(struct request *r, const union command_args *a);
bool notifications_check(struct request *r, union command_args *a);
void notifications_proceed(struct request *r, const union command_args *a);
void notification_read_proceed(struct request *r, const union command_args *a);
void notifications_count_proceed(struct request *r, const union command_args *a);

#endif
