/* SPDX-License-Identifier: BSD-2-Clause */
/* A relay: runs relay/ in its loop. It has no clients and no keys of tokens, and knows neither workers nor writers. */
#include "core/base.h"
#include "proc/relay.h"

#include "proc/process.h"
#include "relay/relay.h"

#define ORPHAN_DRAIN_MS 2000

struct relay_process {
	struct process process;
	struct relay *relay;
};

static struct relay_process *relay_of(struct process *p)
{
	return container_of(p, struct relay_process, process);
}

static void fill_row(struct process *p, struct worker_row *row)
{
	struct relay_state state = relay_state(relay_of(p)->relay);
	row->pending = state.rows < UINT32_MAX ? (uint32_t)state.rows : UINT32_MAX;
	row->lag_ms = state.lag_ms < UINT32_MAX ? (uint32_t)state.lag_ms : UINT32_MAX;
	row->leads = state.leads;
	row->database_up = state.database;
	row->read_only = state.read_only;
	row->redis_up = state.redis;
}

static bool is_connected(struct process *p)
{
	struct relay_state state = relay_state(relay_of(p)->relay);
	return state.database && state.redis;
}

static bool is_idle(struct process *p)
{
	return relay_has_left(relay_of(p)->relay);
}

static void drain(struct process *p, int64_t deadline_ms)
{
	(void)deadline_ms;
	relay_leave(relay_of(p)->relay);
}

/* No order is a relay's alone. */
static void obey(struct process *p, const struct order *o, int fd)
{
	(void)p;
	(void)o;
	(void)fd;
}

static const struct process_kind relay_kind = {
	.name = "relay",
	.orphan_drain_ms = ORPHAN_DRAIN_MS,
	.fill_row = fill_row,
	.obey = obey,
	.is_connected = is_connected,
	.is_idle = is_idle,
	.drain = drain,
};

static void on_changed(void *ctx)
{
	struct relay_process *w = ctx;
	process_look(&w->process);
	process_write_row(&w->process);
}

int relay_run(const struct conf *conf, struct hub *hub, unsigned slot, unsigned number, int channel)
{
	struct relay_process w = {.process = {.kind = &relay_kind, .hub = hub, .slot = slot, .channel = channel}};
	process_begin(&w.process, number);
	if (process_start(&w.process, conf->user) != 0)
		return PROCESS_UNABLE;
	w.relay = relay_new(w.process.loop, conf, on_changed, &w);
	process_run(&w.process);
	relay_free(&w.relay);
	process_end(&w.process);
	return 0;
}
