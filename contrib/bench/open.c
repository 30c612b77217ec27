/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mode open: how many WebSockets a second the server opens. A fixed number of handshakes is under way at all times,
 * each by a user of its own; a WebSocket counts once the server has said hello, and so knows the user's groups. The
 * newest --connections of them stay open, older ones are closed as new ones come: so the server also closes as many as
 * it opens.
 */
#include "core/base.h"
#include "load.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Addresses that take turns: of one, a port that was used is not free again at once. */
#define SOURCES 64

struct visit {
	struct peer peer;
	uint64_t began_us;
	bool greeted;
};

static struct {
	struct swarm swarm;
	struct spread opened, greeted;
	uint64_t from_us, to_us; /* the measured time */
	unsigned under_way, measured;
	unsigned *order; /* a ring: the visits that are open, the oldest first */
	unsigned first, open, visits;
	struct visit *visit;
} storm;

static bool is_measured(uint64_t now)
{
	return now >= storm.from_us && now < storm.to_us;
}

static struct visit *visit_of(struct peer *p)
{
	return container_of(p, struct visit, peer);
}

static void on_opened(struct peer *p)
{
	uint64_t now = now_us();
	if (is_measured(now))
		spread_add(&storm.opened, now - visit_of(p)->began_us);
}

static void on_text(struct peer *p, const char *data, size_t len)
{
	static const char hello[] = "\"hello\"";
	struct visit *v = visit_of(p);
	uint64_t now = now_us();
	if (v->greeted || memmem(data, len, hello, sizeof(hello) - 1) == NULL)
		return;
	v->greeted = true;
	storm.under_way--;
	storm.order[(storm.first + storm.open++) % storm.visits] = (unsigned)(v - storm.visit);
	if (is_measured(now)) {
		storm.measured++;
		spread_add(&storm.greeted, now - v->began_us);
	}
}

static void on_response(struct peer *p, int status, const char *body, size_t len)
{
}

static void on_closed(struct peer *p, const char *reason)
{
	fprintf(stderr, "load: WebSocket %u: %s\n", p->user, reason);
	exit(1);
}

/* Closed with a reset, as one that breaks off: else its port would not be free again for a minute. */
static unsigned close_oldest(void)
{
	static const struct linger at_once = {.l_onoff = 1};
	unsigned i = storm.order[storm.first];
	struct peer *p = &storm.visit[i].peer;
	storm.first = (storm.first + 1) % storm.visits;
	storm.open--;
	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	peer_close(&storm.swarm, p);
	return i;
}

static void begin(const struct options *o, unsigned i)
{
	static unsigned user;
	struct visit *v = &storm.visit[i];
	char *token = token_make(o, user % o->users);
	*v = (struct visit){.began_us = now_us()};
	storm.swarm.source.s_addr = htonl(INADDR_LOOPBACK + user % SOURCES);
	if (peer_open(&storm.swarm, &v->peer, PEER_WS, user++ % o->users, token) != 0) {
		perror("load: connect");
		exit(1);
	}
	storm.under_way++;
	free(token);
}

static void report(const struct options *o, double secs)
{
	printf("mode open\nhandshakes_per_second %.0f\n", storm.measured / secs);
	printf("upgrade_p50_us %llu\nupgrade_p99_us %llu\n", (unsigned long long)spread_percentile(&storm.opened, 50),
	       (unsigned long long)spread_percentile(&storm.opened, 99));
	printf("hello_p50_us %llu\nhello_p99_us %llu\n", (unsigned long long)spread_percentile(&storm.greeted, 50),
	       (unsigned long long)spread_percentile(&storm.greeted, 99));
	for (size_t i = 0; i < o->groups; i++)
		printf("%s_cpu_us_per_handshake %.1f\n", o->group[i].name,
		       storm.measured == 0
			       ? 0.0
			       : (double)(procs_cpu_us(&o->group[i]) - o->group[i].cpu_us) / storm.measured);
}

int run_open(const struct options *o)
{
	struct options mine = *o;
	unsigned fresh = 0;
	bool started = false;
	storm.visits = o->connections + o->in_flight;
	storm.visit = xcalloc(storm.visits, sizeof(*storm.visit));
	storm.order = xcalloc(storm.visits, sizeof(*storm.order));
	storm.swarm = (struct swarm){
		.server = o->server[0], .prefix = o->prefix, .on = {on_opened, on_text, on_response, on_closed}};
	if (swarm_init(&storm.swarm) != 0)
		return 2;
	storm.from_us = now_us() + (uint64_t)(o->warmup_secs * 1e6);
	storm.to_us = storm.from_us + (uint64_t)(o->duration_secs * 1e6);
	while (now_us() < storm.to_us) {
		if (!started && now_us() >= storm.from_us) {
			started = true;
			for (size_t i = 0; i < o->groups; i++)
				mine.group[i].cpu_us = procs_cpu_us(&o->group[i]);
		}
		while (storm.under_way < o->in_flight)
			begin(o, fresh < storm.visits ? fresh++ : close_oldest());
		swarm_turn(&storm.swarm, 100000);
	}
	report(&mine, o->duration_secs);
	return storm.measured > 0 ? 0 : 1;
}
