/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides what webhooks ask of the database next, and knows what their rows say. */
#include "core/base.h"
#include "relay/hooks.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "hub/stats.h"
#include "net/loop.h"
#include "relay/relay_priv.h"
#include "store/row.h"
#include "store/sql.h"

#define POLL_MS 200
/* All that the lanes can ask for, also of one host: one that hangs would take the others' place there. */
#define PARALLEL (CONF_WEBHOOKS_MAX * HOOK_LANES)

void hook_put_consumer(struct buf *text, const struct hook *h)
{
	buf_printf(text, "'hook:%s'", h->conf->name);
}

/* ---- their rows ---- */

static void look_ask(struct relay *r, struct buf *text)
{
	r->hooks.look = false;
	bool first = true;
	sql_lit(text, "SELECT name,generation,is_paused,since FROM hooks FORCE INDEX (PRIMARY) WHERE name IN (");
	for (unsigned i = 0; i < r->hooks.count; i++) {
		r->hooks.hook[i].is_new = true;
		sql_comma(text, &first);
		sql_str(text, str_from(r->hooks.hook[i].conf->name));
	}
	sql_lit(text, ");COMMIT");
}

static struct hook *find_hook(struct hooks *x, struct str name)
{
	for (unsigned i = 0; i < x->count; i++)
		if (str_is(name, x->hook[i].conf->name))
			return &x->hook[i];
	return NULL;
}

static void look_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct hook *h = find_hook(&r->hooks, row_take_str(row));
	(void)stmt;
	if (h == NULL)
		return;
	uint64_t generation = row_take_u64(row);
	/* It is to begin somewhere else. */
	if (h->known && generation != h->generation)
		hook_drop(h);
	h->generation = generation;
	bool paused = row_take_bool(row);
	if (paused != h->paused)
		log_info("webhook %s: %s", h->conf->name, paused ? "paused" : "goes on");
	h->paused = paused;
	h->since_ms = row_take_ms(row);
	h->known = true;
	h->is_new = false;
}

static void look_done(struct relay *r)
{
	for (unsigned i = 0; i < r->hooks.count; i++) {
		struct hook *h = &r->hooks.hook[i];
		/* Its row is gone: it is added again. */
		if (h->is_new && h->known)
			hook_drop(h);
		h->known = !h->is_new;
		hook_go_on(h);
	}
}

/* In the next second. */
static void look_failed(struct relay *r)
{
	(void)r;
}

static const struct relay_job look_job = {
	.name = "looking at webhooks", .ask = look_ask, .row = look_row, .done = look_done, .failed = look_failed};

/* One that is new begins with what happens from now on. */
static void add_ask(struct relay *r, struct buf *text)
{
	sql_lit(text, "INSERT IGNORE INTO hooks (name,since) VALUES (");
	sql_str(text, str_from(r->hooks.now->conf->name));
	sql_lit(text, ",UTC_TIMESTAMP(3));COMMIT");
}

static void add_done(struct relay *r)
{
	r->hooks.now->is_new = false;
	r->hooks.look = true;
}

static void add_failed(struct relay *r)
{
	r->hooks.now->rests = true;
}

static const struct relay_job add_job = {
	.name = "adding a webhook", .ask = add_ask, .done = add_done, .failed = add_failed};

/* ---- is there anything new ---- */

/* By a loose scan, as in survey.c. It is asked once for all webhooks: what each has to read takes longer to find out.
 */
static void news_ask(struct relay *r, struct buf *text)
{
	r->hooks.ask_news = false;
	sql_lit(text,
		"SELECT COUNT(*),COALESCE(SUM(s.max_n),0),COALESCE(BIT_XOR(s.stream),0) FROM (SELECT stream,MAX(n) "
		"AS max_n FROM outbox GROUP BY stream) s;COMMIT");
}

static void news_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct hooks *x = &r->hooks;
	struct hook_news now;
	(void)stmt;
	now.streams = row_take_u64(row);
	now.rows = row_take_u64(row);
	now.ids = row_take_u64(row);
	bool changed = now.streams != x->news.streams || now.rows != x->news.rows || now.ids != x->news.ids;
	x->news = now;
	for (unsigned i = 0; changed && i < x->count; i++)
		x->hook[i].due = true;
}

static void news_done(struct relay *r)
{
	(void)r;
}

static const struct relay_job news_job = {.name = "looking whether webhooks are told anything",
					  .ask = news_ask,
					  .row = news_row,
					  .done = news_done,
					  .failed = look_failed};

/* ---- what is next ---- */

void hook_drop(struct hook *h)
{
	hook_stop_sending(h);
	h->step = HOOK_IDLE;
	h->due = true;
	h->streams = 0;
	h->rows = h->events = h->ids = h->messages = h->users = h->profiles = 0;
	arena_clear(&h->arena);
	arena_clear(&h->shown);
}

void hook_failed(struct relay *r)
{
	hook_drop(r->hooks.now);
	r->hooks.now->rests = true;
}

void hooks_forget(struct relay *r)
{
	for (unsigned i = 0; i < r->hooks.count; i++) {
		hook_drop(&r->hooks.hook[i]);
		r->hooks.hook[i].known = r->hooks.hook[i].is_new = false;
	}
	stat_set(STAT_HOOK_LAG, 0);
}

/* Of the one that is furthest behind. */
static void tell_lag(const struct hooks *x)
{
	int64_t oldest = 0, now = clock_wall_ms();
	for (unsigned i = 0; i < x->count; i++) {
		int64_t at = x->hook[i].waits_since_ms;
		if (at != 0 && (oldest == 0 || at < oldest))
			oldest = at;
	}
	stat_set(STAT_HOOK_LAG, oldest != 0 && oldest < now ? (uint64_t)(now - oldest) : 0);
}

void hooks_second(struct relay *r)
{
	struct hooks *x = &r->hooks;
	if (x->count == 0)
		return;
	x->look = true;
	for (unsigned i = 0; i < x->count; i++)
		x->hook[i].rests = false;
	tell_lag(x);
}

static const struct relay_job *hook_due(struct hook *h)
{
	if (h->rests)
		return NULL;
	if (h->is_new && !h->known)
		return &add_job;
	if (!h->known)
		return NULL;
	switch (h->step) {
	case HOOK_IDLE:
		if (h->changed)
			return &hook_note_job;
		return h->due && !h->paused ? &hook_survey_job : NULL;
	case HOOK_SURVEYING:
		return &hook_survey_job;
	case HOOK_SEARCHING:
		return &hook_search_job;
	case HOOK_READING:
		return &hook_read_job;
	case HOOK_LOADING:
		return &hook_load_job;
	case HOOK_SENDING:
		return h->changed ? &hook_note_job : NULL;
	case HOOK_NOTING:
		return &hook_note_job;
	}
	return NULL;
}

const struct relay_job *hooks_due(struct relay *r, int64_t now_ms)
{
	struct hooks *x = &r->hooks;
	(void)now_ms;
	if (x->count == 0)
		return NULL;
	if (x->look)
		return &look_job;
	if (x->ask_news)
		return &news_job;
	for (unsigned i = 0; i < x->count; i++) {
		struct hook *h = &x->hook[x->next];
		const struct relay_job *job = hook_due(h);
		x->next = (x->next + 1) % x->count;
		if (job == NULL)
			continue;
		x->now = h;
		return job;
	}
	return NULL;
}

static void on_poll(struct wheel_timer *t)
{
	struct relay *r = container_of(t, struct relay, hooks.poll);
	for (unsigned i = 0; i < r->hooks.count; i++) {
		const struct hook *h = &r->hooks.hook[i];
		r->hooks.ask_news |= h->known && h->step == HOOK_IDLE && !h->paused && !h->due;
	}
	relay_go_on(r);
	wheel_set(loop_wheel(r->loop), t, POLL_MS, on_poll);
}

/* ---- its life ---- */

void hooks_init(struct relay *r)
{
	const struct fetch_options options = {.ca_file = r->conf->relay.ca_file,
					      .allow_private = r->conf->relay.allow_private,
					      .parallel = PARALLEL,
					      .parallel_host = PARALLEL,
					      .waiting = PARALLEL};
	struct hooks *x = &r->hooks;
	char *why = NULL;
	if (r->conf->relay.webhook_count == 0)
		return;
	x->fetch = fetch_new(r->loop, &options, &why);
	if (x->fetch == NULL) {
		log_error("webhooks are not called: %s", why);
		free(why);
		return;
	}
	x->count = (unsigned)r->conf->relay.webhook_count;
	x->hook = xcalloc(x->count, sizeof(*x->hook));
	for (unsigned i = 0; i < x->count; i++) {
		struct hook *h = &x->hook[i];
		h->relay = r;
		h->conf = &r->conf->relay.webhooks[i];
		h->due = true;
		for (unsigned k = 0; k < HOOK_LANES; k++)
			h->lane[k].hook = h;
	}
	x->json = json_out_new();
	x->media = media_urls_of(r->conf);
	x->urls.prefix = r->conf->http.prefix;
	x->urls.media = r->conf->media.directory[0] != '\0' ? &x->media : NULL;
	wheel_set(loop_wheel(r->loop), &x->poll, POLL_MS, on_poll);
}

static void hook_fini(struct hook *h)
{
	hook_drop(h);
	free(h->row);
	free(h->event);
	free(h->order);
	free(h->id);
	free(h->message);
	free(h->user);
	free(h->profile);
	arena_fini(&h->arena);
	arena_fini(&h->shown);
}

void hooks_fini(struct relay *r)
{
	struct hooks *x = &r->hooks;
	wheel_cancel(&x->poll);
	for (unsigned i = 0; i < x->count; i++)
		hook_fini(&x->hook[i]);
	fetch_free(&x->fetch);
	free(x->hook);
	json_out_free(&x->json);
	buf_fini(&x->body);
}
