/* SPDX-License-Identifier: BSD-2-Clause */
/* A proxy between store and database that cuts a connection at a chosen packet. */
#ifndef TIDINGS_T_STORE_PROXY_H
#define TIDINGS_T_STORE_PROXY_H

#include "core/base.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "calls.h"
#include "db.h"
#include "store/settings.h"
#include "store/sql.h"

/* How the packet of the first round trip ends. */
#define END_OF_LOCKING "MAX(spends) FROM activity WHERE id=1"

enum cut {
	CUT_NONE,
	CUT_BEFORE, /* the packet never reaches the database */
	CUT_HALF,   /* half of it does */
	CUT_AFTER,  /* all of it does, its answer does not come back */
	CUT_LATE,   /* as before, and it does so only once the next connection is under way */
	CUT_ANSWER, /* of its answer only the first packet comes back, and the connection stays */
	CUT_UNDONE, /* not at all; but before it the database is made to roll back, and the client is not told */
};

struct tunnel {
	struct bufferevent *client, *server;
	bool cut_answer, answer_cut;
	bool undoing; /* what the client has sent waits for the answer to ROLLBACK, which the client never sees */
};

static char proxy_socket[96];
static bool proxy_closed;  /* a new connection ends at once */
static const char *cut_at;   /* how the packet to be cut ends */
static const char *cut_with; /* and what is in it; NULL: anything */
static enum cut cut;
static bool late_held;			      /* what is late waits for proxy_release(), not for the next connection */
static unsigned proxy_asked, proxy_cut_whole; /* packets; those cut that held a whole transaction */
static unsigned proxy_orphans;		      /* connections of the database whose clients are gone */
static struct bufferevent *late_server;
static struct evbuffer *late_bytes;
static struct event *late_timer;

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

static void close_tunnel(struct tunnel *t)
{
	if (t->client != NULL)
		bufferevent_free(t->client);
	if (t->server != NULL)
		bufferevent_free(t->server);
	free(t);
}

static void on_end(struct bufferevent *b, short what, void *arg)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		close_tunnel(arg);
}

static void on_orphan_read(struct bufferevent *b, void *arg)
{
	evbuffer_drain(bufferevent_get_input(b), SIZE_MAX);
}

static void on_orphan_end(struct bufferevent *b, short what, void *arg)
{
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
		return;
	proxy_orphans--;
	bufferevent_free(b);
}

static void on_orphan_written(struct bufferevent *b, void *arg)
{
	shutdown(bufferevent_getfd(b), SHUT_WR); /* the database reads on to the end, and answers nobody */
}

/* The server's side lives on without the client's, perhaps only until all is written. */
static void orphan(struct tunnel *t, bool until_written)
{
	bufferevent_setcb(t->server, on_orphan_read, until_written ? on_orphan_written : NULL, on_orphan_end, NULL);
	bufferevent_free(t->client);
	free(t);
	proxy_orphans++;
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	bufferevent_setcb(late_server, on_orphan_read, on_orphan_written, on_orphan_end, NULL);
	bufferevent_write_buffer(late_server, late_bytes);
	late_server = NULL;
}

static bool ends_with(struct evbuffer *in, const char *text)
{
	char tail[64];
	size_t len = strlen(text), have = evbuffer_get_length(in);
	if (have < len)
		return false;
	struct evbuffer_ptr at;
	evbuffer_ptr_set(in, &at, have - len, EVBUFFER_PTR_SET);
	evbuffer_copyout_from(in, &at, tail, len);
	return memcmp(tail, text, len) == 0;
}

static bool contains(struct evbuffer *in, const char *text)
{
	return evbuffer_search(in, text, strlen(text), NULL).pos >= 0;
}

/* It has come to the end of a packet: libevent reads 4096 bytes at a time. */
static bool is_whole(struct evbuffer *in)
{
	unsigned char head[4]; /* the length, lowest byte first, and a number */
	size_t at = 0, have = evbuffer_get_length(in);
	struct evbuffer_ptr p;
	while (at < have) {
		if (have - at < sizeof(head))
			return false;
		evbuffer_ptr_set(in, &p, at, EVBUFFER_PTR_SET);
		evbuffer_copyout_from(in, &p, head, sizeof(head));
		at += sizeof(head) + head[0] + ((size_t)head[1] << 8) + ((size_t)head[2] << 16);
	}
	return at == have;
}

/* What belongs to operations: a login, the link's own question and what was told may come at any time. */
static void count_asked(struct evbuffer *in)
{
	unsigned char head[4]; /* the length and a number, which is 0 in a command */
	bool command = evbuffer_copyout(in, head, sizeof(head)) == sizeof(head) && head[3] == 0;
	bool notes =
		contains(in, "INSERT INTO outbox_done") && !contains(in, SQL_BEGIN_1) && !contains(in, "SET @late");
	proxy_asked += command && !notes && !contains(in, SETTINGS_ASK_READ_ONLY);
}

static inline void proxy_release(void)
{
	late_held = false;
	evtimer_add(late_timer, &(struct timeval){0});
}

static void on_client_read(struct bufferevent *b, void *arg)
{
	struct tunnel *t = arg;
	struct evbuffer *in = bufferevent_get_input(b);
	if (t->undoing || !is_whole(in))
		return;
	count_asked(in);
	if (cut == CUT_NONE || !ends_with(in, cut_at) || (cut_with != NULL && !contains(in, cut_with))) {
		if (late_server != NULL && !late_held && ends_with(in, END_OF_LOCKING))
			evtimer_add(late_timer, &(struct timeval){.tv_usec = 50000});
		bufferevent_write_buffer(t->server, in);
		return;
	}
	enum cut how = cut;
	size_t len = evbuffer_get_length(in);
	proxy_cut_whole += contains(in, SQL_BEGIN_1);
	cut = CUT_NONE;
	switch (how) {
	case CUT_BEFORE:
		close_tunnel(t);
		break;
	case CUT_HALF:
		evbuffer_remove_buffer(in, bufferevent_get_output(t->server), len / 2);
		orphan(t, true);
		break;
	case CUT_AFTER:
		bufferevent_write_buffer(t->server, in);
		orphan(t, true);
		break;
	case CUT_LATE:
		evbuffer_add_buffer(late_bytes, in);
		late_server = t->server;
		orphan(t, false);
		break;
	case CUT_ANSWER:
		t->cut_answer = true;
		bufferevent_write_buffer(t->server, in);
		break;
	case CUT_UNDONE:
		t->undoing = true;
		evbuffer_add(bufferevent_get_output(t->server), "\x09\0\0\0\x03ROLLBACK", 13);
		break;
	case CUT_NONE:
		break;
	}
}

static void on_server_read(struct bufferevent *b, void *arg)
{
	struct tunnel *t = arg;
	struct evbuffer *in = bufferevent_get_input(b);
	unsigned char head[4]; /* the length, lowest byte first, and a number */
	if (t->undoing) {
		if (evbuffer_copyout(in, head, sizeof(head)) != sizeof(head) ||
		    evbuffer_get_length(in) < sizeof(head) + head[0])
			return;
		evbuffer_drain(in, sizeof(head) + head[0]);
		t->undoing = false;
		bufferevent_write_buffer(t->server, bufferevent_get_input(t->client));
		return;
	}
	if (!t->cut_answer) {
		bufferevent_write_buffer(t->client, in);
		return;
	}
	if (!t->answer_cut && evbuffer_copyout(in, head, sizeof(head)) == sizeof(head)) {
		size_t len = sizeof(head) + head[0] + ((size_t)head[1] << 8);
		if (evbuffer_get_length(in) < len)
			return;
		evbuffer_remove_buffer(in, bufferevent_get_output(t->client), len);
		t->answer_cut = true;
	}
	if (t->answer_cut)
		evbuffer_drain(in, SIZE_MAX);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a, int len, void *arg)
{
	if (proxy_closed) {
		close(fd);
		return;
	}
	struct tunnel *t = xcalloc(1, sizeof(*t));
	struct sockaddr_un to = address(db_socket);
	t->client = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	t->server = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(t->client, on_client_read, NULL, on_end, t);
	bufferevent_setcb(t->server, on_server_read, NULL, on_end, t);
	if (bufferevent_socket_connect(t->server, (struct sockaddr *)&to, sizeof(to)) != 0)
		db_die("the proxy cannot connect");
	bufferevent_enable(t->client, EV_READ | EV_WRITE);
	bufferevent_enable(t->server, EV_READ | EV_WRITE);
}

static inline struct evconnlistener *proxy_new(void)
{
	snprintf(proxy_socket, sizeof(proxy_socket), "%s/proxy", db_dir);
	struct sockaddr_un at = address(proxy_socket);
	late_bytes = evbuffer_new();
	late_timer = evtimer_new(base, on_late, NULL);
	return evconnlistener_new_bind(base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16,
				       (struct sockaddr *)&at, sizeof(at));
}

static inline void proxy_free(struct evconnlistener *proxy)
{
	evconnlistener_free(proxy);
	evbuffer_free(late_bytes);
	event_free(late_timer);
}

#endif
