/* SPDX-License-Identifier: BSD-2-Clause */
/* Carries connections, and cuts, holds and delays them, see proxy.h. */
#include "core/base.h"
#include "proxy.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "core/clock.h"

/* So long is listened to the answers that are lost: the database shall have done what it was asked to. */
#define LOSING_MS 1500

enum side { NEAR, FAR }; /* who connected; whom we connected to */

/* One direction of a link. */
struct lane_of_link {
	struct evbuffer *waits;
	struct event *due;
};

struct link {
	struct proxy *proxy;
	struct bufferevent *end[2];
	struct lane_of_link from[2]; /* what end[i] sent */
	long left[2];		     /* bytes until it is cut; -1: it is not to be */
	bool losing;		     /* a COMMIT went by: the near end is gone */
	bool closing;		     /* one end is gone, the other one gets what is left */
	bool ended[2];		     /* it has closed, which is held back */
	struct event *end_of_losing;
	LIST_ENTRY(link) entry;
};

struct proxy {
	struct event_base *base;
	struct event *accept;
	int listener;
	unsigned short port;
	const struct sockaddr *to;
	socklen_t to_len;
	struct rng *rng;
	bool refuse, hold;
	unsigned delay_ms, lose, lose_refuse_ms, lost;
	int64_t refuse_until_ms;
	LIST_HEAD(, link) links;
};

static int64_t now_ms(void)
{
	return clock_usecs() / 1000;
}

static void link_free(struct link *l)
{
	for (int i = NEAR; i <= FAR; i++) {
		if (l->end[i] != NULL)
			bufferevent_free(l->end[i]);
		evbuffer_free(l->from[i].waits);
		event_free(l->from[i].due);
	}
	if (l->end_of_losing != NULL)
		event_free(l->end_of_losing);
	LIST_REMOVE(l, entry);
	free(l);
}

/* By hand, for the buffer of a bufferevent cannot be written by anybody else. */
static void link_write_out(struct bufferevent *end)
{
	struct evbuffer_iovec piece[8];
	int n = evbuffer_peek(bufferevent_get_output(end), -1, NULL, piece, (int)ARRAY_LEN(piece));
	for (int i = 0; i < n && i < (int)ARRAY_LEN(piece); i++)
		if (send(bufferevent_getfd(end), piece[i].iov_base, piece[i].iov_len, MSG_NOSIGNAL) < 0)
			return;
}

static void link_cut(struct link *l)
{
	if (rng_percent(l->proxy->rng, 50)) {
		const struct linger reset = {.l_onoff = 1};
		for (int i = NEAR; i <= FAR; i++)
			if (l->end[i] != NULL)
				setsockopt(bufferevent_getfd(l->end[i]), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	} else {
		/* What was passed on already arrives: the other side reads half a packet, then the end. */
		for (int i = NEAR; i <= FAR; i++)
			if (l->end[i] != NULL)
				link_write_out(l->end[i]);
	}
	link_free(l);
}

static void on_end_of_losing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_free(arg);
}

/* The near end has sent a COMMIT, which is passed on; it will not hear what became of it. */
static void link_lose(struct link *l)
{
	static const struct timeval after = {.tv_sec = LOSING_MS / 1000, .tv_usec = LOSING_MS % 1000 * 1000};
	struct proxy *p = l->proxy;
	p->lose--;
	p->lost++;
	p->refuse_until_ms = now_ms() + p->lose_refuse_ms;
	l->losing = true;
	/* Nothing that it sent later is passed on. */
	evtimer_del(l->from[NEAR].due);
	evbuffer_drain(l->from[NEAR].waits, evbuffer_get_length(l->from[NEAR].waits));
	bufferevent_free(l->end[NEAR]);
	l->end[NEAR] = NULL;
	l->end_of_losing = evtimer_new(p->base, on_end_of_losing, l);
	evtimer_add(l->end_of_losing, &after);
}

/* Passes on what end `from` has sent. False: that end is gone. */
static bool link_pass(struct link *l, enum side from, struct evbuffer *data, size_t len)
{
	enum side to = from == NEAR ? FAR : NEAR;
	if (l->left[from] >= 0 && (size_t)l->left[from] <= len) {
		if (l->end[to] != NULL)
			evbuffer_remove_buffer(data, bufferevent_get_output(l->end[to]), (size_t)l->left[from]);
		link_cut(l);
		return false;
	}
	if (l->left[from] >= 0)
		l->left[from] -= (long)len;
	if (l->end[to] == NULL) {
		evbuffer_drain(data, len);
		return true;
	}
	bool commit = false;
	if (from == NEAR && l->proxy->lose > 0)
		commit = evbuffer_search(data, "COMMIT", 6, NULL).pos >= 0;
	evbuffer_remove_buffer(data, bufferevent_get_output(l->end[to]), len);
	if (commit)
		link_lose(l);
	return !commit;
}

static void link_wait(struct link *l, enum side from)
{
	unsigned ms = l->proxy->delay_ms;
	const struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	if (!l->proxy->hold && !evtimer_pending(l->from[from].due, NULL))
		evtimer_add(l->from[from].due, &after);
}

static void link_due(struct link *l, enum side from)
{
	struct evbuffer *waits = l->from[from].waits;
	if (!l->proxy->hold && evbuffer_get_length(waits) > 0)
		link_pass(l, from, waits, evbuffer_get_length(waits));
}

static void on_near_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_due(arg, NEAR);
}

static void on_far_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_due(arg, FAR);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct link *l = arg;
	enum side from = bev == l->end[NEAR] ? NEAR : FAR;
	struct evbuffer *in = bufferevent_get_input(bev), *waits = l->from[from].waits;
	size_t len = evbuffer_get_length(in);

	if (len == 0)
		return;
	if (evbuffer_get_length(waits) == 0 && !l->proxy->hold) {
		if (l->proxy->delay_ms == 0) {
			link_pass(l, from, in, len);
			return;
		}
		if (!link_pass(l, from, in, rng_below(l->proxy->rng, (unsigned)len)))
			return;
	}
	evbuffer_add_buffer(waits, in);
	link_wait(l, from);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct link *l = arg;
	(void)bev;
	if (l->closing)
		link_free(l);
}

/* One end has closed: what it said last still arrives. */
static void link_end(struct link *l, enum side gone)
{
	enum side other = gone == NEAR ? FAR : NEAR;
	if (l->closing || l->end[other] == NULL) {
		link_free(l);
		return;
	}
	struct evbuffer *out = bufferevent_get_output(l->end[other]);
	evbuffer_add_buffer(out, l->from[gone].waits);
	evbuffer_add_buffer(out, bufferevent_get_input(l->end[gone]));
	l->closing = true;
	bufferevent_free(l->end[gone]);
	l->end[gone] = NULL;
	if (evbuffer_get_length(out) == 0)
		link_free(l);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct link *l = arg;
	enum side gone = bev == l->end[NEAR] ? NEAR : FAR;
	if (what & BEV_EVENT_CONNECTED || !(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
		return;
	/* The end is held back as well: to the other side the connection lives on, while its client may be elsewhere.
	 */
	if (l->proxy->hold && !l->losing)
		l->ended[gone] = true;
	else
		link_end(l, gone);
}

static void open_link(struct proxy *p, int fd)
{
	const int one = 1;
	struct link *l = xcalloc(1, sizeof(*l));

	evutil_make_socket_nonblocking(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	l->proxy = p;
	l->left[NEAR] = l->left[FAR] = -1;
	l->end[NEAR] = bufferevent_socket_new(p->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	l->end[FAR] = bufferevent_socket_new(p->base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	l->from[NEAR].due = evtimer_new(p->base, on_near_due, l);
	l->from[FAR].due = evtimer_new(p->base, on_far_due, l);
	LIST_INSERT_HEAD(&p->links, l, entry);
	for (int i = NEAR; i <= FAR; i++) {
		l->from[i].waits = evbuffer_new();
		bufferevent_setcb(l->end[i], on_read, on_written, on_event, l);
		bufferevent_enable(l->end[i], EV_READ | EV_WRITE);
	}
	if (bufferevent_socket_connect(l->end[FAR], p->to, (int)p->to_len) != 0) {
		link_free(l);
		return;
	}
	if (p->to->sa_family == AF_INET)
		setsockopt(bufferevent_getfd(l->end[FAR]), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct proxy *p = arg;
	int fd;
	(void)what;
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (p->refuse || now_ms() < p->refuse_until_ms)
			close(fd);
		else
			open_link(p, fd);
	}
}

struct proxy *proxy_new(struct event_base *base, const struct sockaddr *to, socklen_t to_len, struct rng *rng)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t at_len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 512) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &at_len) != 0) {
		close(fd);
		return NULL;
	}
	struct proxy *p = xcalloc(1, sizeof(*p));
	LIST_INIT(&p->links);
	p->base = base;
	p->to = to;
	p->to_len = to_len;
	p->rng = rng;
	p->listener = fd;
	p->port = ntohs(at.sin_port);
	p->accept = event_new(base, fd, EV_READ | EV_PERSIST, on_accept, p);
	event_add(p->accept, NULL);
	return p;
}

void proxy_free(struct proxy **proxy)
{
	struct proxy *p = *proxy;
	struct link *l;
	if (p == NULL)
		return;
	while ((l = LIST_FIRST(&p->links)) != NULL)
		link_free(l);
	event_free(p->accept);
	close(p->listener);
	free(p);
	*proxy = NULL;
}

unsigned short proxy_port(const struct proxy *p)
{
	return p->port;
}

void proxy_cut(struct proxy *p, unsigned bytes)
{
	struct link *l, *next;
	for (l = LIST_FIRST(&p->links); l != NULL; l = next) {
		next = LIST_NEXT(l, entry);
		if (l->losing || l->closing)
			continue;
		if (bytes == 0) {
			link_cut(l);
			continue;
		}
		l->left[NEAR] = rng_below(p->rng, bytes + 1);
		l->left[FAR] = rng_below(p->rng, bytes + 1);
	}
}

void proxy_cut_rest(struct proxy *p)
{
	struct link *l, *next;
	for (l = LIST_FIRST(&p->links); l != NULL; l = next) {
		next = LIST_NEXT(l, entry);
		if (l->left[NEAR] >= 0)
			link_cut(l);
	}
}

void proxy_refuse(struct proxy *p, bool refuse)
{
	p->refuse = refuse;
}

void proxy_hold(struct proxy *p, bool hold)
{
	struct link *l, *next;
	p->hold = hold;
	for (l = LIST_FIRST(&p->links); l != NULL && !hold; l = next) {
		next = LIST_NEXT(l, entry);
		if (l->ended[NEAR] || l->ended[FAR]) {
			link_end(l, l->ended[NEAR] ? NEAR : FAR);
			continue;
		}
		/* By their timers, for to pass on may end a link. */
		for (int i = NEAR; i <= FAR; i++)
			if (evbuffer_get_length(l->from[i].waits) > 0)
				link_wait(l, i);
	}
}

void proxy_delay(struct proxy *p, unsigned ms)
{
	p->delay_ms = ms;
}

void proxy_lose_commit(struct proxy *p, unsigned count, unsigned refuse_ms)
{
	p->lose = count;
	p->lose_refuse_ms = refuse_ms;
}

unsigned proxy_lost_commits(const struct proxy *p)
{
	return p->lost;
}
