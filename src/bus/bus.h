/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bus between workers and nodes: Redis publish/subscribe through hiredis'
 * protocol reader on sockets of our own; the only door to it. Redis holds no truth: what is lost
 * here can be caught up with from the database.
 *
 * Two links, one that subscribes and one that publishes and asks (RESP2 cannot do both on one).
 * Commands are pipelined, and written once a loop turn. A lost link reconnects with backoff, and the
 * subscriptions are made again in bulk.
 */
#ifndef TIDINGS_BUS_BUS_H
#define TIDINGS_BUS_BUS_H

#include "core/base.h"
#include "core/conf.h"

struct event_base;
struct bus;

/* All run from the loop, never from within a bus_ function. `topic` and `data` are borrowed for the call. */
struct bus_events {
	void (*message)(struct str topic, struct str data, void *ctx);
	/* Redis confirmed the subscription (anew after each lost link): from now on nothing passes it by. */
	void (*subscribed)(struct str topic, void *ctx);
	/*
	 * Both links are up, and all subscriptions are confirmed that existed when the subscribing link came up.
	 * missed: a subscription was interrupted since the last time (or since bus_new), so we may have missed
	 * messages. lost: publishes of ours were lost or may have been, so others may have missed messages.
	 */
	void (*up)(bool missed, bool lost, void *ctx);
	/* Once after each `up`, as soon as either link is lost. */
	void (*down)(const char *reason, void *ctx);
	/* As `message` and `subscribed`, for the topic of a group that is open. Who opens none needs none of them. */
	void (*group_message)(void *owner, struct str data, void *ctx);
	void (*group_subscribed)(void *owner, void *ctx);
};

/* Connects in the background. conf is borrowed and read at each connection, but for redis.prefix, which is copied. */
struct bus *bus_new(struct event_base *base, const struct conf *conf, const struct bus_events *ev, void *ctx);
/* Not from within a callback of the bus. Callbacks that are still to come are forgotten. What was published
 * reaches Redis first, if it reads it within 200 ms. */
void bus_free(struct bus **b);

bool bus_is_up(const struct bus *b);

/*
 * A topic is a name without redis.prefix, which is put before it. Counted: as many unsubscribes end it. A topic that
 * is confirmed already is not confirmed again to a further subscribe; see bus_is_subscribed.
 */
void bus_subscribe(struct bus *b, struct str topic);
void bus_unsubscribe(struct bus *b, struct str topic);
bool bus_is_subscribed(const struct bus *b, struct str topic); /* confirmed by the present link */

/*
 * The topic of a group (topic_make_group() in bus/form.h), for one in the process who owns the group, and for whom
 * nothing is looked up but in bus_group_open() and bus_group_owner(). `owner` is not NULL; the topic must not be open.
 */
struct bus_topic;
struct bus_topic *bus_group_open(struct bus *b, uint64_t id, void *owner);
void bus_group_close(struct bus *b, struct bus_topic *t);
/* NULL: nobody has it open. */
void *bus_group_owner(const struct bus *b, uint64_t id);
bool bus_topic_is_subscribed(const struct bus_topic *t); /* as bus_is_subscribed */

/*
 * Queues a message of up to BUS_DATA_MAX bytes; false if it is lost for sure (the link is down or its queue is full).
 * A true is no promise. After a loss that others cannot have noticed, `up` is called again with lost = true.
 */
#define BUS_DATA_MAX (1u << 20)
bool bus_publish(struct bus *b, struct str topic, struct str data);
/* Publishes of ours were lost or may have been, and `up` has not told so yet. */
bool bus_has_lost(const struct bus *b);

/*
 * How many publishes there were so far, those that returned false too: the position of the last one. All up to
 * bus_settled() need no more care: Redis has answered them; or they were lost, `up` has told so, and Redis has answered
 * all that was published until the end of that call. It never goes back.
 */
uint64_t bus_position(const struct bus *b);
uint64_t bus_settled(const struct bus *b);

/*
 * Exactly once, from the loop. counts[i]: the subscribers of topics[i] in the whole cluster; NULL: nobody knows, for
 * Redis is away, or too much waits to be written to it (then it is worth asking again a little later).
 */
typedef void bus_count_fn(const uint32_t *counts, size_t n, void *arg);
/* PUBSUB NUMSUB, one command for each BUS_COUNT_CHUNK topics: ask for many at once. The topics are copied. */
#define BUS_COUNT_CHUNK 256
void bus_count(struct bus *b, const struct str *topics, size_t n, bus_count_fn *fn, void *arg);
/* Forgets the callbacks of that arg that are still to come. */
void bus_count_cancel(struct bus *b, void *arg);

#endif
