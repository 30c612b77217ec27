/* SPDX-License-Identifier: BSD-2-Clause */
/* Notifications: storing one, the list, marking one read, counting. */
#include "core/base.h"
#include "store/people_priv.h"

#include <stdlib.h>

#include "core/json.h"
#include "core/log.h"
#include "store/answer.h"
#include "store/sql.h"
#include "store/store_priv.h"

#define NOTIFICATION_COLUMNS "n.id,n.kind,n.ref,n.body,n.message_id,n.is_read,n.created_at,n.actor_id," PROFILE_COLUMNS

static void take_notification(struct row *row, struct arena *a, struct notification *out)
{
	char actor[USER_ID_MAX + 1];
	*out = (struct notification){.id = row_take_u64(row)};
	out->kind = arena_str(a, row_take_str(row));
	out->ref = arena_str(a, row_take_str(row));
	out->body = arena_str(a, row_take_str(row));
	out->message_id = row_take_u64(row);
	out->is_read = row_take_bool(row);
	out->created_ms = row_take_ms(row);
	row_take_user(row, actor);
	out->has_actor = actor[0] != '\0';
	row_take_profile(row, a, str_from(actor), &out->actor);
}

/* ---- storing one, and marking it read ---- */

struct put_notification {
	struct txn txn;
	store_notification_fn *fn;
	void *arg;
	struct store_notify n;
	uint64_t id;	  /* 0: not made yet */
	uint64_t last_id; /* of the user's; 0: none */
	bool standing;	  /* the row of that id is there */
	bool erased;	  /* the user is */
	struct notification now;
	int64_t db_ms;
};

static void put_one(struct buf *text, struct str user, uint64_t id)
{
	sql_lit(text, "SELECT " NOTIFICATION_COLUMNS " FROM notifications n LEFT JOIN users u ON u.id=n.actor_id"
		      " WHERE n.id=");
	sql_u64(text, id);
	sql_lit(text, " AND n.user_id=");
	sql_str(text, user);
}

static void notify_ask(struct txn *t, struct buf *text)
{
	struct put_notification *p = container_of(t, struct put_notification, txn);
	p->standing = p->erased = false;
	p->now.has_actor = p->n.actor.s != NULL;
	if (p->now.has_actor)
		profile_unknown(&p->now.actor, p->n.actor);
	sql_lit(text, "SELECT UTC_TIMESTAMP(3);SELECT " PROFILE_COLUMNS " FROM users u WHERE u.id=");
	sql_str(text, p->n.actor);
	sql_lit(text, ";SELECT n.created_at FROM notifications n WHERE n.id=");
	sql_u64(text, p->id);
	sql_lit(text, " AND n.user_id=");
	sql_str(text, p->n.user);
	if (t->uncertain)
		sql_lit(text, " FOR UPDATE");
	sql_lit(text, ";SELECT MAX(n.id) FROM notifications n FORCE INDEX (by_user) WHERE n.user_id=");
	sql_str(text, p->n.user);
	sql_lit(text, ";SELECT erased_at IS NOT NULL FROM user_states WHERE user_id=");
	sql_str(text, p->n.user);
}

static void notify_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct put_notification *p = container_of(t, struct put_notification, txn);
	if (stmt == 0) {
		p->db_ms = row_take_ms(row);
	} else if (stmt == 1) {
		row_take_profile(row, &t->arena, p->n.actor, &p->now.actor);
	} else if (stmt == 2) {
		p->standing = true;
		p->db_ms = row_take_ms(row);
	} else if (stmt == 3) {
		p->last_id = row_take_u64(row);
	} else {
		p->erased = row_take_bool(row);
	}
}

static void notify_decide(struct txn *t, struct buf *text)
{
	struct put_notification *p = container_of(t, struct put_notification, txn);
	const struct store_notify *n = &p->n;
	bool ours = t->uncertain && p->standing;
	if (p->erased && !ours) {
		t->status = STORE_NOT_FOUND;
		return;
	}
	/* Only a try that may have succeeded is looked for by its id. */
	if (!ours && (!t->uncertain || p->standing)) {
		p->id = id_make_at(p->db_ms);
		if (p->id <= p->last_id)
			p->id = p->last_id + 1;
	}
	p->now.id = p->id;
	p->now.kind = n->kind;
	p->now.ref = n->ref;
	p->now.body = n->body;
	p->now.message_id = n->message_id;
	p->now.created_ms = p->db_ms;
	if (ours)
		return;
	sql_lit(text, "INSERT INTO notifications (id,user_id,kind,actor_id,ref,message_id,body,created_at) VALUES (");
	sql_u64(text, p->id);
	const struct str strings[] = {n->user, n->kind, n->actor, n->ref};
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		buf_append_char(text, ',');
		sql_str(text, strings[i]);
	}
	if (n->message_id != 0) {
		buf_append_char(text, ',');
		sql_u64(text, n->message_id);
	} else {
		sql_lit(text, ",NULL");
	}
	buf_append_char(text, ',');
	sql_str(text, n->body);
	buf_append_char(text, ',');
	sql_time(text, p->db_ms);
	buf_append_char(text, ')');
}

static void put_answer(struct txn *t)
{
	struct put_notification *p = container_of(t, struct put_notification, txn);
	const struct store_notification r = {t->status, p->n.user, t->status == STORE_OK ? &p->now : NULL};
	p->fn(&r, p->arg);
}

/* `who` does it, `user` is whose notification it is. */
static struct put_notification *put_new(struct store *s, const struct txn_class *class, struct str who, struct str user,
					store_notification_fn *fn, void *arg)
{
	struct put_notification *p = txn_new(s->txns, class, who, sizeof(*p));
	p->fn = fn;
	p->arg = arg;
	p->n.user = arena_str(&p->txn.arena, user);
	return p;
}

static void notify_tell(const struct txn *t, struct buf *items)
{
	outbox_put_user(items, container_of(t, struct put_notification, txn)->n.user);
}

void store_notify(struct store *s, const struct store_notify *n, store_notification_fn *fn, void *arg)
{
	static const struct txn_class class = {"notify",      notify_ask, notify_row,
					       notify_decide, put_answer, notify_tell};
	struct put_notification *p = put_new(s, &class, n->sender, n->user, fn, arg);
	struct arena *a = &p->txn.arena;
	p->n.kind = arena_str(a, n->kind);
	p->n.actor = arena_str(a, n->actor);
	p->n.ref = arena_str(a, n->ref);
	p->n.body = arena_str(a, n->body);
	p->n.message_id = n->message_id;
	txn_submit(&p->txn);
}

static void read_ask(struct txn *t, struct buf *text)
{
	struct put_notification *p = container_of(t, struct put_notification, txn);
	p->standing = false;
	put_one(text, p->n.user, p->id);
}

static void read_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct put_notification *p = container_of(t, struct put_notification, txn);
	(void)stmt;
	p->standing = true;
	take_notification(row, &t->arena, &p->now);
}

static void read_decide(struct txn *t, struct buf *text)
{
	struct put_notification *p = container_of(t, struct put_notification, txn);
	if (!p->standing) {
		t->status = STORE_NOT_FOUND;
		return;
	}
	if (p->now.is_read)
		return;
	p->now.is_read = true;
	sql_lit(text, "UPDATE notifications SET is_read=1 WHERE id=");
	sql_u64(text, p->id);
	buf_append_char(text, ';');
	sql_expect(text, 1);
}

void store_read_notification(struct store *s, struct str user, uint64_t id, store_notification_fn *fn, void *arg)
{
	static const struct txn_class class = {"read notification", read_ask, read_row, read_decide, put_answer};
	struct put_notification *p = put_new(s, &class, user, user, fn, arg);
	p->id = id;
	txn_submit(&p->txn);
}

/* ---- the list ---- */

struct list_notifications {
	struct read read;
	store_notifications_fn *fn;
	void *arg;
	unsigned limit;
	size_t count;
	bool has_more;
	struct answer answer;
	struct notification *item;
};

static void list_restart(struct read *r)
{
	struct list_notifications *l = container_of(r, struct list_notifications, read);
	l->count = 0;
	l->has_more = false;
	l->answer = (struct answer){0};
}

static void list_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_notifications *l = container_of(r, struct list_notifications, read);
	(void)stmt;
	l->has_more |= l->count == l->limit;
	if (l->has_more)
		return;
	struct notification *n = &l->item[l->count];
	take_notification(row, &r->arena, n);
	size_t size = answer_profile_size(&n->actor) + json_str_size(n->kind) + n->ref.len + json_str_size(n->body);
	l->has_more = !answer_takes(&l->answer, size);
	l->count += !l->has_more;
}

static void list_done(struct read *r, enum store_status status)
{
	struct list_notifications *l = container_of(r, struct list_notifications, read);
	struct store_notifications out = {.status = status};
	if (status == STORE_OK) {
		out.item = l->item;
		out.has_more = l->has_more;
		out.count = l->count;
	}
	l->fn(&out, l->arg);
}

void store_list_notifications(struct store *s, struct str user, unsigned limit, uint64_t before,
			      store_notifications_fn *fn, void *arg)
{
	struct list_notifications *l = read_new(s->pool, user, sizeof(*l));
	struct buf *text = &l->read.text;
	l->read.restart = list_restart;
	l->read.row = list_row;
	l->read.done = list_done;
	l->fn = fn;
	l->arg = arg;
	l->limit = limit;
	l->item = arena_alloc(&l->read.arena, (limit + 1) * sizeof(*l->item));
	sql_lit(text, "SELECT " NOTIFICATION_COLUMNS " FROM notifications n FORCE INDEX (by_user)"
		      " LEFT JOIN users u ON u.id=n.actor_id WHERE n.user_id=");
	sql_str(text, user);
	if (before != 0) {
		sql_lit(text, " AND n.id<");
		sql_u64(text, before);
	}
	sql_lit(text, " ORDER BY n.id DESC LIMIT ");
	sql_u64(text, limit + 1);
	pool_submit(&l->read);
}

/* ---- how many are unread: counted in steps, so that no statement looks at many rows ---- */

#define COUNT_STEP 1000

struct count_notifications {
	struct read read;
	store_count_fn *fn;
	void *arg;
	uint64_t count;
	uint64_t after;	   /* the last one counted */
	uint64_t found[2]; /* by this step: how many, and the last one */
};

static void count_put(struct count_notifications *c)
{
	struct buf *text = &c->read.text;
	buf_clear(text);
	sql_lit(text, "SELECT COUNT(*),MAX(id) FROM (SELECT id FROM notifications FORCE INDEX (unread) WHERE user_id=");
	sql_str(text, c->read.user);
	sql_lit(text, " AND is_read=0 AND id>");
	sql_u64(text, c->after);
	buf_printf(text, " ORDER BY id LIMIT %d) n", COUNT_STEP);
}

static void count_row(struct read *r, unsigned stmt, struct row *row)
{
	struct count_notifications *c = container_of(r, struct count_notifications, read);
	(void)stmt;
	c->found[0] = row_take_u64(row);
	c->found[1] = row_take_u64(row);
}

static void count_done(struct read *r, enum store_status status)
{
	struct count_notifications *c = container_of(r, struct count_notifications, read);
	if (status == STORE_OK) {
		c->count += c->found[0];
		if (c->found[0] == COUNT_STEP && c->found[1] > c->after) {
			c->after = c->found[1];
			count_put(c);
			pool_again(r);
			return;
		}
	}
	c->fn(status, status == STORE_OK ? c->count : 0, c->arg);
}

void store_count_notifications(struct store *s, struct str user, store_count_fn *fn, void *arg)
{
	struct count_notifications *c = read_new(s->pool, user, sizeof(*c));
	c->read.row = count_row;
	c->read.done = count_done;
	c->fn = fn;
	c->arg = arg;
	count_put(c);
	pool_submit(&c->read);
}
