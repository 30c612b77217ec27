/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides when a connection is made, set up, checked, given up and made anew, and says so in the log. What goes over it
 * and how is link.c's affair.
 */
#include "core/base.h"
#include "store/link_priv.h"

#include <errmsg.h>
#include <event2/event.h>
#include <mysqld_error.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/dial.h"
#include "core/log.h"
#include "store/link_error.h"
#include "store/probe.h"

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 1000
/*
 * An idle connection is used that often; the server ends one that is silent for longer (settings.c). And a busy one
 * is asked that often whether the server can still be written to.
 */
#define CHECK_MS 2000
/* A reading connection to a server that is read-only is made anew that often: the name may have moved to another. */
#define RENEW_MS 5000
/* How long an attempt to connect to one address may take, and one that others follow. */
#define CONNECT_MS 5000
#define CONNECT_ONE_OF_MANY_MS 1000
/* Another reason than the one that was logged is logged no sooner than that. */
#define COMPLAIN_MS 5000
/* One may have met a KILL, or a server that was about to come back. */
#define AWAY_ATTEMPTS 2
/* An answer that is to follow another is overdue after that. */
#define OVERDUE_MS 500

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

void link_begin_waiting(struct link *l, unsigned ms)
{
	l->left_ms = ms < l->options.answer_timeout_ms ? ms : l->options.answer_timeout_ms;
	set_overdue_timer(l);
}

static void end_connection(struct link *l)
{
	probe_free(&l->probe);
	link_close(l);
}

/* Once for an absence, and again when its reason has changed. */
static void complain(struct link *l, const char *why, unsigned error)
{
	int64_t now = clock_mono_ms();
	if (l->complained != 0 && (l->complained == error || now - l->complained_ms < COMPLAIN_MS))
		return;
	if (error == ER_WRONG_VALUE_FOR_VAR)
		log_error("database (%s): %s", l->options.name, why);
	else
		log_warn("database (%s): %s", l->options.name, why);
	l->complained = error != 0 ? error : CR_UNKNOWN_ERROR;
	l->complained_ms = now;
}

static void set_reconnect(struct link *l)
{
	if (l->options.once) {
		evtimer_del(l->timer);
		return;
	}
	set_timer(l, l->backoff_ms);
	l->backoff_ms = l->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : l->backoff_ms * 2;
}

void link_lost(struct link *l, const char *reason, unsigned error)
{
	char *why = xasprintf("%s", reason != NULL && reason[0] != '\0' ? reason : "connection lost");
	struct link_query *q = l->query == &l->own ? NULL : l->query;
	if (l->state == LINK_IDLE)
		l->state = LINK_ASKING; /* the server has gone already: no goodbye */
	end_connection(l);
	l->state = LINK_DOWN;
	l->query = NULL;
	if (!l->up && l->dial != NULL && dial_has_more(l->dial)) {
		log_debug("database (%s): %s: %s", l->options.name, dial_text(l->dial), why);
		set_timer(l, 0);
		free(why);
		return;
	}
	if (!l->up && l->failures < AWAY_ATTEMPTS)
		l->failures++;
	l->up = false;
	l->read_only = link_error_is_read_only(error);
	complain(l, why, error);
	set_reconnect(l);
	if (q != NULL)
		q->done(q, &(struct link_result){.outcome = LINK_LOST,
						 .read_only = l->read_only,
						 .stmt = l->stmt,
						 .error = error,
						 .message = why});
	if (l->events->down != NULL)
		l->events->down(l, why, l->ctx);
	free(why);
}

/* Closes it, and makes another one at once; nobody is told. */
static void renew(struct link *l)
{
	end_connection(l);
	l->state = LINK_DOWN;
	l->up = false;
	set_timer(l, 0);
}

/* ---- connecting ---- */

static void connect_next(struct link *l)
{
	bool many = false;
	if (l->dial != NULL) {
		dial_next(l->dial);
		many = dial_has_more(l->dial);
	}
	link_begin_waiting(l, many ? CONNECT_ONE_OF_MANY_MS : CONNECT_MS);
	link_connect(l);
}

static void on_dialed(struct dial *d, const char *error, void *ctx)
{
	struct link *l = ctx;
	(void)d;
	if (error != NULL)
		link_lost(l, error, CR_UNKNOWN_HOST);
	else
		connect_next(l);
}

static void start_connecting(struct link *l)
{
	if (l->dial == NULL || dial_has_more(l->dial)) {
		connect_next(l);
		return;
	}
	l->state = LINK_DIALING;
	dial_start(l->dial);
}

/* ---- the link's own questions ---- */

static void own_row(struct link_query *q, unsigned stmt, struct row *row)
{
	struct link *l = container_of(q, struct link, own);
	(void)stmt;
	if (l->up) {
		bool was = l->read_only;
		l->read_only = settings_row_is_read_only(row);
		if (l->read_only && !was)
			l->connected_ms = 0;
		return;
	}
	free(l->unfit);
	l->unfit = settings_read(row, l->options.role, &l->read_only);
}

static void own_done(struct link_query *q, const struct link_result *r);

static void own_query(struct link *l)
{
	buf_clear(&l->own_text);
	if (l->up)
		buf_append_str(&l->own_text, STR_LIT(SETTINGS_ASK_READ_ONLY));
	else
		settings_build(&l->own_text, l->options.role, l->database);
	l->own = (struct link_query){.text = {l->own_text.data, l->own_text.len}, .row = own_row, .done = own_done};
	free(l->unfit);
	l->unfit = l->up ? NULL : xstrdup("the server does not say how the connection is set");
	link_ask(l, &l->own);
}

void link_connected(struct link *l)
{
	own_query(l);
}

void link_became_idle(struct link *l)
{
	probe_free(&l->probe);
	set_timer(l, CHECK_MS);
}

/* The settings are made: true if the connection is of use. */
static bool is_fit(struct link *l)
{
	if (l->unfit != NULL) {
		char *why = xasprintf("the connection cannot be used: %s", l->unfit);
		link_lost(l, why, ER_WRONG_VALUE_FOR_VAR);
		free(why);
		return false;
	}
	/* Only what writes refuses a server that is read-only if there is no other. */
	bool other = l->dial != NULL && dial_has_more(l->dial);
	if (l->read_only && (l->options.role == SETTINGS_WRITE || other)) {
		link_lost(l, "the server is read-only", ER_OPTION_PREVENTS_STATEMENT);
		return false;
	}
	return true;
}

static void own_done(struct link_query *q, const struct link_result *r)
{
	struct link *l = container_of(q, struct link, own);
	int64_t now = clock_mono_ms();
	/* A check that was cut short, as by a KILL QUERY, has found nothing. */
	if (r->outcome == LINK_ERROR && !l->up) {
		char *why = xasprintf("the connection cannot be set: %s", r->message);
		link_lost(l, why, r->error);
		free(why);
		return;
	}
	if (!is_fit(l))
		return;
	l->checked_ms = now;
	if (l->up && l->read_only && l->options.role == SETTINGS_READ && now - l->connected_ms >= RENEW_MS) {
		renew(l);
		return;
	}
	l->backoff_ms = BACKOFF_MIN_MS;
	if (!l->up) {
		l->connected_ms = now;
		if (l->dial != NULL)
			dial_worked(l->dial);
	}
	if (l->complained != 0)
		log_info("database (%s): connected%s%s%s", l->options.name, l->dial != NULL ? " to " : "",
			 l->dial != NULL ? dial_text(l->dial) : "", l->read_only ? ", which is read-only" : "");
	l->complained = 0;
	l->failures = 0;
	l->up = true;
	l->events->ready(l, l->ctx);
}

/* After the end of a query, unless its owner has begun another. Within a transaction nothing is asked. */
void link_check_if_due(struct link *l)
{
	if (l->state == LINK_IDLE && l->up && clock_mono_ms() - l->checked_ms >= CHECK_MS && !link_in_transaction(l))
		own_query(l);
}

/* ---- an answer that does not come ---- */

static void on_probed(bool idle, void *ctx)
{
	struct link *l = ctx;
	bool waits = l->state == LINK_NEXT && l->stmt == l->probed_stmt && !link_has_input(l);
	probe_free(&l->probe);
	if (idle && waits)
		link_lost(l, "the server has left out answers, as after a KILL QUERY", CR_SERVER_LOST);
}

static void on_overdue(struct link *l)
{
	if (l->left_ms == 0) {
		link_lost(l, "no answer in time", CR_SERVER_LOST);
		return;
	}
	set_overdue_timer(l);
	if (l->state != LINK_NEXT || l->probe != NULL || l->options.once)
		return;
	l->probed_stmt = l->stmt;
	l->probe = probe_new(l->base, l->conf, l->dial != NULL ? dial_text(l->dial) : NULL, link_server_id(l),
			     on_probed, l);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;
	switch (l->state) {
	case LINK_DOWN:
		start_connecting(l);
		return;
	case LINK_IDLE:
		own_query(l);
		return;
	case LINK_DIALING: /* the lookup has a time-out of its own */
		return;
	case LINK_GIVING: /* it is not the server that is waited for */
		set_timer(l, OVERDUE_MS);
		return;
	case LINK_CONNECTING:
	case LINK_ASKING:
	case LINK_STORING:
	case LINK_NEXT:
		on_overdue(l);
		return;
	}
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	link_go_on(arg);
}

/* ---- from outside ---- */

struct link *link_new(struct event_base *base, const struct conf *conf, const struct link_options *options,
		      const struct link_events *events, void *ctx)
{
	struct link *l = xcalloc(1, sizeof(*l));
	l->base = base;
	l->conf = conf;
	l->options = *options;
	l->database = options->database != NULL ? options->database : conf->mysql.database;
	l->events = events;
	l->ctx = ctx;
	l->fd = -1;
	l->backoff_ms = BACKOFF_MIN_MS;
	if (l->options.answer_timeout_ms == 0)
		l->options.answer_timeout_ms = LINK_ANSWER_TIMEOUT_MS;
	if (conf->mysql.socket[0] == '\0')
		l->dial = dial_new(base, options->host != NULL ? options->host : conf->mysql.host, conf->mysql.port,
				   on_dialed, l);
	l->timer = evtimer_new(base, on_timer, l);
	l->later = event_new(base, -1, 0, on_later, l);
	ASSERT(l->timer != NULL && l->later != NULL);
	set_timer(l, 0);
	return l;
}

void link_free(struct link **link)
{
	struct link *l = *link;
	if (l == NULL)
		return;
	end_connection(l);
	event_free(l->timer);
	event_free(l->later);
	dial_free(&l->dial);
	buf_fini(&l->own_text);
	free(l->unfit);
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

bool link_is_read_only(const struct link *l)
{
	return l->read_only;
}

bool link_is_away(const struct link *l)
{
	return l->failures == AWAY_ATTEMPTS;
}

void link_query(struct link *l, struct link_query *q)
{
	ASSERT(link_is_idle(l));
	link_ask(l, q);
}
