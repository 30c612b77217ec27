/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the audit log, and reads it page by page. */
#include "core/base.h"
#include "store/audit.h"

#include "store/sql.h"
#include "store/store_priv.h"

/* ---- a call begins ---- */

struct audit_begin {
	struct txn txn;
	store_audit_fn *fn;
	void *arg;
	struct str method, path;
	uint64_t id;	  /* 0: not made yet */
	uint64_t last_id; /* in the log; 0: none */
	bool standing;
	int64_t db_ms;
};

static void begin_ask(struct txn *t, struct buf *text)
{
	struct audit_begin *p = container_of(t, struct audit_begin, txn);
	p->standing = false;
	sql_lit(text, "SELECT UTC_TIMESTAMP(3);SELECT id FROM audit WHERE id=");
	sql_u64(text, p->id);
	if (t->uncertain)
		sql_lit(text, " FOR UPDATE");
	sql_lit(text, ";SELECT MAX(id) FROM audit");
}

static void begin_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct audit_begin *p = container_of(t, struct audit_begin, txn);
	if (stmt == 0)
		p->db_ms = row_take_ms(row);
	else if (stmt == 1)
		p->standing = true;
	else
		p->last_id = row_take_u64(row);
}

static void begin_decide(struct txn *t, struct buf *text)
{
	struct audit_begin *p = container_of(t, struct audit_begin, txn);
	if (p->standing && t->uncertain)
		return;
	/* Only a try that may have succeeded is looked for by its id. */
	if (!t->uncertain || p->standing) {
		p->id = id_make_at(p->db_ms);
		p->id = p->id > p->last_id ? p->id : p->last_id + 1;
	}
	sql_lit(text, "INSERT INTO audit (id,at,actor,method,path) VALUES (");
	sql_u64(text, p->id);
	buf_append_char(text, ',');
	sql_time(text, p->db_ms);
	const struct str strings[] = {t->user, p->method, p->path};
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		buf_append_char(text, ',');
		sql_str(text, strings[i]);
	}
	buf_append_char(text, ')');
}

static void begin_answer(struct txn *t)
{
	struct audit_begin *p = container_of(t, struct audit_begin, txn);
	p->fn(t->status, p->id, p->arg);
}

void store_audit_begin(struct store *s, const struct audit_call *call, store_audit_fn *fn, void *arg)
{
	static const struct txn_class class = {
		.name = "audit", .ask = begin_ask, .row = begin_row, .decide = begin_decide, .answer = begin_answer};
	struct audit_begin *p = txn_new(s->txns, &class, call->actor, sizeof(*p));
	struct str path = call->path;
	path.len = path.len < AUDIT_PATH_MAX ? path.len : AUDIT_PATH_MAX;
	p->method = arena_str(&p->txn.arena, call->method);
	p->path = arena_str(&p->txn.arena, path);
	p->fn = fn;
	p->arg = arg;
	txn_submit(&p->txn);
}

/* ---- and ends ---- */

struct audit_end {
	struct txn txn;
	store_audit_fn *fn;
	void *arg;
	uint64_t id;
	int http_status;
};

static void end_ask(struct txn *t, struct buf *text)
{
	(void)t;
	(void)text;
}

static void end_decide(struct txn *t, struct buf *text)
{
	struct audit_end *p = container_of(t, struct audit_end, txn);
	sql_lit(text, "UPDATE audit SET status=COALESCE(status,");
	sql_u64(text, (uint64_t)p->http_status);
	sql_lit(text, ") WHERE id=");
	sql_u64(text, p->id);
}

static void end_answer(struct txn *t)
{
	struct audit_end *p = container_of(t, struct audit_end, txn);
	p->fn(t->status, p->id, p->arg);
}

void store_audit_end(struct store *s, struct str actor, uint64_t id, int http_status, store_audit_fn *fn, void *arg)
{
	static const struct txn_class class = {
		.name = "end of audit", .ask = end_ask, .decide = end_decide, .answer = end_answer};
	struct audit_end *p = txn_new(s->txns, &class, actor, sizeof(*p));
	p->id = id;
	p->http_status = http_status;
	p->fn = fn;
	p->arg = arg;
	txn_submit(&p->txn);
}

/* ---- the list ---- */

struct list_audit {
	struct read read;
	store_audit_list_fn *fn;
	void *arg;
	unsigned limit;
	size_t count;
	bool has_more;
	struct audit_entry *item;
};

static void list_restart(struct read *r)
{
	struct list_audit *l = container_of(r, struct list_audit, read);
	l->count = 0;
	l->has_more = false;
}

static void list_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_audit *l = container_of(r, struct list_audit, read);
	(void)stmt;
	l->has_more = l->count == l->limit;
	if (l->has_more)
		return;
	struct audit_entry *e = &l->item[l->count++];
	e->id = row_take_u64(row);
	e->at_ms = row_take_ms(row);
	e->actor = arena_str(&r->arena, row_take_str(row));
	e->method = arena_str(&r->arena, row_take_str(row));
	e->path = arena_str(&r->arena, row_take_str(row));
	e->http_status = (int)row_take_u64(row);
}

static void list_done(struct read *r, enum store_status status)
{
	struct list_audit *l = container_of(r, struct list_audit, read);
	struct store_audit out = {.status = status};
	if (status == STORE_OK) {
		out.item = l->item;
		out.count = l->count;
		out.has_more = l->has_more;
	}
	l->fn(&out, l->arg);
}

void store_list_audit(struct store *s, struct str asker, unsigned limit, uint64_t before, store_audit_list_fn *fn,
		      void *arg)
{
	struct list_audit *l = read_new(s->pool, asker, sizeof(*l));
	struct buf *text = &l->read.text;
	l->read.restart = list_restart;
	l->read.row = list_row;
	l->read.done = list_done;
	l->fn = fn;
	l->arg = arg;
	l->limit = limit;
	l->item = arena_alloc(&l->read.arena, limit * sizeof(*l->item));
	sql_lit(text, "SELECT id,at,actor,method,path,status FROM audit WHERE id<");
	sql_u64(text, before != 0 ? before : UINT64_MAX);
	sql_lit(text, " ORDER BY id DESC LIMIT ");
	sql_u64(text, limit + 1);
	pool_submit(&l->read);
}
