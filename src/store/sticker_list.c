/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads of packs, stickers and pictures. Packs are read in two round trips: first their own rows, then the stickers of
 * as many of them as one answer takes.
 */
#include "core/base.h"
#include "store/sticker.h"

#include <stdio.h>

#include "store/sql.h"
#include "store/store_priv.h"

/* ---- one sticker, as a message names it ---- */

struct find_sticker {
	struct read read;
	store_sticker_fn *fn;
	void *arg;
	bool found;
	struct sticker sticker;
};

static void sticker_restart(struct read *r)
{
	container_of(r, struct find_sticker, read)->found = false;
}

static void sticker_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_sticker *f = container_of(r, struct find_sticker, read);
	(void)stmt;
	f->found = true;
	f->sticker.emoji = arena_str(&r->arena, row_take_str(row));
	f->sticker.picture = arena_str(&r->arena, row_take_str(row));
}

static void sticker_done(struct read *r, enum store_status status)
{
	struct find_sticker *f = container_of(r, struct find_sticker, read);
	if (status == STORE_OK && !f->found)
		status = STORE_NOT_FOUND;
	f->fn(status, status == STORE_OK ? &f->sticker : NULL, f->arg);
}

void store_find_sticker(struct store *s, struct str user, struct str pack, struct str id, store_sticker_fn *fn,
			void *arg)
{
	struct find_sticker *f = read_new(s->pool, user, sizeof(*f));
	struct buf *text = &f->read.text;
	f->read.restart = sticker_restart;
	f->read.row = sticker_row;
	f->read.done = sticker_done;
	f->fn = fn;
	f->arg = arg;
	f->sticker.id = arena_str(&f->read.arena, id);
	sql_lit(text, "SELECT emoji,picture FROM stickers FORCE INDEX (by_id) WHERE pack_id=");
	sql_str(text, pack);
	sql_lit(text, " AND id=");
	sql_str(text, id);
	pool_submit(&f->read);
}

struct str sticker_path(struct str pack, struct str picture, char out[STICKER_PATH_MAX + 1])
{
	int len = snprintf(out, STICKER_PATH_MAX + 1, "/stickers/pictures/%.*s/%.*s", (int)pack.len, pack.s,
			   (int)picture.len, picture.s);
	ASSERT(len > 0 && len <= STICKER_PATH_MAX);
	return (struct str){out, (size_t)len};
}

struct str sticker_named_in(struct str extra)
{
	static const struct str end = STR_LIT(",\"emoji\":");
	const char *at = extra.s != NULL ? memmem(extra.s, extra.len, end.s, end.len) : NULL;
	return at != NULL ? (struct str){extra.s, (size_t)(at - extra.s)} : STR_NULL;
}

bool sticker_same(struct str a, struct str b)
{
	struct str of_a = sticker_named_in(a), of_b = sticker_named_in(b);
	return of_a.s != NULL && of_b.s != NULL && str_equal(of_a, of_b);
}

/* ---- packs ---- */

#define PACK_COLUMNS "p.id,p.title,p.sticker_count,p.updated_at,i.installed_at"

struct list_packs {
	struct read read;
	store_packs_fn *fn;
	void *arg;
	bool one; /* is asked for, and has to be there */
	unsigned limit;
	bool has_more;
	bool reads_stickers; /* the second round trip */
	size_t count;
	struct sticker_pack *item;
	size_t sticker_count, sticker_room;
	struct sticker *sticker;
	struct sticker_pack *filling; /* whose stickers come */
};

static void packs_restart(struct read *r)
{
	struct list_packs *l = container_of(r, struct list_packs, read);
	if (!l->reads_stickers) {
		l->count = 0;
		l->sticker_room = 0;
		l->has_more = false;
		return;
	}
	l->sticker_count = 0;
	l->filling = NULL;
	for (size_t i = 0; i < l->count; i++)
		l->item[i].count = 0;
}

static void take_pack(struct list_packs *l, struct row *row)
{
	struct arena *a = &l->read.arena;
	struct sticker_pack *p = &l->item[l->count];
	l->has_more |= l->count == l->limit;
	if (l->has_more)
		return;
	*p = (struct sticker_pack){.id = arena_str(a, row_take_str(row))};
	p->title = arena_str(a, row_take_str(row));
	size_t stickers = row_take_u64(row);
	p->updated_ms = row_take_ms(row);
	p->installed_ms = row_take_ms(row);
	l->has_more = l->count != 0 && l->sticker_room + stickers > LISTED_STICKERS_MAX;
	if (l->has_more)
		return;
	l->sticker_room += stickers;
	l->count++;
}

static struct sticker_pack *pack_of(struct list_packs *l, struct str id)
{
	for (size_t i = 0; i < l->count; i++)
		if (str_equal(l->item[i].id, id))
			return &l->item[i];
	return NULL;
}

/* In order of pack and place. A pack may have got more of them since its row was read: what has no room is left out. */
static void take_sticker(struct list_packs *l, struct row *row)
{
	struct arena *a = &l->read.arena;
	struct str pack = row_take_str(row);
	if (l->filling == NULL || !str_equal(l->filling->id, pack))
		l->filling = pack_of(l, pack);
	if (l->filling == NULL || l->sticker_count == l->sticker_room)
		return;
	struct sticker *s = &l->sticker[l->sticker_count++];
	if (l->filling->count++ == 0)
		l->filling->sticker = s;
	s->id = arena_str(a, row_take_str(row));
	s->emoji = arena_str(a, row_take_str(row));
	s->picture = arena_str(a, row_take_str(row));
	s->width = (unsigned)row_take_u64(row);
	s->height = (unsigned)row_take_u64(row);
}

static void packs_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_packs *l = container_of(r, struct list_packs, read);
	(void)stmt;
	if (l->reads_stickers)
		take_sticker(l, row);
	else
		take_pack(l, row);
}

static void ask_stickers(struct list_packs *l)
{
	struct buf *text = &l->read.text;
	bool first = true;
	l->reads_stickers = true;
	l->sticker = arena_alloc(&l->read.arena, l->sticker_room * sizeof(*l->sticker));
	buf_clear(text);
	sql_lit(text,
		"SELECT pack_id,id,emoji,picture,width,height FROM stickers FORCE INDEX (PRIMARY) WHERE pack_id IN (");
	for (size_t i = 0; i < l->count; i++) {
		sql_comma(text, &first);
		sql_str(text, l->item[i].id);
	}
	sql_lit(text, ") ORDER BY pack_id,position");
	pool_again(&l->read);
}

static void packs_done(struct read *r, enum store_status status)
{
	struct list_packs *l = container_of(r, struct list_packs, read);
	if (status == STORE_OK && !l->reads_stickers && l->sticker_room != 0) {
		ask_stickers(l);
		return;
	}
	struct store_packs out = {.status = status};
	if (status == STORE_OK && l->one && l->count == 0)
		out.status = STORE_NOT_FOUND;
	if (out.status == STORE_OK) {
		out.item = l->item;
		out.count = l->count;
		out.has_more = l->has_more;
	}
	l->fn(&out, l->arg);
}

static struct list_packs *packs_new(struct store *s, struct str user, unsigned limit, store_packs_fn *fn, void *arg)
{
	struct list_packs *l = read_new(s->pool, user, sizeof(*l));
	l->read.restart = packs_restart;
	l->read.row = packs_row;
	l->read.done = packs_done;
	l->fn = fn;
	l->arg = arg;
	l->limit = limit;
	l->item = arena_alloc(&l->read.arena, (limit + 1) * sizeof(*l->item));
	return l;
}

static void put_packs(struct buf *text, struct str user)
{
	sql_lit(text,
		"SELECT " PACK_COLUMNS " FROM sticker_packs p FORCE INDEX (PRIMARY) LEFT JOIN sticker_installs i ON "
		"i.pack_id=p.id AND i.user_id=");
	sql_str(text, user);
}

void store_find_pack(struct store *s, struct str user, struct str pack, store_packs_fn *fn, void *arg)
{
	struct list_packs *l = packs_new(s, user, 1, fn, arg);
	struct buf *text = &l->read.text;
	l->one = true;
	put_packs(text, user);
	sql_lit(text, " WHERE p.id=");
	sql_str(text, pack);
	pool_submit(&l->read);
}

void store_list_packs(struct store *s, struct str user, unsigned limit, struct str after, store_packs_fn *fn, void *arg)
{
	struct list_packs *l = packs_new(s, user, limit, fn, arg);
	struct buf *text = &l->read.text;
	put_packs(text, user);
	sql_lit(text, " WHERE p.id>");
	sql_str(text, after.s != NULL ? after : STR_LIT(""));
	sql_lit(text, " ORDER BY p.id LIMIT ");
	sql_u64(text, limit + 1);
	pool_submit(&l->read);
}

void store_list_installed_packs(struct store *s, struct str user, unsigned limit, struct pack_cursor after,
				store_packs_fn *fn, void *arg)
{
	struct list_packs *l = packs_new(s, user, limit, fn, arg);
	struct buf *text = &l->read.text;
	sql_lit(text, "SELECT " PACK_COLUMNS
		      " FROM sticker_installs i FORCE INDEX (by_time) STRAIGHT_JOIN sticker_packs p ON "
		      "p.id=i.pack_id WHERE i.user_id=");
	sql_str(text, user);
	if (after.installed_ms != 0) {
		sql_lit(text, " AND i.installed_at<=");
		sql_time(text, after.installed_ms);
		sql_lit(text, " AND (i.installed_at<");
		sql_time(text, after.installed_ms);
		sql_lit(text, " OR i.pack_id<");
		sql_str(text, after.id);
		buf_append_char(text, ')');
	}
	sql_lit(text, " ORDER BY i.installed_at DESC,i.pack_id DESC LIMIT ");
	sql_u64(text, limit + 1);
	pool_submit(&l->read);
}

/* ---- pictures ---- */

/* They take turns as one: no user's id has a space. */
#define PICTURES STR_LIT(" pictures")

struct find_picture {
	struct read read;
	store_picture_fn *fn;
	struct blob *content;
};

static void picture_restart(struct read *r)
{
	struct find_picture *f = container_of(r, struct find_picture, read);
	blob_unref(f->content);
	f->content = NULL;
}

static void picture_row(struct read *r, unsigned stmt, struct row *row)
{
	struct str content = row_take_str(row);
	(void)stmt;
	picture_restart(r);
	container_of(r, struct find_picture, read)->content = blob_new(content.s, content.len);
}

static void picture_done(struct read *r, enum store_status status)
{
	struct find_picture *f = container_of(r, struct find_picture, read);
	if (status == STORE_OK && f->content == NULL)
		status = STORE_NOT_FOUND;
	f->fn(status, status == STORE_OK ? f->content : NULL, r->asker, r->asker_count);
	picture_restart(r);
}

static bool picture_same(const struct read *a, const struct read *b)
{
	return container_of(a, struct find_picture, read)->fn == container_of(b, struct find_picture, read)->fn;
}

void store_find_picture(struct store *s, struct str pack, struct str name, store_picture_fn *fn, void *arg)
{
	struct find_picture *f = read_new(s->pool, PICTURES, sizeof(*f));
	struct buf *text = &f->read.text;
	f->read.restart = picture_restart;
	f->read.row = picture_row;
	f->read.done = picture_done;
	f->read.same = picture_same;
	f->fn = fn;
	sql_lit(text, "SELECT content FROM sticker_pictures FORCE INDEX (PRIMARY) WHERE pack_id=");
	sql_str(text, pack);
	sql_lit(text, " AND name=");
	sql_str(text, name);
	pool_submit_shared(&f->read, arg);
}
