/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modes ws and http: pairs of users online over WebSocket, a fixed number of sends
 * in flight or a fixed rate, and a look at the fate of each: acknowledged, pushed to the other one, once and in order.
 *
 * With a rate a message is due at a fixed time, whatever has become of the ones before, and its latencies count from
 * then: what a slow server makes wait is not left out of the figures.
 */
#include "core/base.h"
#include "load.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/ws_deflate.h"

#define CONNECT_SECS 60
#define DRAIN_SECS 10

/* seq of a pair's conversation, as acknowledged. */
struct talk {
	uint32_t first, last, count;
};

/* One run, one process: the callbacks of peer.h have no other way to it. */
static struct {
	const struct options *o;
	enum peer_kind senders;
	struct swarm swarm;
	unsigned users;
	struct peer *online; /* a WebSocket a user */
	struct peer *poster; /* mode http: in_flight connections */
	size_t *posted;	     /* mode http: the message each of them waits for */
	/* mode http with a rate: the connections that wait for none, a ring; the longest idle comes next */
	struct peer **idle;
	unsigned idle_first, idle_count;
	uint64_t due_us; /* with a rate: when the next message is */
	char **token;
	uint32_t *last_seq;  /* pushed to that user */
	uint64_t *report_us; /* --delivered: when that user may report again */
	size_t reports;
	struct talk *talk;
	struct tally tally;
	struct texts texts;
	unsigned ready;
	unsigned next_user;
	unsigned in_flight;
	unsigned to_retry; /* in flight before, refused: sent anew at the next tick */
	unsigned errors_told;
	uint64_t machine_us;	 /* what the whole machine did in the measured time */
	uint64_t received, sent; /* bytes, likewise */
	bool stopped;
	bool broken;
} r;

static size_t render(struct buf *b, size_t number, unsigned user, bool frame)
{
	buf_clear(b);
	if (frame)
		buf_printf(b, "{\"type\":\"send\",\"ref\":\"%zu\",", number);
	else
		buf_append_char(b, '{');
	buf_printf(b, "\"to_user_id\":\"%s%u\",\"message_type\":\"text\",", r.o->user_prefix, user ^ 1);
	texts_put(&r.texts, b, number);
	return b->len;
}

static void send_frame(uint64_t due_us)
{
	static struct buf body;
	unsigned user = r.next_user;
	size_t number = tally_sent(&r.tally, due_us);

	/* Over the pairs' first users, then the second ones, so that neighbours in time are different conversations. */
	r.next_user = user + 2 < r.users ? user + 2 : (user + 1) % 2;
	render(&body, number, user, true);
	peer_send_text(&r.swarm, &r.online[user], body.data, body.len);
	r.in_flight++;
}

static void post(struct peer *p, uint64_t due_us)
{
	static struct buf body;
	size_t number = tally_sent(&r.tally, due_us);

	r.posted[p - r.poster] = number;
	render(&body, number, p->user, false);
	peer_post(&r.swarm, p, "/messages/send", r.token[p->user], body.data, body.len);
	r.in_flight++;
}

/* ---- at a fixed rate ---- */

static void be_idle(struct peer *p)
{
	r.idle[(r.idle_first + r.idle_count++) % r.o->in_flight] = p;
}

static struct peer *take_idle(void)
{
	struct peer *p = r.idle[r.idle_first];
	r.idle_first = (r.idle_first + 1) % r.o->in_flight;
	r.idle_count--;
	return p;
}

/* What is due and finds no idle connection is late, and sent once there is one. */
static void send_due(void)
{
	const uint64_t gap = (uint64_t)(1e6 / r.o->rate), now = now_us();

	for (; r.due_us <= now && (r.senders == PEER_WS || r.idle_count != 0); r.due_us += gap) {
		if (r.senders == PEER_HTTP)
			post(take_idle(), r.due_us);
		else
			send_frame(r.due_us);
	}
}

/* ---- what comes ---- */

/* With a fixed number in flight the next one is sent. */
static void go_on(struct peer *p)
{
	if (r.o->rate != 0) {
		if (p->kind == PEER_HTTP)
			be_idle(p);
	} else if (!r.stopped) {
		if (p->kind == PEER_HTTP)
			post(p, now_us());
		else
			send_frame(now_us());
	}
}

static void tell_error(const char *data, size_t len)
{
	if (r.errors_told++ < 5)
		fprintf(stderr, "load: refused: %.*s\n", (int)len, data);
}

static void acked(unsigned user, long long number, uint32_t seq)
{
	struct talk *t = &r.talk[user / 2];

	tally_ack(&r.tally, number, seq);
	if (t->count++ == 0 || seq < t->first)
		t->first = seq;
	if (seq > t->last)
		t->last = seq;
	r.in_flight--;
}

static void on_opened(struct peer *p)
{
	if (p->kind == PEER_HTTP)
		r.ready++;
}

/* What was sent by REST comes to the sender's own session, too: that is not the push that counts. */
static bool is_to(const struct peer *p, const char *data, size_t len)
{
	char to[64];
	int n = snprintf(to, sizeof(to), "\"to_user_id\":\"%s%u\"", r.o->user_prefix, p->user);
	return memmem(data, len, to, (size_t)n) != NULL;
}

static void report_delivered(struct peer *p, const char *data, size_t len, uint32_t seq)
{
	static const char name[] = "\"conversation_id\":\"";
	static struct buf body;
	uint64_t now = now_us();
	const char *id = memmem(data, len, name, sizeof(name) - 1), *end;

	if (r.o->delivered_ms < 0 || now < r.report_us[p->user] || id == NULL)
		return;
	id += sizeof(name) - 1;
	end = memchr(id, '"', data + len - id);
	if (end == NULL)
		return;
	r.report_us[p->user] = now + (uint64_t)r.o->delivered_ms * 1000;
	r.reports++;
	buf_clear(&body);
	buf_printf(&body, "{\"type\":\"delivered\",\"conversation_id\":\"%.*s\",\"up_to_seq\":%u}", (int)(end - id), id,
		   seq);
	peer_send_text(&r.swarm, p, body.data, body.len);
}

static void on_text(struct peer *p, const char *data, size_t len)
{
	static const char type[] = "\"type\":\"", ref[] = "\"ref\":\"";
	const char *kind = memmem(data, len, type, sizeof(type) - 1), *at;
	uint32_t seq = 0;
	long long number;

	if (kind == NULL || (kind += sizeof(type) - 1) + 8 > data + len)
		return;
	if (memcmp(kind, "ack\"", 4) == 0) {
		number = texts_find(&r.texts, data, len, r.tally.sent, &seq);
		if (number < 0)
			return;
		acked(p->user, number, seq);
		go_on(p);
	} else if (memcmp(kind, "message\"", 8) == 0) {
		number = texts_find(&r.texts, data, len, r.tally.sent, &seq);
		if (number < 0 || !is_to(p, data, len))
			return;
		tally_push(&r.tally, number, seq, &r.last_seq[p->user]);
		report_delivered(p, data, len, seq);
	} else if (memcmp(kind, "hello\"", 6) == 0) {
		r.ready++;
	} else if (memcmp(kind, "error\"", 6) == 0) {
		tell_error(data, len);
		at = memmem(data, len, ref, sizeof(ref) - 1);
		if (at != NULL)
			tally_failed(&r.tally, strtoull(at + sizeof(ref) - 1, NULL, 10));
		r.in_flight--;
		r.to_retry += r.o->rate == 0;
	}
}

static void on_response(struct peer *p, int status, const char *body, size_t len)
{
	uint32_t seq = 0;
	long long number = status / 100 == 2 ? texts_find(&r.texts, body, len, r.tally.sent, &seq) : -1;

	if (number >= 0) {
		acked(p->user, number, seq);
		go_on(p);
		return;
	}
	tell_error(body, len);
	tally_failed(&r.tally, r.posted[p - r.poster]);
	r.in_flight--;
	if (r.o->rate != 0) {
		be_idle(p);
		return;
	}
	r.posted[p - r.poster] = SIZE_MAX;
	r.to_retry++;
}

static void on_closed(struct peer *p, const char *reason)
{
	fprintf(stderr, "load: connection of %s%u: %s\n", r.o->user_prefix, p->user, reason);
	r.broken = true;
}

static void retry(void)
{
	for (unsigned k = 0; r.senders == PEER_HTTP && k < r.o->in_flight; k++)
		if (r.posted[k] == SIZE_MAX)
			post(&r.poster[k], now_us());
	for (; r.senders == PEER_WS && r.to_retry > 0; r.to_retry--)
		send_frame(now_us());
	r.to_retry = 0;
}

static void turns_at_rate(uint64_t until_us)
{
	uint64_t now;

	while (!r.broken && (now = now_us()) < until_us) {
		send_due();
		uint64_t next = r.due_us < until_us && r.due_us > now ? r.due_us : until_us;
		swarm_turn(&r.swarm, next - now);
	}
}

static void turns_until(uint64_t until_us)
{
	uint64_t tick = now_us() + 10000;

	if (r.o->rate != 0) {
		turns_at_rate(until_us);
		return;
	}
	while (!r.broken) {
		uint64_t now = now_us();
		if (now >= until_us)
			break;
		if (now >= tick && !r.stopped) {
			retry();
			tick = now + 10000;
		}
		swarm_turn(&r.swarm, 10000);
	}
}

static int connect_all(void)
{
	uint64_t until = now_us() + CONNECT_SECS * UINT64_C(1000000);
	unsigned opened = 0, posters = r.senders == PEER_HTTP ? r.o->in_flight : 0;

	while (r.ready < r.users + posters && !r.broken && now_us() < until) {
		/* No more at once than a listening queue holds. */
		for (; opened < r.users + posters && opened - r.ready < 100; opened++) {
			bool poster = opened >= r.users;
			struct peer *p = poster ? &r.poster[opened - r.users] : &r.online[opened];
			unsigned user = poster ? (uint64_t)(opened - r.users) * r.users / posters : opened;
			if (peer_open(&r.swarm, p, poster ? PEER_HTTP : PEER_WS, user, r.token[user]) != 0) {
				perror("load: connect");
				return -1;
			}
		}
		swarm_turn(&r.swarm, 100000);
	}
	if (r.ready == r.users + posters && !r.broken)
		return 0;
	fprintf(stderr, "load: %u of %u connections came up\n", r.ready, r.users + posters);
	return -1;
}

static void begin(void)
{
	r.due_us = now_us();
	for (unsigned k = 0; k < r.o->in_flight; k++) {
		if (r.o->rate == 0 && r.senders == PEER_HTTP)
			post(&r.poster[k], now_us());
		else if (r.o->rate == 0)
			send_frame(now_us());
		else if (r.senders == PEER_HTTP)
			be_idle(&r.poster[k]);
	}
}

/* Window, then the rest that is under way. Fills in the groups' time. */
static void run(struct procs *group, size_t groups)
{
	uint64_t from, until, machine;

	begin();
	turns_until(now_us() + r.o->warmup_secs * 1e6);
	for (size_t i = 0; i < groups; i++)
		group[i].cpu_us = procs_cpu_us(&group[i]);
	machine = machine_cpu_us();
	r.received = r.swarm.received;
	r.sent = r.swarm.sent;
	from = now_us();
	r.tally.to_us = from + r.o->duration_secs * 1e6;
	r.tally.from_us = from;
	turns_until(r.tally.to_us);
	for (size_t i = 0; i < groups; i++)
		group[i].cpu_us = procs_cpu_us(&group[i]) - group[i].cpu_us;
	r.machine_us = machine_cpu_us() - machine;
	r.received = r.swarm.received - r.received;
	r.sent = r.swarm.sent - r.sent;
	r.stopped = true;
	until = now_us() + DRAIN_SECS * UINT64_C(1000000);
	while (!r.broken && now_us() < until && (r.in_flight > 0 || r.tally.pushed < r.tally.acked))
		swarm_turn(&r.swarm, 10000);
}

static int report(const struct procs *group, size_t groups)
{
	const struct tally *t = &r.tally;
	double secs = r.o->duration_secs;
	size_t done = t->window_acks < t->window_pushes ? t->window_acks : t->window_pushes;
	uint64_t others = r.machine_us;
	size_t lost = tally_lost(t), gaps = 0, unanswered = t->sent - t->acked - t->failed;

	for (unsigned i = 0; i < r.o->pairs; i++)
		if (r.talk[i].count > 0)
			gaps += r.talk[i].last - r.talk[i].first + 1 - r.talk[i].count;
	printf("mode %s\npairs %u\n", r.senders == PEER_WS ? "ws" : "http", r.o->pairs);
	if (r.o->rate != 0)
		printf("rate %.0f\n", r.o->rate);
	else
		printf("in_flight %u\n", r.o->in_flight);
	printf("acks %zu\npushes %zu\nmessages_per_second %.0f\n", t->window_acks, t->window_pushes, done / secs);
	printf("ack_p50_ms %.2f\nack_p99_ms %.2f\n", spread_percentile(&t->ack, 50) / 1e3,
	       spread_percentile(&t->ack, 99) / 1e3);
	printf("push_p50_ms %.2f\npush_p99_ms %.2f\n", spread_percentile(&t->push, 50) / 1e3,
	       spread_percentile(&t->push, 99) / 1e3);
	printf("refused %zu\nunanswered %zu\nlost %zu\ndoubled %zu\nmisordered %zu\ngaps %zu\n", t->failed, unanswered,
	       lost, t->doubled, t->misordered, gaps);
	if (r.o->delivered_ms >= 0)
		printf("delivery_reports %zu\n", r.reports);
	for (size_t i = 0; i < groups; i++)
		others = others > group[i].cpu_us ? others - group[i].cpu_us : 0;
	printf("bytes_received_per_message %.0f\nbytes_sent_per_message %.0f\n",
	       done == 0 ? 0 : (double)r.received / done, done == 0 ? 0 : (double)r.sent / done);
	printf("cpu_others_percent %.0f\n", others / secs / 1e4);
	for (size_t i = 0; i < groups; i++)
		printf("cpu_%s_us_per_message %.1f\ncpu_%s_percent %.0f\n", group[i].name,
		       done == 0 ? 0 : (double)group[i].cpu_us / done, group[i].name, group[i].cpu_us / secs / 1e4);
	return r.broken || unanswered + lost + t->doubled + t->misordered > 0 || (t->failed == 0 && gaps > 0);
}

int run_traffic(const struct options *o, enum peer_kind senders)
{
	struct procs group[ARRAY_LEN(o->group) + 1];

	r.o = o;
	r.senders = senders;
	r.users = 2 * o->pairs;
	r.online = xcalloc(r.users, sizeof(*r.online));
	r.poster = xcalloc(o->in_flight, sizeof(*r.poster));
	r.posted = xcalloc(o->in_flight, sizeof(*r.posted));
	r.idle = xcalloc(o->in_flight, sizeof(struct peer *));
	r.token = xcalloc(r.users, sizeof(*r.token));
	r.last_seq = xcalloc(r.users, sizeof(*r.last_seq));
	r.report_us = xcalloc(r.users, sizeof(*r.report_us));
	r.talk = xcalloc(o->pairs, sizeof(*r.talk));
	if (texts_init(&r.texts, o->bytes) != 0)
		return 2;
	for (unsigned u = 0; u < r.users; u++)
		r.token[u] = token_make(o, u);
	r.swarm = (struct swarm){
		.server = o->server[0], .prefix = o->prefix, .on = {on_opened, on_text, on_response, on_closed}};
	if (o->deflate)
		r.swarm.deflate = ws_deflate_new();
	memcpy(group, o->group, sizeof(o->group));
	group[o->groups] = (struct procs){.name = "load", .pid = {getpid()}, .count = 1};
	if (swarm_init(&r.swarm) != 0 || connect_all() != 0)
		return 2;
	run(group, o->groups + 1);
	return report(group, o->groups + 1);
}
