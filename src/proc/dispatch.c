/* SPDX-License-Identifier: BSD-2-Clause */
/* The listening sockets: opening them, and accepting while there is somebody to pass the connections to. */
#include "core/base.h"
#include "proc/master_priv.h"

#include "core/log.h"
#include "proc/inherit.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BACKLOG 4096
#define ACCEPTS_A_TURN 64
/* How long accepting rests when descriptors or memory run out. */
#define REST_MS 100

static bool is_resting(const struct master *m)
{
	return m->rest != NULL && evtimer_pending(m->rest, NULL);
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	dispatch_update(arg);
}

static void rest(struct master *m)
{
	static const struct timeval tv = {.tv_usec = REST_MS * 1000};
	if (m->rest == NULL)
		m->rest = evtimer_new(m->base, on_rested, m);
	evtimer_add(m->rest, &tv);
}

/* Up to `most` of those that wait. */
static void take(struct listener *l, int most)
{
	struct master *m = l->m;
	for (int i = 0; i < most && passing_has_room(m, l->door); i++) {
		struct addr peer = {.len = sizeof(peer.sa)};
		int fd = accept4(l->fd, (struct sockaddr *)&peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			passing_give(m, fd, l->door, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_error_gated("cannot accept: %s", strerror(errno));
			rest(m);
		}
		return;
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
	passing_retry(m);
	bool serves = (m->phase == MASTER_SERVING || m->phase == MASTER_LEAVING) && !is_resting(m);
	for (size_t i = 0; i < m->listener_count; i++) {
		struct listener *l = &m->listener[i];
		bool arm = serves && passing_has_room(m, l->door);
		if (arm == l->armed)
			continue;
		l->armed = arm;
		if (arm)
			event_add(l->event, NULL);
		else
			event_del(l->event);
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
		l->armed = false;
		l->event = event_new(m->base, l->fd, EV_READ | EV_PERSIST, on_connection, l);
	}
	listeners_close(m->listener, m->listener_count);
	m->listener = list;
	m->listener_count = n;
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
