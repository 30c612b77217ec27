/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides which address is tried when. Opens no socket: its owner connects. */
#include "core/base.h"
#include "core/dial.h"

#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/lookup.h"

struct dial {
	struct event_base *base;
	char *host;
	int port;
	dial_fn *found;
	void *ctx;
	struct event *tell;    /* the addresses are known without a lookup, or have to do without its answer */
	struct lookup *lookup; /* under way; may outlive its round */
	bool is_literal;       /* the list was known from the beginning */
	bool stale;	       /* it was used though the name servers did not answer in time */
	struct sockaddr_storage list[LOOKUP_ADDRESSES_MAX];
	unsigned count;
	struct lookup_answer late; /* the list of the next round, where is_late */
	bool is_late;
	bool waiting;	  /* from dial_start() to found() */
	bool of_before;	  /* the lookup was begun in an earlier round than this one */
	bool in_round;	  /* from found() to dial_worked() or dial_start() */
	unsigned tried;	  /* of this round */
	unsigned in_vain; /* rounds since one worked */
	struct sockaddr_storage present, last_good;
	char text[NI_MAXHOST];
};

static socklen_t length(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void set_port(struct sockaddr_storage *a, int port)
{
	if (a->ss_family == AF_INET)
		((struct sockaddr_in *)a)->sin_port = htons((uint16_t)port);
	else
		((struct sockaddr_in6 *)a)->sin6_port = htons((uint16_t)port);
}

/* An address is understood here, scope included (fe80::1%eth0); anything else is left to the lookup. */
static void add_literal(struct dial *d, const char *host)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found = NULL;
	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return;
	if (found->ai_addrlen <= sizeof(d->list[0]))
		memcpy(&d->list[d->count++], found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
}

static void use_former(struct dial *d, const char *why)
{
	if (!d->stale)
		log_warn("host %s: %s; its former addresses are tried", d->host, why);
	d->stale = true;
}

static void begin_round(struct dial *d)
{
	d->waiting = false;
	d->in_round = true;
	d->found(d, NULL, d->ctx);
}

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct dial *d = arg;
	(void)fd;
	(void)what;
	/* It goes on: where every lookup takes that long, a server that has moved is still found. */
	if (d->lookup != NULL)
		use_former(d, "the name servers take too long");
	begin_round(d);
}

static void on_looked_up(const struct lookup_answer *answer, void *ctx);

static void start_lookup(struct dial *d)
{
	d->lookup = lookup_start(d->base, d->host, on_looked_up, d);
	d->of_before = false;
}

static void take_list(struct dial *d, const struct lookup_answer *answer)
{
	memcpy(d->list, answer->address, sizeof(d->list));
	d->count = answer->count;
}

/* The answer says what the name is now: its addresses, or that it has none. */
static bool is_word(const struct lookup_answer *answer)
{
	return answer->count != 0 || !answer->passing;
}

static void on_looked_up(const struct lookup_answer *answer, void *ctx)
{
	struct dial *d = ctx;
	d->lookup = NULL;
	if (!d->waiting) {
		if (is_word(answer)) {
			d->late = *answer;
			d->is_late = true;
		}
		return;
	}
	if (!is_word(answer) && d->of_before) {
		start_lookup(d);
		return;
	}
	evtimer_del(d->tell);
	if (is_word(answer))
		take_list(d, answer);
	if (d->count == 0) {
		char *error = xasprintf("host %s: %s", d->host, answer->error);
		d->waiting = false;
		d->found(d, error, d->ctx);
		free(error);
		return;
	}
	if (is_word(answer))
		d->stale = false;
	else
		use_former(d, answer->error);
	begin_round(d);
}

void dial_start(struct dial *d)
{
	if (d->in_round && !dial_has_more(d))
		d->in_vain++;
	d->in_round = false;
	d->waiting = true;
	d->tried = 0;
	event_del(d->tell);
	if (d->is_literal) {
		event_active(d->tell, 0, 0);
		return;
	}
	if (d->is_late)
		take_list(d, &d->late);
	d->is_late = false;
	d->of_before = true;
	if (d->lookup == NULL)
		start_lookup(d);
	const struct timeval after = {DIAL_FORMER_MS / 1000, DIAL_FORMER_MS % 1000 * 1000};
	if (d->count != 0)
		evtimer_add(d->tell, &after);
}

bool dial_has_more(const struct dial *d)
{
	return d->in_round && d->tried < d->count;
}

/* Where in the list the address is that comes first. */
static unsigned first(const struct dial *d)
{
	if (d->in_vain != 0)
		return d->in_vain % d->count;
	for (unsigned i = 0; i < d->count; i++)
		if (memcmp(&d->list[i], &d->last_good, sizeof(d->list[i])) == 0)
			return i;
	return 0;
}

bool dial_next(struct dial *d)
{
	if (!dial_has_more(d))
		return false;
	d->present = d->list[(first(d) + d->tried++) % d->count];
	if (getnameinfo((struct sockaddr *)&d->present, length(&d->present), d->text, sizeof(d->text), NULL, 0,
			NI_NUMERICHOST) != 0)
		snprintf(d->text, sizeof(d->text), "?");
	set_port(&d->present, d->port);
	return true;
}

void dial_worked(struct dial *d)
{
	d->last_good = d->present;
	set_port(&d->last_good, 0);
	d->in_round = false;
	d->in_vain = 0;
}

const struct sockaddr *dial_address(const struct dial *d, socklen_t *len_r)
{
	*len_r = length(&d->present);
	return (const struct sockaddr *)&d->present;
}

const char *dial_text(const struct dial *d)
{
	return d->text;
}

struct dial *dial_new(struct event_base *base, const char *host, int port, dial_fn *found, void *ctx)
{
	struct dial *d = xcalloc(1, sizeof(*d));
	d->base = base;
	d->host = xstrdup(host);
	d->port = port;
	d->found = found;
	d->ctx = ctx;
	d->tell = event_new(base, -1, 0, on_tell, d);
	ASSERT(d->tell != NULL);
	if (strcasecmp(host, "localhost") == 0) {
		add_literal(d, "127.0.0.1");
		add_literal(d, "::1");
	} else {
		add_literal(d, host);
	}
	d->is_literal = d->count != 0;
	return d;
}

void dial_free(struct dial **dp)
{
	struct dial *d = *dp;
	if (d == NULL)
		return;
	lookup_cancel(&d->lookup);
	event_free(d->tell);
	free(d->host);
	free(d);
	*dp = NULL;
}
