/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read of conversations after their rows. Decides what has to be asked. */
#include "core/base.h"
#include "store/query.h"

#include "core/log.h"
#include "store/sql.h"

/* ---- what is counted ---- */

static bool put_counts(struct buf *text, const struct details *d)
{
	struct unread_stmt stmt;
	unread_begin(&stmt, text);
	for (size_t i = 0; i < d->count; i++)
		unread_put(&stmt, i, &d->view[i].unread);
	return unread_end(&stmt);
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

/* ---- when the last message was read ---- */

static bool needs_mark(const struct conversation *c)
{
	const struct message *m = &c->last;
	uint64_t seq = message_id_seq(m->id);
	if (conversation_is_group(c->id) || !c->has_last || m->is_read || seq == c->last_seq)
		return false;
	return seq <= (strcmp(m->to, c->user) == 0 ? c->read_seq : c->peer_read_seq);
}

static bool put_marks(struct buf *text, const struct details *d)
{
	bool first = true;
	for (size_t i = 0; i < d->count; i++) {
		const struct message *m = &d->view[i].c.last;
		if (!needs_mark(&d->view[i].c))
			continue;
		buf_append_str(text, first ? STR_LIT("(SELECT ") : STR_LIT(" UNION ALL (SELECT "));
		first = false;
		sql_u64(text, i);
		buf_append_char(text, ',');
		row_put_mark(text, message_id_conversation(m->id), str_from(m->to), message_id_seq(m->id));
		buf_append_char(text, ')');
	}
	return !first;
}

static void take_mark(struct details *d, struct row *row)
{
	uint64_t i = row_take_u64(row);
	if (i < d->count)
		row_take_mark(row, &d->view[i].c.last);
}

/* ---- what the user has set ---- */

static bool put_settings(struct buf *text, const struct details *d)
{
	bool first = true;
	if (!d->settings || d->count == 0)
		return false;
	sql_lit(text, "SELECT s.conversation_id,");
	query_put_settings(text);
	sql_lit(text, " FROM conversation_settings s FORCE INDEX (PRIMARY) WHERE s.user_id=");
	sql_str(text, str_from(d->view[0].c.user));
	sql_lit(text, " AND s.conversation_id IN (");
	for (size_t i = 0; i < d->count; i++) {
		sql_comma(text, &first);
		sql_u64(text, d->view[i].c.id);
	}
	buf_append_char(text, ')');
	return true;
}

static void take_settings(struct details *d, struct arena *a, struct row *row)
{
	uint64_t id = row_take_u64(row);
	size_t i = 0;
	while (i < d->count && d->view[i].c.id != id)
		i++;
	if (i < d->count)
		query_take_settings(row, a, &d->view[i]);
}

/* ---- all of it ---- */

static bool put_stmt(struct buf *text, const struct details *d, enum details_stmt stmt)
{
	switch (stmt) {
	case DETAILS_COUNTS:
		return put_counts(text, d);
	case DETAILS_MARKS:
		return put_marks(text, d);
	case DETAILS_SETTINGS:
		return put_settings(text, d);
	case DETAILS_STMTS:
		break;
	}
	return false;
}

bool details_put(struct details *d, struct read *r, struct view *view, size_t n)
{
	d->asked = true;
	d->view = view;
	d->count = n;
	buf_clear(&r->text);
	for (enum details_stmt stmt = 0; stmt < DETAILS_STMTS; stmt++) {
		size_t len = r->text.len;
		if (len != 0)
			buf_append_char(&r->text, ';');
		if (put_stmt(&r->text, d, stmt))
			d->stmt[d->stmt_count++] = stmt;
		else
			r->text.len = len;
	}
	return d->stmt_count != 0;
}

void details_restart(struct details *d)
{
	for (size_t i = 0; i < d->count; i++) {
		unread_restart(&d->view[i].unread);
		set_counts(&d->view[i]);
	}
}

void details_row(struct details *d, struct arena *a, unsigned stmt, struct row *row)
{
	ASSERT(stmt < d->stmt_count);
	if (d->stmt[stmt] == DETAILS_COUNTS)
		take_count(d, a, row);
	else if (d->stmt[stmt] == DETAILS_MARKS)
		take_mark(d, row);
	else
		take_settings(d, a, row);
}
