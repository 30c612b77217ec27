/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker: takes sockets from the channel, runs im/ in its loop, reports each second, drains when told. */
#include "core/base.h"
#include "proc/worker.h"

#include "core/access_log.h"
#include "core/clock.h"
#include "core/log.h"
#include "im/im.h"
#include "net/loop.h"
#include "proc/channel.h"
#include "proc/process.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#define REPORT_MS 1000
#define STEP_MS 100
/* How long it may take to reach database and Redis before connections are taken without them. */
#define READY_WAIT_MS 1000
/* The master is gone: there is nobody to tell us how long we have. */
#define ORPHAN_DRAIN_MS 5000
#define ORDERS_A_TURN 64
/* How soon the master hears that connections have closed. It gives new ones to who has the fewest. */
#define CLOSED_MS 50

struct worker {
	const struct conf *conf;
	struct hub *hub;
	unsigned slot;
	int channel;
	struct loop *loop;
	struct im *im;
	struct event *orders;
	struct wheel_timer report, fewer_report, step;
	int64_t started_ms, deadline_ms;
	uint64_t taken;
	enum worker_state state;
	bool ready, draining;
	bool fewer; /* connections than the master was told last */
};

static void on_fewer(struct wheel_timer *t);

static void tell_master_soon(struct worker *w)
{
	w->fewer = true;
	wheel_set(loop_wheel(w->loop), &w->fewer_report, CLOSED_MS, on_fewer);
}

/* The figures for all to see, and those that the master decides by. */
static void tell_master(struct worker *w)
{
	struct report r = {
		.taken = w->taken,
		.connections = (uint32_t)im_connections(w->im),
		.admin_connections = (uint32_t)im_admin_connections(w->im),
		.state = w->state,
	};
	w->fewer = false;
	if (channel_report(w->channel, &r) != 0 && errno != EPIPE && errno != ECONNRESET) {
		log_error_gated("the master cannot be told anything: %s", strerror(errno));
		tell_master_soon(w);
	}
	im_report(w->im);
}

static void on_fewer(struct wheel_timer *t)
{
	struct worker *w = container_of(t, struct worker, fewer_report);
	if (w->fewer)
		tell_master(w);
}

static void on_closed(void *ctx)
{
	struct worker *w = ctx;
	if (!w->fewer)
		tell_master_soon(w);
}

static void on_report(struct wheel_timer *t)
{
	struct worker *w = container_of(t, struct worker, report);
	im_report(w->im);
	wheel_set(loop_wheel(w->loop), t, REPORT_MS, on_report);
}

static void set_state(struct worker *w, enum worker_state state)
{
	w->state = state;
	hub_worker_begin(w->hub, w->slot)->state = state;
	hub_worker_end(w->hub, w->slot);
	tell_master(w);
}

static void on_step(struct wheel_timer *t)
{
	struct worker *w = container_of(t, struct worker, step);
	int64_t now = clock_mono_ms();

	if (w->draining) {
		if (im_is_idle(w->im) || now >= w->deadline_ms) {
			loop_stop(w->loop);
			return;
		}
	} else if (!w->ready) {
		struct worker_row row;
		im_report(w->im);
		hub_worker_read(w->hub, w->slot, &row);
		if ((row.database_up && row.redis_up) || now - w->started_ms >= READY_WAIT_MS) {
			w->ready = true;
			set_state(w, WORKER_READY);
			log_info("ready");
			return;
		}
	}
	wheel_set(loop_wheel(w->loop), t, w->draining ? STEP_MS : WHEEL_TICK_MS, on_step);
}

static void drain(struct worker *w, int64_t deadline_ms)
{
	if (w->draining)
		return;
	log_info("draining");
	w->draining = true;
	w->deadline_ms = clock_mono_ms() + deadline_ms;
	set_state(w, WORKER_DRAINING);
	im_drain(w->im, deadline_ms);
	wheel_set(loop_wheel(w->loop), &w->step, 0, on_step);
}

static void obey(struct worker *w, const struct order *o, int fd)
{
	switch (o->kind) {
	case ORDER_SOCKET:
		w->taken++;
		if (fd < 0) {
			log_error_gated("a connection is lost: this process may open no more files");
			break;
		}
		im_accept(w->im, fd, (enum im_door)o->door, &o->peer);
		break;
	case ORDER_DRAIN:
		drain(w, o->deadline_ms);
		break;
	case ORDER_QUIT:
		loop_stop(w->loop);
		break;
	case ORDER_KICK:
		im_kick(w->im, o->user);
		break;
	case ORDER_LOST:
		hub_tidy(w->hub);
		im_worker_lost(w->im, o->name);
		break;
	case ORDER_GROUP:
		im_change_group(w->im, o->group_id, o->user, o->removes, o->bans, fd);
		break;
	case ORDER_WRITER:
		if (fd >= 0)
			im_take_writer(w->im, o->number, fd);
		else
			log_error_gated("a writer cannot be reached: this process may open no more files");
		break;
	case ORDER_WORKER:
		break; /* a writer's */
	case ORDER_LOG:
		log_take_fd(fd);
		break;
	case ORDER_ACCESS_LOG:
		access_log_take_fd(fd);
		break;
	}
}

static void on_orders(evutil_socket_t channel, short what, void *arg)
{
	struct worker *w = arg;
	struct order order;
	int fd, got = 0;
	(void)what;
	for (int i = 0; i < ORDERS_A_TURN; i++) {
		got = channel_receive(channel, &order, &fd);
		if (got <= 0)
			break;
		obey(w, &order, fd);
	}
	if (got < 0) {
		log_error("the master is gone");
		event_del(w->orders);
		drain(w, ORPHAN_DRAIN_MS);
	}
	/* Before anything is read from them: until it hears of it the master may pass them to others. */
	if (got >= 0)
		tell_master(w);
}

int worker_run(const struct conf *conf, struct hub *hub, unsigned slot, const char *name, int channel)
{
	char *reason;
	struct worker w = {.conf = conf, .hub = hub, .slot = slot, .channel = channel, .state = WORKER_STARTING};

	process_begin("worker", slot);
	/* The key of the certificate may be root's alone, and the folder of the log. */
	access_log_open(conf->log.access, (enum log_format)conf->log.format);
	struct tls_server *tls = NULL;
	if (im_tls_new(conf, hub, &tls, &reason) != 0) {
		log_error("%s", reason);
		free(reason);
		return PROCESS_UNABLE;
	}
	if (process_drop_privileges(conf->user) != 0)
		return PROCESS_UNABLE;
	hub_join(hub);

	log_start();
	access_log_start();
	w.loop = loop_new();
	w.started_ms = clock_mono_ms();
	struct im_options options = {.loop = w.loop,
				     .conf = conf,
				     .hub = hub,
				     .slot = slot,
				     .name = name,
				     .tls = tls,
				     .closed = on_closed,
				     .ctx = &w};
	w.im = im_new(&options, &reason);
	if (w.im == NULL) {
		log_error("%s", reason);
		free(reason);
		loop_free(&w.loop);
		return PROCESS_UNABLE;
	}
	w.orders = event_new(loop_base(w.loop), channel, EV_READ | EV_PERSIST, on_orders, &w);
	event_add(w.orders, NULL);
	wheel_set(loop_wheel(w.loop), &w.report, REPORT_MS, on_report);
	wheel_set(loop_wheel(w.loop), &w.step, 0, on_step);

	loop_run(w.loop);

	event_free(w.orders);
	im_free(&w.im);
	access_log_close();
	wheel_cancel(&w.report);
	wheel_cancel(&w.fewer_report);
	wheel_cancel(&w.step);
	loop_free(&w.loop);
	log_stop();
	return 0;
}
