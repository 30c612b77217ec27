/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A WebSocket connection (RFC 6455): heartbeat, closing handshake, bounded output.
 */
#ifndef TIDINGS_NET_WS_H
#define TIDINGS_NET_WS_H

#include "core/base.h"
#include "core/buf.h"
#include "net/addr.h"
#include "net/ws_codec.h"
#include "net/ws_frame.h"

/* Close codes of the contract, section 4. */
enum ws_app_close_code {
	WS_CLOSE_REPLACED = 4001,
	WS_CLOSE_TOKEN_EXPIRED = 4002,
	WS_CLOSE_IDLE = 4003,
	WS_CLOSE_TOO_SLOW = 4008,
};

struct ws;

struct ws_handler {
	/* A whole text message; data is borrowed for the call. The handler may close the connection within. */
	void (*message)(struct ws *ws, struct str text, void *user);
	/*
	 * Exactly once, at the end of the turn in which either side began to close or the connection broke; never from
	 * within a ws_ function. ws is gone after it, even if the rest of the closing takes the peer a while.
	 * code is what was sent or received first, WS_CLOSE_ABNORMAL if neither.
	 */
	void (*closed)(struct ws *ws, int code, void *user);
};

/*
 * Queues the message, compressed where that was negotiated and helps. Written at the end of the turn together
 * with what else the turn queued. If more than websocket.send_queue bytes, as they are queued, are unsent after that,
 * the connection is closed with 4008. False once closing: it is not queued.
 */
bool ws_send(struct ws *ws, struct ws_frame *frame);
/* Starts the closing handshake, after what is queued; the first call counts. */
void ws_close(struct ws *ws, int code, const char *reason);
/* While paused nothing is read, so that a client with too much in progress waits. Counts: each pause needs its resume.
 */
void ws_pause(struct ws *ws);
void ws_resume(struct ws *ws);
/* The peer has sent its last byte, seen also while paused, or the connection is closing for a fault of its own (a bad
 * TLS record): it is about to end. Not after `closed`. */
bool ws_peer_finished(const struct ws *ws);

#endif
