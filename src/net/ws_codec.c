/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RFC 6455 framing, server side. Decides what is a frame and which fault gets which
 * close code; must not know sockets, time or what the messages mean.
 *
 * A whole unfragmented frame is handed over where it lies. Only what stops in the
 * middle is copied: into a struct ws_partial that lives until the message is complete.
 */
#include "core/base.h"
#include "net/ws_codec.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "core/log.h"
#include "core/utf8.h"

#define FIN 0x80
#define RSV 0x70
#define RSV1 0x40 /* on the first frame of a compressed message (RFC 7692 section 6) */
#define OPCODE 0x0f
#define CONTROL 0x08
#define MASKED 0x80
#define LEN16 126
#define LEN64 127

/* 2 + the longest length + the mask */
#define HEAD_MAX 14
#define MORE (-1)
#define STOPPED (-1)

struct head {
	uint8_t op;
	bool fin, packed;
	size_t size; /* of the header itself */
	size_t payload_len;
	uint32_t mask; /* in wire order, its first byte for the next payload byte */
};

/* The frame or message that is partly there. Exists only if head_len, remaining or in_message is not zero. */
struct ws_partial {
	struct intake_entry intake; /* the owner's, see ws_decoder_intake */
	struct buf message;	    /* the payload of a fragmented message or of a frame not yet whole */
	unsigned utf8;		    /* the state of utf8_continue after it, unless it is packed */
	bool in_message;	    /* a data frame without FIN has begun it */
	bool packed;		    /* it is compressed */
	uint8_t op, fin;	    /* of the frame whose payload is being read */
	uint8_t head_len, control_len;
	uint32_t mask;
	size_t remaining; /* payload bytes of this frame still to come */
	union {
		uint8_t head[HEAD_MAX];	      /* while remaining == 0 */
		char control[WS_CONTROL_MAX]; /* while remaining != 0 and op is a control frame's */
	};
};

struct sink {
	const struct ws_codec_events *ev;
	void *ctx;
	const char **reason_r;
	size_t max_message;
};

static int fault(const struct sink *s, int code, const char *reason)
{
	*s->reason_r = reason;
	return code;
}

static bool in_message(const struct ws_decoder *d)
{
	return d->partial != NULL && d->partial->in_message;
}

static struct ws_partial *partial_get(struct ws_decoder *d)
{
	if (d->partial == NULL)
		d->partial = xcalloc(1, sizeof(*d->partial));
	return d->partial;
}

void ws_decoder_fini(struct ws_decoder *d)
{
	if (d->partial == NULL)
		return;
	intake_end(&d->partial->intake);
	buf_fini(&d->partial->message);
	free(d->partial);
	d->partial = NULL;
}

struct intake_entry *ws_decoder_intake(const struct ws_decoder *d)
{
	return d->partial != NULL ? &d->partial->intake : NULL;
}

size_t ws_decoder_memory(const struct ws_decoder *d)
{
	return d->partial != NULL ? sizeof(*d->partial) + d->partial->message.cap : 0;
}

static void unmask(char *data, size_t len, uint32_t mask)
{
	uint64_t word, mask64 = (uint64_t)mask << 32 | mask;
	for (; len >= sizeof(word); data += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		word ^= mask64;
		memcpy(data, &word, sizeof(word));
	}
	char rest[sizeof(mask64)];
	memcpy(rest, &mask64, sizeof(rest));
	for (size_t i = 0; i < len; i++)
		data[i] ^= rest[i];
}

static uint32_t mask_advance(uint32_t mask, size_t by)
{
	char in[sizeof(mask)], out[sizeof(mask)];
	memcpy(in, &mask, sizeof(mask));
	for (size_t i = 0; i < sizeof(mask); i++)
		out[i] = in[(i + by) % sizeof(mask)];
	memcpy(&mask, out, sizeof(mask));
	return mask;
}

static int check_first_byte(const struct ws_decoder *d, uint8_t b, const struct sink *s)
{
	uint8_t op = b & OPCODE;
	bool may_be_packed = s->ev->unpack != NULL && (op == WS_TEXT || op == WS_BINARY);
	if (b & (may_be_packed ? RSV & ~RSV1 : RSV))
		return fault(s, WS_CLOSE_PROTOCOL_ERROR, "reserved bits are set");
	switch (op) {
	case WS_CONTINUATION:
		return in_message(d) ? 0 : fault(s, WS_CLOSE_PROTOCOL_ERROR, "nothing to continue");
	case WS_TEXT:
		return !in_message(d) ? 0 : fault(s, WS_CLOSE_PROTOCOL_ERROR, "message within a message");
	case WS_BINARY:
		return in_message(d) ? fault(s, WS_CLOSE_PROTOCOL_ERROR, "message within a message")
				     : fault(s, WS_CLOSE_UNSUPPORTED, "binary messages are not taken");
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		return b & FIN ? 0 : fault(s, WS_CLOSE_PROTOCOL_ERROR, "fragmented control frame");
	default:
		return fault(s, WS_CLOSE_PROTOCOL_ERROR, "reserved opcode");
	}
}

static uint64_t read_be(const uint8_t *p, size_t count)
{
	uint64_t v = 0;
	while (count-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* What a message may take on the wire: DEFLATE has codes of 9 bits for some bytes, and blocks have headers. */
static size_t max_on_wire(const struct sink *s, bool packed)
{
	return packed ? s->max_message + s->max_message / 8 + 64 : s->max_message;
}

static int check_length(const struct ws_decoder *d, const struct head *h, size_t extended, uint64_t len,
			const struct sink *s)
{
	if ((extended == 2 && len < LEN16) || (extended == 8 && len <= UINT16_MAX))
		return fault(s, WS_CLOSE_PROTOCOL_ERROR, "length is not minimally encoded");
	if (len >> 63)
		return fault(s, WS_CLOSE_PROTOCOL_ERROR, "length is over 63 bits");
	size_t have = in_message(d) ? d->partial->message.len : 0;
	size_t max = max_on_wire(s, in_message(d) ? d->partial->packed : h->packed);
	if (!(h->op & CONTROL) && (have > max || len > max - have))
		return fault(s, WS_CLOSE_TOO_BIG, "message is too big");
	return 0;
}

/* Reads a header as far as it is there: 0 when it is whole, MORE, or the close code of the first fault in it. */
static int head_parse(const struct ws_decoder *d, const uint8_t *p, size_t len, struct head *h, const struct sink *s)
{
	int rc = check_first_byte(d, p[0], s);
	if (rc != 0)
		return rc;
	if (len < 2)
		return MORE;
	h->op = p[0] & OPCODE;
	h->fin = p[0] & FIN;
	h->packed = p[0] & RSV1;
	uint8_t len7 = p[1] & ~MASKED;
	if (!(p[1] & MASKED))
		return fault(s, WS_CLOSE_PROTOCOL_ERROR, "frame is not masked");
	if ((h->op & CONTROL) && len7 > WS_CONTROL_MAX)
		return fault(s, WS_CLOSE_PROTOCOL_ERROR, "control frame is too long");

	size_t extended = len7 == LEN16 ? 2 : len7 == LEN64 ? 8 : 0;
	h->size = 2 + extended + sizeof(h->mask);
	if (len < 2 + extended)
		return MORE;
	uint64_t payload_len = extended != 0 ? read_be(p + 2, extended) : len7;
	rc = check_length(d, h, extended, payload_len, s);
	if (rc != 0)
		return rc;
	h->payload_len = payload_len;
	if (len < h->size)
		return MORE;
	memcpy(&h->mask, p + 2 + extended, sizeof(h->mask));
	return 0;
}

bool ws_close_code_valid(int code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static int give_close(const struct sink *s, const char *data, size_t len)
{
	if (len == 0)
		return s->ev->close(s->ctx, WS_CLOSE_NO_STATUS, "", 0) ? 0 : STOPPED;
	if (len == 1)
		return fault(s, WS_CLOSE_PROTOCOL_ERROR, "close frame of one byte");
	int code = (int)read_be((const uint8_t *)data, 2);
	if (!ws_close_code_valid(code))
		return fault(s, WS_CLOSE_PROTOCOL_ERROR, "invalid close code");
	if (!utf8_valid(data + 2, len - 2))
		return fault(s, WS_CLOSE_INVALID_TEXT, "close reason is not UTF-8");
	return s->ev->close(s->ctx, code, data + 2, len - 2) ? 0 : STOPPED;
}

static int give_control(const struct sink *s, uint8_t op, const char *data, size_t len)
{
	if (op == WS_CLOSE)
		return give_close(s, data, len);
	return (op == WS_PING ? s->ev->ping : s->ev->pong)(s->ctx, data, len) ? 0 : STOPPED;
}

static int give_text(const struct sink *s, const char *data, size_t len)
{
	if (!utf8_valid(data, len))
		return fault(s, WS_CLOSE_INVALID_TEXT, "text is not UTF-8");
	return s->ev->text(s->ctx, data, len) ? 0 : STOPPED;
}

static int give_packed(const struct sink *s, const char *data, size_t len)
{
	struct buf text = {0};
	int rc;
	/* Section 7.4.1 of RFC 6455: 1007 is for data "not consistent with the type of the message". */
	switch (s->ev->unpack(s->ctx, (struct str){data, len}, s->max_message, &text)) {
	case WS_UNPACKED:
		rc = give_text(s, text.data != NULL ? text.data : "", text.len);
		break;
	case WS_UNPACK_TOO_BIG:
		rc = fault(s, WS_CLOSE_TOO_BIG, "message is too big");
		break;
	default:
		rc = fault(s, WS_CLOSE_INVALID_TEXT, "message is not compressed as it should be");
	}
	buf_fini(&text);
	return rc;
}

static int message_append(struct ws_partial *p, const char *data, size_t len, const struct sink *s)
{
	if (!p->packed)
		p->utf8 = utf8_continue(p->utf8, data, len);
	if (p->utf8 == UTF8_REJECT)
		return fault(s, WS_CLOSE_INVALID_TEXT, "text is not UTF-8");
	if (len != 0)
		buf_append(&p->message, data, len);
	return 0;
}

/* A data frame's payload has been appended whole: the message is complete, or its next fragment awaited. */
static int message_frame_end(struct ws_decoder *d, bool fin, const struct sink *s)
{
	struct ws_partial *p = d->partial;
	if (!fin) {
		p->in_message = true;
		return 0;
	}
	if (p->utf8 != UTF8_ACCEPT)
		return fault(s, WS_CLOSE_INVALID_TEXT, "text is not UTF-8");
	struct buf message = p->message;
	bool packed = p->packed;
	p->message = (struct buf){0};
	ws_decoder_fini(d);
	const char *data = message.data != NULL ? message.data : "";
	int rc;
	if (packed)
		rc = give_packed(s, data, message.len);
	else
		rc = s->ev->text(s->ctx, data, message.len) ? 0 : STOPPED;
	buf_fini(&message);
	return rc;
}

/* The whole payload lies in the input, unmasked. */
static int frame_whole(struct ws_decoder *d, const struct head *h, const char *data, const struct sink *s)
{
	if ((h->op & CONTROL) || (h->op == WS_TEXT && h->fin)) {
		if (!in_message(d))
			ws_decoder_fini(d);
		if (h->op & CONTROL)
			return give_control(s, h->op, data, h->payload_len);
		return h->packed ? give_packed(s, data, h->payload_len) : give_text(s, data, h->payload_len);
	}
	struct ws_partial *p = partial_get(d);
	if (h->op == WS_TEXT)
		p->packed = h->packed;
	int rc = message_append(p, data, h->payload_len, s);
	return rc != 0 ? rc : message_frame_end(d, h->fin, s);
}

/* The next part of a payload that comes in pieces. */
static int frame_continue(struct ws_decoder *d, char *data, size_t len, size_t *taken_r, const struct sink *s)
{
	struct ws_partial *p = d->partial;
	size_t n = len < p->remaining ? len : p->remaining;
	*taken_r = n;
	unmask(data, n, p->mask);
	p->mask = mask_advance(p->mask, n);
	p->remaining -= n;
	if (!(p->op & CONTROL)) {
		int rc = message_append(p, data, n, s);
		return rc != 0 || p->remaining != 0 ? rc : message_frame_end(d, p->fin, s);
	}
	memcpy(p->control + p->control_len, data, n);
	p->control_len += n;
	if (p->remaining != 0)
		return 0;
	char body[WS_CONTROL_MAX];
	uint8_t op = p->op;
	size_t body_len = p->control_len;
	memcpy(body, p->control, body_len);
	if (!p->in_message)
		ws_decoder_fini(d);
	return give_control(s, op, body, body_len);
}

/* The next bytes begin a header, or continue one. */
static int frame_begin(struct ws_decoder *d, char *data, size_t len, size_t *taken_r, const struct sink *s)
{
	struct head h;
	struct ws_partial *p = d->partial;
	size_t kept = p != NULL ? p->head_len : 0;
	int rc;
	if (kept == 0) {
		rc = head_parse(d, (uint8_t *)data, len, &h, s);
	} else {
		size_t n = len < HEAD_MAX - kept ? len : HEAD_MAX - kept;
		memcpy(p->head + kept, data, n);
		rc = head_parse(d, p->head, kept + n, &h, s);
	}
	if (rc == MORE) {
		p = partial_get(d);
		memcpy(p->head + kept, data, len);
		p->head_len = kept + len;
		*taken_r = len;
		return 0;
	}
	if (rc != 0) {
		*taken_r = 0;
		return rc;
	}
	if (p != NULL)
		p->head_len = 0;
	size_t at = h.size - kept;
	if (h.payload_len <= len - at) {
		unmask(data + at, h.payload_len, h.mask);
		*taken_r = at + h.payload_len;
		return frame_whole(d, &h, data + at, s);
	}
	p = partial_get(d);
	if (h.op == WS_TEXT)
		p->packed = h.packed;
	p->op = h.op;
	p->fin = h.fin;
	p->mask = h.mask;
	p->remaining = h.payload_len;
	p->control_len = 0;
	*taken_r = at;
	return 0;
}

int ws_decode(struct ws_decoder *d, size_t max_message, char *data, size_t len, size_t *used_r,
	      const struct ws_codec_events *ev, void *ctx, const char **reason_r)
{
	struct sink s = {ev, ctx, reason_r, max_message};
	size_t at = 0, taken = 0;
	int rc = 0;
	while (rc == 0 && at < len) {
		if (d->partial != NULL && d->partial->remaining != 0)
			rc = frame_continue(d, data + at, len - at, &taken, &s);
		else
			rc = frame_begin(d, data + at, len - at, &taken, &s);
		at += taken;
	}
	*used_r = at;
	if (rc > 0)
		ws_decoder_fini(d);
	return rc;
}

size_t ws_encode_header(char out[WS_HEADER_MAX], enum ws_opcode op, size_t payload_len)
{
	out[0] = (char)(FIN | op);
	size_t extended = payload_len < LEN16 ? 0 : payload_len <= UINT16_MAX ? 2 : 8;
	out[1] = (char)(extended == 0 ? payload_len : extended == 2 ? LEN16 : LEN64);
	uint64_t rest = payload_len;
	for (size_t i = extended; i > 0; i--, rest >>= 8)
		out[1 + i] = (char)(rest & 0xff);
	return 2 + extended;
}

static struct blob *encode_text(struct str payload, char flags)
{
	char head[WS_HEADER_MAX];
	size_t head_len = ws_encode_header(head, WS_TEXT, payload.len);
	head[0] |= flags;
	struct blob *b = blob_alloc(head_len + payload.len);
	memcpy(b->data, head, head_len);
	if (payload.len != 0)
		memcpy(b->data + head_len, payload.s, payload.len);
	return b;
}

struct blob *ws_encode_text(struct str payload)
{
	return encode_text(payload, 0);
}

struct blob *ws_encode_packed(struct str payload)
{
	return encode_text(payload, RSV1);
}

size_t ws_encode_control(char out[2 + WS_CONTROL_MAX], enum ws_opcode op, struct str payload)
{
	ASSERT((op & CONTROL) && payload.len <= WS_CONTROL_MAX);
	char head[WS_HEADER_MAX];
	size_t head_len = ws_encode_header(head, op, payload.len);
	memcpy(out, head, head_len);
	if (payload.len != 0)
		memcpy(out + head_len, payload.s, payload.len);
	return head_len + payload.len;
}

size_t ws_encode_close(char out[2 + WS_CONTROL_MAX], int code, struct str reason)
{
	if (code == WS_CLOSE_NO_STATUS)
		return ws_encode_control(out, WS_CLOSE, STR_NULL);
	ASSERT(ws_close_code_valid(code));
	char body[WS_CONTROL_MAX] = {(char)(code >> 8), (char)(code & 0xff)};
	size_t len = reason.len;
	if (len > sizeof(body) - 2)
		for (len = sizeof(body) - 2; len > 0 && (reason.s[len] & 0xc0) == 0x80; len--)
			;
	if (len != 0)
		memcpy(body + 2, reason.s, len);
	return ws_encode_control(out, WS_CLOSE, (struct str){body, 2 + len});
}

void ws_accept_key(struct str key, char out[WS_ACCEPT_LEN + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char digest[SHA_DIGEST_LENGTH];
	char text[64 + sizeof(guid)];
	ASSERT(key.len <= 64);
	memcpy(text, key.s, key.len);
	memcpy(text + key.len, guid, sizeof(guid) - 1);
	SHA1((unsigned char *)text, key.len + sizeof(guid) - 1, digest);
	EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
}
