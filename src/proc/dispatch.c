/* SPDX-License-Identifier: BSD-2-Clause */
/* The listening sockets: opening them, and handing what they accept to the least loaded worker. */
#include "core/base.h"
#include "proc/master_priv.h"

#include "core/clock.h"
#include "core/log.h"
#include "proc/channel.h"
#include "proc/inherit.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BACKLOG 4096
#define ACCEPTS_A_TURN 64
/* Over worker_connections a worker still takes so many, to refuse what they ask for in words. */
#define OVERFULL 128
/* So many may be under way to a worker: the channel holds a few hundred, and orders have to find room, too. */
#define UNDER_WAY_MAX 64
/* Workers tell each second that they live. One that has not for so long gets no more to do. */
#define SILENCE_MS 3000
/* How long accepting rests when descriptors or memory run out. */
#define REST_MS 100

static bool has_room(const struct master *m, const struct worker_row *row, int64_t now)
{
	uint64_t load = row->connections + (row->passed - row->taken);
	return row->state == WORKER_READY && now - row->alive_ms < SILENCE_MS &&
	       row->passed - row->taken < UNDER_WAY_MAX && load < (uint64_t)m->conf->worker_connections + OVERFULL;
}

/* The ready worker with the fewest connections, those under way to it included; -1 if none has room. */
static int least_loaded(const struct master *m)
{
	uint64_t least = UINT64_MAX;
	int64_t now = clock_mono_ms();
	int best = -1;
	for (unsigned i = 0; i < m->slots; i++) {
		struct worker_row row;
		if (m->child[i].pid == 0 || m->child[i].told_to_leave)
			continue;
		hub_worker_read(m->hub, i, &row);
		if (!has_room(m, &row, now))
			continue;
		uint64_t load = row.connections + (row.passed - row.taken);
		if (load < least) {
			least = load;
			best = (int)i;
		}
	}
	return best;
}

static void pass(struct master *m, enum im_door door, int fd, const struct addr *peer)
{
	int slot = least_loaded(m);
	struct order order = {.kind = ORDER_SOCKET, .door = door, .peer = *peer};
	if (slot < 0 || channel_send(m->child[slot].channel, &order, fd) != 0) {
		m->refused++;
		return;
	}
	m->child[slot].was_ready = true;
	hub_master_begin(m->hub, (unsigned)slot)->passed++;
	hub_master_end(m->hub, (unsigned)slot);
}

static void rest(struct master *m)
{
	struct timeval tv = {.tv_usec = REST_MS * 1000};
	for (size_t i = 0; i < m->listener_count; i++)
		event_del(m->listener[i].event);
	m->accepting = false;
	event_add(m->tick, &tv);
}

/* Up to `most` of those that wait. */
static void take(struct listener *l, int most)
{
	struct master *m = l->m;
	for (int i = 0; i < most && least_loaded(m) >= 0; i++) {
		struct addr peer = {.len = sizeof(peer.sa)};
		int fd = accept4(l->fd, (struct sockaddr *)&peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
				log_error("cannot accept: %s", strerror(errno));
				rest(m);
			}
			return;
		}
		pass(m, l->door, fd, &peer);
		close(fd);
	}
}

static void on_connection(evutil_socket_t listening, short what, void *arg)
{
	struct listener *l = arg;
	(void)listening;
	(void)what;
	take(l, ACCEPTS_A_TURN);
	dispatch_update(l->m);
}

void dispatch_take_waiting(struct master *m)
{
	for (size_t i = 0; i < m->listener_count; i++)
		take(&m->listener[i], BACKLOG);
}

void dispatch_update(struct master *m)
{
	bool serves = m->phase == MASTER_SERVING || m->phase == MASTER_LEAVING;
	bool room = serves && least_loaded(m) >= 0;
	if (room == m->accepting)
		return;
	m->accepting = room;
	for (size_t i = 0; i < m->listener_count; i++) {
		if (room)
			event_add(m->listener[i].event, NULL);
		else
			event_del(m->listener[i].event);
	}
}

static void listener_close(struct listener *l)
{
	if (l->event != NULL)
		event_free(l->event);
	if (l->fd >= 0)
		close(l->fd);
	free(l->text);
	*l = (struct listener){.fd = -1};
}

static void listeners_close(struct listener *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		listener_close(&list[i]);
	free(list);
}

static int open_one(struct listener *l, const char *text, enum im_door door, char **err_r)
{
	struct addr addr;
	const char *reason;
	*l = (struct listener){.text = xstrdup(text), .door = door, .fd = -1};
	if (addr_parse(&addr, text, &reason) == 0) {
		l->fd = inherit_socket(&addr, &l->not_ours);
		if (l->fd < 0)
			l->fd = addr_listen(&addr, BACKLOG, &reason);
	}
	if (l->fd >= 0)
		return 0;
	*err_r = xasprintf("cannot listen on %s: %s", text, reason);
	return -1;
}

/* Moves the open socket of the same address out of the old list. */
static bool keep(struct master *m, const char *text, struct listener *to)
{
	for (size_t i = 0; i < m->listener_count; i++) {
		struct listener *from = &m->listener[i];
		if (from->fd >= 0 && strcmp(from->text, text) == 0) {
			*to = *from;
			from->fd = -1;
			from->event = NULL;
			from->text = NULL;
			return true;
		}
	}
	return false;
}

static bool stands(const struct master *m, const char *text)
{
	for (size_t i = 0; i < m->listener_count; i++)
		if (strcmp(m->listener[i].text, text) == 0)
			return true;
	return false;
}

/* The address of that number: listen's, then tls.listen's, then admin.listen. */
static const char *wanted(const struct conf *conf, size_t i, enum im_door *door_r)
{
	*door_r = IM_DOOR_PUBLIC;
	if (i < conf->listen.count)
		return conf->listen.item[i];
	i -= conf->listen.count;
	*door_r = IM_DOOR_TLS;
	if (i < conf->tls.listen.count)
		return conf->tls.listen.item[i];
	*door_r = IM_DOOR_ADMIN;
	return conf->admin.listen;
}

int dispatch_listen(struct master *m, const struct conf *conf, char **err_r)
{
	size_t n = 0, total = conf->listen.count + conf->tls.listen.count + (conf->admin.listen[0] != '\0');
	struct listener *list = xcalloc(total, sizeof(*list));
	for (size_t i = 0; i < total; i++) {
		enum im_door door;
		const char *text = wanted(conf, i, &door);
		if (stands(m, text)) {
			list[n++] = (struct listener){.text = xstrdup(text), .door = door, .fd = -1};
		} else if (open_one(&list[n++], text, door, err_r) != 0) {
			listeners_close(list, n);
			return -1;
		}
	}
	/* From here on nothing can fail. */
	for (size_t i = 0; i < n; i++) {
		struct listener *l = &list[i];
		enum im_door door = l->door;
		if (l->fd < 0) {
			char *text = l->text;
			bool kept = keep(m, text, l);
			ASSERT(kept);
			free(text);
			if (l->event != NULL)
				event_free(l->event);
		}
		l->m = m;
		l->door = door;
		l->event = event_new(m->base, l->fd, EV_READ | EV_PERSIST, on_connection, l);
	}
	listeners_close(m->listener, m->listener_count);
	m->listener = list;
	m->listener_count = n;
	m->accepting = false;
	dispatch_update(m);
	return 0;
}

void dispatch_remove(struct master *m)
{
	for (size_t i = 0; i < m->listener_count; i++)
		if (!m->listener[i].not_ours && strncmp(m->listener[i].text, "unix:", 5) == 0)
			unlink(m->listener[i].text + 5);
	dispatch_close(m);
}

void dispatch_close(struct master *m)
{
	listeners_close(m->listener, m->listener_count);
	m->listener = NULL;
	m->listener_count = 0;
}
