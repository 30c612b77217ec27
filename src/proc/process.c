/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "proc/process.h"

#include "core/clock.h"
#include "core/heap.h"
#include "core/log.h"
#include "hub/stats.h"

#include <errno.h>
#include <event2/event.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define ROW_MS 1000
/* The row is written more often than that, too. */
#define MEMORY_MS 1000
#define STEP_MS 50
#define SOON_MS 50
/* How long it may take to connect before it counts as ready without. */
#define READY_WAIT_MS 1000
/* How long it may take to read what it has to know, while what it reads from is there. */
#define LEARN_WAIT_MS 30000
#define ORDERS_A_TURN 64

/* ---- what it tells ---- */

static void on_soon(struct wheel_timer *t);

void process_report_soon(struct process *p)
{
	if (!wheel_timer_is_set(&p->soon))
		wheel_set(loop_wheel(p->loop), &p->soon, SOON_MS, on_soon);
}

void process_write_row(struct process *p)
{
	int64_t now = clock_mono_ms();
	stat_add(STAT_LOG_LOST, log_lost() - p->log_lost_told);
	p->log_lost_told = log_lost();
	struct worker_row *row = hub_worker_begin(p->hub, p->slot);
	row->alive_ms = now;
	if (row->resident_kib == 0 || now - p->memory_read_ms >= MEMORY_MS) {
		heap_read_memory(&row->resident_kib, &row->private_kib);
		heap_give_back(row->private_kib, now);
		p->memory_read_ms = now;
	}
	p->kind->fill_row(p, row);
	hub_worker_end(p->hub, p->slot);
}

static void tell_master(struct process *p)
{
	struct report r = {0};
	if (p->kind->report != NULL)
		p->kind->report(p, &r);
	r.state = p->state;
	wheel_cancel(&p->soon);
	if (channel_report(p->channel, &r) != 0 && errno != EPIPE && errno != ECONNRESET) {
		log_error_gated("the master cannot be told anything: %s", strerror(errno));
		process_report_soon(p);
	}
	process_write_row(p);
}

static void on_soon(struct wheel_timer *t)
{
	tell_master(container_of(t, struct process, soon));
}

static void on_each_second(struct wheel_timer *t)
{
	struct process *p = container_of(t, struct process, each_second);
	process_write_row(p);
	wheel_set(loop_wheel(p->loop), t, ROW_MS, on_each_second);
}

static void set_state(struct process *p, enum worker_state state)
{
	p->state = state;
	/* The master first: what the row shows it has been told. */
	tell_master(p);
	hub_worker_begin(p->hub, p->slot)->state = state;
	hub_worker_end(p->hub, p->slot);
}

/* ---- its life ---- */

static bool has_waited(struct process *p)
{
	int64_t waited_ms = clock_mono_ms() - p->started_ms;
	if (waited_ms < READY_WAIT_MS || p->kind->is_learning == NULL || !p->kind->is_learning(p))
		return waited_ms >= READY_WAIT_MS;
	if (waited_ms < LEARN_WAIT_MS)
		return false;
	log_warn("has not read everything after %d s, and serves without", LEARN_WAIT_MS / 1000);
	return true;
}

void process_look(struct process *p)
{
	if (p->state != WORKER_STARTING)
		return;
	if (p->kind->is_connected(p) || has_waited(p)) {
		set_state(p, WORKER_READY);
		log_info("ready");
	}
}

static void on_step(struct wheel_timer *t)
{
	struct process *p = container_of(t, struct process, step);
	process_look(p);
	if (p->state == WORKER_READY)
		return;
	if (p->state == WORKER_DRAINING && (p->kind->is_idle(p) || clock_mono_ms() >= p->deadline_ms))
		loop_stop(p->loop);
	else
		wheel_set(loop_wheel(p->loop), t, STEP_MS, on_step);
}

static void drain(struct process *p, int64_t deadline_ms)
{
	if (p->state == WORKER_DRAINING)
		return;
	log_info("draining");
	p->deadline_ms = clock_mono_ms() + deadline_ms;
	set_state(p, WORKER_DRAINING);
	if (p->kind->drain != NULL)
		p->kind->drain(p, deadline_ms);
	wheel_set(loop_wheel(p->loop), &p->step, 0, on_step);
}

static void obey(struct process *p, const struct order *o, int fd)
{
	if (o->kind == ORDER_DRAIN)
		drain(p, o->deadline_ms);
	else if (o->kind == ORDER_QUIT)
		loop_stop(p->loop);
	else if (o->kind == ORDER_LOG)
		log_take_fd(fd);
	else
		p->kind->obey(p, o, fd);
}

static void on_orders(evutil_socket_t channel, short what, void *arg)
{
	struct process *p = arg;
	struct order order;
	int fd, got = 0;
	(void)what;
	for (int i = 0; i < ORDERS_A_TURN; i++) {
		got = channel_receive(channel, &order, &fd);
		if (got <= 0)
			break;
		obey(p, &order, fd);
	}
	if (got < 0) {
		log_error("the master is gone");
		event_del(p->orders);
		drain(p, p->kind->orphan_drain_ms);
		return;
	}
	/* Before anything is read from sockets that came: until it hears of it the master may pass them to others. */
	tell_master(p);
}

void process_begin(struct process *p, unsigned number)
{
	static const int masters[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
	char who[32];
	snprintf(who, sizeof(who), "%s %u", p->kind->name, number);
	log_identity(who);
	signal(SIGPIPE, SIG_IGN);
	/* A terminal's Ctrl-C, and a service manager's TERM, reach the whole group; the master decides what it means.
	 */
	for (size_t i = 0; i < ARRAY_LEN(masters); i++)
		signal(masters[i], SIG_IGN);
}

int process_become(const char *user)
{
	if (user[0] == '\0' || geteuid() != 0)
		return 0;
	const struct passwd *pw = getpwnam(user);
	if (pw == NULL || initgroups(user, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0) {
		log_error("cannot become the user %s: %s", user, pw == NULL ? "no such user" : strerror(errno));
		return -1;
	}
	return 0;
}

int process_start(struct process *p, const char *user)
{
	if (process_become(user) != 0)
		return -1;
	log_start();
	stats_attach(p->hub, p->slot);
	p->loop = loop_new();
	p->state = WORKER_STARTING;
	p->started_ms = clock_mono_ms();
	return 0;
}

void process_run(struct process *p)
{
	p->orders = event_new(loop_base(p->loop), p->channel, EV_READ | EV_PERSIST, on_orders, p);
	event_add(p->orders, NULL);
	wheel_set(loop_wheel(p->loop), &p->each_second, ROW_MS, on_each_second);
	wheel_set(loop_wheel(p->loop), &p->step, 0, on_step);
	loop_run(p->loop);
	event_free(p->orders);
}

void process_end(struct process *p)
{
	wheel_cancel(&p->each_second);
	wheel_cancel(&p->step);
	wheel_cancel(&p->soon);
	loop_free(&p->loop);
	log_stop();
}
