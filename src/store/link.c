/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One non-blocking connection, the only door to MariaDB Connector/C. Decides when
 * a connection is made, given up and kept alive. Must not know what the
 * statements are for, and never calls the library's blocking functions but mysql_init,
 * mysql_close (on a socket that cannot block) and those that only look at memory.
 *
 * The library's traps: MYSQL_OPT_NONBLOCK has to be set before connecting; every
 * result has to be read to the end; after 2006 and 2013 the handle is dead, and the library may have closed the socket
 * within any step, so that its number is somebody else's; a step that is continued without having waited is out of
 * sync; it resolves host names blockingly; mysql_close sends a goodbye, and so may block on a full
 * socket, unless that is shut down before. And one of MariaDB's: a KILL QUERY that comes between two statements
 * of a text silently leaves out the answers that are to follow, which only asking the server tells (probe.h).
 */
#include "core/base.h"
#include "store/link.h"

#include <arpa/inet.h>
#include <errmsg.h>
#include <event2/event.h>
#include <fcntl.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/clock.h"
#include "core/log.h"
#include "store/probe.h"

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 1000
/* An idle connection is used that often; the server ends one that is silent for SILENCE_SECS. */
#define PING_MS 2000
#define SILENCE_SECS "8"
#define RESOLVE_AGAIN_MS 30000
/* One may have met a KILL, or a server that was about to come back. */
#define AWAY_ATTEMPTS 2
/* An answer that is to follow another is overdue after that. */
#define OVERDUE_MS 500
/* MariaDB's and MySQL's "your connection was ended", which mysqld_error.h of the other does not have. */
#define SERVER_ENDED_KILLED 1927
#define SERVER_ENDED_IDLE 4031

enum link_state {
	LINK_DOWN, /* waits for the time to connect again */
	LINK_CONNECTING,
	LINK_IDLE,
	LINK_ASKING,  /* a query is being sent, its first answer awaited */
	LINK_STORING, /* rows of a result are coming */
	LINK_NEXT,    /* the next result is awaited */
};

struct link {
	struct event_base *base;
	const struct conf *conf;
	struct link_options options;
	const struct link_events *events;
	void *ctx;

	enum link_state state;
	bool up;	   /* the settings were made */
	bool complained;   /* the present absence was logged */
	unsigned failures; /* of attempts to connect since it was up, at most AWAY_ATTEMPTS */
	MYSQL *mysql;
	int fd;	   /* -1, or what the events below watch */
	int wants; /* MYSQL_WAIT_… that the events are armed for */
	struct event *readable, *writable;
	struct event *timer; /* DOWN: connect again; IDLE: ping; else: see what holds it up */
	unsigned left_ms;    /* else: beyond the timer, before it is given up */
	struct event *later; /* active when a step of a query has finished at once */
	unsigned backoff_ms;
	char host[INET6_ADDRSTRLEN]; /* "" while not resolved */

	struct link_query *query; /* not NULL from ASKING to NEXT */
	struct link_query own;	  /* the settings, and pings */
	unsigned stmt;
	struct probe *probe; /* while it is asked what became of the next answer */
	unsigned probed_stmt;

	/* where the library leaves what its functions return */
	MYSQL *connected;
	MYSQL_RES *result;
	int failed;
};

static int start_step(struct link *l);
static void go(struct link *l, int ready);

static const char settings[] = "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',time_zone='+00:00',"
			       "autocommit=1,innodb_lock_wait_timeout=1,wait_timeout=" SILENCE_SECS ";"
			       "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

static void set_timer(struct link *l, unsigned ms)
{
	const struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
	evtimer_add(l->timer, &after);
}

static void set_overdue_timer(struct link *l)
{
	unsigned ms = l->left_ms < OVERDUE_MS ? l->left_ms : OVERDUE_MS;
	l->left_ms -= ms;
	set_timer(l, ms);
}

static void begin_waiting(struct link *l)
{
	l->left_ms = l->options.answer_timeout_ms;
	set_overdue_timer(l);
}

/* ---- events ---- */

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void unwatch(struct link *l)
{
	if (l->readable != NULL)
		event_free(l->readable);
	if (l->writable != NULL)
		event_free(l->writable);
	l->readable = l->writable = NULL;
	l->fd = -1;
	l->wants = 0;
}

static void watch(struct link *l, int wants)
{
	wants &= MYSQL_WAIT_READ | MYSQL_WAIT_WRITE | MYSQL_WAIT_EXCEPT; /* time is our own affair */
	int fd = mysql_get_socket(l->mysql);
	if (fd != l->fd) {
		unwatch(l);
		l->fd = fd;
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		l->readable = event_new(l->base, fd, EV_READ | EV_PERSIST, on_ready, l);
		l->writable = event_new(l->base, fd, EV_WRITE | EV_PERSIST, on_ready, l);
		ASSERT(l->readable != NULL && l->writable != NULL);
	}
	int changed = wants ^ l->wants;
	if (changed & (MYSQL_WAIT_READ | MYSQL_WAIT_EXCEPT)) {
		if (wants & (MYSQL_WAIT_READ | MYSQL_WAIT_EXCEPT))
			event_add(l->readable, NULL);
		else
			event_del(l->readable);
	}
	if (changed & MYSQL_WAIT_WRITE) {
		if (wants & MYSQL_WAIT_WRITE)
			event_add(l->writable, NULL);
		else
			event_del(l->writable);
	}
	l->wants = wants;
}

/* ---- the end of a connection ---- */

static void close_handle(struct link *l)
{
	bool quiet = l->state == LINK_IDLE;
	probe_free(&l->probe);
	unwatch(l);
	if (l->result != NULL)
		mysql_free_result(l->result);
	l->result = NULL;
	if (l->mysql != NULL) {
		int fd = mysql_get_socket(l->mysql);
		if (fd >= 0 && !quiet)
			shutdown(fd, SHUT_RDWR);
		mysql_close(l->mysql);
	}
	l->mysql = NULL;
	event_del(l->later);
}

static void lost(struct link *l, const char *reason, unsigned error)
{
	char *why = xasprintf("%s", reason != NULL && reason[0] != '\0' ? reason : "connection lost");
	struct link_query *q = l->query == &l->own ? NULL : l->query;
	if (l->state == LINK_IDLE)
		l->state = LINK_ASKING; /* the server has gone already: no goodbye */
	close_handle(l);
	l->state = LINK_DOWN;
	l->query = NULL;
	if (!l->up && l->failures < AWAY_ATTEMPTS)
		l->failures++;
	l->up = false;
	if (!l->complained)
		log_warn("database (%s): %s", l->options.name, why);
	l->complained = true;
	if (!l->options.once) {
		set_timer(l, l->backoff_ms);
		l->backoff_ms = l->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : l->backoff_ms * 2;
	} else {
		evtimer_del(l->timer);
	}
	if (q != NULL)
		q->done(q, &(struct link_result){.outcome = LINK_LOST, .error = error, .message = why});
	if (l->events->down != NULL)
		l->events->down(l, why, l->ctx);
	free(why);
}

static bool error_ends_connection(unsigned error)
{
	return (error >= CR_MIN_ERROR && error <= CR_MAX_ERROR) || error == ER_SERVER_SHUTDOWN ||
	       error == SERVER_ENDED_KILLED || error == SERVER_ENDED_IDLE;
}

/* ---- connecting ---- */

/* The server's address, once for all links of the process: asking for it may block for seconds. */
static struct {
	char name[NI_MAXHOST];
	char address[INET6_ADDRSTRLEN]; /* "" while it is not known */
	int64_t again_ms;		/* 0: was not asked for yet */
} resolved;

static void ask_resolver(const struct link *l, const char *host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *found = NULL;
	int error = getaddrinfo(host, NULL, &hints, &found);
	if (error == EAI_NONAME) {
		hints.ai_flags = 0;
		error = getaddrinfo(host, NULL, &hints, &found);
	}
	if (error == 0)
		error = getnameinfo(found->ai_addr, found->ai_addrlen, resolved.address, sizeof(resolved.address), NULL,
				    0, NI_NUMERICHOST);
	if (error != 0) {
		resolved.address[0] = '\0';
		log_error("database (%s): host %s: %s", l->options.name, host, gai_strerror(error));
	}
	resolved.again_ms = clock_mono_ms() + RESOLVE_AGAIN_MS;
	if (found != NULL)
		freeaddrinfo(found);
}

static void resolve(struct link *l)
{
	const char *host = l->conf->mysql.host;
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (l->conf->mysql.socket[0] != '\0' || l->host[0] != '\0')
		return;
	if (strcmp(host, resolved.name) != 0) {
		snprintf(resolved.name, sizeof(resolved.name), "%s", host);
		resolved.address[0] = '\0';
		resolved.again_ms = 0;
	}
	if (resolved.address[0] == '\0' && (resolved.again_ms == 0 || clock_mono_ms() >= resolved.again_ms))
		ask_resolver(l, host);
	memcpy(l->host, resolved.address, sizeof(l->host));
}

static void start_connecting(struct link *l)
{
	resolve(l);
	const char *path = l->conf->mysql.socket;
	if (path[0] == '\0' && l->host[0] == '\0') {
		lost(l, "the host's name cannot be resolved", CR_UNKNOWN_HOST);
		return;
	}
	l->mysql = mysql_init(NULL);
	ASSERT(l->mysql != NULL);
	unsigned protocol = path[0] != '\0' ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
	const unsigned no = 0;
	mysql_options(l->mysql, MYSQL_OPT_NONBLOCK, NULL);
	mysql_options(l->mysql, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_options(l->mysql, MYSQL_OPT_LOCAL_INFILE, &no);
	mysql_options(l->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	l->state = LINK_CONNECTING;
	begin_waiting(l);
	go(l, -1);
}

static void own_done(struct link_query *q, const struct link_result *r);

static void ask(struct link *l, struct link_query *q)
{
	l->query = q;
	l->stmt = 0;
	l->state = LINK_ASKING;
	begin_waiting(l);
	int wants = start_step(l);
	if (wants != 0) {
		watch(l, wants);
	} else {
		unwatch(l);
		event_active(l->later, 0, 0);
	}
}

static void own_query(struct link *l, struct str text)
{
	l->own = (struct link_query){.text = text, .done = own_done};
	ask(l, &l->own);
}

static void become_idle(struct link *l)
{
	probe_free(&l->probe);
	l->query = NULL;
	l->state = LINK_IDLE;
	watch(l, MYSQL_WAIT_READ); /* to learn of its end */
	set_timer(l, PING_MS);
}

static void own_done(struct link_query *q, const struct link_result *r)
{
	struct link *l = container_of(q, struct link, own);
	if (r->outcome == LINK_ERROR && !l->up) {
		lost(l, r->message, r->error);
		return;
	}
	l->backoff_ms = BACKOFF_MIN_MS;
	if (!l->up && l->complained)
		log_info("database (%s): connected", l->options.name);
	l->complained = false;
	l->failures = 0;
	l->up = true;
	l->events->ready(l, l->ctx);
}

/* ---- one step after another ---- */

static int start_step(struct link *l)
{
	const struct conf *c = l->conf;
	switch (l->state) {
	case LINK_CONNECTING: {
		const char *db = l->options.database != NULL ? l->options.database : c->mysql.database;
		const char *path = c->mysql.socket[0] != '\0' ? c->mysql.socket : NULL;
		return mysql_real_connect_start(&l->connected, l->mysql, path == NULL ? l->host : NULL, c->mysql.user,
						c->mysql.password, db[0] != '\0' ? db : NULL, (unsigned)c->mysql.port,
						path, CLIENT_MULTI_STATEMENTS);
	}
	case LINK_ASKING:
		return mysql_real_query_start(&l->failed, l->mysql, l->query->text.s, l->query->text.len);
	case LINK_STORING:
		return mysql_store_result_start(&l->result, l->mysql);
	case LINK_NEXT:
		return mysql_next_result_start(&l->failed, l->mysql);
	case LINK_DOWN:
	case LINK_IDLE:
		break;
	}
	log_panic(__FILE__, __LINE__, "no step to start");
}

static int continue_step(struct link *l, int ready)
{
	switch (l->state) {
	case LINK_CONNECTING:
		return mysql_real_connect_cont(&l->connected, l->mysql, ready);
	case LINK_ASKING:
		return mysql_real_query_cont(&l->failed, l->mysql, ready);
	case LINK_STORING:
		return mysql_store_result_cont(&l->result, l->mysql, ready);
	case LINK_NEXT:
		return mysql_next_result_cont(&l->failed, l->mysql, ready);
	case LINK_DOWN:
	case LINK_IDLE:
		break;
	}
	log_panic(__FILE__, __LINE__, "no step to continue");
}

static void refused(struct link *l)
{
	unsigned error = mysql_errno(l->mysql);
	if (error_ends_connection(error)) {
		lost(l, mysql_error(l->mysql), error);
		return;
	}
	struct link_query *q = l->query;
	char *message = xstrdup(mysql_error(l->mysql));
	struct link_result r = {.outcome = LINK_ERROR, .stmt = l->stmt, .error = error, .message = message};
	snprintf(r.state, sizeof(r.state), "%s", mysql_sqlstate(l->mysql));
	become_idle(l);
	q->done(q, &r);
	free(message);
}

static void give_rows(struct link *l)
{
	struct link_query *q = l->query;
	unsigned columns = mysql_num_fields(l->result);
	MYSQL_ROW got;
	while (q->row != NULL && (got = mysql_fetch_row(l->result)) != NULL) {
		struct row row = {.column = got, .len = mysql_fetch_lengths(l->result), .count = columns};
		q->row(q, l->stmt, &row);
	}
	mysql_free_result(l->result);
	l->result = NULL;
}

/* A statement's answer is complete. True: there is another one to be asked for. */
static bool statement_done(struct link *l)
{
	struct link_query *q = l->query;
	if (q->stmt != NULL)
		q->stmt(q, l->stmt, mysql_affected_rows(l->mysql), mysql_insert_id(l->mysql));
	if (mysql_more_results(l->mysql)) {
		l->stmt++;
		l->state = LINK_NEXT;
		return true;
	}
	become_idle(l);
	q->done(q, &(struct link_result){.outcome = LINK_OK, .message = ""});
	return false;
}

/* The step has finished. True: the state has changed to one whose step is to be started. */
static bool finish_step(struct link *l)
{
	switch (l->state) {
	case LINK_CONNECTING:
		if (l->connected == NULL) {
			lost(l, mysql_error(l->mysql), mysql_errno(l->mysql));
			return false;
		}
		own_query(l, str_from(settings));
		return false;
	case LINK_ASKING:
	case LINK_NEXT:
		if (l->failed != 0) {
			refused(l);
			return false;
		}
		if (mysql_field_count(l->mysql) == 0)
			return statement_done(l);
		l->state = LINK_STORING;
		return true;
	case LINK_STORING:
		if (l->result == NULL) {
			refused(l);
			return false;
		}
		give_rows(l);
		return statement_done(l);
	case LINK_DOWN:
	case LINK_IDLE:
		break;
	}
	log_panic(__FILE__, __LINE__, "no step to finish");
}

/* ready: what the step under way waited for, or -1 to start one. */
static void go(struct link *l, int ready)
{
	for (;;) {
		int wants = ready < 0 ? start_step(l) : continue_step(l, ready);
		if (wants != 0) {
			watch(l, wants);
			return;
		}
		if (!finish_step(l))
			return;
		ready = -1;
	}
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;
	if (finish_step(l))
		go(l, -1);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;
	if (l->state == LINK_IDLE) {
		/* Nobody asked anything: it is the end of the connection, or a word about it. */
		lost(l, "the server has closed the connection", CR_SERVER_LOST);
		return;
	}
	int ready = (what & EV_READ ? l->wants & (MYSQL_WAIT_READ | MYSQL_WAIT_EXCEPT) : 0) |
		    (what & EV_WRITE ? l->wants & MYSQL_WAIT_WRITE : 0);
	if (ready != 0)
		go(l, ready);
}

/* ---- an answer that does not come ---- */

static bool has_input(const struct link *l)
{
	char byte;
	return recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

static void on_probed(bool idle, void *ctx)
{
	struct link *l = ctx;
	bool waits = l->state == LINK_NEXT && l->stmt == l->probed_stmt && !has_input(l);
	probe_free(&l->probe);
	if (idle && waits)
		lost(l, "the server has left out answers, as after a KILL QUERY", CR_SERVER_LOST);
}

static void on_overdue(struct link *l)
{
	if (l->left_ms == 0) {
		lost(l, "no answer in time", CR_SERVER_LOST);
		return;
	}
	set_overdue_timer(l);
	if (l->state != LINK_NEXT || l->probe != NULL || l->options.once)
		return;
	l->probed_stmt = l->stmt;
	l->probe = probe_new(l->base, l->conf, l->host, mysql_thread_id(l->mysql), on_probed, l);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;
	switch (l->state) {
	case LINK_DOWN:
		start_connecting(l);
		return;
	case LINK_IDLE:
		own_query(l, STR_LIT("DO 0"));
		return;
	case LINK_CONNECTING:
	case LINK_ASKING:
	case LINK_STORING:
	case LINK_NEXT:
		on_overdue(l);
		return;
	}
}

/* ---- from outside ---- */

struct link *link_new(struct event_base *base, const struct conf *conf, const struct link_options *options,
		      const struct link_events *events, void *ctx)
{
	struct link *l = xcalloc(1, sizeof(*l));
	l->base = base;
	l->conf = conf;
	l->options = *options;
	l->events = events;
	l->ctx = ctx;
	l->fd = -1;
	l->backoff_ms = BACKOFF_MIN_MS;
	if (l->options.answer_timeout_ms == 0)
		l->options.answer_timeout_ms = LINK_ANSWER_TIMEOUT_MS;
	if (options->host != NULL)
		snprintf(l->host, sizeof(l->host), "%s", options->host);
	l->timer = evtimer_new(base, on_timer, l);
	l->later = event_new(base, -1, 0, on_later, l);
	ASSERT(l->timer != NULL && l->later != NULL);
	resolve(l);
	set_timer(l, 0);
	return l;
}

void link_free(struct link **link)
{
	struct link *l = *link;
	if (l == NULL)
		return;
	close_handle(l);
	event_free(l->timer);
	event_free(l->later);
	free(l);
	*link = NULL;
}

bool link_is_idle(const struct link *l)
{
	return l->state == LINK_IDLE && l->up;
}

bool link_is_up(const struct link *l)
{
	return l->up;
}

bool link_is_away(const struct link *l)
{
	return l->failures == AWAY_ATTEMPTS;
}

void link_query(struct link *l, struct link_query *q)
{
	ASSERT(link_is_idle(l));
	ask(l, q);
}
