/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of commands: one row each, whichever door it is called by.
 */
#ifndef TIDINGS_IM_COMMAND_H
#define TIDINGS_IM_COMMAND_H

#include "core/base.h"
#include "im/request.h"

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
		uint64_t conversation_id, before, after;
		unsigned limit;
	} history;
	struct {
		struct str peer, source_kind, source_id;
	} create;
	struct store_sync_request sync;
	struct {
		const struct str *user_id;
		size_t count;
	} watch;
};

enum command_access {
	ACCESS_USER,   /* whoever has a token */
	ACCESS_ANYONE, /* no token is looked at */
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
};

/* check, then proceed. */
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

#endif
