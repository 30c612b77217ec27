/* SPDX-License-Identifier: BSD-2-Clause */
/* Direct conversations as rows, and reading one conversation of either kind. */
#include "core/base.h"
#include "store/query.h"

#include "store/sql.h"
#include "store/store_priv.h"

#define CONVERSATION_COLUMNS                                                                                           \
	"c.id,c.user1_id,c.user2_id,c.last_seq,c.last_message_time,c.user1_unread,c.user2_unread,c.user1_read_seq,"    \
	"c.user2_read_seq,d.user1_seq,d.user2_seq,c.change_seq,c.source_kind,c.source_id,c.created_at,c.sort_time,"    \
	"c.expires_in,c.kept_seq,c.user1_archived_seq,c.user1_marked,c.user1_first_seq,c.user2_archived_seq,c.user2_"  \
	"marked,"                                                                                                      \
	"c.user2_first_seq"
#define DELIVERIES " LEFT JOIN deliveries d FORCE INDEX (PRIMARY) ON d.conversation_id=c.id"

/* Of the newest message of all the mark is its own, for none is after it. That of another one is one of the details. */
#define LAST_COLUMNS MESSAGE_COLUMNS_WITH("COALESCE(m.read_at,r.at)")
#define LAST_MARK                                                                                                      \
	" LEFT JOIN read_marks r FORCE INDEX (PRIMARY) ON r.conversation_id=c.id AND r.user_id=m.to_user_id AND "      \
	"r.up_to_seq=c.last_seq AND m.id=(c.id<<28)+c.last_seq"

/* "IF(c.user1_id='…',c.user1_<column>,c.user2_<column>)" */
static void put_own(struct buf *text, struct str user, const char *column)
{
	sql_lit(text, "IF(c.user1_id=");
	sql_str(text, user);
	buf_printf(text, ",c.user1_%s,c.user2_%s)", column, column);
}

void query_put_first_seq(struct buf *text, struct str user)
{
	sql_lit(text, "GREATEST(COALESCE(");
	put_own(text, user, "first_seq");
	sql_lit(text, ",1),c.kept_seq)");
}

void query_put_settings(struct buf *text)
{
	sql_lit(text, "s.muted_until,s.muted_until>");
	sql_now(text);
	sql_lit(text, ",s.mute_mentions,s.pinned_at,s.draft");
}

static void set_archived(struct view *view)
{
	view->c.settings.archived =
		view->was_archived && (!view->is_answered || query_stays_archived(view->mute_ends_ms, view->c.last_ms));
}

void query_take_settings(struct row *row, struct arena *a, struct view *view)
{
	struct conversation_settings *s = &view->c.settings;
	view->mute_ends_ms = row_take_ms(row);
	s->muted_until_ms = row_take_bool(row) ? view->mute_ends_ms : 0;
	s->mute_mentions = row_take_bool(row);
	s->pinned_ms = row_take_ms(row);
	s->draft = arena_str(a, row_take_str(row));
	set_archived(view);
}

void query_take_own(struct row *row, struct view *view)
{
	view->was_archived = !row_next_is_null(row);
	view->is_answered = row_take_u64(row) < view->c.last_seq;
	view->c.settings.marked_unread = row_take_bool(row);
	set_archived(view);
}

void query_put_conversations(struct buf *text, struct str user, enum query_settings settings, const char *from,
			     struct str more_from)
{
	sql_lit(text, "SELECT " CONVERSATION_COLUMNS ",IF(");
	put_own(text, user, "unread");
	sql_lit(text, ">0,(SELECT n.seq FROM mentions n FORCE INDEX (PRIMARY) WHERE n.user_id=");
	sql_str(text, user);
	sql_lit(text,
		" AND n.conversation_id=c.id ORDER BY n.seq DESC LIMIT 1),0)," LAST_COLUMNS ",u.nickname,u.avatar_url");
	if (settings == SETTINGS_TOO) {
		buf_append_char(text, ',');
		query_put_settings(text);
	}
	sql_lit(text, " FROM ");
	buf_append_str(text, str_from(from));
	if (more_from.s != NULL)
		buf_append_str(text, more_from);
	sql_lit(text, DELIVERIES " LEFT JOIN messages m ON m.id=");
	put_own(text, user, "last_id");
	sql_lit(text, LAST_MARK " LEFT JOIN users u FORCE INDEX (PRIMARY) ON u.id=IF(c.user1_id=");
	sql_str(text, user);
	sql_lit(text, ",c.user2_id,c.user1_id)");
	if (settings != SETTINGS_TOO)
		return;
	sql_lit(text, " LEFT JOIN conversation_settings s FORCE INDEX (PRIMARY) ON s.user_id=");
	sql_str(text, user);
	sql_lit(text, " AND s.conversation_id=c.id");
}

/* Of the user's side; those of the other one are passed over. */
static void take_own_of(struct row *row, int mine, struct view *view)
{
	enum { COLUMNS = 3 };
	uint64_t kept_seq = row_take_u64(row);
	row->at += mine ? COLUMNS : 0;
	query_take_own(row, view);
	uint64_t first_seq = row_take_u64(row);
	view->c.first_seq = first_seq > kept_seq ? first_seq : kept_seq;
	row->at += mine ? 0 : COLUMNS;
}

void query_take_conversation(struct row *row, struct arena *a, struct str user, struct view *view)
{
	char side_user[2][USER_ID_MAX + 1];
	uint64_t unread[2], read_seq[2], delivered_seq[2];
	struct conversation *out = &view->c;
	*view = (struct view){.c = {.id = row_take_u64(row)}};
	row_take_user(row, side_user[0]);
	row_take_user(row, side_user[1]);
	int mine = str_is(user, side_user[0]) ? 0 : 1;
	memcpy(out->user, side_user[mine], sizeof(out->user));
	memcpy(out->peer, side_user[!mine], sizeof(out->peer));
	out->last_seq = row_take_u64(row);
	out->last_ms = row_take_ms(row);
	unread[0] = row_take_u64(row);
	unread[1] = row_take_u64(row);
	read_seq[0] = row_take_u64(row);
	read_seq[1] = row_take_u64(row);
	delivered_seq[0] = row_take_u64(row);
	delivered_seq[1] = row_take_u64(row);
	out->unread = unread[mine];
	out->read_seq = read_seq[mine];
	out->peer_read_seq = read_seq[!mine];
	/* Who has read it has received it. */
	out->peer_delivered_seq = delivered_seq[!mine] > out->peer_read_seq ? delivered_seq[!mine] : out->peer_read_seq;
	out->change_seq = row_take_u64(row);
	out->source_kind = arena_str(a, row_take_str(row));
	out->source_id = arena_str(a, row_take_str(row));
	out->created_ms = row_take_ms(row);
	out->sort_ms = row_take_ms(row);
	out->settings.expires_in_secs = row_take_u64(row);
	take_own_of(row, mine, view);
	view->unread = (struct unread){
		.user = user,
		.conversation_id = out->id,
		.last_seq = out->last_seq,
		.read_seq = unread_after(out->read_seq, out->first_seq),
		.mention_seq = row_take_u64(row),
	};
	out->has_last = row_take_message(row, a, &out->last);
	out->peer_nickname = arena_str(a, row_take_str(row));
	out->peer_avatar_url = arena_str(a, row_take_str(row));
	if (row->at < row->count)
		query_take_settings(row, a, view);
}

void query_put_is_party(struct buf *text, struct str user)
{
	sql_lit(text, "(c.user1_id=");
	sql_str(text, user);
	sql_lit(text, " OR c.user2_id=");
	sql_str(text, user);
	buf_append_char(text, ')');
}

/* ---- one conversation ---- */

struct one {
	struct read read;
	store_conversation_fn *fn;
	void *arg;
	uint64_t id;
	bool found;
	struct view view;
	struct details details;
};

static void one_restart(struct read *r)
{
	struct one *o = container_of(r, struct one, read);
	if (o->details.asked)
		details_restart(&o->details);
	else
		o->found = false;
}

static void one_row(struct read *r, unsigned stmt, struct row *row)
{
	struct one *o = container_of(r, struct one, read);
	if (o->details.asked) {
		details_row(&o->details, &r->arena, stmt, row);
		return;
	}
	if (conversation_is_group(o->id))
		query_take_group(row, &r->arena, &o->view);
	else
		query_take_conversation(row, &r->arena, r->user, &o->view);
	o->found = true;
}

static void one_done(struct read *r, enum store_status status)
{
	struct one *o = container_of(r, struct one, read);
	if (status == STORE_OK && !o->found)
		status = STORE_NOT_FOUND;
	if (status == STORE_OK && !o->details.asked && details_put(&o->details, r, &o->view, 1)) {
		pool_again(r);
		return;
	}
	o->fn(status, status == STORE_OK ? &o->view.c : NULL, o->arg);
}

void store_find_conversation(struct store *s, struct str user, uint64_t id, store_conversation_fn *fn, void *arg)
{
	struct one *o = read_new(s->pool, user, sizeof(*o));
	struct buf *text = &o->read.text;
	o->read.restart = one_restart;
	o->read.row = one_row;
	o->read.done = one_done;
	o->fn = fn;
	o->arg = arg;
	o->id = id;
	if (id > CONVERSATION_ID_MAX) {
		pool_refuse(&o->read, STORE_NOT_FOUND);
		return;
	}
	if (conversation_is_group(id)) {
		query_put_groups(text, SETTINGS_TOO, STR_LIT("members g FORCE INDEX (PRIMARY)"));
		sql_lit(text, " WHERE ");
		query_put_is_member(text, user, id);
	} else {
		query_put_conversations(text, user, SETTINGS_TOO, "conversations c", STR_NULL);
		sql_lit(text, " WHERE c.id=");
		sql_u64(text, id);
		sql_lit(text, " AND ");
		query_put_is_party(text, user);
	}
	pool_submit(&o->read);
}
