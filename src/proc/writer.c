/* SPDX-License-Identifier: BSD-2-Clause */
/* A writer: takes sockets to workers from the channel and runs the write lanes (store/serve.h). It has no clients and
 * no keys. */
#include "core/base.h"
#include "proc/writer.h"

#include "core/log.h"
#include "hub/stats.h"
#include "proc/process.h"
#include "store/serve.h"

/* Workers drain for less long. */
#define ORPHAN_DRAIN_MS 10000

struct writer_process {
	struct process process;
	struct serve *serve;
};

static struct writer_process *writer_of(struct process *p)
{
	return container_of(p, struct writer_process, process);
}

static void fill_row(struct process *p, struct worker_row *row)
{
	const struct serve *serve = writer_of(p)->serve;
	struct wire_state state = serve_state(serve);
	row->connections = (uint32_t)serve_workers(serve);
	row->pending = (uint32_t)serve_pending(serve);
	row->database_up = state.up;
	row->read_only = state.read_only;
}

static bool is_connected(struct process *p)
{
	return serve_state(writer_of(p)->serve).up;
}

static bool is_idle(struct process *p)
{
	const struct serve *serve = writer_of(p)->serve;
	return serve_pending(serve) == 0 && serve_workers(serve) == 0 && serve_has_noted(serve);
}

static void obey(struct process *p, const struct order *o, int fd)
{
	if (o->kind != ORDER_WORKER)
		return;
	if (fd >= 0)
		serve_take(writer_of(p)->serve, fd);
	else
		log_error_gated("a worker is not heard: this process may open no more files");
}

static const struct process_kind writer_kind = {
	.name = "writer",
	.orphan_drain_ms = ORPHAN_DRAIN_MS,
	.fill_row = fill_row,
	.obey = obey,
	.is_connected = is_connected,
	.is_idle = is_idle,
};

/* ---- what the lanes do ---- */

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

static void on_guess(bool right, void *ctx)
{
	(void)ctx;
	stat_add(right ? STAT_BATCH_GUESSES : STAT_BATCH_GUESSES_WRONG, 1);
}

/* The master hears that it is ready before workers hear an answer: one that has worked did not fail to start. */
static void on_link(bool up, void *ctx)
{
	struct writer_process *w = ctx;
	if (up)
		process_look(&w->process);
	process_write_row(&w->process);
}

int writer_run(const struct conf *conf, struct hub *hub, unsigned slot, unsigned number, int channel)
{
	static const struct store_observer observer = {
		.batch = on_batch, .retry = on_retry, .guess = on_guess, .link = on_link};
	struct writer_process w = {.process = {.kind = &writer_kind, .hub = hub, .slot = slot, .channel = channel}};
	process_begin(&w.process, number);
	if (process_start(&w.process, conf->user) != 0)
		return PROCESS_UNABLE;
	w.serve = serve_new(loop_base(w.process.loop), conf, &observer, &w);
	process_run(&w.process);
	serve_free(&w.serve);
	process_end(&w.process);
	return 0;
}
