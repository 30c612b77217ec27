/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write lane alone: a store of one worker that sends so many messages at once,
 * each answer followed by the next send. No client, no push. Friendships of the pairs have to exist, or the groups,
 * which have the ids from 17179869184 on, and all users as members:
 *
 *	INSERT INTO group_heads (id,member_count,sort_time,active_at,created_at)
 *		SELECT 17179869184+seq,20,NOW(),NOW(),NOW() FROM seq_0_to_199;
 *	INSERT INTO members (user_id,conversation_id,role,joined_seq,first_seq,read_seq,joined_at)
 *		SELECT CONCAT('bench',u.seq),17179869184+g.seq,3,0,1,0,NOW() FROM seq_0_to_199 g JOIN seq_0_to_19 u;
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

static const char usage[] =
	"usage: lane [OPTIONS] --socket PATH --database NAME\n"
	"  -S, --socket PATH         of the database\n"
	"  -D, --database NAME       with the schema of Tidings\n"
	"  -U, --user NAME           of the database (root)\n"
	"  -u, --users NAME          users are NAME0, NAME1, ...; pairs are friends (bench)\n"
	"  -P, --pairs N             (200)\n"
	"  -g, --groups N            send to N groups, and not to peers (0)\n"
	"  -o, --first N             the first of them has the id 17179869184 + N (0)\n"
	"  -m, --members N           who sends there: NAME0 to NAMEn (20)\n"
	"  -M, --receipts-max N      groups.receipts_max: in larger groups no read marks are written (200)\n"
	"  -r, --reads N             after every Nth message to a group a member reads it (0: none)\n"
	"  -f, --in-flight N         (256)\n"
	"  -b, --bytes N             of a text (100)\n"
	"  -w, --warm-up SECONDS     (1)\n"
	"  -d, --duration SECONDS    (10)\n"
	"  -p, --pids NAME=PID,...   tell what these processes used\n";

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 'S'},
	{"database", required_argument, NULL, 'D'},
	{"user", required_argument, NULL, 'U'},
	{"users", required_argument, NULL, 'u'},
	{"pairs", required_argument, NULL, 'P'},
	{"in-flight", required_argument, NULL, 'f'},
	{"bytes", required_argument, NULL, 'b'},
	{"warm-up", required_argument, NULL, 'w'},
	{"groups", required_argument, NULL, 'g'},
	{"first", required_argument, NULL, 'o'},
	{"members", required_argument, NULL, 'm'},
	{"receipts-max", required_argument, NULL, 'M'},
	{"reads", required_argument, NULL, 'r'},
	{"duration", required_argument, NULL, 'd'},
	{"pids", required_argument, NULL, 'p'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static struct {
	const char *socket, *database, *user, *users;
	unsigned pairs, groups, first, members, receipts_max, reads, in_flight, bytes;
	double warmup_secs, duration_secs;
	struct procs group;
} o = {.user = "root",
       .users = "bench",
       .pairs = 200,
       .members = 20,
       .receipts_max = 200,
       .in_flight = 256,
       .bytes = 100,
       .warmup_secs = 1,
       .duration_secs = 10};

static struct event_base *base;
static struct store *store;
static char *text;
static struct str *users;
static uint64_t number, answered, reads, failed, batches, batch_sends, retries, from_us, to_us, own_us;
static struct spread spread;
static struct procs self;

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

static void on_read(const struct store_read *r, void *arg)
{
	(void)arg;
	reads += from_us != 0 && r->status == STORE_OK;
	failed += r->status != STORE_OK;
}

/* Each group's messages come from its members in turn; who read last comes half a turn later. */
static void to_group(struct store_send *p, uint64_t n)
{
	uint64_t turn = n / o.groups;
	p->conversation_id = GROUP_ID_MIN + o.first + n % o.groups;
	p->from = users[turn % o.members];
	if (o.reads != 0 && n % o.reads == 0)
		store_read_conversation(store, users[(turn + o.members / 2) % o.members], p->conversation_id,
					UINT64_MAX, on_read, NULL);
}

static void send_one(struct flight *f)
{
	char client_msg_id[48];
	uint64_t n = number++;
	int len = snprintf(client_msg_id, sizeof(client_msg_id), "%d-%" PRIu64, (int)getpid(), n);
	struct store_send p = {
		.type = MESSAGE_TEXT,
		.content = {text, o.bytes},
		.client_msg_id = {client_msg_id, (size_t)len},
	};
	if (o.groups != 0) {
		to_group(&p, n);
	} else {
		uint64_t user = n * 7919 % (2 * (uint64_t)o.pairs);
		p.from = users[user];
		p.to = users[user ^ 1];
	}
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
	o.group.cpu_us = procs_cpu_us(&o.group);
	own_us = procs_cpu_us(&self);
	from_us = now_us();
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	to_us = now_us();
	o.group.cpu_us = procs_cpu_us(&o.group) - o.group.cpu_us;
	own_us = procs_cpu_us(&self) - own_us;
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
	if (o.reads != 0)
		printf("reads_per_second %.0f\n", (double)reads / secs);
	printf("retries %" PRIu64 "\nfailed %" PRIu64 "\n", retries, failed);
}

static void parse(int argc, char **argv)
{
	int c;
	while ((c = getopt_long(argc, argv, "S:D:U:u:P:g:o:m:M:r:f:b:w:d:p:h", long_options, NULL)) != -1) {
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
		case 'g':
			o.groups = (unsigned)atoi(optarg);
			break;
		case 'o':
			o.first = (unsigned)atoi(optarg);
			break;
		case 'm':
			o.members = (unsigned)atoi(optarg);
			break;
		case 'M':
			o.receipts_max = (unsigned)atoi(optarg);
			break;
		case 'r':
			o.reads = (unsigned)atoi(optarg);
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
			if (procs_parse(&o.group, optarg) == 0)
				break;
			/* fall through */
		default:
			fputs(usage, stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (o.socket == NULL || o.database == NULL || o.pairs == 0 || o.members == 0 || o.in_flight == 0 ||
	    o.bytes == 0) {
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
	if (conf == NULL || procs_parse(&self, me) != 0) {
		fprintf(stderr, "%s\n", err != NULL ? err : "?");
		return 1;
	}
	set(&conf->mysql.socket, o.socket);
	set(&conf->mysql.database, o.database);
	set(&conf->mysql.user, o.user);
	conf->mysql.connections = 2;
	conf->groups.receipts_max = (int)o.receipts_max;
	text = xmalloc(o.bytes);
	memset(text, 't', o.bytes);
	size_t user_count = o.groups != 0 ? o.members : 2 * (size_t)o.pairs;
	users = xcalloc(user_count, sizeof(*users));
	for (size_t i = 0; i < user_count; i++)
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
	for (size_t i = 0; i < user_count; i++)
		free((char *)(uintptr_t)users[i].s);
	free(users);
	free(flight);
	free(text);
	return 0;
}
