/* SPDX-License-Identifier: BSD-2-Clause */
/* The sessions of any user, as administrators see and end them: those of this node are listed, those of all are ended.
 */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/list.h"
#include "hub/presence.h"
#include "live/push.h"
#include "live/watch.h"
#include "net/addr.h"

#include <inttypes.h>
#include <stdio.h>

#define LIMIT 50
#define LIMIT_MAX 100

/* ---- listing ---- */

struct listing {
	struct request *r;
	unsigned limit;
	uint32_t from;
};

const struct problem *any_sessions_check(struct request *r, union command_args *a)
{
	uint64_t from;
	const struct problem *p = list_query_limit(r, LIMIT, &a->sessions.limit)
					  ?: request_query_u64(r, "cursor", 1, UINT32_MAX, 0, &from);
	if (p == NULL)
		a->sessions.from = (uint32_t)from;
	return p;
}

static void put_session(struct json_out *o, const struct presence_row *row)
{
	struct addr peer = addr_unpack(&row->address, 0);
	char address[ADDR_TEXT_MAX];
	json_object(o);
	json_put_cstr(o, "session_id", row->session_id);
	json_put_str(o, "device", row->device[0] != '\0' ? str_from(row->device) : STR_NULL);
	json_put_cstr(o, "address", addr_format_host(&peer, address));
	json_key(o, "worker");
	json_i64(o, row->worker);
	json_put_time(o, "since", id_session_since_ms(str_from(row->session_id)));
	json_object_end(o);
}

/* The cursor is a place in the table of the node, and means nothing to another one. */
static void on_online(const bool *online, size_t n, void *arg)
{
	const struct listing *l = arg;
	struct request *r = l->r;
	struct presence_row row[LIMIT_MAX];
	uint32_t next = l->from;
	char cursor[CURSOR_LEN];
	(void)n;
	size_t count = presence_list(r->live->hub, r->path_user, &next, row, l->limit);
	struct json_out *o = request_begin(r);
	json_put_cstr(o, "node_id", r->live->conf->node_id);
	json_put_bool(o, "online", online[0]);
	json_key(o, "items");
	json_array(o);
	for (size_t i = 0; i < count; i++)
		put_session(o, &row[i]);
	list_end(r, next != 0 ? list_cursor_of_id(cursor, next) : STR_NULL);
}

void any_sessions_proceed(struct request *r, const union command_args *a)
{
	struct listing *l = arena_alloc(&r->arena, sizeof(*l));
	struct str user = str_from(r->path_user);
	*l = (struct listing){.r = r, .limit = a->sessions.limit, .from = a->sessions.from};
	online_find(r->live, &user, 1, on_online, l);
}

/* ---- ending ---- */

/* Without Redis nobody hears of it but this worker. */
void end_any_session_proceed(struct request *r, const union command_args *a)
{
	struct str only = r->path_session[0] != '\0' ? str_from(r->path_session) : STR_NULL;
	(void)a;
	push_kick(r->live, str_from(r->path_user), only);
	if (bus_is_up(r->live->bus))
		request_done(r);
	else
		request_fail(r, request_problem(r, PROBLEM_UNAVAILABLE,
						"Redis is away: sessions of other workers were not ended"));
}
