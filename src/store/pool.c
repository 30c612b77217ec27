/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and their connections. Decides which connection serves which read, and when one is given up. */
#include "core/base.h"
#include "store/pool.h"

#include <event2/event.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "store/turns.h"

#define READ_DEADLINE_MS 3000
/* While something waits, deadlines are looked at this often. */
#define TICK_MS 100

struct pool_link {
	struct pool *pool;
	struct link *link;
	struct read *read; /* being served */
};

struct pool {
	struct event *kick, *tick;
	struct turns *turns;	   /* what waits for a connection */
	struct read *sharable;	   /* those of them that others may join, by their text */
	struct read_queue refused; /* to be answered as their status says */
	size_t serving, refused_count;
	bool closing;
	unsigned link_count;
	struct pool_link links[];
};

void *read_new(struct pool *p, struct str user, size_t size)
{
	struct read *r = xcalloc(1, size);
	r->pool = p;
	r->user = arena_str(&r->arena, user);
	return r;
}

/* It is asked now, or refused. */
static void read_unshare(struct read *r)
{
	if (r->sharable)
		HASH_DEL(r->pool->sharable, r);
	r->sharable = false;
}

static void read_free(struct read *r)
{
	read_unshare(r);
	turns_leave(r->pool->turns, &r->waiting);
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

static void pool_kick(struct pool *p)
{
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
	pool_kick(p);
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
		turns_back(p->turns, &r->waiting);
		return;
	}
}

static void serve(struct pool_link *l, struct read *r)
{
	l->pool->serving++;
	l->read = r;
	read_unshare(r);
	if (r->restart != NULL)
		r->restart(r);
	r->query = (struct link_query){.text = {r->text.data, r->text.len}, .row = on_row, .done = on_done};
	link_query(l->link, &r->query);
}

static bool is_away(const struct pool *p)
{
	for (unsigned i = 0; i < p->link_count; i++)
		if (!link_is_away(p->links[i].link))
			return false;
	return true;
}

static struct read *read_of(struct waiting *w)
{
	return container_of(w, struct read, waiting);
}

static void refuse_expired(struct pool *p)
{
	int64_t now = clock_mono_ms();
	struct waiting *w;
	while ((w = turns_expired(p->turns, now)) != NULL)
		pool_refuse(read_of(w), STORE_UNAVAILABLE);
}

static void refuse_all(struct pool *p)
{
	struct waiting *w;
	while ((w = turns_any(p->turns)) != NULL)
		pool_refuse(read_of(w), STORE_UNAVAILABLE);
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

static struct pool_link *idle_link(struct pool *p)
{
	for (unsigned i = 0; i < p->link_count; i++)
		if (p->links[i].read == NULL && link_is_idle(p->links[i].link))
			return &p->links[i];
	return NULL;
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct pool *p = arg;
	struct pool_link *l;
	struct waiting *w;
	answer_refused(p);
	while ((l = idle_link(p)) != NULL && (w = turns_next(p->turns)) != NULL)
		serve(l, read_of(w));
	if (turns_waiting(p->turns) != 0 && !evtimer_pending(p->tick, NULL)) {
		const struct timeval after = {.tv_usec = TICK_MS * 1000};
		evtimer_add(p->tick, &after);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	refuse_expired(arg);
	on_kick(fd, what, arg);
}

static void on_ready(struct link *link, void *ctx)
{
	const struct pool_link *l = ctx;
	pool_kick(l->pool);
}

static void on_down(struct link *link, const char *why, void *ctx)
{
	struct pool_link *l = ctx;
	if (is_away(l->pool))
		refuse_all(l->pool);
}

void pool_refuse(struct read *r, enum store_status status)
{
	struct pool *p = r->pool;
	read_unshare(r);
	r->status = status;
	TAILQ_INSERT_TAIL(&p->refused, r, entry);
	p->refused_count++;
	pool_kick(p);
}

void pool_submit(struct read *r)
{
	struct pool *p = r->pool;
	r->waiting.deadline_ms = clock_mono_ms() + READ_DEADLINE_MS;
	if (p->closing || is_away(p))
		pool_refuse(r, STORE_UNAVAILABLE);
	else if (!turns_join(p->turns, &r->waiting, r->user))
		pool_refuse(r, STORE_OVERLOADED);
	else
		pool_kick(p);
}

static bool can_join(const struct read *waiting, const struct read *r)
{
	/* Who joins has its deadline. */
	bool has_time = waiting->waiting.deadline_ms - clock_mono_ms() > READ_DEADLINE_MS / 2;
	return has_time && waiting->same == r->same && waiting->asker_count < READ_ASKERS_MAX &&
	       str_equal(waiting->user, r->user) && r->same(waiting, r);
}

void pool_submit_shared(struct read *r, void *asker)
{
	struct pool *p = r->pool;
	struct read *waiting = NULL;
	r->asker[r->asker_count++] = asker;
	HASH_FIND(hh, p->sharable, r->text.data, r->text.len, waiting);
	if (waiting != NULL && can_join(waiting, r) && turns_share(p->turns, &waiting->waiting)) {
		waiting->asker[waiting->asker_count++] = asker;
		read_free(r);
		return;
	}
	pool_submit(r);
	/* One that is full, or of another kind, makes room for this one. */
	if (waiting != NULL)
		read_unshare(waiting);
	if (r->waiting.of == NULL)
		return;
	HASH_ADD_KEYPTR(hh, p->sharable, r->text.data, r->text.len, r);
	r->sharable = true;
}

void pool_again(struct read *r)
{
	r->again = true;
	r->lost_once = false;
	if (r->pool->closing)
		pool_refuse(r, STORE_UNAVAILABLE);
	else
		turns_back(r->pool->turns, &r->waiting);
}

struct pool *pool_new(struct event_base *base, const struct conf *conf, const struct pool_options *options)
{
	static const struct link_events events = {.ready = on_ready, .down = on_down};
	unsigned n = options->links;
	struct pool *p = xcalloc(1, sizeof(*p) + n * sizeof(p->links[0]));
	TAILQ_INIT(&p->refused);
	/* A user alone leaves one connection free, so that the next user does not wait even for the read under way. */
	p->turns = turns_new(&(struct turns_limits){
		.max = options->max, .user_max = options->user_max, .user_out_max = n > 1 ? n - 1 : 1});
	p->kick = event_new(base, -1, 0, on_kick, p);
	p->tick = evtimer_new(base, on_tick, p);
	ASSERT(p->kick != NULL && p->tick != NULL);
	p->link_count = n;
	for (unsigned i = 0; i < n; i++) {
		p->links[i].pool = p;
		p->links[i].link =
			link_new(base, conf, &(struct link_options){.name = options->name, .role = SETTINGS_READ},
				 &events, &p->links[i]);
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
	refuse_all(p);
	while (p->refused_count != 0)
		answer_refused(p);
	event_free(p->kick);
	event_free(p->tick);
	turns_free(&p->turns);
	free(p);
	*pool = NULL;
}

size_t pool_pending(const struct pool *p)
{
	return turns_waiting(p->turns) + p->serving + p->refused_count;
}
