/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides, before a body is read, whether a request may go on, and turns what may
 * into a command's request. The order of the checks is the contract's.
 */
#include "core/base.h"
#include "api/http_door.h"

#include "api/audit.h"
#include "api/command.h"
#include "core/clock.h"
#include "core/log.h"
#include "hub/addresses.h"
#include "hub/bucket.h"
#include "hub/stats.h"
#include "live/admission.h"
#include "live/session.h"

#include <inttypes.h>
#include <stdio.h>

#define WS_SUBPROTOCOL "tidings.v1"

/* The path below http.prefix; absent where it is not below it. */
static struct str path_below_prefix(const struct api *api, struct str path)
{
	size_t n = strlen(api->live->conf->http.prefix);
	if (n == 0)
		return path;
	if (path.len <= n || memcmp(path.s, api->live->conf->http.prefix, n) != 0 || path.s[n] != '/')
		return STR_NULL;
	return (struct str){path.s + n, path.len - n};
}

/* What is taken of somebody without a token: in any form of JSON the arguments of register are shorter. */
#define ANYONE_BODY_MAX 4096

static struct str trim(struct str s)
{
	while (s.len > 0 && (s.s[0] == ' ' || s.s[0] == '\t'))
		s = (struct str){s.s + 1, s.len - 1};
	while (s.len > 0 && (s.s[s.len - 1] == ' ' || s.s[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static struct str bearer(struct http_req *req)
{
	struct str auth = trim(http_req_header(req, "Authorization"));
	if (auth.s == NULL || auth.len < 7 || strncasecmp(auth.s, "Bearer ", 7) != 0)
		return STR_NULL;
	return trim((struct str){auth.s + 7, auth.len - 7});
}

/*
 * The token of the subprotocol pair "tidings.v1, bearer.<JWT>"; *offered_r tells
 * whether tidings.v1 was among them at all, and so has to be answered.
 */
static struct str subprotocol_token(struct http_req *req, bool *offered_r)
{
	struct str list = STR_NULL, token = STR_NULL;
	size_t at = 0;
	*offered_r = false;
	/* Several lines are one list (RFC 6455 section 11.3.4). */
	while (list.len > 0 || (list = http_req_header_next(req, "Sec-WebSocket-Protocol", &at)).s != NULL) {
		const char *comma = memchr(list.s, ',', list.len);
		size_t len = comma != NULL ? (size_t)(comma - list.s) : list.len;
		struct str item = trim((struct str){list.s, len});
		if (str_is(item, WS_SUBPROTOCOL))
			*offered_r = true;
		else if (item.len > 7 && memcmp(item.s, "bearer.", 7) == 0)
			token = (struct str){item.s + 7, item.len - 7};
		len += comma != NULL;
		list = (struct str){list.s + len, list.len - len};
	}
	return token;
}

typedef enum token_status verify_fn(struct token_keys *k, struct str token, struct token_claims *claims_r,
				    const char **reason_r);

/* Finds out who the caller is. */
static const struct problem *authenticate(struct request *r, struct str token, verify_fn *verify,
					  struct token_claims *claims_r)
{
	const char *reason = "no token: Authorization: Bearer <JWT> is needed";
	enum token_status status = TOKEN_INVALID;
	size_t at = 0;
	if (http_req_header_next(r->http, "Authorization", &at).s != NULL &&
	    http_req_header_next(r->http, "Authorization", &at).s != NULL)
		reason = "there is more than one Authorization header";
	else if (token.s != NULL)
		status = verify(r->api->keys, token, claims_r, &reason);
	if (status != TOKEN_OK)
		return request_problem(r, status == TOKEN_EXPIRED ? PROBLEM_TOKEN_EXPIRED : PROBLEM_TOKEN_INVALID, "%s",
				       reason);
	/* Checked for cached tokens too: the login may have ended since. */
	if (revoked_refuses(r->live, str_from(claims_r->user_id), claims_r->login, claims_r->issued_ms))
		return request_problem(r, PROBLEM_TOKEN_REVOKED, "the token's login has ended, or its user is refused");
	memcpy(r->user, claims_r->user_id, sizeof(r->user));
	r->login = claims_r->login;
	r->scopes = claims_r->scopes;
	return NULL;
}

/* The device class of the query, empty where there is none. */
static const struct problem *read_device(struct request *r, struct str *device_r)
{
	struct str device;
	*device_r = STR_LIT("");
	int found = http_req_query(r->http, "device", &device);
	if (found == 0)
		return NULL;
	bool valid = found > 0 && device.len >= 1 && device.len <= DEVICE_MAX;
	for (size_t i = 0; valid && i < device.len; i++)
		valid = (device.s[i] >= 'a' && device.s[i] <= 'z') || (device.s[i] >= '0' && device.s[i] <= '9') ||
			device.s[i] == '_' || device.s[i] == '-';
	if (!valid)
		return request_invalid(r, "device: must be 1 to 16 characters out of a-z 0-9 _ -");
	*device_r = device;
	return NULL;
}

/* The client has its answer from net/ or live/: the request ends without a word. */
static const struct problem *answered(struct request *r)
{
	r->http = NULL;
	return NULL;
}

static const struct problem *open_session(struct request *r, const struct session_ask *ask)
{
	struct api *api = r->api;
	const char *full = NULL;
	/* While draining, too: it is told where to go in the session's own words. */
	if (http_server_connections(api->http) > (size_t)api->live->conf->worker_connections)
		full = "this worker holds no more connections";
	else
		switch (session_open(api->live, r->http, ask, &r->retry_ms)) {
		case SESSION_ACCEPTED:
			return answered(r);
		case SESSION_TOO_OFTEN:
			return request_problem(r, PROBLEM_RATE_LIMITED,
					       "too many sessions begun by this user, or from this address");
		case SESSION_NODE_BUSY:
			full = "this node is asked for more sessions than it can begin at a time";
			break;
		case SESSION_NODE_FULL:
			full = "this node holds no more sessions";
			break;
		}
	stat_add(STAT_SESSIONS_FULL, 1);
	return request_problem(r, PROBLEM_OVERLOADED, "%s", full);
}

static const struct problem *open_websocket(struct request *r)
{
	bool offered;
	struct str token = bearer(r->http), from_protocol = subprotocol_token(r->http, &offered);
	if (token.s == NULL)
		token = from_protocol;
	if (token.s == NULL && http_req_query(r->http, "access_token", &token) <= 0)
		token = STR_NULL;
	struct token_claims claims;
	const struct problem *p = authenticate(r, token, token_verify_once, &claims);
	if (p == NULL && !http_check_ws(r->http))
		return answered(r);
	if (p != NULL)
		return p;
	struct session_ask ask = {
		.user_id = r->user,
		.expires_ms = claims.expires_ms,
		.issued_ms = claims.issued_ms,
		.login = claims.login,
		.subprotocol = offered ? WS_SUBPROTOCOL : NULL,
	};
	return read_device(r, &ask.device) ?: open_session(r, &ask);
}

/* Parameters of a media type say nothing here. */
static bool is_type(struct str type, struct str wanted)
{
	if (type.s == NULL || type.len < wanted.len || strncasecmp(type.s, wanted.s, wanted.len) != 0)
		return false;
	char after = type.len > wanted.len ? type.s[wanted.len] : ';';
	return after == ';' || after == ' ' || after == '\t';
}

#define TYPE_JSON STR_LIT("application/json")
#define TYPE_LINES STR_LIT("application/x-ndjson")

/* Which the body has, beside identity. */
static bool is_encoded(struct http_req *req)
{
	struct str coding;
	size_t at = 0;
	while ((coding = http_req_header_next(req, "Content-Encoding", &at)).s != NULL)
		if (coding.len != 0 && !(coding.len == 8 && strncasecmp(coding.s, "identity", 8) == 0))
			return true;
	return false;
}

/* Of a command with BODY_FILE: it is no file's content, but tells of one that comes later. */
static bool comes_whole(struct request *r)
{
	struct str name;
	return r->http->verb == VERB_POST && is_type(http_req_header(r->http, "Content-Type"), TYPE_JSON) &&
	       http_req_header(r->http, "Upload-Length").s == NULL && http_req_query(r->http, "name", &name) == 0;
}

/* The body goes to the command in parts. */
static bool is_streamed(struct request *r)
{
	return r->cmd->body == BODY_LINES || (r->cmd->body == BODY_FILE && !comes_whole(r));
}

static int64_t body_max(struct request *r)
{
	const struct command *cmd = r->cmd;
	const struct conf *conf = r->live->conf;
	const int max = conf->http.max_body;
	if (is_streamed(r))
		return cmd->body == BODY_LINES ? BODY_LINES_MAX : conf->media.max_size;
	bool known = cmd->access == ACCESS_USER || cmd->access == ACCESS_ADMIN;
	return !known && max > ANYONE_BODY_MAX ? ANYONE_BODY_MAX : max;
}

static const struct problem *check_type(struct request *r)
{
	struct str wanted = r->cmd->body == BODY_LINES ? TYPE_LINES : TYPE_JSON;
	if ((is_streamed(r) && r->cmd->body == BODY_FILE) ||
	    is_type(http_req_header(r->http, "Content-Type"), wanted))
		return NULL;
	return request_problem(r, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "Content-Type: must be %s", wanted.s);
}

/* Size, then type, of the body that is announced. */
static const struct problem *check_body(struct request *r)
{
	struct http_req *req = r->http;
	const struct problem *p;
	if (req->content_length == 0)
		return NULL;
	req->body_max = body_max(r);
	if (req->content_length > req->body_max)
		return request_problem(r, PROBLEM_PAYLOAD_TOO_LARGE, "the body is over %" PRId64 " bytes",
				       req->body_max);
	p = check_type(r);
	if (p != NULL || !is_encoded(req))
		return p;
	r->http_headers = "Accept-Encoding: identity\r\n";
	return request_problem(r, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "Content-Encoding: must be identity, or left out");
}

/* Who has no token gives no body before the rate of the address was looked at. */
static const struct problem *check_rate(struct request *r)
{
	r->retry_ms =
		r->cmd->is_refresh ? admission_refresh(r->live, r->http->peer) : admission_try(r->live, r->http->peer);
	return r->retry_ms == 0 ? NULL : request_problem(r, PROBLEM_RATE_LIMITED, "too many tries from this address");
}

/* What clients that speak tus ask for (https://tus.io/protocols/resumable-upload, 1.0.0, OPTIONS). */
#define TUS_OPTIONS                                                                                                    \
	"Tus-Resumable: 1.0.0\r\nTus-Version: 1.0.0\r\n"                                                               \
	"Tus-Extension: creation,creation-with-upload,termination,expiration,checksum\r\n"                             \
	"Tus-Checksum-Algorithm: md5,sha1,sha256,sha512\r\nTus-Max-Size: "

static const struct problem *other_methods(struct request *r, const char *allow)
{
	const struct api *api = r->api;
	struct str path = path_below_prefix(api, r->http->path);
	bool is_media = !r->on_admin && api->uploads != NULL && path.len >= 6 && memcmp(path.s, "/media", 6) == 0;
	char headers[400];
	int len = snprintf(headers, sizeof(headers), "Allow: %s\r\n", allow);
	if (is_media && r->http->verb == VERB_OPTIONS)
		snprintf(headers + len, sizeof(headers) - (size_t)len, TUS_OPTIONS "%" PRId64 "\r\n",
			 r->live->conf->media.max_size);
	r->http_headers = arena_str(&r->arena, str_from(headers)).s;
	if (r->http->verb != VERB_OPTIONS)
		return request_problem(r, PROBLEM_METHOD_NOT_ALLOWED, "this path has other methods");
	http_reply(r->http, 204, NULL, r->http_headers, STR_LIT(""));
	return answered(r);
}

static const struct problem *no_command(struct request *r, const char *allow)
{
	struct http_req *req = r->http;
	const char *docroot = r->on_admin ? "" : r->live->conf->http.docroot;
	if (allow[0] != '\0')
		return other_methods(r, allow);
	if (docroot[0] == '\0' || (req->verb != VERB_GET && req->verb != VERB_HEAD))
		return request_problem(r, PROBLEM_NOT_FOUND, "no such path");
	req->route = ROUTE_FILE;
	http_reply_file(req, docroot, req->path);
	return answered(r);
}

/* A segment of the path, decoded, which lives as long as req; false where it is none that could name anything. */
static bool decode_segment(struct http_req *req, struct str segment, bool (*valid)(struct str s), struct str *out_r)
{
	*out_r = STR_NULL;
	return segment.s == NULL || (http_req_decode(req, segment, out_r) == 0 && valid(*out_r));
}

/* The same; `out` has room for a valid one. */
static bool read_segment(struct http_req *req, struct str segment, bool (*valid)(struct str s), char *out)
{
	struct str text;
	if (!decode_segment(req, segment, valid, &text))
		return false;
	if (text.s != NULL)
		memcpy(out, text.s, text.len);
	return true;
}

/* The same of one that may be any text, which `check` looks at; absent where it is none. */
static struct str read_text(struct request *r, struct str segment)
{
	struct str text;
	if (segment.s == NULL || http_req_decode(r->http, segment, &text) != 0)
		return STR_NULL;
	return text;
}

/* Some clients can only send POST (tus 1.0.0, X-HTTP-Method-Override). */
static enum http_verb verb_of(struct http_req *req, struct str path)
{
	static const enum http_verb others[] = {VERB_PATCH, VERB_DELETE, VERB_HEAD};
	if (req->verb != VERB_POST || path.len < 7 || memcmp(path.s, "/media/", 7) != 0)
		return req->verb;
	struct str instead = http_req_header(req, "X-HTTP-Method-Override");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_is(instead, http_verb_name(others[i])))
			return others[i];
	return req->verb;
}

/* The URL's signature allows the command. */
static bool is_signed(struct request *r)
{
	struct str e, s;
	enum media_purpose purpose = r->cmd->verb == VERB_PUT ? MEDIA_PUT : MEDIA_GET;
	return http_req_query(r->http, "e", &e) > 0 && http_req_query(r->http, "s", &s) > 0 &&
	       media_url_verify(&r->api->media_urls, str_from(r->path_media), purpose, e, s, clock_wall_ms());
}

static const struct problem *check_scope(struct request *r)
{
	if (r->cmd->access != ACCESS_ADMIN || token_has_scope(r->scopes, TOKEN_SCOPE_ADMIN))
		return NULL;
	return request_problem(r, PROBLEM_FORBIDDEN, "the token's scope does not contain admin");
}

/* What is wrong, before the body is read. NULL also where answered() was called. */
static const struct problem *read_head(struct request *r)
{
	struct http_req *req = r->http;
	struct command_path found = {0};
	struct str path = r->on_admin ? req->path : path_below_prefix(r->api, req->path);
	struct token_claims claims;

	if (path.s != NULL)
		r->cmd = command_by_path(r->api, r->on_admin, path, verb_of(req, path), &found);
	if (r->cmd == NULL)
		return no_command(r, found.allow);
	if (!read_segment(req, found.user, id_user_valid, r->path_user) ||
	    !read_segment(req, found.session, id_session_valid, r->path_session) ||
	    !read_segment(req, found.code, id_invite_code_valid, r->path_code) ||
	    !read_segment(req, found.device, id_user_valid, r->path_device) ||
	    !decode_segment(req, found.pack, id_name_valid, &r->path_pack) ||
	    !decode_segment(req, found.picture, picture_name_valid, &r->path_picture) ||
	    !read_segment(req, found.media, media_id_valid, r->path_media))
		return no_command(r, "");
	r->path_id = found.id;
	r->path_emoji = read_text(r, found.emoji);
	req->route = command_route(r->api->commands, r->cmd);
	if (r->cmd == &command_ws)
		return open_websocket(r);
	if (r->cmd->access == ACCESS_ANYONE)
		return check_body(r) ?: check_rate(r);
	r->is_signed = r->cmd->access == ACCESS_SIGNED && is_signed(r);
	if (r->cmd->access == ACCESS_PUBLIC || r->is_signed)
		return check_body(r);
	return authenticate(r, bearer(req), token_verify, &claims) ?: check_scope(r) ?: check_body(r);
}

static bool is_audited(const struct request *r)
{
	return r->cmd->access == ACCESS_ADMIN && !r->cmd->not_audited;
}

/* Until the call is noted nobody takes its body, which does not come. A client that goes meanwhile ends nothing. */
static void audited_aborted(struct request *r)
{
	(void)r;
}

static void run_streamed(struct request *r)
{
	if (request_is_detached(r))
		request_end(r, NULL);
	else
		command_run(r, NULL);
}

/* The command begins before the body comes, and says when it may. */
static enum http_verdict stream(struct request *r)
{
	static const struct body_sink waiting = {.aborted = audited_aborted};
	bool ended = false;
	r->http->user = r;
	r->ends_r = &ended;
	http_body_pause(r->http);
	if (is_audited(r)) {
		r->sink = &waiting;
		audit_begin(r, run_streamed);
	} else {
		command_run(r, NULL);
	}
	if (ended)
		return HTTP_ANSWERED;
	r->ends_r = NULL;
	return HTTP_STREAM_BODY;
}

void door_body(struct http_req *req, struct str part, void *ctx)
{
	struct request *r = req->user;
	(void)ctx;
	r->sink->part(r, part);
}

enum http_verdict door_head(struct api *api, struct http_req *req, bool on_admin)
{
	struct request *r = request_new_http(api, req);
	r->on_admin = on_admin;
	const struct problem *p = read_head(r);
	if (p == NULL && r->http != NULL && is_streamed(r))
		return stream(r);
	if (p == NULL && r->http != NULL) {
		req->user = r;
		return HTTP_TAKE_BODY;
	}
	request_end(r, &(struct answer){.problem = p});
	return HTTP_ANSWERED;
}

static enum http_verdict public_head(struct http_req *req, void *ctx)
{
	return door_head(ctx, req, false);
}

static const struct problem *read_body(struct request *r)
{
	struct str body = r->http->body;
	const char *reason;
	if (r->cmd->body == BODY_IGNORED || (r->cmd->body == BODY_OPTIONAL && body.len == 0))
		return NULL;
	r->body = json_parse(r->api->doc, body, &reason);
	if (r->body == NULL)
		return request_problem(r, PROBLEM_MALFORMED_JSON, "%s", body.len == 0 ? "a body is needed" : reason);
	return r->body->type == JSON_OBJECT ? NULL : request_invalid(r, "the body must be a JSON object");
}

static void run(struct request *r)
{
	command_run(r, read_body(r));
}

void door_request(struct http_req *req, void *ctx)
{
	struct request *r = req->user;
	(void)ctx;
	if (r->sink != NULL)
		r->sink->end(r);
	else if (is_audited(r))
		audit_begin(r, run);
	else
		run(r);
}

void door_aborted(struct http_req *req, void *ctx)
{
	struct request *r = req->user;
	(void)ctx;
	r->http = NULL;
	if (r->sink != NULL)
		r->sink->aborted(r);
	else
		request_end(r, NULL);
}

enum http_admission door_admits(const struct addr *peer, void *ctx)
{
	struct api *api = ctx;
	const double per_minute = api->live->conf->limits.connections_per_minute;
	const int most = api->live->conf->limits.connections_per_address;
	char address[ADDR_TEXT_MAX];
	if (addr_format_network(peer, address)[0] == '\0')
		return HTTP_ADMIT;
	if (bucket_take(api->live->hub, BUCKET_CONNECTIONS, address, per_minute / 60, per_minute, clock_mono_ms()) !=
	    0) {
		stat_add(STAT_CONNECTIONS_REFUSED, 1);
		return HTTP_TURN_AWAY;
	}
	if (most == 0)
		return HTTP_ADMIT;
	switch (addresses_enter(api->live->hub, api->live->slot, address, (unsigned)most)) {
	case ADDRESSES_COUNTED:
		return HTTP_ADMIT_COUNTED;
	case ADDRESSES_UNCOUNTED:
		return HTTP_ADMIT;
	case ADDRESSES_FULL:
		break;
	}
	stat_add(STAT_CONNECTIONS_REFUSED, 1);
	log_warn_gated("%s has %d connections and gets no more (limits.connections_per_address)", address, most);
	return HTTP_OVERLOADED;
}

void door_left(const struct addr *peer, void *ctx)
{
	struct api *api = ctx;
	char address[ADDR_TEXT_MAX];
	addresses_leave(api->live->hub, api->live->slot, addr_format_network(peer, address));
}

const struct http_handler http_door = {
	.head = public_head, .request = door_request, .aborted = door_aborted, .body = door_body};
