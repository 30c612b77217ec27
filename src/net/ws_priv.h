/* SPDX-License-Identifier: BSD-2-Clause */
/* How WebSocket connections begin; for the handshake, and for tests that have no HTTP server. */
#ifndef TIDINGS_NET_WS_PRIV_H
#define TIDINGS_NET_WS_PRIV_H

#include "core/base.h"
#include "net/conn.h"
#include "net/http.h"
#include "net/ws.h"

/* Takes over the connection: what it reads from now on are frames. The server counts it, and its conf is read at each
 * use. */
struct ws *ws_new(struct conn *c, struct http_server *server, const struct ws_handler *handler, void *user);
/*
 * The same with the connection of a request, which is answered with 101 and `headers` (lines ended by CRLF) and is gone
 * then. window_bits: of permessage-deflate as negotiated, by the server's streams; 0: not. NULL when the client has
 * left.
 */
struct ws *ws_new_switched(struct http_req *req, const char *headers, unsigned window_bits,
			   const struct ws_handler *handler, void *user);

#endif
