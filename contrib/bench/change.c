/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modes edit and react: pairs of users are online over WebSocket. Each has sent one message, and edits it, or
 * reacts to it and takes that back, again and again; a fixed number of these is under way. Counts what is answered, and
 * what the other one is told.
 */
#include "core/base.h"
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECT_SECS 60

struct changer {
	struct peer peer;
	char *token;
	char message[24]; /* the id of its message; "" until that is sent */
	uint64_t asked_us;
	unsigned n; /* so far */
};

static struct {
	const struct options *o;
	bool reacts;
	struct swarm swarm;
	struct changer *user;
	unsigned users, ready, next;
	struct spread took;
	uint64_t from_us, to_us; /* the measured time */
	size_t told;		 /* events in it */
	bool broken;
} c;

static void change(struct changer *u)
{
	static struct buf b;
	buf_clear(&b);
	if (c.reacts)
		buf_printf(&b, "{\"type\":\"%s\",\"ref\":\"c\",\"message_id\":\"%s\",\"emoji\":\"\xF0\x9F\x91\x8D\"}",
			   u->n % 2 == 0 ? "react" : "unreact", u->message);
	else
		buf_printf(&b, "{\"type\":\"edit\",\"ref\":\"c\",\"message_id\":\"%s\",\"content\":\"%u %*s\"}",
			   u->message, u->n, (int)c.o->bytes - 11, "x");
	u->n++;
	u->asked_us = now_us();
	peer_send_text(&c.swarm, &u->peer, b.data, b.len);
}

/* Neighbours in time are different conversations. */
static struct changer *next_user(void)
{
	struct changer *u = &c.user[c.next];
	c.next = c.next + 2 < c.users ? c.next + 2 : (c.next + 1) % 2;
	return u;
}

static void send_message(struct changer *u)
{
	char frame[200];
	int n = snprintf(
		frame, sizeof(frame),
		"{\"type\":\"send\",\"ref\":\"s\",\"to_user_id\":\"%s%u\",\"message_type\":\"text\",\"content\":\"x\"}",
		c.o->user_prefix, u->peer.user ^ 1);
	peer_send_text(&c.swarm, &u->peer, frame, (size_t)n);
}

static bool is_type(const char *data, size_t len, const char *type)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "\"type\":\"%s\"", type);
	return memmem(data, len < 64 ? len : 64, text, (size_t)n) != NULL;
}

static void keep_message(struct changer *u, const char *data, size_t len)
{
	static const char id[] = "\"id\":\"";
	const char *at = memmem(data, len, id, sizeof(id) - 1),
		   *end = at != NULL ? memchr(at + 6, '"', data + len - at - 6) : NULL;
	if (end == NULL || (size_t)(end - at - 6) >= sizeof(u->message))
		return;
	memcpy(u->message, at + 6, (size_t)(end - at - 6));
	c.ready++;
}

static void answered(struct changer *u)
{
	uint64_t now = now_us();
	if (now >= c.from_us && now < c.to_us)
		spread_add(&c.took, now - u->asked_us);
	if (c.to_us == 0 || now < c.to_us)
		change(next_user());
}

static void on_opened(struct peer *p)
{
	(void)p;
}

static void on_text(struct peer *p, const char *data, size_t len)
{
	struct changer *u = container_of(p, struct changer, peer);
	if (is_type(data, len, "hello"))
		send_message(u);
	else if (is_type(data, len, "ack"))
		keep_message(u, data, len);
	else if (is_type(data, len, "result"))
		answered(u);
	else if (is_type(data, len, c.reacts ? "reaction" : "edited"))
		c.told += now_us() >= c.from_us && now_us() < c.to_us;
	else if (is_type(data, len, "error")) {
		fprintf(stderr, "load: refused: %.*s\n", (int)len, data);
		c.broken = true;
	}
}

static void on_response(struct peer *p, int status, const char *body, size_t len)
{
	(void)p;
	(void)status;
	(void)body;
	(void)len;
}

static void on_closed(struct peer *p, const char *reason)
{
	fprintf(stderr, "load: connection of %s%u: %s\n", c.o->user_prefix, p->user, reason);
	c.broken = true;
}

static int connect_all(void)
{
	uint64_t until = now_us() + CONNECT_SECS * UINT64_C(1000000);
	for (unsigned i = 0; c.ready < c.users && !c.broken && now_us() < until;) {
		for (; i < c.users && i - c.ready < 100; i++) {
			struct changer *u = &c.user[i];
			u->token = token_make(c.o, i);
			if (peer_open(&c.swarm, &u->peer, PEER_WS, i, u->token) != 0) {
				perror("load: connect");
				return -1;
			}
		}
		swarm_turn(&c.swarm, 100000);
	}
	return c.ready == c.users && !c.broken ? 0 : -1;
}

static void turns_until(uint64_t until_us)
{
	while (!c.broken && now_us() < until_us)
		swarm_turn(&c.swarm, 10000);
}

int run_change(const struct options *o, bool reacts)
{
	struct procs group[ARRAY_LEN(o->group) + 1];
	size_t groups = o->groups + 1;
	c.o = o;
	c.reacts = reacts;
	c.users = 2 * o->pairs;
	c.user = xcalloc(c.users, sizeof(*c.user));
	c.from_us = UINT64_MAX;
	memcpy(group, o->group, sizeof(o->group));
	group[o->groups] = (struct procs){.name = "load", .pid = {getpid()}, .count = 1};
	c.swarm = (struct swarm){
		.server = o->server[0], .prefix = o->prefix, .on = {on_opened, on_text, on_response, on_closed}};
	if (swarm_init(&c.swarm) != 0 || connect_all() != 0)
		return 2;
	/* A user has one under way at most, so that each changes something. */
	for (unsigned k = 0; k < o->in_flight && k < c.users; k++)
		change(next_user());
	turns_until(now_us() + (uint64_t)(o->warmup_secs * 1e6));
	for (size_t i = 0; i < groups; i++)
		group[i].cpu_us = procs_cpu_us(&group[i]);
	uint64_t from = now_us();
	c.to_us = from + (uint64_t)(o->duration_secs * 1e6);
	c.from_us = from;
	turns_until(c.to_us);
	size_t done = c.took.count;
	printf("mode %s\npairs %u\nin_flight %u\n", reacts ? "react" : "edit", o->pairs, o->in_flight);
	printf("messages_per_second %.0f\n", (double)done / o->duration_secs);
	printf("told_per_second %.0f\n", (double)c.told / o->duration_secs);
	printf("ack_p50_ms %.2f\nack_p99_ms %.2f\n", (double)spread_percentile(&c.took, 50) / 1e3,
	       (double)spread_percentile(&c.took, 99) / 1e3);
	for (size_t i = 0; i < groups; i++)
		printf("cpu_%s_us_per_message %.1f\n", group[i].name,
		       done == 0 ? 0 : (double)(procs_cpu_us(&group[i]) - group[i].cpu_us) / (double)done);
	return c.broken || done == 0;
}
