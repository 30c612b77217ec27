/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write lane: its queue, when a batch is begun (lane_run.c carries it out), and what has waited for too long.
 */
#include "core/base.h"
#include "store/lane.h"

#include <event2/event.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "store/lane_state.h"

#define QUEUE_OPS_MAX 8192
#define QUEUE_BYTES_MAX ((size_t)32 * 1024 * 1024)
/* Operations that were answered as uncertain and wait for the database to tell what became of them. */
#define SETTLING_MAX 4096
#define PAIRS_MAX 65536
/* While something waits, deadlines are looked at this often. */
#define TICK_MS 100
/* Where operations come one after the other, batches of fewer than PACE_OPS begin PACE_USECS apart. */
#define PACE_OPS 8
#define PACE_USECS 3000

/* ---- operations ---- */

void *op_new(const struct op_class *class, size_t size, size_t extra, char **tail_r)
{
	char *memory = xmalloc(size + extra);
	memset(memory, 0, size);
	struct op *op = (struct op *)(void *)memory;
	op->class = class;
	op->bytes = 512 + extra;
	*tail_r = memory + size;
	return op;
}

struct str op_keep(char **tail, struct str s)
{
	if (s.s == NULL)
		return STR_NULL;
	struct str kept = {*tail, s.len};
	memcpy(*tail, s.s, s.len);
	*tail += s.len;
	return kept;
}

void lane_answer(struct lane *l, struct op *op)
{
	l->settling -= op->settling;
	l->answering_row = op->row;
	op->class->answer(op);
	l->answering_row = 0;
}

void lane_kick(struct lane *l)
{
	event_active(l->kick, 0, 0);
}

void lane_refuse(struct lane *l, struct op *op, enum store_status status)
{
	op->status = status;
	TAILQ_INSERT_TAIL(&l->refused, op, entry);
	l->refused_count++;
	lane_kick(l);
}

void lane_expire_now(struct lane *l, struct op *op)
{
	op->deadline_ms = 0;
	l->expired_ms = INT64_MIN / 2;
}

bool op_may_have_committed(const struct op *op)
{
	return op->uncertain && op->class->tells;
}

enum store_status op_status_without_answer(const struct op *op)
{
	return op_may_have_committed(op) ? STORE_UNKNOWN : STORE_UNAVAILABLE;
}

static void tick_later(struct lane *l)
{
	const struct timeval after = {.tv_usec = TICK_MS * 1000};
	if (!evtimer_pending(l->tick, NULL))
		evtimer_add(l->tick, &after);
}

void lane_submit(struct lane *l, struct op *op, enum lane_past past, struct str key)
{
	bool away = l->link == NULL || link_is_away(l->link);
	op->uncertain = op->inherited = past != LANE_FRESH;
	op->settling = past == LANE_SETTLING;
	l->settling += op->settling;
	if (away && (l->link == NULL || !op_may_have_committed(op))) {
		lane_refuse(l, op, op_status_without_answer(op));
		return;
	}
	/* Who hands over what a dead process had bounds it. */
	if ((l->queue.count >= QUEUE_OPS_MAX || l->queue.bytes + op->bytes > QUEUE_BYTES_MAX) && !op->inherited) {
		lane_refuse(l, op, STORE_OVERLOADED);
		return;
	}
	op->deadline_ms = clock_mono_ms() + OP_DEADLINE_MS;
	lane_queue_add(&l->queue, op, key);
	if (away)
		lane_expire_now(l, op);
	if (l->state == LANE_IDLE && link_is_idle(l->link)) {
		lane_kick(l);
	} else {
		tick_later(l);
	}
}

static void answer_refused(struct lane *l)
{
	/* Only those of now: an answer may bring the next refusal. */
	for (size_t n = l->refused_count; n > 0; n--) {
		struct op *op = TAILQ_FIRST(&l->refused);
		TAILQ_REMOVE(&l->refused, op, entry);
		l->refused_count--;
		lane_answer(l, op);
		free(op);
	}
}

/* The time of an operation of the queue is up. */
static void give_up(struct lane *l, struct op *op)
{
	if (!op_may_have_committed(op) || l->settling >= SETTLING_MAX) {
		lane_queue_remove(&l->queue, op);
		lane_refuse(l, op, op_status_without_answer(op));
		return;
	}
	op->status = STORE_UNCERTAIN;
	op->class->answer(op);
	op->settling = true;
	op->tries = 0;
	l->settling++;
}

static void expire(struct lane *l)
{
	int64_t now = clock_mono_ms();
	if ((uint64_t)(now - l->expired_ms) < TICK_MS)
		return;
	l->expired_ms = now;
	for (struct op *op = TAILQ_FIRST(&l->queue.ops), *next; op != NULL; op = next) {
		next = TAILQ_NEXT(op, entry);
		if (!op->settling && op->deadline_ms <= now)
			give_up(l, op);
	}
}

/* The database is away: nothing waits for it but what has to be settled. */
static void expire_all(struct lane *l)
{
	struct op *op;
	TAILQ_FOREACH (op, &l->queue.ops, entry)
		lane_expire_now(l, op);
	lane_kick(l);
}

static void refuse_queue(struct lane *l)
{
	struct op *op;
	while ((op = TAILQ_FIRST(&l->queue.ops)) != NULL) {
		lane_queue_remove(&l->queue, op);
		lane_refuse(l, op, op_status_without_answer(op));
	}
}

/* ---- when ---- */

/*
 * A transaction costs much more than one more operation in it. Where operations come one after the other anyway, as the
 * last batch shows, the next few wait for one another. An operation that comes alone does not wait.
 */
static bool waits_for_company(struct lane *l)
{
	if (l->last_ops < 2 || l->queue.count == 0 || l->queue.count >= PACE_OPS)
		return false;
	int64_t since_usecs = clock_usecs() - l->last_usecs;
	if (since_usecs < 0 || since_usecs >= PACE_USECS)
		return false;
	const struct timeval after = {.tv_usec = PACE_USECS - since_usecs};
	if (!evtimer_pending(l->pace, NULL))
		evtimer_add(l->pace, &after);
	return true;
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct lane *l = arg;
	expire(l);
	answer_refused(l);
	bool may_begin = l->state == LANE_IDLE && link_is_idle(l->link) && !waits_for_company(l);
	if (may_begin && !TAILQ_EMPTY(&l->queue.ops)) {
		l->last_usecs = clock_usecs();
		lane_begin_batch(l);
		l->last_ops = l->batch.count;
	}
	if (may_begin && l->state == LANE_IDLE && outbox_is_due(&l->outbox) && link_is_idle(l->link))
		lane_note_told(l);
	if (!TAILQ_EMPTY(&l->queue.ops) || outbox_has_news(&l->outbox))
		tick_later(l);
}

static void on_ready(struct link *link, void *ctx)
{
	struct lane *l = ctx;
	if (!l->was_up && l->obs != NULL && l->obs->link != NULL)
		l->obs->link(true, l->obs_ctx);
	l->was_up = true;
	if (!TAILQ_EMPTY(&l->queue.ops))
		lane_kick(l);
}

static void on_down(struct link *link, const char *why, void *ctx)
{
	struct lane *l = ctx;
	if (l->was_up && l->obs != NULL && l->obs->link != NULL)
		l->obs->link(false, l->obs_ctx);
	l->was_up = false;
	if (link_is_away(link))
		expire_all(l);
}

/* ---- from outside ---- */

struct lane *lane_new(struct event_base *base, const struct conf *conf, const struct store_observer *obs, void *ctx)
{
	static const struct link_events events = {.ready = on_ready, .down = on_down};
	struct lane *l = xcalloc(1, sizeof(*l));
	l->raised_ms = INT64_MIN / 2;
	l->obs = obs;
	l->obs_ctx = ctx;
	lane_queue_init(&l->queue);
	l->expired_ms = INT64_MIN / 2;
	TAILQ_INIT(&l->refused);
	l->query = lane_query;
	l->pairs = pairs_new(PAIRS_MAX);
	outbox_init(&l->outbox);
	batch_init(&l->batch, l->pairs, &l->outbox, conf);
	l->kick = event_new(base, -1, 0, on_kick, l);
	l->tick = evtimer_new(base, on_kick, l);
	l->pause = evtimer_new(base, on_kick, l);
	l->pace = evtimer_new(base, on_kick, l);
	ASSERT(l->kick != NULL && l->tick != NULL && l->pause != NULL && l->pace != NULL);
	l->link = link_new(base, conf, &(struct link_options){.name = "writing", .role = SETTINGS_WRITE}, &events, l);
	return l;
}

void lane_free(struct lane **lane)
{
	struct lane *l = *lane;
	if (l == NULL)
		return;
	link_free(&l->link);
	/* The answer to COMMIT will not be heard. */
	if (l->state == LANE_WRITING || l->state == LANE_GUESSING)
		lane_mark_uncertain(l);
	for (unsigned i = l->batch.count; i-- > 0;)
		lane_queue_give_back(&l->queue, l->batch.op[i]);
	batch_fini(&l->batch);
	refuse_queue(l);
	while (l->refused_count != 0)
		answer_refused(l);
	pairs_free(&l->pairs);
	outbox_fini(&l->outbox);
	buf_fini(&l->note);
	event_free(l->kick);
	event_free(l->tick);
	event_free(l->pause);
	event_free(l->pace);
	free(l->why_undo);
	free(l);
	*lane = NULL;
}

bool lane_is_up(const struct lane *l)
{
	return link_is_up(l->link);
}

bool lane_is_away(const struct lane *l)
{
	return link_is_away(l->link);
}

bool lane_is_read_only(const struct lane *l)
{
	return !link_is_up(l->link) && link_is_read_only(l->link);
}

uint64_t lane_answering_row(const struct lane *l)
{
	return l->answering_row;
}

void lane_told(struct lane *l, uint64_t row, unsigned count)
{
	outbox_told(&l->outbox, row, count);
	if (outbox_has_news(&l->outbox))
		tick_later(l);
}

bool lane_has_noted(const struct lane *l)
{
	return !outbox_has_news(&l->outbox) || link_is_away(l->link);
}

void lane_will_not_tell(struct lane *l, uint64_t row)
{
	if (outbox_waits(&l->outbox, row))
		outbox_doubt(&l->outbox);
}

size_t lane_pending(const struct lane *l)
{
	return l->queue.count + l->refused_count + l->batch.count;
}
