/* SPDX-License-Identifier: BSD-2-Clause */
/* Transactions that carry no messages. Decides when one runs, runs again, and is given up. */
#include "core/base.h"
#include "store/txn.h"

#include <event2/event.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "store/link.h"
#include "store/link_error.h"
#include "store/outbox.h"
#include "store/sql.h"
#include "store/turns.h"

#define QUEUE_MAX 4096
/* Of one user. */
#define QUEUE_USER_MAX 64
#define DEADLINE_MS 3000
/* While something waits, deadlines are looked at this often. */
#define TICK_MS 100
#define TRIES_MAX 10

enum txns_state { TXNS_IDLE, TXNS_ASKING, TXNS_WRITING, TXNS_COMMITTING, TXNS_UNDOING, TXNS_NOTING };

struct txns {
	struct link *link;
	struct link_query query;
	struct event *kick, *tick;
	struct buf text;
	enum txns_state state;
	struct txn *now;	  /* not TXNS_IDLE */
	struct turns *turns;	  /* what waits */
	struct txn_queue refused; /* to be answered as their status says */
	size_t refused_count;
	struct outbox outbox;
	struct buf items;	/* of the present transaction's row */
	bool tells;		/* others than webhooks are told of it */
	bool notes;		/* it notes what others were told of */
	uint64_t answered, cut; /* rows: the last one, and that of the open cut */
	bool away;		/* what waits is to be given up */
	bool closing;
};

static void kick(struct txns *t)
{
	event_active(t->kick, 0, 0);
}

static void finish(struct txn *x)
{
	x->class->answer(x);
	turns_leave(x->txns->turns, &x->waiting);
	arena_fini(&x->arena);
	free(x);
}

static void refuse(struct txn *x, enum store_status status)
{
	struct txns *t = x->txns;
	x->status = status;
	TAILQ_INSERT_TAIL(&t->refused, x, entry);
	t->refused_count++;
	kick(t);
}

/* The last word where the database gives none. */
static enum store_status status_without_answer(const struct txn *x)
{
	return x->uncertain && x->class->tell != NULL ? STORE_UNKNOWN : STORE_UNAVAILABLE;
}

void *txn_new(struct txns *t, const struct txn_class *class, struct str user, size_t size)
{
	struct txn *x = xcalloc(1, size);
	x->txns = t;
	x->class = class;
	x->user = arena_str(&x->arena, user);
	return x;
}

void txn_submit(struct txn *x)
{
	struct txns *t = x->txns;
	x->waiting.deadline_ms = clock_mono_ms() + DEADLINE_MS;
	if (t->closing || link_is_away(t->link))
		refuse(x, STORE_UNAVAILABLE);
	else if (!turns_join(t->turns, &x->waiting, x->user))
		refuse(x, STORE_OVERLOADED);
	else
		kick(t);
}

/* ---- one transaction ---- */

static void ask(struct txns *t, enum txns_state state)
{
	t->state = state;
	t->query.text = (struct str){t->text.data, t->text.len};
	link_query(t->link, &t->query);
}

static struct txn *txn_of(struct waiting *w)
{
	return container_of(w, struct txn, waiting);
}

static void begin(struct txns *t, struct txn *x)
{
	t->now = x;
	x->wrote = t->notes = false;
	x->status = STORE_OK;
	buf_clear(&t->items);
	buf_clear(&t->text);
	sql_lit(&t->text, SQL_BEGIN_1 ";" SQL_BEGIN_2 ";");
	size_t empty = t->text.len;
	x->class->ask(x, &t->text);
	if (t->text.len == empty)
		t->text.len--;
	ask(t, TXNS_ASKING);
}

/* A round trip of its own, so that it is known of what fails whether it may have been done all the same. */
static void end(struct txns *t, enum txns_state how)
{
	buf_clear(&t->text);
	buf_append_str(&t->text, how == TXNS_COMMITTING ? STR_LIT(SQL_END_1 ";" SQL_END_2) : STR_LIT("ROLLBACK"));
	ask(t, how);
}

/* After what it writes. */
static void put_told(struct txns *t, const struct txn *x)
{
	if (x->class->tell != NULL)
		x->class->tell(x, &t->items);
	t->tells = t->items.len != 0;
	if (x->class->tell_hooks != NULL)
		x->class->tell_hooks(x, &t->items);
	if (t->items.len != 0) {
		buf_append_char(&t->text, ';');
		outbox_put_row(&t->outbox, &t->text, (struct str){t->items.data, t->items.len},
			       x->class->tell_id != NULL ? x->class->tell_id(x) : NULL);
	}
	t->notes = outbox_is_due(&t->outbox);
	if (t->notes) {
		buf_append_char(&t->text, ';');
		outbox_put_done(&t->outbox, &t->text);
	}
}

static void committed(struct txns *t)
{
	struct txn *x = t->now;
	if (t->notes)
		outbox_saved(&t->outbox);
	if (x->wrote && t->items.len != 0)
		t->answered = outbox_committed(&t->outbox, t->tells);
	t->now = NULL;
	t->state = TXNS_IDLE;
	kick(t);
	finish(x);
}

/* Where no transaction does. */
static void note_told(struct txns *t)
{
	buf_clear(&t->text);
	outbox_put_done(&t->outbox, &t->text);
	sql_lit(&t->text, ";COMMIT");
	ask(t, TXNS_NOTING);
}

static void decide(struct txns *t)
{
	struct txn *x = t->now;
	buf_clear(&t->text);
	x->class->decide(x, &t->text);
	x->wrote = t->text.len != 0;
	if (x->wrote)
		put_told(t, x);
	/* What was found done may not be on disk yet; what is written now is so only after it. */
	if (!x->wrote && x->status == STORE_OK)
		sql_lit(&t->text, "INSERT INTO fences (id,n) VALUES (CONNECTION_ID()%64,1) "
				  "ON DUPLICATE KEY UPDATE n=n+1");
	if (t->text.len != 0)
		ask(t, TXNS_WRITING);
	else
		end(t, TXNS_COMMITTING);
}

/* Waits again, before all others of its user, or is given up. */
static void put_back(struct txns *t)
{
	struct txn *x = t->now;
	t->now = NULL;
	t->state = TXNS_IDLE;
	/* NULL: TXNS_NOTING. */
	if (x != NULL && x->tries > TRIES_MAX)
		refuse(x, status_without_answer(x));
	else if (x != NULL)
		turns_back(t->turns, &x->waiting);
	kick(t);
}

static void next_step(struct txns *t)
{
	struct txn *x = t->now;
	switch (t->state) {
	case TXNS_ASKING:
		if (x->settling) {
			x->tries = TRIES_MAX + 1;
			end(t, TXNS_UNDOING);
		} else {
			decide(t);
		}
		return;
	case TXNS_WRITING:
		end(t, TXNS_COMMITTING);
		return;
	case TXNS_COMMITTING:
		committed(t);
		return;
	case TXNS_UNDOING:
		put_back(t);
		return;
	case TXNS_NOTING:
		outbox_saved(&t->outbox);
		t->state = TXNS_IDLE;
		kick(t);
		return;
	case TXNS_IDLE:
		break;
	}
	log_panic(__FILE__, __LINE__, "an answer to nothing");
}

/* By the class of its SQLSTATE: data exception, integrity constraint, WITH CHECK OPTION, a trigger's SIGNAL. */
static bool is_in_data(const char state[6])
{
	static const char *const classes[] = {"22", "23", "44", "45"};
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (strncmp(state, classes[i], 2) == 0)
			return true;
	return false;
}

static void on_row(struct link_query *q, unsigned stmt, struct row *row)
{
	struct txns *t = container_of(q, struct txns, query);
	/* Two statements begin the transaction. */
	if (t->state == TXNS_ASKING && stmt >= 2)
		t->now->class->row(t->now, stmt - 2, row);
}

static void on_stmt(struct link_query *q, unsigned stmt, uint64_t affected, uint64_t insert_id)
{
	struct txns *t = container_of(q, struct txns, query);
	if (t->state == TXNS_WRITING && insert_id != 0 && t->now->class->made != NULL)
		t->now->class->made(t->now, insert_id);
}

static void be_uncertain(struct txns *t)
{
	t->now->uncertain = true;
	outbox_doubt(&t->outbox);
}

static void on_done(struct link_query *q, const struct link_result *r)
{
	struct txns *t = container_of(q, struct txns, query);
	struct txn *x = t->now;
	switch (r->outcome) {
	case LINK_OK:
		next_step(t);
		return;
	case LINK_ERROR:
		if (t->state == TXNS_UNDOING) {
			/* Without it the next transaction's beginning would commit what this one has done so far. */
			log_warn_gated("database: ROLLBACK: %s", r->message);
			end(t, TXNS_UNDOING);
			return;
		}
		if (t->state == TXNS_NOTING) {
			log_warn_gated("database: what others were told of is not noted: %s", r->message);
			end(t, TXNS_UNDOING);
			return;
		}
		if (t->state == TXNS_COMMITTING && x->wrote && r->stmt == 1)
			be_uncertain(t);
		x->tries++;
		if (link_error_passing(r->error) == NULL) {
			log_error_gated("database: %s (error %u) in a transaction: %s", r->message, r->error,
					x->class->name);
			x->tries = TRIES_MAX + 1;
			x->rejected = is_in_data(r->state);
		}
		end(t, TXNS_UNDOING);
		return;
	case LINK_LOST:
		if (t->state == TXNS_COMMITTING && x->wrote)
			be_uncertain(t);
		if (x != NULL)
			x->tries++;
		put_back(t);
		return;
	}
}

/* ---- when ---- */

static void refuse_all(struct txns *t)
{
	struct waiting *w;
	while ((w = turns_any(t->turns)) != NULL)
		refuse(txn_of(w), status_without_answer(txn_of(w)));
}

/* The time of one is up. What may have been done waits on, for as long as it takes to learn that. */
static void give_up(struct txns *t, struct txn *x)
{
	if (status_without_answer(x) != STORE_UNKNOWN) {
		refuse(x, STORE_UNAVAILABLE);
		return;
	}
	x->status = STORE_UNCERTAIN;
	x->class->answer(x);
	x->settling = true;
	x->tries = 0;
	x->waiting.deadline_ms = WAITING_FOR_EVER;
	turns_back(t->turns, &x->waiting);
}

static void expire(struct txns *t, int64_t now_mono_ms)
{
	struct waiting *w;
	while ((w = turns_expired(t->turns, now_mono_ms)) != NULL)
		give_up(t, txn_of(w));
}

/* The database is away: nothing waits for it but what has to be settled. Done at the end of the turn. */
static void expire_all(struct txns *t)
{
	t->away = true;
	kick(t);
}

static void answer_refused(struct txns *t)
{
	/* Only those of now: an answer may bring the next refusal. */
	for (size_t n = t->refused_count; n > 0; n--) {
		struct txn *x = TAILQ_FIRST(&t->refused);
		TAILQ_REMOVE(&t->refused, x, entry);
		t->refused_count--;
		finish(x);
	}
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct txns *t = arg;
	struct waiting *w;
	(void)fd;
	(void)what;
	if (t->away)
		expire(t, WAITING_FOR_EVER - 1);
	t->away = false;
	answer_refused(t);
	if (t->state == TXNS_IDLE && link_is_idle(t->link) && (w = turns_next(t->turns)) != NULL)
		begin(t, txn_of(w));
	if (t->state == TXNS_IDLE && outbox_is_due(&t->outbox) && link_is_idle(t->link))
		note_told(t);
	if ((turns_waiting(t->turns) != 0 || outbox_has_news(&t->outbox)) && !evtimer_pending(t->tick, NULL)) {
		const struct timeval after = {.tv_usec = TICK_MS * 1000};
		evtimer_add(t->tick, &after);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	expire(arg, clock_mono_ms());
	on_kick(fd, what, arg);
}

static void on_ready(struct link *link, void *ctx)
{
	(void)link;
	kick(ctx);
}

static void on_down(struct link *link, const char *why, void *ctx)
{
	if (link_is_away(link))
		expire_all(ctx);
}

/* ---- from outside ---- */

struct txns *txns_new(struct event_base *base, const struct conf *conf)
{
	static const struct link_events events = {.ready = on_ready, .down = on_down};
	struct txns *t = xcalloc(1, sizeof(*t));
	t->turns = turns_new(
		&(struct turns_limits){.max = QUEUE_MAX, .user_max = QUEUE_USER_MAX, .user_out_max = SIZE_MAX});
	TAILQ_INIT(&t->refused);
	t->query = (struct link_query){.row = on_row, .stmt = on_stmt, .done = on_done};
	t->kick = event_new(base, -1, 0, on_kick, t);
	t->tick = evtimer_new(base, on_tick, t);
	ASSERT(t->kick != NULL && t->tick != NULL);
	outbox_init(&t->outbox);
	t->link = link_new(base, conf, &(struct link_options){.name = "people", .role = SETTINGS_WRITE}, &events, t);
	return t;
}

void txns_free(struct txns **txns)
{
	struct txns *t = *txns;
	if (t == NULL)
		return;
	t->closing = true;
	link_free(&t->link);
	if (t->now != NULL) {
		/* The answer to COMMIT will not be heard. */
		t->now->uncertain |= t->state == TXNS_COMMITTING && t->now->wrote;
		refuse(t->now, status_without_answer(t->now));
	}
	refuse_all(t);
	while (t->refused_count != 0)
		answer_refused(t);
	event_free(t->kick);
	event_free(t->tick);
	buf_fini(&t->text);
	buf_fini(&t->items);
	outbox_fini(&t->outbox);
	turns_free(&t->turns);
	free(t);
	*txns = NULL;
}

bool txns_is_away(const struct txns *t)
{
	return link_is_away(t->link);
}

bool txns_is_read_only(const struct txns *t)
{
	return !link_is_up(t->link) && link_is_read_only(t->link);
}

void txns_cut(struct txns *t)
{
	t->cut = t->answered;
}

void txns_told(struct txns *t)
{
	outbox_told_up_to(&t->outbox, t->cut);
	if (outbox_has_news(&t->outbox))
		kick(t);
}

bool txns_have_told(const struct txns *t)
{
	return !outbox_waits(&t->outbox, t->answered) && (!outbox_has_news(&t->outbox) || link_is_away(t->link));
}

size_t txns_pending(const struct txns *t)
{
	return turns_waiting(t->turns) + t->refused_count + (t->now != NULL);
}
