/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mode group: members of one group online over WebSocket, spread over all servers, of whom a few send a given number of
 * messages a second, whatever comes back. A message is complete once all the others have it. Figures of the first and
 * of the last third of the time tell whether something piles up.
 */
#include "core/base.h"
#include "load.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RATE 20
#define CONNECT_SECS 60
#define OPENING_MAX 100
#define DRAIN_SECS 10
#define THIRDS 3

struct said {
	uint64_t sent_us;
	uint32_t received;
	bool acked;
};

static struct {
	const struct options *o;
	struct swarm swarm;
	struct peer *member;
	uint32_t *last_seq; /* pushed to that member */
	struct texts texts;
	struct said *said;
	size_t sent, room, acked, complete;
	uint64_t deliveries, misordered, refused, other_events;
	unsigned ready, next_sender;
	uint64_t from_us, to_us;  /* the measured time */
	uint64_t sends, received; /* messages and deliveries in it */
	struct spread ack[THIRDS], each[THIRDS], last[THIRDS];
	bool broken;
} g;

/* The third of the measured time that the message was sent in, or -1. */
static int third_of(const struct said *m)
{
	if (g.from_us == 0 || m->sent_us < g.from_us || m->sent_us >= g.to_us)
		return -1;
	return (int)((m->sent_us - g.from_us) * THIRDS / (g.to_us - g.from_us));
}

static void say(void)
{
	static struct buf body;
	size_t number = g.sent++;

	if (number >= g.room) {
		fprintf(stderr, "load: more messages than the time has room for\n");
		exit(1);
	}
	buf_clear(&body);
	buf_printf(&body,
		   "{\"type\":\"send\",\"ref\":\"%zu\",\"conversation_id\":\"%" PRIu64 "\",\"message_type\":\"text\",",
		   number, g.o->conversation_id);
	texts_put(&g.texts, &body, number);
	g.said[number].sent_us = now_us();
	peer_send_text(&g.swarm, &g.member[g.next_sender], body.data, body.len);
	g.next_sender = (g.next_sender + 1) % g.o->senders;
}

static void on_ack(struct said *m)
{
	int third = third_of(m);
	m->acked = true;
	g.acked++;
	if (third >= 0)
		spread_add(&g.ack[third], now_us() - m->sent_us);
}

static void on_message(struct peer *p, struct said *m, uint32_t seq)
{
	uint64_t us = now_us() - m->sent_us;
	int third = third_of(m);

	if (seq <= g.last_seq[p->user])
		g.misordered++;
	g.last_seq[p->user] = seq;
	g.deliveries++;
	if (third >= 0)
		spread_add(&g.each[third], us);
	if (++m->received != g.o->connections - 1)
		return;
	g.complete++;
	if (third >= 0)
		spread_add(&g.last[third], us);
}

static void on_text(struct peer *p, const char *data, size_t len)
{
	static const char type[] = "\"type\":\"";
	const char *kind = memmem(data, len, type, sizeof(type) - 1);
	uint32_t seq = 0;
	long long number;

	if (kind == NULL || (kind += sizeof(type) - 1) + 8 > data + len)
		return;
	if (memcmp(kind, "message\"", 8) == 0) {
		number = texts_find(&g.texts, data, len, g.sent, &seq);
		if (number >= 0)
			on_message(p, &g.said[number], seq);
	} else if (memcmp(kind, "ack\"", 4) == 0) {
		number = texts_find(&g.texts, data, len, g.sent, &seq);
		if (number >= 0)
			on_ack(&g.said[number]);
	} else if (memcmp(kind, "hello\"", 6) == 0) {
		g.ready++;
	} else if (memcmp(kind, "error\"", 6) == 0) {
		if (g.refused++ < 5)
			fprintf(stderr, "load: refused: %.*s\n", (int)len, data);
	} else {
		g.other_events++;
	}
}

static void on_opened(struct peer *p)
{
}

static void on_response(struct peer *p, int status, const char *body, size_t len)
{
}

static void on_closed(struct peer *p, const char *reason)
{
	fprintf(stderr, "load: connection of %s%u: %s\n", g.o->user_prefix, p->user, reason);
	g.broken = true;
}

static int connect_all(void)
{
	const struct options *o = g.o;
	uint64_t until = now_us() + CONNECT_SECS * UINT64_C(1000000);
	unsigned opened = 0;

	while (g.ready < o->connections && !g.broken && now_us() < until) {
		for (; opened < o->connections && opened - g.ready < OPENING_MAX; opened++) {
			char *token = token_make(o, opened);
			g.swarm.server = o->server[opened % o->servers];
			if (peer_open(&g.swarm, &g.member[opened], PEER_WS, opened, token) != 0) {
				perror("load: connect");
				return -1;
			}
			free(token);
		}
		swarm_turn(&g.swarm, 100000);
	}
	if (g.ready == o->connections && !g.broken)
		return 0;
	fprintf(stderr, "load: %u of %u connections came up\n", g.ready, o->connections);
	return -1;
}

/* Messages go out when they are due, and when this process is late, as soon as it can.
 */
static void send_until(uint64_t until_us)
{
	static uint64_t due;
	const uint64_t gap = (uint64_t)(1e6 / g.o->rate);
	uint64_t now;

	if (due == 0)
		due = now_us();
	while (!g.broken && (now = now_us()) < until_us) {
		for (; due <= now; due += gap)
			say();
		swarm_turn(&g.swarm, (due < until_us ? due : until_us) - now);
	}
}

static void run(struct procs *procs, size_t count)
{
	uint64_t until, deliveries;
	size_t sent;

	send_until(now_us() + (uint64_t)(g.o->warmup_secs * 1e6));
	for (size_t i = 0; i < count; i++)
		procs[i].cpu_us = procs_cpu_us(&procs[i]);
	deliveries = g.deliveries;
	sent = g.sent;
	g.to_us = now_us() + (uint64_t)(g.o->duration_secs * 1e6);
	g.from_us = now_us();
	send_until(g.to_us);
	for (size_t i = 0; i < count; i++)
		procs[i].cpu_us = procs_cpu_us(&procs[i]) - procs[i].cpu_us;
	g.received = g.deliveries - deliveries;
	g.sends = g.sent - sent;
	until = now_us() + DRAIN_SECS * UINT64_C(1000000);
	while (!g.broken && now_us() < until && g.complete + g.refused < g.sent)
		swarm_turn(&g.swarm, 10000);
}

/* The three thirds as one. */
static struct spread whole(const struct spread *part)
{
	struct spread sum = part[0];
	for (int third = 1; third < THIRDS; third++) {
		sum.count += part[third].count;
		if (part[third].max > sum.max)
			sum.max = part[third].max;
		for (int i = 0; i < SPREAD_STEPS; i++)
			sum.step[i] += part[third].step[i];
	}
	return sum;
}

static void tell_spread(const char *when, const char *what, const struct spread *s)
{
	printf("%s%s_p50_ms %.2f\n%s%s_p99_ms %.2f\n%s%s_max_ms %.2f\n", when, what, spread_percentile(s, 50) / 1e3,
	       when, what, spread_percentile(s, 99) / 1e3, when, what, s->max / 1e3);
}

static void tell_spreads(const char *what, const struct spread *part)
{
	struct spread all = whole(part);
	tell_spread("", what, &all);
	tell_spread("first_third_", what, &part[0]);
	tell_spread("last_third_", what, &part[THIRDS - 1]);
}

static int report(const struct procs *procs, size_t count)
{
	double secs = g.o->duration_secs;
	double messages = g.sends != 0 ? (double)g.sends : 1, received = g.received != 0 ? (double)g.received : 1;
	size_t lost = 0;

	for (size_t i = 0; i < g.sent; i++)
		lost += g.said[i].acked && g.said[i].received < g.o->connections - 1;
	printf("mode group\nonline %u\nsenders %u\n", g.o->connections, g.o->senders);
	printf("messages_per_second %.1f\ndeliveries_per_second %.0f\n", (double)g.sends / secs,
	       (double)g.received / secs);
	tell_spreads("ack", g.ack);
	tell_spreads("each", g.each);
	tell_spreads("last", g.last);
	printf("refused %" PRIu64 "\nunanswered %zu\nincomplete %zu\nmisordered %" PRIu64 "\nother_events %" PRIu64
	       "\n",
	       g.refused, g.sent - g.acked - g.refused, lost, g.misordered, g.other_events);
	for (size_t i = 0; i < count; i++)
		printf("cpu_%s_us_per_message %.1f\ncpu_%s_us_per_delivery %.2f\ncpu_%s_percent %.0f\n", procs[i].name,
		       (double)procs[i].cpu_us / messages, procs[i].name, (double)procs[i].cpu_us / received,
		       procs[i].name, procs[i].cpu_us / secs / 1e4);
	return g.broken || g.refused + lost + g.misordered > 0 || g.acked < g.sent;
}

int run_group(const struct options *given)
{
	struct options with_rate = *given;
	const struct options *o = &with_rate;
	struct procs procs[ARRAY_LEN(o->group) + 1];

	if (with_rate.rate == 0)
		with_rate.rate = RATE;
	g.o = o;
	g.member = xcalloc(o->connections, sizeof(*g.member));
	g.last_seq = xcalloc(o->connections, sizeof(*g.last_seq));
	g.room = (size_t)((o->warmup_secs + o->duration_secs + 2) * o->rate) + 2;
	g.said = xcalloc(g.room, sizeof(*g.said));
	g.swarm = (struct swarm){
		.server = o->server[0], .prefix = o->prefix, .on = {on_opened, on_text, on_response, on_closed}};
	memcpy(procs, o->group, sizeof(o->group));
	procs[o->groups] = (struct procs){.name = "load", .pid = {getpid()}, .count = 1};
	if (o->senders > o->connections || texts_init(&g.texts, o->bytes) != 0 || swarm_init(&g.swarm) != 0 ||
	    connect_all() != 0)
		return 2;
	run(procs, o->groups + 1);
	return report(procs, o->groups + 1);
}
