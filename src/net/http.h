/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HTTP/1.1 server side of one worker (RFC 9110, RFC 9112), parsed by
 * http-parser; the only door to it. Knows nothing of the product: it gives whole
 * requests to a handler and sends what the handler answers.
 *
 * Of a connection one request is handled at a time; pipelined ones wait their turn
 * unparsed. Every response carries X-Request-Id, Date and, where the origin is
 * allowed, the CORS headers; preflights are answered here.
 *
 * Bodies count in the worker's intake (net/intake.h), except those that are streamed. Those that give way there are
 * refused (503 overloaded).
 *
 * Refused here, as problem+json, with the connection closed: malformed_request
 * (400; also line ends other than CRLF, both Content-Length and Transfer-Encoding, a repeated Content-Length,
 * a missing or repeated Host, white space before a colon, folded header lines, control bytes),
 * request_timeout (408), payload_too_large of a chunked body (413), uri_too_long
 * (414; request line over 8 KiB), expectation_failed (417), headers_too_large (431;
 * over 16 KiB), not_implemented (501; unknown transfer coding or method),
 * version_not_supported (505).
 */
#ifndef TIDINGS_NET_HTTP_H
#define TIDINGS_NET_HTTP_H

#include "core/base.h"
#include "core/conf.h"
#include "net/addr.h"
#include "net/loop.h"

enum http_verb {
	VERB_GET,
	VERB_HEAD,
	VERB_POST,
	VERB_PUT,
	VERB_DELETE,
	VERB_PATCH,
	VERB_OPTIONS,
	VERB_OTHER,
};
const char *http_verb_name(enum http_verb v);

#define HTTP_REQUEST_LINE_MAX 8192
#define HTTP_HEADERS_MAX 16384
#define HTTP_REQUEST_ID_MAX 64

/*
 * A request, alive from the head callback until exactly one answer was given to it
 * (http_reply*, or http_upgrade_ws). A client that leaves earlier does not end it:
 * the answer is then thrown away. All strs live as long as the request.
 */
struct http_req {
	enum http_verb verb;
	struct str path;	/* without the query; starts with '/'; unreserved characters are not percent-encoded */
	struct str sent_path;	/* the same as sent */
	struct str query;	/* after '?', percent-encoded; absent without '?' */
	struct str body;	/* whole; empty until the request callback */
	int64_t content_length; /* -1: chunked; 0: none */
	int64_t body_max;	/* bytes; http.max_body at first, the head callback may change it */
	char id[HTTP_REQUEST_ID_MAX + 1];
	const struct addr *peer;
	int64_t started_usecs; /* clock_usecs at the first byte */
	void *user;	       /* the handler's */
	unsigned route;	       /* the handler's, for its observer: what the request is counted as; 0 at first */
};

/* What the handler says of a request whose headers are complete. */
enum http_verdict {
	HTTP_TAKE_BODY,	  /* read the body (100 Continue is sent if asked for), then call `request` */
	HTTP_STREAM_BODY, /* the same, but the body goes to `body` part by part and is never held whole */
	HTTP_ANSWERED,	  /* the answer, given already or later, needs no body; an announced one is read and dropped, or
			     the connection closed */
};

struct http_handler {
	enum http_verdict (*head)(struct http_req *req, void *ctx);
	/* The body is complete, and not paused. Must lead to exactly one answer, now or later. */
	void (*request)(struct http_req *req, void *ctx);
	/*
	 * After HTTP_TAKE_BODY or HTTP_STREAM_BODY `request` will not be called: the body is too large, malformed or
	 * too slow, or the client gone. No answer is expected, req is gone on return: the place to free
	 * req->user. May be NULL.
	 */
	void (*aborted)(struct http_req *req, void *ctx);
	/*
	 * After HTTP_STREAM_BODY: the next bytes of the body, at least one, at most LOOP_READ_SIZE, there until it
	 * returns. Not called while paused. May answer, which ends req: the rest of the body is dropped, or the
	 * connection closed.
	 */
	void (*body)(struct http_req *req, struct str part, void *ctx);
};

/* What becomes of a connection whose peer is known. */
enum http_admission {
	HTTP_ADMIT,
	HTTP_ADMIT_COUNTED, /* the observer wants to hear when it is gone */
	HTTP_OVERLOADED,    /* its first request is answered with 503 overloaded; closed at once where many such wait */
	HTTP_TURN_AWAY,	    /* closed at once */
};

/*
 * What the worker counts of its connections, and has to say about them. May be called from within any net function.
 * Any member may be NULL.
 */
struct http_observer {
	void (*opened)(void *ctx);
	void (*closed)(const char *reason, void *ctx);
	void (*answered)(const struct http_req *req, int status, size_t bytes, void *ctx);
	/* Once the peer is known, before it is listened to. NULL: all are welcome. */
	enum http_admission (*admits)(const struct addr *peer, void *ctx);
	/* A connection of HTTP_ADMIT_COUNTED is gone, WebSockets included. */
	void (*left)(const struct addr *peer, void *ctx);
};

struct http_server;
struct tls_server;

/* conf is borrowed, and read at each use. ctx goes to all callbacks. */
struct http_server *http_server_new(struct loop *l, const struct conf *conf, const struct http_handler *handler,
				    const struct http_observer *observer, void *ctx);
/*
 * Closes every connection at once; requests still unanswered stay valid for their answer, which is dropped. Not from
 * within a handler's function. The observer hears of the closing here, a WebSocket's handler at the end of the turn (or
 * in loop_free).
 */
void http_server_free(struct http_server **s);
/*
 * Every connection has to come from one of conf's trusted_proxies, or through a UNIX socket, and to begin with a PROXY
 * header; others are closed. Who the header names is the peer.
 */
void http_server_expect_proxy(struct http_server *s);
/*
 * Takes over a connected non-blocking socket. tls: NULL where it is not encrypted; outlives the connection.
 */
void http_server_accept(struct http_server *s, int fd, const struct addr *peer, struct tls_server *tls);
size_t http_server_connections(const struct http_server *s); /* WebSockets included */
/* From now on answers carry Connection: close. */
void http_server_drain(struct http_server *s);
/* Ends the connections that wait for another request. WebSockets stay. */
void http_server_end_idle(struct http_server *s);

/*
 * A streamed body, from the head callback until `request`. While it is paused the client has to wait, and neither
 * `body` nor `request` is called; after http_body_resume they are called from the loop, never from within.
 * Paused in the head callback, 100 Continue is not sent before it is resumed. Instead of resuming it may be answered.
 * That the client has left is told when it is resumed, or by http_req_alive.
 * While it is not paused a client that sends nothing for http.body_timeout is refused; there is no other limit on how
 * long it takes, so a handler should hold little for a body that trickles.
 */
void http_body_pause(struct http_req *req);
void http_body_resume(struct http_req *req);

/* The value of the header (any case), absent if there is none. Of a repeated one, the first. */
struct str http_req_header(const struct http_req *req, const char *name);
/* The value of the next header line of that name: start with *at = 0; absent at the end. */
struct str http_req_header_next(const struct http_req *req, const char *name, size_t *at);
/*
 * The decoded value of a query parameter: 1 and *out_r (lives as long as the request), 0 if there is none, -1 if
 * its percent-encoding is broken or it is no UTF-8 or holds NUL. '+' is a space. Of a repeated one, the first.
 */
int http_req_query(struct http_req *req, const char *name, struct str *out_r) MUST_CHECK;
/* Percent-decodes a path segment into memory of the request: 0, or -1 as above. */
int http_req_decode(struct http_req *req, struct str segment, struct str *out_r) MUST_CHECK;
/* The handshake's "Upgrade: websocket" is there. */
bool http_req_wants_websocket(const struct http_req *req);
/*
 * The client waits, as far as can be known: false once it has closed its side or reset the connection. One that only
 * finished sending gets its answer all the same.
 */
bool http_req_alive(const struct http_req *req);

/* `headers` are further header lines, each ended by CRLF, or NULL; without a Cache-Control among them no cache keeps
 * the answer. The body is copied; for HEAD it is counted, not sent. */
void http_reply(struct http_req *req, int status, const char *content_type, const char *headers, struct str body);
/*
 * RFC 9457. Adds WWW-Authenticate: Bearer to a 401 and Upgrade: websocket to a 426. retry_after_secs
 * 0: no Retry-After. `headers` as above. The detail is any UTF-8 text.
 */
void http_reply_problem(struct http_req *req, int status, const char *code, const char *detail, int retry_after_secs,
			const char *headers);
/*
 * A regular file under docroot, with type, ETag and Last-Modified, conditional and HEAD; 404 otherwise. Never leaves
 * docroot. path is percent-encoded as in req->path. The file is read whole, here and now: this blocks for a disk, so
 * the document root is for small files on a local one.
 */
void http_reply_file(struct http_req *req, const char *docroot, struct str path);

struct blob;
/*
 * Content that its URL shows for ever, for anybody: with `etag` (in quotation marks), and to be kept by all caches;
 * conditional and HEAD. Pages of any origin may show it. Takes a reference.
 */
void http_reply_immutable(struct http_req *req, const char *etag, const char *content_type, struct blob *content);

/* Content in a file that is read while it is sent. */
struct http_content {
	int fd;		      /* of a regular file */
	int64_t offset, size; /* where the content is in it */
	const char *etag;     /* strong, in quotation marks; NULL: none, and then it is never 304 */
	const char *content_type;
	const char *headers; /* further lines, as above; with 200, 206 and 304. May be NULL */
};
/*
 * Conditional (If-None-Match), HEAD, and a single range of bytes (206, 416; with If-Range); of several ranges, all of
 * it. Takes the descriptor, always, and closes it when the content is sent or the connection is gone. The bytes are not
 * copied (with TLS: a little at a time) and count nowhere as memory; what is not in the page cache is read by a thread
 * first. Should the file have become shorter, the connection is closed.
 */
void http_reply_content(struct http_req *req, const struct http_content *c);

/*
 * An answer of status 200 whose content is made while it is sent: begins with its head. `wanted` is called from the loop
 * each time that all that was given is sent, or once the client is gone: then more is given, now or later, or the answer
 * is ended. A client that does not read is disconnected as others are (net/backlog.h).
 */
typedef void http_wanted_fn(struct http_req *req, void *arg);
/* False: the client is gone already, and only the end may follow. */
bool http_reply_begin(struct http_req *req, const char *content_type, http_wanted_fn *wanted, void *arg) MUST_CHECK;
/* False: nobody takes any more (the client is gone, or asked by HEAD): `wanted` is not called any more, and only the end may
 * follow. */
bool http_reply_some(struct http_req *req, struct str part);
/* The one answer to the request. Not whole: the connection is closed within the content, by which a client of HTTP/1.1
 * can tell. */
void http_reply_end(struct http_req *req, bool whole);

struct ws;
struct ws_handler;
/*
 * Completes the handshake (RFC 6455 section 4.2) and answers the request with 101, `subprotocol` chosen if not NULL.
 * Returns NULL after having answered with a problem (400, 426, 403 origin_not_allowed) if the
 * handshake is not one. The request is gone in both cases.
 */
struct ws *http_upgrade_ws(struct http_req *req, const char *subprotocol, const struct ws_handler *handler, void *user);
/* The checks of http_upgrade_ws that come right after the token: false after having answered 426, 400 or 403. */
bool http_check_ws(struct http_req *req);

#endif
