/* SPDX-License-Identifier: BSD-2-Clause */
/* The bodies of requests: decides how much memory they may take together, and who gives way. */
#include "core/base.h"
#include "net/http_priv.h"

void http_body_begin(struct http_request *r)
{
	r->is_receiving = true;
	TAILQ_INSERT_TAIL(&r->server->receiving, r, receiving);
}

void http_body_end(struct http_request *r)
{
	if (!r->is_receiving)
		return;
	r->is_receiving = false;
	if (r->server != NULL)
		TAILQ_REMOVE(&r->server->receiving, r, receiving);
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
	size_t before = r->body.cap;
	enum http_progress progress = take(r, data, len, used_r, why_r);
	r->server->body_memory += r->body.cap - before;
	if (progress != HTTP_MORE)
		http_body_end(r);
	return progress;
}

struct http_request *http_body_excess(const struct http_server *s)
{
	return s->body_memory > HTTP_BODY_MEMORY ? TAILQ_FIRST(&s->receiving) : NULL;
}

void http_body_free(struct http_request *r)
{
	http_body_end(r);
	if (r->server != NULL)
		r->server->body_memory -= r->body.cap;
	buf_fini(&r->body);
}
