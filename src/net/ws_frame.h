/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A text message on its way to any number of connections: framed once, and compressed at most once, when the first
 * connection wants it so. Counted.
 */
#ifndef TIDINGS_NET_WS_FRAME_H
#define TIDINGS_NET_WS_FRAME_H

#include "core/base.h"
#include "core/buf.h"

struct ws_frame;
struct ws_deflate;

/* Of a copy of the text, with one reference. */
struct ws_frame *ws_frame_new(struct str text);
struct ws_frame *ws_frame_ref(struct ws_frame *f);
/* Frees at the last reference; NULL is allowed. What is queued lives on. */
void ws_frame_unref(struct ws_frame *f);
/* What it is about, the caller's to understand; 0 until it is set. */
void ws_frame_set_about(struct ws_frame *f, uint64_t about);
uint64_t ws_frame_about(const struct ws_frame *f);

/*
 * The bytes for one connection, borrowed from the frame: compressed if window_bits is not 0 (then z is not NULL) and
 * that makes it smaller. A text longer than a window under the usual one stays as it is: it might refer beyond it.
 */
struct blob *ws_frame_bytes(struct ws_frame *f, struct ws_deflate *z, unsigned window_bits);

#endif
