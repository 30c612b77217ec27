/* SPDX-License-Identifier: BSD-2-Clause */
/* Files' rows for tidingsctl, a page at a time: nothing here is asked for a user. */
#include "core/base.h"
#include "store/media_priv.h"

#include "store/sql.h"
#include "store/store_priv.h"

static void put_ids(struct buf *text, const struct str *id, size_t ids)
{
	bool first = true;
	sql_lit(text, " IN (");
	for (size_t i = 0; i < ids; i++) {
		sql_comma(text, &first);
		sql_str(text, id[i]);
	}
	buf_append_char(text, ')');
}

static void put_limit(struct buf *text, unsigned limit)
{
	sql_lit(text, " LIMIT ");
	sql_u64(text, limit);
}

/* ---- one ---- */

struct find_row {
	struct read read;
	store_media_row_fn *fn;
	void *arg;
	bool found;
	struct media_row row;
};

static void row_restart(struct read *r)
{
	struct find_row *f = container_of(r, struct find_row, read);
	f->found = false;
}

static void row_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_row *f = container_of(r, struct find_row, read);
	(void)stmt;
	media_take(row, &r->arena, &f->row.media);
	f->row.is_idle = !row_next_is_null(row);
	f->row.due_ms = row_take_ms(row);
	f->found = true;
}

static void row_done(struct read *r, enum store_status status)
{
	struct find_row *f = container_of(r, struct find_row, read);
	if (status == STORE_OK && !f->found)
		status = STORE_NOT_FOUND;
	f->fn(status, status == STORE_OK ? &f->row : NULL, f->arg);
}

void store_find_media_row(struct store *s, struct str id, store_media_row_fn *fn, void *arg)
{
	struct find_row *f = read_new(s->pool, STR_NULL, sizeof(*f));
	struct buf *text = &f->read.text;
	f->read.restart = row_restart;
	f->read.row = row_row;
	f->read.done = row_done;
	f->fn = fn;
	f->arg = arg;
	sql_lit(text, "SELECT " MEDIA_COLUMNS ",i.due_at FROM media m FORCE INDEX (PRIMARY) LEFT JOIN media_idle i "
		      "FORCE INDEX (PRIMARY) ON i.media_id=m.id WHERE m.id=");
	sql_str(text, id);
	pool_submit(&f->read);
}

/* ---- lists ---- */

/* Of any kind; the items are in the read's arena. */
struct list {
	struct read read;
	void *item;
	size_t count, max;
	void *arg;
	union {
		store_media_list_fn *media;
		store_media_uses_fn *uses;
		store_media_idle_fn *idle;
	} call;
};

static void list_restart(struct read *r)
{
	container_of(r, struct list, read)->count = 0;
}

static struct list *list_new(struct store *s, size_t max, size_t item_size)
{
	struct list *l = read_new(s->pool, STR_NULL, sizeof(*l));
	l->read.restart = list_restart;
	l->item = arena_alloc(&l->read.arena, max * item_size);
	l->max = max;
	return l;
}

static void take_id(struct row *row, char out[MEDIA_ID_LEN + 1])
{
	struct str id = row_take_str(row);
	out[0] = '\0';
	if (media_id_valid(id)) {
		memcpy(out, id.s, MEDIA_ID_LEN);
		out[MEDIA_ID_LEN] = '\0';
	}
}

static enum media_state take_state(struct row *row)
{
	uint64_t state = row_take_u64(row);
	return state <= MEDIA_GOING ? (enum media_state)state : MEDIA_GOING;
}

static void media_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list *l = container_of(r, struct list, read);
	struct media *m = (struct media *)l->item + l->count;
	(void)stmt;
	if (l->count == l->max)
		return;
	*m = (struct media){.duration_ms = -1};
	take_id(row, m->id);
	m->state = take_state(row);
	m->size = row_take_u64(row);
	m->has_thumbnail = row_take_bool(row);
	l->count++;
}

static void media_done(struct read *r, enum store_status status)
{
	struct list *l = container_of(r, struct list, read);
	l->call.media(status, l->item, status == STORE_OK ? l->count : 0, l->arg);
}

static struct list *media_list_new(struct store *s, size_t max, store_media_list_fn *fn, void *arg)
{
	struct list *l = list_new(s, max, sizeof(struct media));
	l->read.row = media_row;
	l->read.done = media_done;
	l->call.media = fn;
	l->arg = arg;
	sql_lit(&l->read.text, "SELECT id,state,size,has_thumbnail FROM media FORCE INDEX (PRIMARY) WHERE id");
	return l;
}

void store_list_media(struct store *s, struct str after, unsigned limit, store_media_list_fn *fn, void *arg)
{
	struct list *l = media_list_new(s, limit, fn, arg);
	struct buf *text = &l->read.text;
	buf_append_char(text, '>');
	sql_str(text, after.s != NULL ? after : STR_LIT(""));
	sql_lit(text, " ORDER BY id");
	put_limit(text, limit);
	pool_submit(&l->read);
}

void store_look_up_media(struct store *s, const struct str *id, size_t ids, store_media_list_fn *fn, void *arg)
{
	ASSERT(ids != 0);
	struct list *l = media_list_new(s, ids, fn, arg);
	put_ids(&l->read.text, id, ids);
	pool_submit(&l->read);
}

static void owned_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list *l = container_of(r, struct list, read);
	(void)stmt;
	if (l->count < l->max)
		media_take(row, &r->arena, (struct media *)l->item + l->count++);
}

/* The two ranges are of one index. */
void store_list_owned_media(struct store *s, struct str owner, const struct media_place *after, unsigned limit,
			    store_media_list_fn *fn, void *arg)
{
	struct list *l = list_new(s, limit, sizeof(struct media));
	struct buf *text = &l->read.text;
	l->read.row = owned_row;
	l->read.done = media_done;
	l->call.media = fn;
	l->arg = arg;
	sql_lit(text, "SELECT " MEDIA_COLUMNS " FROM media m FORCE INDEX (by_owner) WHERE (m.owner_id=");
	sql_str(text, owner);
	sql_lit(text, " AND m.size=");
	sql_u64(text, after->size);
	sql_lit(text, " AND m.id>");
	sql_str(text, str_from(after->id));
	sql_lit(text, ") OR (m.owner_id=");
	sql_str(text, owner);
	sql_lit(text, " AND m.size>");
	sql_u64(text, after->size);
	sql_lit(text, ") ORDER BY m.size,m.id");
	put_limit(text, limit);
	pool_submit(&l->read);
}

static void uses_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list *l = container_of(r, struct list, read);
	(void)stmt;
	if (l->count < l->max)
		((uint64_t *)l->item)[l->count++] = row_take_u64(row);
}

static void uses_done(struct read *r, enum store_status status)
{
	struct list *l = container_of(r, struct list, read);
	l->call.uses(status, l->item, status == STORE_OK ? l->count : 0, l->arg);
}

void store_list_media_uses(struct store *s, struct str id, uint64_t after, unsigned limit, store_media_uses_fn *fn,
			   void *arg)
{
	struct list *l = list_new(s, limit, sizeof(uint64_t));
	struct buf *text = &l->read.text;
	l->read.row = uses_row;
	l->read.done = uses_done;
	l->call.uses = fn;
	l->arg = arg;
	sql_lit(text, "SELECT message_id FROM media_uses FORCE INDEX (PRIMARY) WHERE media_id=");
	sql_str(text, id);
	sql_lit(text, " AND message_id>");
	sql_u64(text, after);
	sql_lit(text, " ORDER BY message_id");
	put_limit(text, limit);
	pool_submit(&l->read);
}

static void idle_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list *l = container_of(r, struct list, read);
	struct media_idle *i = (struct media_idle *)l->item + l->count;
	(void)stmt;
	if (l->count == l->max)
		return;
	take_id(row, i->id);
	i->due_ms = row_take_ms(row);
	i->is_due = row_take_bool(row);
	i->is_used = row_take_bool(row);
	i->state = take_state(row);
	i->size = row_take_u64(row);
	l->count++;
}

static void idle_done(struct read *r, enum store_status status)
{
	struct list *l = container_of(r, struct list, read);
	l->call.idle(status, l->item, status == STORE_OK ? l->count : 0, l->arg);
}

/* One whose row is gone already has no size. */
void store_list_media_idle(struct store *s, const struct media_idle *after, unsigned limit, store_media_idle_fn *fn,
			   void *arg)
{
	struct list *l = list_new(s, limit, sizeof(struct media_idle));
	struct buf *text = &l->read.text;
	l->read.row = idle_row;
	l->read.done = idle_done;
	l->call.idle = fn;
	l->arg = arg;
	sql_lit(text, "SELECT i.media_id,i.due_at,i.due_at<=UTC_TIMESTAMP(3),EXISTS(SELECT 1 FROM media_uses u FORCE "
		      "INDEX (PRIMARY) WHERE u.media_id=i.media_id),COALESCE(m.state,2),m.size FROM media_idle i FORCE "
		      "INDEX (by_time) LEFT JOIN media m FORCE INDEX (PRIMARY) ON m.id=i.media_id WHERE i.due_at>=");
	sql_time(text, after != NULL ? after->due_ms : 1);
	if (after != NULL) {
		sql_lit(text, " AND (i.due_at>");
		sql_time(text, after->due_ms);
		sql_lit(text, " OR i.media_id>");
		sql_str(text, str_from(after->id));
		buf_append_char(text, ')');
	}
	sql_lit(text, " ORDER BY i.due_at,i.media_id");
	put_limit(text, limit);
	pool_submit(&l->read);
}

/* ---- sooner ---- */

struct hasten_media {
	struct txn txn;
	store_media_done_fn *fn;
	void *arg;
	const struct str *id; /* in the arena */
	size_t ids;
};

static struct hasten_media *hasten_of(struct txn *t)
{
	return container_of(t, struct hasten_media, txn);
}

static void hasten_ask(struct txn *t, struct buf *text)
{
	const struct hasten_media *h = hasten_of(t);
	sql_lit(text, "SELECT 1 FROM media_idle FORCE INDEX (PRIMARY) WHERE media_id");
	put_ids(text, h->id, h->ids);
	sql_lit(text, " ORDER BY media_id FOR UPDATE");
}

static void hasten_row(struct txn *t, unsigned stmt, struct row *row)
{
	(void)t;
	(void)stmt;
	(void)row;
}

static void hasten_decide(struct txn *t, struct buf *text)
{
	const struct hasten_media *h = hasten_of(t);
	sql_lit(text, "UPDATE media_idle FORCE INDEX (PRIMARY) SET due_at=UTC_TIMESTAMP(3) WHERE media_id");
	put_ids(text, h->id, h->ids);
	sql_lit(text, " AND due_at>UTC_TIMESTAMP(3)");
}

static void hasten_answer(struct txn *t)
{
	const struct hasten_media *h = hasten_of(t);
	h->fn(t->status, h->arg);
}

void store_hasten_media(struct store *s, const struct str *id, size_t ids, store_media_done_fn *fn, void *arg)
{
	static const struct txn_class class = {.name = "unused files",
					       .ask = hasten_ask,
					       .row = hasten_row,
					       .decide = hasten_decide,
					       .answer = hasten_answer};
	struct hasten_media *h = txn_new(s->txns, &class, STR_NULL, sizeof(*h));
	struct str *copy = arena_alloc(&h->txn.arena, ids * sizeof(*copy));
	ASSERT(ids != 0);
	for (size_t i = 0; i < ids; i++)
		copy[i] = arena_str(&h->txn.arena, id[i]);
	h->id = copy;
	h->ids = ids;
	h->fn = fn;
	h->arg = arg;
	txn_submit(&h->txn);
}
