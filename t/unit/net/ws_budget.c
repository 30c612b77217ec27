/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages that arrive in pieces: how long they may take, and how much memory they get. */
#include "core/base.h"
#include "net/ws.h"

#include <sys/socket.h>

#include "ws_pair.h"

/* The beginning of an unmasked-by-zero frame of that many bytes: its head and `have` bytes of it. */
static void client_begin(struct pair *p, int first, size_t len, size_t have)
{
	struct buf b = {0};
	char head[14] = {(char)first, (char)(0x80 | 127)};
	for (int i = 0; i < 8; i++)
		head[2 + i] = (char)((uint64_t)len >> 8 * (7 - i));
	buf_append(&b, head, sizeof(head));
	memset(buf_reserve(&b, have), 'x', have);
	b.len += have;
	client_write(p, &b);
	buf_fini(&b);
}

static void client_trickle(struct pair *p, size_t len)
{
	struct buf b = {0};
	memset(buf_reserve(&b, len), 'x', len);
	b.len = len;
	client_write(p, &b);
	buf_fini(&b);
}

static size_t counted(void)
{
	return intake_bytes(loop_intake(loop));
}

/* However often a byte comes, the whole message has its time. */
static void test_message_in_time(void)
{
	static const char *const names[] = {"fragments", "a frame in pieces", "the head of a frame"};
	struct pair p;
	struct buf body = {0};
	for (int kind = 0; kind < 3; kind++) {
		open_pair(&p);
		if (kind == 0)
			client_send(&p, WS_TEXT, "begun");
		else if (kind == 1)
			client_begin(&p, FIN | WS_TEXT, 65536, 60000);
		else
			client_write(&p, &(struct buf){.data = (char[]){(char)(FIN | WS_TEXT)}, .len = 1});
		turn();
		ok(kind != 1 ? counted() > 0 : counted() >= 60000, "%s: counted (%zu)", names[kind], counted());
		for (int i = 0; i < 2; i++) {
			pass(14000);
			if (kind == 0) {
				client_send(&p, WS_CONTINUATION, "and on");
				client_send(&p, FIN | WS_PONG, "");
			} else if (kind == 1) {
				client_trickle(&p, 1);
			}
			turn();
		}
		client_read(&p);
		while (take_frame(&p, &body) == WS_PING)
			;
		is_int(p.in.len, 0, "%s: nothing happens within the time for a message", names[kind]);
		ok(!p.closed, "%s: and the connection stays", names[kind]);
		pass(2000);
		ok(!p.closed, "%s: another look is taken, for this process may have stood still", names[kind]);
		pass(WHEEL_TICK_MS);
		client_read(&p);
		while (p.in.len >= 2 && (p.in.data[0] & 0x0f) == WS_PING)
			take_frame(&p, &body);
		is_close_frame(&p, 1008, names[kind]);
		is_int(counted(), 0, "%s: nothing is kept", names[kind]);
		finish(&p, 1008, names[kind]);
	}

	open_pair(&p);
	for (int i = 0; i < 3; i++) {
		client_send(&p, WS_TEXT, "a");
		pass(20000);
		client_send(&p, FIN | WS_CONTINUATION, "b");
		turn();
	}
	until(&p, p.messages == 3);
	is_str(buf_cstr(&p.texts), "ab|ab|ab|", "the next message has its own time");
	client_send(&p, FIN | WS_TEXT, "c");
	until(&p, p.messages == 4);
	is_int(counted(), 0, "a whole one is not counted");
	pass(20000);
	pass(20000);
	ok(!p.closed, "and between two of them there is no such limit");
	client_close(&p);
	finish(&p, WS_CLOSE_ABNORMAL, "in time");
	buf_fini(&body);
}

static void give_way(void *owner)
{
	struct intake_entry *e = owner;
	intake_end(e);
}

/* All that is received shares one budget: who has taken longest gives way, be it a WebSocket or not. */
static void test_message_budget(void)
{
	enum { MIB = 1024 * 1024, SIZE = 8 * MIB, HAVE = 7 * MIB, PAIRS = 10 };
	struct pair p[PAIRS];
	struct intake_entry other = {0};
	conf.websocket.max_message = SIZE;
	intake_begin(loop_intake(loop), &other, give_way, &other);
	intake_set(&other, 7 * MIB);
	for (int i = 0; i < 8; i++) {
		if (i == 7)
			ok(other.intake != NULL, "there is room for 56 MiB");
		open_pair(&p[i]);
		if (i % 2 == 0)
			client_begin(&p[i], FIN | WS_TEXT, SIZE, HAVE);
		else
			client_begin(&p[i], WS_TEXT, HAVE, HAVE);
		for (int t = 0; t < 3; t++)
			turn();
		ok(counted() <= INTAKE_MEMORY, "%d MiB are received and take %zu", 7 * (i + 1), counted());
	}
	ok(other.intake == NULL, "what began first gives way first, whatever it is");
	client_read(&p[0]);
	is_close_frame(&p[0], 1013, "then the first WebSocket");
	ok(!p[1].closed && !p[2].closed, "and nobody else");

	/* p[1] is closing: it still holds what it sent, and goes next. */
	ws_close(p[1].ws, 4001, "replaced");
	turn();
	open_pair(&p[8]);
	client_begin(&p[8], FIN | WS_TEXT, SIZE, HAVE);
	until(&p[8], counted() <= INTAKE_MEMORY && conn_last_input_ms(p[8].conn) != 0);
	for (int t = 0; t < 3; t++)
		turn();
	client_read(&p[1]);
	ok(p[1].eof, "one that does not answer a close frame gives way too");
	for (int i = 2; i < 9; i++) {
		if (i % 2 == 0)
			client_trickle(&p[i], SIZE - HAVE);
		else
			client_send(&p[i], FIN | WS_CONTINUATION, "");
		until(&p[i], p[i].messages == 1);
		is_int(p[i].messages, 1, "the others come to their end");
	}
	is_int(counted(), 0, "and nothing is left");
	conf.websocket.max_message = 65536;
	for (int i = 0; i < 9; i++) {
		if (i >= 2)
			client_close(&p[i]);
		finish(&p[i], i == 0 ? 1013 : i == 1 ? 4001 : WS_CLOSE_ABNORMAL, "budget");
	}
}

int main(void)
{
	start_ws();
	test_message_in_time();
	test_message_budget();
	stop();
	return done_testing();
}
