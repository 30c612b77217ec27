/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to a real server, plain and with TLS: what it may answer, what it may do instead, where requests may not go,
 * and that none waits for another's server, for names, or without end.
 */
#include "core/base.h"
#include "net/fetch.h"

#include "certificate.h"
#include "fetch_server.h"
#include "pair.h"
#include "../tap.h"

#include <netdb.h>
#include <pthread.h>

#define LONG_MS 60000
#define CALLS_MAX 64

static struct server plain, tls;
static struct fetch *fetch;

/* ---- names: libcurl's threads ask this ---- */

static pthread_mutex_t names = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_changed = PTHREAD_COND_INITIALIZER;
static bool name_server_hangs;

/* libcurl is to find them here before the C library's. */
#pragma GCC visibility push(default)
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	struct result {
		struct addrinfo info;
		struct sockaddr_in in;
	} *r = calloc(1, sizeof(*r));
	(void)hints;
	pthread_mutex_lock(&names);
	while (name_server_hangs && strcmp(name, "slow.test") == 0)
		pthread_cond_wait(&names_changed, &names);
	pthread_mutex_unlock(&names);
	const char *address = strcmp(name, "private.test") == 0	   ? "10.1.2.3"
			      : strcmp(name, "metadata.test") == 0 ? "169.254.169.254"
								   : "127.0.0.1";
	r->in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(service))};
	inet_pton(AF_INET, address, &r->in.sin_addr);
	r->info = (struct addrinfo){.ai_family = AF_INET,
				    .ai_socktype = SOCK_STREAM,
				    .ai_addrlen = sizeof(r->in),
				    .ai_addr = (struct sockaddr *)&r->in};
	*out = &r->info;
	return 0;
}

void freeaddrinfo(struct addrinfo *a)
{
	free(a);
}

#pragma GCC visibility pop

static void set_name_server(bool hangs)
{
	pthread_mutex_lock(&names);
	name_server_hangs = hangs;
	pthread_cond_broadcast(&names_changed);
	pthread_mutex_unlock(&names);
}

/* ---- calls ---- */

struct call {
	struct fetch_call *call;
	unsigned ends; /* how often done() has run */
	unsigned status, retry_after_secs;
	struct buf body;
	char error[256];
	void (*then)(struct call *c);
};

static bool starting;

static void on_done(const struct fetch_answer *a, void *ctx)
{
	struct call *c = ctx;
	if (starting)
		c->ends += 100;
	c->call = NULL;
	c->ends++;
	c->status = a->status;
	c->retry_after_secs = a->retry_after_secs;
	buf_clear(&c->body);
	buf_append_str(&c->body, a->body);
	snprintf(c->error, sizeof(c->error), "%s", a->error != NULL ? a->error : "");
	if (c->then != NULL)
		c->then(c);
}

static bool start_with(struct call *c, const struct fetch_request *q)
{
	struct fetch_request copy = *q;
	copy.done = on_done;
	copy.ctx = c;
	starting = true;
	c->call = fetch_start(fetch, &copy);
	starting = false;
	return c->call != NULL;
}

static bool start(struct call *c, const char *url, unsigned timeout_ms)
{
	static const char *const headers[] = {"Content-Type: application/json", "X-Test: yes"};
	const struct fetch_request q = {.method = FETCH_POST,
					.url = url,
					.headers = headers,
					.header_count = 2,
					.body = STR_LIT("{\"a\":1}"),
					.timeout_ms = timeout_ms,
					.answer_max = 1000};
	return start_with(c, &q);
}

static void wait_for(struct call *c)
{
	while (c->ends == 0)
		loop_turn(loop);
}

static void call_fini(struct call *c)
{
	fetch_cancel(&c->call);
	buf_fini(&c->body);
}

static const char *url_of(const struct server *s, const char *host, const char *path)
{
	static char url[8][256];
	static unsigned at;
	at = (at + 1) % 8;
	snprintf(url[at], sizeof(url[at]), "%s://%s:%d%s", s == &tls ? "https" : "http", host, s->port, path);
	return url[at];
}

/* One that ends before anything else is done. */
static struct call ask(const char *url)
{
	struct call c = {0};
	ok(start(&c, url, LONG_MS), "begins: %s", url);
	wait_for(&c);
	is_int(c.ends, 1, "ends once, and not while it begins");
	return c;
}

static void restart(const struct fetch_options *options)
{
	char *err = NULL;
	fetch_free(&fetch);
	fetch = fetch_new(loop, options, &err);
	if (!ok(fetch != NULL, "there is a client"))
		printf("# %s\n", err);
}

/* ---- the tests ---- */

static void test_echo(const struct server *s)
{
	struct call c = ask(url_of(s, "localhost", "/echo"));
	is_int(c.status, 200, "an answer");
	is_str(c.error, "", "without an error");
	ok(strstr(buf_cstr(&c.body), "POST /echo HTTP/1.1\r\n") != NULL &&
		   strstr(buf_cstr(&c.body), "\r\n\r\n{\"a\":1}") != NULL,
	   "the request came whole");
	ok(strstr(buf_cstr(&c.body), "\r\nContent-Type: application/json\r\n") != NULL &&
		   strstr(buf_cstr(&c.body), "\r\nX-Test: yes\r\n") != NULL &&
		   strstr(buf_cstr(&c.body), "\r\nUser-Agent: " PACKAGE_NAME "/") != NULL,
	   "with its headers");
	ok(strcasestr(buf_cstr(&c.body), "\r\nExpect:") == NULL && strcasestr(buf_cstr(&c.body), "\r\nCookie:") == NULL,
	   "and no others");
	int number = atoi(buf_cstr(&c.body));
	call_fini(&c);
	c = ask(url_of(s, "localhost", "/echo"));
	is_int(atoi(buf_cstr(&c.body)), number, "the next request has the same connection");
	call_fini(&c);
}

static void test_methods(void)
{
	static const char *const names_of[] = {[FETCH_GET] = "GET ", [FETCH_POST] = "POST ", [FETCH_PUT] = "PUT "};
	for (unsigned i = 0; i < ARRAY_LEN(names_of); i++) {
		struct call c = {0};
		const struct fetch_request q = {.method = (enum fetch_method)i,
						.url = url_of(&plain, "localhost", "/echo"),
						.body = i != FETCH_GET ? STR_LIT("x\0y") : STR_NULL,
						.timeout_ms = LONG_MS,
						.answer_max = 1000};
		ok(start_with(&c, &q), "begins");
		wait_for(&c);
		ok(strstr(buf_cstr(&c.body), names_of[i]) != NULL, "the method is %s", names_of[i]);
		ok(i == FETCH_GET || memcmp(c.body.data + c.body.len - 3, "x\0y", 3) == 0, "the body is any bytes");
		call_fini(&c);
	}
}

static void test_statuses(void)
{
	static const struct {
		const char *path;
		unsigned status, retry_after_secs;
	} cases[] = {
		{"/later", 503, 7}, {"/never", 429, FETCH_RETRY_MAX_SECS}, {"/soon", 429, 0}, {"/elsewhere", 302, 0}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct call c = ask(url_of(&plain, "localhost", cases[i].path));
		is_int(c.status, cases[i].status, "%s answers that", cases[i].path);
		is_int(c.retry_after_secs, cases[i].retry_after_secs, "and when to come again");
		call_fini(&c);
	}
}

static void test_faults(const struct server *s)
{
	static const struct {
		const char *path, *error;
		unsigned status;
	} cases[] = {{"/garbage", NULL, 0},
		     {"/close", NULL, 0},
		     {"/cut", NULL, 200},
		     {"/endless", "the answer is too long", 200},
		     {"/large", "the answer is too long", 200},
		     {"/headers", "the answer has too many headers", 200}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct call c = ask(url_of(s, "localhost", cases[i].path));
		is_int(c.status, cases[i].status, "%s has that status", cases[i].path);
		ok(c.error[0] != '\0' && (cases[i].error == NULL || strcmp(c.error, cases[i].error) == 0), "but: %s",
		   c.error);
		call_fini(&c);
	}
}

static void test_wrong_urls(void)
{
	static const char *const wrong[] = {
		"ftp://localhost/",   "file:///etc/passwd", "gopher://localhost:1/x", "", "http://", "://",
		"https://local host/"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct call c = ask(wrong[i]);
		ok(c.status == 0 && c.error[0] != '\0', "is refused: %s", c.error);
		call_fini(&c);
	}
	struct call c = ask("http://localhost:1/");
	ok(c.status == 0 && c.error[0] != '\0', "nobody listens there: %s", c.error);
	call_fini(&c);
}

/* What an error says when the address itself was looked at. */
static void is_refused(const char *url, const char *why)
{
	struct call c = ask(url);
	is_str(c.error, why, "is not connected to");
	call_fini(&c);
}

static void test_private(const struct fetch_options *options)
{
	struct fetch_options strict = *options;
	is_refused("http://private.test/", "http is allowed to this host alone");
	strict.allow_private = false;
	restart(&strict);
	is_refused(url_of(&plain, "localhost", "/echo"), "http is not allowed");
	is_refused("http://1.1.1.1/", "http is not allowed");
	is_refused(url_of(&tls, "localhost", "/echo"), "the address is not public");
	is_refused(url_of(&tls, "127.0.0.1", "/echo"), "the address is not public");
	is_refused(url_of(&tls, "2130706433", "/echo"), "the address is not public");
	is_refused("https://private.test/", "the address is not public");
	is_refused("https://metadata.test/latest", "the address is not public");
	is_refused("https://[::1]/", "the address is not public");
	is_refused("https://[::ffff:127.0.0.1]/", "the address is not public");
	restart(options);
}

static void test_authorities(const struct fetch_options *options)
{
	struct fetch_options other = *options;
	char *err = NULL;
	other.ca_file = "";
	restart(&other);
	struct call c = ask(url_of(&tls, "localhost", "/echo"));
	ok(c.status == 0 && strcasestr(c.error, "certificate") != NULL, "nobody vouches for the server: %s", c.error);
	call_fini(&c);
	restart(options);
	c = ask(url_of(&tls, "other.test", "/echo"));
	ok(c.status == 0 && strcasestr(c.error, "certificate") != NULL, "the certificate is another's: %s", c.error);
	call_fini(&c);
	other.ca_file = "/nonexistent";
	ok(fetch_new(loop, &other, &err) == NULL && err != NULL, "a file that is not there is a fault");
	free(err);
}

static void test_timeout(const struct server *s)
{
	struct call c = {0}, other = {0};
	ok(start(&c, url_of(s, "localhost", "/hang"), 200), "one that will not be answered");
	wait_for(&c);
	is_str(c.error, "timed out", "ends in time");
	is_int(c.ends, 1, "once");
	call_fini(&c);
	ok(start(&other, url_of(s, "localhost", "/hang"), LONG_MS), "another");
	for (int i = 0; i < 5; i++)
		turn();
	fetch_cancel(&other.call);
	ok(other.call == NULL && fetch_active(fetch) == 0, "is cancelled");
	c = ask(url_of(s, "localhost", "/echo"));
	is_int(other.ends, 0, "and nobody hears of it");
	is_int(c.status, 200, "the server still answers others");
	call_fini(&c);
}

/* Several hosts are several names of this one. */
static void test_bounds(const struct fetch_options *options)
{
	struct fetch_options few = *options;
	struct call hung[8] = {0}, other = {0}, refused = {0};
	few.parallel = 5;
	few.parallel_host = 2;
	few.waiting = 2;
	restart(&few);
	for (int i = 0; i < 4; i++)
		ok(start(&hung[i], url_of(&plain, "a.test", "/hang"), LONG_MS), "call %d", i);
	is_int(fetch_active(fetch), 2, "a host gets its share");
	is_int(fetch_waiting(fetch), 2, "the others wait");
	ok(!start(&refused, url_of(&plain, "a.test", "/hang"), LONG_MS), "and no more of them");
	ok(start(&other, url_of(&plain, "b.test", "/echo"), LONG_MS), "another host");
	wait_for(&other);
	is_int(other.status, 200, "is not held up by that");
	call_fini(&other);
	fetch_cancel(&hung[3].call);
	fetch_cancel(&hung[0].call);
	is_int(fetch_active(fetch), 2, "one that has waited takes the place of one that ends");
	is_int(fetch_waiting(fetch), 0, "nobody waits");
	for (int i = 4; i < 8; i++)
		ok(start(&hung[i], url_of(&plain, i % 2 ? "c.test" : "d.test", "/hang"), LONG_MS), "call %d", i);
	is_int(fetch_active(fetch), 5, "all hosts together get no more than that");
	is_int(refused.ends, 0, "what was refused has no end");
	/* With calls under way and waiting. */
	fetch_free(&fetch);
	for (int i = 0; i < 8; i++) {
		is_int(hung[i].ends, 0, "no call ends with the client");
		hung[i].call = NULL;
	}
	restart(options);
}

static struct call chain[3];

static void chain_on(struct call *c)
{
	if (c->ends == 1)
		ok(start(&chain[1], url_of(&plain, "localhost", "/echo"), LONG_MS), "one begins as another ends");
	fetch_cancel(&chain[2].call);
}

static void test_chain(void)
{
	ok(start(&chain[2], url_of(&plain, "localhost", "/hang"), LONG_MS), "one that hangs");
	chain[0].then = chain_on;
	ok(start(&chain[0], url_of(&plain, "localhost", "/echo"), LONG_MS), "one that starts and cancels others");
	wait_for(&chain[0]);
	wait_for(&chain[1]);
	is_int(chain[1].status, 200, "what it started is answered");
	is_int(chain[2].ends, 0, "what it cancelled is not");
	/* The last call of its host is cancelled within the end of the one before. */
	chain[0].ends = 1;
	ok(start(&chain[2], url_of(&plain, "e.test", "/hang"), LONG_MS), "one that hangs");
	ok(start(&chain[0], url_of(&plain, "e.test", "/echo"), LONG_MS), "one that cancels it");
	while (chain[0].ends == 1)
		loop_turn(loop);
	is_int(fetch_active(fetch), 0, "nothing is left");
	for (size_t i = 0; i < ARRAY_LEN(chain); i++)
		call_fini(&chain[i]);
}

static void test_names(void)
{
	struct call slow = {0}, late = {0};
	set_name_server(true);
	ok(start(&slow, url_of(&plain, "slow.test", "/echo"), LONG_MS), "a name that is looked up slowly");
	struct call c = ask(url_of(&plain, "localhost", "/echo"));
	is_int(c.status, 200, "holds up nobody");
	call_fini(&c);
	ok(start(&late, url_of(&plain, "slow.test", "/echo"), 100), "a call ends");
	wait_for(&late);
	ok(strstr(late.error, "timed out") != NULL, "while its name is looked up: %s", late.error);
	call_fini(&late);
	is_int(slow.ends, 0, "the other goes on");
	set_name_server(false);
	wait_for(&slow);
	is_int(slow.status, 200, "and is answered once the name is found");
	call_fini(&slow);
}

static void test_environment(const struct fetch_options *options)
{
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "socks5://127.0.0.1:1", 1);
	restart(options);
	for (int i = 0; i < 2; i++) {
		struct call c = ask(url_of(i != 0 ? &tls : &plain, "localhost", "/echo"));
		is_int(c.status, 200, "no proxy of the environment is asked");
		call_fini(&c);
	}
}

/* Those that wait are begun in turns, and each of them ends. */
static void test_many(void)
{
	struct call calls[CALLS_MAX] = {0};
	for (int i = 0; i < CALLS_MAX; i++)
		ok(start(&calls[i], url_of(i % 2 ? &tls : &plain, "localhost", "/echo"), LONG_MS), "call %d", i);
	for (int i = 0; i < CALLS_MAX; i++) {
		wait_for(&calls[i]);
		is_int(calls[i].status, 200, "is answered");
		is_int(calls[i].ends, 1, "once");
		call_fini(&calls[i]);
	}
}

int main(void)
{
	static struct conf conf;
	make_certificate(&conf);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate_file(ctx, certificate, SSL_FILETYPE_PEM);
	SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM);
	server_start(&plain, NULL);
	server_start(&tls, ctx);
	start_loop();
	const struct fetch_options options = {
		.ca_file = certificate, .allow_private = true, .parallel = 16, .parallel_host = 4, .waiting = 100};
	restart(&options);
	test_echo(&plain);
	test_echo(&tls);
	test_methods();
	test_statuses();
	test_faults(&plain);
	test_faults(&tls);
	test_wrong_urls();
	test_private(&options);
	test_authorities(&options);
	test_timeout(&plain);
	test_timeout(&tls);
	test_bounds(&options);
	test_chain();
	test_names();
	test_many();
	test_environment(&options);
	fetch_free(&fetch);
	loop_free(&loop);
	SSL_CTX_free(ctx);
	kill(plain.pid, SIGKILL);
	kill(tls.pid, SIGKILL);
	remove_certificate();
	return done_testing();
}
