/* SPDX-License-Identifier: BSD-2-Clause */
/* Bodies that the handler takes in parts: in all pieces, paused and resumed, answered early, broken off. */
#include "core/base.h"

#include "net/intake.h"
#include "http_kit.h"

#define HOST "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define POST(path, length) "POST " path " HTTP/1.1\r\n" HOST "Content-Length: " length "\r\n\r\n"
#define CHUNKED(path) "POST " path " HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static bool took(const char *text)
{
	return taken.len == strlen(text) && memcmp(buf_cstr(&taken), text, taken.len) == 0;
}

/* Says it in pieces of `size` bytes. */
static void say_in_pieces(struct client *c, const char *text, size_t size)
{
	for (size_t len = strlen(text); len != 0;) {
		size_t n = len < size ? len : size;
		send_bytes(c, text, n);
		turns(2);
		text += n;
		len -= n;
	}
}

static void test_pieces(void)
{
	static const char with_length[] = POST("/stream", "26") "abcdefghijklmnopqrstuvwxyz";
	static const char chunked[] = CHUNKED(
		"/stream") "5;ext=1\r\nabcde\r\n1\r\nf\r\n14\r\nghijklmnopqrstuvwxyz\r\n0\r\nTrailer: x\r\n\r\n";
	struct client c;
	open_client(&c);
	for (size_t size = 1; size < 70; size += size < 12 ? 1 : 19) {
		reset_seen();
		say_in_pieces(&c, with_length, size);
		ok(status_of(hear(&c)) == 200 && took("abcdefghijklmnopqrstuvwxyz") && seen.requests == 1,
		   "a body in pieces of %zu", size);
		reset_seen();
		say_in_pieces(&c, chunked, size);
		ok(status_of(hear(&c)) == 200 && took("abcdefghijklmnopqrstuvwxyz") && seen.requests == 1,
		   "a chunked one");
	}
	reset_seen();
	say(&c, POST("/stream", "0"));
	ok(status_of(hear(&c)) == 200 && seen.parts == 0, "an empty one has no part");
	say(&c, CHUNKED("/stream") "0\r\n\r\n");
	ok(status_of(hear(&c)) == 200 && seen.parts == 0, "nor has one without a chunk");
	say(&c, GET("/stream"));
	ok(status_of(hear(&c)) == 200 && seen.parts == 0, "nor a request without a body");
	is_int(seen.aborted, 0, "none is aborted");

	reset_seen();
	say(&c, POST("/stream", "3") "abc" GET("/now") CHUNKED("/stream") "2\r\nde\r\n0\r\n\r\n" GET("/now"));
	const char *a = hear(&c);
	ok(count_of(a, "HTTP/1.1 200") == 4 && seen.requests == 4 && took("de"), "pipelined behind one another");
	close_client(&c);
}

static void test_large(void)
{
	enum { SIZE = 50 * 1024 * 1024, PIECE = 256 * 1024 };
	char *piece = xcalloc(1, PIECE), head[128];
	struct client c;
	size_t got = 0, most = 0;
	conf.http.max_body = SIZE;
	reset_seen();
	open_client(&c);
	snprintf(head, sizeof(head), "PUT /stream HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", SIZE);
	say(&c, head);
	for (int i = 0; i < SIZE / PIECE; i++) {
		send_bytes(&c, piece, PIECE);
		most = intake_bytes(loop_intake(loop)) > most ? intake_bytes(loop_intake(loop)) : most;
		got += taken.len;
		buf_clear(&taken);
	}
	is_int(status_of(hear(&c)), 200, "50 MiB");
	is_int(got + taken.len, SIZE, "come whole");
	is_int(most, 0, "and count nowhere");
	ok(seen.parts > 100, "in %d parts", seen.parts);
	close_client(&c);
	conf.http.max_body = 1000;
	free(piece);
}

static void test_pauses(void)
{
	struct client c;
	const char *a;
	reset_seen();
	open_client(&c);
	say(&c, POST("/stream/paused", "6") "abc");
	is_str(hear(&c), "", "paused in the head callback");
	is_int(seen.parts, 0, "nothing is given");
	pass(1000000);
	ok(seen.aborted == 0 && seen.closed == 0, "however long it takes: it is not the client's fault");
	http_body_resume(streamed);
	is_int(seen.parts, 0, "nor from within http_body_resume");
	turns(3);
	ok(took("abc"), "but soon after it");
	http_body_pause(streamed);
	say(&c, "def" GET("/now"));
	turns(5);
	ok(took("abc"), "paused between two parts");
	http_body_resume(streamed);
	a = hear(&c);
	ok(took("abcdef") && count_of(a, "HTTP/1.1 200") == 2, "then it ends, and the next request is served");

	reset_seen();
	say(&c, POST("/stream/pausing", "4") "ab");
	turns(3);
	ok(took("ab"), "paused within a part");
	say(&c, "cd" GET("/now"));
	is_str(hear(&c), "", "it waits");
	http_body_resume(streamed);
	turns(3);
	ok(took("abcd") && seen.requests == 0, "paused within the last part: the end is not told");
	http_body_resume(streamed);
	is_int(seen.requests, 0, "nor from within http_body_resume");
	http_body_pause(streamed);
	is_str(hear(&c), "", "nor when it is paused again");
	http_body_resume(streamed);
	http_body_resume(streamed);
	a = hear(&c);
	ok(count_of(a, "HTTP/1.1 200") == 2 && seen.requests == 2, "then it is, once");

	reset_seen();
	say(&c, POST("/stream/paused", "0") GET("/now"));
	is_str(hear(&c), "", "an empty body waits too");
	http_body_resume(streamed);
	is_int(count_of(hear(&c), "HTTP/1.1 200"), 2, "then it is answered");

	reset_seen();
	say(&c, CHUNKED("/stream/pausing") "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n" GET("/now"));
	turns(3);
	ok(took("abc") && seen.parts == 1, "chunks that are there come together");
	http_body_resume(streamed);
	is_int(count_of(hear(&c), "HTTP/1.1 200"), 2, "then the end");

	/* While it is paused nothing is read. */
	char *much = xcalloc(1, 1000000);
	size_t sent = 0;
	conf.http.max_body = 2000000;
	say(&c, POST("/stream/paused", "2000000"));
	for (int i = 0; i < 100; i++) {
		ssize_t n = send(c.fd, much, 1000000 - sent, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	ok(sent < 1000000, "a client has to wait after %zu bytes", sent);
	close_client(&c);
	ok(seen.aborted == 0 && !http_req_alive(streamed), "and may leave");
	http_body_resume(streamed);
	turns(50);
	is_int(seen.aborted, 1, "which is told in its turn");
	conf.http.max_body = 1000;
	free(much);
}

static void test_continue(void)
{
	static const char rest[] = "HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n";
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct client c;
	reset_seen();
	open_client(&c);
	say(&c, "POST /stream ");
	say(&c, rest);
	is_str(hear(&c), go_on, "100 where the handler takes it");
	say(&c, "abc");
	is_int(status_of(hear(&c)), 200, "then the answer");
	say(&c, "POST /stream/paused ");
	say(&c, rest);
	is_str(hear(&c), "", "none while it is paused");
	http_body_resume(streamed);
	is_str(hear(&c), go_on, "but then");
	http_body_pause(streamed);
	http_body_resume(streamed);
	is_str(hear(&c), "", "once");
	say(&c, "abc");
	is_int(status_of(hear(&c)), 200, "then the answer");
	say(&c, "POST /stream/paused ");
	say(&c, rest);
	hear(&c);
	http_reply_problem(streamed, 404, "not_found", "no", 0, NULL);
	const char *a = hear(&c);
	ok(status_of(a) == 404 && has(a, "Connection: close") && c.eof, "none where it is answered instead");
	is_int(seen.aborted, 0, "that is no abort");
	close_client(&c);
}

static void test_early_answers(void)
{
	struct client c;
	const char *a;
	reset_seen();
	open_client(&c);
	say(&c, POST("/stream/early", "8") "ab!c");
	a = hear(&c);
	ok(status_of(a) == 409 && !has(a, "Connection: close"), "answered within a part");
	say(&c, "defg" GET("/now"));
	a = hear(&c);
	ok(count_of(a, "HTTP/1.1 200") == 1 && seen.parts == 1, "the rest is dropped, the connection goes on");
	say(&c, POST("/stream/early", "4") "abc!" GET("/now"));
	a = hear(&c);
	ok(status_of(a) == 409 && has(a, "HTTP/1.1 200"), "within the last part");
	say(&c, CHUNKED("/stream/early") "1\r\n!\r\n0\r\n\r\n" GET("/now"));
	a = hear(&c);
	ok(status_of(a) == 409 && has(a, "HTTP/1.1 200"), "a chunked one too");

	say(&c, POST("/stream/paused", "4") "abcd" GET("/now"));
	hear(&c);
	http_reply(streamed, 201, NULL, NULL, STR_LIT(""));
	a = hear(&c);
	ok(status_of(a) == 201 && has(a, "HTTP/1.1 200"), "answered instead of being resumed");
	say(&c, POST("/stream/pausing", "4") "abcd" GET("/now"));
	hear(&c);
	http_body_resume(streamed);
	http_reply(streamed, 201, NULL, NULL, STR_LIT(""));
	a = hear(&c);
	ok(status_of(a) == 201 && has(a, "HTTP/1.1 200"), "or just after that");
	is_int(seen.aborted, 0, "none is aborted");

	say(&c, CHUNKED("/stream/early") "1\r\n!\r\n");
	a = hear(&c);
	ok(status_of(a) == 409 && has(a, "Connection: close") && c.eof, "before a rest of unknown length it closes");
	close_client(&c);
}

static void test_failures(void)
{
	static const struct {
		const char *request, *what;
		int status;
	} bad[] = {
		{POST("/stream", "1001"), "too large", 413},
		{CHUNKED("/stream") "3e9\r\n", "chunks too large", 413},
		{CHUNKED("/stream") "3e8\r\n", "chunks that become", 0},
		{CHUNKED("/stream") "3\r\nabcd\r\n", "a malformed chunk", 400},
		{CHUNKED("/stream/paused") "zz", "a paused one", 0},
	};
	struct client c;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		reset_seen();
		open_client(&c);
		say(&c, bad[i].request);
		is_int(status_of(hear(&c)), bad[i].status, "%s: %d", bad[i].what, bad[i].status);
		is_int(seen.aborted, bad[i].status != 0, "the handler is told");
		close_client(&c);
		if (seen.aborted == 0)
			http_body_resume(streamed);
		turns(3);
		is_int(seen.aborted, 1, "if not then, as the client leaves");
		is_int(seen.requests, 0, "and never of an end");
	}

	/* What was received in several parts counts together. */
	reset_seen();
	open_client(&c);
	say(&c, CHUNKED("/stream") "1f4\r\n");
	char half[501] = "";
	memset(half, 'x', 500);
	say(&c, half);
	say(&c, "\r\n1f4\r\n");
	say(&c, half);
	ok(taken.len == 1000 && seen.aborted == 0, "chunks of body_max together");
	say(&c, "\r\n1\r\nx");
	const char *a = hear(&c);
	ok(status_of(a) == 413 && seen.aborted == 1, "and one byte more");
	close_client(&c);

	reset_seen();
	open_client(&c);
	say(&c, POST("/stream", "9") "abc");
	shutdown(c.fd, SHUT_WR);
	hear(&c);
	ok(took("abc") && seen.aborted == 1 && seen.requests == 0 && c.eof, "a client that ends within it");
	close_client(&c);

	reset_seen();
	open_client(&c);
	say(&c, POST("/stream/pausing", "3") "abc");
	shutdown(c.fd, SHUT_WR);
	turns(3);
	ok(took("abc") && seen.aborted == 0, "one that ends behind it, paused");
	http_body_resume(streamed);
	is_int(status_of(hear(&c)), 200, "gets its answer");
	close_client(&c);

	reset_seen();
	open_client(&c);
	say(&c, POST("/stream/pausing", "3") "abc");
	turns(3);
	http_body_resume(streamed);
	http_server_free(&server);
	turns(3);
	is_int(seen.aborted, 1, "and the server may go meanwhile");
	is_int(seen.requests, 0, "without the end being told");
	close_client(&c);
	start_server();
}

static void test_times(void)
{
	struct client c;
	reset_seen();
	open_client(&c);
	say(&c, POST("/stream", "100"));
	for (int i = 0; i < 90; i++) {
		pass(20000);
		say(&c, "x");
	}
	ok(seen.aborted == 0 && taken.len == 90, "a slow body has all time");
	pass(29000);
	is_int(seen.aborted, 0, "as long as something comes");
	pass(2000);
	const char *a = hear(&c);
	ok(status_of(a) == 408 && has(a, "request_timeout") && c.eof && seen.aborted == 1, "within body_timeout");
	close_client(&c);

	reset_seen();
	open_client(&c);
	say(&c, POST("/stream/paused", "100"));
	pass(100000);
	http_body_resume(streamed);
	pass(29000);
	is_int(seen.aborted, 0, "resumed, it has that time again");
	pass(2000);
	pass(31000);
	is_int(seen.aborted, 1, "and no more");
	close_client(&c);
}

int main(void)
{
	start_server();
	test_pieces();
	test_large();
	test_pauses();
	test_continue();
	test_early_answers();
	test_failures();
	test_times();
	is_int(http_server_connections(server), 0, "nobody is left");
	stop_server();
	loop_free(&loop);
	return done_testing();
}
