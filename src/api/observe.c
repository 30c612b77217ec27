/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker notes of its requests and itself: counters, the access log, the scoreboard's row. */
#include "core/base.h"
#include "api/observe.h"

#include "api/command.h"
#include "api/http_door.h"
#include "core/access_log.h"
#include "core/clock.h"
#include "core/log.h"
#include "hub/stats.h"
#include "net/backlog.h"
#include "net/conn.h"
#include "net/intake.h"

/* A line of the access log waits so long for others; so long before a file that takes nothing is tried again. */
#define ACCESS_GATHER_MS 100
#define ACCESS_RETRY_MS 1000

/* ---- requests ---- */

static void on_opened(void *ctx)
{
	(void)ctx;
	stat_add(STAT_ACCEPTED, 1);
}

static void on_admin_closed(const char *reason, void *ctx)
{
	const struct api *api = ctx;
	(void)reason;
	api->changed(api->changed_ctx);
}

static void on_closed(const char *reason, void *ctx)
{
	const struct api *api = ctx;
	api->changed(api->changed_ctx);
	stat_add(STAT_CLOSED, 1);
	if (strcmp(reason, CONN_TOO_SLOW) == 0)
		stat_add(STAT_CLOSED_SLOW, 1);
	else if (strcmp(reason, CONN_NO_MEMORY) == 0)
		stat_add(STAT_CLOSED_UNSENT, 1);
	log_debug("connection closed: %s", reason);
}

static void on_access_gathered(struct wheel_timer *t)
{
	struct api *api = container_of(t, struct api, access);
	if (!access_log_flush())
		wheel_set(loop_wheel(api->live->loop), t, ACCESS_RETRY_MS, on_access_gathered);
}

static void log_access(struct api *api, const struct http_req *req, int status, size_t bytes, int64_t usecs)
{
	char address[ADDR_TEXT_MAX];
	struct access_entry entry = {
		.address = addr_format_host(req->peer, address),
		.method = http_verb_name(req->verb),
		.path = req->sent_path,
		.status = status,
		.bytes = bytes,
		.usecs = usecs,
		.request_id = req->id,
	};
	if (!access_log_add(&entry))
		stat_add(STAT_ACCESS_LOST, 1);
	if (!wheel_timer_is_set(&api->access))
		wheel_set(loop_wheel(api->live->loop), &api->access, ACCESS_GATHER_MS, on_access_gathered);
}

static void on_answered(const struct http_req *req, int status, size_t bytes, void *ctx)
{
	struct api *api = ctx;
	int64_t usecs = clock_usecs() - req->started_usecs;
	stat_answered(req->route, status);
	stat_add(STAT_REQUESTS, 1);
	if (status >= 500)
		stat_add(STAT_REQUESTS_5XX, 1);
	else if (status >= 400)
		stat_add(STAT_REQUESTS_4XX, 1);
	stat_observe(STAT_HIST_REQUEST, (uint64_t)usecs);
	log_debug("request %s: %s: %d", req->id, command_route_name(api->commands, req->route), status);
	if (access_log_is_on())
		log_access(api, req, status, bytes, usecs);
}

const struct http_observer door_observer = {
	.opened = on_opened, .closed = on_closed, .answered = on_answered, .admits = door_admits, .left = door_left};
/* What monitoring asks for is not counted. */
static void on_admin_answered(const struct http_req *req, int status, size_t bytes, void *ctx)
{
	if (req->route != ROUTE_NONE)
		on_answered(req, status, bytes, ctx);
}

const struct http_observer admin_observer = {.closed = on_admin_closed, .answered = on_admin_answered};

/* ---- the database ---- */

static void on_link(bool up, void *ctx)
{
	struct api *api = ctx;
	if (up)
		log_info("store: the database is connected");
	else if (store_is_read_only(api->live->store))
		log_error("store: the database is read-only: nothing can be written");
	else if (store_missing_writers(api->live->store) != 0)
		log_error("store: a writer process is missing: its messages cannot be written");
	else
		log_error("store: the database is away");
	observe_fill_row(api, hub_worker_begin(api->live->hub, api->live->slot));
	hub_worker_end(api->live->hub, api->live->slot);
}

static void on_writer_lost(void *ctx)
{
	struct api *api = ctx;
	api->changed(api->changed_ctx);
}

const struct store_observer observe_store = {.link = on_link, .writer_lost = on_writer_lost};

/* ---- the worker itself ---- */

void observe_fini(struct api *api)
{
	wheel_cancel(&api->access);
	access_log_flush();
	for (int g = 0; g < STAT_GAUGES; g++)
		stat_set((enum stat_gauge)g, 0);
}

void observe_fill_row(const struct api *api, struct worker_row *row)
{
	const struct live *live = api->live;
	stat_set(STAT_UNSENT, *backlog_memory(loop_backlog(live->loop)));
	stat_set(STAT_RECEIVING, intake_bytes(loop_intake(live->loop)));
	stat_set(STAT_GROUP_QUEUE, live->groups.queued_bytes);
	row->connections = (uint32_t)http_server_connections(api->http);
	row->websockets = (uint32_t)live->session_count;
	row->pending = live->store != NULL ? (uint32_t)store_pending(live->store) : 0;
	row->database_up = live->store != NULL && store_is_up(live->store);
	row->read_only = live->store != NULL && store_is_read_only(live->store);
	row->redis_up = live->bus != NULL && bus_is_up(live->bus);
}
