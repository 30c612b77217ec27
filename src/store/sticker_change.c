/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of packs, and of who has installed them. An import keeps the pictures first, one transaction each, for they
 * are large, and nobody sees them; then the pack is changed as a whole, by one transaction.
 */
#include "core/base.h"
#include "store/sticker.h"

#include "store/sql.h"
#include "store/store_priv.h"

static void put_where(struct buf *text, const char *column, struct str value, const char *then)
{
	buf_printf(text, " WHERE %s=", column);
	sql_str(text, value);
	buf_append_str(text, str_from(then));
}

/* ---- installing ---- */

struct install {
	struct txn txn;
	store_done_fn *fn;
	void *arg;
	struct str pack;
	bool installs;
	bool exists, installed;
	size_t count; /* that the user has */
	int64_t db_ms;
	struct buf gone; /* what the user has of packs that are gone, as a list */
	size_t gone_count;
};

static void install_ask(struct txn *t, struct buf *text)
{
	struct install *p = container_of(t, struct install, txn);
	p->exists = p->installed = false;
	p->count = p->gone_count = 0;
	buf_clear(&p->gone);
	sql_lit(text, "SELECT UTC_TIMESTAMP(3);SELECT id FROM sticker_packs");
	put_where(text, "id", p->pack, ";");
	sql_lit(text,
		"SELECT i.pack_id,EXISTS(SELECT 1 FROM sticker_packs p WHERE p.id=i.pack_id) FROM sticker_installs i "
		"FORCE INDEX (PRIMARY)");
	put_where(text, "i.user_id", t->user, " FOR UPDATE");
}

static void take_installed(struct install *p, struct str pack, bool is_there)
{
	p->installed |= str_equal(pack, p->pack);
	p->count += is_there;
	if (is_there)
		return;
	if (p->gone_count++ != 0)
		buf_append_char(&p->gone, ',');
	sql_str(&p->gone, pack);
}

static void install_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct install *p = container_of(t, struct install, txn);
	if (stmt == 0) {
		p->db_ms = row_take_ms(row);
	} else if (stmt == 1) {
		p->exists = true;
	} else {
		struct str pack = row_take_str(row);
		take_installed(p, pack, row_take_bool(row));
	}
}

static void put_install(struct install *p, struct buf *text)
{
	if (p->gone_count != 0) {
		sql_lit(text, "DELETE FROM sticker_installs");
		put_where(text, "user_id", p->txn.user, " AND pack_id IN (");
		buf_append_str(text, (struct str){p->gone.data, p->gone.len});
		sql_lit(text, ");");
		sql_expect(text, p->gone_count);
		buf_append_char(text, ';');
	}
	sql_lit(text, "INSERT INTO sticker_installs (user_id,pack_id,installed_at) VALUES (");
	sql_str(text, p->txn.user);
	buf_append_char(text, ',');
	sql_str(text, p->pack);
	buf_append_char(text, ',');
	sql_time(text, p->db_ms);
	buf_append_char(text, ')');
}

static void install_decide(struct txn *t, struct buf *text)
{
	struct install *p = container_of(t, struct install, txn);
	if (!p->exists) {
		t->status = STORE_NOT_FOUND;
	} else if (p->installs && !p->installed) {
		if (p->count >= INSTALLED_PACKS_MAX)
			t->status = STORE_FULL;
		else
			put_install(p, text);
	} else if (!p->installs && p->installed) {
		sql_lit(text, "DELETE FROM sticker_installs");
		put_where(text, "user_id", t->user, " AND pack_id=");
		sql_str(text, p->pack);
		buf_append_char(text, ';');
		sql_expect(text, 1);
	}
}

static void install_answer(struct txn *t)
{
	struct install *p = container_of(t, struct install, txn);
	p->fn(t->status, p->arg);
	buf_fini(&p->gone);
}

void store_install_pack(struct store *s, struct str user, struct str pack, bool installs, store_done_fn *fn, void *arg)
{
	static const struct txn_class class = {"install pack", install_ask, install_row, install_decide,
					       install_answer, NULL,	    NULL};
	struct install *p = txn_new(s->txns, &class, user, sizeof(*p));
	p->pack = arena_str(&p->txn.arena, pack);
	p->installs = installs;
	p->fn = fn;
	p->arg = arg;
	txn_submit(&p->txn);
}

/* ---- importing: a picture ---- */

struct put_picture {
	struct txn txn;
	store_done_fn *fn;
	void *arg;
	struct str pack, name, content;
	bool standing;
};

static void picture_ask(struct txn *t, struct buf *text)
{
	struct put_picture *p = container_of(t, struct put_picture, txn);
	p->standing = false;
	sql_lit(text, "SELECT name FROM sticker_pictures");
	put_where(text, "pack_id", p->pack, " AND name=");
	sql_str(text, p->name);
}

static void picture_row(struct txn *t, unsigned stmt, struct row *row)
{
	(void)stmt;
	(void)row;
	container_of(t, struct put_picture, txn)->standing = true;
}

static void picture_decide(struct txn *t, struct buf *text)
{
	struct put_picture *p = container_of(t, struct put_picture, txn);
	if (p->standing)
		return;
	sql_lit(text, "INSERT INTO sticker_pictures (pack_id,name,content) VALUES (");
	sql_str(text, p->pack);
	buf_append_char(text, ',');
	sql_str(text, p->name);
	buf_append_char(text, ',');
	sql_bytes(text, p->content);
	buf_append_char(text, ')');
}

static void picture_answer(struct txn *t)
{
	struct put_picture *p = container_of(t, struct put_picture, txn);
	p->fn(t->status, p->arg);
}

void store_put_picture(struct store *s, struct str pack, struct str name, struct str content, store_done_fn *fn,
		       void *arg)
{
	static const struct txn_class class = {"put picture",  picture_ask, picture_row, picture_decide,
					       picture_answer, NULL,	    NULL};
	struct put_picture *p = txn_new(s->txns, &class, STR_NULL, sizeof(*p));
	struct arena *a = &p->txn.arena;
	p->pack = arena_str(a, pack);
	p->name = arena_str(a, name);
	p->content = arena_str(a, content);
	p->fn = fn;
	p->arg = arg;
	txn_submit(&p->txn);
}

/* ---- importing: the pack ---- */

struct put_pack {
	struct txn txn;
	store_put_pack_fn *fn;
	void *arg;
	struct sticker_pack pack;
	bool standing, same, changed;
	size_t stickers, pictures; /* that are there */
	int64_t db_ms;
};

enum { PACK_NOW, PACK_ITSELF, PACK_STICKERS, PACK_PICTURES };

/* Two stickers may have the same picture, which is one row. */
static size_t count_pictures(const struct sticker_pack *pack)
{
	size_t n = 0;
	for (size_t i = 0; i < pack->count; i++) {
		size_t first = 0;
		while (!str_equal(pack->sticker[first].picture, pack->sticker[i].picture))
			first++;
		n += first == i;
	}
	return n;
}

static void pack_ask(struct txn *t, struct buf *text)
{
	struct put_pack *p = container_of(t, struct put_pack, txn);
	bool first = true;
	p->standing = false;
	p->same = true;
	p->stickers = p->pictures = 0;
	sql_lit(text, "SELECT UTC_TIMESTAMP(3);SELECT title FROM sticker_packs");
	put_where(text, "id", p->pack.id, " FOR UPDATE;");
	sql_lit(text, "SELECT id,emoji,picture,width,height FROM stickers FORCE INDEX (PRIMARY)");
	put_where(text, "pack_id", p->pack.id, " ORDER BY position FOR UPDATE;");
	sql_lit(text, "SELECT COUNT(*) FROM sticker_pictures FORCE INDEX (PRIMARY)");
	put_where(text, "pack_id", p->pack.id, " AND name IN (");
	for (size_t i = 0; i < p->pack.count; i++) {
		sql_comma(text, &first);
		sql_str(text, p->pack.sticker[i].picture);
	}
	sql_lit(text, ") FOR UPDATE");
}

static bool is_same(struct row *row, const struct sticker *s)
{
	bool same = str_equal(row_take_str(row), s->id);
	same &= str_equal(row_take_str(row), s->emoji);
	same &= str_equal(row_take_str(row), s->picture);
	same &= row_take_u64(row) == s->width;
	return same & (row_take_u64(row) == s->height);
}

static void pack_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct put_pack *p = container_of(t, struct put_pack, txn);
	if (stmt == PACK_NOW) {
		p->db_ms = row_take_ms(row);
	} else if (stmt == PACK_ITSELF) {
		p->standing = true;
		p->same &= str_equal(row_take_str(row), p->pack.title);
	} else if (stmt == PACK_STICKERS) {
		p->same &= p->stickers < p->pack.count && is_same(row, &p->pack.sticker[p->stickers]);
		p->stickers++;
	} else {
		p->pictures = row_take_u64(row);
	}
}

/* As many rows as were counted under lock. */
static void put_deletion(struct buf *text, const char *of, const char *column, struct str pack, uint64_t rows)
{
	if (rows == 0)
		return;
	buf_printf(text, "DELETE FROM %s", of);
	put_where(text, column, pack, ";");
	sql_expect(text, rows);
	buf_append_char(text, ';');
}

static void put_pack_itself(const struct put_pack *p, struct buf *text)
{
	sql_lit(text, "INSERT INTO sticker_packs (id,title,sticker_count,updated_at) VALUES (");
	sql_str(text, p->pack.id);
	buf_append_char(text, ',');
	sql_str(text, p->pack.title);
	buf_printf(text, ",%zu,", p->pack.count);
	sql_time(text, p->db_ms);
	sql_lit(text, ");");
}

static void put_stickers(const struct sticker_pack *pack, struct buf *text)
{
	bool first = true;
	sql_lit(text, "INSERT INTO stickers (pack_id,position,id,emoji,picture,width,height) VALUES ");
	for (size_t i = 0; i < pack->count; i++) {
		const struct sticker *s = &pack->sticker[i];
		sql_comma(text, &first);
		buf_append_char(text, '(');
		sql_str(text, pack->id);
		buf_printf(text, ",%zu,", i);
		sql_str(text, s->id);
		buf_append_char(text, ',');
		sql_str(text, s->emoji);
		buf_append_char(text, ',');
		sql_str(text, s->picture);
		buf_printf(text, ",%u,%u)", s->width, s->height);
	}
}

static void pack_decide(struct txn *t, struct buf *text)
{
	struct put_pack *p = container_of(t, struct put_pack, txn);
	if (p->pictures != count_pictures(&p->pack)) {
		t->status = STORE_NOT_FOUND;
		return;
	}
	if (p->standing && p->same && p->stickers == p->pack.count)
		return; /* by an earlier try of this one, perhaps */
	p->changed = true;
	put_deletion(text, "stickers", "pack_id", p->pack.id, p->stickers);
	put_deletion(text, "sticker_packs", "id", p->pack.id, p->standing);
	put_pack_itself(p, text);
	put_stickers(&p->pack, text);
}

static void pack_answer(struct txn *t)
{
	struct put_pack *p = container_of(t, struct put_pack, txn);
	p->fn(t->status, p->changed, p->arg);
}

void store_put_pack(struct store *s, const struct sticker_pack *pack, store_put_pack_fn *fn, void *arg)
{
	static const struct txn_class class = {"put pack", pack_ask, pack_row, pack_decide, pack_answer, NULL, NULL};
	struct put_pack *p = txn_new(s->txns, &class, STR_NULL, sizeof(*p));
	struct arena *a = &p->txn.arena;
	struct sticker *sticker = arena_alloc(a, pack->count * sizeof(*sticker));
	for (size_t i = 0; i < pack->count; i++) {
		const struct sticker *from = &pack->sticker[i];
		sticker[i] = (struct sticker){arena_str(a, from->id), arena_str(a, from->emoji),
					      arena_str(a, from->picture), from->width, from->height};
	}
	p->pack = (struct sticker_pack){.id = arena_str(a, pack->id),
					.title = arena_str(a, pack->title),
					.sticker = sticker,
					.count = pack->count};
	p->fn = fn;
	p->arg = arg;
	txn_submit(&p->txn);
}

/* ---- removing ---- */

struct remove_pack {
	struct txn txn;
	store_done_fn *fn;
	void *arg;
	struct str pack;
	bool erases;
	uint64_t rows[3]; /* of packs, stickers, pictures */
};

static void remove_ask(struct txn *t, struct buf *text)
{
	struct remove_pack *p = container_of(t, struct remove_pack, txn);
	memset(p->rows, 0, sizeof(p->rows));
	sql_lit(text, "SELECT COUNT(*) FROM sticker_packs");
	put_where(text, "id", p->pack, " FOR UPDATE;");
	sql_lit(text, "SELECT COUNT(*) FROM stickers FORCE INDEX (PRIMARY)");
	put_where(text, "pack_id", p->pack, " FOR UPDATE");
	if (!p->erases)
		return;
	sql_lit(text, ";SELECT COUNT(*) FROM sticker_pictures FORCE INDEX (PRIMARY)");
	put_where(text, "pack_id", p->pack, " FOR UPDATE");
}

static void remove_row(struct txn *t, unsigned stmt, struct row *row)
{
	container_of(t, struct remove_pack, txn)->rows[stmt] = row_take_u64(row);
}

static void remove_decide(struct txn *t, struct buf *text)
{
	struct remove_pack *p = container_of(t, struct remove_pack, txn);
	if (p->rows[0] + p->rows[1] + p->rows[2] == 0) {
		t->status = t->uncertain ? STORE_OK : STORE_NOT_FOUND;
		return;
	}
	put_deletion(text, "sticker_packs", "id", p->pack, p->rows[0]);
	put_deletion(text, "stickers", "pack_id", p->pack, p->rows[1]);
	put_deletion(text, "sticker_pictures", "pack_id", p->pack, p->rows[2]);
	text->len--; /* the last ';' */
}

static void remove_answer(struct txn *t)
{
	struct remove_pack *p = container_of(t, struct remove_pack, txn);
	p->fn(t->status, p->arg);
}

void store_remove_pack(struct store *s, struct str pack, bool erases, store_done_fn *fn, void *arg)
{
	static const struct txn_class class = {"remove pack", remove_ask, remove_row, remove_decide,
					       remove_answer, NULL,	  NULL};
	struct remove_pack *p = txn_new(s->txns, &class, STR_NULL, sizeof(*p));
	p->pack = arena_str(&p->txn.arena, pack);
	p->erases = erases;
	p->fn = fn;
	p->arg = arg;
	txn_submit(&p->txn);
}
