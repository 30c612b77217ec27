/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read of conversations after their rows. Decides which profiles are asked for, and what is remembered. */
#include "core/base.h"
#include "store/query.h"

#include <stdlib.h>

#include "store/sql.h"

/* ---- what is counted ---- */

static bool put_counts(struct buf *text, const struct details *d)
{
	bool first = true;
	for (size_t i = 0; i < d->count; i++)
		unread_put(text, &first, i, &d->view[i].unread);
	return !first;
}

static void set_counts(struct view *v)
{
	if (conversation_is_group(v->c.id))
		v->c.unread = unread_in_group(&v->unread);
	v->c.mentions = v->unread.mentions;
}

static void take_count(struct details *d, struct arena *a, struct row *row)
{
	size_t tag = unread_take_tag(row);
	if (tag >= d->count)
		return;
	unread_take(row, a, &d->view[tag].unread);
	set_counts(&d->view[tag]);
}

/* ---- peers ---- */

static int by_peer(const void *a, const void *b)
{
	const struct view *const *x = a, *const *y = b;
	return strcmp((*x)->c.peer, (*y)->c.peer);
}

static void find_remembered(struct details *d, struct arena *a)
{
	struct str nickname, avatar_url;
	d->missing = arena_alloc(a, (d->count + 1) * sizeof(*d->missing));
	for (size_t i = 0; i < d->count; i++) {
		struct conversation *c = &d->view[i].c;
		if (conversation_is_group(c->id))
			continue;
		if (!profiles_find(d->profiles, str_from(c->peer), &nickname, &avatar_url)) {
			d->missing[d->missing_count++] = &d->view[i];
			continue;
		}
		c->peer_nickname = arena_str(a, nickname);
		c->peer_avatar_url = arena_str(a, avatar_url);
	}
	qsort(d->missing, d->missing_count, sizeof(struct view *), by_peer);
}

static void put_missing(struct buf *text, const struct details *d)
{
	bool first = true;
	sql_lit(text, "SELECT id,nickname,avatar_url FROM users FORCE INDEX (PRIMARY) WHERE id IN (");
	for (size_t i = 0; i < d->missing_count; i++) {
		sql_comma(text, &first);
		sql_str(text, str_from(d->missing[i]->c.peer));
	}
	buf_append_char(text, ')');
}

/* Rows come in the order of names, mostly. */
static struct conversation *find_missing(struct details *d, struct str peer)
{
	for (size_t i = 0; i < d->missing_count; i++) {
		if (d->missing_at == d->missing_count)
			d->missing_at = 0;
		struct conversation *c = &d->missing[d->missing_at++]->c;
		if (str_is(peer, c->peer))
			return c;
	}
	return NULL;
}

static void take_profile(struct details *d, struct arena *a, struct row *row)
{
	struct str peer = row_take_str(row), nickname = row_take_str(row), avatar_url = row_take_str(row);
	struct conversation *c = find_missing(d, peer);
	if (c == NULL)
		return;
	c->peer_nickname = arena_str(a, nickname);
	c->peer_avatar_url = arena_str(a, avatar_url);
	profiles_put(d->profiles, d->began, peer, nickname, avatar_url);
}

/* ---- both ---- */

bool details_put(struct details *d, struct read *r, struct view *view, size_t n)
{
	d->asked = true;
	d->view = view;
	d->count = n;
	find_remembered(d, &r->arena);
	buf_clear(&r->text);
	d->counts = put_counts(&r->text, d);
	if (d->missing_count == 0)
		return d->counts;
	if (d->counts)
		buf_append_char(&r->text, ';');
	put_missing(&r->text, d);
	return true;
}

void details_restart(struct details *d)
{
	d->began = profiles_now(d->profiles);
	d->missing_at = 0;
	for (size_t i = 0; i < d->missing_count; i++)
		d->missing[i]->c.peer_nickname = d->missing[i]->c.peer_avatar_url = STR_NULL;
	for (size_t i = 0; i < d->count; i++) {
		unread_restart(&d->view[i].unread);
		set_counts(&d->view[i]);
	}
}

void details_row(struct details *d, struct arena *a, unsigned stmt, struct row *row)
{
	if (stmt == 0 && d->counts)
		take_count(d, a, row);
	else
		take_profile(d, a, row);
}
