/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps of one non-blocking connection, and the only door to MariaDB Connector/C. When a connection is made and
 * given up is decided in link_life.c. Must not know what the statements are for, and never calls the library's blocking
 * functions but mysql_init, mysql_close (on a socket that cannot block) and those that only look at memory.
 *
 * The library's traps: MYSQL_OPT_NONBLOCK has to be set before connecting; every
 * result has to be read to the end; after 2006 and 2013 the handle is dead, and the library may have closed the socket
 * within any step, so that its number is somebody else's; a step that is continued without having waited is out of
 * sync; it resolves host names blockingly (it gets addresses only); mysql_close sends a goodbye, and so may block on a
 * full socket, unless that is shut down before. And one of MariaDB's: a KILL QUERY that comes between two statements
 * of a text silently leaves out the answers that are to follow, which only asking the server tells (probe.h).
 */
#include "core/base.h"
#include "store/link_priv.h"

#include <errmsg.h>
#include <event2/event.h>
#include <fcntl.h>
#include <mysql.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/clock.h"
#include "core/dial.h"
#include "core/log.h"
#include "store/link_error.h"

/* Rows are given for so long in one turn of the loop: whoever gets them may have work with each. */
#define GIVE_MS 4

static void go(struct link *l, int ready);

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

void link_close(struct link *l)
{
	bool quiet = l->state == LINK_IDLE;
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

/* ---- one step after another ---- */

static int start_step(struct link *l)
{
	const struct conf *c = l->conf;
	switch (l->state) {
	case LINK_CONNECTING: {
		const char *db = l->database;
		const char *host = l->dial != NULL ? dial_text(l->dial) : NULL;
		return mysql_real_connect_start(&l->connected, l->mysql, host, c->mysql.user, c->mysql.password,
						db[0] != '\0' ? db : NULL, (unsigned)c->mysql.port,
						host == NULL ? c->mysql.socket : NULL, CLIENT_MULTI_STATEMENTS);
	}
	case LINK_ASKING:
		return mysql_real_query_start(&l->failed, l->mysql, l->query->text.s, l->query->text.len);
	case LINK_STORING:
		return mysql_store_result_start(&l->result, l->mysql);
	case LINK_NEXT:
		return mysql_next_result_start(&l->failed, l->mysql);
	case LINK_DOWN:
	case LINK_DIALING:
	case LINK_IDLE:
	case LINK_GIVING:
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
	case LINK_DIALING:
	case LINK_IDLE:
	case LINK_GIVING:
		break;
	}
	log_panic(__FILE__, __LINE__, "no step to continue");
}

static void become_idle(struct link *l)
{
	l->query = NULL;
	l->state = LINK_IDLE;
	watch(l, MYSQL_WAIT_READ); /* to learn of its end */
	link_became_idle(l);
}

static void refused(struct link *l)
{
	unsigned error = mysql_errno(l->mysql);
	/* Only the first such error: a reading connection that has found no better server goes on. */
	bool ends = link_error_is_read_only(error) && !(l->options.role == SETTINGS_READ && l->read_only);
	if (ends || link_error_ends(error, mysql_sqlstate(l->mysql))) {
		link_lost(l, mysql_error(l->mysql), error);
		return;
	}
	struct link_query *q = l->query;
	char *message = xstrdup(mysql_error(l->mysql));
	struct link_result r = {.outcome = LINK_ERROR, .stmt = l->stmt, .error = error, .message = message};
	snprintf(r.state, sizeof(r.state), "%s", mysql_sqlstate(l->mysql));
	become_idle(l);
	q->done(q, &r);
	free(message);
	if (q != &l->own)
		link_check_if_due(l);
}

/* False: there may be more of them, after a turn of the loop. */
static bool give_rows(struct link *l)
{
	struct link_query *q = l->query;
	unsigned columns = mysql_num_fields(l->result);
	int64_t until_ms = clock_mono_ms() + GIVE_MS;
	MYSQL_ROW got;
	while (q->row != NULL && (got = mysql_fetch_row(l->result)) != NULL) {
		struct row row = {.column = got, .len = mysql_fetch_lengths(l->result), .count = columns};
		q->row(q, l->stmt, &row);
		if (clock_mono_ms() >= until_ms)
			return false;
	}
	mysql_free_result(l->result);
	l->result = NULL;
	return true;
}

/* By a timer: an event that is made active would be run in this turn. */
static void give_later(struct link *l)
{
	static const struct timeval next_turn = {0};
	watch(l, 0);
	event_add(l->later, &next_turn);
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
	bool own = q == &l->own;
	q->done(q, &(struct link_result){.outcome = LINK_OK, .message = ""});
	if (!own)
		link_check_if_due(l);
	return false;
}

/* The step has finished. True: the state has changed to one whose step is to be started. */
static bool finish_step(struct link *l)
{
	switch (l->state) {
	case LINK_CONNECTING:
		if (l->connected == NULL) {
			link_lost(l, mysql_error(l->mysql), mysql_errno(l->mysql));
			return false;
		}
		link_connected(l);
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
		l->state = LINK_GIVING;
		/* fallthrough */
	case LINK_GIVING:
		if (give_rows(l))
			return statement_done(l);
		give_later(l);
		return false;
	case LINK_DOWN:
	case LINK_DIALING:
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

void link_go_on(struct link *l)
{
	if (finish_step(l))
		go(l, -1);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;
	if (l->state == LINK_IDLE) {
		/* Nobody asked anything: it is the end of the connection, or a word about it. */
		link_lost(l, "the server has closed the connection", CR_SERVER_LOST);
		return;
	}
	int ready = (what & EV_READ ? l->wants & (MYSQL_WAIT_READ | MYSQL_WAIT_EXCEPT) : 0) |
		    (what & EV_WRITE ? l->wants & MYSQL_WAIT_WRITE : 0);
	if (ready != 0)
		go(l, ready);
}

/* ---- beginnings ---- */

void link_connect(struct link *l)
{
	unsigned protocol = l->dial == NULL ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
	const unsigned no = 0;
	l->mysql = mysql_init(NULL);
	ASSERT(l->mysql != NULL);
	mysql_options(l->mysql, MYSQL_OPT_NONBLOCK, NULL);
	mysql_options(l->mysql, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_options(l->mysql, MYSQL_OPT_LOCAL_INFILE, &no);
	mysql_options(l->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	l->state = LINK_CONNECTING;
	go(l, -1);
}

void link_ask(struct link *l, struct link_query *q)
{
	l->query = q;
	l->stmt = 0;
	l->state = LINK_ASKING;
	link_begin_waiting(l, l->options.answer_timeout_ms);
	int wants = start_step(l);
	if (wants != 0) {
		watch(l, wants);
	} else {
		unwatch(l);
		event_active(l->later, 0, 0);
	}
}

unsigned long link_server_id(const struct link *l)
{
	return mysql_thread_id(l->mysql);
}

bool link_in_transaction(const struct link *l)
{
	return (l->mysql->server_status & SERVER_STATUS_IN_TRANS) != 0;
}

bool link_has_input(const struct link *l)
{
	char byte;
	return recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}
