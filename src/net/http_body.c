/* SPDX-License-Identifier: BSD-2-Clause */
/* The bodies of requests: what is received of them is counted in the intake until the request is gone. */
#include "core/base.h"
#include "net/http_priv.h"

void http_body_begin(struct http_request *r, void (*give_way)(void *request))
{
	intake_begin(loop_intake(r->server->loop), &r->intake, give_way, r);
}

static enum http_progress take(struct http_request *r, const char *data, size_t len, size_t *used_r,
			       struct http_refusal *why_r)
{
	if (r->pub.content_length < 0)
		return http_chunk_input(&r->chunked, data, len, used_r, &r->body, (size_t)r->pub.body_max, why_r);
	*used_r = (uint64_t)r->body_left < len ? (size_t)r->body_left : len;
	buf_append(&r->body, data, *used_r);
	r->body_left -= (int64_t)*used_r;
	return r->body_left == 0 ? HTTP_COMPLETE : HTTP_MORE;
}

enum http_progress http_body_input(struct http_request *r, const char *data, size_t len, size_t *used_r,
				   struct http_refusal *why_r)
{
	enum http_progress progress = take(r, data, len, used_r, why_r);
	intake_set(&r->intake, r->body.cap);
	if (progress != HTTP_MORE)
		intake_hold(&r->intake);
	return progress;
}

enum http_progress http_body_part(struct http_request *r, const char *data, size_t len, size_t *used_r,
				  struct str *part_r, struct buf *decoded, struct http_refusal *why_r)
{
	if (r->pub.content_length < 0) {
		enum http_progress progress =
			http_chunk_input(&r->chunked, data, len, used_r, decoded, (size_t)r->pub.body_max, why_r);
		*part_r = (struct str){decoded->data, decoded->len};
		return progress;
	}
	*used_r = (uint64_t)r->body_left < len ? (size_t)r->body_left : len;
	*part_r = (struct str){data, *used_r};
	r->body_left -= (int64_t)*used_r;
	return r->body_left == 0 ? HTTP_COMPLETE : HTTP_MORE;
}

void http_body_free(struct http_request *r)
{
	intake_end(&r->intake);
	buf_fini(&r->body);
}
