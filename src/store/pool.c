/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue of reads. Decides which connection serves which read, and when one is given up. */
#include "core/base.h"
#include "store/pool.h"

#include <event2/event.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"

#define QUEUE_MAX 8192
#define READ_DEADLINE_MS 3000
#define TICK_MS 100

struct pool_link {
	struct pool *pool;
	struct link *link;
	struct read *read; /* being served */
};

struct pool {
	struct event *kick, *tick;
	struct read_queue queue;
	struct read_queue refused; /* to be answered as their status says */
	size_t queued, serving, refused_count;
	bool closing;
	unsigned link_count;
	struct pool_link links[];
};

void *read_new(struct pool *p, size_t size)
{
	struct read *r = xcalloc(1, size);
	r->pool = p;
	return r;
}

static void read_free(struct read *r)
{
	buf_fini(&r->text);
	arena_fini(&r->arena);
	free(r);
}

static void finish(struct read *r, enum store_status status)
{
	r->again = false;
	r->done(r, status);
	if (!r->again)
		read_free(r);
}

static void on_row(struct link_query *q, unsigned stmt, struct row *row)
{
	struct read *r = container_of(q, struct read, query);
	if (r->row != NULL)
		r->row(r, stmt, row);
}

static void to_queue(struct pool *p, struct read *r, bool first)
{
	if (first)
		TAILQ_INSERT_HEAD(&p->queue, r, entry);
	else
		TAILQ_INSERT_TAIL(&p->queue, r, entry);
	p->queued++;
	event_active(p->kick, 0, 0);
}

static struct pool_link *link_of(struct pool *p, const struct read *r)
{
	for (unsigned i = 0; i < p->link_count; i++)
		if (p->links[i].read == r)
			return &p->links[i];
	log_panic(__FILE__, __LINE__, "a read of no connection");
}

static void on_done(struct link_query *q, const struct link_result *result)
{
	struct read *r = container_of(q, struct read, query);
	struct pool *p = r->pool;
	link_of(p, r)->read = NULL;
	p->serving--;
	if (!TAILQ_EMPTY(&p->queue))
		event_active(p->kick, 0, 0);
	switch (result->outcome) {
	case LINK_OK:
		finish(r, STORE_OK);
		return;
	case LINK_ERROR:
		log_error_gated("database: %s (error %u) in a read", result->message, result->error);
		finish(r, STORE_UNAVAILABLE);
		return;
	case LINK_LOST:
		if (r->lost_once) {
			finish(r, STORE_UNAVAILABLE);
			return;
		}
		r->lost_once = true;
		to_queue(p, r, true);
		return;
	}
}

static void serve(struct pool_link *l, struct read *r)
{
	struct pool *p = l->pool;
	TAILQ_REMOVE(&p->queue, r, entry);
	p->queued--;
	p->serving++;
	l->read = r;
	if (r->restart != NULL)
		r->restart(r);
	r->query = (struct link_query){.text = {r->text.data, r->text.len}, .row = on_row, .done = on_done};
	link_query(l->link, &r->query);
}

static void expire(struct pool *p)
{
	int64_t now = clock_mono_ms();
	struct read *r;
	while ((r = TAILQ_FIRST(&p->queue)) != NULL && r->deadline_ms <= now) {
		TAILQ_REMOVE(&p->queue, r, entry);
		p->queued--;
		pool_refuse(r, STORE_UNAVAILABLE);
	}
}

static bool is_away(const struct pool *p)
{
	for (unsigned i = 0; i < p->link_count; i++)
		if (!link_is_away(p->links[i].link))
			return false;
	return true;
}

static void refuse_queue(struct pool *p)
{
	struct read *r;
	while ((r = TAILQ_FIRST(&p->queue)) != NULL) {
		TAILQ_REMOVE(&p->queue, r, entry);
		p->queued--;
		pool_refuse(r, STORE_UNAVAILABLE);
	}
}

static void answer_refused(struct pool *p)
{
	for (size_t n = p->refused_count; n > 0; n--) {
		struct read *r = TAILQ_FIRST(&p->refused);
		TAILQ_REMOVE(&p->refused, r, entry);
		p->refused_count--;
		finish(r, r->status);
	}
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct pool *p = arg;
	expire(p);
	answer_refused(p);
	for (unsigned i = 0; i < p->link_count && !TAILQ_EMPTY(&p->queue); i++)
		if (p->links[i].read == NULL && link_is_idle(p->links[i].link))
			serve(&p->links[i], TAILQ_FIRST(&p->queue));
	if (!TAILQ_EMPTY(&p->queue) && !evtimer_pending(p->tick, NULL)) {
		const struct timeval after = {.tv_usec = TICK_MS * 1000};
		evtimer_add(p->tick, &after);
	}
}

static void on_ready(struct link *link, void *ctx)
{
	struct pool_link *l = ctx;
	if (!TAILQ_EMPTY(&l->pool->queue))
		event_active(l->pool->kick, 0, 0);
}

static void on_down(struct link *link, const char *why, void *ctx)
{
	struct pool_link *l = ctx;
	if (is_away(l->pool))
		refuse_queue(l->pool);
}

void pool_refuse(struct read *r, enum store_status status)
{
	struct pool *p = r->pool;
	r->status = status;
	TAILQ_INSERT_TAIL(&p->refused, r, entry);
	p->refused_count++;
	event_active(p->kick, 0, 0);
}

void pool_submit(struct read *r)
{
	struct pool *p = r->pool;
	r->deadline_ms = clock_mono_ms() + READ_DEADLINE_MS;
	if (p->closing || is_away(p))
		pool_refuse(r, STORE_UNAVAILABLE);
	else if (p->queued >= QUEUE_MAX)
		pool_refuse(r, STORE_OVERLOADED);
	else
		to_queue(p, r, false);
}

void pool_again(struct read *r)
{
	r->again = true;
	r->lost_once = false;
	if (r->pool->closing)
		pool_refuse(r, STORE_UNAVAILABLE);
	else
		to_queue(r->pool, r, true);
}

struct pool *pool_new(struct event_base *base, const struct conf *conf)
{
	static const struct link_events events = {.ready = on_ready, .down = on_down};
	unsigned n = conf->mysql.connections > 2 ? (unsigned)conf->mysql.connections - 1 : 1;
	struct pool *p = xcalloc(1, sizeof(*p) + n * sizeof(p->links[0]));
	TAILQ_INIT(&p->queue);
	TAILQ_INIT(&p->refused);
	p->kick = event_new(base, -1, 0, on_kick, p);
	p->tick = evtimer_new(base, on_kick, p);
	ASSERT(p->kick != NULL && p->tick != NULL);
	p->link_count = n;
	for (unsigned i = 0; i < n; i++) {
		p->links[i].pool = p;
		p->links[i].link =
			link_new(base, conf, &(struct link_options){.name = "reading"}, &events, &p->links[i]);
	}
	return p;
}

void pool_free(struct pool **pool)
{
	struct pool *p = *pool;
	if (p == NULL)
		return;
	p->closing = true;
	for (unsigned i = 0; i < p->link_count; i++) {
		link_free(&p->links[i].link);
		if (p->links[i].read != NULL)
			pool_refuse(p->links[i].read, STORE_UNAVAILABLE);
	}
	refuse_queue(p);
	while (p->refused_count != 0)
		answer_refused(p);
	event_free(p->kick);
	event_free(p->tick);
	free(p);
	*pool = NULL;
}

size_t pool_pending(const struct pool *p)
{
	return p->queued + p->serving + p->refused_count;
}
