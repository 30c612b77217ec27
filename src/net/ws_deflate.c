/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides how hard to compress, and which compressed payloads are whole. Must not know frames. */
#include "core/base.h"
#include "net/ws_deflate.h"

#include <stdlib.h>
#include <zlib.h>

#include "core/log.h"

/* Events of 400 to 900 bytes: an eighth more time than 1 takes, 2 to 4 % smaller; 6 gains nothing more before 2 KiB. */
#define LEVEL 4
/* The table that is cleared for each message has 2^13 entries, instead of 2^15. */
#define MEM_LEVEL 6
#define TEXT_MIN 64

/* An empty stored block but for its first byte, with which Z_SYNC_FLUSH ends: the RFC has it left out. */
static const char tail[4] = {0, 0, (char)0xff, (char)0xff};

struct ws_deflate {
	z_stream packer, unpacker;
};

static void *allocate(void *opaque, unsigned count, unsigned size)
{
	return xcalloc(count, size);
}

static void release(void *opaque, void *memory)
{
	free(memory);
}

struct ws_deflate *ws_deflate_new(void)
{
	struct ws_deflate *z = xcalloc(1, sizeof(*z));
	z->packer.zalloc = z->unpacker.zalloc = allocate;
	z->packer.zfree = z->unpacker.zfree = release;
	/* Negative: raw DEFLATE, without zlib's own header. */
	if (deflateInit2(&z->packer, LEVEL, Z_DEFLATED, -WS_WINDOW_BITS_MAX, MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK ||
	    inflateInit2(&z->unpacker, -WS_WINDOW_BITS_MAX) != Z_OK)
		log_fatal("zlib %s does not take what it was built against (%s)", zlibVersion(), ZLIB_VERSION);
	return z;
}

void ws_deflate_free(struct ws_deflate **zp)
{
	struct ws_deflate *z = *zp;
	if (z == NULL)
		return;
	*zp = NULL;
	deflateEnd(&z->packer);
	inflateEnd(&z->unpacker);
	free(z);
}

bool ws_deflate_pack(struct ws_deflate *z, struct str text, struct buf *out)
{
	z_stream *s = &z->packer;
	if (text.len < TEXT_MIN || text.len > UINT32_MAX / 2)
		return false;
	/* A byte must be left, or there might have been more; without the tail it is less than the text then. */
	size_t room = text.len + sizeof(tail);
	deflateReset(s);
	s->next_in = (unsigned char *)text.s;
	s->avail_in = (unsigned)text.len;
	s->next_out = (unsigned char *)buf_reserve(out, room);
	s->avail_out = (unsigned)room;
	if (deflate(s, Z_SYNC_FLUSH) != Z_OK || s->avail_in != 0 || s->avail_out == 0)
		return false;
	out->len += room - s->avail_out - sizeof(tail);
	return true;
}

/* Unpacks some input: WS_UNPACKED if all of it was taken. *ended_r: a last block (BFINAL) ended with it. */
static enum ws_unpacked unpack_some(z_stream *s, const char *data, size_t len, size_t max, struct buf *out,
				    bool *ended_r)
{
	int rc;
	*ended_r = false;
	s->next_in = (unsigned char *)data;
	s->avail_in = (unsigned)len;
	do {
		/* One byte over the limit tells that it was passed. */
		size_t most = max + 1 - out->len, room = out->len + 4 * len + 64;
		if (room > most)
			room = most;
		s->next_out = (unsigned char *)buf_reserve(out, room);
		s->avail_out = (unsigned)room;
		rc = inflate(s, Z_SYNC_FLUSH);
		out->len += room - s->avail_out;
		if (out->len > max)
			return WS_UNPACK_TOO_BIG;
		/* Section 7.2.3.4: behind a last block another stream may begin. */
		if (rc == Z_STREAM_END && s->avail_in != 0)
			rc = inflateReset(s);
		*ended_r = rc == Z_STREAM_END;
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return WS_UNPACK_BROKEN;
	} while (!*ended_r && (s->avail_in != 0 || s->avail_out == 0));
	return WS_UNPACKED;
}

enum ws_unpacked ws_deflate_unpack(struct ws_deflate *z, struct str packed, size_t max, struct buf *out)
{
	z_stream *s = &z->unpacker;
	bool ended;
	if (packed.len > UINT32_MAX || max >= UINT32_MAX)
		return WS_UNPACK_TOO_BIG;
	inflateReset(s);
	enum ws_unpacked rc = unpack_some(s, packed.s, packed.len, max, out, &ended);
	/* Some end a message with its last block and have nothing behind it for the tail to complete. */
	if (rc != WS_UNPACKED || ended)
		return rc;
	size_t len = out->len;
	rc = unpack_some(s, tail, sizeof(tail), max, out, &ended);
	/* It has to complete an empty block, and be no part of another. 128: between two blocks, and no bit beyond. */
	return rc != WS_UNPACKED || (out->len == len && (ended || s->data_type == 128)) ? rc : WS_UNPACK_BROKEN;
}
