/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mode ask: how many requests a second the server answers. Each of a fixed number of keep-alive connections asks for
 * the next path as soon as it has its answer.
 */
#include "core/base.h"
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

struct asker {
	struct peer peer;
	char *token;
	uint64_t asked_us;
};

static struct {
	const struct options *options;
	struct swarm swarm;
	struct spread took;
	uint64_t from_us, to_us; /* the measured time */
	uint64_t bytes;		 /* of the bodies answered in it */
	size_t next_path;
} asking;

static void ask_next(struct asker *a)
{
	const struct options *o = asking.options;
	const char *path = o->path[asking.next_path++ % o->paths];
	a->asked_us = now_us();
	if (o->body.len != 0)
		peer_post(&asking.swarm, &a->peer, path, a->token, o->body.data, o->body.len);
	else
		peer_get(&asking.swarm, &a->peer, path, a->token);
}

static void on_opened(struct peer *p)
{
	ask_next(container_of(p, struct asker, peer));
}

static void on_text(struct peer *p, const char *data, size_t len)
{
}

static void on_response(struct peer *p, int status, const char *body, size_t len)
{
	struct asker *a = container_of(p, struct asker, peer);
	uint64_t now = now_us();
	if (status != 200) {
		fprintf(stderr, "load: answered %d: %.*s\n", status, (int)len, body);
		exit(1);
	}
	if (now >= asking.from_us && now < asking.to_us) {
		spread_add(&asking.took, now - a->asked_us);
		asking.bytes += len;
	}
	ask_next(a);
}

static void on_closed(struct peer *p, const char *reason)
{
	fprintf(stderr, "load: connection of user %u: %s\n", p->user, reason);
	exit(1);
}

static void report(const struct options *o, uint64_t others_us)
{
	uint64_t n = asking.took.count;
	printf("mode ask\nrequests_per_second %.0f\n", (double)n / o->duration_secs);
	printf("answer_p50_us %llu\nanswer_p99_us %llu\n", (unsigned long long)spread_percentile(&asking.took, 50),
	       (unsigned long long)spread_percentile(&asking.took, 99));
	printf("answer_bytes %.0f\n", n == 0 ? 0.0 : (double)asking.bytes / (double)n);
	for (size_t i = 0; i < o->groups; i++) {
		uint64_t us = procs_cpu_us(&o->group[i]) - o->group[i].cpu_us;
		others_us -= us < others_us ? us : others_us;
		printf("cpu_%s_us_per_request %.1f\n", o->group[i].name, n == 0 ? 0.0 : (double)us / (double)n);
	}
	printf("cpu_rest_us_per_request %.1f\n", n == 0 ? 0.0 : (double)others_us / (double)n);
}

int run_ask(const struct options *o)
{
	struct options mine = *o;
	struct asker *asker = xcalloc(o->connections, sizeof(*asker));
	uint64_t machine_us = 0;
	if (o->paths == 0) {
		fprintf(stderr, "load: mode ask needs a --path\n");
		return 2;
	}
	asking.options = o;
	asking.swarm = (struct swarm){
		.server = o->server[0], .prefix = o->prefix, .on = {on_opened, on_text, on_response, on_closed}};
	if (swarm_init(&asking.swarm) != 0)
		return 2;
	asking.from_us = now_us() + (uint64_t)(o->warmup_secs * 1e6);
	asking.to_us = asking.from_us + (uint64_t)(o->duration_secs * 1e6);
	for (unsigned i = 0; i < o->connections; i++) {
		unsigned user = i % o->users;
		asker[i].token = token_make(o, user);
		if (peer_open(&asking.swarm, &asker[i].peer, PEER_HTTP, user, NULL) != 0) {
			perror("load: connect");
			return 1;
		}
	}
	while (now_us() < asking.to_us) {
		if (machine_us == 0 && now_us() >= asking.from_us) {
			machine_us = machine_cpu_us();
			for (size_t i = 0; i < o->groups; i++)
				mine.group[i].cpu_us = procs_cpu_us(&o->group[i]);
		}
		swarm_turn(&asking.swarm, 100);
	}
	report(&mine, machine_cpu_us() - machine_us);
	return asking.took.count > 0 ? 0 : 1;
}
