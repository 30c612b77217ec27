/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to other servers by HTTP and HTTPS, within a process's loop: one of the two doors to libcurl (media/s3.c
 * transfers files by it on threads of its own).
 *
 * It goes only where the configuration or a user may send it: https to public addresses (addr_is_public), or with
 * allow_private to any, and then also http to this host. The address that is asked about is the one that is connected
 * to, so a name that means another one each time does not help. It does not follow redirects, does not ask the
 * environment for proxies, and keeps no cookies and no passwords.
 *
 * Connections are kept and used again; by HTTP/2, where a server offers that over TLS, several requests share one.
 */
#ifndef TIDINGS_NET_FETCH_H
#define TIDINGS_NET_FETCH_H

#include "core/base.h"

struct fetch;
struct fetch_call;
struct loop;

struct fetch_options {
	const char *ca_file; /* authorities to be trusted beside the system's, in PEM; "": none */
	bool allow_private;
	/* How many requests are under way at a time, and how many of them to one host: each may have a connection. */
	unsigned parallel, parallel_host;
	unsigned waiting; /* requests that wait for that, of all hosts */
};
/* So many to one host that speaks HTTP/2, where parallel_host is not more. They share connections as it allows. */
#define FETCH_PARALLEL_STREAMS 64

/* The options are copied. NULL with a reason in *err_r, to be freed. */
struct fetch *fetch_new(struct loop *loop, const struct fetch_options *options, char **err_r) MUST_CHECK;
/* No done() runs any more. Not from within one. NULL is allowed; *f becomes NULL. */
void fetch_free(struct fetch **f);

struct fetch_answer {
	const char *error; /* NULL: there was an answer. Else why there was none, or why it was not taken */
	unsigned status;   /* 100–999, also of a redirect; 0 where there was none, or it came too late */
	bool unsent;	   /* too late, and it has waited for others all the time: nobody was asked */
	struct str body;
	/* How long Retry-After asks to wait: 0 where it does not, and FETCH_RETRY_MAX_SECS at most. */
	unsigned retry_after_secs;
};
#define FETCH_RETRY_MAX_SECS 86400

/* The answer is borrowed, and the call is gone. May start and cancel others. */
typedef void fetch_fn(const struct fetch_answer *answer, void *ctx);

enum fetch_method { FETCH_GET, FETCH_POST, FETCH_PUT };

struct fetch_request {
	enum fetch_method method;
	const char *url;
	/* Of "Name: value", without line feeds. A request with a body should have Content-Type among them. */
	const char *const *headers;
	unsigned header_count;
	struct str body; /* not with FETCH_GET */
	/* From fetch_start() to the last byte of the answer, and up to 50 ms more. */
	unsigned timeout_ms;
	/* A longer body of an answer is an error. */
	size_t answer_max;
	fetch_fn *done;
	void *ctx;
};

/*
 * Copies the request. done() runs once, from the loop, never from within this call. NULL, and no done(), where too many
 * are waiting already. A URL that is none, or is not of http or https, is an error in the answer.
 */
struct fetch_call *fetch_start(struct fetch *f, const struct fetch_request *request) MUST_CHECK;
/* done() does not run any more; the server may have got the request. NULL is allowed; *c becomes NULL. */
void fetch_cancel(struct fetch_call **c);

/* Those that are under way, and that wait. */
unsigned fetch_active(const struct fetch *f);
unsigned fetch_waiting(const struct fetch *f);

#endif
