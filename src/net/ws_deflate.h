/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages packed and unpacked as permessage-deflate wants them (RFC 7692 section 7.2); the door to zlib.
 *
 * No message knows of the one before it (no_context_takeover on both sides), so one stream each way serves all
 * connections of a worker, and none has memory of its own.
 */
#ifndef TIDINGS_NET_WS_DEFLATE_H
#define TIDINGS_NET_WS_DEFLATE_H

#include "core/base.h"
#include "core/buf.h"

/* The base-2 logarithm of a window's size. zlib has no raw stream with the smallest that the RFC knows, 8. */
#define WS_WINDOW_BITS_MIN 9
#define WS_WINDOW_BITS_MAX 15

/* Both streams; some 200 KiB once each was used. */
struct ws_deflate;

struct ws_deflate *ws_deflate_new(void);
void ws_deflate_free(struct ws_deflate **z);

/*
 * Appends the message's payload to out: true. False, with out as it was, if that would not be smaller than the text, or
 * the text is too short to try. No distance in it is longer than the text, whatever the window.
 */
bool ws_deflate_pack(struct ws_deflate *z, struct str text, struct buf *out);

enum ws_unpacked {
	WS_UNPACKED,
	WS_UNPACK_BROKEN,  /* not whole blocks of DEFLATE up to the last byte */
	WS_UNPACK_TOO_BIG, /* more than max bytes */
};
/*
 * Appends what a message's payload means to the empty out. Never more than max + 1 bytes, nor time for more; what is in
 * out after a failure is of no use.
 */
enum ws_unpacked ws_deflate_unpack(struct ws_deflate *z, struct str packed, size_t max, struct buf *out) MUST_CHECK;

#endif
