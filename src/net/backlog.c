/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides which of the connections with unsent output are closed, and when. Must not look at what they carry.
 *
 * A connection is closed at the second look: while the process itself was stopped, nobody gave it anything to take.
 */
#include "core/base.h"
#include "net/backlog.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "core/clock.h"
#include "core/log.h"
#include "net/conn_priv.h"

#define TICK_MS 1000
/* What a client is supposed to take in its first second, of which nothing is known yet. */
#define FIRST_SECOND_BYTES 65536

struct backlog {
	struct wheel *wheel;
	struct wheel_timer tick;
	TAILQ_HEAD(, backlog_entry) waiting;
	size_t count;
	size_t memory, budget;
};

struct backlog *backlog_new(struct wheel *w)
{
	struct backlog *b = xcalloc(1, sizeof(*b));
	b->wheel = w;
	TAILQ_INIT(&b->waiting);
	return b;
}

void backlog_free(struct backlog **bp)
{
	struct backlog *b = *bp;
	ASSERT(TAILQ_EMPTY(&b->waiting));
	wheel_cancel(&b->tick);
	free(b);
	*bp = NULL;
}

void backlog_set_budget(struct backlog *b, size_t bytes)
{
	b->budget = bytes;
}

size_t *backlog_memory(struct backlog *b)
{
	return &b->memory;
}

/* ---- how fast a peer takes its output ---- */

/* Written, and not acknowledged by the peer. */
static int held_by_kernel(const struct conn *c)
{
	int bytes = 0;
	return ioctl(conn_fd(c), SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

static uint64_t taken(const struct backlog_entry *e, int in_kernel)
{
	int64_t bytes = (int64_t)e->written + e->in_kernel - in_kernel;
	return bytes > 0 ? (uint64_t)bytes : 0;
}

static void begin_window(struct backlog_entry *e, int64_t now_ms, int in_kernel)
{
	e->since_ms = now_ms;
	e->written = 0;
	e->in_kernel = in_kernel;
	e->suspect = false;
}

static void end_window(struct backlog_entry *e, int64_t now_ms)
{
	int in_kernel = held_by_kernel(e->conn);
	uint64_t bytes = taken(e, in_kernel);
	if (bytes >= BACKLOG_RATE * (BACKLOG_WINDOW_MS / 1000)) {
		e->before = (struct backlog_pace){now_ms - e->since_ms, bytes};
		begin_window(e, now_ms, in_kernel);
	} else if (e->suspect) {
		conn_close(e->conn, CONN_TOO_SLOW);
	} else {
		e->suspect = true;
	}
}

static void on_tick(struct wheel_timer *t)
{
	struct backlog *b = container_of(t, struct backlog, tick);
	int64_t now_ms = clock_mono_ms();
	struct backlog_entry *e, *next;
	for (e = TAILQ_FIRST(&b->waiting); e != NULL; e = next) {
		next = TAILQ_NEXT(e, entry);
		if (now_ms - e->since_ms >= BACKLOG_WINDOW_MS)
			end_window(e, now_ms);
	}
	if (b->count != 0)
		wheel_set(b->wheel, t, TICK_MS, on_tick);
}

/* ---- making room ---- */

struct candidate {
	struct conn *conn;
	double secs; /* that it would take to read what it holds */
};

static double secs_to_read(const struct backlog_entry *e, int64_t now_ms)
{
	double ms = (double)(now_ms - e->since_ms + e->before.ms) + 1000;
	double bytes = (double)(taken(e, held_by_kernel(e->conn)) + e->before.bytes) + FIRST_SECOND_BYTES;
	return (double)e->conn->work->queue.unsent * ms / bytes / 1000;
}

static int slowest_first(const void *a, const void *b)
{
	double x = ((const struct candidate *)a)->secs, y = ((const struct candidate *)b)->secs;
	return x < y ? 1 : x > y ? -1 : 0;
}

static void make_room(struct backlog *b)
{
	struct candidate *all = xcalloc(b->count, sizeof(*all));
	size_t n = 0, closed = 0, before = b->memory;
	int64_t now_ms = clock_mono_ms();
	struct backlog_entry *e;
	/* One that waits to send a file holds nothing. */
	TAILQ_FOREACH (e, &b->waiting, entry)
		if (e->conn->work->queue.unsent != 0)
			all[n++] = (struct candidate){e->conn, secs_to_read(e, now_ms)};
	qsort(all, n, sizeof(*all), slowest_first);
	for (; closed < n && b->memory > b->budget - b->budget / 8; closed++)
		conn_close(all[closed].conn, CONN_NO_MEMORY);
	free(all);
	log_warn("output that clients do not take has grown to %zu KiB: closed %zu of %zu slow connections",
		 before / 1024, closed, n);
}

/* ---- who waits ---- */

static void join(struct backlog *b, struct conn *c)
{
	struct backlog_entry *e = &c->work->wait;
	e->conn = c;
	begin_window(e, clock_mono_ms(), held_by_kernel(c));
	TAILQ_INSERT_TAIL(&b->waiting, e, entry);
	if (b->count++ == 0)
		wheel_set(b->wheel, &b->tick, TICK_MS, on_tick);
}

void backlog_wait(struct backlog *b, struct conn *c, size_t written)
{
	struct backlog_entry *e = &c->work->wait;
	if (e->conn == NULL)
		join(b, c);
	else
		e->written += written;
	if (b->budget != 0 && b->memory > b->budget)
		make_room(b);
}

void backlog_leave(struct backlog *b, struct conn *c)
{
	struct backlog_entry *e = &c->work->wait;
	if (e->conn == NULL)
		return;
	e->conn = NULL;
	TAILQ_REMOVE(&b->waiting, e, entry);
	if (--b->count == 0)
		wheel_cancel(&b->tick);
}
