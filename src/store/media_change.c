/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of files' rows. */
#include "core/base.h"
#include "store/media_priv.h"

#include "store/sql.h"
#include "store/store_priv.h"

#include <stdlib.h>

#define DAY_MS INT64_C(86400000)

static void put_is(struct buf *text, struct str id)
{
	sql_lit(text, " WHERE id=");
	sql_str(text, id);
}

static void ask_row(struct buf *text, struct str id)
{
	sql_lit(text, "SELECT " MEDIA_COLUMNS " FROM media m FORCE INDEX (PRIMARY) WHERE m.id=");
	sql_str(text, id);
	sql_lit(text, " FOR UPDATE");
}

/* ---- a new one ---- */

struct new_media {
	struct txn txn;
	store_media_new_fn *fn;
	void *arg;
	struct media media;
	uint64_t quota;
	unsigned per_day;
	bool standing; /* a try of unknown outcome has made it */
	bool locked;   /* the user has a row of upload_limits, and it is */
	uint64_t used;
	int64_t now_ms, full_ms, retry_ms;
};

static struct new_media *new_of(struct txn *t)
{
	return container_of(t, struct new_media, txn);
}

/* All rows of the user are read: only where it matters. */
static void put_used(const struct new_media *n, struct buf *text)
{
	if (n->quota == 0) {
		sql_lit(text, "0");
		return;
	}
	sql_lit(text, "COALESCE(SUM(size),0) FROM media FORCE INDEX (by_owner) WHERE owner_id=");
	sql_str(text, n->txn.user);
}

static void new_ask(struct txn *t, struct buf *text)
{
	struct new_media *n = new_of(t);
	n->standing = n->locked = false;
	n->used = 0;
	n->full_ms = n->retry_ms = 0;
	sql_lit(text, "SELECT full_at FROM upload_limits FORCE INDEX (PRIMARY) WHERE user_id=");
	sql_str(text, t->user);
	sql_lit(text, " FOR UPDATE;SELECT UTC_TIMESTAMP(3);SELECT ");
	put_used(n, text);
	sql_lit(text, ";SELECT created_at FROM media FORCE INDEX (PRIMARY)");
	put_is(text, str_from(n->media.id));
}

static void new_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct new_media *n = new_of(t);
	if (stmt == 0) {
		n->locked = true;
		n->full_ms = row_take_ms(row);
	} else if (stmt == 1) {
		n->now_ms = row_take_ms(row);
	} else if (stmt == 2) {
		n->used = row_take_u64(row);
	} else {
		n->standing = true;
		n->media.created_ms = row_take_ms(row);
	}
}

/* As for friends' requests: a row says when the user has all uploads of a day again, a day ahead at most. */
static bool take_of_limit(struct new_media *n)
{
	int64_t latest = n->now_ms + DAY_MS, full = n->full_ms;
	full = full < n->now_ms ? n->now_ms : full < latest ? full : latest;
	if (n->per_day != 0)
		full += DAY_MS / n->per_day;
	n->retry_ms = full - latest;
	n->full_ms = full;
	return full <= latest;
}

/* Of two that find no row to lock, one finds that of the other now, and is run again. */
static void put_limit(struct new_media *n, struct buf *text)
{
	if (n->locked) {
		sql_lit(text, "UPDATE upload_limits SET full_at=");
		sql_time(text, n->full_ms);
		sql_lit(text, " WHERE user_id=");
		sql_str(text, n->txn.user);
		buf_append_char(text, ';');
		return;
	}
	sql_lit(text, "INSERT INTO upload_limits (user_id,full_at) VALUES (");
	sql_str(text, n->txn.user);
	buf_append_char(text, ',');
	sql_time(text, n->full_ms);
	sql_lit(text, ");");
}

static void put_row(struct buf *text, const struct media *m, int64_t now_ms)
{
	sql_lit(text, "INSERT INTO media (id,owner_id,size,name,content_type,created_at) VALUES (");
	sql_str(text, str_from(m->id));
	buf_append_char(text, ',');
	sql_str(text, str_from(m->owner));
	buf_append_char(text, ',');
	sql_u64(text, m->size);
	buf_append_char(text, ',');
	sql_str(text, m->name);
	buf_append_char(text, ',');
	sql_str(text, m->content_type);
	buf_append_char(text, ',');
	sql_time(text, now_ms);
	sql_lit(text, ");INSERT INTO media_idle (media_id,due_at) VALUES (");
	sql_str(text, str_from(m->id));
	buf_append_char(text, ',');
	sql_time(text, now_ms + INT64_C(1000) * MEDIA_UNUSED_SECS);
	buf_append_char(text, ')');
}

static void new_decide(struct txn *t, struct buf *text)
{
	struct new_media *n = new_of(t);
	if (n->standing)
		return;
	if (n->quota != 0 && (n->used > n->quota || n->media.size > n->quota - n->used)) {
		t->status = STORE_OVER_QUOTA;
	} else if (!take_of_limit(n)) {
		t->status = STORE_LIMITED;
	} else {
		n->media.created_ms = n->now_ms;
		put_limit(n, text);
		put_row(text, &n->media, n->now_ms);
	}
}

static void new_answer(struct txn *t)
{
	struct new_media *n = new_of(t);
	n->fn(&(struct store_media_new){t->status, n->media.created_ms, t->status == STORE_LIMITED ? n->retry_ms : 0},
	      n->arg);
}

void store_new_media(struct store *s, const struct media *m, uint64_t quota, unsigned per_day, store_media_new_fn *fn,
		     void *arg)
{
	static const struct txn_class class = {
		.name = "new file", .ask = new_ask, .row = new_row, .decide = new_decide, .answer = new_answer};
	struct new_media *n = txn_new(s->txns, &class, str_from(m->owner), sizeof(*n));
	n->media = *m;
	n->media.name = arena_str(&n->txn.arena, m->name);
	n->media.content_type = arena_str(&n->txn.arena, m->content_type);
	n->quota = quota;
	n->per_day = per_day;
	n->fn = fn;
	n->arg = arg;
	txn_submit(&n->txn);
}

/* ---- it is there ---- */

struct finish_media {
	struct txn txn;
	store_media_fn *fn;
	void *arg;
	struct media wanted, found;
	bool is_there;
};

static struct finish_media *finish_of(struct txn *t)
{
	return container_of(t, struct finish_media, txn);
}

static void finish_ask(struct txn *t, struct buf *text)
{
	struct finish_media *f = finish_of(t);
	f->is_there = false;
	ask_row(text, str_from(f->wanted.id));
}

static void finish_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct finish_media *f = finish_of(t);
	(void)stmt;
	media_take(row, &t->arena, &f->found);
	f->is_there = f->found.state != MEDIA_GOING;
}

static void put_number(struct buf *text, uint64_t n, bool known)
{
	if (known)
		sql_u64(text, n);
	else
		sql_lit(text, "NULL");
}

static void put_finish(struct buf *text, const struct media *m)
{
	sql_lit(text, "UPDATE media SET state=1,size=");
	sql_u64(text, m->size);
	sql_lit(text, ",content_type=");
	sql_str(text, m->content_type);
	sql_lit(text, ",blurhash=");
	sql_str(text, m->blurhash);
	sql_lit(text, ",width=");
	put_number(text, m->width, m->width != 0);
	sql_lit(text, ",height=");
	put_number(text, m->height, m->height != 0);
	sql_lit(text, ",duration_ms=");
	put_number(text, (uint64_t)m->duration_ms, m->duration_ms >= 0);
	sql_lit(text, ",has_thumbnail=");
	sql_u64(text, m->has_thumbnail);
	sql_lit(text, ",is_checked=");
	sql_u64(text, m->is_checked);
	put_is(text, str_from(m->id));
	buf_append_char(text, ';');
	sql_expect(text, 1);
}

static void finish_decide(struct txn *t, struct buf *text)
{
	struct finish_media *f = finish_of(t);
	if (!f->is_there) {
		t->status = STORE_NOT_FOUND;
		return;
	}
	if (f->found.state == MEDIA_READY)
		return;
	struct media now = f->wanted;
	memcpy(now.owner, f->found.owner, sizeof(now.owner));
	now.name = f->found.name;
	now.created_ms = f->found.created_ms;
	now.state = MEDIA_READY;
	f->found = now;
	put_finish(text, &now);
}

static void finish_answer(struct txn *t)
{
	struct finish_media *f = finish_of(t);
	f->fn(t->status, t->status == STORE_OK ? &f->found : NULL, f->arg);
}

void store_finish_media(struct store *s, const struct media *m, store_media_fn *fn, void *arg)
{
	static const struct txn_class class = {.name = "finished file",
					       .ask = finish_ask,
					       .row = finish_row,
					       .decide = finish_decide,
					       .answer = finish_answer};
	struct finish_media *f = txn_new(s->txns, &class, str_from(m->owner), sizeof(*f));
	f->wanted = *m;
	f->wanted.name = STR_NULL;
	f->wanted.content_type = arena_str(&f->txn.arena, m->content_type);
	f->wanted.blurhash = arena_str(&f->txn.arena, m->blurhash);
	f->fn = fn;
	f->arg = arg;
	txn_submit(&f->txn);
}

/* ---- it goes ---- */

struct drop_media {
	struct txn txn;
	store_media_done_fn *fn;
	void *arg;
	char id[MEDIA_ID_LEN + 1];
	bool is_there, is_used;
};

static struct drop_media *drop_of(struct txn *t)
{
	return container_of(t, struct drop_media, txn);
}

static void drop_ask(struct txn *t, struct buf *text)
{
	struct drop_media *d = drop_of(t);
	struct str id = str_from(d->id);
	d->is_there = d->is_used = false;
	ask_row(text, id);
	/* A statement reads what has committed at its beginning: uses are read after the file's row is locked. */
	sql_lit(text, ";SELECT STRAIGHT_JOIN 1 FROM media_uses u FORCE INDEX (PRIMARY) JOIN messages x FORCE INDEX "
		      "(PRIMARY) ON x.id=u.message_id AND x.is_recalled=0 WHERE u.media_id=");
	sql_str(text, id);
	sql_lit(text, " LIMIT 1;SELECT 1 FROM media_avatars FORCE INDEX (by_media) WHERE media_id=");
	sql_str(text, id);
	sql_lit(text, " LIMIT 1 LOCK IN SHARE MODE");
}

static void drop_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct drop_media *d = drop_of(t);
	struct media m;
	if (stmt != 0) {
		d->is_used = true;
		return;
	}
	media_take(row, &t->arena, &m);
	d->is_there = m.state != MEDIA_GOING && str_is(t->user, m.owner);
}

static void drop_decide(struct txn *t, struct buf *text)
{
	struct drop_media *d = drop_of(t);
	if (!d->is_there)
		t->status = t->uncertain ? STORE_OK : STORE_NOT_FOUND;
	else if (d->is_used)
		t->status = STORE_TAKEN;
	if (t->status != STORE_OK || !d->is_there)
		return;
	sql_lit(text, "UPDATE media SET state=2");
	put_is(text, str_from(d->id));
	buf_append_char(text, ';');
	sql_expect(text, 1);
	sql_lit(text, ";INSERT INTO media_idle (media_id,due_at) VALUES (");
	sql_str(text, str_from(d->id));
	sql_lit(text, ",UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE due_at=VALUES(due_at)");
}

static void drop_answer(struct txn *t)
{
	const struct drop_media *d = drop_of(t);
	d->fn(t->status, d->arg);
}

void store_drop_media(struct store *s, struct str owner, struct str id, store_media_done_fn *fn, void *arg)
{
	static const struct txn_class class = {
		.name = "dropped file", .ask = drop_ask, .row = drop_row, .decide = drop_decide, .answer = drop_answer};
	struct drop_media *d = txn_new(s->txns, &class, owner, sizeof(*d));
	ASSERT(media_id_valid(id));
	memcpy(d->id, id.s, id.len);
	d->fn = fn;
	d->arg = arg;
	txn_submit(&d->txn);
}

/* ---- pictures of users and groups ---- */

/* Another program may have given one that is none. */
static struct str file_of(struct str avatar_url)
{
	return media_ref_id(avatar_url);
}

static void put_shown(struct buf *text, struct str holder, struct str id)
{
	/* Its row is locked, so that it is not deleted meanwhile. */
	sql_lit(text, ";INSERT INTO media_avatars (holder,media_id) SELECT ");
	buf_append_str(text, holder);
	sql_lit(text, ",id FROM media FORCE INDEX (PRIMARY) WHERE id=");
	sql_str(text, id);
	sql_lit(text,
		" AND state=1 LOCK IN SHARE MODE ON DUPLICATE KEY UPDATE media_id=VALUES(media_id);SET @file=IF(EXISTS("
		"SELECT 1 FROM media_avatars FORCE INDEX (PRIMARY) WHERE holder=");
	buf_append_str(text, holder);
	sql_lit(text, " AND media_id=");
	sql_str(text, id);
	sql_lit(text, "),0,(SELECT 1 UNION SELECT 2))");
}

void media_put_avatar(struct buf *text, struct str holder, struct str was, struct str is)
{
	struct str before = file_of(was), now = file_of(is);
	if (str_equal(before, now))
		return;
	if (now.s != NULL) {
		put_shown(text, holder, now);
	} else {
		sql_lit(text, ";DELETE FROM media_avatars WHERE holder=");
		buf_append_str(text, holder);
	}
	if (before.s == NULL)
		return;
	sql_lit(text, ";INSERT INTO media_idle (media_id,due_at) VALUES (");
	sql_str(text, before);
	sql_lit(text, ",UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE due_at=LEAST(media_idle.due_at,VALUES(due_at))");
}

struct str media_user_holder(struct arena *a, struct str user)
{
	char *text = xasprintf("u:%.*s", (int)user.len, user.s);
	struct buf quoted = {0};
	sql_str(&quoted, str_from(text));
	struct str holder = arena_str(a, (struct str){quoted.data, quoted.len});
	buf_fini(&quoted);
	free(text);
	return holder;
}
