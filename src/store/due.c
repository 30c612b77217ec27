/* SPDX-License-Identifier: BSD-2-Clause */
/* Which messages are due to expire, and which worker of the cluster looks after them: the one that has the lease. */
#include "core/base.h"
#include "store/due.h"

#include "core/clock.h"
#include "store/sql.h"
#include "store/store_priv.h"

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
		l->found.lease = chore_take_lease(row);
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
	chore_put_lease(text, DUE_CHORE, holder);
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
