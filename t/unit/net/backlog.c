/* SPDX-License-Identifier: BSD-2-Clause */
/* Output that clients do not read: how slow one may be, what all of it may take, and who makes room. */
#include "core/base.h"
#include "net/backlog.h"

#include "core/log.h"
#include "net/conn.h"
#include "pair.h"
#include "../tap.h"

#define KIB 1024

/* The server's end and the client's. */
struct end {
	struct conn *c;
	int fd;
	const char *reason;
};

static size_t on_input(struct conn *c, char *data, size_t len, void *owner)
{
	return len;
}

static void on_closed(struct conn *c, const char *reason, void *owner)
{
	struct end *e = owner;
	e->reason = reason;
	e->c = NULL;
}

static const struct conn_handler handler = {.input = on_input, .closed = on_closed};

static void open_end(struct end *e)
{
	int fds[2];
	make_pair(fds, 4096);
	*e = (struct end){.fd = fds[1]};
	e->c = conn_new(loop, fds[0], &unix_peer, &handler, e);
}

static void shut_end(struct end *e)
{
	if (e->c != NULL)
		conn_close(e->c, "test over");
	turn();
	close(e->fd);
}

static void queue(struct end *e, size_t bytes)
{
	char *data = xcalloc(1, bytes);
	conn_write(e->c, data, bytes);
	free(data);
	turns(2);
}

static void take(struct end *e, size_t bytes)
{
	char data[4096];
	while (bytes != 0) {
		ssize_t n = recv(e->fd, data, bytes < sizeof(data) ? bytes : sizeof(data), MSG_DONTWAIT);
		if (n <= 0)
			break;
		bytes -= (size_t)n;
		turn();
	}
	turn();
}

/* How many seconds a client keeps its connection that takes so much a second; `most` if it keeps it. */
static int seconds_of(size_t bytes_a_second, int most)
{
	struct end e;
	int secs = 0;
	open_end(&e);
	queue(&e, 1000 * KIB);
	while (secs < most && e.c != NULL) {
		pass(1000);
		secs++;
		if (e.c != NULL)
			take(&e, bytes_a_second);
	}
	if (secs < most)
		is_str(e.reason, CONN_TOO_SLOW, "closed for slowness");
	shut_end(&e);
	return secs;
}

static void test_rate(void)
{
	int secs = seconds_of(0, 200);
	ok(secs >= 30 && secs <= 33, "nothing read: closed after %d s", secs);
	secs = seconds_of(1, 200);
	ok(secs >= 30 && secs <= 33, "a byte a second: closed after %d s", secs);
	secs = seconds_of(BACKLOG_RATE / 2, 200);
	ok(secs >= 30 && secs <= 33, "half the rate: closed after %d s", secs);
	is_int(seconds_of(2 * BACKLOG_RATE, 100), 100, "twice the rate: it goes on");
}

/* One that begins well and stops. */
static void test_stops_later(void)
{
	struct end e;
	int secs;
	open_end(&e);
	queue(&e, 1000 * KIB);
	for (secs = 0; secs < 40; secs++) {
		pass(1000);
		take(&e, 4 * KIB);
	}
	ok(e.c != NULL, "40 s of reading");
	for (; secs < 200 && e.c != NULL; secs++)
		pass(1000);
	ok(secs > 40 && secs <= 40 + 62, "then none: closed after %d s", secs);
	shut_end(&e);
}

/* The process was stopped for long, and the client ready to read all the time. */
static void test_own_pause(void)
{
	struct end e;
	open_end(&e);
	queue(&e, 300 * KIB);
	pass(120 * 1000);
	ok(e.c != NULL, "one late look closes nothing");
	for (int i = 0; i < 30 && conn_unsent(e.c) != 0; i++)
		take(&e, 16 * KIB);
	pass(2000);
	ok(e.c != NULL, "if it reads now");
	shut_end(&e);
}

static void test_finished(void)
{
	struct end e;
	open_end(&e);
	queue(&e, 100 * KIB);
	while (conn_unsent(e.c) != 0)
		take(&e, 4 * KIB);
	for (int i = 0; i < 100; i++)
		pass(1000);
	ok(e.c != NULL, "a client that has read everything may be silent");
	shut_end(&e);
}

static void test_budget(void)
{
	struct end stalled, reader, late, small;
	struct backlog *b = loop_backlog(loop);
	is_int(*backlog_memory(b), 0, "nothing waits");
	backlog_set_budget(b, 1000 * KIB);
	open_end(&stalled);
	open_end(&reader);
	open_end(&late);
	open_end(&small);
	queue(&stalled, 400 * KIB);
	queue(&reader, 500 * KIB);
	queue(&small, 20 * KIB);
	for (int i = 0; i < 10; i++) {
		pass(1000);
		take(&reader, 16 * KIB);
	}
	ok(stalled.c != NULL && reader.c != NULL && small.c != NULL, "within the budget");
	ok(*backlog_memory(b) > 700 * KIB && *backlog_memory(b) <= 1000 * KIB, "of which %zu KiB are used",
	   *backlog_memory(b) / KIB);
	queue(&late, 350 * KIB);
	is_str(stalled.reason, CONN_NO_MEMORY, "beyond it who holds much and reads nothing is closed");
	ok(reader.c != NULL, "not who reads, though it holds more");
	ok(late.c != NULL, "nor who has just begun");
	ok(small.c != NULL, "nor who holds little");
	ok(*backlog_memory(b) <= 875 * KIB, "which makes room");
	shut_end(&stalled);
	shut_end(&reader);
	shut_end(&late);
	shut_end(&small);

	open_end(&late);
	queue(&late, 1100 * KIB);
	is_str(late.reason, CONN_NO_MEMORY, "one alone may not have more than all");
	shut_end(&late);
	is_int(*backlog_memory(b), 0, "nothing is left");
	backlog_set_budget(b, 0);
}

static void test_shared(void)
{
	enum { MANY = 20 };
	struct end e[MANY];
	struct backlog *b = loop_backlog(loop);
	struct blob *blob = blob_alloc(200 * KIB);
	memset(blob->data, 'x', blob->len);
	backlog_set_budget(b, 500 * KIB);
	for (int i = 0; i < MANY; i++) {
		open_end(&e[i]);
		conn_write_blob(e[i].c, blob);
	}
	turns(2);
	int open = 0;
	for (int i = 0; i < MANY; i++)
		open += e[i].c != NULL;
	is_int(open, MANY, "a message to many is counted once");
	ok(*backlog_memory(b) > 200 * KIB && *backlog_memory(b) < 210 * KIB, "in memory");
	for (int i = 0; i < MANY; i++)
		shut_end(&e[i]);
	is_int(*backlog_memory(b), 0, "and let go of once");
	is_int(blob->refs, 1, "by all");
	blob_unref(blob);
	backlog_set_budget(b, 0);
}

int main(void)
{
	const char *err;
	start_loop();
	if (log_open("/dev/null", LOG_LEVEL_WARN, LOG_FORMAT_TEXT, &err) != 0)
		return 1;
	test_rate();
	test_stops_later();
	test_own_pause();
	test_finished();
	test_budget();
	test_shared();
	loop_free(&loop);
	return done_testing();
}
