/* SPDX-License-Identifier: BSD-2-Clause */
/* admin.listen: is the process alive, can it do its work, and the node's figures. */
#include "core/base.h"
#include "im/http_door.h"

#include "hub/presence.h"
#include "hub/stats.h"
#include "im/im_priv.h"

#include <inttypes.h>

static void put_head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP tidings_%s %s\n# TYPE tidings_%s %s\n", name, help, name, type);
}

static void put_counters(struct buf *b, const struct hub *hub)
{
	for (int c = 0; c < STAT_COUNTERS; c++) {
		const char *name = stat_counter_name(c);
		buf_printf(b,
			   "# HELP tidings_%s_total %s\n# TYPE tidings_%s_total counter\ntidings_%s_total %" PRIu64
			   "\n",
			   name, stat_counter_help(c), name, name, stats_sum(hub, c));
	}
}

static void put_histograms(struct buf *b, const struct hub *hub)
{
	for (int h = 0; h < STAT_HISTOGRAMS; h++) {
		struct stat_sum sum;
		const char *name = stat_histogram_name(h);
		stats_histogram(hub, h, &sum);
		put_head(b, name, "histogram", stat_histogram_help(h));
		for (int i = 0; i < STAT_BUCKETS - 1; i++) {
			buf_printf(b, "tidings_%s_bucket{le=\"%.6f\"} %" PRIu64 "\n", name, (double)(1u << i) / 1e6,
				   sum.bucket[i]);
		}
		buf_printf(b,
			   "tidings_%s_bucket{le=\"+Inf\"} %" PRIu64 "\ntidings_%s_sum %.6f\ntidings_%s_count %" PRIu64
			   "\n",
			   name, sum.count, name, (double)sum.total_usecs / 1e6, name, sum.count);
	}
}

static void put_gauge(struct buf *b, const char *name, const char *help, uint64_t value)
{
	put_head(b, name, "gauge", help);
	buf_printf(b, "tidings_%s %" PRIu64 "\n", name, value);
}

static void put_gauges(struct buf *b, struct hub *hub)
{
	uint64_t ready = 0, connections = 0, websockets = 0, restarts = 0;
	uint32_t used, size;
	for (unsigned i = 0; i < hub_worker_slots(hub); i++) {
		struct worker_row row;
		hub_worker_read(hub, i, &row);
		restarts += row.restarts;
		if (row.state == WORKER_FREE)
			continue;
		ready += row.state == WORKER_READY;
		connections += row.connections;
		websockets += row.websockets;
	}
	presence_usage(hub, &used, &size);
	put_gauge(b, "workers_ready", "Workers that take connections", ready);
	put_gauge(b, "connections", "Open client connections", connections);
	put_gauge(b, "websockets", "Open WebSocket sessions", websockets);
	put_gauge(b, "presence_rows", "Sessions in the presence table", used);
	put_gauge(b, "presence_rows_max", "Sessions the presence table can hold", size);
	put_head(b, "worker_restarts_total", "counter", "Workers that died and were replaced");
	buf_printf(b, "tidings_worker_restarts_total %" PRIu64 "\n", restarts);
}

static void reply_metrics(struct im *im, struct http_req *req)
{
	struct buf *b = &im->scratch;
	buf_clear(b);
	put_gauges(b, im->hub);
	put_counters(b, im->hub);
	put_histograms(b, im->hub);
	http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, (struct str){b->data, b->len});
}

static void on_pinged(enum store_status status, uint64_t count, void *arg)
{
	struct http_req *req = arg;
	struct im *im = req->user;
	bool database = status == STORE_OK, redis = bus_is_up(im->bus);
	(void)count;
	if (database && redis)
		http_reply(req, 200, "application/json", NULL, STR_LIT("{\"status\":\"ready\"}"));
	else
		http_reply_problem(req, 503, "unavailable",
				   database ? "Redis is away"
				   : redis  ? "the database is away"
					    : "the database and Redis are away",
				   1, NULL);
}

static enum http_verdict admin_head(struct http_req *req, void *ctx)
{
	struct im *im = ctx;
	bool health = str_is(req->path, "/healthz"), readiness = str_is(req->path, "/readyz");
	if (!health && !readiness && !str_is(req->path, "/metrics"))
		http_reply_problem(req, 404, "not_found", "no such path", 0, NULL);
	else if (req->verb != VERB_GET && req->verb != VERB_HEAD)
		http_reply_problem(req, 405, "method_not_allowed", "this path has other methods", 0,
				   "Allow: GET, HEAD\r\n");
	else if (health)
		http_reply(req, 200, "application/json", NULL, STR_LIT("{\"status\":\"alive\"}"));
	else if (!readiness)
		reply_metrics(im, req);
	else {
		req->user = im;
		store_ping(im->store, on_pinged, req);
	}
	return HTTP_ANSWERED;
}

const struct http_handler admin_door = {.head = admin_head, .request = NULL};
