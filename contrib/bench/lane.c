/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write lane alone: a store of one worker that sends so many messages at once,
 * each answer followed by the next send. No client, no push. Friendships of the pairs have to stand.
 */
#include "core/base.h"
#include "tally.h"

#include <event2/event.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/conf.h"
#include "store/store.h"

static const char usage[] = "usage: lane [OPTIONS] --socket PATH --database NAME\n"
			    "  -S, --socket PATH         of the database\n"
			    "  -D, --database NAME       with the schema of Tidings\n"
			    "  -U, --user NAME           of the database (root)\n"
			    "  -u, --users NAME          users are NAME0, NAME1, ...; pairs are friends (bench)\n"
			    "  -P, --pairs N             (200)\n"
			    "  -f, --in-flight N         (256)\n"
			    "  -b, --bytes N             of a text (100)\n"
			    "  -w, --warm-up SECONDS     (1)\n"
			    "  -d, --duration SECONDS    (10)\n"
			    "  -p, --pids NAME=PID,...   tell what these processes used\n";

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 'S'},   {"database", required_argument, NULL, 'D'},
	{"user", required_argument, NULL, 'U'},	    {"users", required_argument, NULL, 'u'},
	{"pairs", required_argument, NULL, 'P'},    {"in-flight", required_argument, NULL, 'f'},
	{"bytes", required_argument, NULL, 'b'},    {"warm-up", required_argument, NULL, 'w'},
	{"duration", required_argument, NULL, 'd'}, {"pids", required_argument, NULL, 'p'},
	{"help", no_argument, NULL, 'h'},	    {0},
};

static struct {
	const char *socket, *database, *user, *users;
	unsigned pairs, in_flight, bytes;
	double warmup_secs, duration_secs;
	struct group group;
} o = {.user = "root",
       .users = "bench",
       .pairs = 200,
       .in_flight = 256,
       .bytes = 100,
       .warmup_secs = 1,
       .duration_secs = 10};

static struct event_base *base;
static struct store *store;
static char *text;
static struct str *users;
static uint64_t number, answered, failed, batches, batch_sends, retries, from_us, to_us, own_us;
static struct spread spread;
static struct group self;

struct flight {
	uint64_t sent_us;
};

static void send_one(struct flight *f);

static void on_sent(const struct store_sent *r, void *arg)
{
	struct flight *f = arg;
	uint64_t now = now_us();
	answered += from_us != 0 && r->status == STORE_OK;
	failed += r->status != STORE_OK;
	if (from_us != 0)
		spread_add(&spread, now - f->sent_us);
	if (to_us == 0)
		send_one(f);
}

static void send_one(struct flight *f)
{
	char client_msg_id[48];
	uint64_t n = number++, user = n * 7919 % (2 * (uint64_t)o.pairs);
	int len = snprintf(client_msg_id, sizeof(client_msg_id), "%d-%" PRIu64, (int)getpid(), n);
	const struct store_send p = {
		.from = users[user],
		.to = users[user ^ 1],
		.type = MESSAGE_TEXT,
		.content = {text, o.bytes},
		.client_msg_id = {client_msg_id, (size_t)len},
	};
	f->sent_us = now_us();
	store_send(store, &p, on_sent, f);
}

static void on_batch(unsigned ops, unsigned sends, uint64_t usecs, void *ctx)
{
	batches += from_us != 0;
	batch_sends += from_us != 0 ? sends : 0;
}

static void on_retry(const char *why, void *ctx)
{
	retries++;
}

static void on_begin(evutil_socket_t fd, short what, void *arg)
{
	o.group.cpu_us = group_cpu_us(&o.group);
	own_us = group_cpu_us(&self);
	from_us = now_us();
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	to_us = now_us();
	o.group.cpu_us = group_cpu_us(&o.group) - o.group.cpu_us;
	own_us = group_cpu_us(&self) - own_us;
	event_base_loopbreak(base);
}

static void set(char **field, const char *value)
{
	free(*field);
	*field = xstrdup(value);
}

static struct event *after(double secs, event_callback_fn fn)
{
	const struct timeval t = {.tv_sec = (long)secs, .tv_usec = (long)((secs - (double)(long)secs) * 1e6)};
	struct event *timer = evtimer_new(base, fn, NULL);
	evtimer_add(timer, &t);
	return timer;
}

static void report(void)
{
	double secs = (double)(to_us - from_us) / 1e6, n = answered != 0 ? (double)answered : 1;
	printf("messages_per_second %.0f\n", (double)answered / secs);
	printf("messages_a_batch %.1f\n", batches != 0 ? (double)batch_sends / (double)batches : 0);
	printf("ack_p50_us %" PRIu64 "\nack_p99_us %" PRIu64 "\n", spread_percentile(&spread, 50),
	       spread_percentile(&spread, 99));
	printf("cpu_us_a_message_lane %.2f\n", (double)own_us / n);
	if (o.group.count != 0)
		printf("cpu_us_a_message_%s %.2f\n", o.group.name, (double)o.group.cpu_us / n);
	printf("retries %" PRIu64 "\nfailed %" PRIu64 "\n", retries, failed);
}

static void parse(int argc, char **argv)
{
	int c;
	while ((c = getopt_long(argc, argv, "S:D:U:u:P:f:b:w:d:p:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'S':
			o.socket = optarg;
			break;
		case 'D':
			o.database = optarg;
			break;
		case 'U':
			o.user = optarg;
			break;
		case 'u':
			o.users = optarg;
			break;
		case 'P':
			o.pairs = (unsigned)atoi(optarg);
			break;
		case 'f':
			o.in_flight = (unsigned)atoi(optarg);
			break;
		case 'b':
			o.bytes = (unsigned)atoi(optarg);
			break;
		case 'w':
			o.warmup_secs = atof(optarg);
			break;
		case 'd':
			o.duration_secs = atof(optarg);
			break;
		case 'p':
			if (group_parse(&o.group, optarg) == 0)
				break;
			/* fall through */
		default:
			fputs(usage, stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (o.socket == NULL || o.database == NULL || o.pairs == 0 || o.in_flight == 0 || o.bytes == 0) {
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static const struct store_observer observer = {.batch = on_batch, .retry = on_retry};
	char *err = NULL, me[32];
	parse(argc, argv);
	snprintf(me, sizeof(me), "self=%d", (int)getpid());
	struct conf *conf = conf_load(NULL, &err);
	if (conf == NULL || group_parse(&self, me) != 0) {
		fprintf(stderr, "%s\n", err != NULL ? err : "?");
		return 1;
	}
	set(&conf->mysql.socket, o.socket);
	set(&conf->mysql.database, o.database);
	set(&conf->mysql.user, o.user);
	conf->mysql.connections = 2;
	text = xmalloc(o.bytes);
	memset(text, 't', o.bytes);
	users = xcalloc(2 * (size_t)o.pairs, sizeof(*users));
	for (size_t i = 0; i < 2 * (size_t)o.pairs; i++)
		users[i] = str_from(xasprintf("%s%zu", o.users, i));
	base = event_base_new();
	store = store_new(base, conf, &observer, NULL);
	struct flight *flight = xcalloc(o.in_flight, sizeof(*flight));
	for (unsigned i = 0; i < o.in_flight; i++)
		send_one(&flight[i]);
	struct event *begin = after(o.warmup_secs, on_begin), *end = after(o.warmup_secs + o.duration_secs, on_end);
	event_base_dispatch(base);
	report();
	store_free(&store);
	event_free(begin);
	event_free(end);
	event_base_free(base);
	conf_free(&conf);
	for (size_t i = 0; i < 2 * (size_t)o.pairs; i++)
		free((char *)(uintptr_t)users[i].s);
	free(users);
	free(flight);
	free(text);
	return 0;
}
