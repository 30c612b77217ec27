/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes, in any pieces, give the events that they give in one piece; nothing is read beyond a piece. */
#include "core/base.h"
#include "net/ws_codec.h"

#include <stdlib.h>

#define MAX_MESSAGE 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool record(struct buf *lines, const char *what, int code, const char *data, size_t len)
{
	buf_printf(lines, "%s %d %zu:", what, code, len);
	buf_append(lines, data, len);
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
	record(ctx, "close", code, reason, len);
	return false;
}

static const struct ws_codec_events events = {on_text, on_ping, on_pong, on_close};

/* Pieces of 1 to 1 + spread bytes, each in memory of its own; spread 0: all at once. */
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
		if (rc == 0 && used != n)
			abort();
		free(piece);
		at += n;
	}
	ws_decoder_fini(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = {0}, pieces = {0};
	if (size < 1)
		return 0;
	decode(data + 1, size - 1, 0, &whole);
	decode(data + 1, size - 1, 1 + data[0], &pieces);
	if (whole.len != pieces.len || (whole.len != 0 && memcmp(whole.data, pieces.data, whole.len) != 0))
		abort();
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
