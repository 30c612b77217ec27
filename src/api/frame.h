/* SPDX-License-Identifier: BSD-2-Clause */
/* The WebSocket's door: a text message becomes a request. */
#ifndef TIDINGS_API_FRAME_H
#define TIDINGS_API_FRAME_H

#include "core/base.h"
#include "live/session.h"

/* struct live, received; ctx is the struct api. */
void frame_received(struct session *s, struct str text, void *ctx);

#endif
