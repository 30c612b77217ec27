/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds processes that hang: each says in the hub every second that it lives. One that has not for too long
 * is aborted, so that it leaves a core, and then killed; spawn.c replaces it as any other dead one.
 */
#include "core/base.h"
#include "proc/master_priv.h"

#include "core/clock.h"
#include "core/log.h"

#include <event2/event.h>
#include <signal.h>

#define LOOK_MS 500
#define SILENCE_MAX_MS 10000
/* One that has never said anything may be slow to start: on a machine with too much to do, say. */
#define START_MAX_MS 60000
/*
 * The clock alone proves nothing: a master that was itself stopped, or whose clock was moved, sees all silent at once.
 * So many looks have to agree.
 */
#define LOOKS_MIN 4
/* From the abort to the kill. */
#define ABORT_LOOKS 4

static void look_at(struct child *c, int64_t now)
{
	struct worker_row row;
	hub_worker_read(c->m->hub, c->slot, &row);
	c->deaf = false;
	if (row.alive_ms > c->lived_ms && row.alive_ms <= now)
		c->lived_ms = row.alive_ms;
	if (row.alive_ms != c->alive_ms || c->looks == 0) {
		c->alive_ms = row.alive_ms;
		c->heard_ms = now;
		c->looks = 1;
		c->aborted_at = 0;
		return;
	}
	c->looks++;
	int64_t silent_ms = now - c->heard_ms;
	if (c->aborted_at != 0) {
		if (c->looks >= c->aborted_at + ABORT_LOOKS)
			spawn_signal(c, SIGKILL);
	} else if (c->looks > LOOKS_MIN && silent_ms >= (row.alive_ms != 0 ? SILENCE_MAX_MS : START_MAX_MS)) {
		log_error("%s %u, process %d, hangs: silent for %d s; it is killed", child_kind_name(c),
			  child_number(c), (int)c->pid, (int)(silent_ms / 1000));
		spawn_signal(c, SIGABRT);
		c->aborted_at = c->looks;
	}
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	int64_t now = clock_mono_ms();
	(void)fd;
	(void)what;
	for (unsigned i = 0; i < m->slots; i++)
		if (m->child[i].pid != 0)
			look_at(&m->child[i], now);
	dispatch_update(m);
}

void watchdog_start(struct master *m)
{
	static const struct timeval every = {.tv_usec = LOOK_MS * 1000};
	m->watchdog = event_new(m->base, -1, EV_PERSIST, on_look, m);
	event_add(m->watchdog, &every);
}
