/* SPDX-License-Identifier: BSD-2-Clause */
/* permessage-deflate: the RFC's examples, what is broken or too big, frames in and out, and random messages. */
#include "core/base.h"
#include "net/ws_codec.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/ws_deflate.h"
#include "net/ws_frame.h"
#include "../tap.h"

#define FIN 0x80
#define RSV1 0x40
#define MAX_MESSAGE 65536

static struct ws_deflate *z;

static uint32_t rnd(uint32_t below)
{
	static uint64_t state = 88172645463325252u;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 11) % below;
}

/* ---- packing and unpacking ---- */

/* From memory of its own, so that a read beyond it is seen. */
static enum ws_unpacked unpack(const void *packed, size_t len, size_t max, struct buf *out)
{
	char *copy = xmalloc(len);
	memcpy(copy, packed, len);
	buf_clear(out);
	enum ws_unpacked rc = ws_deflate_unpack(z, (struct str){copy, len}, max, out);
	free(copy);
	return rc;
}

/* So many bytes of one kind, packed. The payload is the caller's to free. */
static struct buf bomb(size_t len)
{
	struct buf out = {0};
	char *text = xmalloc(len);
	memset(text, ' ', len);
	ok(ws_deflate_pack(z, (struct str){text, len}, &out), "%zu blanks are %zu bytes", len, out.len);
	free(text);
	return out;
}

#define BYTES(lit) lit, sizeof(lit) - 1

static const struct {
	const char *name, *packed;
	size_t len;
	enum ws_unpacked rc;
	const char *text;
} payloads[] = {
	{"section 7.2.3.1", BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), WS_UNPACKED, "Hello"},
	{"7.2.3.3, a stored block", BYTES("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), WS_UNPACKED, "Hello"},
	{"7.2.3.4, a last block", BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), WS_UNPACKED, "Hello"},
	{"7.2.3.5, two blocks", BYTES("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), WS_UNPACKED, "Hello"},
	{"7.2.3.6, nothing", BYTES("\x00"), WS_UNPACKED, ""},
	{"a last block with nothing behind it", BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00"), WS_UNPACKED, "Hello"},
	{"a last stored block that the tail ends", BYTES("\xf2\x48\xcd\xc9\xc9\x07\x04"), WS_UNPACKED, "Hello"},
	{"two last blocks", BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), WS_UNPACKED,
	 "HelloHello"},
	{"empty blocks without end", BYTES("\x00\x00\x00\xff\xff\x00\x00\x00\xff\xff\x00"), WS_UNPACKED, ""},
	{"no byte at all", BYTES(""), WS_UNPACK_BROKEN, NULL},
	{"the tail was left on", BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"), WS_UNPACK_BROKEN, NULL},
	{"cut", BYTES("\xf2\x48\xcd\xc9"), WS_UNPACK_BROKEN, NULL},
	{"cut by a byte", BYTES("\xf2\x48\xcd\xc9\xc9\x07"), WS_UNPACK_BROKEN, NULL},
	{"a last block cut by a byte", BYTES("\xf3\x48\xcd\xc9\xc9"), WS_UNPACK_BROKEN, NULL},
	{"a stored block cut", BYTES("\x00\x05\x00\xfa\xff\x48"), WS_UNPACK_BROKEN, NULL},
	{"a stored block whose lengths differ", BYTES("\x00\x05\x00\xfb\xff\x48\x65\x6c\x6c\x6f\x00"), WS_UNPACK_BROKEN,
	 NULL},
	{"the block type that is none", BYTES("\x07\x00"), WS_UNPACK_BROKEN, NULL},
	{"plain text", BYTES("Hello, world"), WS_UNPACK_BROKEN, NULL},
	{"zlib's header", BYTES("\x78\x9c\xf3\x48\xcd\xc9\xc9\x07\x00\x05\x8c\x01\xf5"), WS_UNPACK_BROKEN, NULL},
	{"rubbish behind a last block", BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\xff\xff\xff"), WS_UNPACK_BROKEN, NULL},
	{"a distance into an earlier message, 7.2.3.2", BYTES("\xf2\x00\x11\x00\x00"), WS_UNPACK_BROKEN, NULL},
};

static void test_payloads(void)
{
	struct buf out = {0};
	for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
		int rc = unpack(payloads[i].packed, payloads[i].len, 100, &out);
		is_int(rc, payloads[i].rc, "%s", payloads[i].name);
		if (rc == WS_UNPACKED)
			is_str(buf_cstr(&out), payloads[i].text, "what it means");
	}
	buf_fini(&out);
}

static void test_limits(void)
{
	struct buf out = {0};
	is_int(unpack(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), 5, &out), WS_UNPACKED, "just the limit");
	is_int(unpack(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), 4, &out), WS_UNPACK_TOO_BIG, "one over it");
	ok(out.len <= 5, "and unpacked no further");
	buf_fini(&out);

	struct buf big = bomb(16 << 20);
	is_int(unpack(big.data, big.len, MAX_MESSAGE, &out), WS_UNPACK_TOO_BIG, "a bomb of 16 MiB");
	ok(out.len <= MAX_MESSAGE + 1 && out.cap <= 4 * MAX_MESSAGE, "is unpacked up to the limit (%zu in %zu bytes)",
	   out.len, out.cap);
	is_int(unpack(big.data, big.len, 16 << 20, &out), WS_UNPACKED, "and whole where that is allowed");
	is_int(out.len, 16 << 20, "all of it");
	is_int(unpack(big.data, big.len, (16 << 20) - 1, &out), WS_UNPACK_TOO_BIG, "but not a byte more");
	is_int(unpack(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), 100, &out), WS_UNPACKED, "the next is not touched by it");
	buf_fini(&big);
	buf_fini(&out);
}

static void test_no_gain(void)
{
	struct buf out = {0};
	char text[1000];
	buf_append(&out, "before", 6);
	memset(text, 'x', sizeof(text));
	ok(!ws_deflate_pack(z, (struct str){text, 63}, &out), "63 bytes are too short to try");
	ok(ws_deflate_pack(z, (struct str){text, 64}, &out) && out.len < 6 + 20, "64 are not");
	out.len = 6;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(rnd(256));
	ok(!ws_deflate_pack(z, (struct str){text, sizeof(text)}, &out), "noise does not get smaller");
	is_str(buf_cstr(&out), "before", "and nothing is appended");
	buf_fini(&out);
}

/* Text of the given bytes, some of it repeated, whatever is UTF-8. */
static void random_text(struct buf *b, size_t len)
{
	static const char letters[] = "{\"type\":\"message\",\"content\":\"abcdefghijklmnopqrstuvwxyz 0123456789\"}";
	buf_clear(b);
	while (b->len < len) {
		size_t back = b->len != 0 ? 1 + rnd((uint32_t)b->len) : 0, n = 1 + rnd(40);
		if (rnd(3) == 0 && n <= back) {
			char again[40];
			memcpy(again, b->data + b->len - back, n);
			buf_append(b, again, n);
		} else {
			buf_append_char(b, letters[rnd(sizeof(letters) - 1)]);
		}
	}
	b->len = len;
}

static void test_random_payloads(void)
{
	struct buf text = {0}, packed = {0}, out = {0};
	int wrong = 0, gained = 0, broken = 0;
	for (int i = 0; i < 3000; i++) {
		random_text(&text, rnd(20) == 0 ? rnd(100000) : rnd(2000));
		buf_clear(&packed);
		if (!ws_deflate_pack(z, (struct str){text.data, text.len}, &packed))
			continue;
		gained++;
		wrong += packed.len >= text.len || unpack(packed.data, packed.len, text.len, &out) != WS_UNPACKED ||
			 out.len != text.len || memcmp(out.data, text.data, out.len) != 0;
		/* Damage must only ever end in one of the three answers, within the limit. */
		for (int n = 0; n < 3; n++)
			packed.data[rnd((uint32_t)packed.len)] ^= (char)(1 << rnd(8));
		broken += unpack(packed.data, packed.len, text.len, &out) != WS_UNPACKED;
		wrong += out.len > text.len + 1;
	}
	is_int(wrong, 0, "%d random messages come back as they were", gained);
	ok(gained > 2000 && broken > gained / 4, "%d of them damaged did not", broken);
	buf_fini(&text);
	buf_fini(&packed);
	buf_fini(&out);
}

/* ---- frames in ---- */

struct record {
	struct buf lines;
	bool stop;
};

static bool record(struct record *r, const char *what, int code, const char *data, size_t len)
{
	buf_printf(&r->lines, "%s %d %zu:", what, code, len);
	buf_append(&r->lines, data, len < 30 ? len : 30);
	buf_append_char(&r->lines, '\n');
	return true;
}

static bool on_text(void *ctx, const char *data, size_t len)
{
	return record(ctx, "text", 0, data, len);
}

static bool on_ping(void *ctx, const char *data, size_t len)
{
	return record(ctx, "ping", 0, data, len);
}

static bool on_pong(void *ctx, const char *data, size_t len)
{
	return record(ctx, "pong", 0, data, len);
}

static bool on_close(void *ctx, int code, const char *reason, size_t len)
{
	return record(ctx, "close", code, reason, len);
}

static enum ws_unpacked on_unpack(void *ctx, struct str packed, size_t max, struct buf *out)
{
	return ws_deflate_unpack(z, packed, max, out);
}

static const struct ws_codec_events negotiated = {on_text, on_ping, on_pong, on_close, on_unpack};
static const struct ws_codec_events not_negotiated = {on_text, on_ping, on_pong, on_close, NULL};

static void put_frame(struct buf *b, int first, const void *payload, size_t len)
{
	static const char mask[4];
	buf_append_char(b, (char)first);
	buf_append_char(b, (char)(0x80 | (len < 126 ? len : len < 65536 ? 126 : 127)));
	for (int i = len < 126 ? -1 : len < 65536 ? 1 : 7; i >= 0; i--)
		buf_append_char(b, (char)((uint64_t)len >> (8 * i)));
	buf_append(b, mask, sizeof(mask));
	buf_append(b, payload, len);
}

/* What comes of the stream in pieces of that size; 0: whole. */
static int decode(const struct buf *in, size_t step, const struct ws_codec_events *ev, struct buf *lines)
{
	struct ws_decoder d = {0};
	struct record r = {0};
	int rc = 0;
	for (size_t at = 0, n; rc == 0 && at < in->len; at += n) {
		const char *reason = NULL;
		size_t used;
		n = step == 0 || step > in->len - at ? in->len - at : step;
		char *copy = xmalloc(n);
		memcpy(copy, in->data + at, n);
		rc = ws_decode(&d, MAX_MESSAGE, copy, n, &used, ev, &r, &reason);
		if (rc == 0 && used != n)
			rc = -2;
		if (rc > 0)
			record(&r, "fault", rc, reason, strlen(reason));
		free(copy);
	}
	ws_decoder_fini(&d);
	*lines = r.lines;
	return rc;
}

/* In any pieces, and freed. */
static void check(const char *name, struct buf *in, int rc, const char *want)
{
	struct buf whole, lines;
	bool same = true;
	is_int(decode(in, 0, &negotiated, &whole), rc, "%s", name);
	if (want != NULL)
		is_str(buf_cstr(&whole), want, "%s: what comes of it", name);
	for (size_t step = 1; step <= 64 && step < in->len; step = step < 8 ? step + 1 : step * 2) {
		same = decode(in, step, &negotiated, &lines) == rc && same;
		same = lines.len == whole.len && (lines.len == 0 || memcmp(lines.data, whole.data, lines.len) == 0) &&
		       same;
		buf_fini(&lines);
	}
	ok(same, "%s: in pieces too", name);
	buf_fini(&whole);
	buf_fini(in);
}

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"

static void test_frames(void)
{
	struct buf in = {0};
	put_frame(&in, FIN | RSV1 | WS_TEXT, BYTES(HELLO));
	put_frame(&in, FIN | WS_TEXT, BYTES("plain"));
	put_frame(&in, FIN | RSV1 | WS_TEXT, BYTES("\x00"));
	check("one frame", &in, 0, "text 0 5:Hello\ntext 0 5:plain\ntext 0 0:\n");

	put_frame(&in, RSV1 | WS_TEXT, BYTES("\xf2\x48"));
	put_frame(&in, FIN | WS_PING, BYTES("p"));
	put_frame(&in, WS_CONTINUATION, BYTES(""));
	put_frame(&in, FIN | WS_PONG, BYTES(""));
	put_frame(&in, FIN | WS_CONTINUATION, BYTES("\xcd\xc9\xc9\x07\x00"));
	put_frame(&in, FIN | WS_TEXT, BYTES("plain again"));
	check("fragments with control frames between", &in, 0,
	      "ping 0 1:p\npong 0 0:\ntext 0 5:Hello\ntext 0 11:plain again\n");

	put_frame(&in, RSV1 | WS_TEXT, BYTES(""));
	put_frame(&in, FIN | WS_CONTINUATION, BYTES(HELLO));
	check("an empty first fragment", &in, 0, "text 0 5:Hello\n");

	put_frame(&in, WS_TEXT, BYTES("pl"));
	put_frame(&in, FIN | WS_CONTINUATION, BYTES("ain"));
	put_frame(&in, RSV1 | WS_TEXT, BYTES(HELLO));
	put_frame(&in, FIN | WS_CONTINUATION, BYTES(""));
	check("plain fragments, then packed ones", &in, 0, "text 0 5:plain\ntext 0 5:Hello\n");

	put_frame(&in, WS_TEXT, BYTES("plain"));
	put_frame(&in, FIN | RSV1 | WS_CONTINUATION, BYTES(HELLO));
	check("RSV1 on a continuation", &in, 1002, "fault 1002 21:reserved bits are set\n");
	put_frame(&in, RSV1 | WS_TEXT, BYTES("\xf2\x48"));
	put_frame(&in, FIN | RSV1 | WS_CONTINUATION, BYTES("\xcd\xc9\xc9\x07\x00"));
	check("RSV1 on each fragment", &in, 1002, NULL);
	for (int op = WS_CLOSE; op <= WS_PONG; op++) {
		put_frame(&in, FIN | RSV1 | op, BYTES(""));
		check("RSV1 on a control frame", &in, 1002, NULL);
	}
	put_frame(&in, FIN | RSV1 | 0x20 | WS_TEXT, BYTES(HELLO));
	check("RSV2 besides", &in, 1002, NULL);
	put_frame(&in, FIN | RSV1 | 0x3, BYTES(HELLO));
	check("RSV1 on a reserved opcode", &in, 1002, NULL);
	put_frame(&in, FIN | RSV1 | WS_BINARY, BYTES(HELLO));
	check("binary", &in, 1003, NULL);
	put_frame(&in, FIN | RSV1 | WS_TEXT, BYTES("garbage"));
	check("garbage", &in, 1007, NULL);
	put_frame(&in, FIN | RSV1 | WS_TEXT, BYTES("\x00\x02\x00\xfd\xff\xc3(\x00"));
	check("not UTF-8, once unpacked", &in, 1007, "fault 1007 17:text is not UTF-8\n");
	/* The first fragment ends within a block: it is not looked at alone. */
	put_frame(&in, RSV1 | WS_TEXT, BYTES("\xff\xff"));
	put_frame(&in, FIN | WS_PING, BYTES(""));
	check("a fragment is not judged before the rest", &in, 0, "ping 0 0:\n");

	struct buf lines;
	put_frame(&in, FIN | RSV1 | WS_TEXT, BYTES(HELLO));
	is_int(decode(&in, 0, &not_negotiated, &lines), 1002, "RSV1 where nothing was negotiated");
	buf_fini(&lines);
	buf_fini(&in);
}

static void test_frame_limits(void)
{
	struct buf in = {0}, packed = bomb(MAX_MESSAGE);
	put_frame(&in, FIN | RSV1 | WS_TEXT, packed.data, packed.len);
	check("a message of the limit", &in, 0, NULL);
	buf_fini(&packed);
	packed = bomb(MAX_MESSAGE + 1);
	put_frame(&in, FIN | RSV1 | WS_TEXT, packed.data, packed.len);
	check("one over it", &in, 1009, "fault 1009 18:message is too big\n");
	put_frame(&in, RSV1 | WS_TEXT, packed.data, 20);
	put_frame(&in, FIN | WS_CONTINUATION, packed.data + 20, packed.len - 20);
	check("in fragments", &in, 1009, "fault 1009 18:message is too big\n");
	buf_fini(&packed);

	/* Stored blocks make it larger than it is: that much an honest client may need. */
	char *text = xcalloc(1, 2 * MAX_MESSAGE);
	for (size_t at = 0; at < MAX_MESSAGE; at += 1024) {
		buf_append(&packed, "\x00\x00\x04\xff\xfb", 5);
		memset(text, 'x', 1024);
		buf_append(&packed, text, 1024);
	}
	buf_append_char(&packed, 0);
	put_frame(&in, FIN | RSV1 | WS_TEXT, packed.data, packed.len);
	check("stored blocks", &in, 0, NULL);
	put_frame(&in, FIN | RSV1 | WS_TEXT, text, MAX_MESSAGE + MAX_MESSAGE / 8 + 65);
	in.len = 14;
	check("a frame that cannot be within the limit", &in, 1009, NULL);
	put_frame(&in, RSV1 | WS_TEXT, text, MAX_MESSAGE);
	put_frame(&in, WS_CONTINUATION, text, MAX_MESSAGE / 8 + 65);
	check("fragments that cannot", &in, 1009, NULL);
	free(text);
	buf_fini(&packed);
}

/* ---- frames out ---- */

static void test_out(void)
{
	char text[2000];
	memset(text, 'x', sizeof(text));
	struct ws_frame *f = ws_frame_new((struct str){text, 1000}), *other = ws_frame_ref(f);
	struct blob *plain = ws_frame_bytes(f, NULL, 0), *packed = ws_frame_bytes(f, z, 15);
	ok(plain->len == 4 + 1000 && (uint8_t)plain->data[0] == (FIN | WS_TEXT), "plain for those who want it so");
	ok(packed->len < 50 && (uint8_t)packed->data[0] == (FIN | RSV1 | WS_TEXT), "packed for the others");
	ok(ws_frame_bytes(f, z, 15) == packed && ws_frame_bytes(f, NULL, 0) == plain, "the same for all of them");
	ok(ws_frame_bytes(f, z, 10) == packed, "also with a window that it fits into");
	ok(ws_frame_bytes(f, z, 9) == plain, "with a smaller one it stays as it is");
	struct buf out = {0};
	is_int(unpack(packed->data + 2, packed->len - 2, 1000, &out), WS_UNPACKED, "it can be unpacked");
	ok(out.len == 1000 && memcmp(out.data, text, 1000) == 0, "to what it was");
	blob_ref(packed);
	ws_frame_unref(f);
	ws_frame_unref(other);
	is_int(packed->refs, 1, "what is queued outlives the frame");
	blob_unref(packed);
	ws_frame_unref(NULL);

	f = ws_frame_new(STR_LIT("short"));
	ok(ws_frame_bytes(f, z, 15) == ws_frame_bytes(f, NULL, 0), "a short one stays as it is");
	ws_frame_unref(f);
	f = ws_frame_new(STR_LIT(""));
	is_int(ws_frame_bytes(f, z, 15)->len, 2, "an empty one too");
	ws_frame_unref(f);
	char *big = xmalloc(100000);
	memset(big, 'x', 100000);
	f = ws_frame_new((struct str){big, 100000});
	ok(ws_frame_bytes(f, z, 15)->len < 1000, "one beyond the largest window is packed");
	ok(ws_frame_bytes(f, z, 14)->len > 100000, "but not for a smaller one");
	ws_frame_unref(f);
	free(big);
	buf_fini(&out);
}

int main(void)
{
	z = ws_deflate_new();
	test_payloads();
	test_limits();
	test_no_gain();
	test_random_payloads();
	test_frames();
	test_frame_limits();
	test_out();
	ws_deflate_free(&z);
	ok(z == NULL, "freed");
	ws_deflate_free(&z);
	return done_testing();
}
