/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client offers in Sec-WebSocket-Extensions (RFC 6455 section 9.1), and which of its offers of
 * permessage-deflate (RFC 7692 section 7.1) we take. Knows bytes only.
 */
#ifndef TIDINGS_NET_WS_EXTENSION_H
#define TIDINGS_NET_WS_EXTENSION_H

#include "core/base.h"
#include "core/buf.h"

struct ws_terms {
	uint8_t window_bits; /* of what we send, WS_WINDOW_BITS_MIN to _MAX; 0: no offer was taken */
	bool window_asked;   /* the client has named a limit, so the answer does */
};

/*
 * Reads one header line's value. Takes its first acceptable offer, unless *t has one of an earlier line already; start
 * with zeroes. Offers of other extensions, and those with an unknown, repeated or invalid parameter, or a window that
 * we cannot make, are passed over. -1: the value is not what section 9.1 says, so the handshake has to fail.
 */
int ws_extension_read(struct str value, struct ws_terms *t) MUST_CHECK;
/* The header line that answers, ended by CRLF. */
void ws_extension_answer(const struct ws_terms *t, struct buf *out);

#endif
