/* SPDX-License-Identifier: BSD-2-Clause */
/* hooks list, pause, resume, replay: webhooks from the command line, on the configured database. */
#include "core/base.h"
#include "ctl/question.h"

#include "core/clock.h"
#include "store/hook.h"

#include <inttypes.h>
#include <stdio.h>

static const char usage[] = "hooks list | pause NAME | resume NAME | replay NAME --since TIME";

/* ---- listing ---- */

static bool is_configured(const struct ctl *ctl, const char *name)
{
	for (size_t i = 0; i < ctl->conf->relay.webhook_count; i++)
		if (strcmp(ctl->conf->relay.webhooks[i].name, name) == 0)
			return true;
	return false;
}

static const char *state_of(const struct ctl *ctl, const struct store_hook *h)
{
	return !is_configured(ctl, h->name) ? "removed"
	       : h->is_paused		    ? "paused"
	       : h->failing_since_ms != 0   ? "failing"
					    : "running";
}

static void put_json(struct question *q, const struct store_hooks *r)
{
	struct json_out *o = q->out;
	json_array(o);
	for (size_t i = 0; i < r->count; i++) {
		const struct store_hook *h = &r->item[i];
		json_object(o);
		json_put_cstr(o, "name", h->name);
		json_put_cstr(o, "state", state_of(q->ctl, h));
		json_put_u64(o, "delivered", h->delivered);
		json_put_u64(o, "failed", h->failed);
		json_put_u64(o, "lost", h->lost);
		json_put_u64(o, "lag_ms", (uint64_t)h->lag_ms);
		json_put_time(o, "since", h->since_ms);
		json_put_time(o, "failing_since", h->failing_since_ms);
		json_put_str(o, "error", h->failing_since_ms != 0 ? h->error : STR_NULL);
		json_object_end(o);
	}
	json_array_end(o);
}

static void print_table(const struct ctl *ctl, const struct store_hooks *r)
{
	printf("%-24s %-8s %12s %10s %10s %10s  %s\n", "NAME", "STATE", "DELIVERED", "FAILED", "LOST", "LAG", "ERROR");
	for (size_t i = 0; i < r->count; i++) {
		const struct store_hook *h = &r->item[i];
		printf("%-24s %-8s %12" PRIu64 " %10" PRIu64 " %10" PRIu64 " %8.1f s  %.*s\n", h->name,
		       state_of(ctl, h), h->delivered, h->failed, h->lost, (double)h->lag_ms / 1000, (int)h->error.len,
		       h->error.len != 0 ? h->error.s : "");
	}
}

static void on_hooks(const struct store_hooks *r, void *arg)
{
	struct question *q = arg;
	if (r->status == STORE_OK && q->ctl->json)
		put_json(q, r);
	else if (r->status == STORE_OK)
		print_table(q->ctl, r);
	question_answered(q, r->status);
}

/* ---- both ---- */

struct wish {
	bool lists;
	const char *name;
	enum hook_change change;
	int64_t since_ms;
};

static int ask(const struct ctl *ctl, const struct wish *w)
{
	struct question q;
	question_begin(&q, ctl);
	if (w->lists)
		store_list_hooks(q.store, on_hooks, &q);
	else
		store_change_hook(q.store, str_from(w->name), w->change, w->since_ms, question_on_count, &q);
	int status = question_wait(&q);
	if (status == 0 && q.status == STORE_NOT_FOUND)
		status = ctl_fail("no webhook of the name %s has been running", w->name);
	else if (status == 0 && w->lists)
		question_print(&q);
	question_end(&q);
	return status;
}

int ctl_hooks(const struct ctl *ctl)
{
	static const char *const names[] = {[HOOK_PAUSE] = "pause", [HOOK_RESUME] = "resume", [HOOK_REPLAY] = "replay"};
	struct wish w = {.lists = ctl->argc == 1 && strcmp(ctl->argv[0], "list") == 0};
	if (w.lists)
		return ask(ctl, &w);
	for (size_t i = 0; ctl->argc >= 2 && i < ARRAY_LEN(names); i++) {
		if (strcmp(ctl->argv[0], names[i]) != 0)
			continue;
		bool replays = i == HOOK_REPLAY;
		if (ctl->argc != (replays ? 4 : 2) || (replays && strcmp(ctl->argv[2], "--since") != 0))
			break;
		w.name = ctl->argv[1];
		w.change = (enum hook_change)i;
		if (replays && clock_parse_rfc3339(str_from(ctl->argv[3]), &w.since_ms) != 0)
			return ctl_misuse("a time is as in 2026-11-30T08:00:00Z, not '%s'", ctl->argv[3]);
		if (replays && w.since_ms > clock_wall_ms())
			return ctl_misuse("%s is still to come: what happens before would not be delivered",
					  ctl->argv[3]);
		return ask(ctl, &w);
	}
	return ctl_usage(usage);
}
