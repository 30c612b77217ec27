/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as if from Redis, on either link of a bus that has subscriptions, publishes and counts under way. The first
 * byte picks the link and whether the login was answered before.
 */
#include "core/base.h"
#include "bus/bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "core/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64], empty[] = "", prefix[] = "t:";
static struct conf conf;
static struct event_base *base;
static int listener = -1;
static char group_owner;

static void remove_socket(void)
{
	unlink(path);
}

static void prepare(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *err;
	if (log_open("/dev/null", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, &err) != 0)
		abort();
	snprintf(path, sizeof(path), "/tmp/tidings-fuzz-%d.sock", (int)getpid());
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	atexit(remove_socket);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(listener, 8) != 0)
		abort();
	conf.redis.host = conf.redis.password = empty;
	conf.redis.prefix = prefix;
	conf.redis.socket = path;
	base = event_base_new();
}

static void on_message(struct str topic, struct str text, void *ctx)
{
	struct bus **b = ctx;
	bus_publish(*b, topic, text);
}

static void on_subscribed(struct str topic, void *ctx)
{
}

static void on_up(bool missed, bool lost, void *ctx)
{
}

static void on_down(const char *reason, void *ctx)
{
	if (reason == NULL)
		abort();
}

static void on_counts(const uint32_t *counts, size_t n, void *arg)
{
	unsigned *called = arg;
	if (++*called > 1 || n != 2)
		abort();
}

static void on_group_message(void *owner, struct str data, void *ctx)
{
	if (owner != &group_owner)
		abort();
}

static void on_group_subscribed(void *owner, void *ctx)
{
	if (owner != &group_owner)
		abort();
}

static const struct bus_events events = {on_message, on_subscribed,    on_up,
					 on_down,    on_group_message, on_group_subscribed};

static void turn(int times)
{
	while (times-- > 0)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void say(int fd, const void *bytes, size_t len)
{
	if (send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
	turn(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char login[] = "+OK\r\n+PONG\r\n";
	struct bus *b;
	unsigned called = 0;
	int fd[2]; /* as they connect: to publish is 0, to subscribe 1 */
	char hello[512];
	if (size < 1 || size > 65536)
		return 0;
	if (listener < 0)
		prepare();
	b = bus_new(base, &conf, &events, &b);
	bus_subscribe(b, STR_LIT("a"));
	bus_subscribe(b, STR_LIT("b"));
	struct bus_topic *group = bus_group_open(b, 7, &group_owner);
	turn(3);
	for (int i = 0; i < 2; i++) {
		int link = accept(listener, NULL, NULL);
		ssize_t n = recv(link, hello, sizeof(hello), 0);
		fd[n > 0 && memmem(hello, (size_t)n, "subscribe", 9) != NULL] = link;
	}
	if (data[0] & 2) {
		say(fd[0], login, sizeof(login) - 1);
		say(fd[1], login, sizeof(login) - 1);
	}
	bus_publish(b, STR_LIT("a"), STR_LIT("x"));
	bus_count(b, (struct str[]){STR_LIT("a"), STR_LIT("b")}, 2, on_counts, &called);
	bus_unsubscribe(b, STR_LIT("b"));
	turn(2);
	size_t half = 1 + (size - 1) / 2;
	say(fd[data[0] & 1], data + 1, half - 1);
	bus_subscribe(b, STR_LIT("b"));
	bus_unsubscribe(b, STR_LIT("a"));
	bus_group_close(b, group);
	say(fd[data[0] & 1], data + half, size - half);
	turn(2);
	bus_free(&b);
	close(fd[0]);
	close(fd[1]);
	return 0;
}
