/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The opening handshake (RFC 6455 section 4.2): decides which requests become
 * WebSockets. Who the user is and which subprotocol is spoken is the caller's to know.
 */
#include "core/base.h"
#include "net/http.h"

#include "net/http_priv.h"
#include "net/ws_codec.h"
#include "net/ws_deflate.h"
#include "net/ws_extension.h"
#include "net/ws_priv.h"

#define VERSION_HEADER "Sec-WebSocket-Version: 13\r\n"
#define KEY_LEN 24 /* 16 bytes in base64 */

/* The value of a header that must not be repeated; absent if it is. */
static struct str single_header(const struct http_req *req, const char *name)
{
	size_t at = 0;
	struct str value = http_req_header_next(req, name, &at);
	return value.s != NULL && http_req_header_next(req, name, &at).s != NULL ? STR_NULL : value;
}

static bool key_valid(struct str key)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	if (key.s == NULL || key.len != KEY_LEN || memcmp(key.s + KEY_LEN - 2, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < KEY_LEN - 2; i++)
		if (memchr(alphabet, key.s[i], sizeof(alphabet) - 1) == NULL)
			return false;
	return true;
}

static bool cut_prefix(struct str *s, const char *prefix)
{
	size_t len = strlen(prefix);
	if (s->len < len || strncasecmp(s->s, prefix, len) != 0)
		return false;
	*s = (struct str){s->s + len, s->len - len};
	return true;
}

static void cut_suffix(struct str *s, const char *suffix)
{
	size_t len = strlen(suffix);
	if (s->len >= len && memcmp(s->s + s->len - len, suffix, len) == 0)
		s->len -= len;
}

/* The page came from this server: http or https is not compared, for a proxy in front may have ended TLS. */
static bool origin_is_own(struct str origin, struct str host)
{
	const char *port;
	if (cut_prefix(&origin, "http://"))
		port = ":80";
	else if (cut_prefix(&origin, "https://"))
		port = ":443";
	else
		return false;
	if (host.s == NULL)
		return false;
	cut_suffix(&origin, port);
	cut_suffix(&host, port);
	return origin.len != 0 && origin.len == host.len && strncasecmp(origin.s, host.s, host.len) == 0;
}

static bool origin_allowed(const struct http_request *r)
{
	struct str origin = http_req_header(&r->pub, "origin");
	return origin.s == NULL || origin_is_own(origin, r->host) || http_origin_allowed(r->server->conf, origin);
}

/* What is agreed on with the client; nothing where compression is not wanted. -1: a header is malformed. */
static int negotiate(const struct http_req *req, struct ws_terms *terms_r)
{
	const struct http_request *r = http_request_of(req);
	struct str value;
	size_t at = 0;
	*terms_r = (struct ws_terms){0};
	if (r->server == NULL || !r->server->conf->websocket.compression)
		return 0;
	while ((value = http_req_header_next(req, "sec-websocket-extensions", &at)).s != NULL)
		if (ws_extension_read(value, terms_r) != 0)
			return -1;
	return 0;
}

static void refuse_upgrade(struct http_req *req, const char *detail)
{
	http_reply_problem(req, 426, "upgrade_required", detail, 0, VERSION_HEADER);
}

bool http_check_ws(struct http_req *req)
{
	const struct http_request *r = http_request_of(req);
	struct ws_terms terms;
	if (req->verb != VERB_GET || r->minor < 1 || !http_req_header_has(req, "upgrade", "websocket") ||
	    !http_req_header_has(req, "connection", "upgrade"))
		refuse_upgrade(req, "This path speaks WebSocket.");
	else if (!str_is(single_header(req, "sec-websocket-version"), "13"))
		refuse_upgrade(req, "Version 13 of WebSocket is spoken here.");
	else if (!key_valid(single_header(req, "sec-websocket-key")))
		http_reply_problem(req, 400, "malformed_request", "Sec-WebSocket-Key is not 16 bytes in base64.", 0,
				   NULL);
	else if (negotiate(req, &terms) != 0)
		http_reply_problem(req, 400, "malformed_request", "Sec-WebSocket-Extensions is malformed.", 0, NULL);
	else if (req->content_length != 0)
		http_reply_problem(req, 400, "malformed_request", "A handshake has no body.", 0, NULL);
	else if (r->server != NULL && !origin_allowed(r))
		http_reply_problem(req, 403, "origin_not_allowed", "This origin may not open a WebSocket here.", 0,
				   NULL);
	else
		return true;
	return false;
}

/* Both streams, from the first client on that wants them. */
static void need_deflate(struct http_server *s)
{
	if (s->deflate == NULL)
		s->deflate = ws_deflate_new();
}

struct ws *http_upgrade_ws(struct http_req *req, const char *subprotocol, const struct ws_handler *handler, void *user)
{
	struct ws_terms terms;
	if (!http_check_ws(req))
		return NULL;
	/* Found well formed just now. */
	(void)negotiate(req, &terms);
	char accept[WS_ACCEPT_LEN + 1];
	ws_accept_key(http_req_header(req, "sec-websocket-key"), accept);
	struct buf headers = {0};
	buf_printf(&headers, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n", accept);
	if (subprotocol != NULL)
		buf_printf(&headers, "Sec-WebSocket-Protocol: %s\r\n", subprotocol);
	if (terms.window_bits != 0) {
		need_deflate(http_request_of(req)->server);
		ws_extension_answer(&terms, &headers);
	}
	struct ws *ws = ws_new_switched(req, buf_cstr(&headers), terms.window_bits, handler, user);
	buf_fini(&headers);
	return ws;
}
