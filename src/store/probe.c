/* SPDX-License-Identifier: BSD-2-Clause */
/* One question about a connection. Decides nothing about it: link.c does. */
#include "core/base.h"
#include "store/probe.h"

#include <event2/event.h>
#include <stdlib.h>

#include "store/link.h"
#include "store/sql.h"

#define ANSWER_TIMEOUT_MS 1000

struct probe {
	struct link *link;
	struct link_query query;
	struct buf text;
	struct event *tell; /* a link is not freed from within its own callbacks */
	bool idle;
	void (*told)(bool idle, void *ctx);
	void *ctx;
};

static void on_ready(struct link *l, void *ctx)
{
	struct probe *p = ctx;
	link_query(l, &p->query);
}

static void on_down(struct link *l, const char *why, void *ctx)
{
	struct probe *p = ctx;
	event_active(p->tell, 0, 0);
}

static void on_row(struct link_query *q, unsigned stmt, struct row *row)
{
	container_of(q, struct probe, query)->idle = str_is(row_take_str(row), "Sleep");
}

static void on_done(struct link_query *q, const struct link_result *r)
{
	event_active(container_of(q, struct probe, query)->tell, 0, 0);
}

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;
	p->told(p->idle, p->ctx);
}

struct probe *probe_new(struct event_base *base, const struct conf *conf, const char *host, unsigned long connection,
			void (*told)(bool idle, void *ctx), void *ctx)
{
	static const struct link_events events = {.ready = on_ready, .down = on_down};
	const struct link_options options = {
		.name = "probing",
		.role = SETTINGS_READ,
		.database = "",
		.host = host,
		.answer_timeout_ms = ANSWER_TIMEOUT_MS,
		.once = true,
	};
	struct probe *p = xcalloc(1, sizeof(*p));
	p->told = told;
	p->ctx = ctx;
	p->tell = event_new(base, -1, 0, on_tell, p);
	ASSERT(p->tell != NULL);
	sql_lit(&p->text, "SELECT COMMAND FROM information_schema.PROCESSLIST WHERE ID=");
	sql_u64(&p->text, connection);
	p->query = (struct link_query){.text = {p->text.data, p->text.len}, .row = on_row, .done = on_done};
	p->link = link_new(base, conf, &options, &events, p);
	return p;
}

void probe_free(struct probe **probe)
{
	struct probe *p = *probe;
	if (p == NULL)
		return;
	link_free(&p->link);
	event_free(p->tell);
	buf_fini(&p->text);
	free(p);
	*probe = NULL;
}
