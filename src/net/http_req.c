/* SPDX-License-Identifier: BSD-2-Clause */
/* What a handler may ask of a request: its headers, its query, its segments decoded. */
#include "core/base.h"
#include "net/http.h"

#include <stdio.h>

#include "core/utf8.h"
#include "net/http_priv.h"

const char *http_verb_name(enum http_verb v)
{
	static const char *const name[] = {
		[VERB_GET] = "GET",	  [VERB_HEAD] = "HEAD",	  [VERB_POST] = "POST",	      [VERB_PUT] = "PUT",
		[VERB_DELETE] = "DELETE", [VERB_PATCH] = "PATCH", [VERB_OPTIONS] = "OPTIONS", [VERB_OTHER] = "OTHER",
	};
	return name[v];
}

bool str_is_nocase(struct str s, const char *cstr)
{
	return s.s != NULL && strlen(cstr) == s.len && strncasecmp(s.s, cstr, s.len) == 0;
}

struct str http_trim(struct str s)
{
	while (s.len != 0 && (s.s[0] == ' ' || s.s[0] == '\t'))
		s = (struct str){s.s + 1, s.len - 1};
	while (s.len != 0 && (s.s[s.len - 1] == ' ' || s.s[s.len - 1] == '\t' || s.s[s.len - 1] == '\r'))
		s.len--;
	return s;
}

struct str http_req_header_next(const struct http_req *req, const char *name, size_t *at)
{
	const struct http_request *r = http_request_of(req);
	size_t len = strlen(name);
	while (*at < r->header_count) {
		const struct http_header *h = &r->header[(*at)++];
		if (h->name_len == len && strncasecmp(r->head.data + h->name, name, len) == 0)
			return (struct str){r->head.data + h->value, h->value_len};
	}
	return STR_NULL;
}

struct str http_req_header(const struct http_req *req, const char *name)
{
	size_t at = 0;
	return http_req_header_next(req, name, &at);
}

/* Cuts the first element off a comma-separated list, without the white space around it. */
static struct str next_element(struct str *list)
{
	const char *comma = memchr(list->s, ',', list->len);
	struct str e = {list->s, comma != NULL ? (size_t)(comma - list->s) : list->len};
	size_t used = comma != NULL ? e.len + 1 : e.len;
	*list = (struct str){list->s + used, list->len - used};
	return http_trim(e);
}

bool http_req_header_has(const struct http_req *req, const char *name, const char *token)
{
	struct str list;
	size_t at = 0;
	while ((list = http_req_header_next(req, name, &at)).s != NULL)
		while (list.len != 0)
			if (str_is_nocase(next_element(&list), token))
				return true;
	return false;
}

bool http_req_has_etag(const struct http_req *req, const char *etag)
{
	char weak[64];
	snprintf(weak, sizeof(weak), "W/%s", etag);
	return http_req_header_has(req, "if-none-match", etag) || http_req_header_has(req, "if-none-match", weak) ||
	       http_req_header_has(req, "if-none-match", "*");
}

bool http_req_wants_websocket(const struct http_req *req)
{
	return http_req_header_has(req, "upgrade", "websocket");
}

char *http_req_alloc(struct http_req *req, size_t len)
{
	struct http_note *n = xmalloc(sizeof(*n) + len);
	SLIST_INSERT_HEAD(&http_request_of(req)->notes, n, entry);
	return n->text;
}

int http_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int http_percent_byte(struct str s)
{
	int high = s.len >= 3 && s.s[0] == '%' ? http_hex_digit(s.s[1]) : -1;
	int low = high >= 0 ? http_hex_digit(s.s[2]) : -1;
	return low >= 0 ? high << 4 | low : -1;
}

static int decode(struct http_req *req, struct str from, bool plus_is_space, struct str *out_r)
{
	char *to = http_req_alloc(req, from.len);
	size_t len = 0;
	for (size_t i = 0; i < from.len; i++) {
		char c = from.s[i];
		if (c == '%') {
			int byte = http_percent_byte((struct str){from.s + i, from.len - i});
			if (byte < 0)
				return -1;
			c = (char)byte;
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c == '\0')
			return -1;
		to[len++] = c;
	}
	if (!utf8_valid(to, len))
		return -1;
	*out_r = (struct str){to, len};
	return 0;
}

int http_req_decode(struct http_req *req, struct str segment, struct str *out_r)
{
	return decode(req, segment, false, out_r);
}

/* The name of a parameter as it stands, or encoded. A broken name is the name of none. */
static bool name_is(struct http_req *req, struct str raw, const char *name)
{
	struct str plain;
	if (str_is(raw, name))
		return true;
	return raw.len != 0 && memchr(raw.s, '%', raw.len) != NULL && decode(req, raw, true, &plain) == 0 &&
	       str_is(plain, name);
}

int http_req_query(struct http_req *req, const char *name, struct str *out_r)
{
	struct str q = req->query;
	while (q.len != 0) {
		const char *amp = memchr(q.s, '&', q.len);
		struct str pair = {q.s, amp != NULL ? (size_t)(amp - q.s) : q.len};
		size_t used = amp != NULL ? pair.len + 1 : pair.len;
		q = (struct str){q.s + used, q.len - used};

		const char *eq = pair.len != 0 ? memchr(pair.s, '=', pair.len) : NULL;
		struct str key = {pair.s, eq != NULL ? (size_t)(eq - pair.s) : pair.len};
		if (!name_is(req, key, name))
			continue;
		struct str value = eq != NULL ? (struct str){eq + 1, pair.len - key.len - 1} : STR_LIT("");
		return decode(req, value, true, out_r) == 0 ? 1 : -1;
	}
	return 0;
}
