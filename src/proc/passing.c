/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which worker gets a socket, and what becomes of it until that worker has it: the master keeps its own descriptor
 * until the worker has reported it as taken, and passes it to another one if the worker dies first.
 *
 * Decides by what workers report and by what the master itself has counted; what they say is checked.
 */
#include "core/base.h"
#include "proc/master_priv.h"

#include "core/clock.h"
#include "core/log.h"
#include "proc/channel.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* How many over worker_connections a worker still takes, to refuse what they ask for in words. */
#define OVERFULL 128
/* Connections of the admin listener a worker has at most. They are outside of worker_connections. */
#define ADMIN_MAX 64
/* Workers tell each second that they live. One that has not for so long gets no more to do. */
#define SILENCE_MS 3000
/* A socket that this many workers died of, or with, is closed. */
#define TRIES_MAX 3

static bool has_room(const struct child *c, enum im_door door, int64_t now)
{
	if (c->kind != CHILD_WORKER || c->pid == 0 || c->told_to_leave || c->state != WORKER_READY || c->deaf ||
	    now - c->lived_ms >= SILENCE_MS)
		return false;
	if (door == IM_DOOR_ADMIN)
		return c->admin_under_way < ADMIN_UNDER_WAY_MAX &&
		       c->admin_connections + c->admin_under_way < ADMIN_MAX;
	unsigned under_way = c->under_way - c->admin_under_way;
	return under_way < UNDER_WAY_MAX &&
	       c->connections + under_way < (unsigned)c->m->conf->worker_connections + OVERFULL;
}

/* The ready worker with the fewest connections, those under way to it included; NULL if none has room. */
static struct child *least_loaded(const struct master *m, enum im_door door)
{
	int64_t now = clock_mono_ms();
	struct child *best = NULL;
	uint64_t least = UINT64_MAX;
	for (unsigned i = 0; i < m->slots; i++) {
		struct child *c = &m->child[i];
		uint64_t load = (uint64_t)c->connections + c->under_way;
		if (load < least && has_room(c, door, now)) {
			least = load;
			best = c;
		}
	}
	return best;
}

bool passing_has_room(const struct master *m, enum im_door door)
{
	return least_loaded(m, door) != NULL;
}

static void keep(struct child *c, const struct passed *p)
{
	c->kept[(c->first_kept + c->under_way) % KEPT_MAX] = *p;
	c->under_way++;
	c->admin_under_way += p->door == IM_DOOR_ADMIN;
	hub_master_begin(c->m->hub, c->slot)->passed++;
	hub_master_end(c->m->hub, c->slot);
}

static bool give(struct master *m, const struct passed *p)
{
	struct order order = {.kind = ORDER_SOCKET, .door = p->door, .peer = p->peer};
	struct child *c;
	while ((c = least_loaded(m, p->door)) != NULL) {
		if (channel_send(c->channel, &order, p->fd) == 0) {
			keep(c, p);
			return true;
		}
		/* It is dead and not yet buried, or behind: not before it is heard again. */
		c->deaf = true;
	}
	return false;
}

static void wait_for_room(struct master *m, const struct passed *p)
{
	struct waiting *w = xmalloc(sizeof(*w));
	w->passed = *p;
	STAILQ_INSERT_TAIL(&m->waiting, w, entry);
}

void passing_give(struct master *m, int fd, enum im_door door, const struct addr *peer)
{
	struct passed p = {.fd = fd, .door = door, .peer = *peer, .tries = 1};
	if (!give(m, &p))
		wait_for_room(m, &p);
}

void passing_retry(struct master *m)
{
	STAILQ_HEAD(, waiting) again = STAILQ_HEAD_INITIALIZER(again);
	struct waiting *w;
	STAILQ_CONCAT(&again, &m->waiting);
	while ((w = STAILQ_FIRST(&again)) != NULL) {
		STAILQ_REMOVE_HEAD(&again, entry);
		if (give(m, &w->passed)) {
			free(w);
		} else if (m->phase == MASTER_STOPPING) {
			close(w->passed.fd);
			m->refused++;
			free(w);
		} else {
			STAILQ_INSERT_TAIL(&m->waiting, w, entry);
		}
	}
}

static struct passed next_kept(struct child *c)
{
	struct passed p = c->kept[c->first_kept];
	c->first_kept = (c->first_kept + 1) % KEPT_MAX;
	c->under_way--;
	c->admin_under_way -= p.door == IM_DOOR_ADMIN;
	return p;
}

/* It does not see the hub: its row is written for it. */
static void write_media_row(const struct child *c, const struct report *r)
{
	struct worker_row *row = hub_worker_begin(c->m->hub, c->slot);
	row->state = (int)r->state;
	row->alive_ms = clock_mono_ms();
	row->pending = r->jobs;
	row->connections = r->jobs_done < UINT32_MAX ? (uint32_t)r->jobs_done : UINT32_MAX;
	row->resident_kib = r->resident_kib;
	row->private_kib = r->private_kib;
	hub_worker_end(c->m->hub, c->slot);
}

/* 0, or -1: no honest worker says so. */
static int believe(struct child *c, const struct report *r)
{
	if (r->taken < c->taken || r->taken - c->taken > c->under_way || r->state < WORKER_STARTING ||
	    r->state > WORKER_DRAINING)
		return -1;
	for (; c->taken < r->taken; c->taken++)
		close(next_kept(c).fd);
	c->state = (enum worker_state)r->state;
	c->was_ready = c->was_ready || c->state != WORKER_STARTING;
	c->connections = r->connections;
	c->admin_connections = r->admin_connections;
	partners_report(c, r->writers_taken, r->writers_missing);
	if (c->kind == CHILD_MEDIA)
		write_media_row(c, r);
	c->deaf = false;
	c->lived_ms = clock_mono_ms();
	return 0;
}

/* Up to KEPT_MAX and some more: there are no more at a time. False: nothing more will come. */
static bool hear(struct child *c)
{
	struct report r;
	int got = 0;
	for (int i = 0; i < 2 * KEPT_MAX && (got = channel_receive_report(c->channel, &r)) > 0; i++) {
		if (believe(c, &r) == 0)
			continue;
		log_error("%s %u, process %d, reports what cannot be; it is killed", child_kind_name(c),
			  child_number(c), (int)c->pid);
		spawn_signal(c, SIGKILL);
		return false;
	}
	return got >= 0;
}

static void on_report(evutil_socket_t channel, short what, void *arg)
{
	struct child *c = arg;
	(void)channel;
	(void)what;
	if (!hear(c)) {
		/* Its death will be noticed, and then passing_end does the rest. */
		event_del(c->reports);
		c->deaf = true;
	}
	dispatch_update(c->m);
}

void passing_begin(struct child *c)
{
	c->taken = 0;
	c->first_kept = c->under_way = c->admin_under_way = 0;
	c->connections = c->admin_connections = 0;
	c->state = WORKER_STARTING;
	c->deaf = false;
	c->lived_ms = clock_mono_ms();
	c->reports = event_new(c->m->base, c->channel, EV_READ | EV_PERSIST, on_report, c);
	event_add(c->reports, NULL);
}

void passing_end(struct child *c)
{
	struct master *m = c->m;
	if (c->reports == NULL)
		return;
	/* What it has said last. */
	if (event_pending(c->reports, EV_READ, NULL))
		(void)hear(c);
	event_free(c->reports);
	c->reports = NULL;
	while (c->under_way > 0) {
		struct passed p = next_kept(c);
		if (p.tries++ < TRIES_MAX) {
			wait_for_room(m, &p);
		} else {
			log_warn_gated("a connection is closed: %d workers died before they took it", TRIES_MAX);
			close(p.fd);
			m->refused++;
		}
	}
	c->state = WORKER_FREE;
}

void passing_drop_all(struct master *m)
{
	struct waiting *w;
	for (unsigned i = 0; i < m->slots; i++) {
		struct child *c = &m->child[i];
		if (c->reports != NULL)
			event_free(c->reports);
		c->reports = NULL;
		while (c->under_way > 0)
			close(next_kept(c).fd);
	}
	while ((w = STAILQ_FIRST(&m->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&m->waiting, entry);
		close(w->passed.fd);
		free(w);
	}
}
