/* SPDX-License-Identifier: BSD-2-Clause */
/* Gathering deliveries. Decides when they are written; how far one goes is decided in store/delivery.c. */
#include "core/base.h"
#include "live/delivery.h"

#include <stdlib.h>

#include "core/clock.h"
#include "live/push.h"

/* From the beginning of a transaction to that of the next: what comes meanwhile is written with it. */
#define GATHER_MS 100
/*
 * Of a conversation, from one write to the next; the database decides (store/delivery.c). It is more than the second
 * that an early report has to wait, so where both sides report, they take turns.
 */
#define REST_MS 1100
/* After a failure; for five minutes, in which a database comes back, for there may be no newer report. */
#define RETRY_MS 5000
#define TRIES_MAX 60
/* Gathered at most; what comes then is refused. */
#define GATHERED_MAX 65536

struct delivery_waiter {
	struct delivery_waiter *next;
	delivery_fn *fn;
	void *arg;
};

enum delivery_state {
	DELIVERY_READY,	  /* in the list of those to be written */
	DELIVERY_WRITING, /* by the transaction under way */
	DELIVERY_LATER,	  /* not before its timer runs; if nothing is reported until then, not at all */
};

struct delivery {
	struct store_delivery d;
	struct live *live;
	TAILQ_ENTRY(delivery) entry; /* DELIVERY_READY */
	struct wheel_timer later;    /* DELIVERY_LATER */
	enum delivery_state state;
	bool waits;			 /* something was reported that is not written yet */
	bool known;			 /* the user is a party to the conversation */
	unsigned tries;			 /* that failed */
	uint64_t newer_seq;		 /* reported while it is being written; 0: nothing is */
	struct delivery_waiter *waiters; /* while it is not known */
	size_t key_len;
	char key[sizeof(uint64_t) + USER_ID_MAX]; /* the conversation's id, and the user */
};

static struct str key_of(const void *delivery)
{
	const struct delivery *x = delivery;
	return (struct str){x->key, x->key_len};
}

static void answer(struct delivery *x, enum store_status status)
{
	struct delivery_waiter *w = x->waiters, *next;
	x->waiters = NULL;
	for (; w != NULL; w = next) {
		next = w->next;
		w->fn(status, w->arg);
		free(w);
	}
}

static void set_waits(struct delivery *x, bool waits)
{
	x->live->deliveries.waiting += (size_t)waits - (size_t)x->waits;
	x->waits = waits;
}

static void forget(struct delivery *x)
{
	set_waits(x, false);
	table_remove(&x->live->deliveries.gathered, x);
	wheel_cancel(&x->later);
	free(x);
}

/* ---- when ---- */

static void write_next(struct live *live);

static void on_again(struct wheel_timer *t)
{
	write_next(container_of(t, struct live, deliveries.again));
}

static void on_begin(struct loop_task *t)
{
	write_next(container_of(t, struct live, deliveries.begin));
}

/* At the end of this turn, unless the last transaction was just now: then some more are gathered. */
static void write_soon(struct live *live)
{
	struct deliveries *q = &live->deliveries;
	if (q->writing || q->closing || TAILQ_EMPTY(&q->ready) || wheel_timer_is_set(&q->again))
		return;
	int64_t since_ms = clock_mono_ms() - q->begun_ms;
	if (since_ms >= 0 && since_ms < GATHER_MS)
		wheel_set(loop_wheel(live->loop), &q->again, GATHER_MS - since_ms, on_again);
	else
		loop_defer(live->loop, &q->begin);
}

static void make_ready(struct delivery *x)
{
	x->state = DELIVERY_READY;
	set_waits(x, true);
	TAILQ_INSERT_TAIL(&x->live->deliveries.ready, x, entry);
	write_soon(x->live);
}

static void on_later(struct wheel_timer *t)
{
	struct delivery *x = container_of(t, struct delivery, later);
	if (x->waits)
		make_ready(x);
	else
		forget(x);
}

static void put_off(struct delivery *x, int64_t wait_ms, bool waits)
{
	x->state = DELIVERY_LATER;
	set_waits(x, waits);
	wheel_set(loop_wheel(x->live->loop), &x->later, wait_ms, on_later);
}

/* ---- what became of them ---- */

static void tell(struct live *live, const struct store_delivery *d)
{
	struct json_out *o = live->out;
	buf_clear(&live->scratch);
	json_begin(o, &live->scratch);
	json_object(o);
	json_put_cstr(o, "type", "delivered");
	json_put_id(o, "conversation_id", d->conversation_id);
	json_put_str(o, "user_id", d->user);
	json_put_u64(o, "up_to_seq", d->up_to_seq);
	json_object_end(o);
	push_to(live, str_from(d->peer), (struct push_place){.kind = BUS_EVENT},
		(struct str){live->scratch.data, live->scratch.len}, NULL);
}

static void take_newer(struct delivery *x)
{
	if (x->newer_seq > x->d.up_to_seq)
		x->d.up_to_seq = x->newer_seq;
	x->newer_seq = 0;
}

static void failed(struct delivery *x, enum store_status status)
{
	answer(x, status);
	take_newer(x);
	/* Clients do not report again what was refused, so it is tried again all the same. */
	if (x->live->deliveries.closing || ++x->tries >= TRIES_MAX)
		forget(x);
	else
		put_off(x, RETRY_MS, true);
}

static void done(struct delivery *x)
{
	bool more = x->newer_seq > x->d.up_to_seq, closing = x->live->deliveries.closing;
	x->known = x->d.status == STORE_OK;
	x->tries = 0;
	if (x->d.moved)
		tell(x->live, &x->d);
	answer(x, x->d.status);
	take_newer(x);
	if (x->known && x->d.moved && !closing)
		put_off(x, REST_MS, more);
	else if (x->known && x->d.wait_ms != 0 && !closing)
		put_off(x, x->d.wait_ms, true);
	else if (x->known && more && !closing)
		make_ready(x);
	else
		forget(x);
}

static void on_written(enum store_status status, struct store_delivery *const *d, size_t n, void *arg)
{
	struct live *live = arg;
	live->deliveries.writing = false;
	live->deliveries.failing = status != STORE_OK;
	for (size_t i = 0; i < n; i++) {
		struct delivery *x = container_of(d[i], struct delivery, d);
		if (status == STORE_OK)
			done(x);
		else
			failed(x, status);
	}
	write_soon(live);
}

static void write_next(struct live *live)
{
	struct deliveries *q = &live->deliveries;
	struct store_delivery *d[STORE_DELIVERIES_MAX];
	struct delivery *x;
	size_t n = 0;
	if (q->writing)
		return;
	while (n < ARRAY_LEN(d) && (x = TAILQ_FIRST(&q->ready)) != NULL) {
		TAILQ_REMOVE(&q->ready, x, entry);
		x->state = DELIVERY_WRITING;
		d[n++] = &x->d;
	}
	if (n == 0)
		return;
	q->writing = true;
	q->begun_ms = clock_mono_ms();
	store_deliver(live->store, d, n, on_written, live);
}

/* ---- what is reported ---- */

static size_t make_key(char *out, uint64_t conversation_id, struct str user)
{
	memcpy(out, &conversation_id, sizeof(conversation_id));
	memcpy(out + sizeof(conversation_id), user.s, user.len);
	return sizeof(conversation_id) + user.len;
}

static struct delivery *gather(struct live *live, uint64_t conversation_id, struct str user)
{
	struct deliveries *q = &live->deliveries;
	char key[sizeof(uint64_t) + USER_ID_MAX];
	size_t len = make_key(key, conversation_id, user);
	struct delivery *x = table_find(&q->gathered, (struct str){key, len});
	if (x != NULL || q->gathered.count >= GATHERED_MAX || q->closing)
		return x;
	x = xcalloc(1, sizeof(*x));
	x->live = live;
	memcpy(x->key, key, len);
	x->key_len = len;
	x->d.conversation_id = conversation_id;
	x->d.user = (struct str){x->key + sizeof(conversation_id), user.len};
	table_add(&q->gathered, x);
	make_ready(x);
	return x;
}

static void note_seq(struct delivery *x, uint64_t up_to_seq)
{
	uint64_t *seq = x->state == DELIVERY_WRITING ? &x->newer_seq : &x->d.up_to_seq;
	if (*seq >= up_to_seq)
		return;
	*seq = up_to_seq;
	set_waits(x, true);
}

void delivery_note(struct live *live, struct str user, uint64_t conversation_id, uint64_t up_to_seq, delivery_fn *fn,
		   void *arg)
{
	struct delivery *x = gather(live, conversation_id, user);
	if (x == NULL) {
		fn(STORE_OVERLOADED, arg);
		return;
	}
	note_seq(x, up_to_seq);
	if (x->known || (x->state == DELIVERY_LATER && x->tries != 0)) {
		fn(x->known ? STORE_OK : STORE_UNAVAILABLE, arg);
		return;
	}
	struct delivery_waiter *w = xmalloc(sizeof(*w));
	*w = (struct delivery_waiter){x->waiters, fn, arg};
	x->waiters = w;
}

/* ---- from outside ---- */

void deliveries_init(struct live *live)
{
	struct deliveries *q = &live->deliveries;
	table_init(&q->gathered, key_of);
	TAILQ_INIT(&q->ready);
	q->begin.fn = on_begin;
	q->begun_ms = INT64_MIN / 2;
}

void deliveries_fini(struct live *live)
{
	struct deliveries *q = &live->deliveries;
	uint32_t at = 0;
	struct delivery *x;
	q->closing = true;
	loop_undefer(live->loop, &q->begin);
	wheel_cancel(&q->again);
	TAILQ_INIT(&q->ready);
	while ((x = table_next(&q->gathered, &at)) != NULL) {
		answer(x, STORE_UNAVAILABLE);
		if (x->state == DELIVERY_WRITING)
			continue;
		forget(x);
		--at;
	}
}

size_t deliveries_pending(const struct live *live)
{
	return live->deliveries.failing ? 0 : live->deliveries.waiting;
}
