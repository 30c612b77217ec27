/* SPDX-License-Identifier: BSD-2-Clause */
/* search status, rebuild: the search index from the command line, on the configured database. */
#include "core/base.h"
#include "ctl/ctl.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/json.h"
#include "store/search.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>

static const char usage[] = "search status | rebuild";

/* One question to the store, and the loop that waits for its answer. */
struct question {
	struct event_base *base;
	struct store *store;
	const struct ctl *ctl;
	enum store_status status;
};

static double percent_of(const struct store_search_state *s)
{
	if (s->state == SEARCH_READY)
		return 100;
	return s->conversations != 0 ? 100.0 * (double)s->walked / (double)s->conversations : 0;
}

static void print_json(const struct store_search_state *s)
{
	struct json_out *o = json_out_new();
	struct buf b = {0};
	json_begin(o, &b);
	json_object(o);
	json_key(o, "state");
	json_cstr(o, search_state_name(s->state));
	json_key(o, "since");
	json_time(o, s->changed_ms);
	json_key(o, "percent");
	json_i64(o, (int64_t)percent_of(s));
	json_key(o, "conversations");
	json_i64(o, (int64_t)s->conversations);
	json_key(o, "walked");
	json_i64(o, (int64_t)s->walked);
	json_key(o, "generation");
	json_i64(o, (int64_t)s->generation);
	json_key(o, "format");
	json_i64(o, (int64_t)s->format);
	json_object_end(o);
	printf("%.*s\n", (int)b.len, b.data);
	buf_fini(&b);
	json_out_free(&o);
}

static void print_state(const struct store_search_state *s)
{
	char since[CLOCK_RFC3339_LEN + 1];
	clock_format_rfc3339(since, s->changed_ms);
	printf("%-13s %s since %s\n", "state", search_state_name(s->state), since);
	if (s->state == SEARCH_BUILDING)
		printf("%-13s %.1f %%: %" PRIu64 " of %" PRIu64 " conversations\n", "progress", percent_of(s),
		       s->walked, s->conversations);
	printf("%-13s %" PRIu64 ", format %" PRIu64 "\n", "generation", s->generation, s->format);
}

static void on_state(const struct store_search_state *s, void *arg)
{
	struct question *q = arg;
	q->status = s->status;
	if (s->status == STORE_OK && q->ctl->json)
		print_json(s);
	else if (s->status == STORE_OK)
		print_state(s);
	event_base_loopbreak(q->base);
}

static void on_rebuild(enum store_status status, uint64_t count, void *arg)
{
	struct question *q = arg;
	(void)count;
	q->status = status;
	event_base_loopbreak(q->base);
}

static int ask(const struct ctl *ctl, bool rebuild)
{
	struct question q = {.ctl = ctl, .base = event_base_new()};
	q.store = store_new(q.base, ctl->conf, NULL, NULL);
	if (rebuild)
		store_rebuild_search(q.store, on_rebuild, &q);
	else
		store_find_search_state(q.store, on_state, &q);
	event_base_dispatch(q.base);
	bool read_only = store_is_read_only(q.store);
	store_free(&q.store);
	event_base_free(q.base);
	if (q.status == STORE_OK)
		return 0;
	return ctl_fail(read_only ? "the database is read-only" : "the database does not answer");
}

int ctl_search(const struct ctl *ctl)
{
	bool rebuild = ctl->argc == 1 && strcmp(ctl->argv[0], "rebuild") == 0;
	if (!rebuild && (ctl->argc != 1 || strcmp(ctl->argv[0], "status") != 0))
		return ctl_usage(usage);
	if (rebuild && ctl->conf->search.backend == SEARCH_BACKEND_OFF)
		return ctl_fail("search is off: search.backend");
	return ask(ctl, rebuild);
}
