/* SPDX-License-Identifier: BSD-2-Clause */
/* Which requests become WebSockets, and what the others are answered; over a socket pair and the real HTTP server. */
#include "core/base.h"
#include "net/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/conf.h"
#include "net/loop.h"
#include "net/ws.h"
#include "net/ws_deflate.h"
#include "../tap.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION_13 "Sec-WebSocket-Version: 13\r\n"
#define SWITCH "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define ALL SWITCH KEY VERSION_13

static struct loop *loop;
static struct http_server *server;
static struct conf conf;
static int opened, closed, messages;
static struct ws *latest;
static const char *subprotocol;
static struct http_req *held; /* answered by the test itself, if hold is set */
static bool hold;

static void on_message(struct ws *ws, struct str text, void *user)
{
	messages++;
}

static void on_closed(struct ws *ws, int code, void *user)
{
	closed++;
}

static const struct ws_handler ws_events = {on_message, on_closed};

static enum http_verdict on_head(struct http_req *req, void *ctx)
{
	if (hold) {
		held = http_check_ws(req) ? req : NULL;
		return HTTP_ANSWERED;
	}
	latest = http_upgrade_ws(req, subprotocol, &ws_events, NULL);
	opened += latest != NULL;
	return HTTP_ANSWERED;
}

static void do_nothing(struct loop_task *t)
{
}

static void turns(void)
{
	static struct loop_task task = {.fn = do_nothing};
	for (int i = 0; i < 5; i++) {
		loop_defer(loop, &task);
		loop_turn(loop);
	}
}

static int client(void)
{
	int fds[2];
	struct addr peer = {.len = sizeof(sa_family_t)};
	peer.sa.ss_family = AF_UNIX;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
		exit(1);
	http_server_accept(server, fds[0], &peer, NULL);
	return fds[1];
}

/* Sends a request and returns all that came back, until the next call. */
static const char *ask(int fd, const char *line, const char *headers, const char *behind)
{
	static char answer[8192];
	char request[2048];
	int len = snprintf(request, sizeof(request), "%s\r\n%s\r\n%s", line, headers, behind);
	if (write(fd, request, (size_t)len) != len)
		exit(1);
	turns();
	ssize_t n = read(fd, answer, sizeof(answer) - 1);
	answer[n > 0 ? n : 0] = '\0';
	return answer;
}

static int status_of(const char *answer)
{
	int status = 0;
	return sscanf(answer, "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

static const struct {
	const char *name, *line, *headers;
	int status;
	const char *has;
} table[] = {
#define GET "GET /messages/ws HTTP/1.1"
#define HOST "Host: im.example\r\n"
	{"the usual handshake", GET, HOST ALL, 101, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"},
	{"token lists in any case", GET,
	 HOST "upgrade: h2c, WebSocket\r\nCONNECTION: keep-alive, UPGRADE\r\n" KEY VERSION_13, 101,
	 "Upgrade: websocket\r\n"},
	{"no Upgrade", GET, HOST KEY VERSION_13, 426, "Sec-WebSocket-Version: 13\r\n"},
	{"a plain GET", GET, HOST, 426, "\"code\":\"upgrade_required\""},
	{"another Upgrade", GET, HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n" KEY VERSION_13, 426,
	 "Upgrade: websocket\r\n"},
	{"no Connection", GET, HOST "Upgrade: websocket\r\n" KEY VERSION_13, 426, NULL},
	{"a Connection that only contains the word", GET,
	 HOST "Upgrade: websocket\r\nConnection: no-upgrade\r\n" KEY VERSION_13, 426, NULL},
	{"POST", "POST /messages/ws HTTP/1.1", HOST "Content-Length: 0\r\n" ALL, 426, NULL},
	{"HTTP/1.0", "GET /messages/ws HTTP/1.0", HOST ALL, 426, NULL},
	{"version 8", GET, HOST SWITCH KEY "Sec-WebSocket-Version: 8\r\n", 426, "Sec-WebSocket-Version: 13\r\n"},
	{"two versions", GET, HOST ALL "Sec-WebSocket-Version: 8\r\n", 426, NULL},
	{"no version", GET, HOST SWITCH KEY, 426, NULL},
	{"no key", GET, HOST SWITCH VERSION_13, 400, "\"code\":\"malformed_request\""},
	{"two keys", GET, HOST ALL KEY, 400, NULL},
	{"a short key", GET, HOST SWITCH VERSION_13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n", 400, NULL},
	{"a key of 17 bytes", GET, HOST SWITCH VERSION_13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE=\r\n", 400, NULL},
	{"a key of 18 bytes", GET, HOST SWITCH VERSION_13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWFh\r\n", 400, NULL},
	{"a key that is no base64", GET, HOST SWITCH VERSION_13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSB!b25jZQ==\r\n", 400,
	 NULL},
	{"a body", GET, HOST ALL "Content-Length: 3\r\n", 400, NULL},
	{"its own origin", GET, HOST ALL "Origin: http://im.example\r\n", 101, NULL},
	{"its own origin over TLS", GET, HOST ALL "Origin: https://im.example\r\n", 101, NULL},
	{"in another case", GET, HOST ALL "Origin: HTTPS://IM.Example\r\n", 101, NULL},
	{"with the default port", GET, "Host: im.example:443\r\n" ALL "Origin: https://im.example\r\n", 101, NULL},
	{"with the default port of http", GET, HOST ALL "Origin: http://im.example:80\r\n", 101, NULL},
	{"with another port", GET, "Host: im.example:8080\r\n" ALL "Origin: http://im.example:8080\r\n", 101, NULL},
	{"an origin in http.cors_origins", GET, HOST ALL "Origin: https://friend.example\r\n", 101, NULL},
	{"another port", GET, "Host: im.example:8080\r\n" ALL "Origin: http://im.example\r\n", 403, NULL},
	{"the other scheme's port", GET, "Host: im.example:443\r\n" ALL "Origin: http://im.example\r\n", 403, NULL},
	{"a foreign origin", GET, HOST ALL "Origin: https://evil.example\r\n", 403, "\"code\":\"origin_not_allowed\""},
	{"an origin that begins like it", GET, HOST ALL "Origin: https://im.example.evil.example\r\n", 403, NULL},
	{"one that ends like it", GET, HOST ALL "Origin: https://evil.im.example\r\n", 403, NULL},
	{"another scheme", GET, HOST ALL "Origin: file://im.example\r\n", 403, NULL},
	{"null", GET, HOST ALL "Origin: null\r\n", 403, NULL},
	{"an empty origin", GET, HOST ALL "Origin:\r\n", 403, NULL},
	{"a foreign origin without an upgrade", GET, HOST "Origin: https://evil.example\r\n", 426, NULL},
};

static void test_table(void)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int fd = client(), before = opened;
		const char *answer = ask(fd, table[i].line, table[i].headers, "");
		is_int(status_of(answer), table[i].status, "%s", table[i].name);
		if (table[i].has != NULL)
			ok(strstr(answer, table[i].has) != NULL, "%s: the answer has what it should", table[i].name);
		ok(strstr(answer, "\r\nX-Request-Id: ") != NULL && opened == before + (table[i].status == 101),
		   "%s: an id, and a WebSocket only for 101", table[i].name);
		close(fd);
		turns();
	}
	is_int(closed, opened, "each WebSocket was closed");
	is_int(http_server_connections(server), 0, "no connection is left");
}

static void test_after_the_switch(void)
{
	static const char frame[] = "\x81\x82\1\1\1\1ij";
	int fd = client();
	subprotocol = "tidings.v1";
	messages = 0;
	const char *answer = ask(fd, GET, HOST ALL "X-Request-Id: mine\r\n", frame);
	ok(strstr(answer, "\r\nSec-WebSocket-Protocol: tidings.v1\r\n") != NULL, "the chosen subprotocol is told");
	ok(strstr(answer, "\r\nX-Request-Id: mine\r\n") != NULL, "the client's request id is kept");
	is_int(messages, 1, "a frame right behind the handshake is a message");
	is_int(http_server_connections(server), 1, "the server counts the WebSocket");
	subprotocol = NULL;
	close(fd);
	turns();
	is_int(http_server_connections(server), 0, "until it is closed");

	hold = true;
	fd = client();
	messages = 0;
	ask(fd, GET, HOST ALL, frame);
	ok(held != NULL, "a handshake may be answered later");
	is_int(messages, 0, "frames wait for it");
	struct ws *ws = http_upgrade_ws(held, NULL, &ws_events, NULL);
	is_int(messages, 0, "and do not come from within it");
	turns();
	ok(ws != NULL && messages == 1, "but then");
	close(fd);
	turns();

	fd = client();
	ask(fd, GET, HOST ALL, "");
	close(fd);
	turns();
	int before = closed;
	if (http_upgrade_ws(held, NULL, &ws_events, NULL) == NULL)
		before--;
	hold = false;
	turns();
	is_int(closed, before + 1, "of a client that has left meanwhile no WebSocket remains");

	before = closed;
	fd = client();
	ask(fd, GET, HOST ALL, "");
	http_server_free(&server);
	turns();
	is_int(closed, before + 1, "the end of the server closes the WebSockets");
	close(fd);
}

#define OFFER "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
#define TAKEN "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
/* "Hello", packed and masked with ones. */
static const char packed_hello[] = "\xc1\x87\1\1\1\1\xf3\x49\xcc\xc8\xc8\6\1";

/* The answer to a handshake with these headers, after which the client goes. */
static const char *ask_once(const char *headers)
{
	int fd = client();
	const char *answer = ask(fd, GET, headers, "");
	close(fd);
	turns();
	return answer;
}

static void test_negotiation(void)
{
	ok(strstr(ask_once(HOST ALL OFFER), "Extensions") == NULL, "off by default");
	is_int(status_of(ask_once(HOST ALL "Sec-WebSocket-Extensions: ;\r\n")), 101, "then nobody looks at the header");
	int fd = client();
	messages = 0;
	ask(fd, GET, HOST ALL OFFER, packed_hello);
	is_int(messages, 0, "and what is packed is a fault");
	close(fd);

	conf.websocket.compression = true;
	is_int(status_of(ask_once(HOST ALL "Sec-WebSocket-Extensions: permessage-deflate;\r\n")), 400,
	       "a malformed offer");
	ok(strstr(ask_once(HOST ALL), "Extensions") == NULL, "no offer, no answer");
	ok(strstr(ask_once(HOST ALL "Sec-WebSocket-Extensions: permessage-deflate; unknown\r\n"), "Extensions") == NULL,
	   "no acceptable offer, no answer");
	ok(strstr(ask_once(HOST ALL "Sec-WebSocket-Extensions: x\r\nSec-WebSocket-Extensions: "
				    "permessage-deflate; server_max_window_bits=12\r\n"),
		  TAKEN "; server_max_window_bits=12\r\n") != NULL,
	   "an offer in the second line");
	fd = client();
	messages = 0;
	ask(fd, GET, HOST ALL, packed_hello);
	is_int(messages, 0, "packed without an offer");
	close(fd);
	turns();
}

static void test_compression(void)
{
	char in[256], text[100];
	int fd = client();
	messages = 0;
	ok(strstr(ask(fd, GET, HOST ALL OFFER, packed_hello), TAKEN "\r\n") != NULL, "an offer is taken");
	is_int(messages, 1, "a packed message comes in");
	memset(text, 'x', sizeof(text));
	struct ws_frame *f = ws_frame_new((struct str){text, sizeof(text)});
	ws_send(latest, f);
	ws_frame_unref(f);
	turns();
	ssize_t n = read(fd, in, sizeof(in));
	ok(n > 2 && n < 60 && (uint8_t)in[0] == 0xc1, "and one goes out (%zd bytes)", n);
	close(fd);
	turns();
}

/* 300 events of 10,000 bytes to a client that does not read: true if that was too much for it. */
static bool too_much(const char *headers)
{
	static char text[10000];
	int fd = client(), before = closed;
	memset(text, 'x', sizeof(text));
	ask(fd, GET, headers, "");
	struct ws_frame *f = ws_frame_new((struct str){text, sizeof(text)});
	for (int i = 0; i < 300; i++)
		ws_send(latest, f);
	ws_frame_unref(f);
	turns();
	bool ended = closed != before;
	close(fd);
	turns();
	return ended;
}

static void test_queue(void)
{
	ok(too_much(HOST ALL), "websocket.send_queue bounds what waits");
	ok(!too_much(HOST ALL OFFER), "as it is queued: compressed it is less");
}

/* Whoever packs much into little waits for the others between his messages. */
static void test_turns(void)
{
	struct ws_deflate *z = ws_deflate_new();
	struct buf payload = {0}, frames = {0};
	char *text = xcalloc(1, 65536);
	int fd = client();
	ask(fd, GET, HOST ALL OFFER, "");
	messages = 0;
	ok(ws_deflate_pack(z, (struct str){text, 65536}, &payload), "64 KiB are packed");
	ok(payload.len < 126, "into %zu bytes", payload.len);
	for (int i = 0; i < 60; i++) {
		char head[6] = {(char)0xc1, (char)(0x80 | payload.len)};
		buf_append(&frames, head, sizeof(head));
		buf_append(&frames, payload.data, payload.len);
	}
	if (write(fd, frames.data, frames.len) != (ssize_t)frames.len)
		exit(1);
	loop_turn(loop);
	/* One as it is read, one as what was left is offered. */
	ok(messages >= 1 && messages <= 2, "%d of 60 are taken in a turn", messages);
	for (int i = 0; i < 60 && messages < 60; i++)
		turns();
	is_int(messages, 60, "and all of them in the end");
	close(fd);
	turns();
	free(text);
	buf_fini(&payload);
	buf_fini(&frames);
	ws_deflate_free(&z);
}

int main(void)
{
	static char friend[] = "https://friend.example", none[] = "";
	static char *origins[] = {friend};
	conf.http.prefix = conf.http.docroot = none;
	conf.http.max_body = 65536;
	conf.http.header_timeout_secs = conf.http.body_timeout_secs = conf.http.keepalive_timeout_secs = 10;
	conf.http.cors_origins = (struct conf_list){origins, ARRAY_LEN(origins)};
	conf.websocket.max_message = conf.websocket.send_queue = 65536;
	conf.websocket.ping_interval_secs = 30;
	conf.websocket.idle_timeout_secs = 75;
	static const struct http_handler handler = {.head = on_head};
	loop = loop_new();
	server = http_server_new(loop, &conf, &handler, NULL, NULL);
	test_table();
	test_negotiation();
	test_compression();
	test_queue();
	test_turns();
	test_after_the_switch();
	loop_free(&loop);
	return done_testing();
}
