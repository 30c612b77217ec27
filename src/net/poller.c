/* SPDX-License-Identifier: BSD-2-Clause */
/* The poller. Knows nothing of connections but their address. */
#include "core/base.h"
#include "net/poller.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/log.h"

/* What is beyond it is told in the next turn: the kernel takes turns among those that are ready. */
#define EVENTS_A_TURN 512

struct poller {
	int epoll;
	poller_fn *fn;
	struct event *ready;
	int at, count; /* of the events that are being told; at == count: none are */
	struct epoll_event event[EVENTS_A_TURN];
};

static unsigned happened(uint32_t events)
{
	unsigned what = 0;
	if ((events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && (events & EPOLLRDHUP) == 0))
		return POLLER_READ | POLLER_WRITE | POLLER_END;
	if ((events & EPOLLIN) != 0)
		what |= POLLER_READ;
	if ((events & EPOLLOUT) != 0)
		what |= POLLER_WRITE;
	if ((events & EPOLLRDHUP) != 0)
		what |= POLLER_END;
	return what;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct poller *p = arg;
	int n = epoll_wait(p->epoll, p->event, EVENTS_A_TURN, 0);
	p->count = n > 0 ? n : 0;
	for (p->at = 0; p->at < p->count;) {
		const struct epoll_event *e = &p->event[p->at++];
		if (e->data.ptr != NULL)
			p->fn(e->data.ptr, happened(e->events));
	}
}

struct poller *poller_new(struct event_base *base, poller_fn *fn)
{
	struct poller *p = xcalloc(1, sizeof(*p));
	p->fn = fn;
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll < 0)
		log_fatal("cannot make an epoll instance: %s", strerror(errno));
	p->ready = event_new(base, p->epoll, EV_READ | EV_PERSIST, on_ready, p);
	if (p->ready == NULL || event_add(p->ready, NULL) != 0)
		log_fatal("cannot wait for sockets");
	return p;
}

void poller_free(struct poller **pp)
{
	struct poller *p = *pp;
	if (p == NULL)
		return;
	*pp = NULL;
	event_free(p->ready);
	close(p->epoll);
	free(p);
}

/* It may be freed before its turn comes. */
static void forget(struct poller *p, const struct conn *c)
{
	for (int i = p->at; i < p->count; i++)
		if (p->event[i].data.ptr == c)
			p->event[i].data.ptr = NULL;
}

int poller_set(struct poller *p, int fd, struct conn *c, unsigned before, unsigned what)
{
	struct epoll_event e = {.data.ptr = c};
	if ((what & POLLER_READ) != 0)
		e.events |= EPOLLIN;
	if ((what & POLLER_WRITE) != 0)
		e.events |= EPOLLOUT;
	if ((what & POLLER_END) != 0)
		e.events |= EPOLLRDHUP;
	if ((what & POLLER_EDGE) != 0)
		e.events |= EPOLLET;
	if (what != 0 && epoll_ctl(p->epoll, before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) == 0)
		return 0;
	int err = errno;
	forget(p, c);
	/* Another process may have the socket open still: then it would not leave the set by itself. */
	if (before != 0)
		(void)epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, NULL);
	errno = err;
	return what == 0 ? 0 : -1;
}
