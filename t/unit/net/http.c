/* SPDX-License-Identifier: BSD-2-Clause */
/* What is a request, what is refused, and how: bytes in, answer out. */
#include "core/base.h"

#include "http_kit.h"

#define HOST "Host: h\r\n"

/* The bytes on a connection of their own, whole and then one by one: both must end alike. */
static void ends_as(const char *what, const char *bytes, size_t len, int status, const char *code)
{
	for (int bytewise = 0; bytewise < 2; bytewise++) {
		struct client c;
		reset_seen();
		open_client(&c);
		if (!bytewise)
			send_bytes(&c, bytes, len);
		for (size_t i = 0; bytewise && i < len; i++)
			send_bytes(&c, bytes + i, 1);
		const char *answer = hear(&c);
		int got = status_of(answer);
		bool right = got == status;
		if (code != NULL)
			right = right && c.eof && has(answer, code) && has(answer, "Connection: close\r\n") &&
				has(answer, "application/problem+json") && has(answer, "X-Request-Id: ") &&
				count_of(answer, "\r\nServer: ") == 1 && seen.answered == 1;
		if (!ok(right, "%s: %d%s", what, status, bytewise ? ", byte by byte" : ""))
			printf("# eof %d, answered %d, got: %.200s\n", c.eof, seen.answered, answer);
		close_client(&c);
	}
}

#define REFUSED(what, bytes, status, code) ends_as(what, bytes, sizeof(bytes) - 1, status, "\"" code "\"")
#define MALFORMED(what, bytes) REFUSED(what, bytes, 400, "malformed_request")
#define TAKEN(what, bytes) ends_as(what, bytes, sizeof(bytes) - 1, 200, NULL)

static void test_request_lines(void)
{
	TAKEN("a plain request", "GET /now HTTP/1.1\r\n" HOST "\r\n");
	TAKEN("empty lines in front", "\r\n\r\nGET /now HTTP/1.1\r\n" HOST "\r\n");
	TAKEN("HTTP/1.0 without a host", "GET /now HTTP/1.0\r\n\r\n");
	TAKEN("an absolute target", "GET http://h/now HTTP/1.1\r\n" HOST "\r\n");
	is_str(seen.path, "/now", "its path is extracted");
	TAKEN("an absolute target without a path", "GET https://h:1?q HTTP/1.1\r\n" HOST "\r\n");
	is_str(seen.path, "/", "which is /");
	TAKEN("an extension method", "PROPFIND /now HTTP/1.1\r\n" HOST "\r\n");

	REFUSED("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version_not_supported");
	REFUSED("HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", 505, "version_not_supported");
	REFUSED("an unknown method", "BREW /now HTTP/1.1\r\n" HOST "\r\n", 501, "not_implemented");
	REFUSED("a method in small letters", "get /now HTTP/1.1\r\n" HOST "\r\n", 501, "not_implemented");
	REFUSED("CONNECT", "CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n", 501, "not_implemented");
	MALFORMED("HTTP/0.9", "GET /now\r\n");
	MALFORMED("a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00");
	MALFORMED("a lone CR in front", "\rGET /now HTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("two spaces", "GET  /now HTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("a space in the target", "GET /n ow HTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("a tab for a space", "GET\t/now\tHTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("a space after the version", "GET /now HTTP/1.1 \r\n" HOST "\r\n");
	MALFORMED("a version in small letters", "GET /now http/1.1\r\n" HOST "\r\n");
	MALFORMED("a version of two digits", "GET /now HTTP/1.10\r\n" HOST "\r\n");
	MALFORMED("a fragment", "GET /now#x HTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("no slash", "GET now HTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("* of anything but OPTIONS", "GET * HTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("a target of high bytes", "GET /n\xc3\xb6w HTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("a NUL in the target", "GET /n\0w HTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("another scheme", "GET ftp://h/now HTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("an absolute target without host", "GET http:///now HTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("user information", "GET http://a@h/now HTTP/1.1\r\n" HOST "\r\n");
	MALFORMED("a malformed method", "G(T /now HTTP/1.1\r\n" HOST "\r\n");
}

static void test_headers(void)
{
	TAKEN("white space around values", "GET /now HTTP/1.1\r\nHost: \t h \t \r\nA:\r\nB: \xff\r\n\r\n");
	MALFORMED("no Host", "GET /now HTTP/1.1\r\nA: b\r\n\r\n");
	MALFORMED("two Hosts", "GET /now HTTP/1.1\r\n" HOST HOST "\r\n");
	MALFORMED("two Hosts of HTTP/1.0", "GET /now HTTP/1.0\r\n" HOST HOST "\r\n");
	MALFORMED("a Host of two", "GET /now HTTP/1.1\r\nHost: a, b\r\n\r\n");
	MALFORMED("a Host with a path", "GET /now HTTP/1.1\r\nHost: a/b\r\n\r\n");
	MALFORMED("a space before the colon", "GET /now HTTP/1.1\r\nHost : h\r\n\r\n");
	MALFORMED("a space within a name", "GET /now HTTP/1.1\r\n" HOST "A b: c\r\n\r\n");
	MALFORMED("a line without colon", "GET /now HTTP/1.1\r\n" HOST "A\r\n\r\n");
	MALFORMED("a nameless line", "GET /now HTTP/1.1\r\n" HOST ": a\r\n\r\n");
	MALFORMED("a folded line", "GET /now HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n");
	MALFORMED("a folded first line", "GET /now HTTP/1.1\r\n Host: h\r\n\r\n");
	MALFORMED("a tab for a fold", "GET /now HTTP/1.1\r\n" HOST "A: b\r\n\tc\r\n\r\n");
	MALFORMED("a bare LF behind the request line", "GET /now HTTP/1.1\n" HOST "\r\n");
	MALFORMED("a bare LF behind a header", "GET /now HTTP/1.1\r\nHost: h\n\r\n");
	MALFORMED("a bare LF as the last line", "GET /now HTTP/1.1\r\n" HOST "\n");
	MALFORMED("a bare CR within a value", "GET /now HTTP/1.1\r\n" HOST "A: b\rC: d\r\n\r\n");
	MALFORMED("two CRs", "GET /now HTTP/1.1\r\n" HOST "A: b\r\r\n\r\n");
	MALFORMED("a NUL in a value", "GET /now HTTP/1.1\r\n" HOST "A: b\0\r\n\r\n");
	MALFORMED("a control byte in a value", "GET /now HTTP/1.1\r\n" HOST "A: b\x7f\r\n\r\n");
	MALFORMED("a high byte in a name", "GET /now HTTP/1.1\r\n" HOST "\xc3\xa4: b\r\n\r\n");
	REFUSED("another expectation", "GET /now HTTP/1.1\r\n" HOST "Expect: a miracle\r\n\r\n", 417,
		"expectation_failed");
}

#define POST "POST /now HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static void test_framing(void)
{
	TAKEN("a length", POST "Content-Length: 3\r\n\r\nabc");
	TAKEN("a length of 0", POST "Content-Length: 0\r\n\r\n");
	MALFORMED("length and coding", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	MALFORMED("coding and length", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n");
	MALFORMED("the same length twice", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc");
	MALFORMED("two lengths", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc");
	MALFORMED("a list of lengths", POST "Content-Length: 3, 3\r\n\r\nabc");
	MALFORMED("a signed length", POST "Content-Length: +3\r\n\r\nabc");
	MALFORMED("a negative length", POST "Content-Length: -3\r\n\r\nabc");
	MALFORMED("a length with a space", POST "Content-Length: 1 2\r\n\r\nabc");
	MALFORMED("a hexadecimal length", POST "Content-Length: 0x3\r\n\r\nabc");
	MALFORMED("an empty length", POST "Content-Length:\r\n\r\nabc");
	MALFORMED("a length beyond 64 bits", POST "Content-Length: 99999999999999999999\r\n\r\nabc");
	REFUSED("a length beyond the limit", POST "Content-Length: 1001\r\n\r\nabc", 413, "payload_too_large");
	is_int(seen.aborted, 1, "the handler learns that the body does not come");

	TAKEN("chunks", CHUNKED "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n");
	TAKEN("any case of the coding", POST "transfer-ENCODING: Chunked\r\n\r\n0\r\n\r\n");
	TAKEN("extensions and trailers", CHUNKED "3;a=\"b\";c\r\nabc\r\n0;x\r\nT: u\r\nV:\r\n\r\n");
	REFUSED("an unknown coding", POST "Transfer-Encoding: gzip\r\n\r\n", 501, "not_implemented");
	REFUSED("two codings", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "not_implemented");
	REFUSED("chunked twice in a line", POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 501, "not_implemented");
	REFUSED("identity", POST "Transfer-Encoding: identity\r\n\r\n", 501, "not_implemented");
	REFUSED("a parameter", POST "Transfer-Encoding: chunked;q=1\r\n\r\n", 501, "not_implemented");
	REFUSED("an empty coding", POST "Transfer-Encoding:\r\n\r\n", 501, "not_implemented");
	MALFORMED("chunked twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	MALFORMED("chunked of HTTP/1.0", "POST /now HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	MALFORMED("a vertical tab before chunked", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n");

	MALFORMED("an empty size", CHUNKED "\r\nabc\r\n0\r\n\r\n");
	MALFORMED("a size that is none", CHUNKED "g\r\nabc\r\n0\r\n\r\n");
	MALFORMED("a size with 0x", CHUNKED "0x3\r\nabc\r\n0\r\n\r\n");
	MALFORMED("a negative size", CHUNKED "-3\r\nabc\r\n0\r\n\r\n");
	MALFORMED("a space before the size", CHUNKED " 3\r\nabc\r\n0\r\n\r\n");
	MALFORMED("a space behind the size", CHUNKED "3 \r\nabc\r\n0\r\n\r\n");
	MALFORMED("a size of 17 digits", CHUNKED "00000000000000003\r\nabc\r\n0\r\n\r\n");
	REFUSED("a size of 64 bits", CHUNKED "ffffffffffffffff\r\nabc", 413, "payload_too_large");
	REFUSED("chunks beyond the limit", CHUNKED "3\r\nabc\r\n3e6\r\nabc", 413, "payload_too_large");
	MALFORMED("a bare LF behind the size", CHUNKED "3\nabc\r\n0\r\n\r\n");
	MALFORMED("another byte for the LF", CHUNKED "3\rXabc\r\n0\r\n\r\n");
	MALFORMED("another byte for the data's CR", CHUNKED "3\r\nabcX\n0\r\n\r\n");
	MALFORMED("another byte for the data's LF", CHUNKED "3\r\nabc\rX0\r\n\r\n");
	MALFORMED("more data than announced", CHUNKED "3\r\nabcd\r\n0\r\n\r\n");
	MALFORMED("a bare LF in an extension", CHUNKED "3;a\nb\r\nabc\r\n0\r\n\r\n");
	MALFORMED("a trailer without name", CHUNKED "0\r\n: a\r\n\r\n");
	MALFORMED("a trailer with a space before the colon", CHUNKED "0\r\na : b\r\n\r\n");
	MALFORMED("a trailer's bare LF", CHUNKED "0\r\na: b\n\r\n");
	MALFORMED("another last byte", CHUNKED "0\r\n\rX");
}

/* A request of so many bytes in the line's target, in one header's value, or in headers of two bytes each. */
static void limit_ends_as(const char *what, size_t target, size_t value, size_t count, int status, const char *code)
{
	struct buf b = {0};
	buf_append_str(&b, STR_LIT("GET /"));
	for (size_t i = 0; i < target; i++)
		buf_append_char(&b, 'x');
	buf_append_str(&b, STR_LIT(" HTTP/1.1\r\n" HOST));
	if (value != 0)
		buf_append_str(&b, STR_LIT("A: "));
	for (size_t i = 0; i < value; i++)
		buf_append_char(&b, 'x');
	if (value != 0)
		buf_append_str(&b, STR_LIT("\r\n"));
	for (size_t i = 0; i < count; i++)
		buf_append_str(&b, STR_LIT("a:\r\n"));
	buf_append_str(&b, STR_LIT("\r\n"));
	ends_as(what, b.data, b.len, status, code);
	buf_fini(&b);
}

static void test_limits(void)
{
	size_t line = HTTP_REQUEST_LINE_MAX - strlen("GET / HTTP/1.1");
	limit_ends_as("the longest request line", line, 0, 0, 200, NULL);
	limit_ends_as("one byte more", line + 1, 0, 0, 414, "\"uri_too_long\"");
	limit_ends_as("a line without end", 20000, 0, 0, 414, "\"uri_too_long\"");
	size_t value = HTTP_HEADERS_MAX - strlen(HOST) - strlen("A: \r\n");
	limit_ends_as("the largest headers", 0, value, 0, 200, NULL);
	limit_ends_as("a few bytes more", 0, value + 3, 0, 431, "\"headers_too_large\"");
	size_t many = (HTTP_HEADERS_MAX - strlen(HOST)) / strlen("a:\r\n");
	limit_ends_as("as many headers as fit", 0, 0, many, 200, NULL);
	limit_ends_as("one more", 0, 0, many + 1, 431, "\"headers_too_large\"");

	struct buf b = {0};
	buf_append_str(&b, STR_LIT(CHUNKED "1;"));
	for (int i = 0; i < 5000; i++)
		buf_append_char(&b, 'x');
	ends_as("an endless extension", b.data, b.len, 431, "\"headers_too_large\"");
	b.len = strlen(CHUNKED);
	buf_append_str(&b, STR_LIT("0\r\n"));
	for (int i = 0; i < 1000; i++)
		buf_append_str(&b, STR_LIT("a: b\r\n"));
	ends_as("endless trailers", b.data, b.len, 431, "\"headers_too_large\"");
	b.len = strlen(CHUNKED);
	for (int i = 0; i < 900; i++)
		buf_append_str(&b, STR_LIT("1\r\nx\r\n"));
	buf_append_str(&b, STR_LIT("0\r\n\r\n"));
	ends_as("a body of small chunks", b.data, b.len, 200, NULL);
	buf_fini(&b);
}

static void test_answers(void)
{
	struct client c;
	open_client(&c);
	say(&c, POST "Content-Length: 5\r\nX-Request-Id: my-id\r\n\r\nhello");
	const char *a = hear(&c);
	is_str(body_of(a), "hello", "the body is given whole");
	ok(has(a, "Content-Length: 5\r\n") && has(a, "Content-Type: text/plain\r\n"), "length and type");
	ok(has(a, "X-Request-Id: my-id\r\n"), "the request's id is kept");
	ok(has(a, "Server: tidings\r\n") && has(a, "Date: ") && has(a, " GMT\r\n"), "server and date");
	ok(has(a, "X-Content-Type-Options: nosniff\r\n") && has(a, "Cache-Control: no-store\r\n"), "caution");
	ok(!has(a, "Connection:") && !c.eof, "the connection stays");
	ok(!has(a, "Access-Control") && !has(a, "Vary"), "nothing of CORS where it is off");

	say(&c, CHUNKED "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n");
	is_str(body_of(hear(&c)), "abc0123456789", "chunks are joined");

	say(&c, "GET /now HTTP/1.1\r\n" HOST "X-Request-Id: a b\r\n\r\n");
	a = hear(&c);
	ok(strstr(a, "X-Request-Id: a b\r\n") != NULL, "an id of printable characters is kept");
	say(&c, "GET /now HTTP/1.1\r\n" HOST "X-Request-Id: a\tb\r\n\r\n");
	a = hear(&c);
	const char *id = strstr(a, "X-Request-Id: ");
	ok(id != NULL && strcspn(id + 14, "\r") == 22, "one with a tab is replaced");

	say(&c, "HEAD /file/none HTTP/1.1\r\n" HOST "\r\n");
	a = hear(&c);
	ok(status_of(a) == 404 && body_of(a)[0] == '\0' && atoi(strstr(a, "Content-Length: ") + 16) > 50,
	   "HEAD: the length without the body");

	say(&c, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
	a = hear(&c);
	ok(status_of(a) == 204 && has(a, "Allow: GET") && !has(a, "Content-Length"), "OPTIONS of the server itself");

	say(&c, "GET /early HTTP/1.1\r\n" HOST "X-Request-Id: r1\r\n\r\n");
	a = hear(&c);
	is_str(body_of(a),
	       "{\"type\":\"about:blank\",\"title\":\"Forbidden\",\"status\":403,\"code\":\"forbidden\",\"detail\":"
	       "\"no\","
	       "\"request_id\":\"r1\"}",
	       "a problem is as the contract has it");
	ok(has(a, "Content-Type: application/problem+json\r\n"), "and its type");

	say(&c, "GET /now HTTP/1.1\r\n" HOST "Connection: keep-alive, Close\r\n\r\n");
	a = hear(&c);
	ok(has(a, "Connection: close\r\n") && c.eof, "the client wants to close");
	close_client(&c);

	open_client(&c);
	say(&c, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	a = hear(&c);
	ok(has(a, "Connection: keep-alive\r\n") && !c.eof, "HTTP/1.0 stays if asked to");
	say(&c, "GET /now HTTP/1.0\r\n\r\n");
	a = hear(&c);
	ok(has(a, "Connection: close\r\n") && c.eof, "and closes if not");
	close_client(&c);
}

static void test_problems(void)
{
	struct client c;
	reset_seen();
	open_client(&c);
	for (int i = 0; i < 3; i++)
		say(&c, "GET /pending HTTP/1.1\r\n" HOST "\r\n");
	static const int status[] = {401, 426, 503};
	static const char *const want[] = {"\r\nWWW-Authenticate: Bearer\r\n",
					   "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
					   "\r\nRetry-After: 7\r\n"};
	for (int i = 0; i < 3; i++) {
		turns(3);
		http_reply_problem(seen.pending[i], status[i], "code", "with \"quotes\" and \xc3\xbc",
				   status[i] == 503 ? 7 : 0, "X-More: yes\r\n");
		const char *a = hear(&c);
		ok(status_of(a) == status[i] && has(a, want[i]) && has(a, "\r\nX-More: yes\r\n"), "what a %d carries",
		   status[i]);
		ok(has(a, "with \\\"quotes\\\" and \xc3\xbc"), "its detail is quoted");
	}
	close_client(&c);
}

/* The query's functions on a real request. */
static void test_queries(void)
{
	struct client c;
	struct str v;
	reset_seen();
	open_client(&c);
	say(&c, "GET /pending/a%2Fb?x=1&y=a+b%26&x=2&&flag&%7a=z&bad=%zz&nul=%00&latin=%ff&cut=%4 HTTP/1.1\r\n" HOST
		"A: 1\r\nB: x\r\na: 2\r\n\r\n");
	turns(3);
	struct http_req *r = seen.pending[0];
	is_int(http_req_query(r, "x", &v), 1, "a parameter");
	ok(str_is(v, "1"), "of a repeated one the first");
	ok(http_req_query(r, "y", &v) == 1 && str_is(v, "a b&"), "decoded, + is a space");
	ok(http_req_query(r, "flag", &v) == 1 && str_is(v, ""), "without a value");
	ok(http_req_query(r, "z", &v) == 1 && str_is(v, "z"), "an encoded name");
	is_int(http_req_query(r, "none", &v), 0, "none");
	is_int(http_req_query(r, "bad", &v), -1, "broken encoding");
	is_int(http_req_query(r, "cut", &v), -1, "cut encoding");
	is_int(http_req_query(r, "nul", &v), -1, "NUL");
	is_int(http_req_query(r, "latin", &v), -1, "no UTF-8");
	ok(http_req_decode(r, (struct str){r->path.s + 9, r->path.len - 9}, &v) == 0 && str_is(v, "a/b"), "a segment");
	ok(http_req_decode(r, STR_LIT("a+b"), &v) == 0 && str_is(v, "a+b"), "+ is itself in a path");
	ok(str_is(http_req_header(r, "A"), "1") && str_is(http_req_header(r, "b"), "x"), "headers in any case");
	ok(http_req_header(r, "C").s == NULL, "and absent ones");
	ok(!http_req_wants_websocket(r), "no handshake");
	http_reply(r, 200, NULL, NULL, STR_LIT(""));
	say(&c, "GET /pending HTTP/1.1\r\n" HOST "Upgrade: h2c , WebSocket\r\nConnection: Upgrade\r\n\r\n");
	turns(3);
	r = seen.pending[1];
	ok(http_req_wants_websocket(r), "a handshake");
	ok(http_req_query(r, "x", &v) == 0 && r->query.s == NULL, "no query at all");
	http_reply(r, 200, NULL, NULL, STR_LIT(""));
	close_client(&c);
}

int main(void)
{
	start_server();
	test_request_lines();
	test_headers();
	test_framing();
	test_limits();
	test_answers();
	test_problems();
	test_queries();
	turns(5);
	is_int(http_server_connections(server), 0, "no connection is left");
	stop_server();
	loop_free(&loop);
	return done_testing();
}
