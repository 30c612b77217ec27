/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head of a request: gathered line by line within its limits, checked, then parsed by http-parser in
 * one piece, so that everything points into one buffer. The only door to http-parser.
 *
 * The checks stand before the parser because it is lenient where two servers in a row may
 * disagree, and more so when built without its strict mode (Debian's is): it takes bare LF for a line's end,
 * a space within a header's name, folded lines. Here a line ends with CRLF and with nothing else.
 */
#include "core/base.h"
#include "net/http_priv.h"

#include <stdlib.h>

#include <http_parser.h>

#include "core/id.h"

#define LENGTH_DIGITS_MAX 18

static const bool tchar[256] = {
	['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['!'] = true, ['#'] = true, ['$'] = true,
	['%'] = true,	      ['&'] = true,	    ['\''] = true,	  ['*'] = true, ['+'] = true, ['-'] = true,
	['.'] = true,	      ['^'] = true,	    ['_'] = true,	  ['`'] = true, ['|'] = true, ['~'] = true,
};

static const bool printable[256] = {[' ' ... '~'] = true};
static const bool value_char[256] = {['\t'] = true, [0x20 ... 0x7e] = true, [0x80 ... 0xff] = true};
/* Of a target: what may stand in a URI, and what browsers leave unencoded in one; no fragment. */
static const bool target_char[256] = {[0x21 ... 0x22] = true, [0x24 ... 0x7e] = true};
static const bool host_char[256] = {
	['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['.'] = true, ['-'] = true, ['_'] = true,
	['~'] = true,	      ['%'] = true,	    ['!'] = true,	  ['$'] = true, ['&'] = true, ['\''] = true,
	['('] = true,	      [')'] = true,	    ['*'] = true,	  ['+'] = true, [';'] = true, ['='] = true,
	[':'] = true,	      ['['] = true,	    [']'] = true,
};

bool http_is_tchar(char c)
{
	return tchar[(unsigned char)c];
}

bool http_is_value_char(char c)
{
	return value_char[(unsigned char)c];
}

const char *http_phrase(int status)
{
	if (status == 460) /* tus 1.0.0 */
		return "Checksum Mismatch";
	return http_status_str((enum http_status)status);
}

static bool all(const bool set[256], const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!set[(unsigned char)s[i]])
			return false;
	return true;
}

struct http_request *http_request_new(struct http_server *s, struct http_conn *hc)
{
	struct http_request *r = xcalloc(1, sizeof(*r));
	r->server = s;
	r->hc = hc;
	r->pub.verb = VERB_OTHER;
	r->pub.path = r->pub.sent_path = r->pub.body = STR_LIT("");
	r->pub.peer = &r->peer;
	r->pub.started_usecs = clock_usecs();
	r->minor = 1;
	SLIST_INIT(&r->notes);
	LIST_INSERT_HEAD(&s->requests, r, entry);
	return r;
}

void http_request_free(struct http_request *r)
{
	struct http_note *n;
	http_body_free(r);
	if (r->server != NULL) {
		loop_undefer(r->server->loop, &r->resumed);
		LIST_REMOVE(r, entry);
	}
	while ((n = SLIST_FIRST(&r->notes)) != NULL) {
		SLIST_REMOVE_HEAD(&r->notes, entry);
		free(n);
	}
	buf_fini(&r->head);
	free(r->header);
	free(r);
}

static enum http_progress refuse(struct http_refusal *why_r, int status, const char *code, const char *detail)
{
	*why_r = (struct http_refusal){status, code, detail};
	return HTTP_REFUSED;
}

static enum http_progress malformed(struct http_refusal *why_r, const char *detail)
{
	return refuse(why_r, 400, "malformed_request", detail);
}

/* ---- lines ---- */

static enum http_progress check_version(const char *v, size_t len, struct http_refusal *why_r)
{
	if (len != 8 || memcmp(v, "HTTP/", 5) != 0 || v[5] < '0' || v[5] > '9' || v[6] != '.' || v[7] < '0' ||
	    v[7] > '9')
		return malformed(why_r, "The request line has no valid HTTP version.");
	if (v[5] != '1' || v[7] > '1')
		return refuse(why_r, 505, "version_not_supported", "HTTP/1.1 is spoken here.");
	return HTTP_MORE;
}

static enum http_progress check_request_line(const char *line, size_t len, struct http_refusal *why_r)
{
	const char *end = line + len, *sp1 = memchr(line, ' ', len);
	const char *sp2 = sp1 != NULL ? memchr(sp1 + 1, ' ', (size_t)(end - sp1 - 1)) : NULL;
	if (sp2 == NULL || sp1 == line || sp2 == sp1 + 1)
		return malformed(why_r, "The request line is malformed.");
	size_t method_len = (size_t)(sp1 - line);
	if (!all(tchar, line, method_len))
		return malformed(why_r, "The method is malformed.");
	if (!all(target_char, sp1 + 1, (size_t)(sp2 - sp1 - 1)))
		return malformed(why_r, "The request target is malformed.");
	enum http_progress p = check_version(sp2 + 1, (size_t)(end - sp2 - 1), why_r);
	if (p == HTTP_MORE && method_len == 7 && memcmp(line, "CONNECT", 7) == 0)
		return refuse(why_r, 501, "not_implemented", "This server is no proxy.");
	return p;
}

static enum http_progress check_header_line(const char *line, size_t len, struct http_refusal *why_r)
{
	const char *colon = memchr(line, ':', len);
	if (colon == NULL || colon == line || !all(tchar, line, (size_t)(colon - line)) ||
	    !all(value_char, colon + 1, (size_t)(line + len - colon - 1)))
		return malformed(why_r, "A header line is malformed.");
	return HTTP_MORE;
}

/* So many bytes of the current line, without its end, would be there: the limits. */
static enum http_progress check_size(const struct http_request *r, size_t line_len, struct http_refusal *why_r)
{
	if (r->headers_start == 0 && line_len > HTTP_REQUEST_LINE_MAX)
		return refuse(why_r, 414, "uri_too_long", "The request line is too long.");
	if (r->headers_start != 0 && r->line - r->headers_start + line_len > HTTP_HEADERS_MAX)
		return refuse(why_r, 431, "headers_too_large", "The headers are too large.");
	return HTTP_MORE;
}

/* The line that begins at r->line is whole. */
static enum http_progress end_line(struct http_request *r, struct http_refusal *why_r)
{
	const char *line = r->head.data + r->line;
	size_t len = r->head.len - r->line - 1;
	enum http_progress p;
	if (len == 0 || line[len - 1] != '\r')
		return malformed(why_r, "A line does not end with CRLF.");
	len--;
	if (r->headers_start == 0) {
		p = check_request_line(line, len, why_r);
		r->headers_start = r->head.len;
	} else if (len == 0) {
		p = HTTP_COMPLETE;
	} else {
		p = check_header_line(line, len, why_r);
	}
	r->line = r->head.len;
	return p;
}

/* ---- http-parser ---- */

static struct http_request *request_of(http_parser *p)
{
	return p->data;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
	request_of(p)->target = (struct str){at, len};
	return 0;
}

static uint16_t offset(const struct http_request *r, const char *at)
{
	return (uint16_t)(at - r->head.data);
}

static int on_field(http_parser *p, const char *at, size_t len)
{
	struct http_request *r = request_of(p);
	if (r->header_count == r->header_max) {
		/* HTTP_HEADERS_MAX bytes hold some thousand at most. */
		r->header_max = r->header_max != 0 ? r->header_max * 2 : 16;
		r->header = xrealloc(r->header, r->header_max * sizeof(*r->header));
	}
	r->header[r->header_count++] = (struct http_header){.name = offset(r, at), .name_len = (uint16_t)len};
	return 0;
}

static int on_value(http_parser *p, const char *at, size_t len)
{
	struct http_request *r = request_of(p);
	struct http_header *h = &r->header[r->header_count - 1];
	while (len != 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
		len--;
	h->value = offset(r, at);
	h->value_len = (uint16_t)len;
	return 0;
}

/* The body is ours to read: 1 keeps the parser from expecting it. */
static int on_headers_complete(http_parser *p)
{
	request_of(p)->keep_alive = http_should_keep_alive(p) != 0;
	return 1;
}

static enum http_verb verb_of(const http_parser *p)
{
	switch (p->method) {
	case HTTP_GET:
		return VERB_GET;
	case HTTP_HEAD:
		return VERB_HEAD;
	case HTTP_POST:
		return VERB_POST;
	case HTTP_PUT:
		return VERB_PUT;
	case HTTP_DELETE:
		return VERB_DELETE;
	case HTTP_PATCH:
		return VERB_PATCH;
	case HTTP_OPTIONS:
		return VERB_OPTIONS;
	default:
		return VERB_OTHER;
	}
}

static enum http_progress parse(struct http_request *r, struct http_refusal *why_r)
{
	static const http_parser_settings settings = {
		.on_url = on_url,
		.on_header_field = on_field,
		.on_header_value = on_value,
		.on_headers_complete = on_headers_complete,
	};
	http_parser p;
	http_parser_init(&p, HTTP_REQUEST);
	p.data = r;
	http_parser_execute(&p, &settings, r->head.data, r->head.len);
	switch (HTTP_PARSER_ERRNO(&p)) {
	case HPE_OK:
		break;
	case HPE_INVALID_METHOD:
		return refuse(why_r, 501, "not_implemented", "This method is not known here.");
	default:
		return malformed(why_r, "The request is malformed.");
	}
	r->pub.verb = verb_of(&p);
	r->minor = (uint8_t)p.http_minor;
	return HTTP_COMPLETE;
}

/* ---- what the headers mean for the connection ---- */

static struct str value_of(const struct http_request *r, const char *name, size_t *count_r)
{
	struct str first = STR_NULL, next;
	size_t at = 0;
	*count_r = 0;
	while ((next = http_req_header_next(&r->pub, name, &at)).s != NULL)
		if ((*count_r)++ == 0)
			first = next;
	return first;
}

/*
 * RFC 3986 section 6.2.2.2: a path is the same with its unreserved characters encoded. Everything else, a slash above
 * all, stays as it was sent.
 */
static struct str normalise(struct http_request *r, struct str path)
{
	static const char plain[] = "-._~";
	if (path.len == 0 || memchr(path.s, '%', path.len) == NULL)
		return path;
	char *to = http_req_alloc(&r->pub, path.len);
	size_t len = 0;
	for (size_t i = 0; i < path.len; i++) {
		int byte = http_percent_byte((struct str){path.s + i, path.len - i});
		bool unreserved = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
				  (byte >= 'a' && byte <= 'z') || (byte > 0 && strchr(plain, byte) != NULL);
		to[len++] = unreserved ? (char)byte : path.s[i];
		i += unreserved ? 2 : 0;
	}
	return (struct str){to, len};
}

/* The authority at the front of an absolute target is cut off. */
static enum http_progress check_target(struct http_request *r, struct http_refusal *why_r)
{
	struct str t = r->target;
	size_t scheme = t.len > 7 && strncasecmp(t.s, "http://", 7) == 0    ? 7
			: t.len > 8 && strncasecmp(t.s, "https://", 8) == 0 ? 8
									    : 0;
	if (scheme != 0) {
		size_t end = scheme;
		while (end < t.len && t.s[end] != '/' && t.s[end] != '?')
			end++;
		r->host = (struct str){t.s + scheme, end - scheme};
		if (r->host.len == 0 || !all(host_char, r->host.s, r->host.len))
			return malformed(why_r, "The request target is malformed.");
		t = (struct str){t.s + end, t.len - end};
	} else if (t.s[0] != '/' && !(r->pub.verb == VERB_OPTIONS && str_is(t, "*"))) {
		return malformed(why_r, "The request target is malformed.");
	}
	const char *mark = t.len != 0 ? memchr(t.s, '?', t.len) : NULL;
	if (mark != NULL) {
		r->pub.query = (struct str){mark + 1, (size_t)(t.s + t.len - mark - 1)};
		t.len = (size_t)(mark - t.s);
	}
	r->pub.sent_path = t.len != 0 ? t : STR_LIT("/");
	r->pub.path = normalise(r, r->pub.sent_path);
	return HTTP_COMPLETE;
}

static enum http_progress check_host(struct http_request *r, struct http_refusal *why_r)
{
	size_t count;
	struct str host = value_of(r, "host", &count);
	if (count > 1 || (count == 0 && r->minor >= 1))
		return malformed(why_r, "There has to be one Host header.");
	if (count == 1 && !all(host_char, host.s, host.len))
		return malformed(why_r, "The Host header is malformed.");
	if (r->host.s == NULL)
		r->host = host;
	return HTTP_COMPLETE;
}

static enum http_progress check_framing(struct http_request *r, struct http_refusal *why_r)
{
	size_t lengths, codings;
	struct str length = value_of(r, "content-length", &lengths);
	struct str coding = value_of(r, "transfer-encoding", &codings);
	if (lengths + codings > 1)
		return malformed(why_r, "The length of the body is given twice.");
	if (codings != 0) {
		if (r->minor == 0)
			return malformed(why_r, "HTTP/1.0 has no transfer codings.");
		if (!str_is_nocase(coding, "chunked"))
			return refuse(why_r, 501, "not_implemented", "This transfer coding is not known here.");
		r->pub.content_length = -1;
		return HTTP_COMPLETE;
	}
	if (lengths == 0)
		return HTTP_COMPLETE;
	if (length.len == 0 || length.len > LENGTH_DIGITS_MAX)
		return malformed(why_r, "The Content-Length is malformed.");
	for (size_t i = 0; i < length.len; i++) {
		if (length.s[i] < '0' || length.s[i] > '9')
			return malformed(why_r, "The Content-Length is malformed.");
		r->pub.content_length = r->pub.content_length * 10 + (length.s[i] - '0');
	}
	r->body_left = r->pub.content_length;
	return HTTP_COMPLETE;
}

static enum http_progress check_expect(struct http_request *r, struct http_refusal *why_r)
{
	size_t count;
	struct str expect = value_of(r, "expect", &count);
	if (count > 1 || (count == 1 && !str_is_nocase(expect, "100-continue")))
		return refuse(why_r, 417, "expectation_failed", "Only 100-continue can be expected.");
	r->expects_continue = count == 1 && r->minor >= 1 && r->pub.content_length != 0;
	return HTTP_COMPLETE;
}

static enum http_progress finish(struct http_request *r, struct http_refusal *why_r)
{
	enum http_progress p = parse(r, why_r);
	if (p == HTTP_COMPLETE) {
		struct str id = http_req_header(&r->pub, "x-request-id");
		if (id.s != NULL && id.len >= 1 && id.len <= HTTP_REQUEST_ID_MAX && all(printable, id.s, id.len))
			memcpy(r->pub.id, id.s, id.len);
		else
			id_random(r->pub.id, HTTP_REQUEST_ID_LEN);
		p = check_target(r, why_r);
	}
	if (p == HTTP_COMPLETE)
		p = check_host(r, why_r);
	if (p == HTTP_COMPLETE)
		p = check_framing(r, why_r);
	if (p == HTTP_COMPLETE)
		p = check_expect(r, why_r);
	return p;
}

enum http_progress http_head_input(struct http_request *r, const char *data, size_t len, size_t *used_r,
				   struct http_refusal *why_r)
{
	size_t used = 0;
	enum http_progress p = HTTP_MORE;
	if (r->head.len == 0 && !http_is_tchar(data[0])) {
		*used_r = 0;
		return malformed(why_r, "This is no HTTP request.");
	}
	buf_reserve(&r->head, len < 1024 ? len : 1024);
	while (used < len && p == HTTP_MORE) {
		const char *lf = memchr(data + used, '\n', len - used);
		size_t n = lf != NULL ? (size_t)(lf - data) + 1 - used : len - used;
		size_t line_len = r->head.len - r->line + n;
		/* The line's end does not count, whether all of it is here or half. */
		p = check_size(r, line_len > 2 ? line_len - 2 : 0, why_r);
		if (p != HTTP_MORE)
			break;
		buf_append(&r->head, data + used, n);
		used += n;
		if (lf != NULL)
			p = end_line(r, why_r);
	}
	*used_r = used;
	return p == HTTP_COMPLETE ? finish(r, why_r) : p;
}
