/* SPDX-License-Identifier: BSD-2-Clause */
/* The WebSocket's door: a text message becomes a request. */
#ifndef TIDINGS_IM_FRAME_H
#define TIDINGS_IM_FRAME_H

#include "core/base.h"
#include "im/session.h"

void frame_received(struct session *s, struct str text);

#endif
