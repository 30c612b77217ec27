/* SPDX-License-Identifier: BSD-2-Clause */
/* What a command is, whichever door it is called by, and the table of them (src/cmd/table.c). */
#ifndef TIDINGS_API_COMMAND_H
#define TIDINGS_API_COMMAND_H

#include "core/base.h"
#include "api/request.h"
#include "core/refresh_token.h"
#include "store/device.h"
#include "store/group.h"
#include "store/people.h"
#include "store/search.h"
#include "store/sticker.h"

/* In characters. */
#define NOTE_MAX 255

/* What `check` read for `proceed`: in the request's arena, or in its body, which is there for the two calls alone. */
union command_args {
	struct store_send send;
	uint64_t message_id;
	struct store_act act;
	struct forward *forward;
	struct {
		unsigned limit;
		int after;     /* -1: from the first on */
		struct str of; /* absent: the message itself */
	} forwarded;
	uint64_t conversation_id;
	struct {
		uint64_t conversation_id, up_to_seq;
	} read;
	struct {
		unsigned limit;
		struct store_cursor after;
		bool archived; /* of conversations */
	} list;
	struct store_settings settings;
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
	struct store_search search;
	struct {
		struct str user_id, password, nickname, device;
		struct str new_password;
	} account;
	struct refresh_token refresh_token;
	bool all; /* of logins */
	struct store_user_change user_change;
	struct {
		struct store_user_change profile;
		bool bars, disables, revokes; /* bars: `disabled` was given, and disables is its value */
	} user_access;
	struct {
		struct str peer, note;
	} friend_request;
	struct {
		unsigned limit;
		struct str after; /* absent: from the first on */
	} friends;
	struct store_directory_ask directory;
	struct store_notify notify;
	struct store_device device;
	struct store_push_settings push_settings;
	struct {
		const struct str *user_id;
		size_t count;
	} watch;
	struct store_group_op group;
	struct {
		unsigned limit;
		struct group_member_cursor after;
		struct str query; /* absent: all */
	} members;
	struct store_reactions_wanted reactions;
	struct {
		unsigned limit;
		struct pack_cursor after; /* of a list in order of id only that */
	} packs;
	struct upload_asked *upload;
	bool thumbnail; /* of a file that is shown */
	struct {
		unsigned limit;
		uint32_t from; /* 0: from the first on */
	} sessions;
};

enum command_access {
	ACCESS_USER,   /* any user with a token */
	ACCESS_ANYONE, /* no token is looked at; such paths are there only where accounts are kept here */
	ACCESS_PUBLIC, /* no token is looked at: it shows what anybody may see who knows the path */
	ACCESS_SIGNED, /* a signature in the URL (core/media_url.h) does as well as a token */
	ACCESS_ADMIN,  /* on admin.listen alone, with a token of the scope admin; noted in the audit log, and not metered */
};

/*
 * BODY_FILE: of any type, given to request.sink in parts after `check` and `proceed` were called; but a POST of JSON
 * that is not said to be a file's content comes whole, as in BODY_REQUIRED. BODY_LINES: the same for lines of JSON.
 */
enum command_body { BODY_IGNORED, BODY_OPTIONAL, BODY_REQUIRED, BODY_FILE, BODY_LINES };
/* Of a body with BODY_LINES. */
#define BODY_LINES_MAX (INT64_C(64) * 1024 * 1024)

struct upload_asked;

struct command {
	const char *name;
	enum http_verb verb;
	const char *path;  /* with placeholders (struct command_path); NULL: not by REST */
	const char *frame; /* the WebSocket's type; NULL: not by WebSocket */
	enum command_body body;
	enum command_access access;
	/* May he, is it well formed: NULL, or what is wrong. NULL instead of a function: nothing to check. */
	const struct problem *(*check)(struct request *r, union command_args *a);
	/* The effect. Leads to the request's end, from within or later. */
	void (*proceed)(struct request *r, const union command_args *a);
	int variant;	   /* which of those that share a proceed: an enum act, friend_step, or group_step */
	bool needs_search; /* there is no such path where search is off, */
	bool needs_directory; /* or where users are not to be found, */
	bool needs_media;  /* or where files are not taken */
	bool is_refresh;   /* of ACCESS_ANYONE: who comes has a secret of this server's (admission_refresh()) */
	bool not_metered;  /* limits.requests_per_second does not count it */
	bool not_audited;  /* of ACCESS_ADMIN */
};

struct command_table {
	const struct command *row;
	size_t count;
};

/*
 * What a door does with a request whose arguments it has read: check, then the user's budget of requests, then proceed.
 * Ends the request with the first problem that there is; `p`: which the door has found, NULL: none.
 */
void command_run(struct request *r, const struct problem *p);
const struct command *command_by_frame(const struct command_table *t, struct str type);

#define ALLOW_MAX 48
/* What the path of a request says. */
struct command_path {
	uint64_t id; /* {id} */
	/* {user}, {session}, {code}, {device}, {emoji}, {pack}, {picture}, {media}, {name}: percent-encoded still;
	 * absent where the path has none */
	struct str user, session, code, device, emoji, pack, picture, media, name;
	char allow[ALLOW_MAX]; /* a value for Allow, where the path has other verbs only; else "" */
};
/*
 * The row for a path (without prefix) and verb, of those for administrators or of all others; HEAD finds GET's where it
 * has no row of its own. NULL with an empty allow: no such path; NULL with one: the path has other verbs. A path
 * without a placeholder comes before the patterns that match it.
 */
const struct command *command_by_path(const struct api *api, bool admin, struct str path, enum http_verb verb,
				      struct command_path *path_r);

/* What a request is counted by: the command it calls, a file, or none of them. */
enum { ROUTE_NONE, ROUTE_FILE, ROUTE_FIRST_COMMAND };
unsigned command_route(const struct command_table *t, const struct command *c);
/* NULL beyond the last one. */
const char *command_route_name(const struct command_table *t, unsigned route);

/* Opens the WebSocket; a row of its own that only the HTTP door may run. */
extern const struct command command_ws;

#endif
