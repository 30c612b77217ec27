/* SPDX-License-Identifier: BSD-2-Clause */
/* The document root, what may not be seen through it, and CORS. */
#include "core/base.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "http_kit.h"

#define HOST "Host: h\r\n"
#define POLICY "\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; "

static char base[] = "/tmp/tidings-http-XXXXXX"; /* holds secret.txt and the document root, www */

static const char *below_base(const char *name)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static void check(int rc)
{
	if (rc < 0) {
		perror(base);
		exit(1);
	}
}

static void make_file(const char *name, const char *content)
{
	int fd = open(below_base(name), O_WRONLY | O_CREAT | O_EXCL, 0600);
	check(fd);
	check((int)write(fd, content, strlen(content)));
	close(fd);
}

static const char *get(struct client *c, const char *method, const char *path, const char *headers)
{
	char text[1024];
	snprintf(text, sizeof(text), "%s /file%s HTTP/1.1\r\n" HOST "%s\r\n", method, path, headers);
	say(c, text);
	return hear(c);
}

static void is_missing(struct client *c, const char *path)
{
	const char *a = get(c, "GET", path, "");
	ok(status_of(a) == 404 && has(a, "\"not_found\"") && !has(a, "secret"), "%s is not there", path);
}

static void test_files(struct client *c)
{
	static const char *const types[][2] = {
		{"/app.js", "text/javascript; charset=utf-8"},
		{"/m.mjs", "text/javascript; charset=utf-8"},
		{"/a.css", "text/css; charset=utf-8"},
		{"/a.svg", "image/svg+xml"},
		{"/a.png", "image/png"},
		{"/a.PNG", "image/png"},
		{"/a.woff2", "font/woff2"},
		{"/a.json", "application/json"},
		{"/a.yaml", "application/yaml"},
		{"/noext", "application/octet-stream"},
	};
	char want[128];
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		snprintf(want, sizeof(want), "www%s", types[i][0]);
		make_file(want, "x");
		snprintf(want, sizeof(want), "\r\nContent-Type: %s\r\n", types[i][1]);
		const char *a = get(c, "GET", types[i][0], "");
		ok(status_of(a) == 200 && has(a, want) && has(a, POLICY), "%s is %s, with the policy", types[i][0],
		   types[i][1]);
	}
	const char *a = get(c, "GET", "/", "");
	is_str(body_of(a), "<p>home", "/ is index.html");
	ok(has(a, POLICY) && has(a, "text/html") && has(a, "\r\nCache-Control: no-cache\r\n") && has(a, "nosniff") &&
		   has(a, "\r\nReferrer-Policy: no-referrer\r\n"),
	   "with its policy");
	ok(!has(a, "unsafe-") && !has(a, "*;") && !has(a, "data:"), "which has no holes");
	is_str(body_of(get(c, "GET", "/sub/", "")), "<p>sub", "so it is in a folder");
	is_str(body_of(get(c, "GET", "/sub/a%20b.txt?q=1", "")), "spaced",
	       "names are decoded, the query is not theirs");
	is_str(body_of(get(c, "GET", "/empty.txt", "")), "", "an empty file");
	is_int(status_of(get(c, "POST", "/", "Content-Length: 0\r\n")), 405, "files are only read");
	a = get(c, "HEAD", "/", "");
	ok(status_of(a) == 200 && has(a, "Content-Length: 7\r\n") && body_of(a)[0] == '\0', "HEAD");
}

static void test_conditions(struct client *c)
{
	char etag[64], line[256], modified[64];
	const char *a = get(c, "GET", "/", "");
	const char *at = strstr(a, "ETag: ");
	snprintf(etag, sizeof(etag), "%.*s", (int)strcspn(at + 6, "\r"), at + 6);
	at = strstr(a, "Last-Modified: ");
	snprintf(modified, sizeof(modified), "%.*s", (int)strcspn(at + 15, "\r"), at + 15);
	ok(etag[0] == '"', "a strong ETag");

	snprintf(line, sizeof(line), "If-None-Match: %s\r\n", etag);
	a = get(c, "GET", "/", line);
	ok(status_of(a) == 304 && !has(a, "Content-Length") && has(a, "ETag"), "the same version is 304");
	snprintf(line, sizeof(line), "If-None-Match: \"other\", W/%s\r\n", etag);
	is_int(status_of(get(c, "GET", "/", line)), 304, "in a list, compared weakly");
	is_int(status_of(get(c, "GET", "/", "If-None-Match: *\r\n")), 304, "any");
	snprintf(line, sizeof(line), "If-None-Match: \"other\"\r\nIf-Modified-Since: %s\r\n", modified);
	is_int(status_of(get(c, "GET", "/", line)), 200, "another version counts more than the time");
	snprintf(line, sizeof(line), "If-Modified-Since: %s\r\n", modified);
	is_int(status_of(get(c, "GET", "/", line)), 304, "not modified since");
	is_int(status_of(get(c, "GET", "/", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n")), 200,
	       "modified since");
	is_int(status_of(get(c, "GET", "/", "If-Modified-Since: Thu, 99 Foo 1970 00:00:00 GMT\r\n")), 200, "no time");
}

static void test_what_is_hidden(struct client *c)
{
	static const char *const paths[] = {
		"/none",
		"/../secret.txt",
		"/sub/../../secret.txt",
		"/%2e%2e/secret.txt",
		"/..%2fsecret.txt",
		"/sub%2f..%2f..%2fsecret.txt",
		"/%2e%2e%2fsecret.txt",
		"/.hidden.txt",
		"/%2ehidden.txt",
		"/.dir/x.txt",
		"/./index.html",
		"//index.html",
		"/sub//index.html",
		"/sub",
		"/link.txt",
		"/linkdir/secret.txt",
		"/linkdir/",
		"/index.html/",
		"/index.html/x",
		"/fifo",
		"/index.html%00.png",
		"/%zz",
		"/%ff",
		"/large.txt",
		"/..\\secret.txt",
		"",
	};
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		is_missing(c, paths[i]);
	char path[1001];
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[300] = '\0';
	is_missing(c, path);
}

static void set_origins(char **items, size_t count)
{
	conf.http.cors_origins.item = items;
	conf.http.cors_origins.count = count;
}

static void test_cors(struct client *c)
{
	static char one[] = "https://app.example", any[] = "*";
	char *items[] = {one};
	static const char ours[] = "Origin: https://app.example\r\n", foreign[] = "Origin: https://evil.example\r\n";
	static const char preflight[] = "Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n";
	const char *a;

	a = get(c, "OPTIONS", "/", preflight);
	ok(status_of(a) == 204 && !has(a, "Access-Control") && !has(a, "Vary"), "off: a preflight allows nothing");

	set_origins(items, 1);
	a = get(c, "GET", "/", ours);
	ok(has(a, "\r\nAccess-Control-Allow-Origin: https://app.example\r\n") && has(a, "\r\nVary: Origin\r\n") &&
		   has(a, "\r\nAccess-Control-Expose-Headers: X-Request-Id, Retry-After, Location, Tus-Resumable, "),
	   "an allowed origin may read");
	ok(!has(a, "Credentials"), "without credentials");
	a = get(c, "GET", "/none", ours);
	ok(status_of(a) == 404 && has(a, "Access-Control-Allow-Origin: https://app"), "problems too");
	a = get(c, "GET", "/", foreign);
	ok(status_of(a) == 200 && !has(a, "Access-Control") && has(a, "Vary: Origin"), "a foreign one may not");
	a = get(c, "GET", "/", "");
	ok(!has(a, "Access-Control") && has(a, "Vary: Origin"), "nor is anything said to none, but for caches");
	is_int(seen.heads > 0, 1, "those went to the handler");

	reset_seen();
	a = get(c, "OPTIONS", "/", preflight);
	ok(status_of(a) == 204 && has(a, "\r\nAccess-Control-Allow-Origin: https://app.example\r\n") &&
		   has(a, "\r\nAccess-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE, HEAD\r\n") &&
		   has(a, "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, X-Request-Id, "
			  "Tus-Resumable, Upload-Length, Upload-Offset, Upload-Metadata, Upload-Checksum, "
			  "X-HTTP-Method-Override\r\n") &&
		   has(a, "\r\nAccess-Control-Max-Age: 600\r\n"),
	   "a preflight is answered");
	is_int(seen.heads, 0, "without the handler");
	a = get(c, "OPTIONS", "/", "Origin: https://evil.example\r\nAccess-Control-Request-Method: PUT\r\n");
	ok(status_of(a) == 204 && !has(a, "Access-Control"), "a foreign one gets nothing");
	get(c, "OPTIONS", "/", ours);
	is_int(seen.heads, 1, "a plain OPTIONS is the handler's");

	items[0] = any;
	a = get(c, "GET", "/", foreign);
	ok(has(a, "\r\nAccess-Control-Allow-Origin: *\r\n") && !has(a, "Vary"), "* is for all");
	set_origins(NULL, 0);
}

static void make_tree(void)
{
	if (mkdtemp(base) == NULL)
		check(-1);
	make_file("secret.txt", "secret");
	check(mkdir(below_base("www"), 0700));
	check(mkdir(below_base("www/sub"), 0700));
	check(mkdir(below_base("www/.dir"), 0700));
	make_file("www/index.html", "<p>home");
	make_file("www/sub/index.html", "<p>sub");
	make_file("www/sub/a b.txt", "spaced");
	make_file("www/empty.txt", "");
	make_file("www/.hidden.txt", "secret");
	make_file("www/.dir/x.txt", "secret");
	make_file("www/large.txt", "secret");
	check(truncate(below_base("www/large.txt"), 8 * 1024 * 1024 + 1));
	check(symlink("../secret.txt", below_base("www/link.txt")));
	check(symlink("..", below_base("www/linkdir")));
	check(mkfifo(below_base("www/fifo"), 0600));
	docroot = xstrdup(below_base("www"));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int main(void)
{
	struct client c;
	make_tree();
	start_server();
	open_client(&c);
	test_what_is_hidden(&c);
	test_conditions(&c);
	test_cors(&c);
	test_files(&c);
	ok(!c.eof, "all on one connection");
	close_client(&c);
	stop_server();
	loop_free(&loop);
	free((char *)docroot);
	check(nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS));
	return done_testing();
}
