/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections over socket pairs: reading, pausing, writing, and each way to close. */
#include "core/base.h"
#include "net/conn.h"

#include "pair.h"
#include "../tap.h"

/* The server's end, and what its handler saw. */
struct end {
	struct conn *c;
	int fd; /* the client's */
	struct buf got, offered;
	size_t take;	 /* at most so much a call; 0: all */
	size_t pause_at; /* pauses when so much was got; 0: never */
	int inputs, eofs, drains, timeouts, closes;
	const char *reason;
	const struct conn_handler *next; /* switch to it at the first input */
	struct end *closes_too;		 /* at the first input closes that one */
	bool close_in_input;
};

static size_t on_input(struct conn *c, char *data, size_t len, void *owner)
{
	struct end *e = owner;
	e->inputs++;
	buf_clear(&e->offered);
	buf_append(&e->offered, data, len);
	size_t n = e->take != 0 && e->take < len ? e->take : len;
	buf_append(&e->got, data, n);
	if (e->pause_at != 0 && e->got.len >= e->pause_at)
		conn_pause(c);
	if (e->closes_too != NULL)
		conn_close(e->closes_too->c, "with it");
	if (e->close_in_input)
		conn_close(c, "wanted");
	if (e->next != NULL)
		conn_set_handler(c, e->next, e);
	return n;
}

static size_t on_other_input(struct conn *c, char *data, size_t len, void *owner)
{
	struct end *e = owner;
	buf_append_char(&e->got, '|');
	buf_append(&e->got, data, len);
	return len;
}

static void on_eof(struct conn *c, void *owner)
{
	((struct end *)owner)->eofs++;
}

static void on_written(struct conn *c, void *owner)
{
	((struct end *)owner)->drains += conn_unsent(c) == 0;
}

static void on_timeout(struct conn *c, void *owner)
{
	((struct end *)owner)->timeouts++;
}

static void on_closed(struct conn *c, const char *reason, void *owner)
{
	struct end *e = owner;
	e->closes++;
	e->reason = reason;
	e->c = NULL;
}

static const struct conn_handler handler = {on_input, on_eof, on_written, on_timeout, on_closed};
static const struct conn_handler other = {on_other_input, NULL, NULL, NULL, on_closed};

static void open_end(struct end *e, int buffer_size)
{
	int fds[2];
	*e = (struct end){0};
	make_pair(fds, buffer_size);
	e->c = conn_new(loop, fds[0], &unix_peer, &handler, e);
	e->fd = fds[1];
}

static void shut_end(struct end *e)
{
	if (e->c != NULL)
		conn_close(e->c, "test over");
	turn();
	if (e->fd >= 0)
		close(e->fd);
	buf_fini(&e->got);
	buf_fini(&e->offered);
}

static void say(struct end *e, const char *text)
{
	if (write(e->fd, text, strlen(text)) != (ssize_t)strlen(text))
		perror("write");
}

static const char *got(struct end *e)
{
	return buf_cstr(&e->got);
}

static const char *heard(struct end *e, bool *eof_r)
{
	static struct buf in;
	buf_clear(&in);
	*eof_r = drain_into(e->fd, &in);
	return buf_cstr(&in);
}

static void test_input(void)
{
	struct end e;
	open_end(&e, 0);
	say(&e, "hello");
	turn();
	is_str(got(&e), "hello", "bytes arrive");
	buf_clear(&e.got);

	e.take = 2;
	say(&e, "abcde");
	turn();
	is_str(got(&e), "ab", "a handler may take a part");
	say(&e, "f");
	turn();
	is_str(buf_cstr(&e.offered), "cdef", "the rest is offered again before new bytes");
	is_str(got(&e), "abcd", "and taken");
	e.take = 0;
	conn_pause(e.c);
	conn_resume(e.c);
	is_str(got(&e), "abcd", "resuming does not call the handler from within");
	turn();
	is_str(got(&e), "abcdef", "resuming offers what was left");
	shut_end(&e);
}

static void test_pause(void)
{
	struct end e;
	open_end(&e, 0);
	e.pause_at = 3;
	e.take = 3;
	say(&e, "abcdef");
	turns(3);
	is_str(got(&e), "abc", "a paused connection is not read");
	say(&e, "ghi");
	turns(20);
	is_int(e.inputs, 1, "nor when more comes");
	e.pause_at = e.take = 0;
	conn_resume(e.c);
	turns(3);
	is_str(got(&e), "abcdefghi", "resumed it gets everything in order");
	say(&e, "jkl");
	turn();
	is_str(got(&e), "abcdefghijkl", "and goes on as before");

	conn_pause(e.c);
	say(&e, "tail");
	turns(2);
	ok(!conn_peer_finished(e.c), "the peer is there");
	shutdown(e.fd, SHUT_WR);
	turns(3);
	ok(conn_peer_finished(e.c), "that the peer has finished is seen while paused");
	is_int(e.eofs, 0, "and told in its turn");
	conn_resume(e.c);
	turns(3);
	is_str(got(&e), "abcdefghijkltail", "the last bytes come first");
	is_int(e.eofs, 1, "then the end, once");
	conn_write(e.c, "bye", 3);
	turns(3);
	bool eof;
	is_str(heard(&e, &eof), "bye", "output goes on after it");
	shut_end(&e);

	open_end(&e, 0);
	conn_pause(e.c);
	conn_write(e.c, "unread", 6);
	turn();
	close(e.fd); /* with unread bytes: a reset */
	e.fd = -1;
	turns(4);
	is_int(e.closes, 1, "a reset is noticed while paused");
	is_str(e.reason, "reset", "as one");
	shut_end(&e);

	open_end(&e, 0);
	conn_pause(e.c);
	conn_write(e.c, "unread", 6);
	say(&e, "last words");
	turns(3);
	ok(!conn_peer_finished(e.c), "with bytes that wait the peer is there");
	close(e.fd);
	e.fd = -1;
	turns(4);
	ok(conn_peer_finished(e.c), "a reset behind them is seen while paused, too");
	conn_resume(e.c);
	turns(4);
	is_str(got(&e), "last words", "the bytes come first");
	is_str(e.reason, "reset", "then it is closed");
	shut_end(&e);
}

static void test_turns_without_spinning(void)
{
	struct end e;
	open_end(&e, 0);
	shutdown(e.fd, SHUT_WR);
	turns(3);
	is_int(e.eofs, 1, "the end of the stream is told");
	/* Only the 50 ms tick may wake the loop now: a spinning one would make a great many turns. */
	int64_t start = clock_mono_ms();
	int n = 0;
	while (clock_mono_ms() - start < 120 && n < 1000) {
		loop_turn(loop);
		n++;
	}
	ok(n < 20, "a half-closed connection does not keep the loop awake (%d turns)", n);
	conn_pause(e.c);
	shut_end(&e);

	open_end(&e, 0);
	conn_pause(e.c);
	say(&e, "waiting");
	start = clock_mono_ms();
	n = 0;
	while (clock_mono_ms() - start < 120 && n < 1000) {
		loop_turn(loop);
		n++;
	}
	ok(n < 20, "nor do bytes that wait for a paused one (%d turns)", n);
	shut_end(&e);
}

static void test_output(void)
{
	struct end e;
	bool eof;
	open_end(&e, 0);
	struct blob *b = blob_new("shared", 6);
	conn_write(e.c, "one ", 4);
	conn_write(e.c, "two ", 4);
	conn_write_blob(e.c, b);
	conn_write(e.c, " three", 6);
	is_int(conn_unsent(e.c), 20, "output is collected");
	is_int(b->refs, 2, "a blob is shared, not copied");
	is_str(heard(&e, &eof), "", "and not written within the turn");
	turn();
	is_str(heard(&e, &eof), "one two shared three", "it leaves at the turn's end, in order");
	is_int(conn_unsent(e.c), 0, "whole");
	is_int(b->refs, 1, "the blob is let go");
	is_int(e.drains, 1, "and the handler is told");
	blob_unref(b);

	close(e.fd);
	e.fd = -1;
	conn_write(e.c, "nobody", 6);
	turns(2);
	is_str(e.reason, "reset", "writing to nobody is a quiet reset");
	shut_end(&e);
}

static void test_blocked_output(void)
{
	enum { SIZE = 3 * 1000 * 1000 };
	struct end e;
	struct buf in = {0};
	open_end(&e, 4096);
	char *big = xmalloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		big[i] = (char)(i * 31 >> 3);
	struct blob *b = blob_new(big, 1000 * 1000);
	for (int i = 0; i < 1000; i++)
		conn_write(e.c, big + i * 1000, 1000);
	conn_write_blob(e.c, b);
	conn_write(e.c, big + 2 * 1000 * 1000, 1000 * 1000);
	blob_unref(b);
	turns(3);
	ok(conn_unsent(e.c) > 1000 * 1000, "a peer that does not read blocks");
	is_int(e.drains, 0, "and nothing is told");
	for (int i = 0; i < TURNS_MAX && in.len < SIZE; i++) {
		drain_into(e.fd, &in);
		turn();
	}
	is_int(in.len, SIZE, "then everything arrives");
	ok(memcmp(in.data, big, 1000 * 1000) == 0 && memcmp(in.data + 1000 * 1000, big, 1000 * 1000) == 0 &&
		   memcmp(in.data + 2 * 1000 * 1000, big + 2 * 1000 * 1000, 1000 * 1000) == 0,
	   "as it was written");
	turn();
	is_int(e.drains, 1, "and the handler is told once");
	say(&e, "still");
	turn();
	is_str(got(&e), "still", "reading went on");
	free(big);
	buf_fini(&in);
	shut_end(&e);
}

static void test_closing(void)
{
	struct end e;
	bool eof;
	open_end(&e, 0);
	conn_set_timeout(e.c, 1000);
	conn_write(e.c, "dropped", 7);
	conn_close(e.c, "first");
	conn_close(e.c, "second");
	conn_write(e.c, "ignored", 7);
	ok(conn_is_closing(e.c) && e.closes == 0, "closing calls nothing from within");
	turn();
	is_int(e.closes, 1, "closed is told once, at the turn's end");
	is_str(e.reason, "first", "with the first reason");
	is_str(heard(&e, &eof), "", "unsent output is dropped");
	ok(eof, "and the socket closed");
	pass(2000);
	is_int(e.timeouts, 0, "its timer died with it");
	shut_end(&e);

	open_end(&e, 0);
	e.close_in_input = true;
	say(&e, "x");
	turns(2);
	is_int(e.closes, 1, "closing within input");
	shut_end(&e);

	open_end(&e, 0);
	conn_set_handler(e.c, &other, &e);
	shutdown(e.fd, SHUT_WR);
	turns(2);
	is_str(e.reason, "eof", "without an eof handler the end closes");
	shut_end(&e);
}

static void test_closing_gracefully(void)
{
	struct end e;
	bool eof;
	open_end(&e, 0);
	conn_write(e.c, "last words", 10);
	conn_close_gracefully(e.c, "done");
	say(&e, "too late");
	turns(3);
	is_str(heard(&e, &eof), "last words", "what is queued is written");
	ok(eof, "then our side is shut down");
	is_str(got(&e), "", "input is dropped");
	is_int(e.closes, 0, "the connection waits for the peer");
	close(e.fd);
	e.fd = -1;
	turns(3);
	is_str(e.reason, "done", "which closes");
	shut_end(&e);

	open_end(&e, 0);
	conn_close_gracefully(e.c, "done");
	turns(2);
	pass(1900);
	is_int(e.closes, 0, "a peer that stays");
	pass(200);
	is_int(e.closes, 1, "is not waited for longer than two seconds");
	shut_end(&e);

	open_end(&e, 0);
	conn_close_gracefully(e.c, "done");
	size_t sent = 0;
	static const char junk[65536];
	for (int i = 0; i < 1000 && e.closes == 0; i++) {
		ssize_t n = send(e.fd, junk, sizeof(junk), MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	ok(e.closes == 1 && sent > 1024 * 1024 && sent < 4 * 1024 * 1024, "nor is more than about 1 MiB read (%zu)",
	   sent);
	shut_end(&e);

	open_end(&e, 4096);
	for (int i = 0; i < 200; i++)
		conn_write(e.c, junk, 1000);
	conn_close_gracefully(e.c, "done");
	turns(2);
	pass(9000);
	is_int(e.closes, 0, "a slow peer has time to take the output");
	pass(2000);
	is_int(e.closes, 1, "not for ever");
	shut_end(&e);

	open_end(&e, 0);
	shutdown(e.fd, SHUT_WR);
	turns(2);
	conn_write(e.c, "answer", 6);
	conn_close_gracefully(e.c, "done");
	turns(2);
	is_str(heard(&e, &eof), "answer", "after the peer's FIN the output still leaves");
	is_int(e.closes, 1, "and nothing is waited for");
	shut_end(&e);
}

static void test_timeout(void)
{
	struct end e;
	open_end(&e, 0);
	conn_set_timeout(e.c, 1000);
	pass(900);
	is_int(e.timeouts, 0, "never early");
	conn_set_timeout(e.c, 1000);
	pass(900);
	is_int(e.timeouts, 0, "set again it begins anew");
	pass(200);
	is_int(e.timeouts, 1, "then it comes");
	pass(5000);
	is_int(e.timeouts, 1, "once");
	conn_set_timeout(e.c, 1000);
	conn_set_timeout(e.c, 0);
	pass(5000);
	is_int(e.timeouts, 1, "0 cancels");
	shut_end(&e);
}

static void test_switch(void)
{
	struct end e;
	open_end(&e, 0);
	e.next = &other;
	e.take = 3;
	say(&e, "oldnew");
	turn();
	is_str(got(&e), "old|new", "another handler gets the rest of the same bytes");
	shutdown(e.fd, SHUT_WR);
	turns(2);
	is_int(e.closes, 1, "and the events");
	shut_end(&e);

	open_end(&e, 0);
	conn_pause(e.c);
	say(&e, "later");
	turns(2);
	conn_set_handler(e.c, &other, &e);
	conn_resume(e.c);
	is_str(got(&e), "", "never from within");
	turns(2);
	is_str(got(&e), "|later", "what waited goes to the new handler");
	shut_end(&e);
}

static void test_peer(void)
{
	struct end e;
	struct addr peer;
	const char *err;
	char out[ADDR_TEXT_MAX];
	int fds[2];
	for (int v6 = 0; v6 < 2; v6++) {
		const char *text = v6 ? "[fe80::1:2]:5" : "10.1.2.3:456";
		if (addr_parse(&peer, text, &err) != 0)
			exit(1);
		e = (struct end){.fd = -1};
		make_pair(fds, 0);
		e.c = conn_new(loop, fds[0], &peer, &handler, &e);
		is_str(addr_format(conn_peer(e.c), out), text, "the peer is kept");
		close(fds[1]);
		shut_end(&e);
	}
}

/* Both sockets are readable, and are told of in one turn. */
static void test_closes_another(void)
{
	struct end a, b;
	open_end(&a, 0);
	open_end(&b, 0);
	a.closes_too = &b;
	b.closes_too = &a;
	say(&a, "x");
	say(&b, "y");
	turn();
	is_int(a.inputs + b.inputs, 1, "one that another closed before its turn hears nothing more");
	is_int(a.closes + b.closes, 1, "and is closed once");
	a.closes_too = b.closes_too = NULL;
	shut_end(&a);
	shut_end(&b);
}

static void test_held(void)
{
	struct end e;
	struct blob *first = blob_new("first", 5), *last = blob_new("last", 4), *none = blob_new("none", 4);
	static char big[200000];
	struct buf in = {0};
	open_end(&e, 4096);
	memset(big, 'x', sizeof(big));
	conn_write(e.c, big, sizeof(big));
	conn_hold(e.c, first);
	turns(3);
	conn_hold(e.c, last);
	blob_unref(first);
	blob_unref(last);
	for (int i = 0; i < TURNS_MAX && in.len < sizeof(big) + 4; i++) {
		turn();
		drain_into(e.fd, &in);
	}
	ok(in.len == sizeof(big) + 4 && memcmp(in.data + sizeof(big), "last", 4) == 0,
	   "of what is held the last leaves, behind all else");
	buf_clear(&in);
	conn_write(e.c, "y", 1);
	conn_hold(e.c, none);
	conn_hold(e.c, NULL);
	turns(3);
	drain_into(e.fd, &in);
	is_int(in.len, 1, "and nothing, where it was taken back");
	conn_hold(e.c, none);
	turns(3);
	drain_into(e.fd, &in);
	is_str(buf_cstr(&in), "ynone", "where nothing is queued, it leaves at once");
	conn_write(e.c, big, sizeof(big));
	conn_hold(e.c, none);
	blob_unref(none);
	turns(3);
	conn_close(e.c, "end");
	shut_end(&e);
	buf_fini(&in);
}

int main(void)
{
	start_loop();
	test_input();
	test_pause();
	test_turns_without_spinning();
	test_output();
	test_blocked_output();
	test_closing();
	test_closing_gracefully();
	test_timeout();
	test_switch();
	test_peer();
	test_closes_another();
	test_held();

	struct end e;
	open_end(&e, 0);
	conn_close(e.c, "end");
	loop_free(&loop);
	is_int(e.closes, 1, "loop_free frees what was closed");
	close(e.fd);
	return done_testing();
}
