/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waits for the sockets of a worker's connections: an epoll instance, which the event base waits for as one descriptor.
 *
 * An event of libevent's takes 128 bytes and its map of descriptors some 45 more. Of an idle connection this takes
 * nothing of our memory, for the kernel keeps the pointer.
 */
#ifndef TIDINGS_NET_POLLER_H
#define TIDINGS_NET_POLLER_H

#include "core/base.h"

struct event_base;
struct conn;
struct poller;

/* What to wait for, and what has happened. An error, such as a reset, is told as all of the first three. */
enum {
	POLLER_READ = 1,
	POLLER_WRITE = 2,
	POLLER_END = 4,	 /* the peer has sent FIN or a reset, read up to it or not */
	POLLER_EDGE = 8, /* only to wait: tell of changes alone */
};

/* Runs from the loop. The connection may be taken out, or any other. */
typedef void poller_fn(struct conn *c, unsigned what);

struct poller *poller_new(struct event_base *base, poller_fn *fn);
void poller_free(struct poller **p);
/*
 * Waits for `what` from now on, where it waited for `before`; 0: for nothing, and nothing more is told of c, also of
 * what is known already. -1 with errno: for nothing.
 */
int poller_set(struct poller *p, int fd, struct conn *c, unsigned before, unsigned what) MUST_CHECK;

#endif
