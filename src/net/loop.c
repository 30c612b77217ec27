/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides the order of things within a turn: first the events, then what they deferred. Knows nothing
 * of what the events are about.
 *
 * The wheel's tick wakes an idle process 20 times a second; that costs less than knowing the next deadline would.
 */
#include "core/base.h"
#include "net/loop.h"

#include <limits.h>
#include <stdlib.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "core/clock.h"
#include "core/log.h"
#include "net/backlog.h"
#include "net/conn_priv.h"
#include "net/intake.h"
#include "net/poller.h"
#include "net/work.h"

TAILQ_HEAD(task_list, loop_task);

struct loop {
	struct event_base *base;
	struct wheel *wheel;
	struct poller *poller;
	struct backlog *backlog;
	struct intake *intake;
	struct work *disk; /* NULL: not needed yet */
	struct event *tick;
	struct task_list tasks;
	struct loop_task end_of_turn; /* separates what was queued before the tasks ran from what they queue */
	struct loop_task *postponed;  /* the last one of those that come first in the next turn; NULL: none */
	int64_t part_began_usecs;     /* 0: nobody has asked yet */
	bool stop;
	unsigned handshakes; /* of TLS, in this turn */
	char read_buffer[LOOP_READ_SIZE];
};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	wheel_advance(l->wheel, clock_mono_ms());
}

struct loop *loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	TAILQ_INIT(&l->tasks);
	struct event_config *cfg = event_config_new();
	if (cfg == NULL || event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK) != 0)
		log_fatal("cannot configure the event loop");
	l->base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (l->base == NULL)
		log_fatal("cannot make an event loop");
	l->wheel = wheel_new(clock_mono_ms());
	static const struct timeval every = {WHEEL_TICK_MS / 1000, WHEEL_TICK_MS % 1000 * 1000};
	l->tick = event_new(l->base, -1, EV_PERSIST, on_tick, l);
	if (l->tick == NULL || event_add(l->tick, &every) != 0)
		log_fatal("cannot start the timers");
	l->poller = poller_new(l->base, conn_on_event);
	l->backlog = backlog_new(l->wheel);
	l->intake = intake_new();
	return l;
}

bool loop_is_deferred(const struct loop_task *t)
{
	return t->entry.tqe_prev != NULL;
}

static void unqueue(struct loop *l, struct loop_task *t)
{
	if (t == l->postponed) {
		struct loop_task *before = TAILQ_PREV(t, task_list, entry);
		l->postponed = before != &l->end_of_turn ? before : NULL;
	}
	TAILQ_REMOVE(&l->tasks, t, entry);
	t->entry.tqe_prev = NULL;
}

static void run_tasks(struct loop *l)
{
	struct loop_task *t;
	l->postponed = NULL;
	l->part_began_usecs = 0;
	TAILQ_INSERT_TAIL(&l->tasks, &l->end_of_turn, entry);
	while ((t = TAILQ_FIRST(&l->tasks)) != &l->end_of_turn) {
		unqueue(l, t);
		t->fn(t);
	}
	unqueue(l, &l->end_of_turn);
	l->postponed = NULL;
}

void loop_settle(struct loop *l)
{
	while (!TAILQ_EMPTY(&l->tasks))
		run_tasks(l);
}

void loop_free(struct loop **lp)
{
	struct loop *l = *lp;
	if (l == NULL)
		return;
	loop_settle(l);
	work_free(&l->disk);
	backlog_free(&l->backlog);
	intake_free(&l->intake);
	poller_free(&l->poller);
	event_free(l->tick);
	wheel_free(&l->wheel);
	event_base_free(l->base);
	free(l);
	*lp = NULL;
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

struct wheel *loop_wheel(struct loop *l)
{
	return l->wheel;
}

struct poller *loop_poller(struct loop *l)
{
	return l->poller;
}

struct backlog *loop_backlog(struct loop *l)
{
	return l->backlog;
}

struct intake *loop_intake(struct loop *l)
{
	return l->intake;
}

/* As many jobs as there are connections may wait. */
struct work *loop_disk(struct loop *l)
{
	if (l->disk == NULL)
		l->disk = work_new(l, UINT_MAX);
	return l->disk;
}

void loop_defer(struct loop *l, struct loop_task *t)
{
	if (!loop_is_deferred(t))
		TAILQ_INSERT_TAIL(&l->tasks, t, entry);
}

void loop_undefer(struct loop *l, struct loop_task *t)
{
	if (loop_is_deferred(t))
		unqueue(l, t);
}

void loop_postpone(struct loop *l, struct loop_task *t)
{
	if (loop_is_deferred(t))
		return;
	if (l->postponed != NULL)
		TAILQ_INSERT_AFTER(&l->tasks, l->postponed, t, entry);
	else if (loop_is_deferred(&l->end_of_turn))
		TAILQ_INSERT_AFTER(&l->tasks, &l->end_of_turn, t, entry);
	else
		TAILQ_INSERT_HEAD(&l->tasks, t, entry);
	l->postponed = t;
}

void loop_go_on(struct loop *l, struct loop_task *t, bool did)
{
	if (did)
		loop_defer(l, t);
	else
		loop_postpone(l, t);
}

bool loop_has_time(struct loop *l)
{
	int64_t now = clock_usecs();
	if (l->part_began_usecs == 0)
		l->part_began_usecs = now;
	return now - l->part_began_usecs < LOOP_PART_MS * 1000;
}

void loop_turn(struct loop *l)
{
	int flags = EVLOOP_ONCE;
	l->part_began_usecs = 0;
	l->handshakes = 0;
	if (!TAILQ_EMPTY(&l->tasks))
		flags |= EVLOOP_NONBLOCK;
	if (event_base_loop(l->base, flags) < 0)
		log_panic(__FILE__, __LINE__, "the event loop failed");
	run_tasks(l);
}

void loop_run(struct loop *l)
{
	while (!l->stop)
		loop_turn(l);
	l->stop = false;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

char *loop_read_buffer(struct loop *l)
{
	return l->read_buffer;
}

bool loop_may_shake_hands(struct loop *l)
{
	return l->handshakes++ < LOOP_HANDSHAKES_A_TURN;
}
