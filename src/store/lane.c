/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write lane: its queue, when a batch is begun, and what is done when one
 * fails. Decides whether an operation is run again or given up; the batch and the
 * operations themselves are elsewhere (batch.c, op_*.c).
 *
 * A batch that fails for a reason of the moment (a deadlock, a lock that is not had, a
 * lost connection) is run again as a whole. When the connection is lost after the
 * second round trip was sent, it may have committed: its operations are run again as
 * uncertain. Locking the conversations waits for the old transaction's end, and then the
 * database tells. One whose time is up meanwhile is not run again, only looked for (op->settling).
 */
#include "core/base.h"
#include "store/lane.h"

#include <event2/event.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "store/lane_priv.h"
#include "store/lane_queue.h"
#include "store/link_error.h"

#define QUEUE_OPS_MAX 8192
#define QUEUE_BYTES_MAX ((size_t)32 * 1024 * 1024)
/* Operations that were answered as uncertain and wait for the database to tell what became of them. */
#define SETTLING_MAX 4096
#define PAIRS_MAX 65536
/* An operation is given up when it has waited for so long. */
#define OP_DEADLINE_MS 3000
/* While something waits, deadlines are looked at this often. */
#define TICK_MS 100
/* A row that was not to be had in time is not waited for again so soon: it would hold up all others. */
#define SKIP_LOCKED_MS 10000
/* Meanwhile what it is needed for is tried again this often. */
#define PAUSE_MS 10
/* The table `activity` is moved this often; a sync's margin is much longer. */
#define RAISE_MS 1000
/* Retries after a transient error. */
#define TRIES_MAX 10
/* From then on each is tried alone, so that one does not spoil it for the others. */
#define TRIES_TOGETHER 4

enum lane_state {
	LANE_IDLE,
	LANE_RESOLVING, /* which conversations pairs have */
	LANE_LOCKING,	/* the first round trip */
	LANE_MAKING,	/* conversations that are missing */
	LANE_WRITING,	/* the second */
	LANE_UNDOING,
};

struct lane {
	struct link *link;
	struct link_query query;
	struct event *kick;  /* at the end of the turn */
	struct event *tick;  /* while something waits */
	struct event *pause; /* pending: what somebody else has locked is not tried again */
	int64_t skip_locked_until_ms;
	int64_t raised_ms; /* the table `activity`, by this lane; clock_mono_ms */
	const struct store_observer *obs;
	void *obs_ctx;
	bool was_up;

	enum lane_state state;
	struct pairs *pairs;
	struct batch batch;
	int64_t begun_usecs;
	char *why_undo;

	struct lane_queue queue;
	struct op_queue refused; /* to be answered as their status says */
	size_t refused_count, settling;
	int64_t expired_ms; /* when deadlines were looked at; clock_mono_ms */
};

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

static void answer(struct lane *l, struct op *op)
{
	l->settling -= op->settling;
	op->class->answer(op);
}

static void kick(struct lane *l)
{
	event_active(l->kick, 0, 0);
}

void lane_refuse(struct lane *l, struct op *op, enum store_status status)
{
	op->status = status;
	TAILQ_INSERT_TAIL(&l->refused, op, entry);
	l->refused_count++;
	kick(l);
}

static void expire_now(struct lane *l, struct op *op)
{
	op->deadline_ms = 0;
	l->expired_ms = INT64_MIN / 2;
}

/* Others have to be told of it, if it was done. */
static bool may_have_committed(const struct op *op)
{
	return op->uncertain && op->class->tells;
}

/* The last word where the database gives none. */
static enum store_status status_without_answer(const struct op *op)
{
	return may_have_committed(op) ? STORE_UNKNOWN : STORE_UNAVAILABLE;
}

void lane_submit(struct lane *l, struct op *op, enum lane_past past, struct str key)
{
	bool away = l->link == NULL || link_is_away(l->link);
	op->uncertain = op->inherited = past != LANE_FRESH;
	op->settling = past == LANE_SETTLING;
	l->settling += op->settling;
	if (away && (l->link == NULL || !may_have_committed(op))) {
		lane_refuse(l, op, status_without_answer(op));
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
		expire_now(l, op);
	if (l->state == LANE_IDLE && link_is_idle(l->link)) {
		kick(l);
	} else if (!evtimer_pending(l->tick, NULL)) {
		const struct timeval after = {.tv_usec = TICK_MS * 1000};
		evtimer_add(l->tick, &after);
	}
}

static void answer_refused(struct lane *l)
{
	/* Only those of now: an answer may bring the next refusal. */
	for (size_t n = l->refused_count; n > 0; n--) {
		struct op *op = TAILQ_FIRST(&l->refused);
		TAILQ_REMOVE(&l->refused, op, entry);
		l->refused_count--;
		answer(l, op);
		free(op);
	}
}

/* The time of an operation of the queue is up. */
static void give_up(struct lane *l, struct op *op)
{
	if (!may_have_committed(op) || l->settling >= SETTLING_MAX) {
		lane_queue_remove(&l->queue, op);
		lane_refuse(l, op, status_without_answer(op));
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
		expire_now(l, op);
	kick(l);
}

static void refuse_queue(struct lane *l)
{
	struct op *op;
	while ((op = TAILQ_FIRST(&l->queue.ops)) != NULL) {
		lane_queue_remove(&l->queue, op);
		lane_refuse(l, op, status_without_answer(op));
	}
}

/* ---- a batch ---- */

static void ask(struct lane *l, enum lane_state state, struct str text)
{
	l->state = state;
	l->query.text = text;
	link_query(l->link, &l->query);
}

static void ask_batch(struct lane *l, enum lane_state state)
{
	ask(l, state, (struct str){l->batch.text.data, l->batch.text.len});
}

static void begin_batch(struct lane *l)
{
	struct picking p;
	struct op *op;
	size_t bytes = 0;
	picking_begin(&p, &l->queue);
	while (l->batch.count < BATCH_OPS_MAX && (op = picking_next(&p, &l->queue)) != NULL) {
		if (l->batch.count != 0 && (op->alone || bytes + op->bytes > BATCH_BYTES_MAX))
			break;
		picking_take(&p, &l->queue, op);
		bytes += op->bytes;
		batch_add(&l->batch, op);
		if (op->alone)
			break;
	}
	if (l->batch.count == 0)
		return;
	l->batch.skip_locked = clock_mono_ms() < l->skip_locked_until_ms;
	l->begun_usecs = clock_usecs();
	if (batch_build_resolve(&l->batch)) {
		ask_batch(l, LANE_RESOLVING);
		return;
	}
	batch_build_lock(&l->batch);
	ask_batch(l, LANE_LOCKING);
}

/* Gives the batch's operations back to the queue, before all others and in their order. */
static void put_back(struct lane *l, const char *why)
{
	if (l->obs != NULL && l->obs->retry != NULL)
		l->obs->retry(why, l->obs_ctx);
	for (unsigned i = l->batch.count; i-- > 0;)
		lane_queue_give_back(&l->queue, l->batch.op[i]);
	batch_reset(&l->batch);
	l->state = LANE_IDLE;
	kick(l);
}

/* Those that could not be planned wait for the next batch. */
static void put_off_unplanned(struct lane *l)
{
	struct batch *b = &l->batch;
	bool skipped = false;
	for (unsigned i = b->count; i-- > 0;) {
		const struct conv *c = op_conv(b->op[i]);
		bool locked = b->op[i]->put_off && c != NULL && c->skipped;
		lane_queue_note_lock(&l->queue, b->op[i], locked);
		skipped |= locked;
		if (b->op[i]->put_off)
			lane_queue_give_back(&l->queue, b->op[i]);
	}
	if (skipped) {
		const struct timeval after = {.tv_usec = PAUSE_MS * 1000};
		l->queue.rest_until_ms = clock_mono_ms() + PAUSE_MS;
		evtimer_add(l->pause, &after);
	}
	unsigned kept = 0;
	for (unsigned i = 0; i < b->count; i++)
		if (!b->op[i]->put_off)
			b->op[kept++] = b->op[i];
	b->count = kept;
}

static void undo(struct lane *l, const char *why)
{
	free(l->why_undo);
	l->why_undo = xstrdup(why);
	ask(l, LANE_UNDOING, STR_LIT("ROLLBACK"));
}

static void plan_and_write(struct lane *l)
{
	if (!batch_plan(&l->batch)) {
		for (unsigned i = 0; i < l->batch.count; i++)
			l->batch.op[i]->tries++;
		undo(l, "race");
		return;
	}
	put_off_unplanned(l);
	/* Also where a test has moved the clock back. */
	l->batch.raises = (uint64_t)(clock_mono_ms() - l->raised_ms) >= RAISE_MS;
	batch_build_write(&l->batch);
	ask_batch(l, LANE_WRITING);
}

/* It has done a part, and does the next one after all that has come meanwhile. */
static void go_on_later(struct lane *l, struct op *op)
{
	op->class->step(op);
	op->uncertain = op->inherited = op->alone = false;
	op->tries = 0;
	op->deadline_ms = clock_mono_ms() + OP_DEADLINE_MS;
	lane_queue_add_again(&l->queue, op);
}

static void committed(struct lane *l)
{
	struct batch *b = &l->batch;
	batch_remember_pairs(b);
	if (b->raised)
		l->raised_ms = clock_mono_ms();
	if (l->obs != NULL && l->obs->batch != NULL)
		l->obs->batch(b->count, b->sends, (uint64_t)(clock_usecs() - l->begun_usecs), l->obs_ctx);
	/* A repeat's answer is the message of an op before it: none goes before all are answered. */
	for (unsigned i = 0; i < b->count; i++)
		if (!b->op[i]->more)
			answer(l, b->op[i]);
	for (unsigned i = 0; i < b->count; i++) {
		if (b->op[i]->more)
			go_on_later(l, b->op[i]);
		else
			free(b->op[i]);
	}
	batch_reset(b);
	l->state = LANE_IDLE;
	if (!TAILQ_EMPTY(&l->queue.ops))
		kick(l);
}

static void next_step(struct lane *l)
{
	switch (l->state) {
	case LANE_RESOLVING:
		batch_build_lock(&l->batch);
		ask_batch(l, LANE_LOCKING);
		return;
	case LANE_LOCKING:
		if (batch_build_make(&l->batch))
			ask_batch(l, LANE_MAKING);
		else
			plan_and_write(l);
		return;
	case LANE_MAKING:
		plan_and_write(l);
		return;
	case LANE_WRITING:
		committed(l);
		return;
	case LANE_UNDOING:
		put_back(l, l->why_undo);
		return;
	case LANE_IDLE:
		break;
	}
	log_panic(__FILE__, __LINE__, "an answer to nothing");
}

/* ---- failures ---- */

static void mark_uncertain(struct lane *l)
{
	for (unsigned i = 0; i < l->batch.count; i++)
		l->batch.op[i]->uncertain |= l->batch.op[i]->planned;
}

/* Takes those out of the batch whose transaction has failed too often. */
static void drop_hopeless(struct lane *l)
{
	struct batch *b = &l->batch;
	unsigned kept = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct op *op = b->op[i];
		if (op->tries > TRIES_MAX && may_have_committed(op) && !op->settling)
			expire_now(l, op); /* back in the queue, its time is up */
		else if (op->tries > TRIES_MAX) {
			lane_refuse(l, op, status_without_answer(op));
			continue;
		}
		b->op[kept++] = op;
	}
	b->count = kept;
}

static void batch_refused(struct lane *l, const struct link_result *r)
{
	struct batch *b = &l->batch;
	if (l->state == LANE_WRITING && batch_is_commit(b, r->stmt))
		mark_uncertain(l);
	if (r->error == ER_LOCK_WAIT_TIMEOUT)
		l->skip_locked_until_ms = clock_mono_ms() + SKIP_LOCKED_MS;
	const char *reason = link_error_passing(r->error);
	if (reason == NULL) {
		bool found = b->count == 1;
		if (found)
			log_error_gated("database: %s (error %u): gave up a %s", r->message, r->error,
					b->op[0]->class->name);
		else
			log_error_gated("database: %s (error %u) in a batch of %u, trying its operations one by one",
					r->message, r->error, b->count);
		reason = "alone";
		for (unsigned i = 0; i < b->count; i++) {
			b->op[i]->alone = true;
			b->op[i]->tries = found ? TRIES_MAX : b->op[i]->tries;
		}
	}
	for (unsigned i = 0; i < b->count; i++)
		b->op[i]->alone |= ++b->op[i]->tries >= TRIES_TOGETHER;
	drop_hopeless(l);
	undo(l, reason);
}

static void on_row(struct link_query *q, unsigned stmt, struct row *row)
{
	struct lane *l = container_of(q, struct lane, query);
	if (l->state != LANE_UNDOING)
		batch_row(&l->batch, stmt, row);
}

static void on_stmt(struct link_query *q, unsigned stmt, uint64_t affected, uint64_t insert_id)
{
	struct lane *l = container_of(q, struct lane, query);
	if (l->state != LANE_UNDOING)
		batch_stmt_done(&l->batch, stmt, affected, insert_id);
}

static void on_done(struct link_query *q, const struct link_result *r)
{
	struct lane *l = container_of(q, struct lane, query);
	switch (r->outcome) {
	case LINK_OK:
		next_step(l);
		return;
	case LINK_ERROR:
		if (l->state == LANE_UNDOING) {
			/* Without it the next transaction's beginning would commit what this one has done so far. */
			log_warn_gated("database: ROLLBACK: %s", r->message);
			ask(l, LANE_UNDOING, STR_LIT("ROLLBACK"));
			return;
		}
		batch_refused(l, r);
		return;
	case LINK_LOST:
		/* What was refused because the server is read-only was not done, unless it is the COMMIT. */
		if (l->state == LANE_WRITING && (!r->read_only || batch_is_commit(&l->batch, r->stmt)))
			mark_uncertain(l);
		/* The others have a deadline. */
		for (unsigned i = 0; i < l->batch.count; i++)
			l->batch.op[i]->tries += l->batch.op[i]->settling;
		drop_hopeless(l);
		put_back(l, "link");
		return;
	}
}

/* ---- when ---- */

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct lane *l = arg;
	expire(l);
	answer_refused(l);
	if (l->state == LANE_IDLE && !TAILQ_EMPTY(&l->queue.ops) && link_is_idle(l->link))
		begin_batch(l);
	if (!TAILQ_EMPTY(&l->queue.ops) && !evtimer_pending(l->tick, NULL)) {
		const struct timeval after = {.tv_usec = TICK_MS * 1000};
		evtimer_add(l->tick, &after);
	}
}

static void on_ready(struct link *link, void *ctx)
{
	struct lane *l = ctx;
	if (!l->was_up && l->obs != NULL && l->obs->link != NULL)
		l->obs->link(true, l->obs_ctx);
	l->was_up = true;
	if (!TAILQ_EMPTY(&l->queue.ops))
		kick(l);
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
	l->query = (struct link_query){.row = on_row, .stmt = on_stmt, .done = on_done};
	l->pairs = pairs_new(PAIRS_MAX);
	batch_init(&l->batch, l->pairs, conf);
	l->kick = event_new(base, -1, 0, on_kick, l);
	l->tick = evtimer_new(base, on_kick, l);
	l->pause = evtimer_new(base, on_kick, l);
	ASSERT(l->kick != NULL && l->tick != NULL && l->pause != NULL);
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
	if (l->state == LANE_WRITING)
		mark_uncertain(l);
	for (unsigned i = l->batch.count; i-- > 0;)
		lane_queue_give_back(&l->queue, l->batch.op[i]);
	batch_fini(&l->batch);
	refuse_queue(l);
	while (l->refused_count != 0)
		answer_refused(l);
	pairs_free(&l->pairs);
	event_free(l->kick);
	event_free(l->tick);
	event_free(l->pause);
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

size_t lane_pending(const struct lane *l)
{
	return l->queue.count + l->refused_count + l->batch.count;
}
