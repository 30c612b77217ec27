/* SPDX-License-Identifier: BSD-2-Clause */
/* search status, rebuild: the search index from the command line, on the configured database. */
#include "core/base.h"
#include "ctl/question.h"

#include "core/clock.h"
#include "store/search.h"

#include <inttypes.h>
#include <stdio.h>

static const char usage[] = "search status | rebuild";

static double percent_of(const struct store_search_state *s)
{
	if (s->state == SEARCH_READY)
		return 100;
	return s->conversations != 0 ? 100.0 * (double)s->walked / (double)s->conversations : 0;
}

static void put_json(struct json_out *o, const struct store_search_state *s)
{
	json_object(o);
	json_put_cstr(o, "state", search_state_name(s->state));
	json_put_time(o, "since", s->changed_ms);
	json_put_u64(o, "percent", percent_of(s));
	json_put_u64(o, "conversations", s->conversations);
	json_put_u64(o, "walked", s->walked);
	json_put_u64(o, "generation", s->generation);
	json_put_u64(o, "format", s->format);
	json_object_end(o);
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
	if (s->status == STORE_OK && q->ctl->json)
		put_json(q->out, s);
	else if (s->status == STORE_OK)
		print_state(s);
	question_answered(q, s->status);
}

static int ask(const struct ctl *ctl, bool rebuild)
{
	struct question q;
	question_begin(&q, ctl);
	if (rebuild)
		store_rebuild_search(q.store, question_on_count, &q);
	else
		store_find_search_state(q.store, on_state, &q);
	int status = question_wait(&q);
	if (status == 0 && !rebuild)
		question_print(&q);
	question_end(&q);
	return status;
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
