/* SPDX-License-Identifier: BSD-2-Clause */
/* The lease of a chore, a row of relay_leases. */
#include "core/base.h"
#include "store/chore.h"

#include "store/sql.h"
#include "store/store_priv.h"

#define LEASE_SECS "3"
_Static_assert(CHORE_LEASE_MS == 3000, "LEASE_SECS");
/* No lease is given for twice its length: the database's clock was set back. */
#define ENDED "ends_at<=UTC_TIMESTAMP(3) OR ends_at>UTC_TIMESTAMP(3)+INTERVAL " LEASE_SECS "+" LEASE_SECS " SECOND"
#define ENDS "UTC_TIMESTAMP(3)+INTERVAL " LEASE_SECS " SECOND"

void chore_put_lease(struct buf *text, const char *name, struct str holder)
{
	sql_lit(text, "SELECT holder=");
	sql_str(text, holder);
	sql_lit(text, "," ENDED " FROM relay_leases WHERE consumer=");
	sql_str(text, str_from(name));
}

enum chore_lease chore_take_lease(struct row *row)
{
	bool ours = row_take_bool(row), ended = row_take_bool(row);
	return ended ? CHORE_FREE : ours ? CHORE_OURS : CHORE_OTHERS;
}

struct take_chore {
	struct txn txn;
	store_count_fn *fn;
	void *arg;
	const char *name;
	struct str holder;
	enum chore_lease lease;
	bool found;
};

static void take_ask(struct txn *t, struct buf *text)
{
	struct take_chore *c = container_of(t, struct take_chore, txn);
	c->lease = CHORE_FREE;
	c->found = false;
	chore_put_lease(text, c->name, c->holder);
	sql_lit(text, " FOR UPDATE");
}

static void take_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct take_chore *c = container_of(t, struct take_chore, txn);
	(void)stmt;
	c->found = true;
	c->lease = chore_take_lease(row);
}

static void take_decide(struct txn *t, struct buf *text)
{
	struct take_chore *c = container_of(t, struct take_chore, txn);
	if (c->lease == CHORE_OTHERS) {
		t->status = STORE_TAKEN;
		return;
	}
	/* Where another one was faster with the row, it exists the next time. */
	buf_append_str(text, c->found ? STR_LIT("UPDATE") : STR_LIT("INSERT INTO"));
	sql_lit(text, " relay_leases SET ends_at=" ENDS ",holder=");
	sql_str(text, c->holder);
	buf_append_str(text, c->found ? STR_LIT(" WHERE consumer=") : STR_LIT(",consumer="));
	sql_str(text, str_from(c->name));
}

static void take_answer(struct txn *t)
{
	struct take_chore *c = container_of(t, struct take_chore, txn);
	c->fn(t->status, 0, c->arg);
}

void store_take_chore(struct store *s, const char *name, struct str holder, store_count_fn *fn, void *arg)
{
	static const struct txn_class class = {
		.name = "lease of a chore", .ask = take_ask, .row = take_row, .decide = take_decide, .answer = take_answer};
	struct take_chore *c = txn_new(s->txns, &class, STR_NULL, sizeof(*c));
	c->fn = fn;
	c->arg = arg;
	c->name = name;
	c->holder = arena_str(&c->txn.arena, holder);
	txn_submit(&c->txn);
}
