/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections that speak HTTP, and what state each is in: whose turn it is, how long it may take, whether there is
 * another request after this one. Must not look into requests beyond how long they are.
 */
#include "core/base.h"
#include "net/http.h"

#include <stdlib.h>

#include "core/log.h"
#include "net/http_priv.h"
#include "net/ws_deflate.h"

#define REQUESTS_A_TURN 32     /* of one connection, before others get theirs */
#define UNSENT_MAX (64 * 1024) /* with more queued in this turn no further request is begun */

static const struct http_observer no_observer;

/* ---- states ---- */

static int64_t time_for(const struct http_conn *hc, enum http_state state)
{
	const struct conf *conf = hc->member.server->conf;
	switch (state) {
	case STATE_FRESH:
	case STATE_HEAD:
		return (int64_t)conf->http.header_timeout_secs * 1000;
	case STATE_IDLE:
		return (int64_t)conf->http.keepalive_timeout_secs * 1000;
	case STATE_BODY:
	case STATE_STREAM:
	case STATE_DROPPING:
		return (int64_t)conf->http.body_timeout_secs * 1000;
	case STATE_PENDING:
	case STATE_CLOSING:
		break;
	}
	return 0;
}

static void enter(struct http_conn *hc, enum http_state state)
{
	/* The first request's head has its time from the accept on. */
	if (!(hc->state == STATE_FRESH && state == STATE_HEAD))
		conn_set_timeout(http_conn_below(hc), time_for(hc, state));
	hc->state = (uint8_t)state;
}

static void close_now(struct http_conn *hc, const char *reason)
{
	hc->state = STATE_CLOSING;
	conn_close(http_conn_below(hc), reason);
}

static void close_gracefully(struct http_conn *hc, const char *reason)
{
	hc->state = STATE_CLOSING;
	conn_close_gracefully(http_conn_below(hc), reason);
}

/* The handler has asked for the body and waits for the request callback. */
static bool awaits_body(const struct http_request *r)
{
	return r->taken && !r->delivered && !r->answered;
}

static void tell_aborted(struct http_request *r)
{
	if (awaits_body(r) && r->server->handler->aborted != NULL)
		r->server->handler->aborted(&r->pub, r->server->ctx);
}

void http_give_up(struct http_conn *hc, const struct http_refusal *why)
{
	struct http_request *r = hc->req;
	tell_aborted(r);
	http_refuse(r, why);
}

/* ---- answers ---- */

struct conn *http_conn_of(const struct http_request *r)
{
	return http_conn_below(r->hc);
}

bool http_req_alive(const struct http_req *req)
{
	const struct http_request *r = http_request_of(req);
	return r->hc != NULL && !conn_is_closing(http_conn_of(r)) && !conn_peer_finished(http_conn_of(r));
}

bool http_can_keep_alive(const struct http_request *r)
{
	if (r->hc == NULL || !r->keep_alive || r->server->draining)
		return false;
	if (r->body_done)
		return true;
	/* A client that awaits 100 may send the body or not; of a chunked one the length is unknown. */
	return !r->expects_continue && r->pub.content_length >= 0 && r->body_left <= r->server->conf->http.max_body;
}

void http_answered(struct http_request *r, int status, size_t bytes, bool keep_alive)
{
	struct http_conn *hc = r->hc;
	bool paused = r->paused;
	ASSERT(!r->answered);
	r->answered = true;
	if (r->server != NULL && r->server->observer->answered != NULL)
		r->server->observer->answered(&r->pub, status, bytes, r->server->ctx);
	if (hc == NULL) {
		http_request_free(r);
		return;
	}
	if (keep_alive && !r->body_done) {
		enter(hc, STATE_DROPPING);
	} else {
		hc->req = NULL;
		http_request_free(r);
		if (keep_alive)
			enter(hc, STATE_IDLE);
		else
			close_gracefully(hc, "answered");
	}
	if (keep_alive && (!hc->in_input || paused))
		conn_resume(http_conn_below(hc));
}

/* ---- requests ---- */

void http_deliver(struct http_conn *hc)
{
	struct http_request *r = hc->req;
	struct http_server *s = r->server;
	r->body_done = r->delivered = true;
	loop_undefer(s->loop, &r->resumed);
	if (r->body.len != 0)
		r->pub.body = (struct str){r->body.data, r->body.len};
	enter(hc, STATE_PENDING);
	s->handler->request(&r->pub, s->ctx);
}

/* For the intake. */
static void give_way(void *request)
{
	static const struct http_refusal too_much = {503, "overloaded", "Too much is being received; try again."};
	struct http_request *r = request;
	http_give_up(r->hc, &too_much);
}

void http_call_for_body(struct http_conn *hc)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (hc->req->expects_continue)
		conn_write(http_conn_below(hc), go_on, sizeof(go_on) - 1);
	hc->req->expects_continue = false;
}

static void begin_body(struct http_conn *hc, bool has_begun)
{
	static const struct http_refusal too_large = {413, "payload_too_large", "The body is too large."};
	struct http_request *r = hc->req;
	if (has_begun)
		r->expects_continue = false;
	if (r->pub.content_length > r->pub.body_max) {
		http_give_up(hc, &too_large);
	} else if (r->streamed) {
		enter(hc, STATE_STREAM);
		http_stream_begin(hc);
	} else if (r->body_done) {
		http_deliver(hc);
	} else {
		http_call_for_body(hc);
		http_body_begin(r, give_way);
		enter(hc, STATE_BODY);
	}
}

/* `more`: bytes behind the head are here already. */
static void begin_request(struct http_conn *hc, bool more)
{
	static const struct http_refusal too_many = {503, "overloaded",
						     "Your address has too many connections to this server."};
	struct http_request *r = hc->req;
	struct http_server *s = hc->member.server;
	if (hc->overloaded) {
		http_give_up(hc, &too_many);
		return;
	}
	r->body_done = r->pub.content_length == 0;
	r->pub.body_max = s->conf->http.max_body;
	enter(hc, STATE_PENDING);
	if (str_is(r->pub.path, "*") || http_is_preflight(&r->pub)) {
		http_reply_options(&r->pub);
		return;
	}
	r->headed = true;
	enum http_verdict verdict = s->handler->head(&r->pub, s->ctx);
	if (verdict != HTTP_ANSWERED) {
		ASSERT(hc->req == r && !r->answered);
		r->taken = true;
		r->streamed = verdict == HTTP_STREAM_BODY;
		begin_body(hc, more);
	}
}

/* ---- input ---- */

static size_t head_input(struct http_conn *hc, const char *data, size_t len)
{
	struct http_refusal why;
	size_t used;
	switch (http_head_input(hc->req, data, len, &used, &why)) {
	case HTTP_MORE:
		break;
	case HTTP_REFUSED:
		http_cors_find_origin(hc->req, data + used, len - used);
		http_give_up(hc, &why);
		break;
	case HTTP_COMPLETE:
		begin_request(hc, used < len);
		break;
	}
	return used;
}

/* The empty line that some clients send behind a body is skipped (RFC 9112 section 2.2). */
static size_t idle_input(struct http_conn *hc, const char *data, size_t len)
{
	if (data[0] == '\r' && (len == 1 || data[1] == '\n'))
		return len == 1 ? 0 : 2;
	hc->req = http_request_new(hc->member.server, hc);
	hc->req->peer = *conn_peer(http_conn_below(hc));
	enter(hc, STATE_HEAD);
	return head_input(hc, data, len);
}

static size_t body_input(struct http_conn *hc, const char *data, size_t len)
{
	struct http_refusal why;
	size_t used;
	switch (http_body_input(hc->req, data, len, &used, &why)) {
	case HTTP_MORE:
		intake_make_room(loop_intake(hc->member.server->loop));
		break;
	case HTTP_REFUSED:
		http_give_up(hc, &why);
		break;
	case HTTP_COMPLETE:
		http_deliver(hc);
		break;
	}
	return used;
}

static size_t drop_input(struct http_conn *hc, size_t len)
{
	struct http_request *r = hc->req;
	size_t used = (uint64_t)r->body_left < len ? (size_t)r->body_left : len;
	r->body_left -= (int64_t)used;
	if (r->body_left == 0) {
		hc->req = NULL;
		http_request_free(r);
		enter(hc, STATE_IDLE);
	}
	return used;
}

static size_t input_step(struct http_conn *hc, const char *data, size_t len)
{
	switch ((enum http_state)hc->state) {
	case STATE_FRESH:
	case STATE_IDLE:
		return idle_input(hc, data, len);
	case STATE_HEAD:
		return head_input(hc, data, len);
	case STATE_BODY:
		return body_input(hc, data, len);
	case STATE_STREAM:
		return http_stream_input(hc, data, len);
	case STATE_DROPPING:
		return drop_input(hc, len);
	case STATE_PENDING:
	case STATE_CLOSING:
		break;
	}
	return 0;
}

/* Nothing is taken until the handler answers, or resumes the body. */
static bool waits_for_handler(const struct http_conn *hc)
{
	return hc->state == STATE_PENDING || (hc->state == STATE_STREAM && hc->req->paused);
}

/* Between two requests: may the next one begin in this turn? */
static bool may_begin(struct http_conn *hc, unsigned begun)
{
	struct conn *c = http_conn_below(hc);
	if (conn_is_blocked(c) || conn_has_file(c) || conn_unsent(c) > UNSENT_MAX) {
		hc->throttled = true;
		conn_pause(c);
		return false;
	}
	if (begun == REQUESTS_A_TURN || !loop_has_time(conn_loop(c))) {
		conn_pause(c);
		conn_resume(c);
		return false;
	}
	return true;
}

/* After a step the seat may be another protocol's. */
static size_t on_input(struct conn *c, char *data, size_t len, void *owner)
{
	struct http_conn *hc = owner;
	size_t used = 0;
	unsigned begun = 0;
	hc->in_input = true;
	while (used < len && !conn_is_closing(c)) {
		if (hc->state == STATE_IDLE && !may_begin(hc, begun++))
			break;
		if (waits_for_handler(hc))
			break;
		size_t n = input_step(hc, data + used, len - used);
		used += n;
		if (!conn_has_handler(c, &http_conn_handler))
			return used;
		if (n == 0)
			break;
	}
	hc->in_input = false;
	if (waits_for_handler(hc))
		conn_pause(c);
	return used;
}

static void on_eof(struct conn *c, void *owner)
{
	struct http_conn *hc = owner;
	close_gracefully(hc, "eof");
}

static void on_written(struct conn *c, void *owner)
{
	struct http_conn *hc = owner;
	if (conn_unsent(c) != 0)
		return;
	if (hc->state == STATE_PENDING)
		http_parts_written(hc->req);
	if (!hc->throttled)
		return;
	hc->throttled = false;
	conn_resume(c);
}

void http_conn_timeout(struct conn *c, void *owner)
{
	static const struct http_refusal timed_out = {408, "request_timeout", "The request took too long to arrive."};
	struct http_conn *hc = owner;
	int64_t left_ms;
	switch ((enum http_state)hc->state) {
	case STATE_HEAD:
		http_cors_find_origin(hc->req, "", 0);
		http_give_up(hc, &timed_out);
		break;
	case STATE_BODY:
		http_give_up(hc, &timed_out);
		break;
	case STATE_STREAM:
		left_ms = conn_last_input_ms(c) + time_for(hc, STATE_STREAM) - clock_mono_ms();
		if (hc->req->paused || hc->req->body_done)
			conn_set_timeout(c, time_for(hc, STATE_STREAM));
		else if (left_ms > 0)
			conn_set_timeout(c, left_ms);
		else
			http_give_up(hc, &timed_out);
		break;
	case STATE_IDLE:
		/* A client that still takes its answer is not idle. */
		left_ms = conn_last_progress_ms(c) + time_for(hc, STATE_IDLE) - clock_mono_ms();
		if (conn_unsent(c) != 0 && left_ms > 0)
			conn_set_timeout(c, left_ms);
		else
			close_now(hc, "idle");
		break;
	case STATE_FRESH:
	case STATE_DROPPING:
		close_now(hc, "timeout");
		break;
	case STATE_PENDING:
	case STATE_CLOSING:
		break;
	}
}

/* The connection is gone. What the handler still holds stays valid for its answer. */
static void let_go(struct http_request *r)
{
	bool owed = r->headed && !r->answered && !awaits_body(r);
	r->hc->req = NULL;
	r->hc = NULL;
	if (owed) {
		http_parts_written(r);
		return;
	}
	tell_aborted(r);
	http_request_free(r);
}

void http_conn_closed(struct conn *c, const char *reason, void *owner)
{
	struct http_conn *hc = owner;
	struct http_request *r = hc->req;
	if (r != NULL)
		let_go(r);
	if (hc->overloaded && hc->member.server != NULL)
		hc->member.server->overloaded--;
	http_member_leave(&hc->member, reason);
}

const struct conn_handler http_conn_handler = {
	.input = on_input,
	.eof = on_eof,
	.written = on_written,
	.timeout = http_conn_timeout,
	.closed = http_conn_closed,
};

/* ---- the server ---- */

struct http_server *http_server_new(struct loop *l, const struct conf *conf, const struct http_handler *handler,
				    const struct http_observer *observer, void *ctx)
{
	struct http_server *s = xcalloc(1, sizeof(*s));
	s->loop = l;
	s->conf = conf;
	s->handler = handler;
	s->observer = observer != NULL ? observer : &no_observer;
	s->ctx = ctx;
	s->json = json_out_new();
	LIST_INIT(&s->members);
	LIST_INIT(&s->requests);
	return s;
}

void http_member_join(struct http_server *s, struct http_member *m)
{
	m->server = s;
	LIST_INSERT_HEAD(&s->members, m, entry);
	s->count++;
}

static struct http_server *leave(struct http_member *m)
{
	struct http_server *s = m->server;
	if (s == NULL)
		return NULL;
	LIST_REMOVE(m, entry);
	s->count--;
	m->server = NULL;
	return s;
}

void http_member_leave(struct http_member *m, const char *reason)
{
	struct http_server *s = leave(m);
	if (s == NULL)
		return;
	const struct conn *c = conn_of_seat(m);
	if (conn_is_marked(c) && s->observer->left != NULL)
		s->observer->left(conn_peer(c), s->ctx);
	if (s->observer->closed != NULL)
		s->observer->closed(reason, s->ctx);
}

void http_server_free(struct http_server **sp)
{
	struct http_server *s = *sp;
	if (s == NULL)
		return;
	*sp = NULL;
	struct http_request *r, *next;
	for (r = LIST_FIRST(&s->requests); r != NULL; r = next) {
		next = LIST_NEXT(r, entry);
		if (r->hc != NULL)
			let_go(r);
	}
	/* The handler may hold some for longer than the loop is there. */
	LIST_FOREACH (r, &s->requests, entry) {
		intake_end(&r->intake);
		r->server = NULL;
	}
	while (!LIST_EMPTY(&s->members)) {
		struct http_member *m = LIST_FIRST(&s->members);
		http_member_leave(m, "shutdown");
		conn_close(conn_of_seat(m), "shutdown");
	}
	json_out_free(&s->json);
	ws_deflate_free(&s->deflate);
	free(s->proxies);
	buf_fini(&s->head);
	buf_fini(&s->body);
	free(s);
}

void http_server_accept(struct http_server *s, int fd, const struct addr *peer, struct tls_server *tls)
{
	const struct conn_handler *first = s->expects_proxy ? &http_greeting_handler : &http_conn_handler;
	struct conn *c = conn_new(s->loop, fd, peer, first, NULL);
	struct http_conn *hc = conn_seat(c);
	hc->tls = tls;
	http_member_join(s, &hc->member);
	enter(hc, STATE_FRESH);
	if (s->observer->opened != NULL)
		s->observer->opened(s->ctx);
	if (s->expects_proxy && !http_proxy_is_trusted(s, peer))
		close_now(hc, "not a trusted proxy");
	else if (!s->expects_proxy && http_admit(hc) && tls != NULL)
		conn_start_tls(c, tls);
}

size_t http_server_connections(const struct http_server *s)
{
	return s->count;
}

void http_server_drain(struct http_server *s)
{
	s->draining = true;
}

/* A connection that was just accepted stays for the request it was opened for. */
void http_server_end_idle(struct http_server *s)
{
	struct http_member *m;
	LIST_FOREACH (m, &s->members, entry) {
		struct http_conn *hc = container_of(m, struct http_conn, member);
		if (conn_has_handler(conn_of_seat(m), &http_conn_handler) && hc->state == STATE_IDLE)
			close_gracefully(hc, "drain");
	}
}

struct conn *http_switch_conn(struct http_req *req, const char *headers, const struct conn_handler *h)
{
	struct http_request *r = http_request_of(req);
	struct http_conn *hc = r->hc;
	struct http_server *s = r->server;
	if (hc == NULL || conn_is_closing(http_conn_below(hc))) {
		http_answered(r, 101, 0, false);
		return NULL;
	}
	ASSERT(r->body_done);
	struct conn *c = http_conn_below(hc);
	struct buf *out = &s->head;
	buf_clear(out);
	http_begin_head(r, 101, out);
	buf_append_str(out, str_from(headers));
	buf_append(out, "\r\n", 2);
	conn_write(c, out->data, out->len);
	conn_set_timeout(c, 0);

	bool in_input = hc->in_input;
	leave(&hc->member);
	r->hc = NULL; /* so that the answer counts, and nothing else happens */
	memset(conn_seat(c), 0, CONN_SEAT);
	http_member_join(s, conn_seat(c));
	conn_set_handler(c, h, conn_seat(c));
	http_answered(r, 101, out->len, false);
	if (!in_input)
		conn_resume(c);
	return c;
}
