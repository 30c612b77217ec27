/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/hook.h"

#include <stdio.h>

#include "core/log.h"
#include "store/sql.h"
#include "store/store_priv.h"

/* ---- listing ---- */

struct list_hooks {
	struct read read;
	store_hooks_fn *fn;
	void *arg;
	struct store_hook item[STORE_HOOKS_MAX];
	size_t count;
};

static void list_restart(struct read *r)
{
	container_of(r, struct list_hooks, read)->count = 0;
}

static void list_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_hooks *l = container_of(r, struct list_hooks, read);
	(void)stmt;
	if (l->count == STORE_HOOKS_MAX)
		return;
	struct store_hook *h = &l->item[l->count++];
	struct str name = row_take_str(row);
	snprintf(h->name, sizeof(h->name), "%.*s", (int)name.len, name.s);
	h->is_paused = row_take_bool(row);
	h->since_ms = row_take_ms(row);
	h->delivered = row_take_u64(row);
	h->failed = row_take_u64(row);
	h->lost = row_take_u64(row);
	h->failing_since_ms = row_take_ms(row);
	h->error = arena_str(&r->arena, row_take_str(row));
	h->waits_since_ms = row_take_ms(row);
	h->lag_ms = (int64_t)row_take_u64(row);
}

static void list_done(struct read *r, enum store_status status)
{
	struct list_hooks *l = container_of(r, struct list_hooks, read);
	const struct store_hooks found = {.status = status, .item = l->item, .count = l->count};
	l->fn(&found, l->arg);
}

void store_list_hooks(struct store *s, store_hooks_fn *fn, void *arg)
{
	struct list_hooks *l = read_new(s->pool, STR_NULL, sizeof(*l));
	l->read.restart = list_restart;
	l->read.row = list_row;
	l->read.done = list_done;
	l->fn = fn;
	l->arg = arg;
	sql_lit(&l->read.text,
		"SELECT name,is_paused,since,delivered,failed,lost,failing_since,error,waits_since,"
		"COALESCE(GREATEST(0,TIMESTAMPDIFF(MICROSECOND,waits_since,UTC_TIMESTAMP(3)) DIV 1000),0) FROM "
		"hooks FORCE INDEX (PRIMARY) WHERE name>'' ORDER BY name LIMIT ");
	sql_u64(&l->read.text, STORE_HOOKS_MAX);
	pool_submit(&l->read);
}

/* ---- changing ---- */

struct change_hook {
	struct txn txn;
	store_count_fn *fn;
	void *arg;
	struct str name;
	enum hook_change change;
	int64_t since_ms;
	bool known, is_paused;
};

static void change_ask(struct txn *t, struct buf *text)
{
	struct change_hook *c = container_of(t, struct change_hook, txn);
	c->known = false;
	sql_lit(text, "SELECT is_paused FROM hooks WHERE name=");
	sql_str(text, c->name);
	sql_lit(text, " FOR UPDATE");
}

static void change_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct change_hook *c = container_of(t, struct change_hook, txn);
	(void)stmt;
	c->known = true;
	c->is_paused = row_take_bool(row);
}

static void put_where(const struct change_hook *c, struct buf *text)
{
	sql_lit(text, " WHERE name=");
	sql_str(text, c->name);
	buf_append_char(text, ';');
	sql_expect(text, 1);
}

/* The relay that was at it notes nothing any more, for its row has another generation. */
static void put_replay(const struct change_hook *c, struct buf *text)
{
	sql_lit(text, "UPDATE hooks SET generation=generation+1,since=");
	sql_time(text, c->since_ms);
	put_where(c, text);
	sql_lit(text, ";DELETE FROM outbox_done WHERE consumer=CONCAT('hook:',");
	sql_str(text, c->name);
	buf_append_char(text, ')');
}

static void change_decide(struct txn *t, struct buf *text)
{
	struct change_hook *c = container_of(t, struct change_hook, txn);
	bool pauses = c->change == HOOK_PAUSE;
	t->status = c->known ? STORE_OK : STORE_NOT_FOUND;
	if (!c->known)
		return;
	if (c->change == HOOK_REPLAY) {
		put_replay(c, text);
	} else if (c->is_paused != pauses) {
		buf_append_str(text, pauses ? STR_LIT("UPDATE hooks SET is_paused=1")
					    : STR_LIT("UPDATE hooks SET is_paused=0"));
		put_where(c, text);
	}
}

static void change_answer(struct txn *t)
{
	struct change_hook *c = container_of(t, struct change_hook, txn);
	c->fn(t->status, 0, c->arg);
}

void store_change_hook(struct store *s, struct str name, enum hook_change change, int64_t since_ms, store_count_fn *fn,
		       void *arg)
{
	static const struct txn_class class = {.name = "change a webhook",
					       .ask = change_ask,
					       .row = change_row,
					       .decide = change_decide,
					       .answer = change_answer};
	struct change_hook *c = txn_new(s->txns, &class, STR_NULL, sizeof(*c));
	c->fn = fn;
	c->arg = arg;
	c->name = arena_str(&c->txn.arena, name);
	c->change = change;
	c->since_ms = since_ms;
	txn_submit(&c->txn);
}
