/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides which request is next, and where it may go. libcurl does the rest: it says which sockets it waits for and
 * when it wants to be called (curl_multi_socket_action(3)).
 *
 * How many requests a host gets at a time is decided here and not by libcurl's limits: libcurl keeps what waits for a
 * connection in one queue of all hosts, where a host that hangs would hold up the others.
 */
#include "core/base.h"
#include "net/fetch.h"

#include "core/buf.h"
#include "core/log.h"
#include "core/table.h"
#include "net/addr.h"
#include "net/loop.h"
#include "net/tls.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

/* All headers of an answer. */
#define ANSWER_HEADERS_MAX 65536

TAILQ_HEAD(call_list, fetch_call);
TAILQ_HEAD(host_list, fetch_host);

/* Kept while there are calls to it. */
struct fetch_host {
	char *origin; /* its key: the URL up to its path */
	unsigned active;
	unsigned ending; /* calls whose done() is running */
	bool speaks_http2;
	bool is_ready; /* in fetch.ready: some wait, and may begin as far as this host goes */
	struct call_list waiting;
	TAILQ_ENTRY(fetch_host) entry;
};

struct fetch_call {
	struct fetch *fetch;
	struct fetch_host *host;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body, answer;
	size_t answer_max, headers_len;
	bool is_active;	   /* it is libcurl's; else it is in host->waiting */
	bool is_plain;	   /* of http */
	const char *fault; /* why it is ended by one of our functions; NULL: it is not */
	char error[CURL_ERROR_SIZE];
	struct wheel_timer deadline;
	fetch_fn *done;
	void *ctx;
	TAILQ_ENTRY(fetch_call) entry; /* of host->waiting or fetch->active */
};

struct fetch {
	struct loop *loop;
	struct fetch_options options;
	struct tls_roots *roots;
	CURLM *multi;
	struct event *timer;
	struct table hosts;
	struct host_list ready; /* who comes next */
	struct call_list active;
	unsigned active_count, waiting_count;
};

/* A socket that libcurl waits for. */
struct watch {
	struct event *event;
};

static void go_on(struct fetch *f);

/* ---- hosts ---- */

static struct str host_key(const void *item)
{
	const struct fetch_host *h = item;
	return str_from(h->origin);
}

static struct str origin_of(const char *url)
{
	const char *host = strstr(url, "://");
	host = host != NULL ? host + 3 : url;
	return (struct str){url, (size_t)(host - url) + strcspn(host, "/?#")};
}

static struct fetch_host *host_get(struct fetch *f, const char *url)
{
	struct str origin = origin_of(url);
	struct fetch_host *h = table_find(&f->hosts, origin);
	if (h != NULL)
		return h;
	h = xcalloc(1, sizeof(*h));
	h->origin = xstrndup(origin.s, origin.len);
	TAILQ_INIT(&h->waiting);
	table_add(&f->hosts, h);
	return h;
}

static bool host_has_room(const struct fetch *f, const struct fetch_host *h)
{
	unsigned most = f->options.parallel_host;
	if (h->speaks_http2 && most < FETCH_PARALLEL_STREAMS)
		most = FETCH_PARALLEL_STREAMS;
	return h->active < most;
}

/* Its place in the order of hosts, by what it has to do now; without calls it is forgotten. */
static void host_look(struct fetch *f, struct fetch_host *h)
{
	bool is_ready = !TAILQ_EMPTY(&h->waiting) && host_has_room(f, h);
	if (h->is_ready && !is_ready)
		TAILQ_REMOVE(&f->ready, h, entry);
	if (!h->is_ready && is_ready)
		TAILQ_INSERT_TAIL(&f->ready, h, entry);
	h->is_ready = is_ready;
	if (h->active != 0 || h->ending != 0 || !TAILQ_EMPTY(&h->waiting))
		return;
	table_remove(&f->hosts, h);
	free(h->origin);
	free(h);
}

/* ---- where it may go ---- */

static bool is_loopback(const struct addr *a)
{
	static const char *const networks[] = {"127.0.0.0/8", "::1"};
	for (size_t i = 0; i < ARRAY_LEN(networks); i++) {
		struct addr_network n;
		ASSERT(addr_network_parse(&n, networks[i]) == 0);
		if (addr_network_holds(&n, a))
			return true;
	}
	return false;
}

static const char *refusal(const struct fetch_call *c, const struct addr *a)
{
	if (c->fetch->options.allow_private)
		return c->is_plain && !is_loopback(a) ? "http is allowed to this host alone" : NULL;
	return c->is_plain ? "http is not allowed" : !addr_is_public(a) ? "the address is not public" : NULL;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct fetch_call *c = arg;
	struct addr a = {.len = to->addrlen};
	(void)purpose;
	if (to->addrlen > sizeof(a.sa))
		return CURL_SOCKET_BAD;
	memcpy(&a.sa, &to->addr, to->addrlen);
	const char *fault = refusal(c, &a);
	if (fault != NULL) {
		c->fault = fault;
		return CURL_SOCKET_BAD;
	}
	/* Another address of the name was refused. */
	c->fault = NULL;
	return socket(to->family, to->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, to->protocol);
}

static CURLcode on_tls(CURL *easy, void *ssl_ctx, void *arg)
{
	struct fetch *f = arg;
	(void)easy;
	tls_roots_use(f->roots, ssl_ctx);
	return CURLE_OK;
}

/* ---- the answer ---- */

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct fetch_call *c = arg;
	size_t len = size * n;
	if (len > c->answer_max - c->answer.len) {
		c->fault = "the answer is too long";
		return 0;
	}
	buf_append(&c->answer, data, len);
	return len;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct fetch_call *c = arg;
	size_t len = size * n;
	(void)data;
	c->headers_len += len;
	if (c->headers_len <= ANSWER_HEADERS_MAX)
		return len;
	c->fault = "the answer has too many headers";
	return 0;
}

/* ---- the life of a call ---- */

static void call_free(struct fetch_call *c)
{
	wheel_cancel(&c->deadline);
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	buf_fini(&c->body);
	buf_fini(&c->answer);
	free(c);
}

/* Out of all lists; others may take its place. */
static void call_leave(struct fetch_call *c)
{
	struct fetch *f = c->fetch;
	if (c->is_active) {
		curl_multi_remove_handle(f->multi, c->easy);
		TAILQ_REMOVE(&f->active, c, entry);
		f->active_count--;
		c->host->active--;
	} else {
		TAILQ_REMOVE(&c->host->waiting, c, entry);
		f->waiting_count--;
	}
}

static void call_end(struct fetch_call *c, const struct fetch_answer *answer)
{
	struct fetch *f = c->fetch;
	/* It may cancel all others. */
	c->host->ending++;
	call_leave(c);
	c->done(answer, c->ctx);
	c->host->ending--;
	host_look(f, c->host);
	call_free(c);
}

static void on_deadline(struct wheel_timer *t)
{
	struct fetch_call *c = container_of(t, struct fetch_call, deadline);
	struct fetch *f = c->fetch;
	const struct fetch_answer late = {.error = "timed out", .unsent = !c->is_active};
	call_end(c, &late);
	go_on(f);
}

static void call_begin(struct fetch_call *c)
{
	struct fetch *f = c->fetch;
	TAILQ_REMOVE(&c->host->waiting, c, entry);
	f->waiting_count--;
	TAILQ_INSERT_TAIL(&f->active, c, entry);
	f->active_count++;
	c->host->active++;
	c->is_active = true;
	ASSERT(curl_multi_add_handle(f->multi, c->easy) == CURLM_OK);
}

static void go_on(struct fetch *f)
{
	struct fetch_host *h;
	while (f->active_count < f->options.parallel && (h = TAILQ_FIRST(&f->ready)) != NULL) {
		/* Behind the others, if it has more. */
		TAILQ_REMOVE(&f->ready, h, entry);
		h->is_ready = false;
		call_begin(TAILQ_FIRST(&h->waiting));
		host_look(f, h);
	}
}

static const char *error_text(const struct fetch_call *c, CURLcode code)
{
	if (c->fault != NULL)
		return c->fault;
	return c->error[0] != '\0' ? c->error : curl_easy_strerror(code);
}

static void call_answered(struct fetch_call *c, CURLcode code)
{
	long status = 0, version = 0;
	curl_off_t retry_secs = 0;
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c->easy, CURLINFO_HTTP_VERSION, &version);
	curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_secs);
	struct fetch_answer a = {.status = status >= 100 && status <= 999 ? (unsigned)status : 0};
	if (version == CURL_HTTP_VERSION_2_0)
		c->host->speaks_http2 = true;
	if (code != CURLE_OK) {
		a.error = error_text(c, code);
	} else if (a.status == 0) {
		a.error = "the answer has no status";
	} else {
		a.body = (struct str){c->answer.len != 0 ? c->answer.data : "", c->answer.len};
		if (retry_secs > 0)
			a.retry_after_secs =
				(unsigned)(retry_secs < FETCH_RETRY_MAX_SECS ? retry_secs : FETCH_RETRY_MAX_SECS);
	}
	call_end(c, &a);
}

/* ---- libcurl in the loop ---- */

static void take_answers(struct fetch *f)
{
	CURLMsg *m;
	int left;
	while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
		struct fetch_call *c;
		if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c) == CURLE_OK)
			call_answered(c, m->data.result);
	}
	go_on(f);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct fetch *f = arg;
	int running, flags = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	curl_multi_socket_action(f->multi, fd, flags, &running);
	take_answers(f);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct fetch *f = arg;
	int running;
	(void)fd;
	(void)what;
	curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_answers(f);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct fetch *f = arg;
	const struct timeval in = {ms / 1000, ms % 1000 * 1000};
	(void)multi;
	if (ms < 0)
		event_del(f->timer);
	else
		event_add(f->timer, &in);
	return 0;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	struct fetch *f = arg;
	struct watch *w = of_socket;
	(void)easy;
	if (w != NULL)
		event_free(w->event);
	if (what == CURL_POLL_REMOVE) {
		free(w);
		curl_multi_assign(f->multi, fd, NULL);
		return 0;
	}
	if (w == NULL) {
		w = xcalloc(1, sizeof(*w));
		curl_multi_assign(f->multi, fd, w);
	}
	short events = EV_PERSIST;
	if (what != CURL_POLL_OUT)
		events |= EV_READ;
	if (what != CURL_POLL_IN)
		events |= EV_WRITE;
	w->event = event_new(loop_base(f->loop), fd, events, on_socket, f);
	ASSERT(w->event != NULL && event_add(w->event, NULL) == 0);
	return 0;
}

/* ---- a call ---- */

static void set_body(struct fetch_call *c, enum fetch_method method)
{
	if (method == FETCH_GET)
		return;
	curl_easy_setopt(c->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, buf_cstr(&c->body));
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len);
	if (method == FETCH_PUT)
		curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, "PUT");
}

static void set_headers(struct fetch_call *c, const struct fetch_request *q)
{
	for (unsigned i = 0; i < q->header_count; i++) {
		ASSERT(strpbrk(q->headers[i], "\r\n") == NULL);
		c->headers = curl_slist_append(c->headers, q->headers[i]);
	}
	/* No round trip before a large body. */
	c->headers = curl_slist_append(c->headers, "Expect:");
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

static void set_options(struct fetch_call *c, const struct fetch_request *q)
{
	CURL *e = c->easy;
	curl_easy_setopt(e, CURLOPT_URL, q->url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(e, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	/* Not even where the environment names one. */
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	/* Else the first address of a name would have all the time; the whole is the deadline's. */
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)q->timeout_ms);
	/* A call may end while its name is looked up, on a thread: it is not waited for. */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, c->fetch);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
}

/* It need not wait. */
static bool may_begin(const struct fetch *f, const char *url)
{
	const struct fetch_host *h = table_find(&f->hosts, origin_of(url));
	return f->active_count < f->options.parallel &&
	       (h == NULL || (TAILQ_EMPTY(&h->waiting) && host_has_room(f, h)));
}

struct fetch_call *fetch_start(struct fetch *f, const struct fetch_request *q)
{
	if (f->waiting_count >= f->options.waiting && !may_begin(f, q->url))
		return NULL;
	struct fetch_call *c = xcalloc(1, sizeof(*c));
	c->fetch = f;
	c->done = q->done;
	c->ctx = q->ctx;
	c->answer_max = q->answer_max;
	c->is_plain = strncasecmp(q->url, "https:", 6) != 0;
	c->easy = curl_easy_init();
	ASSERT(c->easy != NULL);
	buf_append_str(&c->body, q->body);
	set_options(c, q);
	set_body(c, q->method);
	set_headers(c, q);
	c->host = host_get(f, q->url);
	TAILQ_INSERT_TAIL(&c->host->waiting, c, entry);
	f->waiting_count++;
	wheel_set(loop_wheel(f->loop), &c->deadline, q->timeout_ms, on_deadline);
	host_look(f, c->host);
	go_on(f);
	return c;
}

void fetch_cancel(struct fetch_call **cp)
{
	struct fetch_call *c = *cp;
	if (c == NULL)
		return;
	*cp = NULL;
	struct fetch *f = c->fetch;
	call_leave(c);
	host_look(f, c->host);
	call_free(c);
	go_on(f);
}

unsigned fetch_active(const struct fetch *f)
{
	return f->active_count;
}

unsigned fetch_waiting(const struct fetch *f)
{
	return f->waiting_count;
}

/* ---- all of them ---- */

static const char *curl_fault(void)
{
	if (curl_global_init(CURL_GLOBAL_ALL) != 0)
		return "libcurl cannot be initialised";
	/* Else names are looked up while the loop waits. */
	if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS) == 0)
		return "this libcurl cannot look up names beside the loop: it needs the threaded resolver or c-ares";
	return NULL;
}

struct fetch *fetch_new(struct loop *loop, const struct fetch_options *options, char **err_r)
{
	const char *fault = curl_fault();
	if (fault != NULL) {
		*err_r = xstrdup(fault);
		return NULL;
	}
	struct tls_roots *roots = tls_roots_new(options->ca_file, err_r);
	if (roots == NULL)
		return NULL;
	struct fetch *f = xcalloc(1, sizeof(*f));
	f->loop = loop;
	f->options = *options;
	f->options.ca_file = NULL;
	f->roots = roots;
	table_init(&f->hosts, host_key);
	TAILQ_INIT(&f->ready);
	TAILQ_INIT(&f->active);
	f->timer = evtimer_new(loop_base(loop), on_timer, f);
	f->multi = curl_multi_init();
	ASSERT(f->timer != NULL && f->multi != NULL);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)options->parallel);
	return f;
}

static void drop_waiting(struct fetch *f)
{
	struct fetch_host *h;
	uint32_t at = 0;
	while ((h = table_next(&f->hosts, &at)) != NULL) {
		struct fetch_call *c;
		while ((c = TAILQ_FIRST(&h->waiting)) != NULL) {
			call_leave(c);
			call_free(c);
		}
		if (h->active == 0)
			at--;
		host_look(f, h);
	}
}

void fetch_free(struct fetch **fp)
{
	struct fetch *f = *fp;
	struct fetch_call *c;
	if (f == NULL)
		return;
	*fp = NULL;
	/* What waits first: else it would take the place of what ends. */
	drop_waiting(f);
	while ((c = TAILQ_FIRST(&f->active)) != NULL)
		fetch_cancel(&c);
	/* Closes the connections, and takes back their events. */
	curl_multi_cleanup(f->multi);
	event_free(f->timer);
	table_fini(&f->hosts);
	tls_roots_free(&f->roots);
	free(f);
}
