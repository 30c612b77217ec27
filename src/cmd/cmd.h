/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands, one file a family: `check` and `proceed` of each (api/command.h says what they are). */
#ifndef TIDINGS_CMD_CMD_H
#define TIDINGS_CMD_CMD_H

#include "core/base.h"
#include "api/command.h"

extern const struct command_table cmd_table;

const struct problem *send_check(struct request *r, union command_args *a);
void send_proceed(struct request *r, const union command_args *a);
const struct problem *message_check(struct request *r, union command_args *a);
void message_proceed(struct request *r, const union command_args *a);
/* What is done to one message: each has a check, and they share how it goes on. */
const struct problem *act_check(struct request *r, union command_args *a);
const struct problem *edit_check(struct request *r, union command_args *a);
const struct problem *react_check(struct request *r, union command_args *a);
void act_proceed(struct request *r, const union command_args *a);
const struct problem *reactions_check(struct request *r, union command_args *a);
void reactions_proceed(struct request *r, const union command_args *a);
const struct problem *pins_check(struct request *r, union command_args *a);
void pins_proceed(struct request *r, const union command_args *a);
const struct problem *forward_check(struct request *r, union command_args *a);
void forward_proceed(struct request *r, const union command_args *a);
const struct problem *forwarded_check(struct request *r, union command_args *a);
void forwarded_proceed(struct request *r, const union command_args *a);
const struct problem *read_check(struct request *r, union command_args *a);
void read_proceed(struct request *r, const union command_args *a);
const struct problem *delivered_check(struct request *r, union command_args *a);
void delivered_proceed(struct request *r, const union command_args *a);
const struct problem *conversations_check(struct request *r, union command_args *a);
void conversations_proceed(struct request *r, const union command_args *a);
const struct problem *conversation_check(struct request *r, union command_args *a);
void conversation_proceed(struct request *r, const union command_args *a);
const struct problem *settings_check(struct request *r, union command_args *a);
void settings_proceed(struct request *r, const union command_args *a);
const struct problem *clear_check(struct request *r, union command_args *a);
void clear_proceed(struct request *r, const union command_args *a);
const struct problem *create_check(struct request *r, union command_args *a);
void create_proceed(struct request *r, const union command_args *a);
const struct problem *history_check(struct request *r, union command_args *a);
void history_proceed(struct request *r, const union command_args *a);
void unread_proceed(struct request *r, const union command_args *a);
const struct problem *sync_check(struct request *r, union command_args *a);
void sync_proceed(struct request *r, const union command_args *a);
const struct problem *mentions_check(struct request *r, union command_args *a);
void mentions_proceed(struct request *r, const union command_args *a);
const struct problem *search_check(struct request *r, union command_args *a);
void search_proceed(struct request *r, const union command_args *a);
const struct problem *receipts_check(struct request *r, union command_args *a);
void receipts_proceed(struct request *r, const union command_args *a);
/* What is done to a group: each has a check, which begins its store_group_op, and they share how it goes on. */
const struct problem *group_create_check(struct request *r, union command_args *a);
const struct problem *group_change_check(struct request *r, union command_args *a);
const struct problem *group_add_check(struct request *r, union command_args *a);
const struct problem *group_remove_check(struct request *r, union command_args *a);
const struct problem *group_set_member_check(struct request *r, union command_args *a);
const struct problem *group_pass_on_check(struct request *r, union command_args *a);
const struct problem *group_invite_check(struct request *r, union command_args *a);
const struct problem *accept_invite_check(struct request *r, union command_args *a);
/* Of those that are all in the path. */
const struct problem *group_op_check(struct request *r, union command_args *a);
void group_change_proceed(struct request *r, const union command_args *a);
const struct problem *group_check(struct request *r, union command_args *a);
void group_proceed(struct request *r, const union command_args *a);
const struct problem *members_check(struct request *r, union command_args *a);
void members_proceed(struct request *r, const union command_args *a);
const struct problem *group_entries_check(struct request *r, union command_args *a);
void bans_proceed(struct request *r, const union command_args *a);
void join_requests_proceed(struct request *r, const union command_args *a);
void invites_proceed(struct request *r, const union command_args *a);
void look_at_invite_proceed(struct request *r, const union command_args *a);
const struct problem *typing_check(struct request *r, union command_args *a);
void typing_proceed(struct request *r, const union command_args *a);
const struct problem *watch_check(struct request *r, union command_args *a);
void watch_proceed(struct request *r, const union command_args *a);
void ping_proceed(struct request *r, const union command_args *a);
const struct problem *register_check(struct request *r, union command_args *a);
void register_proceed(struct request *r, const union command_args *a);
const struct problem *login_check(struct request *r, union command_args *a);
void login_proceed(struct request *r, const union command_args *a);
const struct problem *password_check(struct request *r, union command_args *a);
void password_proceed(struct request *r, const union command_args *a);
const struct problem *erase_me_check(struct request *r, union command_args *a);
void erase_me_proceed(struct request *r, const union command_args *a);
const struct problem *refresh_check(struct request *r, union command_args *a);
void refresh_proceed(struct request *r, const union command_args *a);
const struct problem *logout_check(struct request *r, union command_args *a);
void logout_proceed(struct request *r, const union command_args *a);
void logins_proceed(struct request *r, const union command_args *a);
void end_login_proceed(struct request *r, const union command_args *a);
const struct problem *users_check(struct request *r, union command_args *a);
void users_proceed(struct request *r, const union command_args *a);
void me_proceed(struct request *r, const union command_args *a);
const struct problem *me_change_check(struct request *r, union command_args *a);
void me_change_proceed(struct request *r, const union command_args *a);
void user_proceed(struct request *r, const union command_args *a);
const struct problem *friend_request_check(struct request *r, union command_args *a);
void friend_request_proceed(struct request *r, const union command_args *a);
void friend_change_proceed(struct request *r, const union command_args *a);
const struct problem *friends_check(struct request *r, union command_args *a);
void friends_proceed(struct request *r, const union command_args *a);
void user_block_proceed(struct request *r, const union command_args *a);
/* Its arguments are those of friends_check. */
void blocked_proceed(struct request *r, const union command_args *a);
const struct problem *friend_requests_check(struct request *r, union command_args *a);
void friend_requests_proceed(struct request *r, const union command_args *a);
const struct problem *notify_check(struct request *r, union command_args *a);
void notify_proceed(struct request *r, const union command_args *a);
const struct problem *notifications_check(struct request *r, union command_args *a);
void notifications_proceed(struct request *r, const union command_args *a);
void notification_read_proceed(struct request *r, const union command_args *a);
void notifications_count_proceed(struct request *r, const union command_args *a);
const struct problem *put_device_check(struct request *r, union command_args *a);
void put_device_proceed(struct request *r, const union command_args *a);
void remove_device_proceed(struct request *r, const union command_args *a);
void devices_proceed(struct request *r, const union command_args *a);
void vapid_proceed(struct request *r, const union command_args *a);
void push_settings_proceed(struct request *r, const union command_args *a);
const struct problem *set_push_settings_check(struct request *r, union command_args *a);
void set_push_settings_proceed(struct request *r, const union command_args *a);
const struct problem *packs_check(struct request *r, union command_args *a);
void packs_proceed(struct request *r, const union command_args *a);
void pack_proceed(struct request *r, const union command_args *a);
/* Its variant: installs, or no longer. */
void install_pack_proceed(struct request *r, const union command_args *a);
const struct problem *installed_packs_check(struct request *r, union command_args *a);
void installed_packs_proceed(struct request *r, const union command_args *a);
void picture_proceed(struct request *r, const union command_args *a);

/* media.h */
const struct problem *upload_check(struct request *r, union command_args *a);
void upload_proceed(struct request *r, const union command_args *a);
const struct problem *upload_offset_check(struct request *r, union command_args *a);
void upload_offset_proceed(struct request *r, const union command_args *a);
const struct problem *upload_patch_check(struct request *r, union command_args *a);
const struct problem *upload_put_check(struct request *r, union command_args *a);
void upload_bytes_proceed(struct request *r, const union command_args *a);
const struct problem *media_delete_check(struct request *r, union command_args *a);
void media_delete_proceed(struct request *r, const union command_args *a);
void media_info_proceed(struct request *r, const union command_args *a);
const struct problem *media_file_check(struct request *r, union command_args *a);
void media_file_proceed(struct request *r, const union command_args *a);

/* For administrators. */
const struct problem *audit_check(struct request *r, union command_args *a);
void audit_proceed(struct request *r, const union command_args *a);
void node_stats_proceed(struct request *r, const union command_args *a);
const struct problem *send_as_check(struct request *r, union command_args *a);
/* Its check is message_check. */
void trace_proceed(struct request *r, const union command_args *a);
void import_proceed(struct request *r, const union command_args *a);
void export_proceed(struct request *r, const union command_args *a);
const struct problem *add_user_check(struct request *r, union command_args *a);
void add_user_proceed(struct request *r, const union command_args *a);
void any_user_proceed(struct request *r, const union command_args *a);
const struct problem *any_users_check(struct request *r, union command_args *a);
void any_users_proceed(struct request *r, const union command_args *a);
void erase_any_user_proceed(struct request *r, const union command_args *a);
const struct problem *change_any_user_check(struct request *r, union command_args *a);
void change_any_user_proceed(struct request *r, const union command_args *a);
const struct problem *any_sessions_check(struct request *r, union command_args *a);
void any_sessions_proceed(struct request *r, const union command_args *a);
void end_any_session_proceed(struct request *r, const union command_args *a);

#endif
