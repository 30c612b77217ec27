/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Joins c-ares to the event loop. Each lookup has a channel of its own: that reads the system's configuration when it
 * is made, and takes all sockets with it when it is destroyed.
 *
 * A channel must not be destroyed from within its own callbacks, and may call back before ares_getaddrinfo() has
 * returned: the answer is kept, and given by an event.
 */
#include "core/base.h"
#include "core/lookup.h"

#include <ares.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "core/log.h"

/* How long a name server has for its first answer; twice as long the second time. */
#define SERVER_TIMEOUT_MS 700
#define SERVER_TRIES 2
/* What c-ares has open for a lookup: by UDP and by TCP to each name server. */
#define SOCKETS_MAX 16

struct watched {
	ares_socket_t fd; /* ARES_SOCKET_BAD: free */
	struct event *event;
	short what;
};

struct lookup {
	struct event_base *base;
	ares_channel channel;
	struct watched watched[SOCKETS_MAX];
	struct event *tick;	/* a name server's time is over */
	struct event *deadline; /* also made active once there is an answer */
	struct lookup_answer answer;
	bool answered;
	lookup_fn *done;
	void *ctx;
};

static const char *test_servers;

void lookup_set_servers(const char *servers)
{
	test_servers = servers;
}

/* ---- events ---- */

static void set_tick(struct lookup *l)
{
	struct timeval after;
	if (ares_timeout(l->channel, NULL, &after) != NULL)
		evtimer_add(l->tick, &after);
	else
		evtimer_del(l->tick);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *l = arg;
	(void)fd;
	(void)what;
	ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_tick(l);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *l = arg;
	ares_process_fd(l->channel, what & EV_READ ? fd : ARES_SOCKET_BAD, what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_tick(l);
}

static void unwatch(struct watched *w)
{
	if (w->event != NULL)
		event_free(w->event);
	*w = (struct watched){.fd = ARES_SOCKET_BAD};
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct lookup *l = arg;
	struct watched *w = NULL;
	short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		if (l->watched[i].fd == fd) {
			w = &l->watched[i];
			break;
		}
		if (w == NULL && l->watched[i].fd == ARES_SOCKET_BAD)
			w = &l->watched[i];
	}
	/* One that is not watched is found out by the tick: its time runs out. */
	if (w == NULL || (w->fd == fd && w->what == what))
		return;
	unwatch(w);
	if (what == 0)
		return;
	*w = (struct watched){.fd = fd, .what = what};
	w->event = event_new(l->base, fd, (short)(what | EV_PERSIST), on_socket, l);
	ASSERT(w->event != NULL);
	event_add(w->event, NULL);
}

/* ---- the answer ---- */

/* Field by field: what is between them, and the port, says nothing. */
static bool copy_address(struct sockaddr_storage *to, const struct sockaddr *sa)
{
	memset(to, 0, sizeof(*to));
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)to;
		in->sin_family = AF_INET;
		in->sin_addr = ((const struct sockaddr_in *)(const void *)sa)->sin_addr;
		return true;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
	in6->sin6_family = AF_INET6;
	in6->sin6_addr = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	in6->sin6_scope_id = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_scope_id;
	return true;
}

static void add_address(struct lookup_answer *a, const struct sockaddr *sa)
{
	struct sockaddr_storage copy;
	if (!copy_address(&copy, sa) || a->count == LOOKUP_ADDRESSES_MAX)
		return;
	for (unsigned i = 0; i < a->count; i++)
		if (memcmp(&a->address[i], &copy, sizeof(copy)) == 0)
			return;
	a->address[a->count++] = copy;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	struct lookup *l = arg;
	(void)timeouts;
	for (struct ares_addrinfo_node *n = found != NULL ? found->nodes : NULL; n != NULL; n = n->ai_next)
		add_address(&l->answer, n->ai_addr);
	if (found != NULL)
		ares_freeaddrinfo(found);
	if (l->answer.count == 0) {
		l->answer.error = status == ARES_SUCCESS ? "the name has no address" : ares_strerror(status);
		l->answer.passing = status != ARES_SUCCESS && status != ARES_ENOTFOUND && status != ARES_ENODATA &&
				    status != ARES_EBADNAME;
	}
	l->answered = true;
	event_active(l->deadline, 0, 0);
}

static void lookup_free(struct lookup *l)
{
	if (l->channel != NULL)
		ares_destroy(l->channel);
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		unwatch(&l->watched[i]);
	event_free(l->tick);
	event_free(l->deadline);
	free(l);
	ares_library_cleanup();
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *l = arg;
	struct lookup_answer answer = l->answer;
	lookup_fn *done = l->done;
	void *ctx = l->ctx;
	(void)fd;
	(void)what;
	if (!l->answered)
		answer = (struct lookup_answer){.error = "no answer from the name servers in time", .passing = true};
	lookup_free(l);
	done(&answer, ctx);
}

/* ---- from outside ---- */

static int open_channel(struct lookup *l)
{
	struct ares_options options = {
		.timeout = SERVER_TIMEOUT_MS,
		.tries = SERVER_TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = l,
	};
	int status =
		ares_init_options(&l->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (status != ARES_SUCCESS) {
		l->channel = NULL;
		return status;
	}
	return test_servers != NULL ? ares_set_servers_ports_csv(l->channel, test_servers) : status;
}

struct lookup *lookup_start(struct event_base *base, const char *name, lookup_fn *done, void *ctx)
{
	static const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_ENVHOSTS,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct lookup *l = xcalloc(1, sizeof(*l));
	l->base = base;
	l->done = done;
	l->ctx = ctx;
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		l->watched[i].fd = ARES_SOCKET_BAD;
	l->tick = evtimer_new(base, on_tick, l);
	l->deadline = evtimer_new(base, on_deadline, l);
	ASSERT(l->tick != NULL && l->deadline != NULL);
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		log_panic(__FILE__, __LINE__, "c-ares cannot start");
	const struct timeval after = {LOOKUP_TIMEOUT_MS / 1000, LOOKUP_TIMEOUT_MS % 1000 * 1000};
	evtimer_add(l->deadline, &after);
	int status = open_channel(l);
	if (status != ARES_SUCCESS) {
		on_answer(l, status, 0, NULL);
		return l;
	}
	ares_getaddrinfo(l->channel, name, NULL, &hints, on_answer, l);
	set_tick(l);
	return l;
}

void lookup_cancel(struct lookup **lp)
{
	if (*lp != NULL)
		lookup_free(*lp);
	*lp = NULL;
}
