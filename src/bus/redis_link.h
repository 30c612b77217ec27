/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One pipelined connection to Redis: connects, logs in, keeps itself alive, and comes back with backoff after a
 * loss. Commands go out once a loop turn; replies come back in order, each with what its command was for.
 */
#ifndef TIDINGS_BUS_REDIS_LINK_H
#define TIDINGS_BUS_REDIS_LINK_H

#include "core/base.h"

#include "bus/resp.h"
#include "core/conf.h"

struct event_base;
struct redis_link;

/* A reply that answers no command: what a subscriber is sent. */
#define REDIS_PUSH 0
/* The caller's own purposes are from 1 to below this. */
#define REDIS_OWN 128

/* All run from the loop, never from within a redis_link_ function; the link must not be freed in them. */
struct redis_link_events {
	void (*up)(struct redis_link *l, void *ctx);
	/* The reply is borrowed, and never an error: those drop the link. NULL, or why the link is to be dropped. */
	const char *(*reply)(struct redis_link *l, unsigned purpose, const struct resp *reply, void *ctx);
	/* All that was queued is written. */
	void (*written)(struct redis_link *l, void *ctx);
	/* The link is lost, or an attempt to connect to one address has failed (it was not up). What was sent will not
	 * be answered. */
	void (*down)(struct redis_link *l, bool was_up, const char *reason, void *ctx);
};

/* `name` is a literal, for the log and CLIENT SETNAME. conf is borrowed. A link that subscribes gets pushes. */
struct redis_link *redis_link_new(struct event_base *base, const struct conf *conf, const char *name, bool subscribes,
				  const struct redis_link_events *ev, void *ctx);
/* One that does not subscribe waits for a moment (200 ms at most) until Redis has read what is queued. */
void redis_link_free(struct redis_link **l);

/* Logged in and answering. */
bool redis_link_is_up(const struct redis_link *l);
/* Also true while it connects: what is queued then goes out behind the login. */
bool redis_link_takes(const struct redis_link *l);
/* Bytes that are not written yet. */
size_t redis_link_queued(const struct redis_link *l);
/* Only while the link takes commands. REDIS_PUSH as the purpose: no reply of its own is expected. */
void redis_link_send(struct redis_link *l, unsigned purpose, size_t argc, const struct str *argv);

#endif
