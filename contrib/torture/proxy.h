/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP proxy on 127.0.0.1 that does to what it carries what bad networks do. There is one in front of each node for
 * its clients, and two behind it, for its way to the database and to Redis.
 */
#ifndef TIDINGS_TORTURE_PROXY_H
#define TIDINGS_TORTURE_PROXY_H

#include "core/base.h"
#include "rng.h"

#include <sys/socket.h>

struct event_base;
struct proxy;

/* Listens on a port of the system's choice. The address and the random numbers are borrowed. NULL with errno. */
struct proxy *proxy_new(struct event_base *base, const struct sockaddr *to, socklen_t to_len, struct rng *rng);
void proxy_free(struct proxy **proxy);
unsigned short proxy_port(const struct proxy *p);

/*
 * Each connection ends, half of them with a reset, after up to `bytes` more in either direction: mostly in the middle
 * of a packet. 0: at once.
 */
void proxy_cut(struct proxy *p, unsigned bytes);
/* Ends those that have not been cut yet. */
void proxy_cut_rest(struct proxy *p);
/* New connections are accepted and closed at once. */
void proxy_refuse(struct proxy *p, bool refuse);
/* Nothing is passed on until it is lifted; nothing is lost. */
void proxy_hold(struct proxy *p, bool hold);
/* What comes waits that long, but for its beginning, which goes at once: a packet arrives in two pieces. 0: no delay.
 */
void proxy_delay(struct proxy *p, unsigned ms);
/*
 * The next `count` connections that carry a COMMIT lose its answer: the request is passed on, the one who asked is cut
 * off at once, the one who answers only when it has. After each, new connections are refused for refuse_ms.
 */
void proxy_lose_commit(struct proxy *p, unsigned count, unsigned refuse_ms);
/* How many answers were lost so far. */
unsigned proxy_lost_commits(const struct proxy *p);

#endif
