/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timing wheel. A timer hangs in the slot of the tick of its deadline; one
 * that is due in a later round stays there when its slot comes by. Owns no timer:
 * they belong to whoever embeds them.
 */
#include "core/base.h"
#include "core/wheel.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"

#define SLOTS 512

struct wheel {
	int64_t tick; /* the last one walked: no timer of this wheel has its deadline in it or before */
	unsigned fn_count;
	wheel_fn *fn[WHEEL_FNS];	/* a timer has the index alone */
	struct wheel_timer slot[SLOTS]; /* heads of rings */
};

static void ring_init(struct wheel_timer *head)
{
	head->next = head->prev = head;
}

static void ring_add(struct wheel_timer *head, struct wheel_timer *t)
{
	t->next = head;
	t->prev = head->prev;
	head->prev->next = t;
	head->prev = t;
}

/* Moves all of `from` into `to`, which must be empty. */
static void ring_take(struct wheel_timer *to, struct wheel_timer *from)
{
	ring_init(to);
	if (from->next == from)
		return;
	to->next = from->next;
	to->prev = from->prev;
	to->next->prev = to->prev->next = to;
	ring_init(from);
}

static struct wheel_timer *slot_of(struct wheel *w, int64_t deadline_ms)
{
	int64_t tick = (deadline_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
	return &w->slot[(uint64_t)tick % SLOTS];
}

struct wheel *wheel_new(int64_t now_ms)
{
	struct wheel *w = xcalloc(1, sizeof(*w));
	w->tick = now_ms / WHEEL_TICK_MS;
	for (size_t i = 0; i < SLOTS; i++)
		ring_init(&w->slot[i]);
	return w;
}

void wheel_free(struct wheel **w)
{
	if (*w == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++) {
		struct wheel_timer *head = &(*w)->slot[i];
		while (head->next != head)
			wheel_cancel(head->next);
	}
	free(*w);
	*w = NULL;
}

static unsigned number_of(struct wheel *w, wheel_fn *fn)
{
	unsigned i = 0;
	while (i < w->fn_count && w->fn[i] != fn)
		i++;
	ASSERT(i < WHEEL_FNS);
	if (i == w->fn_count)
		w->fn[w->fn_count++] = fn;
	return i;
}

void wheel_set(struct wheel *w, struct wheel_timer *t, int64_t delay_ms, wheel_fn *fn)
{
	ASSERT(fn != NULL);
	wheel_cancel(t);
	/* In a tick already walked it would wait for a whole round. */
	int64_t earliest = (w->tick + 1) * WHEEL_TICK_MS;
	int64_t deadline = clock_mono_ms() + (delay_ms > 0 ? delay_ms : 0);
	t->deadline_ms = deadline > earliest ? deadline : earliest;
	t->fn = number_of(w, fn) & (WHEEL_FNS - 1);
	ring_add(slot_of(w, t->deadline_ms), t);
}

void wheel_cancel(struct wheel_timer *t)
{
	if (t->next == NULL)
		return;
	t->next->prev = t->prev;
	t->prev->next = t->next;
	t->next = t->prev = NULL;
}

/* A callback may set, cancel and free any timer, so only the head of a ring is held across it. */
static void walk_slot(struct wheel *w, struct wheel_timer *slot, int64_t now_ms)
{
	struct wheel_timer walk;
	ring_take(&walk, slot);
	while (walk.next != &walk) {
		struct wheel_timer *t = walk.next;
		wheel_cancel(t);
		if (t->deadline_ms <= now_ms)
			w->fn[t->fn](t);
		else
			ring_add(slot, t);
	}
}

void wheel_advance(struct wheel *w, int64_t now_ms)
{
	int64_t from = w->tick;
	int64_t to = now_ms / WHEEL_TICK_MS;
	if (to <= from)
		return;
	/* Before the walk, so that what a callback sets lies beyond it and runs in a later one. */
	w->tick = to;
	int64_t count = to - from < SLOTS ? to - from : SLOTS;
	for (int64_t i = 1; i <= count; i++)
		walk_slot(w, &w->slot[(uint64_t)(from + i) % SLOTS], now_ms);
}
