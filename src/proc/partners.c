/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers hand what they write to writers, over a socket pair for each two of them; the master makes it and passes the
 * ends. Decides which process is a worker's writer of that number: the one of the worker's own generation, or, where
 * that has died and is not replaced, one of the present generation: each may write to every conversation, and the
 * number only keeps what belongs together in one place.
 *
 * The writers of a generation leave after its workers: until then these may have something to hand over. A relay leaves
 * when another is ready, or needs its place, or after all workers and writers: what they leave behind is looked after.
 * So does a media process, whose jobs come from workers.
 */
#include "core/base.h"
#include "proc/master_priv.h"

#include "core/clock.h"
#include "core/log.h"
#include "proc/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a writer has still to do, without workers, takes no longer; then its deadlines are over. */
#define WRITER_DRAIN_MS 5000
/* To give its lease back. */
#define RELAY_DRAIN_MS 2000
/* For the files that it has, whose time is limited (inspector/crew.h). */
#define MEDIA_DRAIN_MS 20000

static bool is_writer(const struct child *c)
{
	return c->kind == CHILD_WRITER && c->pid != 0 && !c->told_to_leave;
}

static bool is_worker(const struct child *c)
{
	return c->kind == CHILD_WORKER && c->pid != 0;
}

/* The lowest number that no writer of the present generation has. */
static unsigned free_index(const struct master *m)
{
	for (unsigned index = 0;; index++) {
		bool taken = false;
		for (unsigned i = m->worker_slots; i < m->slots && !taken; i++)
			taken = is_writer(&m->child[i]) && m->child[i].generation == m->generation &&
				m->child[i].index == index;
		if (!taken)
			return index;
	}
}

void partners_begin(struct child *c)
{
	struct master *m = c->m;
	c->serial = ++m->last_serial;
	if (c->kind == CHILD_RELAY || c->kind == CHILD_MEDIA)
		return;
	if (c->kind == CHILD_WRITER) {
		c->index = free_index(m);
		return;
	}
	c->partners = (unsigned)m->conf->writers;
	c->partner = xcalloc(c->partners + 1, sizeof(*c->partner));
	c->partners_sent = 0;
}

void partners_end(struct child *c)
{
	free(c->partner);
	c->partner = NULL;
	c->partners = 0;
}

/* ---- connecting ---- */

static struct child *writer_with(const struct master *m, uint32_t generation, unsigned index)
{
	for (unsigned i = m->worker_slots; i < m->slots; i++) {
		struct child *c = &m->child[i];
		if (is_writer(c) && c->generation == generation && c->index == index)
			return c;
	}
	return NULL;
}

static struct child *writer_for(const struct master *m, const struct child *worker, unsigned index)
{
	struct child *c = writer_with(m, worker->generation, index);
	if (c == NULL && worker->generation != m->generation)
		c = writer_with(m, m->generation, index % (unsigned)m->conf->writers);
	return c;
}

static void connect_with(struct child *worker, unsigned index, struct child *writer)
{
	const struct order to_writer = {.kind = ORDER_WORKER}, to_worker = {.kind = ORDER_WRITER, .number = index};
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
		log_error_gated("cannot connect a worker with a writer: %s", strerror(errno));
		return;
	}
	/* Of a pair of which only one end is passed, that one sees the end; it is tried again. */
	if (channel_send(writer->channel, &to_writer, pair[0]) == 0 &&
	    channel_send(worker->channel, &to_worker, pair[1]) == 0) {
		worker->partner[index] = writer->serial;
		worker->partners_sent++;
	}
	close(pair[0]);
	close(pair[1]);
}

/*
 * A socket may end while both processes live: one of them could not open it, or did not understand the other. What was
 * sent after the report says nothing of: the worker reports again once it has that.
 */
void partners_report(struct child *c, uint32_t taken, uint64_t missing)
{
	if (taken != c->partners_sent)
		return;
	for (unsigned n = 0; n < c->partners; n++)
		if (missing >> n & 1)
			c->partner[n] = 0;
}

/* ---- leaving ---- */

static bool is_needed(const struct master *m, const struct child *writer)
{
	for (unsigned i = 0; i < m->worker_slots; i++) {
		const struct child *c = &m->child[i];
		if (!is_worker(c))
			continue;
		if (c->generation == writer->generation)
			return true;
		for (unsigned n = 0; n < c->partners; n++)
			if (c->partner[n] == writer->serial)
				return true;
	}
	return false;
}

static void tell_to_leave(struct child *c, int64_t deadline_ms)
{
	const struct order order = {.kind = ORDER_DRAIN, .deadline_ms = deadline_ms};
	c->told_to_leave = true;
	spawn_tell(c, &order, -1);
	/* The processes that left before it may have used all of the time. */
	int64_t kill_at_ms = clock_mono_ms() + deadline_ms + KILL_GRACE_MS;
	if (c->m->kill_at_ms < kill_at_ms)
		c->m->kill_at_ms = kill_at_ms;
}

/* Relays and media processes: one of the present generation works, beside one that leaves. */
static bool has_ready(const struct master *m, enum child_kind kind)
{
	for (unsigned i = 0; i < m->slots; i++) {
		const struct child *c = &m->child[i];
		if (c->kind == kind && c->pid != 0 && c->generation == m->generation && c->state == WORKER_READY)
			return true;
	}
	return false;
}

/* Another reload has come before the one of the last one was ready: the older one makes room. */
static struct child *one_in_the_way(const struct master *m, enum child_kind kind)
{
	struct child *oldest = NULL;
	for (unsigned i = m->worker_slots; i < m->slots; i++) {
		struct child *c = &m->child[i];
		if (c->kind != kind)
			continue;
		if (c->pid == 0 || c->told_to_leave || c->generation == m->generation)
			return NULL;
		if (oldest == NULL || c->generation < oldest->generation)
			oldest = c;
	}
	return oldest;
}

static void let_single_leave(struct master *m, enum child_kind kind, int64_t within_ms)
{
	struct child *in_the_way = m->phase != MASTER_STOPPING ? one_in_the_way(m, kind) : NULL;
	if (in_the_way != NULL)
		tell_to_leave(in_the_way, within_ms);
	bool last = m->phase == MASTER_STOPPING && spawn_living_of(m, CHILD_WORKER) == 0 &&
		    spawn_living_of(m, CHILD_WRITER) == 0;
	for (unsigned i = m->worker_slots; i < m->slots; i++) {
		struct child *c = &m->child[i];
		if (c->kind != kind || c->pid == 0 || c->told_to_leave)
			continue;
		if (last || (c->generation != m->generation && has_ready(m, kind)))
			tell_to_leave(c, within_ms);
	}
}

static void let_leave(struct master *m)
{
	for (unsigned i = m->worker_slots; i < m->slots; i++) {
		struct child *c = &m->child[i];
		bool may = c->generation != m->generation || m->phase == MASTER_STOPPING;
		if (!is_writer(c) || !may || is_needed(m, c))
			continue;
		tell_to_leave(c, WRITER_DRAIN_MS);
	}
	let_single_leave(m, CHILD_RELAY, RELAY_DRAIN_MS);
	let_single_leave(m, CHILD_MEDIA, m->phase == MASTER_STOPPING ? RELAY_DRAIN_MS : MEDIA_DRAIN_MS);
}

void partners_update(struct master *m)
{
	for (unsigned i = 0; i < m->worker_slots; i++) {
		struct child *worker = &m->child[i];
		if (!is_worker(worker))
			continue;
		for (unsigned n = 0; n < worker->partners; n++) {
			struct child *writer = writer_for(m, worker, n);
			if (writer != NULL && worker->partner[n] != writer->serial)
				connect_with(worker, n, writer);
		}
	}
	let_leave(m);
}
