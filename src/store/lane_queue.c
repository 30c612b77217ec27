/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/lane_queue.h"

#include "core/clock.h"
#include "core/siphash.h"

#include <sys/random.h>

/* The most operations that were put off before in one batch. */
#define PUT_OFF_MAX (BATCH_OPS_MAX / 2)

static bool has(const struct bucket_set *s, unsigned bucket)
{
	return (s->word[bucket / 64] >> (bucket % 64) & 1) != 0;
}

static void put(struct bucket_set *s, unsigned bucket, bool in)
{
	uint64_t bit = (uint64_t)1 << (bucket % 64);
	if (in)
		s->word[bucket / 64] |= bit;
	else
		s->word[bucket / 64] &= ~bit;
}

void lane_queue_init(struct lane_queue *q)
{
	TAILQ_INIT(&q->ops);
	ssize_t n = getrandom(q->secret, sizeof(q->secret), 0);
	ASSERT(n == sizeof(q->secret));
}

static void count(struct lane_queue *q, const struct op *op)
{
	q->count++;
	q->bytes += op->bytes;
}

void lane_queue_add(struct lane_queue *q, struct op *op, struct str key)
{
	uint64_t hash = siphash(q->secret, key.s, key.len);
	op->bucket = (uint16_t)(hash % LANE_BUCKETS);
	if (op->class->once == ONCE_USER)
		hash += siphash(q->secret, op->user.s, op->user.len);
	op->once_bucket = (uint16_t)(hash % LANE_BUCKETS);
	lane_queue_add_again(q, op);
}

void lane_queue_add_again(struct lane_queue *q, struct op *op)
{
	TAILQ_INSERT_TAIL(&q->ops, op, entry);
	count(q, op);
}

void lane_queue_give_back(struct lane_queue *q, struct op *op)
{
	TAILQ_INSERT_HEAD(&q->ops, op, entry);
	count(q, op);
}

void lane_queue_remove(struct lane_queue *q, struct op *op)
{
	TAILQ_REMOVE(&q->ops, op, entry);
	q->count--;
	q->bytes -= op->bytes;
}

void picking_begin(struct picking *p, const struct lane_queue *q)
{
	*p = (struct picking){.next = TAILQ_FIRST(&q->ops)};
}

static bool can_be_done(const struct picking *p, const struct lane_queue *q, const struct op *op)
{
	if (has(&q->locked, op->bucket) && (has(&p->taken, op->bucket) || clock_mono_ms() < q->rest_until_ms))
		return false;
	if (op->class->once == ONCE_CONVERSATION && has(&p->once, op->once_bucket))
		return false;
	if ((op->settling || op->late) && clock_usecs() < op->late_until_usecs)
		return false;
	return !op->put_off || p->put_off < PUT_OFF_MAX;
}

static bool waits_alone(const struct picking *p, const struct op *op)
{
	return op->class->once == ONCE_USER && has(&p->once_user, op->once_bucket);
}

struct op *picking_next(struct picking *p, const struct lane_queue *q)
{
	for (; p->next != NULL; p->next = TAILQ_NEXT(p->next, entry)) {
		if (has(&p->passed, p->next->bucket) || waits_alone(p, p->next))
			continue;
		if (can_be_done(p, q, p->next))
			return p->next;
		/* Nor anything behind it. */
		put(&p->passed, p->next->bucket, true);
	}
	return NULL;
}

void picking_take(struct picking *p, struct lane_queue *q, struct op *op)
{
	ASSERT(p->next == op);
	p->next = TAILQ_NEXT(op, entry);
	p->put_off += op->put_off;
	put(&p->taken, op->bucket, true);
	if (op->class->once == ONCE_CONVERSATION)
		put(&p->once, op->once_bucket, true);
	else if (op->class->once == ONCE_USER)
		put(&p->once_user, op->once_bucket, true);
	lane_queue_remove(q, op);
}

void lane_queue_note_lock(struct lane_queue *q, const struct op *op, bool locked)
{
	put(&q->locked, op->bucket, locked);
}
