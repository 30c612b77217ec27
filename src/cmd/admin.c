/* SPDX-License-Identifier: BSD-2-Clause */
/* The administration API: the audit log, the node's figures, sending for others. Users are in admin_users.c and
 * admin_sessions.c. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/list.h"
#include "cmd/operator.h"
#include "hub/figures.h"
#include "live/beat.h"
#include "store/audit.h"

#define AUDIT_LIMIT 50

/* ---- audit ---- */

const struct problem *audit_check(struct request *r, union command_args *a)
{
	return list_query_limit(r, AUDIT_LIMIT, &a->page.limit)
		       ?: request_query_u64(r, "cursor", 1, UINT64_MAX, 0, &a->page.before);
}

static void put_entry(struct json_out *o, const struct audit_entry *e)
{
	json_object(o);
	json_put_time(o, "at", e->at_ms);
	json_put_str(o, "actor", e->actor);
	json_put_str(o, "method", e->method);
	json_put_str(o, "path", e->path);
	json_key(o, "status");
	if (e->http_status != 0)
		json_i64(o, e->http_status);
	else
		json_null(o);
	json_object_end(o);
}

static void on_audit(const struct store_audit *list, void *arg)
{
	struct request *r = arg;
	struct json_out *o = list_begin(r, list->status);
	char cursor[CURSOR_LEN];
	if (o == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		put_entry(o, &list->item[i]);
	list_end(r, list->has_more ? list_cursor_of_id(cursor, list->item[list->count - 1].id) : STR_NULL);
}

void audit_proceed(struct request *r, const union command_args *a)
{
	store_list_audit(r->live->store, request_user(r), a->page.limit, a->page.before, on_audit, r);
}

/* ---- figures ---- */

/* Far more than a cluster has. */
#define NODES_MAX 64

static void put_cluster(struct json_out *o, const struct live *live)
{
	struct beat_node node[NODES_MAX];
	size_t count;
	bool all = beat_nodes(live, node, ARRAY_LEN(node), &count);
	json_key(o, "nodes");
	json_array(o);
	for (size_t i = 0; i < count; i++) {
		json_object(o);
		json_put_str(o, "node_id", node[i].node_id[0] != '\0' ? str_from(node[i].node_id) : STR_NULL);
		json_key(o, "workers");
		json_i64(o, node[i].workers);
		json_key(o, "silent");
		json_i64(o, node[i].silent);
		json_object_end(o);
	}
	json_array_end(o);
	json_put_bool(o, "more_nodes", !all);
}

void node_stats_proceed(struct request *r, const union command_args *a)
{
	const struct conf *conf = r->live->conf;
	struct json_out *o = request_begin(r);
	(void)a;
	json_put_cstr(o, "version", PACKAGE_VERSION);
	json_put_cstr(o, "node_id", conf->node_id);
	json_key(o, "sessions_max");
	json_i64(o, conf_connections_max(conf));
	figures_put_node(r->live->hub, conf->media.directory[0] != '\0', o);
	json_key(o, "processes");
	json_object(o);
	figures_put_processes(r->live->hub, o);
	json_object_end(o);
	put_cluster(o, r->live);
	request_answer(r, 200);
}

/* ---- messages ---- */

/* From then on it is that user's request; the audit log has who asked. */
static const struct problem *act_as(struct request *r)
{
	struct str from;
	const struct problem *p = request_text(r, "from_user_id", &from);
	if (p != NULL)
		return p;
	if (from.s == NULL)
		from = STR_LIT(OPERATOR_USER);
	if (!id_user_valid(from))
		return request_invalid(r, "from_user_id: must be " USER_ID_RULE);
	memcpy(r->user, from.s, from.len);
	r->user[from.len] = '\0';
	return NULL;
}

const struct problem *send_as_check(struct request *r, union command_args *a)
{
	const struct problem *p = act_as(r) ?: send_check(r, a);
	a->send.by_operator = str_is(request_user(r), OPERATOR_USER);
	return p;
}
