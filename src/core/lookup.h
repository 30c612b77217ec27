/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses of a host's name, without waiting: the door to c-ares. /etc/hosts comes before the name servers (or as
 * /etc/nsswitch.conf says), and A and AAAA are asked for at once. Each lookup reads /etc/hosts and /etc/resolv.conf
 * anew, so that a change of either needs no restart. The environment variable CARES_HOSTS names another file of hosts.
 *
 * c-ares and not libevent's evdns: it asks again by TCP when an answer is too long for a datagram, sorts addresses as
 * RFC 6724 says, and gives up a lookup at once and completely. evdns reports a lookup's end from a later turn of the
 * loop, which may not come any more.
 */
#ifndef TIDINGS_CORE_LOOKUP_H
#define TIDINGS_CORE_LOOKUP_H

#include "core/base.h"

#include <sys/socket.h>

struct event_base;
struct lookup;

/* More addresses than that are left out. */
#define LOOKUP_ADDRESSES_MAX 16
/* A lookup without an answer ends after that. */
#define LOOKUP_TIMEOUT_MS 6000

struct lookup_answer {
	struct sockaddr_storage address[LOOKUP_ADDRESSES_MAX]; /* IPv4 or IPv6, the port 0; none is there twice */
	unsigned count;
	const char *error; /* static; NULL where count is not 0 */
	bool passing;	   /* it is no word about the name: the name servers did not answer, or not properly */
};

typedef void lookup_fn(const struct lookup_answer *answer, void *ctx);

/* `done` runs once, from the loop; the lookup is gone then. The answer is borrowed. */
struct lookup *lookup_start(struct event_base *base, const char *name, lookup_fn *done, void *ctx);
/* done() does not run any more. NULL is allowed; *l becomes NULL. */
void lookup_cancel(struct lookup **l);

/* For tests: "127.0.0.1:5353,…" in place of the name servers of /etc/resolv.conf; NULL: those again. Borrowed. */
void lookup_set_servers(const char *servers);

#endif
