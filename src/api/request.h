/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One call of a client, whichever door it came by: a REST request, or a frame of a
 * WebSocket. Commands are written against this and know no door. A command may do a part of its work by requests of
 * its own (request_new_part()), which end like those of a client; it hears how.
 *
 * Its life: a door makes it, reads its arguments and calls command_run(), which ends it with the first problem, or lets
 * the command proceed. `check` and all that reads arguments return a problem and end nothing. `proceed` leads to the
 * end, from within or from a callback of the store, of the thread of passwords or of online_find().
 *
 * Every request ends with request_end(), once; the functions that say how it ends all go there. On return it is gone,
 * and so may be its session. Nothing else counts a refusal, gives back tokens or frees what a request holds. What net/
 * and live/ answer themselves (files, preflights, WebSockets) is a request too, which ends without a word.
 *
 * A callback with STORE_UNCERTAIN is no end, for the store calls back again: request_fail_store() tells the client and
 * detaches the request. From then on it has no door, and ends without a word; the events that it pushes are the same.
 * That is the only way in which a callback may run twice. A client that is gone ends nothing: the request runs on to
 * its end, and what it says is dropped. Only where the body never became complete is there nothing to wait for.
 *
 * What is kept for a callback is in the request's arena, and the callback's arg is the request, or a struct of the
 * arena that has it. Nothing of it is freed one by one. The arena takes memory with the first thing that is kept, so a
 * request that keeps nothing does not pay. The JSON of the body, and live->text and live->scratch, last for the call
 * alone.
 */
#ifndef TIDINGS_API_REQUEST_H
#define TIDINGS_API_REQUEST_H

#include "core/base.h"
#include "api/api.h"
#include "api/problem.h"
#include "api/render.h"
#include "core/media_ref.h"
#include "store/arena.h"

struct request;
struct command;
struct answer;

/* Hears how a part of its request ended. It may begin the next part, and end its own request. */
typedef void request_heard_fn(const struct answer *a, int64_t retry_ms, void *arg);

#define REF_MAX 64

/*
 * Who takes a body that is not held whole (HTTP_STREAM_BODY in net/http.h). It comes once http_body_resume() was
 * called. Each may end the request.
 */
struct body_sink {
	void (*part)(struct request *r, struct str part);
	void (*end)(struct request *r);
	/* It never ends. The request has no door any more; to be ended now, or from the callback that it waits for. */
	void (*aborted)(struct request *r);
};

struct request {
	struct api *api;
	struct live *live;
	const struct command *cmd; /* NULL while it is not known */
	struct arena arena;	   /* what is kept up to its end */
	bool is_secret;		   /* that is overwritten then: a password is in it */
	char user[USER_ID_MAX + 1];
	uint64_t login;		 /* of a REST request: that of its token; 0: the token names none */
	struct http_req *http;	 /* either this */
	struct session *session; /* or this, which lives at least as long as the request; */
	request_heard_fn *heard; /* or this, of a part; none of them: detached */
	void *heard_arg;
	bool has_ref;
	char ref[REF_MAX + 1];
	uint64_t path_id;		     /* {id} of a REST path */
	char path_user[USER_ID_MAX + 1];     /* {user} of a REST path */
	char path_session[SESSION_ID_LEN + 1]; /* {session} of a REST path */
	char path_code[INVITE_CODE_MAX + 1]; /* {code} of a REST path */
	char path_device[USER_ID_MAX + 1];   /* {device} of a REST path: of the same characters as a user's id */
	struct str path_emoji;		     /* {emoji} of a REST path, in the HTTP request; absent: it is no text */
	struct str path_pack;		     /* {pack} and {picture} of a REST path; during check and proceed */
	struct str path_picture;
	char path_media[MEDIA_ID_LEN + 1]; /* {media} of a REST path */
	bool is_signed;			   /* the URL's signature allows it: there is no user */
	const struct body_sink *sink;	   /* takes the body; set by `proceed` of a command with BODY_FILE */
	void *sink_arg;
	bool *ends_r;		  /* set to true at its end, where that is not NULL */
	unsigned scopes;	  /* of the token: enum token_scope, each a bit */
	bool on_admin;		  /* it came to admin.listen */
	uint64_t audit_id;	  /* audit.h; 0: nothing is to be noted */
	const struct json *body;  /* the JSON object, during check and proceed; NULL if there is none */
	unsigned tokens;	  /* of limits.requests_per_second that it costs; `check` may raise it */
	int64_t retry_ms;	  /* for rate_limited, and for muted; 0 and INT64_MAX: not known */
	const char *http_headers; /* of its answer, each with its CRLF; NULL: none */
	uint64_t fanout;	  /* tokens that it holds of the node's groups.fanout_per_second, */
	uint64_t fanout_group;	  /* for a message to this group */
};

struct request *request_new_http(struct api *api, struct http_req *http);
struct request *request_new_frame(struct api *api, struct session *s);
/* A part of that request, by the same user. `heard` is called once, with the first word on it; see above. */
struct request *request_new_part(const struct request *whole, request_heard_fn *heard, void *arg);

static inline struct str request_user(const struct request *r)
{
	return str_from(r->user);
}

/* Nobody waits for its answer any more. */
static inline bool request_is_detached(const struct request *r)
{
	return r->http == NULL && r->session == NULL && r->heard == NULL;
}

/* The session that asked, if it is still there: it gets no event about what it did itself. */
struct session *request_session(const struct request *r);

/* ---- refusals ---- */

/* With a detail of up to 255 bytes. In the request's arena. */
const struct problem *request_problem(struct request *r, enum problem_code code, const char *fmt, ...)
	PRINTF_LIKE(3, 4) MUST_CHECK;
/* The same, of invalid_argument. */
const struct problem *request_invalid(struct request *r, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* ---- the end ---- */

/* What the client is told. */
struct answer {
	const struct problem *problem; /* it is refused; NULL: it is not, and then */
	int http_status;
	struct str json;  /* the body, or the frame; "": none */
	bool in_parts;	  /* it was begun by http_reply_begin() and is ended by this; */
	bool is_cut;	  /* but not all of it was given */
	bool without_ref; /* the frame is for a client that gave no ref, too */
};
/*
 * Tells the client, if it still waits (a NULL: nothing), and gives back what the request holds: its place among those
 * of the session, tokens of the fan-out that were not used, its memory.
 */
void request_end(struct request *r, const struct answer *a);

void request_fail(struct request *r, const struct problem *p);
/* Not the end where the store is not certain yet; see above. */
void request_fail_store(struct request *r, enum store_status s);
/*
 * The same for a write that these two users are told of (absent: nobody): where nobody knows whether it was done, their
 * sessions are told to catch up.
 */
void request_fail_write(struct request *r, enum store_status s, struct str a, struct str b);

/* Begins the answer's object (for a frame: a `result` with its ref); the caller writes members, then request_answer. */
struct json_out *request_begin(struct request *r);
void request_answer(struct request *r, int http_status);
/* The answer to a send: the message, rendered already. */
void request_ack(struct request *r, struct str message_json, bool replayed);
/* `pong`, which is answered also without a ref. */
void request_pong(struct request *r);
/* The answer to a REST request is this content (http_reply_immutable()). */
void request_answer_immutable(struct request *r, const char *etag, const char *content_type, struct blob *content);
/* The same of a file (http_reply_content()). */
void request_answer_content(struct request *r, const struct http_content *c);
/* Nothing to say: 204, or a bare `result`. */
void request_done(struct request *r);
/* Of a frame that is answered only where it is refused. */
void request_end_silently(struct request *r);
/* The answer is this one message: the bare resource, or `message` in a result. */
void request_answer_message(struct request *r, int http_status, const struct message *m);

/* The answer is how many are unread; a store_count_fn, whose arg is the request. */
void request_answer_count(enum store_status status, uint64_t count, void *arg);

/*
 * The answer to a REST request whose JSON says in some places who is online: request_begin(), members rendered with
 * these slots, and then this in place of request_answer(), which looks that up first.
 */
struct online_slots request_slots(struct request *r);
void request_answer_online(struct request *r, int http_status, const struct online_slots *slots);

/* ---- arguments: NULL, or a problem whose detail names the argument ---- */

/* The {id} of the path, or the string member `name` of a frame. */
const struct problem *request_id(struct request *r, const char *name, uint64_t *out_r) MUST_CHECK;
/* A string member; *out_r absent where it is missing or null. */
const struct problem *request_text(struct request *r, const char *name, struct str *out_r) MUST_CHECK;
/* The same, for one that has to be there. */
const struct problem *request_needs_text(struct request *r, const char *name, struct str *out_r) MUST_CHECK;
/*
 * A text of 1 to chars_max characters that is shown as a name or beside one, if it is there; no control characters, in
 * TEXT_LINES but line feeds and tabs. What is given back is cleaned by utf8_name, and shows something. In the arena.
 */
enum text_kind { TEXT_LINE, TEXT_LINES };
const struct problem *request_name(struct request *r, const char *name, size_t chars_max, enum text_kind kind,
				   struct str *out_r) MUST_CHECK;
/* An http or https URL of up to URL_MAX bytes, if it is there. */
const struct problem *request_web_url(struct request *r, const char *name, struct str *out_r) MUST_CHECK;
/* The formatting of a text (entities.h), as it is stored, in the arena; absent where there is none. */
const struct problem *request_entities(struct request *r, struct str content, struct str *out_r) MUST_CHECK;
/* A user id that has to be there. */
const struct problem *request_user_id(struct request *r, const char *name, struct str *out_r) MUST_CHECK;
/* The items of an array of user ids that has to be there, of min to max of them. The array is in the arena. */
const struct problem *request_user_ids(struct request *r, const char *name, size_t min, size_t max,
				       const struct str **users_r, size_t *count_r) MUST_CHECK;
/* A time, if it is there; 0 where it is null, or before 1970. */
const struct problem *request_time(struct request *r, const char *name, int64_t *ms_r) MUST_CHECK;
/* A string like client_msg_id, if it is there. */
const struct problem *request_client_id(struct request *r, const char *name, struct str *out_r) MUST_CHECK;
/* A query parameter (REST) that is a number from min to max; fallback if it is not given. */
const struct problem *request_query_u64(struct request *r, const char *name, uint64_t min, uint64_t max,
					uint64_t fallback, uint64_t *out_r) MUST_CHECK;
/* A text; absent where it is not given. */
const struct problem *request_query_text(struct request *r, const char *name, struct str *out_r) MUST_CHECK;

#endif
