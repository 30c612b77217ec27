/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of HTTP connections: turns, late answers, leaving clients, timeouts, draining. */
#include "core/base.h"

#include "net/intake.h"
#include "http_kit.h"

#define HOST "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define POST(path, length) "POST " path " HTTP/1.1\r\n" HOST "Content-Length: " length "\r\n\r\n"

static void reply(struct http_req *req, const char *text)
{
	http_reply(req, 200, NULL, NULL, str_from(text));
}

static void test_pipelining(void)
{
	struct client c;
	reset_seen();
	open_client(&c);
	say(&c, GET("/pending/1") GET("/now") GET("/pending/3") POST("/now", "4") "four");
	turns(5);
	is_int(seen.requests, 1, "of pipelined requests one is handled at a time");
	is_str(hear(&c), "", "nothing is answered out of order");
	reply(seen.pending[0], "one");
	is_int(seen.requests, 1, "answering does not call the handler from within");
	const char *a = hear(&c);
	ok(count_of(a, "HTTP/1.1 200") == 2 && has(a, "one"), "the answer, and that of the next one");
	is_int(seen.requests, 3, "the third waits for its answer");
	reply(seen.pending[1], "three");
	a = hear(&c);
	ok(has(a, "three") && has(a, "four") && strstr(a, "three") < strstr(a, "four"), "the last come in order");
	close_client(&c);

	/* Half a request behind a pending one, the rest after its answer. */
	reset_seen();
	open_client(&c);
	say(&c, GET("/pending") "GET /n");
	turns(5);
	say(&c, "ow HTTP/1.1\r\n" HOST);
	turns(5);
	reply(seen.pending[0], "first");
	ok(has(hear(&c), "first"), "the pending one is answered");
	say(&c, "\r\n");
	is_int(status_of(hear(&c)), 200, "then the one in pieces");
	close_client(&c);
}

static void test_bursts(void)
{
	enum { COUNT = 20000 };
	struct client c, other;
	struct buf all = {0};
	reset_seen();
	open_client(&c);
	open_client(&other);
	for (int i = 0; i < COUNT; i++)
		buf_append_str(&all, STR_LIT(GET("/now")));
	/* The burst is written as far as it goes; then the other client asks. */
	size_t sent = 0;
	ssize_t n;
	while ((n = send(c.fd, all.data + sent, all.len - sent, MSG_NOSIGNAL)) > 0)
		sent += (size_t)n;
	n = send(other.fd, GET("/now"), strlen(GET("/now")), MSG_NOSIGNAL);
	turns(2);
	drain_into(other.fd, &other.in);
	is_int(status_of(buf_cstr(&other.in)), 200, "another client's request is served beside a burst");
	ok(seen.requests < 200, "of which a turn takes a few (%d)", seen.requests);

	size_t answers = 0;
	for (int i = 0; i < TURNS_MAX && answers < COUNT; i++) {
		if (sent < all.len && (n = send(c.fd, all.data + sent, all.len - sent, MSG_NOSIGNAL)) > 0)
			sent += (size_t)n;
		turn();
		buf_clear(&c.in);
		drain_into(c.fd, &c.in);
		answers += (size_t)count_of(buf_cstr(&c.in), "X-Request-Id");
	}
	is_int(answers, COUNT, "a large burst is answered whole");
	close_client(&other);
	buf_fini(&all);

	/* A client that sends and never reads is not served without bound. */
	reset_seen();
	turns(3);
	for (int i = 0; i < 5000; i++) {
		n = send(c.fd, GET("/now"), strlen(GET("/now")), MSG_NOSIGNAL);
		turn();
	}
	int served = seen.requests;
	turns(100);
	ok(served < 4000 && seen.requests == served, "nobody reads the answers: no more requests (%d)", served);
	ok(status_of(hear(&c)) == 200 && seen.requests > served, "until somebody does");
	close_client(&c);
}

/* While a client has not taken an answer no further request of it is begun, however small the answers are. */
static void test_unread(void)
{
	enum { COUNT = 50 };
	char body[901] = "", request[1024];
	struct client c = {0};
	int fds[2];
	reset_seen();
	make_pair(fds, 4096);
	http_server_accept(server, fds[0], &unix_peer, NULL);
	c.fd = fds[1];
	memset(body, 'x', sizeof(body) - 1);
	snprintf(request, sizeof(request), POST("/now", "900") "%s", body);
	/* Until the socket is full. */
	int before = -1;
	for (int i = 0; i < COUNT && seen.requests != before; i++) {
		before = seen.requests;
		say(&c, request);
		turns(2);
	}
	int served = seen.requests;
	ok(served < COUNT, "a client that reads nothing blocks after %d small answers", served);
	say(&c, request);
	turns(10);
	is_int(seen.requests, served, "and no further request is begun");
	hear(&c);
	ok(seen.requests > served, "until it reads");
	close_client(&c);
}

static void test_early_answers(void)
{
	struct client c;
	reset_seen();
	open_client(&c);
	say(&c, POST("/early", "6"));
	const char *a = hear(&c);
	ok(status_of(a) == 403 && !has(a, "Connection: close"), "an early answer does not wait for the body");
	say(&c, "bo");
	say(&c, "dyyy" GET("/now"));
	a = hear(&c);
	ok(status_of(a) == 200 && count_of(a, "HTTP/1.1 200") == 1,
	   "a small body is dropped, and the connection goes on");

	say(&c, POST("/early-later", "4") "body" GET("/now"));
	is_str(hear(&c), "", "a handler that wants no body may answer later");
	reply(seen.pending[0], "late");
	a = hear(&c);
	ok(count_of(a, "HTTP/1.1 200") == 2 && has(a, "late"), "then it goes on too");
	is_int(seen.aborted, 0, "no body was asked for");

	say(&c, POST("/early", "1001"));
	a = hear(&c);
	ok(status_of(a) == 403 && has(a, "Connection: close") && c.eof, "before a large body the connection closes");
	close_client(&c);

	open_client(&c);
	say(&c, "POST /early HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	a = hear(&c);
	ok(status_of(a) == 403 && has(a, "Connection: close") && c.eof, "and before one of unknown length");
	close_client(&c);
}

static void test_continue(void)
{
	static const char expecting[] =
		"POST /now HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n";
	struct client c;
	open_client(&c);
	say(&c, expecting);
	is_str(hear(&c), "HTTP/1.1 100 Continue\r\n\r\n", "100 when the handler wants the body");
	say(&c, "abc");
	is_str(body_of(hear(&c)), "abc", "then the answer");
	send_bytes(&c, expecting, strlen(expecting) - 2);
	say(&c, "\r\nabc");
	is_int(status_of(hear(&c)), 200, "none where the body is here already");
	say(&c, "POST /early HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	const char *a = hear(&c);
	ok(status_of(a) == 403 && has(a, "Connection: close") && c.eof, "nor where it does not want it");
	close_client(&c);

	open_client(&c);
	say(&c, "POST /now HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	is_str(hear(&c), "", "nor for HTTP/1.0");
	say(&c, "abc");
	is_str(body_of(hear(&c)), "abc", "which sends it all the same");
	close_client(&c);
}

static void test_leaving_clients(void)
{
	struct client c;
	reset_seen();
	open_client(&c);
	say(&c, GET("/pending"));
	turns(3);
	ok(http_req_alive(seen.pending[0]), "a waiting client is alive");
	close_client(&c);
	turns(3);
	ok(!http_req_alive(seen.pending[0]), "that it has left is noticed while the request is pending");
	reply(seen.pending[0], "for nobody");
	turns(3);
	is_int(seen.answered, 1, "its answer is counted");
	is_int(http_server_connections(server), 0, "and the connection gone");

	reset_seen();
	open_client(&c);
	say(&c, GET("/pending") GET("/now"));
	shutdown(c.fd, SHUT_WR);
	turns(5);
	ok(!http_req_alive(seen.pending[0]), "one that has finished sending may have left");
	reply(seen.pending[0], "still here");
	const char *a = hear(&c);
	ok(has(a, "still here") && count_of(a, "HTTP/1.1 200") == 2 && c.eof, "but gets its answers, then the end");
	close_client(&c);

	/* Reset while pending: unread bytes at the client. */
	reset_seen();
	open_client(&c);
	say(&c, GET("/now") GET("/pending"));
	turns(3);
	close_client(&c);
	ok(!http_req_alive(seen.pending[0]), "a reset is noticed too");
	is_int(seen.closed, 1, "and closes at once");
	is_str(seen.reason, "reset", "as one");
	reply(seen.pending[0], "for nobody");

	reset_seen();
	open_client(&c);
	say(&c, POST("/now", "10") "half");
	close_client(&c);
	is_int(seen.aborted, 1, "a client that leaves within the body aborts the request");
	is_int(seen.answered, 0, "which is not answered");
	open_client(&c);
	say(&c, "GET /no");
	close_client(&c);
	is_int(http_server_connections(server), 0, "one that leaves within the head leaves nothing");
}

static void test_timeouts(void)
{
	struct client c;
	reset_seen();
	open_client(&c);
	pass(9900);
	is_int(seen.closed, 0, "a fresh connection has its time");
	pass(200);
	ok(has(hear(&c), "") && c.in.len == 0 && c.eof, "then it is closed silently");
	close_client(&c);

	open_client(&c);
	pass(5000);
	say(&c, "GET /now HTTP/1.1\r\n");
	for (int i = 0; i < 4; i++) {
		pass(1000);
		say(&c, "A: b\r\n");
	}
	is_str(hear(&c), "", "a slow head");
	pass(1100);
	const char *a = hear(&c);
	ok(status_of(a) == 408 && has(a, "request_timeout") && c.eof,
	   "gains no time by each line, counted from the accept");
	close_client(&c);

	reset_seen();
	open_client(&c);
	say(&c, POST("/now", "100"));
	for (int i = 0; i < 29; i++) {
		pass(1000);
		say(&c, "x");
	}
	is_str(hear(&c), "", "a slow body");
	pass(1100);
	a = hear(&c);
	ok(status_of(a) == 408 && has(a, "request_timeout") && c.eof, "nor does a body by each byte");
	is_int(seen.aborted, 1, "the handler learns of it");
	close_client(&c);

	reset_seen();
	open_client(&c);
	say(&c, GET("/now"));
	hear(&c);
	pass(74000);
	say(&c, "\r\n");
	is_str(hear(&c), "", "an idle connection");
	ok(!c.eof, "stays");
	pass(1100);
	is_str(hear(&c), "", "until keepalive_timeout, which empty lines do not lengthen");
	ok(c.eof, "and is closed silently");
	close_client(&c);

	open_client(&c);
	say(&c, GET("/now"));
	hear(&c);
	pass(60000);
	say(&c, "GET /now");
	pass(9900);
	is_str(hear(&c), "", "a later request's head");
	pass(200);
	is_int(status_of(hear(&c)), 408, "has its time from its first byte");
	close_client(&c);

	reset_seen();
	open_client(&c);
	say(&c, GET("/pending"));
	turns(3);
	pass(1000000);
	reply(seen.pending[0], "at last");
	ok(has(hear(&c), "at last"), "a pending request has all time: it is not the client's fault");
	say(&c, POST("/early", "3"));
	is_int(status_of(hear(&c)), 403, "an early answer");
	pass(31000);
	hear(&c);
	ok(c.eof, "whose body never comes");
	close_client(&c);
}

static void test_draining(void)
{
	struct client idle, late, fresh, busy;
	reset_seen();
	open_client(&idle);
	open_client(&late);
	open_client(&fresh);
	open_client(&busy);
	say(&idle, GET("/now"));
	hear(&idle);
	say(&late, GET("/now"));
	hear(&late);
	say(&busy, GET("/pending"));
	turns(3);
	http_server_drain(server);
	say(&late, GET("/now"));
	const char *a = hear(&late);
	ok(status_of(a) == 200 && has(a, "Connection: close") && late.eof, "draining: a kept connection's request is "
									   "its last");
	ok(!idle.eof, "an idle one is left open for it");
	http_server_end_idle(server);
	is_str(hear(&idle), "", "and then:");
	ok(idle.eof, "an idle connection ends");
	hear(&fresh);
	hear(&busy);
	ok(!fresh.eof && !busy.eof, "a fresh one and a busy one do not");
	reply(seen.pending[0], "done");
	a = hear(&busy);
	ok(has(a, "done") && has(a, "Connection: close") && busy.eof, "until they are answered");
	say(&fresh, GET("/now"));
	a = hear(&fresh);
	ok(status_of(a) == 200 && has(a, "Connection: close") && fresh.eof, "once");
	close_client(&idle);
	close_client(&late);
	close_client(&fresh);
	close_client(&busy);
	is_int(http_server_connections(server), 0, "then none is left");
}

static void test_freeing(void)
{
	struct client idle, head, body, busy;
	stop_server();
	start_server();
	open_client(&idle);
	open_client(&head);
	open_client(&body);
	open_client(&busy);
	say(&idle, GET("/now"));
	say(&head, "GET /");
	say(&body, POST("/now", "9") "x");
	say(&busy, GET("/pending?x=1"));
	turns(3);
	is_int(http_server_connections(server), 4, "four connections");
	http_server_free(&server);
	is_int(seen.closed, 4, "all are closed with the server");
	is_int(seen.aborted, 1, "a body that was awaited is not any more");
	turns(3);
	hear(&idle);
	ok(idle.eof, "the clients see the end");
	struct str v;
	ok(http_req_query(seen.pending[0], "x", &v) == 1 && !http_req_alive(seen.pending[0]),
	   "a pending request outlives the server");
	reply(seen.pending[0], "for nobody");
	close_client(&idle);
	close_client(&head);
	close_client(&body);
	close_client(&busy);
}

static void test_in_flight(void)
{
	enum { MIB = 1024 * 1024, CLIENTS = 5 };
	struct client c[CLIENTS];
	char *much = xcalloc(1, 13 * MIB);
	conf.http.max_body = 16 * MIB;
	reset_seen();
	/* Four of 15 MiB are under way, most of each is here. */
	for (int i = 0; i < CLIENTS; i++) {
		open_client(&c[i]);
		say(&c[i], POST("/now", "15728640"));
		if (i < CLIENTS - 1)
			send_bytes(&c[i], much, 13 * MIB);
	}
	for (int i = 0; i < CLIENTS - 1; i++)
		is_str(hear(&c[i]), "", "%d MiB are received", 13 * (i + 1));
	ok(intake_bytes(loop_intake(loop)) >= 52 * MIB, "which is known");
	send_bytes(&c[CLIENTS - 1], much, 13 * MIB);
	is_str(hear(&c[CLIENTS - 1]), "", "65 are too much: not for who comes last");
	const char *a = hear(&c[0]);
	ok(status_of(a) == 503 && has(a, "\"overloaded\"") && has(a, "Retry-After: 1\r\n"),
	   "but for who has taken longest: %d", status_of(a));
	is_int(seen.aborted, 1, "whose handler is told");
	for (int i = 1; i < CLIENTS; i++) {
		send_bytes(&c[i], much, 2 * MIB);
		is_int(status_of(hear(&c[i])), 200, "the others come to their end");
	}
	for (int i = 0; i < CLIENTS; i++)
		close_client(&c[i]);
	is_int(intake_bytes(loop_intake(loop)), 0, "and nothing is left");
	reset_seen();
	open_client(&c[0]);
	say(&c[0], POST("/now", "15728640"));
	send_bytes(&c[0], much, 13 * MIB);
	send_bytes(&c[0], much, 2 * MIB);
	is_int(status_of(hear(&c[0])), 200, "and then there is room again");
	close_client(&c[0]);
	conf.http.max_body = 1000;
	free(much);
}

int main(void)
{
	start_server();
	test_pipelining();
	test_bursts();
	test_unread();
	test_early_answers();
	test_continue();
	test_leaving_clients();
	test_timeouts();
	test_in_flight();
	test_draining();
	test_freeing();
	loop_free(&loop);
	return done_testing();
}
