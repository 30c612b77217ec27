/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the HTTP server, and the WebSocket handshake on top of it, share. Nobody else includes it.
 *
 * http_server.c  connections and their states     http_reply.c  answers and problems
 * http_head.c    the head of a request, checked   http_cors.c   origins
 * http_chunk.c   the chunked coding               http_file.c   the document root
 * http_content.c files and parts of them         http_parts.c  answers that are made in parts
 * http_body.c    bodies that are being received   http_stream.c bodies in parts
 * http_req.c     what a handler asks of a request http_greeting.c  before HTTP
 */
#ifndef TIDINGS_NET_HTTP_PRIV_H
#define TIDINGS_NET_HTTP_PRIV_H

#include "core/base.h"
#include <sys/queue.h>
#include "core/buf.h"
#include "core/clock.h"
#include "core/json.h"
#include "net/conn.h"
#include "net/http.h"
#include "net/intake.h"

#define HTTP_REQUEST_ID_LEN 22 /* of those made here: 132 random bits */

/*
 * A connection as the server counts it, be it HTTP's own or, after the switch, a WebSocket's. The first thing in the
 * connection's seat. The connection is marked if the observer is told when it leaves.
 */
struct http_member {
	LIST_ENTRY(http_member) entry;
	struct http_server *server; /* NULL once the server was freed, or the member has left */
};

struct ws_deflate;

struct http_server {
	struct loop *loop;
	const struct conf *conf;
	const struct http_handler *handler;
	const struct http_observer *observer; /* never NULL; its members may be */
	void *ctx;
	LIST_HEAD(, http_member) members;
	LIST_HEAD(, http_request) requests;
	size_t count;
	bool draining;
	bool expects_proxy;
	struct addr_network *proxies; /* those that are trusted */
	size_t proxy_count;
	unsigned overloaded;	    /* connections that are there only to be refused */
	struct ws_deflate *deflate; /* of all its WebSockets; NULL until one has negotiated it */
	struct json_out *json;	    /* for problems */
	struct buf head, body;	    /* scratch of the answer being made */
	int64_t date_secs;	    /* that `date` was made for */
	char date[CLOCK_HTTP_LEN + 1];
};

/* Offsets into the head's bytes. */
struct http_header {
	uint16_t name, name_len, value, value_len;
};

/* The state of a chunked body, see http_chunk.c. */
struct http_chunked {
	uint8_t state;
	uint8_t digits;	   /* of this chunk's size */
	uint16_t overhead; /* bytes of extensions and trailers so far */
	uint64_t left;	   /* of this chunk */
	uint64_t content;  /* bytes of the body in all chunks so far */
};

struct http_conn;

/* Memory that lives as long as its request: decoded query values. */
struct http_note {
	SLIST_ENTRY(http_note) entry;
	char text[];
};

struct http_request {
	struct http_req pub;
	LIST_ENTRY(http_request) entry;
	struct http_conn *hc;	    /* NULL once the client is gone */
	struct http_server *server; /* NULL once the server was freed */
	struct addr peer;
	struct buf head; /* the bytes as received; final when the head is complete */
	struct buf body;
	struct intake_entry intake; /* of the body, also while it is whole and not answered */
	size_t seen;		    /* bytes of the head that were searched for a line's end */
	size_t line;		    /* where the current line of the head begins */
	size_t headers_start;	    /* 0: the request line is not complete */
	struct http_header *header;
	uint16_t header_count, header_max;
	uint8_t minor;	   /* HTTP/1.x */
	struct str target; /* as sent, the query included */
	struct str host;   /* of the target, if that was absolute, else of the header; absent without */
	struct str origin; /* where the head was refused; else absent, and in its header */
	bool keep_alive;
	bool expects_continue; /* and 100 was not sent */
	bool body_done;	       /* all of it was received */
	bool headed;	/* the handler knows it, and owes an answer but where it awaits a body that never comes */
	bool taken;	/* the handler has asked for the body */
	bool streamed;	/* in parts */
	bool paused;	/* the handler wants no part now, nor the end */
	bool delivered; /* the handler knows that the body is complete */
	bool answered;
	int64_t body_left; /* of content_length */
	struct http_chunked chunked;
	http_wanted_fn *wanted; /* the answer is made in parts: asks for the next one */
	void *wanted_arg;
	bool wants;	    /* once all is sent */
	size_t parts_bytes; /* so far */
	struct loop_task resumed; /* the body is complete, and was paused then */
	SLIST_HEAD(, http_note) notes;
};

static inline struct http_request *http_request_of(const struct http_req *req)
{
	return container_of((struct http_req *)req, struct http_request, pub);
}

enum http_state {
	STATE_FRESH,	/* accepted, nothing came yet */
	STATE_IDLE,	/* between requests; no memory is held for one */
	STATE_HEAD,	/* part of a head is here */
	STATE_BODY,	/* the handler wants the body */
	STATE_STREAM,	/* the handler takes the body part by part, or has paused it */
	STATE_PENDING,	/* the handler owes the answer; nothing is read */
	STATE_DROPPING, /* answered; the rest of the body is read and dropped */
	STATE_CLOSING,
};

/* In the connection's seat. */
struct http_conn {
	struct http_member member;
	struct http_request *req; /* NULL in FRESH and IDLE */
	struct tls_server *tls;	  /* NULL: not encrypted */
	uint8_t state;		  /* enum http_state */
	bool in_input;		  /* on_input is on the stack: who frees or resumes leaves that to it */
	bool throttled;		  /* paused until output has drained */
	bool overloaded;	  /* its first request is refused */
};
_Static_assert(sizeof(struct http_conn) <= CONN_SEAT, "it has a seat");

static inline struct conn *http_conn_below(const struct http_conn *hc)
{
	return conn_of_seat(hc);
}

/* ---- http_greeting.c ---- */

/* The peer is known: may they stay? False after having closed. */
bool http_admit(struct http_conn *hc);
bool http_proxy_is_trusted(const struct http_server *s, const struct addr *peer);
/* Takes the PROXY header, then hands over to http_conn_handler. */
extern const struct conn_handler http_greeting_handler;

/* ---- http_server.c ---- */

extern const struct conn_handler http_conn_handler;
void http_conn_timeout(struct conn *c, void *owner);
void http_conn_closed(struct conn *c, const char *reason, void *owner);

/*
 * Leaves HTTP for good: answers 101 with the usual headers and `headers` (lines ended by CRLF; Upgrade and Connection
 * among them), gives the connection to h, and ends the request. In the connection's seat is a member of the server's
 * and nothing else then. What the client sent behind the request goes to h's input at the end of the turn, never from
 * within. The request must have no body (content_length 0). Returns NULL, the request being gone too, when the client
 * has left or the server was freed.
 */
struct conn *http_switch_conn(struct http_req *req, const char *headers, const struct conn_handler *h) MUST_CHECK;
/* It counts as one of the server's. */
void http_member_join(struct http_server *s, struct http_member *m);
/* From the closed callback of m's connection: the observer is told, the list forgets m. Once; harmless after
 * http_server_free. */
void http_member_leave(struct http_member *m, const char *reason);

/* The answer's bytes are queued: what becomes of connection and request, which is gone after it. For http_reply.c. */
void http_answered(struct http_request *r, int status, size_t bytes, bool keep_alive);
/* The connection of a request whose hc is set. */
struct conn *http_conn_of(const struct http_request *r);
/* The connection can serve another request after this answer. */
bool http_can_keep_alive(const struct http_request *r);

/* The body is complete: calls the handler. */
void http_deliver(struct http_conn *hc);
/* The client may send the body: 100 Continue, if it waits for that. */
void http_call_for_body(struct http_conn *hc);
struct http_refusal;
/* The request cannot be completed: the handler is told, then the client why. */
void http_give_up(struct http_conn *hc, const struct http_refusal *why);

/* ---- http_stream.c ---- */

/* The connection has just entered STATE_STREAM. */
void http_stream_begin(struct http_conn *hc);
/* Input in that state. The request may be gone then, and the state another. */
size_t http_stream_input(struct http_conn *hc, const char *data, size_t len);

/* ---- http_parts.c ---- */

/* All output of its connection is sent, or the client is gone. May end the request. */
void http_parts_written(struct http_request *r);

/* ---- http_head.c ---- */

struct http_request *http_request_new(struct http_server *s, struct http_conn *hc);
void http_request_free(struct http_request *r);

/* What a request is refused for, before any handler sees it. */
struct http_refusal {
	int status;
	const char *code;
	const char *detail;
};

enum http_progress { HTTP_MORE, HTTP_COMPLETE, HTTP_REFUSED };
/* Takes bytes of the head until it is complete, checked and parsed. */
enum http_progress http_head_input(struct http_request *r, const char *data, size_t len, size_t *used_r,
				   struct http_refusal *why_r) MUST_CHECK;
/* The status' phrase of RFC 9110. */
const char *http_phrase(int status);
/* RFC 9110 section 5.6.2: what methods and header names are made of. */
bool http_is_tchar(char c);
/* What may stand in a header's value: no control byte but the tab. */
bool http_is_value_char(char c);

/* ---- http_chunk.c ---- */

/* Takes bytes of a chunked body and appends its content to `to`; over max bytes of it in all are refused. */
enum http_progress http_chunk_input(struct http_chunked *c, const char *data, size_t len, size_t *used_r,
				    struct buf *to, size_t max, struct http_refusal *why_r) MUST_CHECK;

/* ---- http_body.c ---- */

/* The body will be read. give_way gets r and ends it, see net/intake.h. */
void http_body_begin(struct http_request *r, void (*give_way)(void *request));
/* Takes bytes of the body until it is complete. */
enum http_progress http_body_input(struct http_request *r, const char *data, size_t len, size_t *used_r,
				   struct http_refusal *why_r) MUST_CHECK;
/* Takes bytes of a streamed body. The next part is in *part_r: some of data, or of *decoded, which was empty. */
enum http_progress http_body_part(struct http_request *r, const char *data, size_t len, size_t *used_r,
				  struct str *part_r, struct buf *decoded, struct http_refusal *why_r) MUST_CHECK;
/* Frees what was received. */
void http_body_free(struct http_request *r);

/* ---- http_req.c ---- */

/* One of the comma-separated elements of the header's lines is that token, in any case. */
bool http_req_header_has(const struct http_req *req, const char *name, const char *token);
/* The client has this entity tag already, by its If-None-Match (RFC 9110 section 13.1.2). */
bool http_req_has_etag(const struct http_req *req, const char *etag);
/* The value of a hexadecimal digit, -1 where it is none. */
int http_hex_digit(char c);
/* The byte that s begins with in percent-encoding, -1 where it begins otherwise. */
int http_percent_byte(struct str s);
/* Memory of the request. */
char *http_req_alloc(struct http_req *req, size_t len);
/* Without the spaces, tabs and CR around it. */
struct str http_trim(struct str s);
bool str_is_nocase(struct str s, const char *cstr);

/* ---- http_cors.c ---- */

/* The origin is in http.cors_origins. */
bool http_origin_allowed(const struct conf *conf, struct str origin);
bool http_is_preflight(const struct http_req *req);
/* Answers a preflight, or OPTIONS of the server itself ("*"). */
void http_reply_options(struct http_req *req);
/*
 * For a request that is refused before its headers were read: looks for the Origin in what there is of the head, and in
 * the bytes behind it.
 */
void http_cors_find_origin(struct http_request *r, const char *rest, size_t len);
/* The header lines that CORS adds to an answer. */
void http_cors_headers(const struct http_request *r, struct buf *out);

/* ---- http_reply.c ---- */

/* Refuses a request of which no handler knows, and closes. */
void http_refuse(struct http_request *r, const struct http_refusal *why);
/*
 * An answer of which every header but the common ones is the caller's. length is that of the Content-Length, -1: none.
 * The body is the blob, if not NULL.
 */
void http_reply_blob(struct http_req *req, int status, const char *headers, struct blob *blob, int64_t length);
/* Of a file. */
struct http_part {
	int fd; /* -1: taken */
	int64_t offset, len;
};
/* The same with a part of a file, of which it takes the descriptor if it is sent. */
void http_reply_part(struct http_req *req, int status, const char *headers, struct http_part *part);
/* Status line and the headers that every answer has. */
void http_begin_head(struct http_request *r, int status, struct buf *out);
/* Queues the head of an answer that is made in parts; returns its bytes. */
size_t http_reply_head(struct http_request *r, const char *content_type, const char *headers);

#endif
