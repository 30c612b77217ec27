/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read of conversations after their rows. Decides what has to be asked. */
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

static void collect_peers(struct details *d, struct arena *a)
{
	d->peer = arena_alloc(a, (d->count + 1) * sizeof(*d->peer));
	d->peer_count = 0;
	for (size_t i = 0; i < d->count; i++)
		if (!conversation_is_group(d->view[i].c.id))
			d->peer[d->peer_count++] = &d->view[i];
	qsort(d->peer, d->peer_count, sizeof(struct view *), by_peer);
}

static void put_peers(struct buf *text, const struct details *d)
{
	bool first = true;
	sql_lit(text, "SELECT id,nickname,avatar_url FROM users FORCE INDEX (PRIMARY) WHERE id IN (");
	for (size_t i = 0; i < d->peer_count; i++) {
		sql_comma(text, &first);
		sql_str(text, str_from(d->peer[i]->c.peer));
	}
	buf_append_char(text, ')');
}

/* Rows come in the order of names, mostly. */
static struct conversation *find_peer(struct details *d, struct str peer)
{
	for (size_t i = 0; i < d->peer_count; i++) {
		if (d->peer_at == d->peer_count)
			d->peer_at = 0;
		struct conversation *c = &d->peer[d->peer_at++]->c;
		if (str_is(peer, c->peer))
			return c;
	}
	return NULL;
}

static void take_profile(struct details *d, struct arena *a, struct row *row)
{
	struct str peer = row_take_str(row), nickname = row_take_str(row), avatar_url = row_take_str(row);
	struct conversation *c = find_peer(d, peer);
	if (c == NULL)
		return;
	c->peer_nickname = arena_str(a, nickname);
	c->peer_avatar_url = arena_str(a, avatar_url);
}

/* ---- both ---- */

bool details_put(struct details *d, struct read *r, struct view *view, size_t n)
{
	d->asked = true;
	d->view = view;
	d->count = n;
	collect_peers(d, &r->arena);
	buf_clear(&r->text);
	d->counts = put_counts(&r->text, d);
	if (d->peer_count == 0)
		return d->counts;
	if (d->counts)
		buf_append_char(&r->text, ';');
	put_peers(&r->text, d);
	return true;
}

void details_restart(struct details *d)
{
	d->peer_at = 0;
	for (size_t i = 0; i < d->peer_count; i++)
		d->peer[i]->c.peer_nickname = d->peer[i]->c.peer_avatar_url = STR_NULL;
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
