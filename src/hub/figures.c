/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the hub, writes JSON. */
#include "core/base.h"
#include "hub/figures.h"

#include "hub/presence.h"
#include "hub/stats.h"

static void put_histograms(const struct hub *hub, struct json_out *o)
{
	json_key(o, "histograms");
	json_object(o);
	for (int h = 0; h < STAT_HISTOGRAMS; h++) {
		struct stat_sum sum;
		stats_histogram(hub, (enum stat_histogram)h, &sum);
		json_key(o, stat_histograms[h].family);
		json_object(o);
		json_put_u64(o, "count", sum.count);
		json_put_u64(o, "total", sum.total);
		json_object_end(o);
	}
	json_object_end(o);
}

static unsigned first_relay(const struct hub *hub)
{
	return hub_worker_slots(hub) + hub_writer_slots(hub);
}

static void put_writers_sum(const struct hub *hub, struct json_out *o)
{
	uint64_t ready = 0, living = 0, restarts = 0;
	for (unsigned i = hub_worker_slots(hub); i < first_relay(hub); i++) {
		struct worker_row row;
		hub_worker_read(hub, i, &row);
		restarts += row.restarts;
		living += row.state != WORKER_FREE;
		ready += row.state == WORKER_READY;
	}
	json_put_u64(o, "writers", living);
	json_put_u64(o, "writers_ready", ready);
	json_put_u64(o, "writer_restarts", restarts);
}

static unsigned first_media(const struct hub *hub)
{
	return first_relay(hub) + hub_relay_slots(hub);
}

/* The present process of slots that one process has; beside it another may be leaving. Returns the deaths in them. */
static uint64_t find_present(const struct hub *hub, unsigned slot, unsigned end, struct worker_row *present_r)
{
	uint64_t restarts = 0;
	*present_r = (struct worker_row){.state = WORKER_FREE};
	for (; slot < end; slot++) {
		struct worker_row row;
		hub_worker_read(hub, slot, &row);
		restarts += row.restarts;
		if (row.state != WORKER_FREE && (present_r->state == WORKER_FREE || row.state != WORKER_DRAINING))
			*present_r = row;
	}
	return restarts;
}

static void put_media_sum(const struct hub *hub, bool has_media, struct json_out *o)
{
	struct worker_row media;
	uint64_t restarts = find_present(hub, first_media(hub), hub_slots(hub), &media);
	json_key(o, "media");
	json_cstr(o, media.state != WORKER_FREE ? worker_state_name((enum worker_state)media.state)
		     : has_media		? "missing"
						: "off");
	json_put_u64(o, "media_jobs", media.pending);
	json_put_u64(o, "media_restarts", restarts);
}

static const char *relay_role(const struct worker_row *row)
{
	return row->leads ? "leads" : "waits";
}

static void put_relay_sum(const struct hub *hub, struct json_out *o)
{
	struct worker_row relay;
	uint64_t restarts = find_present(hub, first_relay(hub), first_media(hub), &relay);
	json_put_cstr(o, "relay",
		      relay.state != WORKER_FREE ? worker_state_name((enum worker_state)relay.state) : "missing");
	json_put_cstr(o, "relay_role", relay_role(&relay));
	json_put_u64(o, "relay_rows", relay.pending);
	json_put_u64(o, "relay_lag_ms", relay.lag_ms);
	json_put_u64(o, "relay_restarts", restarts);
	json_put_u64(o, "pushes_waiting", stats_gauge(hub, STAT_PUSHES_WAITING));
}

void figures_put_node(const struct hub *hub, bool has_media, struct json_out *o)
{
	uint64_t ready = 0, living = 0, connections = 0, websockets = 0, restarts = 0, pending = 0;
	bool database = true, redis = true, read_only = false;
	for (unsigned i = 0; i < hub_worker_slots(hub); i++) {
		struct worker_row row;
		hub_worker_read(hub, i, &row);
		restarts += row.restarts;
		if (row.state == WORKER_FREE)
			continue;
		living++;
		ready += row.state == WORKER_READY;
		connections += row.connections;
		websockets += row.websockets;
		pending += row.pending;
		database = database && row.database_up;
		redis = redis && row.redis_up;
		read_only = read_only || row.read_only;
	}
	json_put_u64(o, "workers", living);
	json_put_u64(o, "workers_ready", ready);
	json_put_u64(o, "worker_restarts", restarts);
	put_writers_sum(hub, o);
	put_relay_sum(hub, o);
	put_media_sum(hub, has_media, o);
	json_put_u64(o, "connections", connections);
	json_put_u64(o, "websockets", websockets);
	json_put_u64(o, "sessions", presence_total(hub));
	json_put_u64(o, "store_pending", pending);
	json_put_bool(o, "database", living > 0 && database);
	json_put_bool(o, "database_read_only", read_only);
	json_put_bool(o, "redis", living > 0 && redis);
	json_key(o, "counters");
	json_object(o);
	for (int c = 0; c < STAT_COUNTERS; c++)
		json_put_u64(o, stat_counter_name((enum stat_counter)c), stats_sum(hub, (enum stat_counter)c));
	json_object_end(o);
	put_histograms(hub, o);
}

/* What all rows begin with. False: there is none in the slot. */
static bool begin_row(const struct hub *hub, struct json_out *o, unsigned slot, unsigned number,
		      struct worker_row *row_r)
{
	hub_worker_read(hub, slot, row_r);
	if (row_r->state == WORKER_FREE)
		return false;
	json_object(o);
	json_put_u64(o, "slot", number);
	json_put_u64(o, "pid", (uint64_t)row_r->pid);
	json_put_cstr(o, "state", worker_state_name((enum worker_state)row_r->state));
	json_put_time(o, "started_at", row_r->started_ms);
	json_put_u64(o, "restarts", row_r->restarts);
	return true;
}

static void put_links(struct json_out *o, const struct worker_row *row)
{
	json_put_bool(o, "database", row->database_up);
	json_put_bool(o, "database_read_only", row->read_only);
	json_put_bool(o, "redis", row->redis_up);
}

static void put_worker(const struct hub *hub, struct json_out *o, unsigned slot)
{
	struct worker_row row;
	if (!begin_row(hub, o, slot, slot, &row))
		return;
	json_put_u64(o, "connections", row.connections);
	json_put_u64(o, "websockets", row.websockets);
	json_put_u64(o, "sockets_passed", row.passed);
	json_put_u64(o, "store_pending", row.pending);
	put_links(o, &row);
	json_object_end(o);
}

/* What a slot's processes have counted goes on through their deaths. */
static void put_writer(const struct hub *hub, struct json_out *o, unsigned slot)
{
	struct worker_row row;
	if (!begin_row(hub, o, slot, slot - hub_worker_slots(hub), &row))
		return;
	uint64_t batches = stats_of(hub, slot, STAT_BATCHES), ops = stats_of(hub, slot, STAT_BATCH_OPS);
	json_put_u64(o, "workers", row.connections);
	json_put_u64(o, "queue", row.pending);
	json_put_u64(o, "transactions", batches);
	json_put_u64(o, "operations", ops);
	json_put_u64(o, "batch_size", batches > 0 ? (ops + batches / 2) / batches : 0);
	json_put_bool(o, "database", row.database_up);
	json_put_bool(o, "database_read_only", row.read_only);
	json_object_end(o);
}

static void put_relay(const struct hub *hub, struct json_out *o, unsigned slot)
{
	struct worker_row row;
	if (!begin_row(hub, o, slot, slot - first_relay(hub), &row))
		return;
	json_put_cstr(o, "role", relay_role(&row));
	json_put_u64(o, "rows", row.pending);
	json_put_u64(o, "lag_ms", row.lag_ms);
	json_put_u64(o, "repairs", stats_of(hub, slot, STAT_RELAY_REPAIRS));
	put_links(o, &row);
	json_object_end(o);
}

static void put_media(const struct hub *hub, struct json_out *o, unsigned slot)
{
	struct worker_row row;
	if (!begin_row(hub, o, slot, slot - first_media(hub), &row))
		return;
	json_put_u64(o, "jobs", row.pending);
	json_put_u64(o, "done", row.connections);
	json_put_u64(o, "memory_kib", row.private_kib);
	json_object_end(o);
}

void figures_put_processes(const struct hub *hub, struct json_out *o)
{
	json_key(o, "workers");
	json_array(o);
	for (unsigned i = 0; i < hub_worker_slots(hub); i++)
		put_worker(hub, o, i);
	json_array_end(o);
	json_key(o, "writers");
	json_array(o);
	for (unsigned i = hub_worker_slots(hub); i < first_relay(hub); i++)
		put_writer(hub, o, i);
	json_array_end(o);
	json_key(o, "relays");
	json_array(o);
	for (unsigned i = first_relay(hub); i < first_media(hub); i++)
		put_relay(hub, o, i);
	json_array_end(o);
	json_key(o, "media");
	json_array(o);
	for (unsigned i = first_media(hub); i < hub_slots(hub); i++)
		put_media(hub, o, i);
	json_array_end(o);
}
