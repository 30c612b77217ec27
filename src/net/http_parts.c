/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers whose content is made while it is sent: decides how a part is framed, and when the handler is asked for the
 * next one. Nothing waits here but what the handler has given, so a client that reads slowly is given slowly.
 */
#include "core/base.h"
#include "net/http.h"

#include <stdio.h>

#include "net/http_priv.h"

static bool is_chunked(const struct http_request *r)
{
	return r->minor != 0;
}

bool http_reply_begin(struct http_req *req, const char *content_type, http_wanted_fn *wanted, void *arg)
{
	struct http_request *r = http_request_of(req);
	ASSERT(r->delivered && !r->answered && r->wanted == NULL);
	r->wanted = wanted;
	r->wanted_arg = arg;
	/* To HTTP/1.0 the end of the connection is that of the content. */
	r->keep_alive = r->keep_alive && is_chunked(r);
	if (r->hc == NULL || conn_is_closing(http_conn_of(r)))
		return false;
	r->parts_bytes = http_reply_head(r, content_type, is_chunked(r) ? "Transfer-Encoding: chunked\r\n" : "");
	r->wants = true;
	return true;
}

bool http_reply_some(struct http_req *req, struct str part)
{
	struct http_request *r = http_request_of(req);
	char size[20];
	if (r->hc == NULL || conn_is_closing(http_conn_of(r)) || req->verb == VERB_HEAD) {
		r->wants = false;
		return false;
	}
	if (part.len == 0)
		return true;
	struct conn *c = http_conn_of(r);
	int len = snprintf(size, sizeof(size), "%zx\r\n", part.len);
	if (is_chunked(r))
		conn_write(c, size, (size_t)len);
	conn_write(c, part.s, part.len);
	if (is_chunked(r))
		conn_write(c, "\r\n", 2);
	r->parts_bytes += part.len;
	r->wants = true;
	return true;
}

void http_reply_end(struct http_req *req, bool whole)
{
	struct http_request *r = http_request_of(req);
	bool keep_alive = whole && http_can_keep_alive(r);
	if (r->hc != NULL && whole && is_chunked(r) && req->verb != VERB_HEAD)
		conn_write(http_conn_of(r), "0\r\n\r\n", 5);
	http_answered(r, 200, r->parts_bytes, keep_alive);
}

void http_parts_written(struct http_request *r)
{
	if (r->wanted == NULL || !r->wants)
		return;
	r->wants = false;
	r->wanted(&r->pub, r->wanted_arg);
}
