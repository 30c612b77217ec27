/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What group commit is compared with: the same rows written with a transaction a
 * message, over several connections at once, each with its statements prepared
 * and its conversations to itself, so that nobody waits for anybody's lock. It
 * speaks to the database alone; no client is answered and nothing is pushed.
 */
#include "core/base.h"
#include "tally.h"

#include "core/id.h"

#include <getopt.h>
#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] = "usage: baseline [OPTIONS] --socket PATH --database NAME\n"
			    "  -S, --socket PATH         of the database\n"
			    "  -D, --database NAME       with the schema of Tidings\n"
			    "  -U, --user NAME           of the database (root)\n"
			    "  -u, --users NAME          users are NAME0, NAME1, ...; pairs are friends (bench)\n"
			    "  -P, --pairs N             (200)\n"
			    "  -c, --connections N       (16)\n"
			    "  -b, --bytes N             of a text (100)\n"
			    "  -w, --warm-up SECONDS     (1)\n"
			    "  -d, --duration SECONDS    (10)\n"
			    "  -p, --pids NAME=PID,...   tell what these processes used\n";

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 'S'},   {"database", required_argument, NULL, 'D'},
	{"user", required_argument, NULL, 'U'},	    {"users", required_argument, NULL, 'u'},
	{"pairs", required_argument, NULL, 'P'},    {"connections", required_argument, NULL, 'c'},
	{"bytes", required_argument, NULL, 'b'},    {"warm-up", required_argument, NULL, 'w'},
	{"duration", required_argument, NULL, 'd'}, {"pids", required_argument, NULL, 'p'},
	{"help", no_argument, NULL, 'h'},	    {0},
};

static struct {
	const char *socket, *database, *user, *users;
	unsigned pairs, connections, bytes;
	double warmup_secs, duration_secs;
	struct procs group;
} o = {.user = "root",
       .users = "bench",
       .pairs = 200,
       .connections = 16,
       .bytes = 100,
       .warmup_secs = 1,
       .duration_secs = 10};

enum step { STEP_LOCK, STEP_CHECK, STEP_INSERT, STEP_UPDATE, STEPS };
static const char *const step_sql[STEPS] = {
	"SELECT id, last_seq FROM conversations WHERE user1_id = ? AND user2_id = ? FOR UPDATE",
	"SELECT COUNT(*), 0 FROM friendships WHERE ((user_id = ? AND friend_id = ?) OR (friend_id = ? AND user_id = ?))"
	" AND blocked = 0",
	"INSERT INTO messages (id, from_user_id, to_user_id, message_type, content, client_msg_id, created_at)"
	" VALUES (?, ?, ?, 0, ?, ?, UTC_TIMESTAMP(3))",
	"UPDATE conversations SET last_seq = last_seq + 1, last_message_time = UTC_TIMESTAMP(3),"
	" sort_time = UTC_TIMESTAMP(3), user2_unread = user2_unread + 1, user1_last_id = ?, user2_last_id = ?"
	" WHERE id = ?",
};

struct client {
	pthread_t thread;
	unsigned number;
	MYSQL *db;
	MYSQL_STMT *step[STEPS];
	unsigned sent;
	unsigned long run; /* tells the client_msg_ids of this run from earlier ones' */
	size_t committed;  /* in the measured time */
	struct spread spread;
};

static _Atomic uint64_t from_us, to_us = UINT64_MAX;

static void NORETURN die(const char *what, const char *why)
{
	fprintf(stderr, "baseline: %s: %s\n", what, why);
	exit(1);
}

static void run_step(struct client *c, enum step step, MYSQL_BIND *in, unsigned long long *a_r, unsigned long long *b_r)
{
	MYSQL_STMT *s = c->step[step];
	MYSQL_BIND out[2] = {{.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = a_r, .is_unsigned = 1},
			     {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = b_r, .is_unsigned = 1}};

	if (mysql_stmt_bind_param(s, in) != 0 || mysql_stmt_execute(s) != 0)
		die(step_sql[step], mysql_stmt_error(s));
	if (a_r == NULL)
		return;
	if (mysql_stmt_bind_result(s, out) != 0 || mysql_stmt_fetch(s) != 0)
		die(step_sql[step], "no row");
	mysql_stmt_free_result(s);
}

static MYSQL_BIND text(char *s)
{
	return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING, .buffer = s, .buffer_length = strlen(s)};
}

static MYSQL_BIND whole(unsigned long long *n)
{
	return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = n, .is_unsigned = 1};
}

static void send_one(struct client *c, char *content)
{
	unsigned own_pairs = (o.pairs - c->number + o.connections - 1) / o.connections;
	unsigned pair = c->number + c->sent % own_pairs * o.connections;
	unsigned long long id, seq, conversation, friends, unused;
	char from[80], to[80], key[65];

	snprintf(from, sizeof(from), "%s%u", o.users, 2 * pair);
	snprintf(to, sizeof(to), "%s%u", o.users, 2 * pair + 1);
	snprintf(key, sizeof(key), "%lx-%u-%u", c->run, c->number, c->sent++);
	/* Of two names the lesser one in order of bytes is user1. */
	bool swap = strcmp(from, to) > 0;
	run_step(c, STEP_LOCK, (MYSQL_BIND[]){text(swap ? to : from), text(swap ? from : to)}, &id, &seq);
	run_step(c, STEP_CHECK, (MYSQL_BIND[]){text(from), text(to), text(from), text(to)}, &friends, &unused);
	if (friends != 2)
		die("users are no friends", from);
	id = message_id_make(id, seq + 1);
	run_step(c, STEP_INSERT, (MYSQL_BIND[]){whole(&id), text(from), text(to), text(content), text(key)}, NULL,
		 NULL);
	conversation = message_id_conversation(id);
	run_step(c, STEP_UPDATE, (MYSQL_BIND[]){whole(&id), whole(&id), whole(&conversation)}, NULL, NULL);
	if (mysql_commit(c->db) != 0)
		die("commit", mysql_error(c->db));
}

static void *serve(void *arg)
{
	struct client *c = arg;
	char *content = xcalloc(1, o.bytes + 1);

	memset(content, 'x', o.bytes);
	for (;;) {
		uint64_t started = now_us(), done;
		if (started >= to_us)
			break;
		send_one(c, content);
		done = now_us();
		if (from_us != 0 && done >= from_us && done < to_us) {
			c->committed++;
			spread_add(&c->spread, done - started);
		}
	}
	free(content);
	mysql_close(c->db);
	return NULL;
}

static void prepare(struct client *c)
{
	c->run = (unsigned long)now_us();
	c->db = mysql_init(NULL);
	if (c->db == NULL || mysql_real_connect(c->db, NULL, o.user, "", o.database, 0, o.socket, 0) == NULL)
		die("connect", c->db == NULL ? "no memory" : mysql_error(c->db));
	for (int i = 0; i < STEPS; i++) {
		c->step[i] = mysql_stmt_init(c->db);
		if (c->step[i] == NULL || mysql_stmt_prepare(c->step[i], step_sql[i], strlen(step_sql[i])) != 0)
			die(step_sql[i], mysql_error(c->db));
	}
}

/* The conversations have to be there; an earlier run may have left them. */
static void make_conversations(MYSQL *db)
{
	char sql[512];
	for (unsigned i = 0; i < o.pairs; i++) {
		snprintf(sql, sizeof(sql),
			 "INSERT IGNORE INTO conversations (user1_id, user2_id, sort_time, created_at)"
			 " SELECT LEAST(a, b), GREATEST(a, b), UTC_TIMESTAMP(3), UTC_TIMESTAMP(3)"
			 " FROM (SELECT CAST('%s%u' AS CHAR CHARACTER SET ascii) a,"
			 " CAST('%s%u' AS CHAR CHARACTER SET ascii) b) t",
			 o.users, 2 * i, o.users, 2 * i + 1);
		if (mysql_query(db, sql) != 0)
			die(sql, mysql_error(db));
	}
}

static void set_option(int opt)
{
	switch (opt) {
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
		if (strlen(optarg) > 48)
			die("too long", optarg);
		o.users = optarg;
		break;
	case 'P':
		o.pairs = strtoul(optarg, NULL, 10);
		break;
	case 'c':
		o.connections = strtoul(optarg, NULL, 10);
		break;
	case 'b':
		o.bytes = strtoul(optarg, NULL, 10);
		break;
	case 'w':
		o.warmup_secs = strtod(optarg, NULL);
		break;
	case 'd':
		o.duration_secs = strtod(optarg, NULL);
		break;
	case 'p':
		if (procs_parse(&o.group, optarg) != 0)
			die("NAME=PID,... expected", optarg);
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void report(const struct client *client, double secs)
{
	struct spread all = {0};
	size_t done = 0;

	for (unsigned i = 0; i < o.connections; i++) {
		done += client[i].committed;
		all.count += client[i].spread.count;
		for (unsigned k = 0; k < SPREAD_STEPS; k++)
			all.step[k] += client[i].spread.step[k];
	}
	printf("mode baseline\nconnections %u\nmessages_per_second %.0f\n", o.connections, done / secs);
	printf("commit_p50_ms %.2f\ncommit_p99_ms %.2f\n", spread_percentile(&all, 50) / 1e3,
	       spread_percentile(&all, 99) / 1e3);
	if (o.group.count > 0)
		printf("cpu_%s_us_per_message %.1f\n", o.group.name, done == 0 ? 0 : (double)o.group.cpu_us / done);
}

int main(int argc, char **argv)
{
	struct client *client;
	uint64_t start;
	int opt;

	while ((opt = getopt_long(argc, argv, "S:D:U:u:P:c:b:w:d:p:h", long_options, NULL)) != -1)
		set_option(opt);
	/* A pair belongs to one connection: fewer pairs than connections would make them wait for locks. */
	if (optind != argc || o.socket == NULL || o.database == NULL || o.connections == 0 || o.bytes > 4096 ||
	    o.pairs < o.connections) {
		fputs(usage, stderr);
		return 2;
	}
	client = xcalloc(o.connections, sizeof(*client));
	for (unsigned i = 0; i < o.connections; i++) {
		client[i].number = i;
		prepare(&client[i]);
	}
	make_conversations(client[0].db);
	for (unsigned i = 0; i < o.connections; i++) {
		mysql_autocommit(client[i].db, 0);
		if (pthread_create(&client[i].thread, NULL, serve, &client[i]) != 0)
			die("thread", "cannot start");
	}
	usleep(o.warmup_secs * 1e6);
	o.group.cpu_us = procs_cpu_us(&o.group);
	start = now_us();
	from_us = start;
	usleep(o.duration_secs * 1e6);
	to_us = now_us();
	o.group.cpu_us = procs_cpu_us(&o.group) - o.group.cpu_us;
	for (unsigned i = 0; i < o.connections; i++)
		pthread_join(client[i].thread, NULL);
	report(client, (to_us - start) / 1e6);
	free(client);
	return 0;
}
