/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the hub, writes JSON. */
#include "core/base.h"
#include "proc/status.h"

#include "core/clock.h"
#include "core/id.h"
#include "hub/presence.h"
#include "hub/stats.h"
#include "net/addr.h"
#include "proc/master_priv.h"

#include <unistd.h>

static void put_number(struct json_out *o, const char *key, uint64_t v)
{
	json_key(o, key);
	json_i64(o, (int64_t)v);
}

static void put_flag(struct json_out *o, const char *key, bool v)
{
	json_key(o, key);
	json_bool(o, v);
}

static void put_histograms(const struct master *m, struct json_out *o)
{
	json_key(o, "histograms");
	json_object(o);
	for (int h = 0; h < STAT_HISTOGRAMS; h++) {
		struct stat_sum sum;
		stats_histogram(m->hub, (enum stat_histogram)h, &sum);
		json_key(o, stat_histograms[h].family);
		json_object(o);
		put_number(o, "count", sum.count);
		put_number(o, "total", sum.total);
		json_object_end(o);
	}
	json_object_end(o);
}

static const char *state_name(const struct master *m, bool serves)
{
	switch (m->phase) {
	case MASTER_WAITING:
		return "waiting";
	case MASTER_SERVING:
		return serves ? "serving" : "starting";
	case MASTER_LEAVING:
		return "draining";
	case MASTER_STOPPING:
		return "stopping";
	}
	return "unknown";
}

static unsigned first_relay(const struct master *m)
{
	return m->worker_slots + m->writer_slots;
}

static void put_writers_sum(const struct master *m, struct json_out *o)
{
	uint64_t ready = 0, living = 0, restarts = 0;
	for (unsigned i = m->worker_slots; i < first_relay(m); i++) {
		struct worker_row row;
		hub_worker_read(m->hub, i, &row);
		restarts += row.restarts;
		living += row.state != WORKER_FREE;
		ready += row.state == WORKER_READY;
	}
	put_number(o, "writers", living);
	put_number(o, "writers_ready", ready);
	put_number(o, "writer_restarts", restarts);
}

static unsigned first_media(const struct master *m)
{
	return first_relay(m) + RELAY_SLOTS;
}

/* Of the present one, as with relays. */
static void put_media_sum(const struct master *m, struct json_out *o)
{
	struct worker_row media = {.state = WORKER_FREE};
	uint64_t restarts = 0;
	for (unsigned i = first_media(m); i < m->slots; i++) {
		struct worker_row row;
		hub_worker_read(m->hub, i, &row);
		restarts += row.restarts;
		if (row.state != WORKER_FREE && (media.state == WORKER_FREE || row.state != WORKER_DRAINING))
			media = row;
	}
	json_key(o, "media");
	json_cstr(o, media.state != WORKER_FREE ? worker_state_name((enum worker_state)media.state)
		     : m->has_media		? "missing"
						: "off");
	put_number(o, "media_jobs", media.pending);
	put_number(o, "media_restarts", restarts);
}

static const char *relay_role(const struct worker_row *row)
{
	return row->leads ? "leads" : "waits";
}

/* Of the present one; beside it another may be leaving. */
static void put_relay_sum(const struct master *m, struct json_out *o)
{
	struct worker_row relay = {.state = WORKER_FREE};
	uint64_t restarts = 0;
	for (unsigned i = first_relay(m); i < first_media(m); i++) {
		struct worker_row row;
		hub_worker_read(m->hub, i, &row);
		restarts += row.restarts;
		if (row.state != WORKER_FREE && (relay.state == WORKER_FREE || row.state != WORKER_DRAINING))
			relay = row;
	}
	json_key(o, "relay");
	json_cstr(o, relay.state != WORKER_FREE ? worker_state_name((enum worker_state)relay.state) : "missing");
	json_key(o, "relay_role");
	json_cstr(o, relay_role(&relay));
	put_number(o, "relay_rows", relay.pending);
	put_number(o, "relay_lag_ms", relay.lag_ms);
	put_number(o, "relay_restarts", restarts);
}

void status_put(const struct master *m, struct json_out *o)
{
	uint64_t ready = 0, living = 0, connections = 0, websockets = 0, restarts = 0, pending = 0;
	bool database = true, redis = true, read_only = false;
	for (unsigned i = 0; i < m->worker_slots; i++) {
		struct worker_row row;
		hub_worker_read(m->hub, i, &row);
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
	json_key(o, "version");
	json_cstr(o, PACKAGE_VERSION);
	json_key(o, "node_id");
	json_cstr(o, m->conf->node_id);
	put_number(o, "pid", (uint64_t)getpid());
	json_key(o, "started_at");
	json_time(o, m->started_ms);
	json_key(o, "state");
	json_cstr(o, state_name(m, ready > 0));
	put_number(o, "generation", m->generation);
	put_number(o, "workers", living);
	put_number(o, "workers_ready", ready);
	put_number(o, "worker_restarts", restarts);
	put_writers_sum(m, o);
	put_relay_sum(m, o);
	put_media_sum(m, o);
	put_number(o, "connections", connections);
	put_number(o, "websockets", websockets);
	put_number(o, "sessions", presence_total(m->hub));
	put_number(o, "sessions_max", (uint64_t)conf_connections_max(m->conf));
	put_number(o, "store_pending", pending);
	put_number(o, "refused", m->refused);
	put_flag(o, "database", living > 0 && database);
	put_flag(o, "database_read_only", read_only);
	put_flag(o, "redis", living > 0 && redis);
	json_key(o, "counters");
	json_object(o);
	for (int c = 0; c < STAT_COUNTERS; c++)
		put_number(o, stat_counter_name((enum stat_counter)c), stats_sum(m->hub, (enum stat_counter)c));
	json_object_end(o);
	put_histograms(m, o);
}

/* What all rows begin with. False: there is none in the slot. */
static bool begin_row(const struct master *m, struct json_out *o, unsigned slot, unsigned number,
		      struct worker_row *row_r)
{
	hub_worker_read(m->hub, slot, row_r);
	if (row_r->state == WORKER_FREE)
		return false;
	json_object(o);
	put_number(o, "slot", number);
	put_number(o, "pid", (uint64_t)row_r->pid);
	json_key(o, "state");
	json_cstr(o, worker_state_name((enum worker_state)row_r->state));
	json_key(o, "started_at");
	json_time(o, row_r->started_ms);
	put_number(o, "restarts", row_r->restarts);
	return true;
}

static void put_worker(const struct master *m, struct json_out *o, unsigned slot)
{
	struct worker_row row;
	if (!begin_row(m, o, slot, slot, &row))
		return;
	put_number(o, "connections", row.connections);
	put_number(o, "websockets", row.websockets);
	put_number(o, "sockets_passed", row.passed);
	put_number(o, "store_pending", row.pending);
	put_flag(o, "database", row.database_up);
	put_flag(o, "database_read_only", row.read_only);
	put_flag(o, "redis", row.redis_up);
	json_object_end(o);
}

/* What a slot's processes have counted goes on through their deaths. */
static void put_writer(const struct master *m, struct json_out *o, unsigned slot)
{
	struct worker_row row;
	if (!begin_row(m, o, slot, slot - m->worker_slots, &row))
		return;
	uint64_t batches = stats_of(m->hub, slot, STAT_BATCHES), ops = stats_of(m->hub, slot, STAT_BATCH_OPS);
	put_number(o, "workers", row.connections);
	put_number(o, "queue", row.pending);
	put_number(o, "transactions", batches);
	put_number(o, "operations", ops);
	put_number(o, "batch_size", batches > 0 ? (ops + batches / 2) / batches : 0);
	put_flag(o, "database", row.database_up);
	put_flag(o, "database_read_only", row.read_only);
	json_object_end(o);
}

static void put_relay(const struct master *m, struct json_out *o, unsigned slot)
{
	struct worker_row row;
	if (!begin_row(m, o, slot, slot - first_relay(m), &row))
		return;
	json_key(o, "role");
	json_cstr(o, relay_role(&row));
	put_number(o, "rows", row.pending);
	put_number(o, "lag_ms", row.lag_ms);
	put_number(o, "repairs", stats_of(m->hub, slot, STAT_RELAY_REPAIRS));
	put_flag(o, "database", row.database_up);
	put_flag(o, "database_read_only", row.read_only);
	put_flag(o, "redis", row.redis_up);
	json_object_end(o);
}

static void put_media(const struct master *m, struct json_out *o, unsigned slot)
{
	struct worker_row row;
	if (!begin_row(m, o, slot, slot - first_media(m), &row))
		return;
	put_number(o, "jobs", row.pending);
	put_number(o, "done", row.connections);
	put_number(o, "memory_kib", row.private_kib);
	json_object_end(o);
}

void status_put_workers(const struct master *m, struct json_out *o)
{
	json_key(o, "workers");
	json_array(o);
	for (unsigned i = 0; i < m->worker_slots; i++)
		put_worker(m, o, i);
	json_array_end(o);
	json_key(o, "writers");
	json_array(o);
	for (unsigned i = m->worker_slots; i < first_relay(m); i++)
		put_writer(m, o, i);
	json_array_end(o);
	json_key(o, "relays");
	json_array(o);
	for (unsigned i = first_relay(m); i < first_media(m); i++)
		put_relay(m, o, i);
	json_array_end(o);
	json_key(o, "media");
	json_array(o);
	for (unsigned i = first_media(m); i < m->slots; i++)
		put_media(m, o, i);
	json_array_end(o);
}

/* What a worker has written into shared memory may be anything. */
static bool is_plain(const struct presence_row *row)
{
	struct str user = str_from(row->user_id);
	if (!id_user_valid(user) || strlen(row->session_id) != SESSION_ID_LEN)
		return false;
	for (const char *p = row->session_id; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	for (const char *p = row->device; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return true;
}

void status_put_sessions(const struct master *m, const char *user_id, struct json_out *o)
{
	struct presence_row row[64];
	struct addr peer;
	char address[ADDR_TEXT_MAX];
	uint32_t cursor = 0;
	size_t n;
	json_key(o, "sessions");
	json_array(o);
	do {
		n = presence_list(m->hub, user_id, &cursor, row, ARRAY_LEN(row));
		for (size_t i = 0; i < n; i++) {
			if (!is_plain(&row[i]))
				continue;
			json_object(o);
			json_key(o, "user_id");
			json_cstr(o, row[i].user_id);
			json_key(o, "session_id");
			json_cstr(o, row[i].session_id);
			json_key(o, "device");
			json_str(o, row[i].device[0] != '\0' ? str_from(row[i].device) : STR_NULL);
			json_key(o, "address");
			peer = addr_unpack(&row[i].address, 0);
			json_cstr(o, addr_format_host(&peer, address));
			put_number(o, "worker", row[i].worker);
			json_key(o, "since");
			json_time(o, id_session_since_ms(str_from(row[i].session_id)));
			json_object_end(o);
		}
	} while (cursor != 0);
	json_array_end(o);
}
