/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue of users whose presence will be asked for. */
#include "core/base.h"
#include "live/look.h"

#include "live/push.h"
#include "live/watch_priv.h"

#include <stdlib.h>

/* The users of one question, by id: they may be watched no longer when it is answered. */
struct look_batch {
	struct live *live;
	size_t n;
	char user[BUS_COUNT_CHUNK][USER_ID_MAX + 1];
};

static void looks_ask(struct live *live);

static void on_retry(struct wheel_timer *t)
{
	looks_ask(container_of(t, struct live, looks.retry));
}

static void looks_answered(const uint32_t *counts, size_t n, void *arg)
{
	struct look_batch *b = arg;
	struct live *live = b->live;
	live->looks.batch = NULL;
	/* Before they are wanted again, which would ask at once. */
	if (counts == NULL)
		wheel_set(loop_wheel(live->loop), &live->looks.retry, LOOK_RETRY_MS, on_retry);
	for (size_t i = 0; i < n; i++) {
		struct watched *w = watched_find(live, str_from(b->user[i]));
		if (w != NULL && counts != NULL)
			watched_looked(w, counts[i] > 0);
		else if (w != NULL)
			look_at(w);
	}
	free(b);
	if (counts != NULL)
		looks_ask(live);
}

static void looks_ask(struct live *live)
{
	char topic[BUS_COUNT_CHUNK][TOPIC_MAX];
	struct str topics[BUS_COUNT_CHUNK];
	struct watched *w;
	if (live->looks.batch != NULL || TAILQ_EMPTY(&live->looks.wanted) || !bus_is_up(live->bus))
		return;
	struct look_batch *b = xcalloc(1, sizeof(*b));
	b->live = live;
	while (b->n < BUS_COUNT_CHUNK && (w = TAILQ_FIRST(&live->looks.wanted)) != NULL) {
		memcpy(b->user[b->n], w->id, w->id_len + 1);
		topics[b->n] = topic_make(topic[b->n], TOPIC_USER, (struct str){w->id, w->id_len});
		b->n++;
		look_forget(w);
	}
	live->looks.batch = b;
	bus_count(live->bus, topics, b->n, looks_answered, b);
}

void look_at(struct watched *w)
{
	struct live *live = w->live;
	if (w->look_wanted)
		return;
	w->look_wanted = true;
	TAILQ_INSERT_TAIL(&live->looks.wanted, w, to_look);
	if (!wheel_timer_is_set(&live->looks.retry))
		looks_ask(live);
}

void look_forget(struct watched *w)
{
	if (!w->look_wanted)
		return;
	w->look_wanted = false;
	TAILQ_REMOVE(&w->live->looks.wanted, w, to_look);
}

void look_resume(struct live *live)
{
	wheel_cancel(&live->looks.retry);
	looks_ask(live);
}

void looks_init(struct live *live)
{
	TAILQ_INIT(&live->looks.wanted);
}

void looks_fini(struct live *live)
{
	wheel_cancel(&live->looks.retry);
	if (live->looks.batch != NULL)
		bus_count_cancel(live->bus, live->looks.batch);
	free(live->looks.batch);
	live->looks.batch = NULL;
}
