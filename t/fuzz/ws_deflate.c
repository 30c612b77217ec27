/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a compressed message, and as a stream of frames on a connection that negotiated compression: nothing is
 * unpacked beyond the limit, text is UTF-8, pieces give what the whole gives, and what we pack we can unpack.
 */
#include "core/base.h"
#include "net/ws_codec.h"

#include <stdlib.h>

#include "core/utf8.h"
#include "net/ws_deflate.h"

#define MAX_MESSAGE 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ws_deflate *z;

static bool record(struct buf *lines, const char *what, int code, const char *data, size_t len)
{
	buf_printf(lines, "%s %d %zu:", what, code, len);
	buf_append(lines, data, len);
	return true;
}

static bool on_text(void *ctx, const char *data, size_t len)
{
	if (len > MAX_MESSAGE || !utf8_valid(data, len))
		abort();
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
	record(ctx, "close", code, reason, len);
	return false;
}

static enum ws_unpacked on_unpack(void *ctx, struct str packed, size_t max, struct buf *out)
{
	enum ws_unpacked rc = ws_deflate_unpack(z, packed, max, out);
	if (out->len > max + 1 || (rc == WS_UNPACKED && out->len > max))
		abort();
	return rc;
}

static const struct ws_codec_events events = {on_text, on_ping, on_pong, on_close, on_unpack};

/* Pieces of 1 to spread bytes; 0: all at once. */
static void decode(const uint8_t *data, size_t size, unsigned spread, struct buf *lines)
{
	struct ws_decoder d = {0};
	unsigned seed = spread;
	int rc = 0;
	for (size_t at = 0; rc == 0 && at < size;) {
		seed = seed * 1103515245 + 12345;
		size_t n = spread == 0 ? size : 1 + (seed >> 16) % spread;
		n = n < size - at ? n : size - at;
		char *piece = xmalloc(n);
		const char *reason;
		size_t used;
		memcpy(piece, data + at, n);
		rc = ws_decode(&d, MAX_MESSAGE, piece, n, &used, &events, lines, &reason);
		if (rc > 0)
			record(lines, "fault", rc, reason, strlen(reason));
		free(piece);
		at += n;
	}
	ws_decoder_fini(&d);
}

static void check_frames(const uint8_t *data, size_t size, unsigned spread)
{
	struct buf whole = {0}, pieces = {0};
	decode(data, size, 0, &whole);
	decode(data, size, spread, &pieces);
	if (whole.len != pieces.len || (whole.len != 0 && memcmp(whole.data, pieces.data, whole.len) != 0))
		abort();
	buf_fini(&whole);
	buf_fini(&pieces);
}

static void check_payload(struct str bytes)
{
	struct buf out = {0};
	(void)on_unpack(NULL, bytes, MAX_MESSAGE, &out);
	buf_fini(&out);
}

static void check_packing(struct str text)
{
	struct buf packed = {0}, out = {0};
	if (ws_deflate_pack(z, text, &packed) &&
	    (packed.len >= text.len ||
	     ws_deflate_unpack(z, (struct str){packed.data, packed.len}, text.len, &out) != WS_UNPACKED ||
	     out.len != text.len || memcmp(out.data, text.s, text.len) != 0))
		abort();
	buf_fini(&packed);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (z == NULL)
		z = ws_deflate_new();
	struct str rest = {(const char *)data + 1, size - 1};
	check_frames(data + 1, size - 1, 1 + data[0]);
	check_payload(rest);
	check_packing(rest);
	return 0;
}
