/* SPDX-License-Identifier: BSD-2-Clause */
/* The pieces of SQL that several reads are made of, and reading one conversation. */
#include "core/base.h"
#include "store/query.h"

#include "store/sql.h"
#include "store/store_priv.h"

#define CONVERSATION_COLUMNS                                                                                           \
	"c.id,c.user1_id,c.user2_id,c.last_seq,c.last_message_time,c.user1_unread,c.user2_unread,c.user1_read_seq,"    \
	"c.user2_read_seq,c.change_seq,c.source_kind,c.source_id,c.created_at,c.sort_time,u.nickname,u.avatar_url,"    \
	"COALESCE(f.blocked,1) OR EXISTS(SELECT 1 FROM blocks k WHERE k.user_id=f.user_id AND "                        \
	"k.blocked_id=f.friend_id)"

static void put_peer(struct buf *text, struct str user)
{
	sql_lit(text, "IF(c.user1_id=");
	sql_str(text, user);
	sql_lit(text, ",c.user2_id,c.user1_id)");
}

void query_put_conversations(struct buf *text, struct str user, const char *from, struct str more_from)
{
	sql_lit(text, "SELECT " CONVERSATION_COLUMNS "," MESSAGE_COLUMNS " FROM ");
	buf_append_str(text, str_from(from));
	if (more_from.s != NULL)
		buf_append_str(text, more_from);
	sql_lit(text, " LEFT JOIN users u ON u.id=");
	put_peer(text, user);
	sql_lit(text, " LEFT JOIN friendships f ON f.user_id=");
	put_peer(text, user);
	sql_lit(text, " AND f.friend_id=");
	sql_str(text, user);
	sql_lit(text, " LEFT JOIN messages m ON m.id=IF(c.user1_id=");
	sql_str(text, user);
	sql_lit(text, ",c.user1_last_id,c.user2_last_id)");
}

void query_take_conversation(struct row *row, struct arena *a, struct str user, struct conversation *out)
{
	char side_user[2][USER_ID_MAX + 1];
	uint64_t unread[2], read_seq[2];
	*out = (struct conversation){.id = row_take_u64(row)};
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
	out->unread = unread[mine];
	out->read_seq = read_seq[mine];
	out->peer_read_seq = read_seq[!mine];
	out->change_seq = row_take_u64(row);
	out->source_kind = arena_str(a, row_take_str(row));
	out->source_id = arena_str(a, row_take_str(row));
	out->created_ms = row_take_ms(row);
	out->sort_ms = row_take_ms(row);
	out->peer_nickname = arena_str(a, row_take_str(row));
	out->peer_avatar_url = arena_str(a, row_take_str(row));
	out->hides_peer = row_take_bool(row);
	out->has_last = row_take_message(row, a, &out->last);
}

void query_put_is_party(struct buf *text, struct str user)
{
	sql_lit(text, "(c.user1_id=");
	sql_str(text, user);
	sql_lit(text, " OR c.user2_id=");
	sql_str(text, user);
	buf_append_char(text, ')');
}

struct one {
	struct read read;
	store_conversation_fn *fn;
	void *arg;
	struct str user;
	bool found;
	struct conversation c;
};

static void one_restart(struct read *r)
{
	container_of(r, struct one, read)->found = false;
}

static void one_row(struct read *r, unsigned stmt, struct row *row)
{
	struct one *o = container_of(r, struct one, read);
	(void)stmt;
	query_take_conversation(row, &r->arena, o->user, &o->c);
	o->found = true;
}

static void one_done(struct read *r, enum store_status status)
{
	struct one *o = container_of(r, struct one, read);
	if (status == STORE_OK && !o->found)
		status = STORE_NOT_FOUND;
	o->fn(status, status == STORE_OK ? &o->c : NULL, o->arg);
}

void query_conversation(struct pool *p, struct str user, uint64_t id, store_conversation_fn *fn, void *arg)
{
	struct one *o = read_new(p, user, sizeof(*o));
	struct buf *text = &o->read.text;
	o->read.restart = one_restart;
	o->read.row = one_row;
	o->read.done = one_done;
	o->fn = fn;
	o->arg = arg;
	o->user = o->read.user;
	query_put_conversations(text, user, "conversations c", STR_NULL);
	sql_lit(text, " WHERE c.id=");
	sql_u64(text, id);
	sql_lit(text, " AND ");
	query_put_is_party(text, user);
	pool_submit(&o->read);
}

void store_find_conversation(struct store *s, struct str user, uint64_t id, store_conversation_fn *fn, void *arg)
{
	query_conversation(s->pool, user, id, fn, arg);
}
