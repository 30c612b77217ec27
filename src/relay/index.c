/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides what the index asks of the database next. */
#include "core/base.h"
#include "relay/index.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "net/loop.h"
#include "relay/relay_priv.h"
#include "store/search.h"
#include "store/sql.h"

/* Of a job's own time, and at least. */
#define REST_TIMES 2
#define REST_MIN_USECS 2000
#define REST_MAX_MS 1000
#define FAILED_REST_MS 1000

static void on_rested(struct wheel_timer *t)
{
	relay_go_on(container_of(t, struct relay, index.rest));
}

void index_init(struct relay *r)
{
	struct index *x = &r->index;
	x->backend = search_backend(r->conf);
	if (x->backend != NULL)
		x->gathered = x->backend->gather_new();
}

void index_fini(struct relay *r)
{
	struct index *x = &r->index;
	wheel_cancel(&x->rest);
	free(x->item);
	free(x->edit);
	buf_fini(&x->filters);
	message_words_fini(&x->words);
	if (x->backend != NULL)
		x->backend->gather_free(&x->gathered);
}

void index_drop(struct relay *r)
{
	struct index *x = &r->index;
	x->step = INDEX_IDLE;
	x->items = x->item_at = x->item_end = x->edits = 0;
	x->cursors = 0;
	x->blocks = x->reading = 0;
}

void index_forget(struct relay *r)
{
	index_drop(r);
	r->index.known = false;
	wheel_cancel(&r->index.rest);
}

void index_second(struct relay *r, int64_t now_ms)
{
	(void)now_ms;
	r->index.look = true;
}

bool index_is_waited_for(const struct relay *r, int64_t now_ms)
{
	const struct index *x = &r->index;
	return x->backend != NULL && (x->failing_since_ms == 0 || now_ms - x->failing_since_ms < INDEX_WAITS_MS);
}

static void rest_for(struct relay *r, int64_t ms)
{
	struct index *x = &r->index;
	x->rest_until_ms = clock_mono_ms() + ms;
	wheel_set(loop_wheel(r->loop), &x->rest, ms, on_rested);
}

void index_rest(struct relay *r)
{
	struct index *x = &r->index;
	int64_t took = clock_usecs() - x->asked_usecs;
	x->failing_since_ms = 0;
	int64_t rest = took * REST_TIMES > REST_MIN_USECS ? took * REST_TIMES : REST_MIN_USECS;
	rest_for(r, rest / 1000 < REST_MAX_MS ? rest / 1000 : REST_MAX_MS);
}

static void note_failing(struct index *x)
{
	if (x->failing_since_ms == 0)
		x->failing_since_ms = clock_mono_ms();
}

void index_failed(struct relay *r)
{
	struct index *x = &r->index;
	note_failing(x);
	index_drop(r);
	x->known = false;
	x->look = true;
	rest_for(r, FAILED_REST_MS);
}

void index_put_guard(struct relay *r, struct buf *text, const char *assignments)
{
	buf_printf(text, "UPDATE search_state SET writes=writes+1%s WHERE id=1 AND generation=", assignments);
	sql_u64(text, r->index.generation);
	sql_lit(text, " AND holder=");
	sql_str(text, str_from(r->lease.holder));
	buf_append_char(text, ';');
	sql_expect(text, 1);
	buf_append_char(text, ';');
}

/* What search_state needs before anything else is done. NULL: nothing. */
static const struct relay_job *state_due(struct relay *r)
{
	struct index *x = &r->index;
	if (x->look)
		return &index_look_job;
	if (!x->known)
		return NULL;
	if (x->backend == NULL)
		return x->state != SEARCH_OFF ? &index_off_job : NULL;
	if (x->state == SEARCH_OFF || (x->format != 0 && x->format < x->backend->format))
		return &index_begin_job;
	if (!x->is_ours || x->format == 0)
		return x->format <= x->backend->format ? &index_take_job : NULL;
	return NULL;
}

static bool may_work(struct relay *r)
{
	struct index *x = &r->index;
	if (x->backend == NULL || !x->known || !x->is_ours)
		return false;
	if (x->format == x->backend->format) {
		x->told_newer = false;
		return true;
	}
	if (!x->told_newer)
		log_warn("the search index is of a newer release: this one does not write it");
	x->told_newer = true;
	/* Nor does the outbox wait for ever for one that does. */
	note_failing(x);
	return false;
}

static const struct relay_job *idle_due(struct relay *r, int64_t now_ms)
{
	struct index *x = &r->index;
	if (now_ms >= x->feed_ms && index_feed_has_rows(r)) {
		index_feed_begin(x);
		return &index_feed_job;
	}
	if (x->state != SEARCH_BUILDING)
		return NULL;
	x->step = INDEX_WALKING;
	x->walks = true;
	return &index_walk_job;
}

const struct relay_job *index_due(struct relay *r, int64_t now_ms)
{
	struct index *x = &r->index;
	const struct relay_job *job = state_due(r);
	if (job != NULL)
		return job;
	if (!may_work(r) || now_ms < x->rest_until_ms)
		return NULL;
	x->asked_usecs = clock_usecs();
	switch (x->step) {
	case INDEX_IDLE:
		return idle_due(r, now_ms);
	case INDEX_FEEDING:
		if (index_feed_goes_on(r))
			return &index_feed_job;
		/* The streams have gone meanwhile. */
		index_feed_end(r);
		return index_due(r, now_ms);
	case INDEX_WALKING:
		return &index_walk_job;
	case INDEX_HEADS:
		return &index_heads_job;
	case INDEX_READING:
		return &index_read_job;
	case INDEX_WRITING:
		return &index_write_job;
	case INDEX_NOTING:
		return x->walks ? &index_note_walk_job : &index_note_feed_job;
	}
	return NULL;
}
