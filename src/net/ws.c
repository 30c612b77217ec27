/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides when a WebSocket connection is pinged, given up, and closed, and with
 * which code; also when a message has to be whole. Must not know what the messages mean.
 *
 * Ends come in two steps: in WS_CLOSING the peer's close frame is awaited; in
 * WS_LEAVING nothing of the peer's matters any more, and what is queued is written
 * if it takes it soon.
 */
#include "core/base.h"
#include "net/ws.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "net/conn.h"
#include "net/http_priv.h"
#include "net/intake.h"
#include "net/loop.h"
#include "net/ws_priv.h"

#define CLOSE_WAIT_MS 5000
#define LEAVE_WAIT_MS 2000
/* What is taken of one connection a turn, before others get theirs. */
#define FRAMES_A_TURN 32
/* In bytes of unpacked messages, for a little input may mean a great deal; and much input little, so each byte of that
 * counts as some. */
#define UNPACKED_A_TURN (64 * 1024)
#define PACKED_BYTE_WEIGHT 4
/* Unsent pongs above this are replaced by the latest one, as RFC 6455 section 5.5.3 allows. */
#define PONG_BURST 1024

enum ws_state {
	WS_OPEN,
	WS_CLOSING, /* our close frame is queued, the peer's is awaited */
	WS_LEAVING, /* closes as soon as the output is out, or LEAVE_WAIT_MS have passed */
};

enum ws_end {
	WS_END_CLOSED,
	WS_END_PEER_CLOSED,
	WS_END_PROTOCOL_ERROR,
	WS_END_TOO_SLOW,
	WS_END_IDLE,
	WS_END_TIMEOUT,
	WS_END_OVERLOADED,
};

/* In the connection's seat: every byte counts. */
struct ws {
	struct http_member member; /* of the server that counts it; that is NULL only once the connection is closed */
	const struct ws_handler *handler; /* NULL once it was told of the end */
	void *user;
	struct ws_decoder decoder;
	union {
		uint32_t next_ping_ms; /* WS_OPEN: the lower half of a clock_mono_ms() */
		int32_t close_code;    /* later: what was sent or received first; 0: none was */
	};
	unsigned state : 2;	  /* enum ws_state */
	unsigned end : 3;	  /* enum ws_end, for conn_close */
	unsigned suspect : 1;	  /* seemed silent, or late with a message, at the last look */
	unsigned window_bits : 4; /* of permessage-deflate; 0: not negotiated */
	unsigned pauses : 8;
	unsigned pong_bytes : 12; /* queued since the output was last empty */
};
_Static_assert(sizeof(struct ws) <= CONN_SEAT, "it has a seat");
_Static_assert(PONG_BURST + 2 + WS_CONTROL_MAX < 1 << 12, "pong_bytes holds it");

static struct conn *conn_of(const struct ws *ws)
{
	return conn_of_seat(ws);
}

static const struct conf *conf_of(const struct ws *ws)
{
	return ws->member.server->conf;
}

/* What one on_input hands through the decoder. */
struct reading {
	struct ws *ws;
	unsigned frames;
	size_t unpacked; /* bytes */
};

/* ---- ending ---- */

static const char *reason_of(const struct ws *ws)
{
	static const char *const reasons[] = {
		[WS_END_CLOSED] = "ws_closed",
		[WS_END_PEER_CLOSED] = "ws_peer_closed",
		[WS_END_PROTOCOL_ERROR] = "ws_protocol_error",
		[WS_END_TOO_SLOW] = "ws_too_slow",
		[WS_END_IDLE] = "ws_idle",
		[WS_END_TIMEOUT] = "ws_timeout",
		[WS_END_OVERLOADED] = "ws_overloaded",
	};
	return reasons[ws->end];
}

static void send_close(struct ws *ws, int code, struct str reason)
{
	char frame[2 + WS_CONTROL_MAX];
	conn_write(conn_of(ws), frame, ws_encode_close(frame, code, reason));
}

static void enter_closing(struct ws *ws, enum ws_state state, int code, enum ws_end end)
{
	ASSERT(ws->state == WS_OPEN);
	ws->state = state;
	ws->close_code = code;
	ws->end = end;
	conn_hold(conn_of(ws), NULL); /* nothing follows a close frame */
	/* The peer's close frame has to be seen. */
	if (ws->pauses != 0)
		conn_resume(conn_of(ws));
}

static void leave(struct ws *ws)
{
	ws->state = WS_LEAVING;
	ws_decoder_fini(&ws->decoder);
	if (conn_unsent(conn_of(ws)) == 0)
		conn_close_gracefully(conn_of(ws), reason_of(ws));
	else
		conn_set_timeout(conn_of(ws), LEAVE_WAIT_MS);
}

/* We say why and do not wait for the peer's close frame. */
static void close_and_leave(struct ws *ws, int code, const char *reason, enum ws_end end)
{
	enter_closing(ws, WS_LEAVING, code, end);
	send_close(ws, code, str_from(reason));
	leave(ws);
}

void ws_close(struct ws *ws, int code, const char *reason)
{
	if (ws->state != WS_OPEN)
		return;
	enter_closing(ws, WS_CLOSING, code, WS_END_CLOSED);
	send_close(ws, code, str_from(reason));
	conn_set_timeout(conn_of(ws), CLOSE_WAIT_MS);
}

static void tell_closed(struct ws *ws)
{
	const struct ws_handler *handler = ws->handler;
	ws->handler = NULL;
	if (handler != NULL)
		handler->closed(ws, ws->close_code != 0 ? ws->close_code : WS_CLOSE_ABNORMAL, ws->user);
}

static void on_closed(struct conn *c, const char *reason, void *owner)
{
	struct ws *ws = owner;
	if (ws->state == WS_OPEN)
		ws->close_code = 0;
	ws->state = WS_LEAVING;
	tell_closed(ws);
	http_member_leave(&ws->member, reason);
	ws_decoder_fini(&ws->decoder);
}

/* ---- time ---- */

static int64_t ping_interval_ms(const struct ws *ws)
{
	return (int64_t)conf_of(ws)->websocket.ping_interval_secs * 1000;
}

static int64_t silent_at_ms(const struct ws *ws)
{
	return conn_last_input_ms(conn_of(ws)) + (int64_t)conf_of(ws)->websocket.idle_timeout_secs * 1000;
}

/* When the message that is partly here has to be whole; INT64_MAX: none is. */
static int64_t message_due_ms(const struct ws *ws)
{
	const struct intake_entry *e = ws_decoder_intake(&ws->decoder);
	return e != NULL ? e->since_ms + (int64_t)conf_of(ws)->http.body_timeout_secs * 1000 : INT64_MAX;
}

/* It lies within some minutes of now. */
static int64_t next_ping_ms(const struct ws *ws, int64_t now_ms)
{
	return now_ms + (int32_t)(ws->next_ping_ms - (uint32_t)now_ms);
}

/* While paused nothing is read: what is missing may have been sent. */
static int64_t next_look_ms(const struct ws *ws, int64_t now_ms)
{
	int64_t at = next_ping_ms(ws, now_ms);
	if (ws->pauses != 0)
		return at;
	if (silent_at_ms(ws) < at)
		at = silent_at_ms(ws);
	return message_due_ms(ws) < at ? message_due_ms(ws) : at;
}

static void arm_heartbeat(struct ws *ws, int64_t now_ms)
{
	int64_t at = next_look_ms(ws, now_ms);
	conn_set_timeout(conn_of(ws), at > now_ms ? at - now_ms : 1);
}

/* ---- input ---- */

/* False stops the decoder: nobody is there to take the next message. */
static bool listening(const struct ws *ws)
{
	return ws->state == WS_CLOSING || (ws->state == WS_OPEN && ws->pauses == 0);
}

/* The rest comes in the next turn, after the other connections. */
static void take_turns(struct ws *ws)
{
	ws_pause(ws);
	ws_resume(ws);
}

/* After a frame: may the next one be taken? */
static bool wants_more(struct reading *r)
{
	r->frames++;
	if (r->ws->state != WS_OPEN || (r->frames < FRAMES_A_TURN && r->unpacked < UNPACKED_A_TURN))
		return listening(r->ws);
	take_turns(r->ws);
	return false;
}

static bool on_text(void *ctx, const char *data, size_t len)
{
	struct reading *r = ctx;
	struct ws *ws = r->ws;
	if (ws->state == WS_OPEN)
		ws->handler->message(ws, (struct str){data, len}, ws->user);
	return wants_more(r);
}

static bool on_ping(void *ctx, const char *data, size_t len)
{
	struct reading *r = ctx;
	struct ws *ws = r->ws;
	if (ws->state != WS_OPEN)
		return listening(ws);
	char frame[2 + WS_CONTROL_MAX];
	size_t frame_len = ws_encode_control(frame, WS_PONG, (struct str){data, len});
	if (ws->pong_bytes < PONG_BURST) {
		ws->pong_bytes = (ws->pong_bytes + frame_len) & 0xfff;
		conn_write(conn_of(ws), frame, frame_len);
	} else {
		struct blob *pong = blob_new(frame, frame_len);
		conn_hold(conn_of(ws), pong);
		blob_unref(pong);
	}
	return wants_more(r);
}

static bool on_pong(void *ctx, const char *data, size_t len)
{
	return wants_more(ctx);
}

static bool on_close(void *ctx, int code, const char *reason, size_t len)
{
	struct ws *ws = ((struct reading *)ctx)->ws;
	if (ws->state == WS_OPEN) {
		enter_closing(ws, WS_LEAVING, code, WS_END_PEER_CLOSED);
		send_close(ws, code, STR_NULL);
	}
	leave(ws);
	return false;
}

static struct ws_deflate *deflate_of(const struct ws *ws)
{
	return ws->member.server->deflate;
}

static enum ws_unpacked on_unpack(void *ctx, struct str packed, size_t max, struct buf *out)
{
	struct reading *r = ctx;
	if (r->ws->state != WS_OPEN)
		return WS_UNPACKED; /* nobody would read it */
	enum ws_unpacked rc = ws_deflate_unpack(deflate_of(r->ws), packed, max, out);
	r->unpacked += out->len + PACKED_BYTE_WEIGHT * packed.len;
	return rc;
}

static const struct ws_codec_events plain_events = {on_text, on_ping, on_pong, on_close, NULL};
static const struct ws_codec_events deflate_events = {on_text, on_ping, on_pong, on_close, on_unpack};

/* For the intake. */
static void give_way(void *owner)
{
	struct ws *ws = owner;
	if (ws->state == WS_OPEN)
		close_and_leave(ws, WS_CLOSE_TRY_LATER, "too much is being received", WS_END_OVERLOADED);
	else
		leave(ws);
}

/* What is partly here takes memory and has to come to its end. */
static void count_partial(struct ws *ws)
{
	struct intake *in = loop_intake(conn_loop(conn_of(ws)));
	struct intake_entry *e = ws_decoder_intake(&ws->decoder);
	if (e == NULL)
		return;
	if (e->intake == NULL) {
		intake_begin(in, e, give_way, ws);
		if (ws->state == WS_OPEN)
			arm_heartbeat(ws, e->since_ms);
	}
	intake_set(e, ws_decoder_memory(&ws->decoder));
	intake_make_room(in);
}

static size_t on_input(struct conn *c, char *data, size_t len, void *owner)
{
	struct ws *ws = owner;
	if (ws->state == WS_LEAVING)
		return len;
	if (ws->state == WS_OPEN && !loop_has_time(conn_loop(c))) {
		take_turns(ws);
		return 0;
	}
	struct reading r = {.ws = ws};
	size_t used;
	const char *reason;
	int rc = ws_decode(&ws->decoder, (size_t)conf_of(ws)->websocket.max_message, data, len, &used,
			   ws->window_bits != 0 ? &deflate_events : &plain_events, &r, &reason);
	if (rc > 0) {
		if (ws->state == WS_OPEN)
			close_and_leave(ws, rc, reason, WS_END_PROTOCOL_ERROR);
		else
			leave(ws);
	}
	count_partial(ws);
	return ws->state == WS_LEAVING ? len : used;
}

static void on_eof(struct conn *c, void *owner)
{
	struct ws *ws = owner;
	if (ws->state == WS_OPEN)
		conn_close(c, "eof");
	else if (ws->state == WS_CLOSING)
		leave(ws);
}

void ws_pause(struct ws *ws)
{
	ASSERT(ws->pauses < UINT8_MAX);
	if (ws->pauses++ == 0 && ws->state == WS_OPEN)
		conn_pause(conn_of(ws));
}

void ws_resume(struct ws *ws)
{
	ASSERT(ws->pauses > 0);
	if (--ws->pauses == 0 && ws->state == WS_OPEN)
		conn_resume(conn_of(ws));
}

bool ws_peer_finished(const struct ws *ws)
{
	return conn_peer_finished(conn_of(ws)) || conn_is_closing(conn_of(ws));
}

/* ---- output ---- */

bool ws_send(struct ws *ws, struct ws_frame *frame)
{
	if (ws->state != WS_OPEN || conn_is_closing(conn_of(ws)))
		return false;
	struct ws_deflate *z = deflate_of(ws);
	conn_write_blob(conn_of(ws), ws_frame_bytes(frame, z, z != NULL ? ws->window_bits : 0));
	return true;
}

/* What a turn queued is judged after the connection has tried to write it: a burst alone is not the peer's fault. */
static void on_written(struct conn *c, void *owner)
{
	struct ws *ws = owner;
	size_t unsent = conn_unsent(c);
	if (ws->state == WS_OPEN && unsent > (size_t)conf_of(ws)->websocket.send_queue)
		close_and_leave(ws, WS_CLOSE_TOO_SLOW, "too slow to read", WS_END_TOO_SLOW);
	if (ws->state != WS_OPEN)
		tell_closed(ws);
	if (unsent != 0)
		return;
	if (ws->state == WS_LEAVING)
		conn_close_gracefully(c, reason_of(ws));
	else
		ws->pong_bytes = 0;
}

/* ---- heartbeat ---- */

/* The first pings are spread over half an interval: connections that came at once are not pinged at once. */
static int64_t first_ping_delay_ms(const struct ws *ws)
{
	static uint32_t phase;
	phase += 0x9e3779b9; /* 2^32 over the golden ratio: the phases of any run of connections lie evenly */
	int64_t half = ping_interval_ms(ws) / 2;
	return half + (int64_t)((uint64_t)half * phase >> 32);
}

static void heartbeat(struct ws *ws)
{
	int64_t now_ms = clock_mono_ms(), interval_ms = ping_interval_ms(ws);
	bool silent = ws->pauses == 0 && now_ms >= silent_at_ms(ws);
	bool late = ws->pauses == 0 && now_ms >= message_due_ms(ws);
	/* If this process itself stood still, the peer's bytes may lie in the socket: the next turn reads them. */
	if (ws->suspect && silent) {
		close_and_leave(ws, WS_CLOSE_IDLE, "nothing heard", WS_END_IDLE);
		return;
	}
	if (ws->suspect && late) {
		close_and_leave(ws, WS_CLOSE_POLICY, "the message took too long to arrive", WS_END_TIMEOUT);
		return;
	}
	ws->suspect = silent || late;
	int64_t late_ms = now_ms - next_ping_ms(ws, now_ms);
	if (late_ms >= 0) {
		char frame[2 + WS_CONTROL_MAX];
		conn_write(conn_of(ws), frame, ws_encode_control(frame, WS_PING, STR_NULL));
		ws->next_ping_ms += (uint32_t)((late_ms / interval_ms + 1) * interval_ms);
	}
	arm_heartbeat(ws, now_ms);
}

static void on_timeout(struct conn *c, void *owner)
{
	struct ws *ws = owner;
	switch ((enum ws_state)ws->state) {
	case WS_OPEN:
		heartbeat(ws);
		break;
	case WS_CLOSING:
		leave(ws);
		break;
	case WS_LEAVING:
		conn_close(c, reason_of(ws));
		break;
	}
}

/* ---- the rest ---- */

static const struct conn_handler conn_events = {
	.input = on_input,
	.eof = on_eof,
	.written = on_written,
	.timeout = on_timeout,
	.closed = on_closed,
};

/* In the connection's seat is nothing but the member. */
static struct ws *start(struct conn *c, const struct ws_handler *handler, void *user)
{
	struct ws *ws = conn_seat(c);
	int64_t now_ms = clock_mono_ms();
	ws->handler = handler;
	ws->user = user;
	ws->next_ping_ms = (uint32_t)(now_ms + first_ping_delay_ms(ws));
	arm_heartbeat(ws, now_ms);
	return ws;
}

struct ws *ws_new(struct conn *c, struct http_server *server, const struct ws_handler *handler, void *user)
{
	memset(conn_seat(c), 0, CONN_SEAT);
	http_member_join(server, conn_seat(c));
	conn_set_handler(c, &conn_events, conn_seat(c));
	return start(c, handler, user);
}

struct ws *ws_new_switched(struct http_req *req, const char *headers, unsigned window_bits,
			   const struct ws_handler *handler, void *user)
{
	struct conn *c = http_switch_conn(req, headers, &conn_events);
	if (c == NULL)
		return NULL;
	struct ws *ws = start(c, handler, user);
	ws->window_bits = window_bits & 15;
	return ws;
}
