/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cross-origin requests (the Fetch standard's CORS protocol): decides which pages of other origins a browser lets read
 * our answers. Credentials are never allowed: tokens travel in a header that a page has to set by itself.
 */
#include "core/base.h"
#include "net/http_priv.h"

#include "core/conf.h"

#define METHODS "GET, POST, PUT, DELETE, HEAD"

static bool any_allowed(const struct conf *conf)
{
	for (size_t i = 0; i < conf->http.cors_origins.count; i++)
		if (strcmp(conf->http.cors_origins.item[i], "*") == 0)
			return true;
	return false;
}

bool http_origin_allowed(const struct conf *conf, struct str origin)
{
	if (origin.s == NULL)
		return false;
	for (size_t i = 0; i < conf->http.cors_origins.count; i++) {
		const char *item = conf->http.cors_origins.item[i];
		if (strcmp(item, "*") == 0 || str_is_nocase(origin, item))
			return true;
	}
	return false;
}

bool http_is_preflight(const struct http_req *req)
{
	return req->verb == VERB_OPTIONS && http_req_header(req, "origin").s != NULL &&
	       http_req_header(req, "access-control-request-method").s != NULL;
}

static void allow_origin(const struct http_request *r, struct str origin, struct buf *out)
{
	bool any = any_allowed(r->server->conf);
	buf_append_str(out, STR_LIT("Access-Control-Allow-Origin: "));
	buf_append_str(out, any ? STR_LIT("*") : origin);
	buf_append_str(out, STR_LIT("\r\n"));
}

void http_cors_headers(const struct http_request *r, struct buf *out)
{
	const struct conf *conf = r->server->conf;
	if (conf->http.cors_origins.count == 0)
		return;
	if (!any_allowed(conf)) /* a cache must not give one origin's answer to another */
		buf_append_str(out, STR_LIT("Vary: Origin\r\n"));
	struct str origin = http_req_header(&r->pub, "origin");
	if (!http_origin_allowed(conf, origin))
		return;
	allow_origin(r, origin, out);
	buf_append_str(out, STR_LIT("Access-Control-Expose-Headers: X-Request-Id, Retry-After\r\n"));
}

void http_reply_options(struct http_req *req)
{
	static const char allow[] = "Allow: " METHODS ", OPTIONS\r\n";
	static const char preflight[] = "Access-Control-Allow-Methods: " METHODS "\r\n"
					"Access-Control-Allow-Headers: Authorization, Content-Type, X-Request-Id\r\n"
					"Access-Control-Max-Age: 600\r\n";
	const struct http_request *r = http_request_of(req);
	const char *headers = NULL;
	if (!http_is_preflight(req))
		headers = allow;
	else if (http_origin_allowed(r->server->conf, http_req_header(req, "origin")))
		headers = preflight;
	http_reply_blob(req, 204, headers, NULL, -1);
}
