/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of the search index as a whole: telling it, and having the index made anew. */
#include "core/base.h"
#include "store/search.h"

#include "store/sql.h"
#include "store/store_priv.h"

const char *search_state_name(enum search_state s)
{
	static const char *const names[] = {
		[SEARCH_BUILDING] = "building", [SEARCH_READY] = "ready", [SEARCH_OFF] = "off"};
	return names[s];
}

/* ---- telling ---- */

enum { STMT_STATE, STMT_DIRECT, STMT_GROUPS };

struct find_state {
	struct read read;
	store_search_state_fn *fn;
	void *arg;
	struct store_search_state found;
	uint64_t walked_id, direct, groups;
};

static void state_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_state *f = container_of(r, struct find_state, read);
	struct store_search_state *s = &f->found;
	if (stmt == STMT_DIRECT) {
		f->direct = row_take_u64(row);
	} else if (stmt == STMT_GROUPS) {
		f->groups = row_take_u64(row);
	} else {
		uint64_t state = row_take_u64(row);
		s->state = state <= SEARCH_OFF ? (enum search_state)state : SEARCH_OFF;
		s->generation = row_take_u64(row);
		s->format = row_take_u64(row);
		f->walked_id = row_take_u64(row);
		s->changed_ms = row_take_ms(row);
	}
}

static void state_done(struct read *r, enum store_status status)
{
	struct find_state *f = container_of(r, struct find_state, read);
	struct store_search_state *s = &f->found;
	uint64_t groups = f->groups >= GROUP_ID_MIN ? f->groups - GROUP_ID_MIN + 1 : 0;
	s->status = status;
	s->conversations = f->direct + groups;
	if (f->walked_id >= GROUP_ID_MIN)
		s->walked = f->direct + f->walked_id - GROUP_ID_MIN + 1;
	else
		s->walked = f->walked_id < f->direct ? f->walked_id : f->direct;
	f->fn(s, f->arg);
}

void store_find_search_state(struct store *st, store_search_state_fn *fn, void *arg)
{
	struct find_state *f = read_new(st->pool, STR_NULL, sizeof(*f));
	struct buf *text = &f->read.text;
	f->read.row = state_row;
	f->read.done = state_done;
	f->fn = fn;
	f->arg = arg;
	sql_lit(text, "SELECT state,generation,format,walked_id,changed_at FROM search_state WHERE id=1;"
		      "SELECT MAX(id) FROM conversations;SELECT MAX(id) FROM group_heads");
	pool_submit(&f->read);
}

/* ---- making it anew ---- */

struct rebuild {
	struct txn txn;
	store_count_fn *fn;
	void *arg;
};

static void rebuild_ask(struct txn *t, struct buf *text)
{
	(void)t;
	(void)text;
}

/* The relay sees it within a second. That it may be off is the relay's to notice, too. */
static void rebuild_decide(struct txn *t, struct buf *text)
{
	(void)t;
	sql_lit(text, "UPDATE search_state SET generation=generation+1,state=0,walked_id=0,"
		      "changed_at=UTC_TIMESTAMP(3) WHERE id=1");
}

static void rebuild_answer(struct txn *t)
{
	struct rebuild *b = container_of(t, struct rebuild, txn);
	b->fn(t->status, 0, b->arg);
}

void store_rebuild_search(struct store *s, store_count_fn *fn, void *arg)
{
	static const struct txn_class class = {.name = "rebuild the search index",
					       .ask = rebuild_ask,
					       .decide = rebuild_decide,
					       .answer = rebuild_answer};
	struct rebuild *b = txn_new(s->txns, &class, STR_NULL, sizeof(*b));
	b->fn = fn;
	b->arg = arg;
	txn_submit(&b->txn);
}
