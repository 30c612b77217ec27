/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RFC 6455 framing, server side: takes bytes and gives frames' content; knows no
 * socket and allocates nothing but the message under assembly. How a compressed one
 * is unpacked (RFC 7692) is its owner's to know.
 */
#ifndef TIDINGS_NET_WS_CODEC_H
#define TIDINGS_NET_WS_CODEC_H

#include "core/base.h"
#include "core/buf.h"
#include "net/intake.h"
#include "net/ws_deflate.h"

enum ws_opcode { WS_CONTINUATION = 0x0, WS_TEXT = 0x1, WS_BINARY = 0x2, WS_CLOSE = 0x8, WS_PING = 0x9, WS_PONG = 0xA };

/* Close codes of RFC 6455 section 7.4.1 that we send or understand. */
enum ws_close_code {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL_ERROR = 1002,
	WS_CLOSE_UNSUPPORTED = 1003,
	WS_CLOSE_NO_STATUS = 1005, /* never on the wire */
	WS_CLOSE_ABNORMAL = 1006,  /* never on the wire */
	WS_CLOSE_INVALID_TEXT = 1007,
	WS_CLOSE_POLICY = 1008,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_INTERNAL = 1011,
	WS_CLOSE_TRY_LATER = 1013,
};

/* Whether the code may stand in a close frame: 1000-1003, 1007-1014 (IANA's registry), 3000-4999. */
bool ws_close_code_valid(int code);

/* Events of the decoder. data is borrowed for the call and unmasked. A handler that returns false stops the decoder. */
struct ws_codec_events {
	/* A whole text message, valid UTF-8, unpacked. */
	bool (*text)(void *ctx, const char *data, size_t len);
	bool (*ping)(void *ctx, const char *data, size_t len);
	bool (*pong)(void *ctx, const char *data, size_t len);
	/* code is WS_CLOSE_NO_STATUS for an empty body. */
	bool (*close)(void *ctx, int code, const char *reason, size_t len);
	/* As ws_deflate_unpack does it. NULL: compression was not negotiated, and RSV1 is a fault. */
	enum ws_unpacked (*unpack)(void *ctx, struct str packed, size_t max, struct buf *out);
};

struct ws_partial;

/* Embedded in its owner, zeroed. Owns memory only while a frame or message is partly there. */
struct ws_decoder {
	struct ws_partial *partial; /* the codec's own */
};

/* Forgets what is partly there. A handler that returns false may call it. */
void ws_decoder_fini(struct ws_decoder *d);
/*
 * For the owner to count what is partly there, from its first byte on: zeroed at first, and ended by the decoder when
 * the message is whole or forgotten, before its event. NULL while nothing is partly there. Valid until the next
 * ws_decode.
 */
struct intake_entry *ws_decoder_intake(const struct ws_decoder *d);
/* The memory that it takes. */
size_t ws_decoder_memory(const struct ws_decoder *d);
/*
 * Decodes `len` bytes, of which it unmasks in place what it consumes. Returns 0 when all were consumed; -1 when a
 * handler stopped it: *used_r bytes were consumed, call again with the rest; otherwise the close code to answer with
 * (1002, 1003, 1007, 1009) and a static reason in *reason_r: the decoder is empty then and the stream is of no more
 * use. The events do not depend on how the bytes were split over calls. max_message: bytes of one message, unpacked; it
 * may change from call to call.
 */
int ws_decode(struct ws_decoder *d, size_t max_message, char *data, size_t len, size_t *used_r,
	      const struct ws_codec_events *ev, void *ctx, const char **reason_r) MUST_CHECK;

/* The largest header of a frame we send. */
#define WS_HEADER_MAX 10
#define WS_CONTROL_MAX 125
/* Writes the header of an unmasked final frame; returns its length. */
size_t ws_encode_header(char out[WS_HEADER_MAX], enum ws_opcode op, size_t payload_len);
/* A whole unmasked final text frame in one counted buffer, for many receivers. */
struct blob *ws_encode_text(struct str payload);
/* The same of a payload that ws_deflate_pack has made, for those who negotiated it. */
struct blob *ws_encode_packed(struct str payload);
/* A control frame (payload up to WS_CONTROL_MAX bytes) into out; returns its length. */
size_t ws_encode_control(char out[2 + WS_CONTROL_MAX], enum ws_opcode op, struct str payload);
/* A close frame; an empty one for WS_CLOSE_NO_STATUS. The reason is cut, at a character, to what fits. */
size_t ws_encode_close(char out[2 + WS_CONTROL_MAX], int code, struct str reason);

/* base64(SHA-1(key GUID)), section 4.2.2; out is NUL-terminated. */
#define WS_ACCEPT_LEN 28
void ws_accept_key(struct str key, char out[WS_ACCEPT_LEN + 1]);

#endif
