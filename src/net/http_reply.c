/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes answers: the headers that all have, lengths, problems. Decides nothing about what becomes of the connection.
 */
#include "core/base.h"
#include "net/http.h"

#include "core/id.h"
#include "net/http_priv.h"

#define CLOSE "Connection: close\r\n"
#define STAY "Connection: keep-alive\r\n"

static const char *date_now(struct http_server *s)
{
	int64_t now_ms = clock_wall_ms();
	if (s->date_secs != now_ms / 1000) {
		s->date_secs = now_ms / 1000;
		clock_format_http(s->date, now_ms);
	}
	return s->date;
}

void http_begin_head(struct http_request *r, int status, struct buf *out)
{
	buf_append_str(out, STR_LIT("HTTP/1.1 "));
	buf_append_u64(out, (uint64_t)status);
	buf_append_char(out, ' ');
	buf_append_str(out, str_from(http_phrase(status)));
	buf_append_str(out, STR_LIT("\r\nServer: tidings\r\nDate: "));
	buf_append(out, date_now(r->server), CLOCK_HTTP_LEN);
	buf_append_str(out, STR_LIT("\r\nX-Request-Id: "));
	buf_append_str(out, str_from(r->pub.id));
	buf_append_str(out, STR_LIT("\r\nX-Content-Type-Options: nosniff\r\n"));
	http_cors_headers(r, out);
}

struct reply {
	int status;
	const char *content_type; /* NULL: among the headers, or none */
	bool no_store;
	const char *headers; /* whole lines; NULL: no others */
	/* Alternatives. */
	struct str body;
	struct blob *blob;
	struct http_part *part;
	int64_t length; /* -1: there is no Content-Length */
};

static void put_content_type(struct buf *out, const char *type)
{
	if (type == NULL)
		return;
	buf_append_str(out, STR_LIT("Content-Type: "));
	buf_append_str(out, str_from(type));
	buf_append_str(out, STR_LIT("\r\n"));
}

static void put_body(struct conn *c, const struct reply *p)
{
	if (p->part != NULL) {
		conn_write_file(c, p->part->fd, p->part->offset, p->part->len);
		p->part->fd = -1;
	} else if (p->blob != NULL)
		conn_write_blob(c, p->blob);
	else
		conn_write(c, p->body.s, p->body.len);
}

/* Queues the answer. */
static void answer(struct http_request *r, const struct reply *p)
{
	if (r->hc == NULL) {
		http_answered(r, p->status, 0, false);
		return;
	}
	bool keep_alive = http_can_keep_alive(r);
	struct conn *c = http_conn_of(r);
	struct buf *head = &r->server->head;
	buf_clear(head);
	http_begin_head(r, p->status, head);
	if (p->length >= 0) {
		buf_append_str(head, STR_LIT("Content-Length: "));
		buf_append_u64(head, (uint64_t)p->length);
		buf_append_str(head, STR_LIT("\r\n"));
	}
	if (!keep_alive)
		buf_append_str(head, STR_LIT(CLOSE));
	else if (r->minor == 0)
		buf_append_str(head, STR_LIT(STAY));
	put_content_type(head, p->content_type);
	if (p->no_store && (p->headers == NULL || strstr(p->headers, "Cache-Control: ") == NULL))
		buf_append_str(head, STR_LIT("Cache-Control: no-store\r\n"));
	buf_append_str(head, str_from(p->headers));
	buf_append_str(head, STR_LIT("\r\n"));

	size_t bytes = head->len;
	conn_write(c, head->data, head->len);
	if (r->pub.verb != VERB_HEAD && p->length > 0) {
		bytes += (size_t)p->length;
		put_body(c, p);
	}
	http_answered(r, p->status, bytes, keep_alive);
}

void http_reply_blob(struct http_req *req, int status, const char *headers, struct blob *blob, int64_t length)
{
	answer(http_request_of(req),
	       &(struct reply){.status = status, .headers = headers, .blob = blob, .length = length});
}

void http_reply_part(struct http_req *req, int status, const char *headers, struct http_part *part)
{
	answer(http_request_of(req),
	       &(struct reply){.status = status, .headers = headers, .part = part, .length = part->len});
}

void http_reply_immutable(struct http_req *req, const char *etag, const char *content_type, struct blob *content)
{
	struct buf headers = {0};
	/* Opened by itself a picture is a document, too. */
	buf_printf(&headers,
		   "ETag: %s\r\nCache-Control: public, max-age=31536000, immutable\r\n"
		   "Content-Security-Policy: default-src 'none'; sandbox\r\nCross-Origin-Resource-Policy: "
		   "cross-origin\r\n",
		   etag);
	if (http_req_has_etag(req, etag)) {
		http_reply_blob(req, 304, buf_cstr(&headers), NULL, -1);
	} else {
		buf_printf(&headers, "Content-Type: %s\r\n", content_type);
		http_reply_blob(req, 200, buf_cstr(&headers), content, (int64_t)content->len);
	}
	buf_fini(&headers);
}

size_t http_reply_head(struct http_request *r, const char *content_type, const char *headers)
{
	struct buf *head = &r->server->head;
	buf_clear(head);
	http_begin_head(r, 200, head);
	if (!http_can_keep_alive(r))
		buf_append_str(head, STR_LIT(CLOSE));
	put_content_type(head, content_type);
	buf_append_str(head, STR_LIT("Cache-Control: no-store\r\n"));
	buf_append_str(head, str_from(headers));
	buf_append_str(head, STR_LIT("\r\n"));
	conn_write(http_conn_of(r), head->data, head->len);
	return head->len;
}

/* RFC 9110 section 8.6: these have no Content-Length. */
static int64_t length_of(int status, struct str body)
{
	return status < 200 || status == 204 || status == 304 ? -1 : (int64_t)body.len;
}

static void reply_fresh(struct http_request *r, int status, const char *content_type, const char *headers,
			struct str body)
{
	answer(r, &(struct reply){.status = status,
				  .content_type = content_type,
				  .no_store = true,
				  .headers = headers,
				  .body = body,
				  .length = length_of(status, body)});
}

void http_reply(struct http_req *req, int status, const char *content_type, const char *headers, struct str body)
{
	reply_fresh(http_request_of(req), status, content_type, headers, body);
}

static struct str render_problem(struct http_request *r, int status, const char *code, const char *detail)
{
	struct http_server *s = r->server;
	struct json_out *o = s->json;
	buf_clear(&s->body);
	json_begin(o, &s->body);
	json_object(o);
	json_put_cstr(o, "type", "about:blank");
	json_put_cstr(o, "title", http_phrase(status));
	json_key(o, "status");
	json_i64(o, status);
	json_put_cstr(o, "code", code);
	json_put_cstr(o, "detail", detail);
	json_put_cstr(o, "request_id", r->pub.id);
	json_object_end(o);
	return (struct str){s->body.data, s->body.len};
}

void http_reply_problem(struct http_req *req, int status, const char *code, const char *detail, int retry_after_secs,
			const char *headers)
{
	struct http_request *r = http_request_of(req);
	if (r->hc == NULL) {
		http_answered(r, status, 0, false);
		return;
	}
	struct buf lines = {0};
	if (status == 401)
		buf_append_str(&lines, STR_LIT("WWW-Authenticate: Bearer\r\n"));
	if (status == 426)
		buf_append_str(&lines, STR_LIT("Upgrade: websocket\r\nConnection: Upgrade\r\n"));
	if (retry_after_secs > 0)
		buf_printf(&lines, "Retry-After: %d\r\n", retry_after_secs);
	buf_append_str(&lines, str_from(headers));
	struct str body = render_problem(r, status, code, detail);
	reply_fresh(r, status, "application/problem+json", buf_cstr(&lines), body);
	buf_fini(&lines);
}

void http_refuse(struct http_request *r, const struct http_refusal *why)
{
	r->keep_alive = false;
	if (r->pub.id[0] == '\0')
		id_random(r->pub.id, HTTP_REQUEST_ID_LEN);
	http_reply_problem(&r->pub, why->status, why->code, why->detail, why->status == 503 ? 1 : 0, NULL);
}
