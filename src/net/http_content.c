/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers with a part of a file, or all of it: decides which, by the conditions and the range that the client gives. */
#include "core/base.h"
#include "net/http.h"

#include <inttypes.h>
#include <unistd.h>

#include "net/http_priv.h"

#define DIGITS_MAX 18

enum range {
	RANGE_NONE, /* all of it */
	RANGE_PART,
	RANGE_NOT_THERE,
};

/* Cuts digits off s: their value, -1 where there are none. More of them than a file can have bytes are INT64_MAX. */
static int64_t cut_number(struct str *s)
{
	int64_t value = 0;
	size_t n = 0;
	for (; n < s->len && s->s[n] >= '0' && s->s[n] <= '9'; n++)
		value = n < DIGITS_MAX ? value * 10 + (s->s[n] - '0') : INT64_MAX;
	*s = (struct str){s->s + n, s->len - n};
	return n == 0 ? -1 : value;
}

/*
 * RFC 9110 section 14.1.2. What is malformed, or asks for several ranges, is as if it was not there.
 */
static enum range parse_range(struct str s, int64_t size, int64_t *first_r, int64_t *len_r)
{
	static const char unit[] = "bytes=";
	const size_t unit_len = sizeof(unit) - 1;
	if (s.len <= unit_len || strncasecmp(s.s, unit, unit_len) != 0)
		return RANGE_NONE;
	s = http_trim((struct str){s.s + unit_len, s.len - unit_len});
	int64_t first = cut_number(&s);
	if (s.len == 0 || s.s[0] != '-')
		return RANGE_NONE;
	s = (struct str){s.s + 1, s.len - 1};
	int64_t last = cut_number(&s);
	if (s.len != 0 || (first < 0 && last < 0) || (first >= 0 && last >= 0 && last < first))
		return RANGE_NONE;
	if (first < 0) { /* the last ones */
		if (last == 0)
			return RANGE_NOT_THERE;
		first = last < size ? size - last : 0;
		last = -1;
	}
	if (first >= size)
		return RANGE_NOT_THERE;
	if (last < 0 || last >= size)
		last = size - 1;
	*first_r = first;
	*len_r = last - first + 1;
	return RANGE_PART;
}

/* The client has a part of this version, or does not say of which (RFC 9110 section 13.1.5). */
static bool is_same_version(const struct http_req *req, const char *etag)
{
	struct str version = http_req_header(req, "if-range");
	return version.s == NULL || (etag != NULL && str_is(version, etag));
}

static enum range find_range(const struct http_req *req, const struct http_content *c, int64_t *first_r, int64_t *len_r)
{
	size_t at = 0;
	struct str range = http_req_header_next(req, "range", &at);
	if (req->verb != VERB_GET || range.s == NULL || !is_same_version(req, c->etag) ||
	    http_req_header_next(req, "range", &at).s != NULL)
		return RANGE_NONE;
	/* No range is within it, so that a proxy which asks for all files in parts would never get it. */
	if (c->size == 0)
		return RANGE_NONE;
	return parse_range(range, c->size, first_r, len_r);
}

static void reply_not_there(struct http_req *req, int64_t size)
{
	struct buf header = {0};
	buf_printf(&header, "Content-Range: bytes */%" PRId64 "\r\n", size);
	http_reply_problem(req, 416, "range_not_satisfiable", "The file ends before this range.", 0, buf_cstr(&header));
	buf_fini(&header);
}

static void reply_part(struct http_req *req, const struct http_content *c, const char *headers, struct http_part *part)
{
	struct buf all = {0};
	int64_t first = 0;
	part->len = c->size;
	enum range range = find_range(req, c, &first, &part->len);
	if (range == RANGE_NOT_THERE) {
		reply_not_there(req, c->size);
		return;
	}
	part->offset = c->offset + first;
	buf_printf(&all, "Content-Type: %s\r\n", c->content_type);
	if (range == RANGE_PART)
		buf_printf(&all, "Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n", first,
			   first + part->len - 1, c->size);
	buf_append_str(&all, str_from(headers));
	http_reply_part(req, range == RANGE_PART ? 206 : 200, buf_cstr(&all), part);
	buf_fini(&all);
}

void http_reply_content(struct http_req *req, const struct http_content *c)
{
	struct http_part part = {.fd = c->fd};
	struct buf headers = {0};
	if (c->etag != NULL)
		buf_printf(&headers, "ETag: %s\r\n", c->etag);
	buf_append_str(&headers, STR_LIT("Accept-Ranges: bytes\r\n"));
	buf_append_str(&headers, str_from(c->headers));
	if (c->etag != NULL && http_req_has_etag(req, c->etag))
		http_reply_blob(req, 304, buf_cstr(&headers), NULL, -1);
	else
		reply_part(req, c, buf_cstr(&headers), &part);
	if (part.fd >= 0)
		close(part.fd);
	buf_fini(&headers);
}
