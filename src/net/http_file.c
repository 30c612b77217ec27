/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The document root: a demo page, or a small client. Decides which files may be seen: regular ones of at most
 * FILE_MAX bytes, on a path without dot files and symbolic links. Reads them whole, which blocks for a disk; a
 * document root belongs on a local one.
 */
#include "core/base.h"
#include "net/http.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "net/http_priv.h"

#define FILE_MAX (8 * 1024 * 1024)
/*
 * A page may run its own scripts and styles, talk to the server it came from, and show pictures, sound and films from
 * anywhere on the web, since messages carry their addresses. require-trusted-types-for: turning a text into markup
 * throws, and so does registering a service worker but by the policy of that name. Sent with every file, for an SVG opened
 * by itself is a document too.
 */
#define SECURITY_HEADERS                                                                                               \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "       \
	"img-src https: http:; media-src https: http:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "      \
	"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "                             \
	"trusted-types service-worker\r\n"                                                                             \
	"Referrer-Policy: no-referrer\r\n"

static const struct {
	const char *ending, *type;
} types[] = {
	{".html", "text/html; charset=utf-8"},
	{".css", "text/css; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".mjs", "text/javascript; charset=utf-8"},
	{".json", "application/json"},
	{".webmanifest", "application/manifest+json"},
	{".yaml", "application/yaml"},
	{".txt", "text/plain; charset=utf-8"},
	{".map", "application/json"},
	{".svg", "image/svg+xml"},
	{".png", "image/png"},
	{".jpg", "image/jpeg"},
	{".webp", "image/webp"},
	{".ico", "image/x-icon"},
	{".woff2", "font/woff2"},
};

static const char *type_of(const char *name)
{
	const char *dot = strrchr(name, '.');
	for (size_t i = 0; dot != NULL && i < ARRAY_LEN(types); i++)
		if (strcasecmp(dot, types[i].ending) == 0)
			return types[i].type;
	return "application/octet-stream";
}

/* A name in a folder, decoded and terminated; NULL for one that is not to be seen. */
static const char *decode_name(struct http_req *req, struct str segment)
{
	struct str plain;
	if (http_req_decode(req, segment, &plain) != 0 || plain.len == 0 || plain.len > NAME_MAX || plain.s[0] == '.' ||
	    memchr(plain.s, '/', plain.len) != NULL)
		return NULL;
	char *name = http_req_alloc(req, plain.len + 1);
	memcpy(name, plain.s, plain.len);
	name[plain.len] = '\0';
	return name;
}

/* Opens the file folder by folder, so that no link on the way is followed. The last name in *name_r. */
static int open_below(struct http_req *req, const char *docroot, struct str path, const char **name_r)
{
	int dir = open(docroot, O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (dir >= 0) {
		/* path begins with the slash before the next name */
		path = (struct str){path.s + 1, path.len - 1};
		const char *slash = path.len != 0 ? memchr(path.s, '/', path.len) : NULL;
		struct str segment = {path.s, slash != NULL ? (size_t)(slash - path.s) : path.len};
		*name_r = path.len == 0 ? "index.html" : decode_name(req, segment);
		path = (struct str){path.s + segment.len, path.len - segment.len};
		/* O_NONBLOCK: opening a FIFO would wait for its writer */
		int flags = O_NOFOLLOW | O_CLOEXEC | (slash != NULL ? O_PATH | O_DIRECTORY : O_RDONLY | O_NONBLOCK);
		int fd = *name_r != NULL ? openat(dir, *name_r, flags) : -1;
		close(dir);
		if (slash == NULL)
			return fd;
		dir = fd;
	}
	return -1;
}

/* The client has this version already (RFC 9110 section 13.1). */
static bool is_unchanged(const struct http_req *req, const char *etag, const struct stat *st)
{
	struct str since = http_req_header(req, "if-modified-since");
	if (http_req_header(req, "if-none-match").s != NULL)
		return http_req_has_etag(req, etag);
	char text[CLOCK_HTTP_LEN + 1];
	struct tm tm = {0};
	if (since.s == NULL || since.len != CLOCK_HTTP_LEN)
		return false;
	memcpy(text, since.s, since.len);
	text[since.len] = '\0';
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return end != NULL && *end == '\0' && timegm(&tm) >= st->st_mtime;
}

/* NULL where the file cannot be read, or shrinks meanwhile. */
static struct blob *read_whole(int fd, size_t size)
{
	struct blob *b = blob_alloc(size);
	size_t len = 0;
	while (len < size) {
		ssize_t n = read(fd, b->data + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			blob_unref(b);
			return NULL;
		}
		len += (size_t)n;
	}
	return b;
}

static void reply_not_found(struct http_req *req)
{
	http_reply_problem(req, 404, "not_found", "There is no such page.", 0, NULL);
}

static void reply_open_file(struct http_req *req, int fd, const char *name, const struct stat *st)
{
	char etag[48], modified[CLOCK_HTTP_LEN + 1], headers[768];
	snprintf(etag, sizeof(etag), "\"%" PRIx64 "%08lx-%" PRIx64 "\"", (uint64_t)st->st_mtim.tv_sec,
		 (unsigned long)st->st_mtim.tv_nsec, (uint64_t)st->st_size);
	clock_format_http(modified, (int64_t)st->st_mtim.tv_sec * 1000);
	snprintf(headers, sizeof(headers),
		 "ETag: %s\r\nLast-Modified: %s\r\nCache-Control: no-cache\r\n" SECURITY_HEADERS, etag, modified);
	if (is_unchanged(req, etag, st)) {
		http_reply_blob(req, 304, headers, NULL, -1);
		return;
	}
	size_t used = strlen(headers);
	snprintf(headers + used, sizeof(headers) - used, "Content-Type: %s\r\n", type_of(name));
	struct blob *content = NULL;
	if (req->verb != VERB_HEAD && st->st_size > 0) {
		content = read_whole(fd, (size_t)st->st_size);
		if (content == NULL) {
			log_warn_gated("the file %s of the document root cannot be read", name);
			reply_not_found(req);
			return;
		}
	}
	http_reply_blob(req, 200, headers, content, st->st_size);
	blob_unref(content);
}

void http_reply_file(struct http_req *req, const char *docroot, struct str path)
{
	const char *name = NULL;
	struct stat st;
	if (req->verb != VERB_GET && req->verb != VERB_HEAD) {
		http_reply_problem(req, 405, "method_not_allowed", "Files can only be read.", 0,
				   "Allow: GET, HEAD\r\n");
		return;
	}
	int fd = path.len != 0 && path.s[0] == '/' ? open_below(req, docroot, path, &name) : -1;
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		reply_not_found(req);
	else if (st.st_size > FILE_MAX) {
		log_warn_gated("the file %s of the document root is over %d bytes", name, FILE_MAX);
		reply_not_found(req);
	} else {
		reply_open_file(req, fd, name, &st);
	}
	if (fd >= 0)
		close(fd);
}
