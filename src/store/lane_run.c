/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write lane at work: the steps of a batch, and what is done when one fails. Decides whether its operations are run
 * again or given up; what they do is decided elsewhere (batch.c, op_*.c).
 *
 * A batch that fails for a reason of the moment (a deadlock, a lock that another has for too long, a lost connection)
 * is run again as a whole. When the connection is lost after the last round trip was sent, it may have committed: its
 * operations are run again as uncertain. Locking the conversations waits for the old transaction's end, and then the
 * database tells. One whose time is up meanwhile is not run again, only looked for (op->settling).
 */
#include "core/base.h"
#include "store/lane_state.h"

#include <event2/event.h>
#include <mysqld_error.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "store/guess.h"
#include "store/link_error.h"
#include "store/sql.h"

/* A row that another has locked for too long is not waited for again so soon: it would hold up all others. */
#define SKIP_LOCKED_MS 10000
/* Meanwhile what it is needed for is tried again this often. */
#define PAUSE_MS 10
/* The table `activity` is moved this often; a sync's margin is much longer. */
#define RAISE_MS 1000
/* Retries after a transient error. */
#define TRIES_MAX 10
/* From then on each is tried alone, so that one does not spoil it for the others. */
#define TRIES_TOGETHER 4
/* The most batches that are not guessed after a guess was wrong. */
#define GUESS_REST_MAX 64

/* ---- a batch ---- */

/* What is asked ends with the COMMIT. */
static bool is_writing(const struct lane *l)
{
	return l->state == LANE_WRITING || l->state == LANE_GUESSING;
}

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

static bool try_guess(struct lane *l);

void lane_begin_batch(struct lane *l)
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
	if (try_guess(l))
		return;
	if (batch_build_resolve(&l->batch)) {
		ask_batch(l, LANE_RESOLVING);
		return;
	}
	batch_build_lock(&l->batch);
	ask_batch(l, LANE_LOCKING);
}

/* Gives the batch's operations back to the queue, before all others and in their order. NULL: a guess was wrong. */
static void put_back(struct lane *l, const char *why)
{
	if (why != NULL && l->obs != NULL && l->obs->retry != NULL)
		l->obs->retry(why, l->obs_ctx);
	for (unsigned i = l->batch.count; i-- > 0;)
		lane_queue_give_back(&l->queue, l->batch.op[i]);
	batch_reset(&l->batch);
	l->last_ops = 0; /* they wait for nothing */
	l->state = LANE_IDLE;
	lane_kick(l);
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
	l->why_undo = why != NULL ? xstrdup(why) : NULL;
	ask(l, LANE_UNDOING, STR_LIT("ROLLBACK"));
}

/* Batch_plan() has done it. */
static void planned(struct lane *l)
{
	put_off_unplanned(l);
	/* Also where a test has moved the clock back. */
	l->batch.raises = (uint64_t)(clock_mono_ms() - l->raised_ms) >= RAISE_MS;
}

static void plan_and_write(struct lane *l)
{
	if (!batch_plan(&l->batch)) {
		for (unsigned i = 0; i < l->batch.count; i++)
			l->batch.op[i]->tries++;
		undo(l, "race");
		return;
	}
	planned(l);
	batch_build_write(&l->batch);
	ask_batch(l, LANE_WRITING);
}

/* ---- guesses ---- */

static bool try_guess(struct lane *l)
{
	struct batch *b = &l->batch;
	if (l->guess_rest > 0) {
		l->guess_rest--;
		return false;
	}
	if (!batch_guess(b))
		return false;
	bool fine = batch_plan(b);
	ASSERT(fine); /* nothing is made */
	planned(l);
	batch_build_guess(b);
	ask_batch(l, LANE_GUESSING);
	return true;
}

static void note_guess(struct lane *l, bool right)
{
	if (!right) {
		guess_forget(&l->batch);
		l->guess_penalty = l->guess_penalty < GUESS_REST_MAX / 2 ? 2 * l->guess_penalty + 1 : GUESS_REST_MAX;
		l->guess_rest = l->guess_penalty;
	} else if (l->guess_penalty > 0) {
		l->guess_penalty--;
	}
	if (l->obs != NULL && l->obs->guess != NULL)
		l->obs->guess(right, l->obs_ctx);
}

/* The database has refused it before its COMMIT. Its operations have not failed: they are run again in two round trips.
 */
static void guess_refused(struct lane *l, const struct link_result *r)
{
	if (r->error == ER_LOCK_WAIT_TIMEOUT)
		l->skip_locked_until_ms = clock_mono_ms() + SKIP_LOCKED_MS;
	note_guess(l, false);
	undo(l, NULL);
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

/*
 * The row of the outbox has committed. Each operation in it is to be answered, at once or after its last step. One that
 * goes on in steps waits in the row of the newest: what tells of that tells of those before.
 */
static void count_row(struct lane *l)
{
	const struct batch *b = &l->batch;
	unsigned answers = 0;
	if (b->notes)
		outbox_saved(&l->outbox);
	if (b->items.len == 0)
		return;
	for (unsigned i = 0; i < b->count; i++)
		answers += b->op[i]->in_outbox;
	uint64_t row = outbox_committed(&l->outbox, answers);
	for (unsigned i = 0; i < b->count; i++) {
		struct op *op = b->op[i];
		if (!op->in_outbox)
			continue;
		outbox_told(&l->outbox, op->row, 1);
		op->row = row;
	}
}

static void committed(struct lane *l)
{
	struct batch *b = &l->batch;
	count_row(l);
	batch_remember(b);
	if (b->guessed)
		note_guess(l, true);
	if (b->raised)
		l->raised_ms = clock_mono_ms();
	if (l->obs != NULL && l->obs->batch != NULL)
		l->obs->batch(b->count, b->sends, (uint64_t)(clock_usecs() - b->begun_usecs), l->obs_ctx);
	/* A repeat's answer is the message of an op before it: none goes before all are answered. */
	for (unsigned i = 0; i < b->count; i++)
		if (!b->op[i]->more)
			lane_answer(l, b->op[i]);
	for (unsigned i = 0; i < b->count; i++) {
		if (b->op[i]->more)
			go_on_later(l, b->op[i]);
		else
			free(b->op[i]);
	}
	batch_reset(b);
	l->state = LANE_IDLE;
	if (!TAILQ_EMPTY(&l->queue.ops) || outbox_has_news(&l->outbox))
		lane_kick(l);
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
	case LANE_GUESSING:
		committed(l);
		return;
	case LANE_UNDOING:
		put_back(l, l->why_undo);
		return;
	case LANE_NOTING:
		outbox_saved(&l->outbox);
		l->state = LANE_IDLE;
		lane_kick(l);
		return;
	case LANE_IDLE:
		break;
	}
	log_panic(__FILE__, __LINE__, "an answer to nothing");
}

/* ---- failures ---- */

void lane_mark_uncertain(struct lane *l)
{
	outbox_doubt(&l->outbox);
	for (unsigned i = 0; i < l->batch.count; i++) {
		struct op *op = l->batch.op[i];
		op->uncertain |= op->planned;
		if (l->batch.guessed && op->planned)
			op->late_until_usecs = l->batch.begun_usecs + GUESS_LATE_MS * 1000;
	}
}

/* Takes those out of the batch whose transaction has failed too often. */
static void drop_hopeless(struct lane *l)
{
	struct batch *b = &l->batch;
	unsigned kept = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct op *op = b->op[i];
		if (op->tries > TRIES_MAX && op_may_have_committed(op) && !op->settling)
			lane_expire_now(l, op); /* back in the queue, its time is up */
		else if (op->tries > TRIES_MAX) {
			lane_refuse(l, op, op_status_without_answer(op));
			continue;
		}
		b->op[kept++] = op;
	}
	b->count = kept;
}

static void batch_refused(struct lane *l, const struct link_result *r)
{
	struct batch *b = &l->batch;
	bool commit = is_writing(l) && batch_is_commit(b, r->stmt);
	if (l->state == LANE_GUESSING && !commit) {
		guess_refused(l, r);
		return;
	}
	guess_forget(b);
	if (commit)
		lane_mark_uncertain(l);
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
	if (l->state != LANE_UNDOING && l->state != LANE_NOTING)
		batch_row(&l->batch, stmt, row);
}

static void on_stmt(struct link_query *q, unsigned stmt, uint64_t affected, uint64_t insert_id)
{
	struct lane *l = container_of(q, struct lane, query);
	if (l->state != LANE_UNDOING && l->state != LANE_NOTING)
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
		if (l->state == LANE_NOTING) {
			log_warn_gated("database: what others were told of is not noted: %s", r->message);
			undo(l, "outbox");
			return;
		}
		batch_refused(l, r);
		return;
	case LINK_LOST:
		/* What was refused because the server is read-only was not done, unless it is the COMMIT. */
		if (is_writing(l) && (!r->read_only || batch_is_commit(&l->batch, r->stmt)))
			lane_mark_uncertain(l);
		/* The others have a deadline. */
		for (unsigned i = 0; i < l->batch.count; i++)
			l->batch.op[i]->tries += l->batch.op[i]->settling;
		guess_forget(&l->batch);
		drop_hopeless(l);
		put_back(l, "link");
		return;
	}
}

/* Where no batch does. */
void lane_note_told(struct lane *l)
{
	buf_clear(&l->note);
	outbox_put_done(&l->outbox, &l->note);
	sql_lit(&l->note, ";COMMIT");
	ask(l, LANE_NOTING, (struct str){l->note.data, l->note.len});
}

const struct link_query lane_query = {.row = on_row, .stmt = on_stmt, .done = on_done};
