/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 6455 framing: its examples, every split, fragmentation, limits, UTF-8, close codes, and random streams. */
#include "core/base.h"
#include "net/ws_codec.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/utf8.h"
#include "../tap.h"

#define MAX_MESSAGE 65536
#define FIN 0x80

/* What the decoder said, one line an event, so that two runs can be compared as text. */
struct record {
	struct buf lines;
	int texts;
	int stop_after; /* texts until the handler stops the decoder; 0: never */
	const char *in, *in_end;
	bool in_place; /* the last text lay within the input */
};

static void record_event(struct record *r, const char *what, int code, const char *data, size_t len)
{
	buf_printf(&r->lines, "%s %d %zu:", what, code, len);
	buf_append(&r->lines, data, len);
	buf_append_char(&r->lines, '\n');
}

static bool on_text(void *ctx, const char *data, size_t len)
{
	struct record *r = ctx;
	r->in_place = data >= r->in && data + len <= r->in_end;
	record_event(r, "text", 0, data, len);
	return ++r->texts != r->stop_after;
}

static bool on_ping(void *ctx, const char *data, size_t len)
{
	record_event(ctx, "ping", 0, data, len);
	return true;
}

static bool on_pong(void *ctx, const char *data, size_t len)
{
	record_event(ctx, "pong", 0, data, len);
	return true;
}

static bool on_close(void *ctx, int code, const char *reason, size_t len)
{
	record_event(ctx, "close", code, reason, len);
	return true;
}

static const struct ws_codec_events events = {on_text, on_ping, on_pong, on_close};

/* A client's frame. form: bytes of the extended length, -1 for the minimal one. */
static void put_frame_as(struct buf *b, int first, const void *payload, uint64_t len, int form, bool masked)
{
	static uint32_t seed = 0x37fa213d;
	if (form < 0)
		form = len < 126 ? 0 : len <= 65535 ? 2 : 8;
	buf_append_char(b, (char)first);
	buf_append_char(b, (char)((masked ? 0x80 : 0) | (form == 0 ? (int)len : form == 2 ? 126 : 127)));
	for (int i = form - 1; i >= 0; i--)
		buf_append_char(b, (char)(len >> (8 * i)));
	seed = seed * 1664525 + 1013904223;
	unsigned char mask[4] = {seed >> 24, seed >> 16, seed >> 8, seed >> 20};
	if (masked)
		buf_append(b, mask, 4);
	for (uint64_t i = 0; payload != NULL && i < len; i++)
		buf_append_char(b, (char)(((const char *)payload)[i] ^ (masked ? mask[i % 4] : 0)));
}

static void put_frame(struct buf *b, int first, const void *payload, size_t len)
{
	put_frame_as(b, first, payload, len, -1, true);
}

static void put_str(struct buf *b, int first, const char *text)
{
	put_frame(b, first, text, strlen(text));
}

static size_t max_message = MAX_MESSAGE;

/* One piece through the decoder, from memory of its own so that a read beyond it is seen. */
static int feed(struct ws_decoder *d, const char *data, size_t len, struct record *r)
{
	char *copy = xmalloc(len);
	const char *reason = NULL;
	size_t used = 0;
	memcpy(copy, data, len);
	r->in = copy;
	r->in_end = copy + len;
	int rc = ws_decode(d, max_message, copy, len, &used, &events, r, &reason);
	if (rc == 0 && used != len)
		rc = -2;
	if (rc > 0)
		record_event(r, "fault", rc, reason, strlen(reason));
	free(copy);
	return rc;
}

/* The stream in pieces of the given size (0: whole, and then `first` bytes before all). */
static int run(const struct buf *in, size_t first, size_t step, struct record *r)
{
	struct ws_decoder d = {0};
	int rc = 0;
	*r = (struct record){0};
	for (size_t at = 0; rc == 0 && at < in->len;) {
		size_t n = at < first ? first - at : step != 0 ? step : in->len - at;
		n = n < in->len - at ? n : in->len - at;
		rc = feed(&d, in->data + at, n, r);
		at += n;
	}
	buf_append_char(&r->lines, '\0');
	ws_decoder_fini(&d);
	return rc;
}

/* Runs the stream whole, split once at every place, and byte by byte; all must say the same. Returns the code. */
static int run_all_splits(const struct buf *in, const char *name, struct record *whole)
{
	struct record r;
	int want = run(in, 0, 0, whole);
	size_t differ = 0;
	for (size_t i = 1; i <= in->len; i++) {
		int rc = i < in->len ? run(in, i, 0, &r) : run(in, 0, 1, &r);
		differ += rc != want || r.lines.len != whole->lines.len ||
			  memcmp(r.lines.data, whole->lines.data, r.lines.len) != 0;
		buf_fini(&r.lines);
	}
	is_int(differ, 0, "%s: the same events at every split", name);
	return want;
}

static void check(const char *name, struct buf *in, int want_code, const char *want_events)
{
	struct record r;
	is_int(run_all_splits(in, name, &r), want_code, "%s: code", name);
	if (want_events != NULL)
		is_str(r.lines.data, want_events, "%s: events", name);
	buf_fini(&r.lines);
	buf_clear(in);
}

static void test_rfc_examples(void)
{
	struct buf in = {0};
	/* section 5.7 */
	buf_append(&in, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
	check("a masked Hello", &in, 0, "text 0 5:Hello\n");
	buf_append(&in, "\x81\x05Hello", 7);
	check("an unmasked Hello", &in, 1002, "fault 1002 19:frame is not masked\n");
	buf_append(&in, "\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
	buf_append(&in, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
	check("a masked ping and pong", &in, 0, "ping 0 5:Hello\npong 0 5:Hello\n");

	char head[WS_HEADER_MAX];
	is_int(ws_encode_header(head, WS_TEXT, 5), 2, "a short header");
	ok(memcmp(head, "\x81\x05", 2) == 0, "as in the RFC");
	is_int(ws_encode_header(head, WS_BINARY, 256), 4, "a header with 16 bits of length");
	ok(memcmp(head, "\x82\x7E\x01\x00", 4) == 0, "as in the RFC");
	is_int(ws_encode_header(head, WS_BINARY, 65536), 10, "a header with 64 bits of length");
	ok(memcmp(head, "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00", 10) == 0, "as in the RFC");
	is_int(ws_encode_header(head, WS_TEXT, 125), 2, "125 is short");
	is_int(ws_encode_header(head, WS_TEXT, 126), 4, "126 is not");
	is_int(ws_encode_header(head, WS_TEXT, 65535), 4, "65535 fits 16 bits");

	char accept[WS_ACCEPT_LEN + 1];
	ws_accept_key(STR_LIT("dGhlIHNhbXBsZSBub25jZQ=="), accept);
	is_str(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "the accept key of section 1.3");

	struct blob *b = ws_encode_text(STR_LIT("Hello"));
	ok(b->len == 7 && memcmp(b->data, "\x81\x05Hello", 7) == 0, "a text frame in a blob");
	blob_unref(b);
	b = ws_encode_text(STR_LIT(""));
	ok(b->len == 2 && memcmp(b->data, "\x81\0", 2) == 0, "an empty one");
	blob_unref(b);
	buf_fini(&in);
}

static void test_fragmentation(void)
{
	struct buf in = {0};
	put_str(&in, WS_TEXT, "Hel");
	put_str(&in, FIN | WS_CONTINUATION, "lo");
	check("two fragments", &in, 0, "text 0 5:Hello\n");
	put_str(&in, WS_TEXT, "a");
	put_str(&in, FIN | WS_PING, "p1");
	put_str(&in, WS_CONTINUATION, "b");
	put_str(&in, FIN | WS_PONG, "");
	put_str(&in, FIN | WS_PING, "p2");
	put_str(&in, FIN | WS_CONTINUATION, "c");
	put_str(&in, FIN | WS_TEXT, "next");
	check("control frames between fragments", &in, 0,
	      "ping 0 2:p1\npong 0 0:\nping 0 2:p2\ntext 0 3:abc\ntext 0 4:next\n");
	put_str(&in, WS_TEXT, "");
	put_str(&in, WS_CONTINUATION, "");
	put_str(&in, FIN | WS_CONTINUATION, "");
	check("empty fragments", &in, 0, "text 0 0:\n");
	put_str(&in, WS_TEXT, "a");
	put_str(&in, FIN | WS_CLOSE, "\x03\xe8");
	check("a close between fragments", &in, 0, "close 1000 0:\n");

	put_str(&in, FIN | WS_CONTINUATION, "x");
	check("a continuation of nothing", &in, 1002, NULL);
	put_str(&in, WS_TEXT, "x");
	put_str(&in, FIN | WS_CONTINUATION, "y");
	put_str(&in, WS_CONTINUATION, "z");
	check("a continuation after the end", &in, 1002, NULL);
	put_str(&in, WS_TEXT, "x");
	put_str(&in, FIN | WS_TEXT, "y");
	check("a text within a text", &in, 1002, NULL);
	put_str(&in, WS_TEXT, "x");
	put_str(&in, FIN | WS_BINARY, "y");
	check("a binary within a text", &in, 1002, NULL);
	buf_fini(&in);
}

static void test_invalid_frames(void)
{
	static const char zeroes[200];
	struct buf in = {0};
	char name[64];
	for (int rsv = 0x10; rsv < 0x80; rsv += 0x10) {
		put_str(&in, FIN | rsv | WS_TEXT, "x");
		snprintf(name, sizeof(name), "reserved bits %x", rsv);
		check(name, &in, 1002, NULL);
	}
	for (int op = 0; op < 16; op++) {
		bool known = op <= WS_BINARY || (op >= WS_CLOSE && op <= WS_PONG);
		if (!known) {
			put_str(&in, FIN | op, "");
			snprintf(name, sizeof(name), "opcode %x", op);
			check(name, &in, 1002, "fault 1002 15:reserved opcode\n");
		}
		if (op >= WS_CLOSE && op <= WS_PONG) {
			put_str(&in, op, "");
			snprintf(name, sizeof(name), "opcode %x without FIN", op);
			check(name, &in, 1002, "fault 1002 24:fragmented control frame\n");
			put_frame(&in, FIN | op, zeroes, 126);
			snprintf(name, sizeof(name), "opcode %x of 126 bytes", op);
			check(name, &in, 1002, "fault 1002 25:control frame is too long\n");
		}
	}
	put_frame(&in, FIN | WS_PING, zeroes, 125);
	check("a ping of 125 bytes", &in, 0, NULL);
	put_str(&in, FIN | WS_BINARY, "x");
	check("binary", &in, 1003, NULL);
	put_frame_as(&in, FIN | WS_TEXT, "x", 1, 0, false);
	check("unmasked", &in, 1002, NULL);
	put_frame_as(&in, FIN | WS_TEXT, zeroes, 125, 2, true);
	check("125 in 16 bits", &in, 1002, NULL);
	put_frame_as(&in, FIN | WS_TEXT, zeroes, 126, 2, true);
	check("126 in 16 bits", &in, 0, NULL);
	put_frame_as(&in, FIN | WS_TEXT, zeroes, 126, 8, true);
	check("126 in 64 bits", &in, 1002, NULL);
	put_frame_as(&in, FIN | WS_TEXT, NULL, 65535, 8, true);
	check("65535 in 64 bits", &in, 1002, NULL);
	put_frame_as(&in, FIN | WS_TEXT, NULL, UINT64_C(1) << 63, 8, true);
	check("a length of 64 bits", &in, 1002, NULL);
	put_frame_as(&in, FIN | WS_TEXT, NULL, (UINT64_C(1) << 63) - 1, 8, true);
	check("a length of 63 bits", &in, 1009, NULL);
	buf_fini(&in);
}

/* Sends fragments of the given sizes under a limit of 1000; returns the code and how many bytes were taken before. */
static int try_limit(size_t a, size_t b, struct record *r)
{
	static char xs[1100];
	struct ws_decoder d = {0};
	struct buf in = {0};
	memset(xs, 'x', sizeof(xs));
	put_frame(&in, b == SIZE_MAX ? FIN | WS_TEXT : WS_TEXT, xs, a);
	if (b != SIZE_MAX)
		put_frame(&in, FIN | WS_CONTINUATION, xs, b);
	*r = (struct record){0};
	int rc = feed(&d, in.data, in.len, r);
	ws_decoder_fini(&d);
	buf_fini(&in);
	buf_fini(&r->lines);
	return rc;
}

static void test_limits(void)
{
	struct record r;
	max_message = 1000;
	is_int(try_limit(1000, SIZE_MAX, &r), 0, "a message of the limit");
	is_int(r.texts, 1, "is delivered");
	is_int(try_limit(1001, SIZE_MAX, &r), 1009, "one byte more is not");
	is_int(try_limit(999, 1, &r), 0, "fragments up to the limit");
	is_int(r.texts, 1, "are delivered");
	is_int(try_limit(1000, 0, &r), 0, "and an empty last one");
	is_int(try_limit(999, 2, &r), 1009, "fragments over the limit");
	is_int(try_limit(1000, 1, &r), 1009, "by the last one");

	struct ws_decoder d = {0};
	struct buf in = {0};
	r = (struct record){0};
	put_frame_as(&in, FIN | WS_TEXT, NULL, 1001, 2, true);
	is_int(feed(&d, in.data, 4, &r), 1009, "too big is known from the header");
	ok(d.partial == NULL, "nothing was kept");

	buf_clear(&in);
	put_str(&in, WS_TEXT, "0123456789");
	is_int(feed(&d, in.data, in.len, &r), 0, "a message begins");
	max_message = 5;
	buf_clear(&in);
	put_str(&in, FIN | WS_CONTINUATION, "");
	is_int(feed(&d, in.data, in.len, &r), 1009, "a lowered limit counts at the next frame");
	max_message = MAX_MESSAGE;
	buf_fini(&in);
	buf_fini(&r.lines);
}

/* Feeds the frames of `in` byte by byte and returns how many bytes were taken when the fault came; 0 without one. */
static size_t fault_at(const struct buf *in, int want_code)
{
	struct ws_decoder d = {0};
	struct record r = {0};
	size_t at = 0, found = 0;
	for (; at < in->len; at++) {
		int rc = feed(&d, in->data + at, 1, &r);
		if (rc == 0)
			continue;
		is_int(rc, want_code, "the fault's code");
		found = at + 1;
		break;
	}
	ws_decoder_fini(&d);
	buf_fini(&r.lines);
	return found;
}

static void test_utf8(void)
{
	static const char text[] = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5 \xf0\x9f\x98\x80";
	struct buf in = {0};
	struct record r;
	char want[64];
	snprintf(want, sizeof(want), "text 0 %zu:%s\n", sizeof(text) - 1, text);
	size_t wrong = 0;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		put_frame(&in, WS_TEXT, text, cut);
		put_str(&in, FIN | WS_PING, "");
		put_frame(&in, FIN | WS_CONTINUATION, text + cut, sizeof(text) - 1 - cut);
		wrong += run(&in, 0, 1, &r) != 0 || strcmp(r.lines.data + strlen("ping 0 0:\n"), want) != 0;
		buf_fini(&r.lines);
		buf_clear(&in);
	}
	is_int(wrong, 0, "a character may be cut anywhere by fragments");

	static const struct {
		const char *name, *text;
	} bad[] = {
		{"a lone continuation byte", "\x80"},	   {"an overlong slash", "\xc0\xaf"},
		{"a surrogate", "\xed\xa0\x80"},	   {"over U+10FFFF", "\xf4\x90\x80\x80"},
		{"a character cut at the end", "a\xc3"},   {"another cut one", "\xf0\x9f\x98"},
		{"a byte that never occurs", "abc\xff d"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		put_str(&in, FIN | WS_TEXT, bad[i].text);
		check(bad[i].name, &in, 1007, NULL);
		put_str(&in, WS_TEXT, "begin ");
		put_str(&in, FIN | WS_CONTINUATION, bad[i].text);
		check(bad[i].name, &in, 1007, NULL);
	}
	put_str(&in, FIN | WS_TEXT, "ab\xff and much more to come");
	is_int(fault_at(&in, 1007), 6 + 3, "it fails at the first bad byte of a frame");
	buf_clear(&in);
	put_str(&in, WS_TEXT, "\xf4");
	put_str(&in, FIN | WS_CONTINUATION, "\x90\x80\x80");
	is_int(fault_at(&in, 1007), 7 + 6 + 1, "and of a fragment");
	buf_fini(&in);
}

static void test_close_frames(void)
{
	struct buf in = {0};
	int wrong = 0;
	for (int code = 0; code < 65536; code++) {
		bool valid = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
			     (code >= 3000 && code <= 4999);
		char body[2] = {(char)(code >> 8), (char)code};
		struct record r;
		put_frame(&in, FIN | WS_CLOSE, body, 2);
		int rc = run(&in, 0, 0, &r);
		wrong += rc != (valid ? 0 : 1002) || ws_close_code_valid(code) != valid;
		buf_fini(&r.lines);
		buf_clear(&in);
	}
	is_int(wrong, 0, "of all 65536 close codes the right ones are taken");

	put_str(&in, FIN | WS_CLOSE, "");
	check("an empty close", &in, 0, "close 1005 0:\n");
	put_str(&in, FIN | WS_CLOSE, "\x03");
	check("a close of one byte", &in, 1002, NULL);
	put_str(&in, FIN | WS_CLOSE, "\x03\xe9going");
	check("a close with a reason", &in, 0, "close 1001 5:going\n");
	put_str(&in, FIN | WS_CLOSE, "\x03\xe9\xc3(");
	check("a close with a bad reason", &in, 1007, NULL);

	char out[2 + WS_CONTROL_MAX];
	is_int(ws_encode_close(out, 4001, STR_LIT("bye")), 7, "a close to send");
	ok(memcmp(out,
		  "\x88\x05\x0f\xa1"
		  "bye",
		  7) == 0,
	   "has code and reason");
	is_int(ws_encode_close(out, WS_CLOSE_NO_STATUS, STR_NULL), 2, "one without a code");
	char reason[200];
	for (size_t i = 0; i < sizeof(reason); i += 2)
		memcpy(reason + i, "\xc3\xa9", 2);
	is_int(ws_encode_close(out, 1000, (struct str){reason, sizeof(reason)}), 2 + 2 + 122, "a long reason is cut");
	ok(utf8_valid(out + 4, 122), "between characters");
	buf_fini(&in);
}

static void test_stop_and_place(void)
{
	struct buf in = {0}, copy = {0};
	put_str(&in, FIN | WS_TEXT, "one");
	size_t first = in.len;
	put_str(&in, FIN | WS_TEXT, "two");
	put_str(&in, FIN | WS_TEXT, "three");
	buf_append(&copy, in.data, in.len);

	struct ws_decoder d = {0};
	struct record r = {.stop_after = 1, .in = in.data, .in_end = in.data + in.len};
	const char *reason;
	size_t used;
	is_int(ws_decode(&d, max_message, in.data, in.len, &used, &events, &r, &reason), -1,
	       "the handler stops the decoder");
	is_int(used, first, "after the first frame");
	ok(memcmp(in.data + used, copy.data + used, in.len - used) == 0, "the rest is untouched");
	ok(r.in_place, "a whole frame is handed over in place");
	is_int(ws_decode(&d, max_message, in.data + used, in.len - used, &used, &events, &r, &reason), 0, "it goes on");
	is_int(r.texts, 3, "with the rest");
	ok(d.partial == NULL, "an idle decoder owns nothing");

	is_int(feed(&d, copy.data, 3, &r), 0, "half a header");
	ok(d.partial != NULL, "is kept");
	is_int(feed(&d, copy.data + 3, first - 3, &r), 0, "the rest of the frame");
	ok(r.in_place && d.partial == NULL, "is handed over in place, and nothing kept");
	is_int(feed(&d, copy.data, first - 1, &r), 0, "a frame but for its last byte");
	is_int(r.texts, 4, "is no message");
	is_int(feed(&d, copy.data + first - 1, 1, &r), 0, "that byte");
	ok(r.texts == 5 && d.partial == NULL, "makes it one");
	buf_clear(&in);
	put_str(&in, FIN | WS_PING, "ping");
	is_int(feed(&d, in.data, 8, &r), 0, "a ping but for its end");
	is_int(feed(&d, in.data + 8, in.len - 8, &r), 0, "its end");
	ok(d.partial == NULL, "leaves nothing behind");
	is_int(feed(&d, copy.data, first - 1, &r), 0, "a decoder in the middle");
	ws_decoder_fini(&d);
	ok(d.partial == NULL, "can be ended");
	ws_decoder_fini(&d);
	buf_fini(&r.lines);
	buf_fini(&in);
	buf_fini(&copy);
}

static uint64_t rnd_state = 88172645463325252u;

static uint32_t rnd(uint32_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 11) % below;
}

/* Random text: bytes of UTF-8, with a size that is often around the length encodings' edges. */
static void random_text(struct buf *b)
{
	static const char *const pieces[] = {"a", "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80",
					     "{\"type\":\"ping\"}"};
	static const size_t edges[] = {0, 1, 7, 8, 124, 125, 126, 127, 200, 4000};
	size_t want = edges[rnd(ARRAY_LEN(edges))] + rnd(3);
	if (rnd(300) == 0)
		want = 65530;
	buf_clear(b);
	while (b->len < want)
		buf_append_str(b, str_from(want - b->len < 16 ? pieces[0] : pieces[rnd(ARRAY_LEN(pieces))]));
}

/* A stream of valid frames, and the events that have to come out of it. */
static void random_stream(struct buf *in, struct record *want)
{
	struct buf text = {0};
	*want = (struct record){0};
	for (uint32_t i = rnd(8) + 1; i > 0; i--) {
		random_text(&text);
		size_t at = 0;
		int first = WS_TEXT;
		while (rnd(3) != 0) {
			size_t n = rnd((uint32_t)(text.len - at) + 1);
			put_frame(in, first, text.data + at, n);
			at += n;
			first = WS_CONTINUATION;
			if (rnd(2) != 0)
				continue;
			int op = rnd(2) != 0 ? WS_PING : WS_PONG;
			size_t ctl = rnd(126) < text.len ? rnd(126) % (text.len + 1) : 0;
			put_frame(in, FIN | op, text.data, ctl);
			record_event(want, op == WS_PING ? "ping" : "pong", 0, text.data, ctl);
		}
		put_frame(in, FIN | first, text.data + at, text.len - at);
		record_event(want, "text", 0, text.data, text.len);
	}
	buf_append_char(&want->lines, '\0');
	buf_fini(&text);
}

static bool same(const struct record *a, const struct record *b)
{
	return a->lines.len == b->lines.len && memcmp(a->lines.data, b->lines.data, a->lines.len) == 0;
}

static void test_random_streams(void)
{
	int wrong = 0, split_differs = 0, faults = 0;
	for (int i = 0; i < 2000; i++) {
		struct buf in = {0};
		struct record want, got, pieces;
		random_stream(&in, &want);
		wrong += run(&in, 0, 0, &got) != 0 || !same(&got, &want);
		split_differs += run(&in, rnd(in.len), 1 + rnd(300), &pieces) != 0 || !same(&pieces, &want);
		buf_fini(&got.lines);
		buf_fini(&pieces.lines);
		for (uint32_t n = rnd(3) + 1; n > 0; n--)
			in.data[rnd(in.len)] ^= (char)(1 << rnd(8));
		int rc = run(&in, 0, 0, &got);
		faults += rc > 0;
		split_differs += run(&in, rnd(in.len), 1 + rnd(20), &pieces) != rc || !same(&pieces, &got);
		buf_fini(&got.lines);
		buf_fini(&pieces.lines);
		buf_fini(&want.lines);
		buf_fini(&in);
	}
	is_int(wrong, 0, "2000 random streams give what was put in");
	is_int(split_differs, 0, "in any pieces, damaged or not");
	ok(faults > 500, "damage is found (%d of 2000)", faults);
}

int main(void)
{
	test_rfc_examples();
	test_fragmentation();
	test_invalid_frames();
	test_limits();
	test_utf8();
	test_close_frames();
	test_stop_and_place();
	test_random_streams();
	return done_testing();
}
