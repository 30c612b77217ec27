/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker: takes clients' sockets from the channel, and runs im/ in its loop. */
#include "core/base.h"
#include "proc/worker.h"

#include "core/access_log.h"
#include "core/log.h"
#include "im/im.h"
#include "proc/process.h"

#include <stdlib.h>

#define ORPHAN_DRAIN_MS 5000

struct worker {
	struct process process;
	struct im *im;
	uint64_t taken; /* sockets */
	uint32_t writers_taken;
};

static struct worker *worker_of(struct process *p)
{
	return container_of(p, struct worker, process);
}

static void fill_row(struct process *p, struct worker_row *row)
{
	im_fill_row(worker_of(p)->im, row);
}

static void report(struct process *p, struct report *r)
{
	const struct worker *w = worker_of(p);
	r->taken = w->taken;
	r->connections = (uint32_t)im_connections(w->im);
	r->admin_connections = (uint32_t)im_admin_connections(w->im);
	r->writers_taken = w->writers_taken;
	r->writers_missing = im_missing_writers(w->im);
}

static bool is_connected(struct process *p)
{
	return im_is_connected(worker_of(p)->im);
}

static bool is_learning(struct process *p)
{
	return im_is_learning(worker_of(p)->im);
}

static bool is_idle(struct process *p)
{
	return im_is_idle(worker_of(p)->im);
}

static void drain(struct process *p, int64_t deadline_ms)
{
	im_drain(worker_of(p)->im, deadline_ms);
}

/* The master gives new connections to the worker with the fewest, and sockets to writers that are missing. */
static void on_changed(void *ctx)
{
	struct worker *w = ctx;
	process_report_soon(&w->process);
}

static void take_socket(struct worker *w, const struct order *o, int fd)
{
	w->taken++;
	if (fd >= 0)
		im_accept(w->im, fd, (enum im_door)o->door, &o->peer);
	else
		log_error_gated("a connection is lost: this process may open no more files");
}

static void obey(struct process *p, const struct order *o, int fd)
{
	struct worker *w = worker_of(p);
	switch (o->kind) {
	case ORDER_SOCKET:
		take_socket(w, o, fd);
		break;
	case ORDER_KICK:
		im_kick(w->im, o->user);
		break;
	case ORDER_LOST:
		hub_tidy(p->hub);
		im_worker_lost(w->im, o->name);
		break;
	case ORDER_GROUP:
		im_change_group(w->im, o->group_id, o->user, o->removes, o->bans, fd);
		break;
	case ORDER_WRITER:
		w->writers_taken++;
		if (fd >= 0)
			im_take_writer(w->im, o->number, fd);
		else
			log_error_gated("a writer cannot be reached: this process may open no more files");
		break;
	case ORDER_ACCESS_LOG:
		access_log_take_fd(fd);
		break;
	case ORDER_DRAIN:
	case ORDER_QUIT:
	case ORDER_LOG:
	case ORDER_WORKER:
		break; /* process.c's, and a writer's */
	}
}

static const struct process_kind worker_kind = {
	.name = "worker",
	.orphan_drain_ms = ORPHAN_DRAIN_MS,
	.fill_row = fill_row,
	.report = report,
	.obey = obey,
	.is_connected = is_connected,
	.is_learning = is_learning,
	.is_idle = is_idle,
	.drain = drain,
};

static int unable(char *reason)
{
	log_error("%s", reason);
	free(reason);
	return PROCESS_UNABLE;
}

int worker_run(const struct conf *conf, struct hub *hub, unsigned slot, const char *name, int channel, int mailbox)
{
	char *reason;
	struct tls_server *tls = NULL;
	struct worker w = {.process = {.kind = &worker_kind, .hub = hub, .slot = slot, .channel = channel}};

	process_begin(&w.process, slot);
	/* The key of the certificate may be root's alone, and the folder of the log. */
	access_log_open(conf->log.access, (enum log_format)conf->log.format);
	if (im_tls_new(conf, hub, &tls, &reason) != 0)
		return unable(reason);
	if (process_start(&w.process, conf->user) != 0)
		return PROCESS_UNABLE;
	hub_join(hub);
	access_log_start();
	const struct im_options options = {
		.loop = w.process.loop,
		.conf = conf,
		.hub = hub,
		.slot = slot,
		.name = name,
		.mailbox = mailbox,
		.tls = tls,
		.changed = on_changed,
		.ctx = &w,
	};
	w.im = im_new(&options, &reason);
	if (w.im == NULL) {
		loop_free(&w.process.loop);
		return unable(reason);
	}
	process_run(&w.process);
	im_free(&w.im);
	access_log_close();
	process_end(&w.process);
	return 0;
}
