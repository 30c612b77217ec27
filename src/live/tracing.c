/* SPDX-License-Identifier: BSD-2-Clause */
/* Scans the node's rings, a little each turn of the loop, for questions of this worker and of others. */
#include "core/base.h"
#include "live/tracing.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/trace.h"
#include "live/beat.h"
#include "live/live.h"
#include "live/push.h"

/* Steps of a scan in a turn: well under a millisecond. */
#define STEPS_A_TURN 32
/* Far more than a cluster has. */
#define NODES_MAX 64
/* A worker whose row is older has died, or hangs. */
#define ALIVE_MS 3000

struct trace_job {
	TAILQ_ENTRY(trace_job) entry;
	struct live *live;
	struct trace_scan *scan; /* NULL: it is over */
	void (*scanned)(struct trace_job *j);
};

struct trace_question {
	struct trace_job job;
	LIST_ENTRY(trace_question) entry;
	uint64_t number;
	tracing_fn *fn;
	void *arg;
	struct trace_found found;
	bool incomplete;
	size_t waits; /* nodes that have not answered: */
	beat_hub hub[NODES_MAX];
	struct wheel_timer patience;
};

struct trace_answer {
	struct trace_job job;
	uint64_t number;
	char origin[ORIGIN_LEN + 1]; /* who asked */
};

/* ---- scans ---- */

static void job_end(struct trace_job *j)
{
	if (j->scan == NULL)
		return;
	TAILQ_REMOVE(&j->live->tracing.jobs, j, entry);
	trace_scan_free(&j->scan);
}

static void on_step(struct loop_task *t)
{
	struct live *live = container_of(t, struct live, tracing.step);
	struct trace_job *j;
	for (int i = 0; (j = TAILQ_FIRST(&live->tracing.jobs)) != NULL; i++) {
		if (i == STEPS_A_TURN || !loop_has_time(live->loop)) {
			loop_go_on(live->loop, t, i != 0);
			return;
		}
		if (trace_scan_step(j->scan))
			j->scanned(j);
	}
}

static void job_begin(struct trace_job *j, struct live *live, uint64_t message_id)
{
	j->live = live;
	j->scan = trace_scan_new(live->conf->run_dir, message_id, clock_wall_ms());
	if (live->trace == NULL)
		trace_scan_misses(j->scan);
	TAILQ_INSERT_TAIL(&live->tracing.jobs, j, entry);
	loop_defer(live->loop, &live->tracing.step);
}

/* ---- questions of this worker ---- */

static void question_end(struct trace_question *q)
{
	struct live *live = q->job.live;
	job_end(&q->job);
	wheel_cancel(&q->patience);
	LIST_REMOVE(q, entry);
	live->tracing.asking--;
	q->fn(&q->found, !q->incomplete && !q->found.cut && q->waits == 0, q->arg);
	trace_found_fini(&q->found);
	free(q);
}

static void question_look(struct trace_question *q)
{
	if (q->job.scan == NULL && q->waits == 0)
		question_end(q);
}

static void on_own_scanned(struct trace_job *j)
{
	struct trace_question *q = container_of(j, struct trace_question, job);
	trace_found_add(&q->found, trace_scan_found(j->scan));
	job_end(j);
	question_look(q);
}

static void on_patience(struct wheel_timer *t)
{
	struct trace_question *q = container_of(t, struct trace_question, patience);
	if (q->job.scan != NULL) {
		q->incomplete = true;
		trace_found_add(&q->found, trace_scan_found(q->job.scan));
	}
	question_end(q);
}

static struct str own_topic(const struct live *live, char out[TOPIC_MAX])
{
	return topic_make(out, TOPIC_WORKER, (struct str){live->origin, ORIGIN_LEN});
}

/* No other node can be asked while Redis is away, or where the answer would not be heard. */
static void ask_others(struct trace_question *q, uint64_t message_id)
{
	struct live *live = q->job.live;
	char topic[TOPIC_MAX];
	if (!bus_is_up(live->bus) || !bus_is_subscribed(live->bus, own_topic(live, topic))) {
		q->incomplete = true;
		return;
	}
	q->incomplete = !beat_hubs(live, q->hub, NODES_MAX, &q->waits);
	if (q->waits == 0)
		return;
	buf_clear(&live->parts);
	push_append_hex(&live->parts, q->number);
	push_append_hex(&live->parts, message_id);
	buf_append(&live->parts, live->node, WORKER_NAME_LEN);
	push_publish(live, STR_LIT(TOPIC_ALL), BUS_TRACE, (struct str){live->parts.data, live->parts.len});
}

bool tracing_find(struct live *live, uint64_t message_id, tracing_fn *fn, void *arg)
{
	struct tracing *t = &live->tracing;
	if (t->asking == TRACING_MAX)
		return false;
	t->asking++;
	struct trace_question *q = xcalloc(1, sizeof(*q));
	q->number = ++t->number;
	q->fn = fn;
	q->arg = arg;
	q->job.scanned = on_own_scanned;
	LIST_INSERT_HEAD(&t->questions, q, entry);
	job_begin(&q->job, live, message_id);
	ask_others(q, message_id);
	wheel_set(loop_wheel(live->loop), &q->patience, TRACING_PATIENCE_MS, on_patience);
	return true;
}

/* What a node's worker says first: the number of the question, and the name of the hub, which is in *hub_r. */
static struct trace_question *question_of(struct live *live, struct str *data, struct str *hub_r)
{
	struct trace_question *q;
	uint64_t number;
	if (!push_take_hex(data, &number) || data->len < WORKER_NAME_LEN)
		return NULL;
	*hub_r = (struct str){data->s, WORKER_NAME_LEN};
	*data = (struct str){data->s + WORKER_NAME_LEN, data->len - WORKER_NAME_LEN};
	LIST_FOREACH (q, &live->tracing.questions, entry)
		if (q->number == number)
			return q;
	return NULL;
}

/* A node counts once, even where two of its workers answer. */
void tracing_answered(struct live *live, struct str data)
{
	struct str hub;
	struct trace_question *q = question_of(live, &data, &hub);
	for (size_t i = 0; q != NULL && i < q->waits; i++) {
		if (!str_is(hub, q->hub[i]))
			continue;
		memcpy(q->hub[i], q->hub[--q->waits], sizeof(q->hub[i]));
		if (!trace_found_take(data, &q->found))
			q->incomplete = true;
		question_look(q);
		return;
	}
}

/* ---- answers to others ---- */

static void answer_free(struct trace_answer *a)
{
	a->job.live->tracing.answering--;
	job_end(&a->job);
	free(a);
}

static void on_scanned_for_others(struct trace_job *j)
{
	struct trace_answer *a = container_of(j, struct trace_answer, job);
	struct live *live = j->live;
	char topic[TOPIC_MAX];
	buf_clear(&live->parts);
	push_append_hex(&live->parts, a->number);
	buf_append(&live->parts, live->node, WORKER_NAME_LEN);
	trace_found_put(trace_scan_found(j->scan), &live->parts);
	push_publish(live, topic_make(topic, TOPIC_WORKER, (struct str){a->origin, ORIGIN_LEN}), BUS_TRACED,
		     (struct str){live->parts.data, live->parts.len});
	answer_free(a);
}

/* The first one of the node's workers that can: all know the same. */
static bool answers_for_node(const struct live *live)
{
	int64_t now = clock_mono_ms();
	for (unsigned i = 0; i < hub_worker_slots(live->hub); i++) {
		struct worker_row row;
		hub_worker_read(live->hub, i, &row);
		if (row.state == WORKER_READY && row.redis_up && now - row.alive_ms < ALIVE_MS)
			return i == live->slot;
	}
	return false;
}

void tracing_asked(struct live *live, struct str origin, struct str data)
{
	struct tracing *t = &live->tracing;
	uint64_t number, message_id;
	if (!push_take_hex(&data, &number) || !push_take_hex(&data, &message_id) || data.len != WORKER_NAME_LEN ||
	    str_is(data, live->node) || t->answering == TRACING_ANSWERS_MAX || !answers_for_node(live))
		return;
	t->answering++;
	struct trace_answer *a = xcalloc(1, sizeof(*a));
	a->number = number;
	memcpy(a->origin, origin.s, ORIGIN_LEN);
	a->job.scanned = on_scanned_for_others;
	job_begin(&a->job, live, message_id);
}

/* ---- its life ---- */

void tracing_init(struct live *live)
{
	TAILQ_INIT(&live->tracing.jobs);
	LIST_INIT(&live->tracing.questions);
	live->tracing.step.fn = on_step;
}

void tracing_start(struct live *live)
{
	char topic[TOPIC_MAX];
	live->trace = trace_open(live->conf->run_dir, TRACE_SMALL, live->conf->admin.trace_size);
	bus_subscribe(live->bus, own_topic(live, topic));
}

void tracing_fini(struct live *live)
{
	struct tracing *t = &live->tracing;
	struct trace_question *q;
	struct trace_job *j;
	while ((q = LIST_FIRST(&t->questions)) != NULL) {
		q->incomplete = true;
		question_end(q);
	}
	while ((j = TAILQ_FIRST(&t->jobs)) != NULL)
		answer_free(container_of(j, struct trace_answer, job));
	loop_undefer(live->loop, &t->step);
}
