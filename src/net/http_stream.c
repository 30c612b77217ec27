/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies that the handler takes in parts, and pauses: decides when it is called for them. Nothing of them is kept but
 * what a paused connection has received already.
 */
#include "core/base.h"
#include "net/http.h"

#include "net/http_priv.h"

void http_stream_begin(struct http_conn *hc)
{
	struct http_request *r = hc->req;
	if (r->paused)
		conn_pause(http_conn_below(hc));
	else if (r->body_done)
		http_deliver(hc);
	else
		http_call_for_body(hc);
}

void http_body_pause(struct http_req *req)
{
	struct http_request *r = http_request_of(req);
	if (r->hc == NULL || r->delivered || r->answered)
		return;
	r->paused = true;
	loop_undefer(r->server->loop, &r->resumed);
	if (r->hc->state == STATE_STREAM)
		conn_pause(http_conn_of(r));
}

static void on_resumed(struct loop_task *t)
{
	http_deliver(container_of(t, struct http_request, resumed)->hc);
}

void http_body_resume(struct http_req *req)
{
	struct http_request *r = http_request_of(req);
	if (r->hc == NULL || !r->paused || r->delivered || r->answered)
		return;
	r->paused = false;
	if (r->hc->state != STATE_STREAM)
		return;
	if (r->body_done) {
		r->resumed.fn = on_resumed;
		loop_defer(r->server->loop, &r->resumed);
		return;
	}
	http_call_for_body(r->hc);
	conn_resume(http_conn_of(r));
}

/* `body` may have answered: r is gone then, and the state another. */
size_t http_stream_input(struct http_conn *hc, const char *data, size_t len)
{
	struct http_request *r = hc->req;
	struct http_server *s = r->server;
	struct http_refusal why;
	struct buf decoded = {0};
	struct str part;
	size_t used;
	enum http_progress progress = http_body_part(r, data, len, &used, &part, &decoded, &why);
	r->body_done = progress == HTTP_COMPLETE;
	if (progress == HTTP_REFUSED)
		http_give_up(hc, &why);
	else if (part.len != 0)
		s->handler->body(&r->pub, part, s->ctx);
	if (hc->state == STATE_STREAM && r->body_done && !r->paused)
		http_deliver(hc);
	buf_fini(&decoded);
	return used;
}
