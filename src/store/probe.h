/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks the server, over a connection of its own, whether one of its connections has
 * anything under way. For an answer that is overdue: MariaDB leaves out those that
 * are to follow when a KILL QUERY comes between two statements of a text, and
 * then waits for the next text as the client waits for the answers.
 */
#ifndef TIDINGS_STORE_PROBE_H
#define TIDINGS_STORE_PROBE_H

#include "core/base.h"
#include "core/conf.h"

struct event_base;
struct probe;

/*
 * `connection` is the server's number of it. host is the address that it goes to; NULL where conf names a socket.
 * told() runs once, from the loop, and may free the probe: idle is true if the server said that the connection waits
 * for a text, false if not or if it said nothing within a second.
 */
struct probe *probe_new(struct event_base *base, const struct conf *conf, const char *host, unsigned long connection,
			void (*told)(bool idle, void *ctx), void *ctx);
/* told() does not run any more. */
void probe_free(struct probe **p);

#endif
