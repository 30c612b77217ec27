/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes the directory, the configuration, the tables and the people of a stack, and takes them away again. */
#include "core/base.h"
#include "stack.h"

#include <errno.h>
#include <event2/event.h>
#include <mysql.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "core/buf.h"
#include "pace.h"
#include "stack_priv.h"
#include "wire.h"

/* Of the fair clock: a start is slow under sanitizers and on a busy machine. */
#define START_MAX_MS 120000

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "torture: %s: %s\n", what, why);
	return -1;
}

/*
 * Against tests and others of this program that look for a port at the same moment, as t/lib/Tidings/Util.pm does it:
 * an abstract socket of that name is held until this program ends.
 */
static bool reserve_port(unsigned short port)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int len = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "tidings-test-port-%u", port);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if (bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0)
		return true;
	close(fd);
	return false;
}

/* A port nobody listens on, under the range that the system gives to outgoing connections. */
static unsigned short free_port(void)
{
	static struct rng rng;
	if (rng.state == 0)
		rng = rng_make((uint64_t)getpid() ^ (uint64_t)pace_real_ms(), 77);
	for (int i = 0; i < 500; i++) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		unsigned short port = (unsigned short)rng_between(&rng, 15000, 31999);
		if (!reserve_port(port))
			continue;
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		a.sin_port = htons(port);
		bool taken = fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 1) != 0;
		if (fd >= 0)
			close(fd);
		if (!taken)
			return port;
	}
	fputs("torture: no free port\n", stderr);
	exit(2);
}

static int write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		return complain(path, strerror(errno));
	return chmod(path, 0600);
}

static int write_conf(const struct stack *s, const struct node *n)
{
	struct buf b = {0};
	buf_printf(&b, "run_dir = \"%s/run\"\nnode_id = \"%s\"\nworkers = %u\nlisten = {\"127.0.0.1:%u\"}\n", n->dir,
		   n->name, s->workers, n->port);
	buf_printf(&b, "drain_timeout = 2\nadmin { listen = \"127.0.0.1:%u\" }\n", n->admin_port);
	buf_printf(&b,
		   "mysql { host = \"127.0.0.1\" port = %u user = \"torture\" password = \"torture\" database = "
		   "\"torture\" }\n",
		   proxy_port(n->db));
	buf_printf(&b, "redis { host = \"127.0.0.1\" port = %u }\n", proxy_port(n->redis));
	buf_printf(&b, "jwt { secret_file = \"%s/secret\" }\nsession { policy = %s }\n", s->dir, s->policy);
	buf_printf(&b, "limits { sends_per_second = 100000 burst = 100000 }\n");
	int result = write_file(n->conf, buf_cstr(&b));
	buf_fini(&b);
	return result;
}

static int make_node(struct stack *s, unsigned i)
{
	struct node *n = &s->node[i];
	n->process = (struct process){.kind = PROCESS_NODE, .index = i, .probe = -1};
	n->name = xasprintf("n%u", i + 1);
	n->dir = xasprintf("%s/%s", s->dir, n->name);
	n->conf = xasprintf("%s/tidings.conf", n->dir);
	n->log = xasprintf("%s/log", n->dir);
	n->port = free_port();
	n->admin_port = free_port();
	n->address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(n->port)};
	n->clients = proxy_new(s->base, (struct sockaddr *)&n->address, sizeof(n->address), &s->rng);
	n->db = proxy_new(s->base, (struct sockaddr *)&s->mariadb_address, sizeof(s->mariadb_address), &s->rng);
	n->redis = proxy_new(s->base, (struct sockaddr *)&s->redis_address, sizeof(s->redis_address), &s->rng);
	if (n->clients == NULL || n->db == NULL || n->redis == NULL)
		return complain("cannot listen", strerror(errno));
	char *run = xasprintf("%s/run", n->dir);
	int result = mkdir(n->dir, 0700) != 0 || mkdir(run, 0700) != 0 ? complain(run, strerror(errno)) : 0;
	free(run);
	return result != 0 ? -1 : write_conf(s, n);
}

/* ---- the tables and the people ---- */

static int sql(MYSQL *db, const char *text)
{
	return mysql_query(db, text) == 0 ? 0 : complain("MariaDB", mysql_error(db));
}

static int make_people(MYSQL *db, const struct stack_options *o)
{
	struct buf users = {0}, friends = {0};
	buf_printf(&users, "INSERT INTO torture.users (id) VALUES ");
	buf_printf(&friends, "INSERT INTO torture.friendships (user_id, friend_id) VALUES ");
	bool first = true;
	for (unsigned a = 0; a < o->users; a++) {
		buf_printf(&users, "%s('p%u')", a == 0 ? "" : ",", a);
		for (unsigned b = 0; b < o->users; b++) {
			if (a == b || !o->friends(o->users, a, b))
				continue;
			buf_printf(&friends, "%s('p%u','p%u')", first ? "" : ",", a, b);
			first = false;
		}
	}
	int result = sql(db, buf_cstr(&users)) == 0 && (first || sql(db, buf_cstr(&friends)) == 0) ? 0 : -1;
	buf_fini(&users);
	buf_fini(&friends);
	return result;
}

static int make_tables(struct stack *s, const struct stack_options *o)
{
	char program[256], log[128];
	MYSQL *db = mysql_init(NULL);
	int result = -1;
	snprintf(program, sizeof(program), "%s/tidingsctl", s->build);
	snprintf(log, sizeof(log), "%s/migrate.log", s->dir);
	if (mysql_real_connect(db, NULL, "root", NULL, NULL, 0, s->mariadb_address.sun_path, 0) == NULL) {
		complain("MariaDB", mysql_error(db));
		goto end;
	}
	if (sql(db, "CREATE USER torture@localhost IDENTIFIED BY 'torture'") != 0 ||
	    sql(db, "GRANT ALL ON torture.* TO torture@localhost") != 0)
		goto end;
	/* It goes through the proxy, whose loop is this one: it must not be waited for without turning it. */
	const char *const argv[] = {program, "-c", s->node[0].conf, "migrate", NULL};
	int status;
	pid_t pid = child_spawn(argv, log);
	while (!child_ended(pid, &status)) {
		static const struct timeval soon = {.tv_usec = 20000};
		event_base_loopexit(s->base, &soon);
		event_base_dispatch(s->base);
	}
	if (status != 0) {
		complain("tidingsctl migrate failed", log);
		goto end;
	}
	result = make_people(db, o);
end:
	mysql_close(db);
	return result;
}

static int make_database(struct stack *s)
{
	char data[128], tmp[128], log[128];
	snprintf(data, sizeof(data), "--datadir=%s/mariadb", s->dir);
	snprintf(tmp, sizeof(tmp), "--tmpdir=%s/tmp", s->dir);
	snprintf(log, sizeof(log), "%s/install.log", s->dir);
	/* Two servers in one tmpdir take each other's temporary files away. */
	if (mkdir(strchr(tmp, '=') + 1, 0700) != 0)
		return complain(tmp, strerror(errno));
	const char *const argv[] = {"mysql_install_db",
				    "--no-defaults",
				    data,
				    tmp,
				    "--auth-root-authentication-method=normal",
				    "--skip-test-db",
				    "--innodb-log-file-size=16M",
				    getuid() == 0 ? "--user=root" : NULL,
				    NULL};
	return child_run(argv, log) == 0 ? 0 : complain("mysql_install_db failed", log);
}

static bool databases_are_up(const struct stack *s)
{
	return s->mariadb.up && s->redis.up;
}

/* Turns the loop until it is so. */
static int wait_until(struct stack *s, bool (*is_so)(const struct stack *s), const char *what)
{
	int64_t until = pace_fair_ms() + START_MAX_MS;
	while (!is_so(s)) {
		static const struct timeval soon = {.tv_usec = 20000};
		if (s->failed)
			return -1;
		if (pace_fair_ms() > until)
			return complain(what, "not ready in time");
		event_base_loopexit(s->base, &soon);
		event_base_dispatch(s->base);
	}
	return 0;
}

static const int64_t never = INT64_MAX;

static int start_all(struct stack *s, const struct stack_options *o)
{
	char *secret = xasprintf("%s/secret", s->dir);
	int result = write_file(secret, STACK_SECRET "\n");
	free(secret);
	if (result != 0 || make_database(s) != 0)
		return -1;
	for (unsigned i = 0; i < s->nodes; i++) {
		if (make_node(s, i) != 0)
			return -1;
		s->node[i].process.start_at_ms = never;
	}
	stack_run(s);
	if (wait_until(s, databases_are_up, "MariaDB or Redis") != 0 || make_tables(s, o) != 0)
		return -1;
	for (unsigned i = 0; i < s->nodes; i++)
		s->node[i].process.start_at_ms = 0;
	return wait_until(s, stack_is_well, "a node");
}

static void unix_address(struct sockaddr_un *a, const char *dir, const char *name)
{
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path, sizeof(a->sun_path), "%s/%s", dir, name);
}

static void on_died_early(const char *what, void *arg)
{
	struct stack *s = arg;
	s->failed = true;
	complain("cannot be started", what);
}

struct stack *stack_start(struct event_base *base, const struct stack_options *o)
{
	const char *tmp = getenv("TMPDIR");
	struct stack *s = xcalloc(1, sizeof(*s));
	s->base = base;
	s->died = on_died_early;
	s->died_arg = s;
	s->build = xstrdup(o->build);
	s->policy = xstrdup(o->policy);
	s->workers = o->workers;
	s->nodes = o->nodes;
	s->rng = rng_make(o->seed, 3);
	s->mariadb = (struct process){.kind = PROCESS_MARIADB, .probe = -1};
	s->redis = (struct process){.kind = PROCESS_REDIS, .probe = -1};
	s->dir = xasprintf("%s/torture-XXXXXX", tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
	if (mkdtemp(s->dir) == NULL) {
		complain(s->dir, strerror(errno));
		exit(2);
	}
	unix_address(&s->mariadb_address, s->dir, "mariadb.sock");
	unix_address(&s->redis_address, s->dir, "redis.sock");
	if (start_all(s, o) != 0) {
		fprintf(stderr, "torture: the logs are in %s\n", s->dir);
		stack_stop(&s, true);
	}
	return s;
}

void stack_stop(struct stack **stack, bool keep)
{
	struct stack *s = *stack;
	if (s == NULL)
		return;
	s->stopping = true;
	child_kill_all();
	if (s->tick != NULL)
		event_free(s->tick);
	for (unsigned i = 0; i < s->nodes; i++) {
		struct node *n = &s->node[i];
		proxy_free(&n->clients);
		proxy_free(&n->db);
		proxy_free(&n->redis);
		free(n->name);
		free(n->dir);
		free(n->conf);
		free(n->log);
	}
	if (!keep) {
		const char *const argv[] = {"rm", "-rf", s->dir, NULL};
		if (child_run(argv, "/dev/null") != 0)
			complain("cannot remove", s->dir);
	}
	free(s->dir);
	free(s->build);
	free(s->policy);
	free(s);
	*stack = NULL;
}

/* ---- what the logs say ---- */

static char *fault_in(const char *path)
{
	static const char *const signs[] = {"AddressSanitizer", "LeakSanitizer", "runtime error:", "panic:"};
	char line[1024];
	FILE *f = fopen(path, "r");
	char *found = NULL;
	if (f == NULL)
		return NULL;
	while (found == NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < ARRAY_LEN(signs) && found == NULL; i++)
			if (strstr(line, signs[i]) != NULL)
				found = xasprintf("%s: %s", path, line);
	}
	fclose(f);
	return found;
}

char *stack_log_fault(const struct stack *s)
{
	char *found = NULL;
	for (unsigned i = 0; i < s->nodes && found == NULL; i++)
		found = fault_in(s->node[i].log);
	return found;
}

void stack_note_state(const struct stack *s)
{
	static const char *const commands[] = {"status", "workers", "sessions"};
	char *program = xasprintf("%s/tidingsctl", s->build), *channels = xasprintf("%s/channels", s->dir);
	/* A fault may last yet, and what is frozen answers nobody. */
	const char *const ask[] = {"timeout", "10",	  "redis-cli", "-s", s->redis_address.sun_path,
				   "PUBSUB",  "CHANNELS", NULL};
	if (child_run(ask, channels) != 0)
		fprintf(stderr, "torture: Redis does not answer\n");
	free(channels);
	for (unsigned i = 0; i < s->nodes; i++) {
		char *path = xasprintf("%s/status", s->node[i].dir);
		for (size_t k = 0; k < ARRAY_LEN(commands); k++) {
			const char *const argv[] = {"timeout", "10", program, "-c", s->node[i].conf, commands[k], NULL};
			if (child_run(argv, path) != 0)
				fprintf(stderr, "torture: %s does not answer tidingsctl %s\n", s->node[i].name,
					commands[k]);
		}
		free(path);
	}
	free(program);
}
