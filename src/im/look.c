/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue of those whose presence is to be asked for. */
#include "core/base.h"
#include "im/look.h"

#include "im/push.h"
#include "im/watch_priv.h"

#include <stdlib.h>

/* The users of one question, by id: they may be watched no longer when it is answered. */
struct look_batch {
	struct im *im;
	size_t n;
	char user[BUS_COUNT_CHUNK][USER_ID_MAX + 1];
};

static void looks_ask(struct im *im);

static void on_retry(struct wheel_timer *t)
{
	looks_ask(container_of(t, struct im, looks.retry));
}

static void looks_answered(const uint32_t *counts, size_t n, void *arg)
{
	struct look_batch *b = arg;
	struct im *im = b->im;
	im->looks.batch = NULL;
	/* Before they are wanted again, which would ask at once. */
	if (counts == NULL)
		wheel_set(loop_wheel(im->loop), &im->looks.retry, LOOK_RETRY_MS, on_retry);
	for (size_t i = 0; i < n; i++) {
		struct watched *w = watched_find(im, str_from(b->user[i]));
		if (w != NULL && counts != NULL)
			watched_looked(w, counts[i] > 0);
		else if (w != NULL)
			look_at(w);
	}
	free(b);
	if (counts != NULL)
		looks_ask(im);
}

static void looks_ask(struct im *im)
{
	char topic[BUS_COUNT_CHUNK][TOPIC_MAX];
	struct str topics[BUS_COUNT_CHUNK];
	struct watched *w;
	if (im->looks.batch != NULL || TAILQ_EMPTY(&im->looks.wanted) || !bus_is_up(im->bus))
		return;
	struct look_batch *b = xcalloc(1, sizeof(*b));
	b->im = im;
	while (b->n < BUS_COUNT_CHUNK && (w = TAILQ_FIRST(&im->looks.wanted)) != NULL) {
		memcpy(b->user[b->n], w->id, w->id_len + 1);
		topics[b->n] = topic_make(topic[b->n], TOPIC_USER, (struct str){w->id, w->id_len});
		b->n++;
		look_forget(w);
	}
	im->looks.batch = b;
	bus_count(im->bus, topics, b->n, looks_answered, b);
}

void look_at(struct watched *w)
{
	struct im *im = w->im;
	if (w->look_wanted)
		return;
	w->look_wanted = true;
	TAILQ_INSERT_TAIL(&im->looks.wanted, w, to_look);
	if (!wheel_timer_is_set(&im->looks.retry))
		looks_ask(im);
}

void look_forget(struct watched *w)
{
	if (!w->look_wanted)
		return;
	w->look_wanted = false;
	TAILQ_REMOVE(&w->im->looks.wanted, w, to_look);
}

void look_resume(struct im *im)
{
	wheel_cancel(&im->looks.retry);
	looks_ask(im);
}

void looks_init(struct im *im)
{
	TAILQ_INIT(&im->looks.wanted);
}

void looks_fini(struct im *im)
{
	wheel_cancel(&im->looks.retry);
	if (im->looks.batch != NULL)
		bus_count_cancel(im->bus, im->looks.batch);
	free(im->looks.batch);
	im->looks.batch = NULL;
}
