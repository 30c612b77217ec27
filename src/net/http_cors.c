/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cross-origin requests (the Fetch standard's CORS protocol): decides which pages of other origins a browser lets read
 * our answers. Credentials are never allowed: tokens travel in a header that a page has to set by itself.
 */
#include "core/base.h"
#include "net/http_priv.h"

#include "core/conf.h"

#define METHODS "GET, POST, PUT, PATCH, DELETE, HEAD"
/* What tus sends and reads, the protocol of resumable uploads. */
#define TUS_REQUEST_HEADERS                                                                                            \
	"Tus-Resumable, Upload-Length, Upload-Offset, Upload-Metadata, Upload-Checksum, X-HTTP-Method-Override"
#define TUS_HEADERS                                                                                                    \
	"Location, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Length, "   \
	"Upload-Offset, Upload-Metadata, Upload-Expires"

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

/* The value of the Origin line in a part of a head, of which the first line is whole only if `at_line`. */
static struct str origin_line(const char *text, size_t len, bool at_line)
{
	static const char name[] = "origin:";
	if (len == 0)
		return STR_NULL;
	const size_t name_len = sizeof(name) - 1;
	const char *end = text + len, *line = text;
	while (line != NULL && line < end) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		size_t line_len = lf != NULL ? (size_t)(lf - line) : 0;
		if (at_line && line_len > name_len && strncasecmp(line, name, name_len) == 0)
			return http_trim((struct str){line + name_len, line_len - name_len});
		at_line = true;
		line = lf != NULL ? lf + 1 : NULL;
	}
	return STR_NULL;
}

void http_cors_find_origin(struct http_request *r, const char *rest, size_t len)
{
	const struct conf_list *allowed = &r->server->conf->http.cors_origins;
	bool whole_lines = r->head.len != 0 && r->head.data[r->head.len - 1] == '\n';
	struct str origin = http_req_header(&r->pub, "origin");
	if (origin.s == NULL)
		origin = origin_line(r->head.data, r->head.len, false);
	if (origin.s == NULL)
		origin = origin_line(rest, len, whole_lines);
	/* The origin is not known yet; where only one is allowed, that one is right for every page that may read this. */
	if (origin.s == NULL && allowed->count == 1)
		origin = str_from(allowed->item[0]);
	if (origin.s == NULL)
		return;
	char *copy = http_req_alloc(&r->pub, origin.len);
	memcpy(copy, origin.s, origin.len);
	r->origin = (struct str){copy, origin.len};
}

void http_cors_headers(const struct http_request *r, struct buf *out)
{
	const struct conf *conf = r->server->conf;
	if (conf->http.cors_origins.count == 0)
		return;
	if (!any_allowed(conf)) /* a cache must not give one origin's answer to another */
		buf_append_str(out, STR_LIT("Vary: Origin\r\n"));
	struct str origin = r->origin.s != NULL ? r->origin : http_req_header(&r->pub, "origin");
	if (!http_origin_allowed(conf, origin))
		return;
	allow_origin(r, origin, out);
	buf_append_str(out, STR_LIT("Access-Control-Expose-Headers: X-Request-Id, Retry-After, " TUS_HEADERS "\r\n"));
}

void http_reply_options(struct http_req *req)
{
	static const char allow[] = "Allow: " METHODS ", OPTIONS\r\n";
	static const char preflight[] = "Access-Control-Allow-Methods: " METHODS "\r\n"
					"Access-Control-Allow-Headers: Authorization, Content-Type, X-Request-Id, " TUS_REQUEST_HEADERS "\r\n"
					"Access-Control-Max-Age: 600\r\n";
	const struct http_request *r = http_request_of(req);
	const char *headers = NULL;
	if (!http_is_preflight(req))
		headers = allow;
	else if (http_origin_allowed(r->server->conf, http_req_header(req, "origin")))
		headers = preflight;
	http_reply_blob(req, 204, headers, NULL, -1);
}
