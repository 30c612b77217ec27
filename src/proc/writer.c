/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A writer: takes sockets to workers from the channel, runs the write lanes (store/serve.h) in its loop, reports each
 * second, and leaves when told, once nothing is left to do. It has no clients and no keys.
 */
#include "core/base.h"
#include "proc/writer.h"

#include "core/clock.h"
#include "core/heap.h"
#include "core/log.h"
#include "hub/stats.h"
#include "net/loop.h"
#include "proc/channel.h"
#include "proc/process.h"
#include "store/serve.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#define REPORT_MS 1000
#define STEP_MS 50
/* How long it may take to reach the database before it counts as ready without it. */
#define READY_WAIT_MS 1000
/* The master is gone: workers drain for less long. */
#define ORPHAN_DRAIN_MS 10000
#define ORDERS_A_TURN 64

struct writer_process {
	struct hub *hub;
	unsigned slot;
	int channel;
	struct loop *loop;
	struct serve *serve;
	struct event *orders;
	struct wheel_timer report, step;
	int64_t started_ms, deadline_ms;
	uint64_t log_lost_told;
	uint32_t resident_kib, private_kib;
	enum worker_state state;
};

/* ---- what it tells ---- */

static void write_row(struct writer_process *p)
{
	int64_t now = clock_mono_ms();
	struct wire_state state = serve_state(p->serve);
	stat_add(STAT_LOG_LOST, log_lost() - p->log_lost_told);
	p->log_lost_told = log_lost();
	heap_read_memory(&p->resident_kib, &p->private_kib);
	heap_give_back(p->private_kib, now);
	struct worker_row *row = hub_worker_begin(p->hub, p->slot);
	row->state = p->state;
	row->alive_ms = now;
	row->connections = (uint32_t)serve_workers(p->serve);
	row->pending = (uint32_t)serve_pending(p->serve);
	row->resident_kib = p->resident_kib;
	row->private_kib = p->private_kib;
	row->database_up = state.up;
	row->read_only = state.read_only;
	hub_worker_end(p->hub, p->slot);
}

static void on_report(struct wheel_timer *t)
{
	struct writer_process *p = container_of(t, struct writer_process, report);
	write_row(p);
	wheel_set(loop_wheel(p->loop), t, REPORT_MS, on_report);
}

static void set_state(struct writer_process *p, enum worker_state state)
{
	const struct report r = {.state = state};
	p->state = state;
	write_row(p);
	if (channel_report(p->channel, &r) != 0 && errno != EPIPE && errno != ECONNRESET)
		log_error("the master cannot be told anything: %s", strerror(errno));
}

static void on_batch(unsigned ops, unsigned sends, uint64_t usecs, void *ctx)
{
	(void)sends;
	(void)ctx;
	stat_add(STAT_BATCHES, 1);
	stat_add(STAT_BATCH_OPS, ops);
	stat_observe(STAT_HIST_BATCH, ops);
	stat_observe(STAT_HIST_COMMIT, usecs);
}

static void on_retry(const char *why, void *ctx)
{
	(void)ctx;
	stat_add(STAT_BATCH_RETRIES, 1);
	log_warn_gated("store: a transaction is run again: %s", why);
}

static void on_link(bool up, void *ctx)
{
	struct writer_process *p = ctx;
	(void)up;
	write_row(p);
}

/* ---- its life ---- */

static void on_step(struct wheel_timer *t)
{
	struct writer_process *p = container_of(t, struct writer_process, step);
	int64_t now = clock_mono_ms();
	if (p->state == WORKER_DRAINING) {
		bool idle = serve_pending(p->serve) == 0 && serve_workers(p->serve) == 0;
		if (idle || now >= p->deadline_ms) {
			loop_stop(p->loop);
			return;
		}
	} else if (serve_state(p->serve).up || now - p->started_ms >= READY_WAIT_MS) {
		set_state(p, WORKER_READY);
		log_info("ready");
		return;
	}
	wheel_set(loop_wheel(p->loop), t, STEP_MS, on_step);
}

static void drain(struct writer_process *p, int64_t deadline_ms)
{
	if (p->state == WORKER_DRAINING)
		return;
	log_info("draining");
	p->deadline_ms = clock_mono_ms() + deadline_ms;
	set_state(p, WORKER_DRAINING);
	wheel_set(loop_wheel(p->loop), &p->step, 0, on_step);
}

static void obey(struct writer_process *p, const struct order *o, int fd)
{
	switch (o->kind) {
	case ORDER_WORKER:
		if (fd >= 0)
			serve_take(p->serve, fd);
		else
			log_error_gated("a worker is not heard: this process may open no more files");
		break;
	case ORDER_DRAIN:
		drain(p, o->deadline_ms);
		break;
	case ORDER_QUIT:
		loop_stop(p->loop);
		break;
	case ORDER_LOG:
		log_take_fd(fd);
		break;
	case ORDER_SOCKET:
	case ORDER_ACCESS_LOG:
	case ORDER_KICK:
	case ORDER_LOST:
	case ORDER_GROUP:
	case ORDER_WRITER:
		break; /* workers' */
	}
}

static void on_orders(evutil_socket_t channel, short what, void *arg)
{
	struct writer_process *p = arg;
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
		drain(p, ORPHAN_DRAIN_MS);
	}
}

int writer_run(const struct conf *conf, struct hub *hub, unsigned slot, unsigned number, int channel)
{
	static const struct store_observer observer = {.batch = on_batch, .retry = on_retry, .link = on_link};
	struct writer_process p = {.hub = hub, .slot = slot, .channel = channel, .state = WORKER_STARTING};
	process_begin("writer", number);
	if (process_drop_privileges(conf->user) != 0)
		return PROCESS_UNABLE;
	log_start();
	stats_attach(hub, slot);
	p.loop = loop_new();
	p.started_ms = clock_mono_ms();
	p.serve = serve_new(loop_base(p.loop), conf, &observer, &p);
	p.orders = event_new(loop_base(p.loop), channel, EV_READ | EV_PERSIST, on_orders, &p);
	event_add(p.orders, NULL);
	wheel_set(loop_wheel(p.loop), &p.report, REPORT_MS, on_report);
	wheel_set(loop_wheel(p.loop), &p.step, 0, on_step);

	loop_run(p.loop);

	event_free(p.orders);
	serve_free(&p.serve);
	wheel_cancel(&p.report);
	wheel_cancel(&p.step);
	loop_free(&p.loop);
	log_stop();
	return 0;
}
