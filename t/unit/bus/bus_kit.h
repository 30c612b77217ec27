/* SPDX-License-Identifier: BSD-2-Clause */
/* A bus and what it tells, against a Redis of the test's own. */
#ifndef TIDINGS_T_UNIT_BUS_BUS_KIT_H
#define TIDINGS_T_UNIT_BUS_BUS_KIT_H

#include "core/base.h"
#include "bus/bus.h"

#include <time.h>

#include <event2/event.h>

#include "server.h"
#include "../log_kit.h"
#include "../tap.h"

/* What a bus told its caller. */
struct heard {
	unsigned ups, missed, lost, downs, subscribed, messages, counted, away;
	unsigned out_of_order, within;
	char last_topic[64];
	uint32_t counts[1000];
	size_t count_n;
	bool ask_again;
	/* Of the group topic that it owns. */
	unsigned group_subscribed, group_messages;
	/* What on_up does about a loss. */
	bool notices, stops_redis;
	uint64_t noticed_at; /* the position before it did */
	struct bus *bus;
};

static struct event_base *base;
static struct server server;
static struct conf conf;
/* Set while a bus_ function runs: no callback may run then. */
static bool within;
#define CALL(call) (within = true, (call), within = false)

static inline struct str s(const char *text)
{
	return str_from(text);
}

static inline void on_message(struct str topic, struct str data, void *ctx)
{
	struct heard *h = ctx;
	char number[32] = "";
	h->within += within;
	snprintf(h->last_topic, sizeof(h->last_topic), "%.*s", (int)topic.len, topic.s);
	memcpy(number, data.s, data.len < sizeof(number) ? data.len : sizeof(number) - 1);
	h->out_of_order += strtoul(number, NULL, 10) != h->messages;
	h->messages++;
}

static inline void on_subscribed(struct str topic, void *ctx)
{
	struct heard *h = ctx;
	h->within += within;
	snprintf(h->last_topic, sizeof(h->last_topic), "%.*s", (int)topic.len, topic.s);
	h->subscribed++;
}

static inline void on_up(bool missed, bool lost, void *ctx)
{
	struct heard *h = ctx;
	if (lost && h->stops_redis)
		kill(server.pid, SIGSTOP);
	h->noticed_at = bus_position(h->bus);
	if (lost && h->notices)
		bus_publish(h->bus, s("all"), s("lost"));
	h->within += within;
	h->ups++;
	h->missed += missed;
	h->lost += lost;
}

static inline void on_down(const char *reason, void *ctx)
{
	struct heard *h = ctx;
	h->within += within || reason == NULL;
	h->downs++;
}

static inline void on_counts(const uint32_t *counts, size_t n, void *arg)
{
	struct heard *h = arg;
	h->within += within;
	h->count_n = n;
	if (counts != NULL) {
		h->counted++;
		memcpy(h->counts, counts, n * sizeof(counts[0]));
		return;
	}
	h->away++;
	if (h->ask_again)
		CALL(bus_count(h->bus, &STR_LIT("x"), 1, on_counts, h));
}

static inline void on_group_message(void *owner, struct str data, void *ctx)
{
	struct heard *h = owner;
	h->within += within || data.len == 0;
	h->group_messages++;
}

static inline void on_group_subscribed(void *owner, void *ctx)
{
	struct heard *h = owner;
	h->within += within;
	h->group_subscribed++;
}

static const struct bus_events events = {on_message, on_subscribed,    on_up,
					 on_down,    on_group_message, on_group_subscribed};

static inline int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline void on_nothing(evutil_socket_t fd, short what, void *arg)
{
}

/* Runs the loop until the condition holds, or for too long. */
#define UNTIL(cond)                                                                                                    \
	do {                                                                                                           \
		struct event *turn_ = event_new(base, -1, EV_PERSIST, on_nothing, NULL);                               \
		int64_t give_up_ = now_ms() + 20000;                                                                   \
		event_add(turn_, &(struct timeval){0, 20000});                                                         \
		while (!(cond) && now_ms() < give_up_)                                                                 \
			event_base_loop(base, EVLOOP_ONCE);                                                            \
		event_free(turn_);                                                                                     \
	} while (0)

static inline void start(struct heard *h)
{
	*h = (struct heard){0};
	CALL(h->bus = bus_new(base, &conf, &events, h));
}

static inline void start_up(struct heard *h)
{
	start(h);
	UNTIL(h->ups == 1);
}

static inline bool publish(struct heard *h, const char *topic, const char *data)
{
	bool queued;
	CALL(queued = bus_publish(h->bus, s(topic), s(data)));
	return queued;
}

/* Has Redis tell what it knows of one topic. */
static inline uint32_t count_one(struct heard *h, const char *topic)
{
	unsigned before = h->counted + h->away;
	struct str t = s(topic);
	CALL(bus_count(h->bus, &t, 1, on_counts, h));
	UNTIL(h->counted + h->away != before);
	return h->counts[0];
}

/* The server is started. False: there is no Redis, and the test is skipped. */
static inline bool kit_begin(void)
{
	static char host[] = "", password[] = "", prefix[] = "test:";
	if (system("command -v redis-server > /dev/null") != 0) {
		printf("1..0 # SKIP no redis-server\n");
		return false;
	}
	server_init(&server);
	log_begin(server.dir);
	server_start(&server, "");
	conf.redis.host = host;
	conf.redis.password = password;
	conf.redis.prefix = prefix;
	conf.redis.socket = server.path;
	base = event_base_new();
	return true;
}

/* What main() returns. */
static inline int kit_end(void)
{
	event_base_free(base);
	log_end();
	server_fini(&server);
	return done_testing();
}

#endif
