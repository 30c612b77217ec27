/* SPDX-License-Identifier: BSD-2-Clause */
/* admin.listen: is the process alive, can it do its work, and the node's figures; administration, and its page. */
#include "core/base.h"
#include "api/http_door.h"

#include "api/api.h"
#include "api/command.h"
#include "api/problem.h"
#include "hub/presence.h"
#include "hub/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void put_head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP tidings_%s %s\n# TYPE tidings_%s %s\n", name, help, name, type);
}

static void put_counters(struct buf *b, const struct hub *hub)
{
	const char *last = "";
	for (int c = 0; c < STAT_COUNTERS; c++) {
		const struct stat_counter_info *info = &stat_counters[c];
		if (info->family[0] == '\0')
			continue;
		if (strcmp(info->family, last) != 0) {
			char name[64];
			snprintf(name, sizeof(name), "%s_total", info->family);
			put_head(b, name, "counter", info->help);
		}
		last = info->family;
		bool labelled = info->label[0] != '\0';
		buf_printf(b, "tidings_%s_total%s%s%s %" PRIu64 "\n", info->family, labelled ? "{" : "", info->label,
			   labelled ? "}" : "", stats_sum(hub, c));
	}
}

/* Only what has happened: most routes have few of the statuses. */
static void put_answers(struct buf *b, const struct api *api)
{
	const char *route;
	put_head(b, "http_requests_total", "counter", "HTTP requests answered, by what they asked for");
	for (unsigned r = 0; r < STAT_ROUTES && (route = command_route_name(api->commands, r)) != NULL; r++) {
		for (unsigned s = 0; s < STAT_STATUSES; s++) {
			uint64_t n = stats_answered(api->live->hub, r, s);
			if (n != 0)
				buf_printf(b, "tidings_http_requests_total{route=\"%s\",status=\"%d\"} %" PRIu64 "\n",
					   route, stat_statuses[s], n);
		}
	}
}

static void put_refusals(struct buf *b, const struct hub *hub)
{
	put_head(b, "refused_total", "counter", "Requests and WebSocket messages refused, by the code they got");
	for (unsigned p = 0; p < PROBLEM_COUNT; p++)
		buf_printf(b, "tidings_refused_total{reason=\"%s\"} %" PRIu64 "\n", problem_code_name(p),
			   stats_refused(hub, p));
}

static void put_histograms(struct buf *b, const struct hub *hub)
{
	for (int h = 0; h < STAT_HISTOGRAMS; h++) {
		struct stat_sum sum;
		const struct stat_histogram_info *info = &stat_histograms[h];
		stats_histogram(hub, h, &sum);
		put_head(b, info->family, "histogram", info->help);
		for (unsigned i = 0; i < info->bounds; i++) {
			buf_printf(b, "tidings_%s_bucket{le=\"%.9g\"} %" PRIu64 "\n", info->family,
				   (double)(1u << i) / info->unit, sum.bucket[i]);
		}
		buf_printf(b,
			   "tidings_%s_bucket{le=\"+Inf\"} %" PRIu64 "\ntidings_%s_sum %.9g\ntidings_%s_count %" PRIu64
			   "\n",
			   info->family, sum.count, info->family, (double)sum.total / info->unit, info->family,
			   sum.count);
	}
}

static void put_gauge(struct buf *b, const char *name, const char *help, uint64_t value)
{
	put_head(b, name, "gauge", help);
	buf_printf(b, "tidings_%s %" PRIu64 "\n", name, value);
}

static void put_stat_gauge(struct buf *b, const struct stat_gauge_info *info, uint64_t value)
{
	put_head(b, info->family, "gauge", info->help);
	buf_printf(b, "tidings_%s %.*f\n", info->family, info->unit == 1 ? 0 : 3, (double)value / info->unit);
}

/* The rows of the scoreboard, read once for all that is told of them. */
struct board {
	struct worker_row *row;
	unsigned slots;
	const char *label; /* whose */
};

/* One line a living one, made by the field of its row at that offset. */
static void put_each(struct buf *b, const struct board *board, const char *name, const char *label, size_t offset,
		     uint64_t unit)
{
	for (unsigned i = 0; i < board->slots; i++) {
		if (board->row[i].state == WORKER_FREE)
			continue;
		uint32_t value;
		memcpy(&value, (const char *)&board->row[i] + offset, sizeof(value));
		buf_printf(b, "tidings_%s{%s=\"%u\"%s} %" PRIu64 "\n", name, board->label, i, label, value * unit);
	}
}

static void put_workers(struct buf *b, const struct api *api, const struct board *board)
{
	uint64_t in_state[WORKER_DRAINING + 1] = {0}, connections = 0, websockets = 0, restarts = 0;
	bool database = true, redis = true, read_only = false;
	for (unsigned i = 0; i < board->slots; i++) {
		const struct worker_row *row = &board->row[i];
		restarts += row->restarts;
		in_state[row->state]++;
		if (row->state == WORKER_FREE)
			continue;
		connections += row->connections;
		websockets += row->websockets;
		database = database && row->database_up;
		redis = redis && row->redis_up;
		read_only = read_only || row->read_only;
	}
	put_gauge(b, "workers_configured", "Workers there should be", (uint64_t)api->live->conf->workers);
	put_head(b, "workers", "gauge", "Workers there are");
	for (int s = WORKER_STARTING; s <= WORKER_DRAINING; s++)
		buf_printf(b, "tidings_workers{state=\"%s\"} %" PRIu64 "\n", worker_state_name((enum worker_state)s),
			   in_state[s]);
	put_head(b, "worker_restarts_total", "counter", "Workers that died and were replaced");
	buf_printf(b, "tidings_worker_restarts_total %" PRIu64 "\n", restarts);
	put_gauge(b, "database_up", "Whether every worker is connected to a database that can be written to", database);
	put_gauge(b, "database_read_only", "Whether a worker finds that the database is read-only", read_only);
	put_gauge(b, "redis_up", "Whether every worker is connected to Redis", redis);
	put_gauge(b, "connections", "Open client connections, WebSockets included", connections);
	put_gauge(b, "connections_max", "Connections the workers would take",
		  (uint64_t)conf_connections_max(api->live->conf));
	put_gauge(b, "websockets", "Open WebSocket sessions", websockets);
}

/* A line for each writer's slot that was ever used: what its processes have counted goes on through their deaths. */
static void put_writer_counter(struct buf *b, const struct hub *hub, const char *name, const char *help,
			       enum stat_counter counter)
{
	put_head(b, name, "counter", help);
	const unsigned first = hub_worker_slots(hub);
	for (unsigned i = 0; i < hub_writer_slots(hub); i++) {
		struct worker_row row;
		hub_worker_read(hub, first + i, &row);
		if (row.generation != 0)
			buf_printf(b, "tidings_%s{writer=\"%u\"} %" PRIu64 "\n", name, i,
				   stats_of(hub, first + i, counter));
	}
}

static void put_writers(struct buf *b, const struct api *api)
{
	const unsigned first = hub_worker_slots(api->live->hub), count = hub_writer_slots(api->live->hub);
	struct board board = {.slots = count, .label = "writer"};
	uint64_t in_state[WORKER_DRAINING + 1] = {0}, restarts = 0;
	board.row = xcalloc(count + 1, sizeof(*board.row));
	for (unsigned i = 0; i < count; i++) {
		hub_worker_read(api->live->hub, first + i, &board.row[i]);
		restarts += board.row[i].restarts;
		in_state[board.row[i].state]++;
	}
	put_gauge(b, "writers_configured", "Writers there should be", (uint64_t)api->live->conf->writers);
	put_head(b, "writers", "gauge", "Writers there are");
	for (int s = WORKER_STARTING; s <= WORKER_DRAINING; s++)
		buf_printf(b, "tidings_writers{state=\"%s\"} %" PRIu64 "\n", worker_state_name((enum worker_state)s),
			   in_state[s]);
	put_head(b, "writer_restarts_total", "counter", "Writers that died and were replaced");
	buf_printf(b, "tidings_writer_restarts_total %" PRIu64 "\n", restarts);
	put_head(b, "writer_queue", "gauge", "Operations that a writer has and has not answered");
	put_each(b, &board, "writer_queue", "", offsetof(struct worker_row, pending), 1);
	put_head(b, "writer_memory_bytes", "gauge",
		 "Memory of a writer: all that is resident, and of that what belongs to no file and is not shared");
	put_each(b, &board, "writer_memory_bytes", ",kind=\"resident\"", offsetof(struct worker_row, resident_kib),
		 1024);
	put_each(b, &board, "writer_memory_bytes", ",kind=\"private\"", offsetof(struct worker_row, private_kib), 1024);
	free(board.row);
	put_writer_counter(b, api->live->hub, "writer_transactions_total", "Transactions that a writer has committed",
			   STAT_BATCHES);
	put_writer_counter(b, api->live->hub, "writer_operations_total", "Operations in these", STAT_BATCH_OPS);
}

static void put_relay(struct buf *b, const struct hub *hub)
{
	uint64_t up = 0, leads = 0, rows = 0, restarts = 0;
	uint32_t lag_ms = 0;
	const unsigned first = hub_worker_slots(hub) + hub_writer_slots(hub);
	for (unsigned i = first; i < first + hub_relay_slots(hub); i++) {
		struct worker_row row;
		hub_worker_read(hub, i, &row);
		restarts += row.restarts;
		up |= row.state == WORKER_READY && row.database_up && row.redis_up;
		if (!row.leads)
			continue;
		leads = 1;
		rows = row.pending;
		lag_ms = row.lag_ms;
	}
	put_gauge(b, "relay_up", "Whether the node has a relay that is connected to the database and to Redis", up);
	put_gauge(b, "relay_leads", "Whether that relay works; the others of the cluster wait", leads);
	put_gauge(b, "relay_rows",
		  "Transactions whose events are not known to have been published, where the relay leads", rows);
	put_head(b, "relay_lag_seconds", "gauge", "Age of the oldest of them");
	buf_printf(b, "tidings_relay_lag_seconds %.3f\n", lag_ms / 1000.0);
	put_head(b, "relay_restarts_total", "counter", "Relays that died and were replaced");
	buf_printf(b, "tidings_relay_restarts_total %" PRIu64 "\n", restarts);
}

static void put_media(struct buf *b, const struct api *api)
{
	const struct hub *hub = api->live->hub;
	uint64_t up = 0, jobs = 0, restarts = 0, resident = 0, own = 0;
	for (unsigned i = hub_worker_slots(hub) + hub_writer_slots(hub) + hub_relay_slots(hub); i < hub_slots(hub);
	     i++) {
		struct worker_row row;
		hub_worker_read(hub, i, &row);
		restarts += row.restarts;
		up |= row.state == WORKER_READY;
		jobs += row.pending;
		resident += row.resident_kib;
		own += row.private_kib;
	}
	if (api->live->conf->media.directory[0] == '\0')
		return;
	put_gauge(b, "media_up", "Whether the node has a media process that is ready", up);
	put_gauge(b, "media_jobs", "Files that the media process looks at now", jobs);
	put_head(b, "media_restarts_total", "counter", "Media processes that died and were replaced");
	buf_printf(b, "tidings_media_restarts_total %" PRIu64 "\n", restarts);
	put_head(b, "media_memory_bytes", "gauge",
		 "Memory of the media process without its children: all that is resident, and of that what belongs to "
		 "no file");
	buf_printf(b, "tidings_media_memory_bytes{kind=\"resident\"} %" PRIu64 "\n", resident * 1024);
	buf_printf(b, "tidings_media_memory_bytes{kind=\"private\"} %" PRIu64 "\n", own * 1024);
}

static void put_gauges(struct buf *b, const struct api *api)
{
	struct board board = {.slots = hub_worker_slots(api->live->hub), .label = "worker"};
	board.row = xcalloc(board.slots, sizeof(*board.row));
	for (unsigned i = 0; i < board.slots; i++)
		hub_worker_read(api->live->hub, i, &board.row[i]);

	put_head(b, "info", "gauge", "The version and the name of the node");
	buf_printf(b, "tidings_info{version=\"%s\",node=\"%s\"} 1\n", PACKAGE_VERSION, api->live->conf->node_id);
	put_workers(b, api, &board);
	put_writers(b, api);
	put_relay(b, api->live->hub);
	put_media(b, api);
	put_head(b, "store_pending", "gauge", "Operations of the database that a worker waits for");
	put_each(b, &board, "store_pending", "", offsetof(struct worker_row, pending), 1);
	put_head(b, "worker_memory_bytes", "gauge",
		 "Memory of a worker: all that is resident, and of that what belongs to no file and is not shared");
	put_each(b, &board, "worker_memory_bytes", ",kind=\"resident\"", offsetof(struct worker_row, resident_kib),
		 1024);
	put_each(b, &board, "worker_memory_bytes", ",kind=\"private\"", offsetof(struct worker_row, private_kib), 1024);
	free(board.row);

	for (int g = 0; g < STAT_GAUGES; g++)
		put_stat_gauge(b, &stat_gauges[g], stats_gauge(api->live->hub, (enum stat_gauge)g));
	put_gauge(b, "sessions", "Sessions of the node", presence_total(api->live->hub));
	put_gauge(b, "sessions_max", "Sessions the node has room for", (uint64_t)conf_connections_max(api->live->conf));
}

static void reply_metrics(struct api *api, struct http_req *req)
{
	struct buf *b = &api->live->scratch;
	buf_clear(b);
	put_gauges(b, api);
	put_answers(b, api);
	put_refusals(b, api->live->hub);
	put_counters(b, api->live->hub);
	put_histograms(b, api->live->hub);
	http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, (struct str){b->data, b->len});
}

/* NULL, or why this node should get no requests. `reads`: the database has answered just now. */
static const char *not_ready(const struct api *api, bool reads)
{
	bool redis = bus_is_up(api->live->bus);
	if (hub_is_leaving(api->live->hub))
		return "this node is draining";
	if (reads && store_is_read_only(api->live->store))
		return redis ? "the database is read-only" : "the database is read-only and Redis is away";
	if (reads && store_refuses_writes(api->live->store) && store_missing_writers(api->live->store) != 0)
		return redis ? "a writer process is missing" : "a writer process is missing and Redis is away";
	if (!reads || store_refuses_writes(api->live->store))
		return redis ? "the database is away" : "the database and Redis are away";
	return redis ? NULL : "Redis is away";
}

static void on_pinged(enum store_status status, uint64_t count, void *arg)
{
	struct http_req *req = arg;
	const char *why = not_ready(req->user, status == STORE_OK);
	(void)count;
	if (why == NULL)
		http_reply(req, 200, "application/json", NULL, STR_LIT("{\"status\":\"ready\"}"));
	else
		http_reply_problem(req, 503, "unavailable", why, 1, NULL);
}

static void reply_file(const struct api *api, struct http_req *req)
{
	const char *docroot = api->live->conf->admin.docroot;
	if (docroot[0] == '\0' || (req->verb != VERB_GET && req->verb != VERB_HEAD))
		http_reply_problem(req, 404, "not_found", "no such path", 0, NULL);
	else
		http_reply_file(req, docroot, req->path);
}

static enum http_verdict admin_head(struct http_req *req, void *ctx)
{
	struct api *api = ctx;
	if (req->path.len > 7 && memcmp(req->path.s, "/admin/", 7) == 0)
		return door_head(api, req, true);
	bool health = str_is(req->path, "/healthz"), readiness = str_is(req->path, "/readyz");
	if (!health && !readiness && !str_is(req->path, "/metrics"))
		reply_file(api, req);
	else if (req->verb != VERB_GET && req->verb != VERB_HEAD)
		http_reply_problem(req, 405, "method_not_allowed", "this path has other methods", 0,
				   "Allow: GET, HEAD\r\n");
	else if (health)
		http_reply(req, 200, "application/json", NULL, STR_LIT("{\"status\":\"alive\"}"));
	else if (!readiness)
		reply_metrics(api, req);
	else {
		req->user = api;
		store_ping(api->live->store, on_pinged, req);
	}
	return HTTP_ANSWERED;
}

const struct http_handler admin_door = {
	.head = admin_head, .request = door_request, .aborted = door_aborted, .body = door_body};
