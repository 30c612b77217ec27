/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers from files: whole, in ranges, conditional; in the clear and with TLS; to clients that stop or leave, and
 * from files that become shorter.
 */
#include "core/base.h"

#include <openssl/ssl.h>
#include <signal.h>

#include "certificate.h"
#include "http_kit.h"
#include "net/backlog.h"
#include "net/conn.h"
#include "net/tls.h"

#define HOST "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define SIZE (3 * 1024 * 1024 + 4321)
#define SMALL_BUFFER 16384

static char path[] = "/tmp/tidings-content-XXXXXX", short_path[] = "/tmp/tidings-content-XXXXXX";
static char *content;
static struct tls_server *tls;
static SSL_CTX *client_ctx;

static void write_whole(const char *name, const char *data, size_t len)
{
	int fd = open(name, O_WRONLY | O_TRUNC);
	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	close(fd);
}

static void make_files(void)
{
	int fds[] = {mkstemp(path), mkstemp(short_path)};
	if (fds[0] < 0 || fds[1] < 0)
		abort();
	close(fds[0]);
	close(fds[1]);
	content = xmalloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		content[i] = (char)(i * 31 + i / 251);
	write_whole(path, content, SIZE);
	write_whole(short_path, "0123456789", 10);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* ---- what is asked for ---- */

static const char *get(struct client *c, const char *method, const char *headers)
{
	char text[1024];
	snprintf(text, sizeof(text), "%s /content HTTP/1.1\r\n" HOST "%s\r\n", method, headers);
	say(c, text);
	return hear(c);
}

static void be_short(int64_t offset, int64_t size)
{
	content_path = short_path;
	content_part = (struct http_content){.offset = offset,
					     .size = size,
					     .etag = "\"v1\"",
					     .content_type = "image/png",
					     .headers = "Cache-Control: private\r\n"};
}

static void test_ranges(struct client *c)
{
	static const struct {
		const char *range;
		int status;
		const char *body, *content_range;
	} ranges[] = {
		{"bytes=0-0", 206, "0", "0-0/10"},	 {"bytes=0-9", 206, "0123456789", "0-9/10"},
		{"bytes=3-5", 206, "345", "3-5/10"},	 {"bytes=7-", 206, "789", "7-9/10"},
		{"bytes=7-100", 206, "789", "7-9/10"},	 {"bytes=7-99999999999999999999999999", 206, "789", "7-9/10"},
		{"bytes=-3", 206, "789", "7-9/10"},	 {"bytes=-100", 206, "0123456789", "0-9/10"},
		{"BYTES=9-", 206, "9", "9-9/10"},	 {"bytes=10-", 416, NULL, "*/10"},
		{"bytes=10-20", 416, NULL, "*/10"},	 {"bytes=99999999999999999999-", 416, NULL, "*/10"},
		{"bytes=-0", 416, NULL, "*/10"},	 {"bytes=0-1,3-4", 200, "0123456789", NULL},
		{"bytes=5-3", 200, "0123456789", NULL},	 {"bytes=", 200, "0123456789", NULL},
		{"bytes=-", 200, "0123456789", NULL},	 {"bytes=a-b", 200, "0123456789", NULL},
		{"bytes=1-2x", 200, "0123456789", NULL}, {"bytes=--3", 200, "0123456789", NULL},
		{"bytes 1-2", 200, "0123456789", NULL},	 {"lines=1-2", 200, "0123456789", NULL},
	};
	char line[128];
	be_short(0, 10);
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		snprintf(line, sizeof(line), "Range: %s\r\n", ranges[i].range);
		const char *a = get(c, "GET", line);
		is_int(status_of(a), ranges[i].status, "%s: %d", ranges[i].range, ranges[i].status);
		if (ranges[i].body != NULL)
			is_str(body_of(a), ranges[i].body, "its content");
		snprintf(line, sizeof(line), "\r\nContent-Range: bytes %s\r\n", ranges[i].content_range);
		ok(ranges[i].content_range != NULL ? has(a, line) : !has(a, "Content-Range"), "its range");
	}
	const char *a = get(c, "GET", "Range: bytes=10-\r\n");
	ok(has(a, "\"range_not_satisfiable\"") && has(a, "application/problem+json"), "a range behind the end is a "
										      "problem");
	is_int(status_of(get(c, "GET", "Range: bytes=0-1\r\nRange: bytes=3-4\r\n")), 200, "two of them");
	is_int(status_of(get(c, "GET", "Range: bytes=0-1\r\nIf-Range: \"v1\"\r\n")), 206, "of this version");
	is_int(status_of(get(c, "GET", "Range: bytes=0-1\r\nIf-Range: \"v2\"\r\n")), 200, "of another");
	is_int(status_of(get(c, "GET", "Range: bytes=0-1\r\nIf-Range: W/\"v1\"\r\n")), 200, "of one like it");
	is_int(status_of(get(c, "GET", "Range: bytes=99-\r\nIf-Range: \"v2\"\r\n")), 200, "behind the end of another");
	a = get(c, "HEAD", "Range: bytes=0-1\r\n");
	ok(status_of(a) == 200 && has(a, "Content-Length: 10\r\n") && body_of(a)[0] == '\0', "HEAD knows no ranges");

	be_short(4, 3);
	is_str(body_of(get(c, "GET", "")), "456", "content within a file");
	a = get(c, "GET", "Range: bytes=1-\r\n");
	ok(has(a, "bytes 1-2/3") && strcmp(body_of(a), "56") == 0, "a range of it");

	be_short(0, 0);
	a = get(c, "GET", "");
	ok(status_of(a) == 200 && has(a, "Content-Length: 0\r\n"), "no content");
	is_int(status_of(get(c, "GET", "Range: bytes=0-\r\n")), 200, "has no first byte, and is whole");
	is_int(status_of(get(c, "GET", "Range: bytes=-5\r\n")), 200, "but last ones");
}

static void test_conditions(struct client *c)
{
	be_short(0, 10);
	const char *a = get(c, "GET", "");
	ok(status_of(a) == 200 && has(a, "\r\nETag: \"v1\"\r\n") && has(a, "\r\nAccept-Ranges: bytes\r\n") &&
		   has(a, "\r\nCache-Control: private\r\n") && has(a, "\r\nContent-Type: image/png\r\n") &&
		   has(a, "\r\nContent-Length: 10\r\n") && !has(a, "no-store"),
	   "the headers");
	a = get(c, "GET", "If-None-Match: \"v1\"\r\n");
	ok(status_of(a) == 304 && has(a, "ETag: \"v1\"") && has(a, "Cache-Control: private") &&
		   !has(a, "Content-Length") && !has(a, "\r\nContent-Type:") && body_of(a)[0] == '\0',
	   "the same version");
	ok(!is_open(content_fd), "the file is closed");
	is_int(status_of(get(c, "HEAD", "If-None-Match: W/\"v1\", \"x\"\r\n")), 304, "HEAD too");
	is_int(status_of(get(c, "GET", "If-None-Match: \"v1\"\r\nRange: bytes=99-\r\n")), 304, "before its range");
	is_int(status_of(get(c, "GET", "If-None-Match: \"v2\"\r\n")), 200, "another version");
	a = get(c, "HEAD", "");
	ok(status_of(a) == 200 && has(a, "Content-Length: 10\r\n") && body_of(a)[0] == '\0', "HEAD");
	ok(!is_open(content_fd), "its file is closed");
	content_part.etag = NULL;
	a = get(c, "GET", "If-None-Match: *\r\n");
	ok(status_of(a) == 200 && !has(a, "ETag"), "without an ETag");
	is_int(status_of(get(c, "GET", "Range: bytes=0-1\r\nIf-Range: \"v1\"\r\n")), 200, "nothing is the same");
	is_int(status_of(get(c, "GET", "Range: bytes=0-1\r\n")), 206, "but there are ranges");
	ok(!is_open(content_fd), "the file is closed");

	say(c, GET("/content/1") GET("/now") GET("/content/2") GET("/content/3") GET("/now"));
	is_int(count_of(hear(c), "HTTP/1.1 200"), 5, "pipelined");
}

/* ---- large ones ---- */

struct peer {
	struct client c;
	SSL *ssl; /* NULL: in the clear */
	struct buf got;
};

static void open_peer(struct peer *p, bool secure)
{
	*p = (struct peer){0};
	content_path = path;
	content_part = (struct http_content){.size = SIZE, .etag = "\"v1\"", .content_type = "video/mp4"};
	reset_seen();
	open_client_with(&p->c, SMALL_BUFFER, secure ? tls : NULL);
	if (!secure)
		return;
	p->ssl = SSL_new(client_ctx);
	SSL_set_fd(p->ssl, p->c.fd);
	for (int i = 0; i < 100 && SSL_connect(p->ssl) != 1; i++)
		turn();
}

static void close_peer(struct peer *p)
{
	SSL_free(p->ssl);
	buf_fini(&p->got);
	close_client(&p->c);
}

static void peer_say(struct peer *p, const char *text)
{
	if (p->ssl == NULL)
		say(&p->c, text);
	else
		SSL_write(p->ssl, text, (int)strlen(text));
	turns(3);
}

/* Reads at most len bytes more; false at the end of the connection. */
static bool peer_hear(struct peer *p, size_t len)
{
	for (int quiet = 0; len != 0 && quiet < 200;) {
		size_t most = len < 5000 ? len : 5000;
		char *to = buf_reserve(&p->got, most);
		ssize_t n = p->ssl != NULL ? SSL_read(p->ssl, to, (int)most) : recv(p->c.fd, to, most, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && p->ssl == NULL && errno != EAGAIN) ||
		    (n < 0 && p->ssl != NULL && SSL_get_error(p->ssl, (int)n) != SSL_ERROR_WANT_READ))
			return false;
		quiet = n > 0 ? 0 : quiet + 1;
		p->got.len += n > 0 ? (size_t)n : 0;
		len -= n > 0 ? (size_t)n : 0;
		turn();
		if (quiet > 10)
			usleep(1000);
	}
	return true;
}

static size_t body_at(struct peer *p)
{
	const char *text = buf_cstr(&p->got);
	return (size_t)(body_of(text) - text);
}

/* What came of the first body, if it is the file's. */
static size_t body_len(struct peer *p)
{
	size_t at = body_at(p), len = p->got.len - at < SIZE ? p->got.len - at : SIZE;
	return memcmp(p->got.data + at, content, len) == 0 ? len : 0;
}

static void test_whole(bool secure)
{
	struct peer p;
	open_peer(&p, secure);
	peer_say(&p, GET("/content") GET("/now"));
	turns(50);
	is_int(seen.requests, 0, "the next request waits for the file");
	size_t memory = *backlog_memory(loop_backlog(loop));
	ok(memory < 40000, "of which little is in memory: %zu", memory);
	ok(secure || memory < 2000, "if anything");
	while (p.got.len < SIZE)
		if (!peer_hear(&p, 100000))
			break;
	peer_hear(&p, 100000);
	is_int(body_len(&p), SIZE, "it comes whole");
	ok(has(p.got.data + body_at(&p) + SIZE, "HTTP/1.1 200 OK"), "then the next answer");
	ok(!is_open(content_fd), "the file is closed");
	is_int(*backlog_memory(loop_backlog(loop)), 0, "nothing is left");

	buf_clear(&p.got);
	peer_say(&p, "GET /content HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	while (peer_hear(&p, 100000))
		if (p.got.len > 2 * SIZE)
			break;
	is_int(body_len(&p), SIZE, "the last one too");
	ok(!secure || (SSL_get_shutdown(p.ssl) & SSL_RECEIVED_SHUTDOWN) != 0, "then the end");
	close_peer(&p);

	open_peer(&p, secure);
	content_part.etag = NULL;
	peer_say(&p, "GET /content HTTP/1.1\r\n" HOST "Range: bytes=1000000-2999999\r\n\r\n");
	peer_hear(&p, 3000000);
	ok(status_of(buf_cstr(&p.got)) == 206 && p.got.len - body_at(&p) == 2000000 &&
		   memcmp(p.got.data + body_at(&p), content + 1000000, 2000000) == 0,
	   "a large range");
	close_peer(&p);
	turns(3);
	is_int(http_server_connections(server), 0, "nobody is left");
}

static void test_stopping(bool secure)
{
	struct peer p;
	open_peer(&p, secure);
	peer_say(&p, GET("/content"));
	peer_hear(&p, 50000);
	for (int i = 0; i < 100; i++) {
		pass(1000);
		peer_hear(&p, 2000);
	}
	is_int(seen.closed, 0, "a slow reader");
	for (int i = 0; i < 70; i++)
		pass(1000);
	ok(seen.closed == 1 && strcmp(seen.reason, CONN_TOO_SLOW) == 0, "one that stops is closed: %s", seen.reason);
	ok(!is_open(content_fd), "and the file");
	close_peer(&p);

	open_peer(&p, secure);
	peer_say(&p, GET("/content"));
	peer_hear(&p, 50000);
	ok(is_open(content_fd), "one that leaves");
	close_peer(&p);
	turns(5);
	ok(!is_open(content_fd) && seen.closed == 1, "closes the file");

	open_peer(&p, secure);
	peer_say(&p, GET("/content"));
	http_server_free(&server);
	turns(5);
	ok(!is_open(content_fd), "as does the server's end");
	close_peer(&p);
	start_server();

	/* What is being drained is finished. */
	open_peer(&p, secure);
	peer_say(&p, GET("/content"));
	http_server_end_idle(server);
	while (peer_hear(&p, 100000))
		if (p.got.len > SIZE + 1000)
			break;
	is_int(body_len(&p), SIZE, "a connection that ends after its answer");
	close_peer(&p);
}

static void test_shrinking(bool secure)
{
	struct peer p;
	open_peer(&p, secure);
	peer_say(&p, GET("/content"));
	peer_hear(&p, 100000);
	if (truncate(path, 1000000) != 0)
		abort();
	bool goes_on = true;
	for (int i = 0; goes_on && i < 1000; i++)
		goes_on = peer_hear(&p, 100000);
	ok(!goes_on && seen.closed == 1 && strcmp(seen.reason, CONN_SHORT_FILE) == 0, "a file that becomes shorter: %s",
	   seen.reason);
	size_t len = body_len(&p);
	ok(len > 90000 && len <= 1000000 && p.got.len - body_at(&p) == len, "what came is of the file: %zu", len);
	ok(!is_open(content_fd), "which is closed");
	close_peer(&p);
	write_whole(path, content, SIZE);
}

/* The page cache has forgotten it, if its file system can. */
static void test_cold(bool secure)
{
	struct peer p;
	int fd = open(path, O_RDWR);
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	open_peer(&p, secure);
	peer_say(&p, GET("/content") GET("/now"));
	while (p.got.len < SIZE)
		if (!peer_hear(&p, 100000))
			break;
	peer_hear(&p, 100000);
	is_int(body_len(&p), SIZE, "from a disk it comes whole");
	ok(has(p.got.data + body_at(&p) + SIZE, "HTTP/1.1 200 OK"), "then the next answer");
	close_peer(&p);
}

/* The client has left before the answer. */
static void test_late(void)
{
	struct client c;
	reset_seen();
	open_client(&c);
	say(&c, GET("/now") GET("/pending"));
	turns(3);
	close_client(&c);
	struct http_content late = content_part;
	late.fd = open(path, O_RDONLY);
	http_reply_content(seen.pending[0], &late);
	ok(!is_open(late.fd), "an answer for nobody closes its file");
}

int main(void)
{
	struct client c;
	char *why;
	signal(SIGPIPE, SIG_IGN);
	make_files();
	make_certificate(&conf);
	start_server();
	tls = tls_server_new(&conf, NULL, NULL, &why);
	client_ctx = SSL_CTX_new(TLS_client_method());
	open_client(&c);
	test_ranges(&c);
	test_conditions(&c);
	ok(!c.eof, "all on one connection");
	close_client(&c);
	for (int secure = 0; secure < 2; secure++) {
		test_whole(secure);
		test_stopping(secure);
		test_shrinking(secure);
		test_cold(secure);
	}
	test_late();
	stop_server();
	loop_free(&loop);
	tls_server_free(&tls);
	SSL_CTX_free(client_ctx);
	remove_certificate();
	unlink(path);
	unlink(short_path);
	free(content);
	return done_testing();
}
