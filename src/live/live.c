/* SPDX-License-Identifier: BSD-2-Clause */
/* The state that the live layer's files share. */
#include "core/base.h"
#include "live/live.h"

#include "core/trace.h"
#include "live/admission.h"
#include "live/group_priv.h"
#include "live/session.h"

void live_init(struct live *live, struct loop *loop, const struct conf *conf, struct hub *hub, unsigned slot,
	       const char *name)
{
	live->loop = loop;
	live->conf = conf;
	live->hub = hub;
	live->slot = slot;
	memcpy(live->origin, name, ORIGIN_LEN);
	memcpy(live->node, hub_name(hub), WORKER_NAME_LEN);
	lamport_init(&live->lamport, live->origin);
	table_init(&live->users, user_key);
	sessions_init(live);
	groups_init(live);
	deliveries_init(live);
	admissions_init(live);
	revoked_init(live);
	tracing_init(live);
	live->out = json_out_new();
}

void live_fini(struct live *live)
{
	groups_fini(live);
	admissions_fini(live);
	revoked_fini(live);
	table_fini(&live->deliveries.gathered);
	table_fini(&live->users);
	trace_close(&live->trace);
	json_out_free(&live->out);
	buf_fini(&live->text);
	buf_fini(&live->scratch);
	buf_fini(&live->parts);
	buf_fini(&live->wire);
}
