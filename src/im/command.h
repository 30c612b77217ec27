/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of commands: one row each, whichever door it is called by.
 */
#ifndef TIDINGS_IM_COMMAND_H
#define TIDINGS_IM_COMMAND_H

#include "core/base.h"
#include "im/request.h"
#include "store/people.h"

/* In characters. */
#define NOTE_MAX 255

/* What `check` read for `proceed`. Strings are borrowed from the request, for the time of the two calls. */
union command_args {
	struct store_send send;
	uint64_t message_id;
	uint64_t conversation_id;
	struct {
		uint64_t conversation_id, up_to_seq;
	} read;
	struct {
		unsigned limit;
		struct store_cursor after;
	} list;
	struct {
		unsigned limit;
		bool outgoing;
		uint64_t before; /* 0: from the newest on */
	} page;
	struct {
		uint64_t conversation_id, before, after;
		unsigned limit;
	} history;
	struct {
		struct str peer, source_kind, source_id;
	} create;
	struct store_sync_request sync;
	struct {
		struct str user_id, password, nickname;
	} account;
	struct store_user_change user_change;
	struct {
		struct str peer, note;
	} friend_request;
	struct {
		unsigned limit;
		struct str after; /* absent: from the first on */
	} friends;
	struct store_notify notify;
	struct {
		const struct str *user_id;
		size_t count;
	} watch;
};

enum command_access {
	ACCESS_USER,   /* whoever has a token */
	ACCESS_ANYONE, /* no token is looked at; such paths are there only where accounts are kept here */
};

enum command_body { BODY_IGNORED, BODY_OPTIONAL, BODY_REQUIRED };

struct command {
	const char *name;
	enum http_verb verb;
	const char *path;  /* with {id} for a number, {user} for a user id; NULL: not by REST */
	const char *frame; /* the WebSocket's type; NULL: not by WebSocket */
	enum command_body body;
	enum command_access access;
	/* May he, is it well formed: false after having failed the request. NULL: nothing to check. */
	bool (*check)(struct request *r, union command_args *a);
	/* The effect. Leads to the request's end, now or later. */
	void (*proceed)(struct request *r, const union command_args *a);
	int variant;	  /* which of those that share a proceed: an enum friend_step */
	bool not_metered; /* limits.requests_per_second does not count it */
};

/* check, then the user's budget of requests, then proceed. */
void command_run(struct request *r);
const struct command *command_by_frame(struct str type);

/* What the path of a request says. */
struct command_path {
	uint64_t id;	   /* {id} */
	struct str user;   /* {user}: percent-encoded still */
	const char *allow; /* a value for Allow, where the path has other verbs only */
};
/*
 * The row for a path (without prefix) and verb; HEAD finds GET's. NULL with allow NULL: no such path; NULL with allow:
 * the path has other verbs. A path that stands in the table to the letter hides the patterns that it would match.
 */
const struct command *command_by_path(const struct im *im, struct str path, enum http_verb verb,
				      struct command_path *path_r);

/* What a request is counted by: the command it calls, a file, or none of them. */
enum { ROUTE_NONE, ROUTE_FILE, ROUTE_FIRST_COMMAND };
unsigned command_route(const struct command *c);
/* NULL beyond the last one. */
const char *command_route_name(unsigned route);

/* Opens the WebSocket; a row of its own that only the HTTP door may run. */
extern const struct command command_ws;

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
