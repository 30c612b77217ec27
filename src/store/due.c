/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which messages are due to expire, and which worker of the cluster looks after them: the one that has the lease. It
 * ends by the database's clock, so that a worker that has died, or was stopped, is succeeded soon.
 */
#include "core/base.h"
#include "store/due.h"

#include "core/clock.h"
#include "store/sql.h"
#include "store/store_priv.h"

#define CONSUMER "'expiry'"
#define LEASE_SECS "3"
_Static_assert(DUE_LEASE_MS == 3000, "LEASE_SECS");
/* No lease is given for twice its length: the database's clock was set back. */
#define ENDED "ends_at<=UTC_TIMESTAMP(3) OR ends_at>UTC_TIMESTAMP(3)+INTERVAL " LEASE_SECS "+" LEASE_SECS " SECOND"
#define ENDS "UTC_TIMESTAMP(3)+INTERVAL " LEASE_SECS " SECOND"

static void put_lease(struct buf *text, struct str holder)
{
	sql_lit(text, "SELECT holder=");
	sql_str(text, holder);
	sql_lit(text, "," ENDED " FROM relay_leases WHERE consumer=" CONSUMER);
}

static enum due_lease take_lease(struct row *row)
{
	bool ours = row_take_bool(row), ended = row_take_bool(row);
	return ended ? DUE_FREE : ours ? DUE_OURS : DUE_OTHERS;
}

/* ---- looking ---- */

enum { STMT_LEASE, STMT_DUE };

struct list_due {
	struct read read;
	store_dues_fn *fn;
	void *arg;
	struct store_dues found;
	struct store_due *item;
	size_t max;
};

static void due_restart(struct read *r)
{
	container_of(r, struct list_due, read)->found = (struct store_dues){0};
}

static void due_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_due *l = container_of(r, struct list_due, read);
	if (stmt == STMT_LEASE) {
		l->found.lease = take_lease(row);
	} else if (l->found.count < l->max) {
		struct store_due *d = &l->item[l->found.count++];
		d->at_ms = row_take_ms(row);
		d->id = row_take_u64(row);
	}
}

static void due_done(struct read *r, enum store_status status)
{
	struct list_due *l = container_of(r, struct list_due, read);
	if (status != STORE_OK)
		l->found = (struct store_dues){0};
	l->found.status = status;
	l->found.item = l->item;
	l->fn(&l->found, l->arg);
}

/* Tests move the clocks of a node. */
static void put_now(struct buf *text)
{
	int64_t shift_ms = clock_shift_ms();
	sql_lit(text, "UTC_TIMESTAMP(3)");
	if (shift_ms != 0)
		buf_printf(text, "+INTERVAL %lld*1000 MICROSECOND", (long long)shift_ms);
}

void store_list_due(struct store *s, struct str holder, struct store_due after, unsigned limit, store_dues_fn *fn,
		    void *arg)
{
	struct list_due *l = read_new(s->pool, STR_NULL, sizeof(*l));
	struct buf *text = &l->read.text;
	l->read.restart = due_restart;
	l->read.row = due_row;
	l->read.done = due_done;
	l->fn = fn;
	l->arg = arg;
	l->max = limit;
	l->item = arena_alloc(&l->read.arena, limit * sizeof(*l->item));
	put_lease(text, holder);
	/* Each alternative is a range of the key, so that none before `after` is read. */
	sql_lit(text, ";SELECT expires_at,message_id FROM expiries FORCE INDEX (PRIMARY) WHERE expires_at<=");
	put_now(text);
	if (after.at_ms != 0) {
		sql_lit(text, " AND (expires_at>");
		sql_time(text, after.at_ms);
		sql_lit(text, " OR (expires_at=");
		sql_time(text, after.at_ms);
		sql_lit(text, " AND message_id>");
		sql_u64(text, after.id);
		sql_lit(text, "))");
	}
	buf_printf(text, " ORDER BY expires_at,message_id LIMIT %u", limit);
	pool_submit(&l->read);
}

/* ---- the lease ---- */

struct take_due {
	struct txn txn;
	store_count_fn *fn;
	void *arg;
	struct str holder;
	enum due_lease lease;
	bool found;
};

static void take_ask(struct txn *t, struct buf *text)
{
	struct take_due *d = container_of(t, struct take_due, txn);
	d->lease = DUE_FREE;
	d->found = false;
	put_lease(text, d->holder);
	sql_lit(text, " FOR UPDATE");
}

static void take_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct take_due *d = container_of(t, struct take_due, txn);
	(void)stmt;
	d->found = true;
	d->lease = take_lease(row);
}

static void take_decide(struct txn *t, struct buf *text)
{
	struct take_due *d = container_of(t, struct take_due, txn);
	if (d->lease == DUE_OTHERS) {
		t->status = STORE_TAKEN;
		return;
	}
	/* Where another one was faster with the row, it exists the next time. */
	if (d->found)
		sql_lit(text, "UPDATE relay_leases SET ends_at=" ENDS ",holder=");
	else
		sql_lit(text, "INSERT INTO relay_leases SET consumer=" CONSUMER ",ends_at=" ENDS ",holder=");
	sql_str(text, d->holder);
	if (d->found)
		sql_lit(text, " WHERE consumer=" CONSUMER);
}

static void take_answer(struct txn *t)
{
	struct take_due *d = container_of(t, struct take_due, txn);
	d->fn(t->status, 0, d->arg);
}

void store_take_due(struct store *s, struct str holder, store_count_fn *fn, void *arg)
{
	static const struct txn_class class = {.name = "lease of expiries",
					       .ask = take_ask,
					       .row = take_row,
					       .decide = take_decide,
					       .answer = take_answer};
	struct take_due *d = txn_new(s->txns, &class, STR_NULL, sizeof(*d));
	d->fn = fn;
	d->arg = arg;
	d->holder = arena_str(&d->txn.arena, holder);
	txn_submit(&d->txn);
}
