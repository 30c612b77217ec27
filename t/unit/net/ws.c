/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages, closing from both ends, heartbeat, pausing, slow readers and floods, on the real loop. */
#include "core/base.h"
#include "net/ws.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "ws_pair.h"

static void send_text(struct ws *ws, struct str text)
{
	struct ws_frame *b = ws_frame_new(text);
	ws_send(ws, b);
	ws_frame_unref(b);
}

static void client_send_close(struct pair *p, int code)
{
	struct buf b = {0};
	char body[2] = {(char)(code >> 8), (char)code};
	put_frame(&b, FIN | WS_CLOSE, (struct str){body, code != 0 ? 2 : 0});
	client_write(p, &b);
	buf_fini(&b);
}

static void test_messages(void)
{
	struct pair p;
	struct buf body = {0};
	open_pair(&p);
	client_send(&p, FIN | WS_TEXT, "one");
	client_send(&p, WS_TEXT, "t");
	client_send(&p, FIN | WS_PING, "are you there");
	client_send(&p, FIN | WS_CONTINUATION, "wo");
	until(&p, p.messages == 2);
	is_str(buf_cstr(&p.texts), "one|two|", "messages arrive");
	send_text(p.ws, STR_LIT("hello"));
	send_text(p.ws, STR_LIT(""));
	until(&p, p.in.len >= 15 + 7 + 2);
	is_int(take_frame(&p, &body), WS_PONG, "the ping is answered");
	is_str(buf_cstr(&body), "are you there", "with its payload");
	is_int(take_frame(&p, &body), WS_TEXT, "a text arrives");
	is_str(buf_cstr(&body), "hello", "as it was sent");
	is_int(take_frame(&p, &body), WS_TEXT, "and an empty one");

	conf.websocket.max_message = 3;
	client_send(&p, FIN | WS_TEXT, "four");
	until(&p, p.in.len != 0);
	conf.websocket.max_message = 65536;
	is_close_frame(&p, 1009, "a message over a lowered limit");
	is_int(p.closed, 1, "and that is told");
	finish(&p, 1009, "too big");
	buf_fini(&body);
}

static void test_peer_closes(void)
{
	struct pair p;
	open_pair(&p);
	client_send(&p, FIN | WS_TEXT, "last words");
	client_send_close(&p, 3000);
	client_send(&p, FIN | WS_TEXT, "beyond");
	until(&p, p.eof);
	is_str(buf_cstr(&p.texts), "last words|", "nothing after the close frame is taken");
	is_close_frame(&p, 3000, "the code comes back");
	finish(&p, 3000, "peer closes");

	open_pair(&p);
	client_send_close(&p, 0);
	until(&p, p.eof);
	is_int(p.in.len, 2, "an empty close frame is answered with one");
	finish(&p, WS_CLOSE_NO_STATUS, "peer closes without code");

	open_pair(&p);
	client_send_close(&p, 1000);
	shutdown(p.fd, SHUT_WR);
	until(&p, p.eof);
	is_close_frame(&p, 1000, "a close frame with FIN behind it");
	finish(&p, 1000, "peer closes and finishes");

	open_pair(&p);
	client_close(&p);
	finish(&p, WS_CLOSE_ABNORMAL, "peer vanishes");

	open_pair(&p);
	client_send(&p, FIN | WS_BINARY, "x");
	until(&p, p.in.len != 0);
	is_close_frame(&p, 1003, "a fault");
	finish(&p, 1003, "fault");
}

/* Whoever is told need not wait for a peer that takes its time. */
static void test_end_is_told_at_once(void)
{
	struct pair p;
	open_pair(&p);
	client_send_close(&p, 1000);
	until(&p, p.eof);
	is_close_frame(&p, 1000, "the peer begins");
	is_int(p.closed, 1, "the end is told when the handshake is done");
	ok(!hung_up(&p), "while the connection waits for the peer's FIN");
	finish(&p, 1000, "the peer begins");

	open_pair(&p);
	struct ws_frame *late = ws_frame_new(STR_LIT("late"));
	ok(ws_send(p.ws, late), "a message is queued");
	ws_close(p.ws, 4001, "replaced");
	ok(!ws_send(p.ws, late), "but not behind the close frame, which the caller is told");
	ws_frame_unref(late);
	is_int(p.closed, 0, "not from within ws_close");
	turn();
	is_int(p.closed, 1, "but when we have begun");
	client_read(&p);
	ok(!p.eof, "while the peer's close frame is awaited");
	client_send_close(&p, 4001);
	finish(&p, 4001, "we begin");

	open_pair(&p);
	client_send(&p, FIN | WS_BINARY, "x");
	until(&p, p.in.len != 0);
	is_int(p.closed, 1, "and at a fault");
	ok(!hung_up(&p), "which the peer still has to hear of");
	finish(&p, 1003, "a fault");

	open_pair(&p);
	ok(!ws_peer_finished(p.ws), "a connection that stands is not about to end");
	conn_close_gracefully(p.conn, "tls");
	ok(ws_peer_finished(p.ws), "one that closes for a fault below is, though its last bytes take their time");
	client_close(&p);
	finish(&p, WS_CLOSE_ABNORMAL, "a fault below");
}

static void test_we_close(void)
{
	struct pair p;
	open_pair(&p);
	send_text(p.ws, STR_LIT("before"));
	ws_close(p.ws, 1001, "draining");
	ws_close(p.ws, 4001, "too late");
	send_text(p.ws, STR_LIT("after"));
	until(&p, p.in.len >= 8 + 12);
	struct buf body = {0};
	is_int(take_frame(&p, &body), WS_TEXT, "what was queued comes first");
	is_close_frame(&p, 1001, "then our close frame");
	is_int(p.in.len, 0, "and nothing after it");
	client_send(&p, FIN | WS_TEXT, "dropped");
	client_send(&p, FIN | WS_PING, "");
	turn();
	ok(!p.eof, "the peer's close frame is awaited");
	client_send_close(&p, 1001);
	until(&p, p.eof);
	is_int(p.messages, 0, "messages meanwhile are dropped");
	is_int(p.in.len, 0, "pings too");
	finish(&p, 1001, "we close");

	open_pair(&p);
	ws_close(p.ws, 4001, "replaced");
	until(&p, p.in.len != 0);
	pass(4000);
	client_read(&p);
	ok(!p.eof, "four seconds are not too long for the answer");
	pass(1000);
	until(&p, p.eof);
	ok(p.eof, "five are");
	finish(&p, 4001, "we close, no answer");

	open_pair(&p);
	p.close_after = 2;
	client_send(&p, FIN | WS_TEXT, "one");
	client_send(&p, FIN | WS_TEXT, "two");
	client_send(&p, FIN | WS_TEXT, "three");
	client_send(&p, FIN | 0x3, "a fault while closing");
	until(&p, p.eof);
	is_str(buf_cstr(&p.texts), "one|two|", "a handler may close within a message");
	is_close_frame(&p, 4001, "closing within a message");
	finish(&p, 4001, "closing within a message");

	open_pair(&p);
	ws_pause(p.ws);
	ws_close(p.ws, 1001, "");
	client_send_close(&p, 1001);
	until(&p, p.eof);
	ok(p.eof, "a paused one sees the peer's close frame too");
	finish(&p, 1001, "we close while paused");

	open_pair(&p);
	ws_close(p.ws, 1001, "");
	client_close(&p);
	finish(&p, 1001, "we close, the peer vanishes");

	open_pair(&p);
	ws_close(p.ws, 1001, "");
	shutdown(p.fd, SHUT_WR);
	until(&p, p.eof);
	finish(&p, 1001, "we close, the peer finishes without a close frame");
	buf_fini(&body);
}

static int count_pings(struct pair *p)
{
	struct buf body = {0};
	int pings = 0, op;
	turn();
	client_read(p);
	while ((op = take_frame(p, &body)) == WS_PING)
		pings++;
	buf_fini(&body);
	return pings;
}

static void test_heartbeat(void)
{
	struct pair p;
	open_pair(&p);
	pass(30000);
	is_int(count_pings(&p), 1, "a ping within the interval");
	client_send(&p, FIN | WS_PONG, "");
	turn();
	pass(30000);
	is_int(count_pings(&p), 1, "and again");
	pass(30000);
	is_int(count_pings(&p), 1, "and again");
	ok(!p.closed, "60 seconds of silence are not too long");
	client_send(&p, FIN | WS_TEXT, "I was here");
	pass(15000);
	until(&p, p.messages == 1);
	pass(100);
	ok(!p.closed, "bytes that wait in the socket count when the silence is judged");
	pass(30000);
	pass(30000);
	ok(!p.closed, "not yet");
	pass(15000);
	pass(100);
	until(&p, p.eof);
	struct buf body = {0};
	while (p.in.len > 0 && p.in.data[0] == (char)(FIN | WS_PING))
		take_frame(&p, &body);
	is_close_frame(&p, 4003, "75 seconds of silence");
	finish(&p, 4003, "idle");

	open_pair(&p);
	conf.websocket.ping_interval_secs = 5;
	pass(30000);
	is_int(count_pings(&p), 1, "a ping after the old interval");
	pass(5000);
	is_int(count_pings(&p), 1, "the next after the new one");
	conf.websocket.idle_timeout_secs = 36;
	pass(5000);
	pass(100);
	until(&p, p.eof);
	ok(p.eof, "a new timeout counts too");
	conf.websocket.ping_interval_secs = 30;
	conf.websocket.idle_timeout_secs = 75;
	finish(&p, 4003, "idle after a reload");
	buf_fini(&body);
}

static void test_ping_phases(void)
{
	struct pair p[60];
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		open_pair(&p[i]);
	int most = 0, all = 0;
	for (int sec = 0; sec < 30; sec++) {
		pass(1000 - WHEEL_TICK_MS);
		int now = 0;
		for (size_t i = 0; i < ARRAY_LEN(p); i++) {
			client_read(&p[i]);
			now += p[i].in.len != 0;
			buf_clear(&p[i].in);
		}
		most = now > most ? now : most;
		all += now;
	}
	is_int(all, ARRAY_LEN(p), "all connections are pinged within the interval");
	ok(most <= 8, "never more than %d of 60 in a second", most);
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		client_close(&p[i]);
		until(&p[i], p[i].closed);
		buf_fini(&p[i].in);
	}
}

static void test_pause(void)
{
	struct pair p;
	struct buf b = {0};
	open_pair(&p);
	p.pause_after = 2;
	for (int i = 0; i < 5; i++)
		put_frame(&b, FIN | WS_TEXT, (struct str){&"abcde"[i], 1});
	client_write(&p, &b);
	until(&p, p.messages == 2);
	turn();
	is_str(buf_cstr(&p.texts), "a|b|", "a pause stops what has been read already");
	ws_pause(p.ws);
	ws_resume(p.ws);
	client_send(&p, FIN | WS_TEXT, "f");
	turn();
	is_int(p.messages, 2, "each pause needs its resume");
	ws_resume(p.ws);
	is_int(p.messages, 2, "nothing comes from within ws_resume");
	until(&p, p.messages == 6);
	is_str(buf_cstr(&p.texts), "a|b|c|d|e|f|", "the rest comes in order");

	ws_pause(p.ws);
	for (int i = 0; i < 6; i++)
		pass(30000);
	ok(!p.closed, "the peer is not silent while we do not listen");
	ws_resume(p.ws);
	pass(30000);
	pass(30000);
	ok(!p.closed, "and has its time after it");
	client_close(&p);
	finish(&p, WS_CLOSE_ABNORMAL, "pause");
	buf_fini(&b);
}

/* Queues frames, a turn each, until the connection gives up. */
static int overfill(struct pair *p)
{
	char text[16384];
	int turns = 0;
	memset(text, 'x', sizeof(text));
	for (; turns < 200 && !p->closed; turns++) {
		send_text(p->ws, (struct str){text, sizeof(text)});
		turn();
	}
	return turns;
}

static void test_slow_reader(void)
{
	struct pair p;
	struct buf body = {0};
	conf.websocket.send_queue = 100000;
	open_pair(&p);
	ok(overfill(&p) < 200, "a peer that does not read is given up");
	ok(conn_unsent(p.conn) >= 100000 - 16384 && conn_unsent(p.conn) < 100000 + 20000, "at the limit");
	int texts = 0, op;
	until(&p, p.eof);
	while ((op = take_frame(&p, &body)) == WS_TEXT)
		texts++;
	ok(texts > 6, "if it reads again it gets what was queued (%d)", texts);
	ok(op == WS_CLOSE && memcmp(body.data, "\x0f\xa8", 2) == 0, "and the code 4008");
	finish(&p, 4008, "slow reader");

	open_pair(&p);
	overfill(&p);
	pass(1000);
	ok(!hung_up(&p), "it has two seconds");
	pass(1000);
	turn();
	ok(hung_up(&p), "and no more");
	finish(&p, 4008, "dead reader");

	open_pair(&p);
	conf.websocket.send_queue = 1024;
	for (int i = 0; i < 40; i++)
		send_text(p.ws, STR_LIT("a burst that the socket takes is not the peer's fault"));
	ok(conn_unsent(p.conn) > 1024, "a burst over the limit");
	turn();
	ok(!p.closed, "is judged after it was written");
	client_close(&p);
	turn();
	finish(&p, WS_CLOSE_ABNORMAL, "burst");

	open_pair(&p);
	client_close(&p);
	for (int i = 0; i < 40; i++)
		send_text(p.ws, STR_LIT("the connection breaks before the queue is judged"));
	conf.websocket.send_queue = 262144;
	finish(&p, WS_CLOSE_ABNORMAL, "a burst to nobody");
	buf_fini(&body);
}

static void test_ping_flood(void)
{
	struct pair p;
	struct buf b = {0}, body = {0};
	char payload[125], last[4] = "";
	int in_order = 0;
	open_pair(&p);
	for (int i = 0; i < 10; i++) {
		payload[0] = (char)('0' + i);
		put_frame(&b, FIN | WS_PING, (struct str){payload, 1});
	}
	client_write(&p, &b);
	until(&p, p.in.len == 30);
	for (int i = 0; i < 10; i++)
		in_order += take_frame(&p, &body) == WS_PONG && body.data[0] == '0' + i;
	is_int(in_order, 10, "ten pings have ten pongs");

	/* From here the client does not read, and the queue is stuck. */
	conf.websocket.send_queue = 1024 * 1024;
	memset(payload, 'x', sizeof(payload));
	char text[16384] = {0};
	memset(text, 'x', sizeof(text));
	while (conn_unsent(p.conn) < 20000) {
		send_text(p.ws, (struct str){text, sizeof(text)});
		turn();
	}
	size_t before = conn_unsent(p.conn);
	for (int i = 0; i < 3000; i++) {
		snprintf(payload, sizeof(payload), "%3d", i % 1000);
		buf_clear(&b);
		put_frame(&b, FIN | WS_PING, (struct str){payload, sizeof(payload)});
		client_write(&p, &b);
		if (i % 100 == 0)
			turn();
	}
	turn();
	ok(conn_unsent(p.conn) < before + 2000, "a flood of pings does not fill the queue (%zu bytes)",
	   conn_unsent(p.conn) - before);
	int op, quiet = 0;
	while (quiet < 3) {
		client_read(&p);
		quiet = p.in.len == 0 ? quiet + 1 : 0;
		while ((op = take_frame(&p, &body)) >= 0)
			if (op == WS_PONG)
				memcpy(last, body.data, 3);
		turn();
	}
	is_str(last, "999", "and the last one is answered");
	client_send(&p, FIN | WS_PING, "");
	until(&p, p.in.len == 2);
	is_int(p.in.len, 2, "once all is read, each ping is again");

	while (conn_unsent(p.conn) < 20000) {
		send_text(p.ws, (struct str){text, sizeof(text)});
		turn();
	}
	for (int i = 0; i < 20; i++)
		client_write(&p, &b);
	client_send(&p, WS_TEXT, "the beginning of a message");
	turn();
	conf.websocket.send_queue = 262144;
	client_close(&p);
	finish(&p, WS_CLOSE_ABNORMAL, "flood");
	buf_fini(&b);
	buf_fini(&body);
}

int main(void)
{
	start_ws();
	test_messages();
	test_peer_closes();
	test_end_is_told_at_once();
	test_we_close();
	test_heartbeat();
	test_ping_phases();
	test_pause();
	test_slow_reader();
	test_ping_flood();
	stop();
	return done_testing();
}
