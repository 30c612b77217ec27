/* SPDX-License-Identifier: BSD-2-Clause */
/* What the master knows itself; the rest is read from the hub. */
#include "core/base.h"
#include "proc/status.h"

#include "core/clock.h"
#include "core/id.h"
#include "hub/figures.h"
#include "hub/presence.h"
#include "net/addr.h"
#include "proc/master_priv.h"

#include <unistd.h>

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

static bool serves(const struct master *m)
{
	struct worker_row row;
	for (unsigned i = 0; i < m->worker_slots; i++) {
		hub_worker_read(m->hub, i, &row);
		if (row.state == WORKER_READY)
			return true;
	}
	return false;
}

void status_put(const struct master *m, struct json_out *o)
{
	json_put_cstr(o, "version", PACKAGE_VERSION);
	json_put_cstr(o, "node_id", m->conf->node_id);
	json_key(o, "pid");
	json_i64(o, getpid());
	json_put_time(o, "started_at", m->started_ms);
	json_put_cstr(o, "state", state_name(m, serves(m)));
	json_key(o, "generation");
	json_i64(o, m->generation);
	json_key(o, "sessions_max");
	json_i64(o, conf_connections_max(m->conf));
	json_put_u64(o, "refused", m->refused);
	figures_put_node(m->hub, m->has_media, o);
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
			json_put_cstr(o, "user_id", row[i].user_id);
			json_put_cstr(o, "session_id", row[i].session_id);
			json_put_str(o, "device", row[i].device[0] != '\0' ? str_from(row[i].device) : STR_NULL);
			json_key(o, "address");
			peer = addr_unpack(&row[i].address, 0);
			json_cstr(o, addr_format_host(&peer, address));
			json_key(o, "worker");
			json_i64(o, row[i].worker);
			json_put_time(o, "since", id_session_since_ms(str_from(row[i].session_id)));
			json_object_end(o);
		}
	} while (cursor != 0);
	json_array_end(o);
}
