/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides, before a body is read, whether a request may go on, and turns what may
 * into a command's request. The order of the checks is the contract's.
 */
#include "core/base.h"
#include "api/http_door.h"

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

static void reply(struct http_req *req, enum problem p, const char *detail, const char *headers)
{
	stat_refused(p);
	http_reply_problem(req, problem_status(p), problem_code(p), detail, 0, headers);
}

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

/* The caller; false after having answered 401. */
static bool authenticate(struct api *api, struct http_req *req, struct str token, verify_fn *verify,
			 struct token_claims *claims)
{
	const char *reason = "no token: Authorization: Bearer <JWT> is needed";
	enum token_status status = TOKEN_INVALID;
	size_t at = 0;
	if (http_req_header_next(req, "Authorization", &at).s != NULL &&
	    http_req_header_next(req, "Authorization", &at).s != NULL)
		reason = "there is more than one Authorization header";
	else if (token.s != NULL)
		status = verify(api->keys, token, claims, &reason);
	if (status == TOKEN_OK)
		return true;
	reply(req, status == TOKEN_EXPIRED ? PROBLEM_TOKEN_EXPIRED : PROBLEM_TOKEN_INVALID, reason, NULL);
	return false;
}

/* The device class of the query, empty where there is none; false after having answered. */
static bool read_device(struct http_req *req, struct str *device_r)
{
	struct str device;
	*device_r = STR_LIT("");
	int found = http_req_query(req, "device", &device);
	if (found == 0)
		return true;
	bool valid = found > 0 && device.len >= 1 && device.len <= DEVICE_MAX;
	for (size_t i = 0; valid && i < device.len; i++)
		valid = (device.s[i] >= 'a' && device.s[i] <= 'z') || (device.s[i] >= '0' && device.s[i] <= '9') ||
			device.s[i] == '_' || device.s[i] == '-';
	if (!valid) {
		http_reply_problem(req, 400, "invalid_argument",
				   "device: must be 1 to 16 characters out of a-z 0-9 _ -", 0, NULL);
		return false;
	}
	*device_r = device;
	return true;
}

static void open_session(struct api *api, struct http_req *req, const struct session_ask *ask)
{
	int64_t wait_ms = 0;
	const char *full = NULL;
	/* While draining, too: it is told where to go in the session's own words. */
	if (http_server_connections(api->http) > (size_t)api->live->conf->worker_connections)
		full = "this worker holds no more connections";
	else
		switch (session_open(api->live, req, ask, &wait_ms)) {
		case SESSION_ACCEPTED:
			return;
		case SESSION_TOO_OFTEN:
			stat_refused(PROBLEM_RATE_LIMITED);
			http_reply_problem(req, 429, "rate_limited",
					   "too many sessions begun by this user, or from this address",
					   (int)((wait_ms + 999) / 1000), NULL);
			return;
		case SESSION_NODE_BUSY:
			full = "this node is asked for more sessions than it can begin at a time";
			break;
		case SESSION_NODE_FULL:
			full = "this node holds no more sessions";
			break;
		}
	stat_refused(PROBLEM_OVERLOADED);
	stat_add(STAT_SESSIONS_FULL, 1);
	http_reply_problem(req, 503, "overloaded", full, 1, NULL);
}

static void open_websocket(struct api *api, struct http_req *req)
{
	struct token_claims claims;
	bool offered;
	struct str token = bearer(req), from_protocol = subprotocol_token(req, &offered);
	if (token.s == NULL)
		token = from_protocol;
	if (token.s == NULL && http_req_query(req, "access_token", &token) <= 0)
		token = STR_NULL;
	struct session_ask ask = {.user_id = claims.user_id, .subprotocol = offered ? WS_SUBPROTOCOL : NULL};
	if (!authenticate(api, req, token, token_verify_once, &claims) || !http_check_ws(req) ||
	    !read_device(req, &ask.device))
		return;
	ask.expires_ms = claims.expires_ms;
	open_session(api, req, &ask);
}

static bool is_json(struct str type)
{
	static const struct str json = STR_LIT("application/json");
	if (type.s == NULL || type.len < json.len || strncasecmp(type.s, json.s, json.len) != 0)
		return false;
	return type.len == json.len || type.s[json.len] == ';' || type.s[json.len] == ' ' || type.s[json.len] == '\t';
}

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

static int64_t body_max(const struct api *api, const struct command *cmd)
{
	const int max = api->live->conf->http.max_body;
	return cmd->access == ACCESS_ANYONE && max > ANYONE_BODY_MAX ? ANYONE_BODY_MAX : max;
}

/* Size, then type, of the body that is announced. */
static bool check_body(const struct api *api, struct http_req *req, const struct command *cmd)
{
	char detail[64];
	if (req->content_length == 0)
		return true;
	req->body_max = body_max(api, cmd);
	if (req->content_length > req->body_max) {
		snprintf(detail, sizeof(detail), "the body is over %" PRId64 " bytes", req->body_max);
		reply(req, PROBLEM_PAYLOAD_TOO_LARGE, detail, NULL);
		return false;
	}
	if (!is_json(http_req_header(req, "Content-Type"))) {
		reply(req, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "Content-Type: must be application/json", NULL);
		return false;
	}
	if (is_encoded(req)) {
		reply(req, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "Content-Encoding: must be identity, or left out",
		      "Accept-Encoding: identity\r\n");
		return false;
	}
	return true;
}

/* Who has no token gives no body before the rate of the address was looked at; false after having answered 429. */
static bool check_rate(struct api *api, struct http_req *req)
{
	int64_t wait_ms = admission_try(api->live, req->peer);
	if (wait_ms == 0)
		return true;
	stat_refused(PROBLEM_RATE_LIMITED);
	http_reply_problem(req, problem_status(PROBLEM_RATE_LIMITED), problem_code(PROBLEM_RATE_LIMITED),
			   "too many tries from this address", (int)((wait_ms + 999) / 1000), NULL);
	return false;
}

static enum http_verdict no_command(struct api *api, struct http_req *req, const char *allow)
{
	char header[64];
	if (allow[0] != '\0') {
		snprintf(header, sizeof(header), "Allow: %s\r\n", allow);
		if (req->verb == VERB_OPTIONS)
			http_reply(req, 204, NULL, header, STR_LIT(""));
		else
			reply(req, PROBLEM_METHOD_NOT_ALLOWED, "this path has other methods", header);
	} else if (api->live->conf->http.docroot[0] != '\0' && (req->verb == VERB_GET || req->verb == VERB_HEAD)) {
		req->route = ROUTE_FILE;
		http_reply_file(req, api->live->conf->http.docroot, req->path);
	} else {
		reply(req, PROBLEM_NOT_FOUND, "no such path", NULL);
	}
	return HTTP_ANSWERED;
}

/* A segment of the path, decoded; false where it is none that could name anything. */
static bool read_segment(struct http_req *req, struct str segment, bool (*valid)(struct str s), struct str *out_r)
{
	*out_r = STR_NULL;
	return segment.s == NULL || (http_req_decode(req, segment, out_r) == 0 && valid(*out_r));
}

static enum http_verdict public_head(struct http_req *req, void *ctx)
{
	struct api *api = ctx;
	struct token_claims claims = {0};
	struct command_path found = {0};
	struct str path = path_below_prefix(api, req->path), user, code;
	const struct command *cmd = path.s != NULL ? command_by_path(api, path, req->verb, &found) : NULL;

	if (cmd == NULL)
		return no_command(api, req, found.allow);
	if (!read_segment(req, found.user, id_user_valid, &user) ||
	    !read_segment(req, found.code, id_invite_code_valid, &code))
		return no_command(api, req, "");
	req->route = command_route(api->commands, cmd);
	if (cmd == &command_ws) {
		open_websocket(api, req);
		return HTTP_ANSWERED;
	}
	if (cmd->access == ACCESS_USER && !authenticate(api, req, bearer(req), token_verify, &claims))
		return HTTP_ANSWERED;
	if (!check_body(api, req, cmd) || (cmd->access == ACCESS_ANYONE && !check_rate(api, req)))
		return HTTP_ANSWERED;
	struct request *r = request_new_http(api, req, cmd, &claims);
	r->path_id = found.id;
	if (user.s != NULL)
		memcpy(r->path_user, user.s, user.len);
	if (code.s != NULL)
		memcpy(r->path_code, code.s, code.len);
	req->user = r;
	return HTTP_TAKE_BODY;
}

static void public_request(struct http_req *req, void *ctx)
{
	struct api *api = ctx;
	struct request *r = req->user;
	const char *reason;

	if (r->cmd->body == BODY_REQUIRED || (r->cmd->body == BODY_OPTIONAL && req->body.len > 0)) {
		r->body = json_parse(api->doc, req->body, &reason);
		if (r->body == NULL) {
			request_fail(r, PROBLEM_MALFORMED_JSON, "%s", req->body.len == 0 ? "a body is needed" : reason);
			return;
		}
		if (r->body->type != JSON_OBJECT) {
			request_fail(r, PROBLEM_INVALID_ARGUMENT, "the body must be a JSON object");
			return;
		}
	}
	command_run(r);
}

static void public_aborted(struct http_req *req, void *ctx)
{
	(void)ctx;
	request_end(req->user, NULL);
}

enum http_admission door_admits(const struct addr *peer, void *ctx)
{
	struct api *api = ctx;
	const double per_minute = api->live->conf->limits.connections_per_minute;
	const int most = api->live->conf->limits.connections_per_address;
	char address[ADDR_TEXT_MAX];
	if (addr_format_network(peer, address)[0] == '\0')
		return HTTP_ADMIT;
	if (bucket_take(api->live->hub, 'c', address, per_minute / 60, per_minute, clock_mono_ms()) != 0) {
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

const struct http_handler http_door = {.head = public_head, .request = public_request, .aborted = public_aborted};
