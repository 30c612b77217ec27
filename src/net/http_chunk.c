/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chunked transfer coding (RFC 9112 section 7.1). Decides what of it is
 * taken: exact CRLFs, sizes of plain hexadecimal digits, few bytes of extensions and trailers (which are dropped).
 *
 * Not left to http-parser: it is commonly built without its strict mode (Debian's is) and then takes any byte
 * for the CR and LF around a chunk, on which two servers in a row may disagree.
 */
#include "core/base.h"
#include "net/http_priv.h"

#define SIZE_DIGITS_MAX 16
#define OVERHEAD_MAX 4096

enum chunk_state {
	CHUNK_SIZE, /* the initial one */
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER, /* at the beginning of a line */
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
	CHUNK_END,
};

static const struct http_refusal malformed = {400, "malformed_request", "The chunked body is malformed."};
static const struct http_refusal too_long = {431, "headers_too_large",
					     "The chunks' extensions or trailers are too long."};
static const struct http_refusal too_large = {413, "payload_too_large", "The body is too large."};

static const struct http_refusal *in_size(struct http_chunked *c, char ch)
{
	int digit = http_hex_digit(ch);
	if (digit >= 0) {
		if (c->digits == SIZE_DIGITS_MAX)
			return &malformed;
		c->digits++;
		c->left = c->left << 4 | (unsigned)digit;
		return NULL;
	}
	if (c->digits == 0 || (ch != '\r' && ch != ';'))
		return &malformed;
	c->state = ch == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
	return NULL;
}

/* A chunk's size is known. */
static const struct http_refusal *begin_data(struct http_chunked *c, size_t max)
{
	if (c->left > max || c->content > max - c->left)
		return &too_large;
	c->digits = 0;
	c->state = c->left == 0 ? CHUNK_TRAILER : CHUNK_DATA;
	return NULL;
}

static const struct http_refusal *in_trailer(struct http_chunked *c, char ch)
{
	switch ((enum chunk_state)c->state) {
	case CHUNK_TRAILER:
		if (ch != '\r' && !http_is_tchar(ch))
			return &malformed;
		c->state = ch == '\r' ? CHUNK_END_LF : CHUNK_TRAILER_NAME;
		return NULL;
	case CHUNK_TRAILER_NAME:
		if (ch == ':')
			c->state = CHUNK_TRAILER_VALUE;
		else if (!http_is_tchar(ch))
			return &malformed;
		return NULL;
	default:
		if (ch == '\r')
			c->state = CHUNK_TRAILER_LF;
		else if (!http_is_value_char(ch))
			return &malformed;
		return NULL;
	}
}

/* The next byte must be this one. */
static const struct http_refusal *expect(struct http_chunked *c, char ch, char want, enum chunk_state next)
{
	c->state = next;
	return ch == want ? NULL : &malformed;
}

/* One byte of what is not content. */
static const struct http_refusal *step(struct http_chunked *c, char ch, size_t max)
{
	switch ((enum chunk_state)c->state) {
	case CHUNK_SIZE:
		return in_size(c, ch);
	case CHUNK_EXTENSION:
		if (ch == '\r')
			c->state = CHUNK_SIZE_LF;
		else if (!http_is_value_char(ch))
			return &malformed;
		return ++c->overhead > OVERHEAD_MAX ? &too_long : NULL;
	case CHUNK_SIZE_LF:
		return ch == '\n' ? begin_data(c, max) : &malformed;
	case CHUNK_DATA_CR:
		return expect(c, ch, '\r', CHUNK_DATA_LF);
	case CHUNK_DATA_LF:
		return expect(c, ch, '\n', CHUNK_SIZE);
	case CHUNK_TRAILER:
	case CHUNK_TRAILER_NAME:
	case CHUNK_TRAILER_VALUE:
		return ++c->overhead > OVERHEAD_MAX ? &too_long : in_trailer(c, ch);
	case CHUNK_TRAILER_LF:
		return expect(c, ch, '\n', CHUNK_TRAILER);
	case CHUNK_END_LF:
		return expect(c, ch, '\n', CHUNK_END);
	case CHUNK_DATA:
	case CHUNK_END:
		break;
	}
	return &malformed;
}

enum http_progress http_chunk_input(struct http_chunked *c, const char *data, size_t len, size_t *used_r,
				    struct buf *to, size_t max, struct http_refusal *why_r)
{
	size_t used = 0;
	while (used < len && c->state != CHUNK_END) {
		if (c->state == CHUNK_DATA) {
			size_t n = c->left < len - used ? (size_t)c->left : len - used;
			buf_append(to, data + used, n);
			used += n;
			c->left -= n;
			c->content += n;
			if (c->left == 0)
				c->state = CHUNK_DATA_CR;
			continue;
		}
		const struct http_refusal *why = step(c, data[used++], max);
		if (why != NULL) {
			*why_r = *why;
			*used_r = used;
			return HTTP_REFUSED;
		}
	}
	*used_r = used;
	return c->state == CHUNK_END ? HTTP_COMPLETE : HTTP_MORE;
}
