/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads of files' rows, and who may see a file. */
#include "core/base.h"
#include "store/media_priv.h"

#include "core/log.h"
#include "store/query.h"
#include "store/sql.h"
#include "store/store_priv.h"

void media_take(struct row *row, struct arena *a, struct media *out)
{
	struct str id = row_take_str(row);
	*out = (struct media){.duration_ms = -1};
	if (media_id_valid(id))
		memcpy(out->id, id.s, id.len);
	row_take_user(row, out->owner);
	uint64_t state = row_take_u64(row);
	out->state = state <= MEDIA_GOING ? (enum media_state)state : MEDIA_GOING;
	out->size = row_take_u64(row);
	out->name = arena_str(a, row_take_str(row));
	out->content_type = arena_str(a, row_take_str(row));
	out->blurhash = arena_str(a, row_take_str(row));
	out->width = (uint32_t)row_take_u64(row);
	out->height = (uint32_t)row_take_u64(row);
	struct str duration = row_take_str(row);
	uint64_t ms;
	if (duration.s != NULL && id_parse_u64(duration, &ms) == 0 && ms <= INT64_MAX)
		out->duration_ms = (int64_t)ms;
	out->has_thumbnail = row_take_bool(row);
	out->is_checked = row_take_bool(row);
	out->created_ms = row_take_ms(row);
}

struct find_media {
	struct read read;
	store_media_fn *fn;
	void *arg;
	char id[MEDIA_ID_LEN + 1];
	bool only_seen, seen, found;
	bool by_conversations; /* the second look: in which of the user's conversations it is shown */
	uint64_t uses;	       /* at most USES_LOOKED_AT + 1 */
	struct media media;
};

/* So many of the messages that show a file are looked at, the newest; of others the user's conversations are. */
#define USES_LOOKED_AT 100

enum { STMT_MEDIA, STMT_SEEN, STMT_USES };

static void find_restart(struct read *r)
{
	struct find_media *f = container_of(r, struct find_media, read);
	f->seen = false;
	if (f->by_conversations)
		return;
	f->found = false;
	f->uses = 0;
}

static void find_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_media *f = container_of(r, struct find_media, read);
	if (f->by_conversations || stmt == STMT_SEEN) {
		f->seen = true;
	} else if (stmt == STMT_USES) {
		f->uses = row_take_u64(row);
	} else {
		media_take(row, &r->arena, &f->media);
		f->found = f->media.state != MEDIA_GOING;
	}
}

/* Where the user, of whom a conversation AS c or a membership AS g may be there, sees the message x (by_id.c says it
 * for many). */
static void put_sees(struct buf *text, struct str user)
{
	sql_lit(text, "x.is_recalled=0 AND (c.id IS NOT NULL AND ");
	query_put_first_seq(text, user);
	sql_lit(text, "<=(x.id&268435455) AND IF(x.to_user_id=");
	sql_str(text, user);
	sql_lit(text,
		",x.deleted_by_recipient=0,x.deleted_by_sender=0) OR g.user_id IS NOT NULL AND "
		"g.first_seq<=(x.id&268435455) AND NOT EXISTS (SELECT 1 FROM deletions d FORCE INDEX (PRIMARY) WHERE "
		"d.user_id=g.user_id AND d.conversation_id=g.conversation_id AND d.first_seq<=(x.id&268435455) AND "
		"d.last_seq>=(x.id&268435455))) LIMIT 1");
}

static void put_look(struct find_media *f, struct str user)
{
	struct buf *text = &f->read.text;
	sql_lit(text,
		";SELECT STRAIGHT_JOIN 1 FROM (SELECT message_id,conversation_id FROM media_uses FORCE INDEX (PRIMARY) "
		"WHERE media_id=");
	sql_str(text, str_from(f->id));
	buf_printf(text,
		   " ORDER BY message_id DESC LIMIT %d) u LEFT JOIN conversations c FORCE INDEX (PRIMARY) ON "
		   "c.id=u.conversation_id AND ",
		   USES_LOOKED_AT);
	query_put_is_party(text, user);
	sql_lit(text, " LEFT JOIN members g FORCE INDEX (PRIMARY) ON g.user_id=");
	sql_str(text, user);
	sql_lit(text,
		" AND g.conversation_id=u.conversation_id JOIN messages x FORCE INDEX (PRIMARY) ON x.id=u.message_id "
		"WHERE ");
	put_sees(text, user);
	sql_lit(text, ";SELECT COUNT(*) FROM (SELECT 1 FROM media_uses FORCE INDEX (PRIMARY) WHERE media_id=");
	sql_str(text, str_from(f->id));
	buf_printf(text, " LIMIT %d) k", USES_LOOKED_AT + 1);
}

static void put_look_by_conversations(struct find_media *f)
{
	struct buf *text = &f->read.text;
	struct str user = f->read.user;
	buf_clear(text);
	sql_lit(text, "SELECT STRAIGHT_JOIN 1 FROM (");
	for (int side = 1; side <= 2; side++) {
		buf_printf(text, "SELECT id FROM conversations FORCE INDEX (by_user%d) WHERE user%d_id=", side, side);
		sql_str(text, user);
		sql_lit(text, " UNION ALL ");
	}
	sql_lit(text, "SELECT conversation_id FROM members FORCE INDEX (PRIMARY) WHERE user_id=");
	sql_str(text, user);
	sql_lit(text, ") k JOIN media_uses u FORCE INDEX (by_conversation) ON u.conversation_id=k.id AND u.media_id=");
	sql_str(text, str_from(f->id));
	sql_lit(text, " LEFT JOIN conversations c FORCE INDEX (PRIMARY) ON c.id=k.id AND ");
	query_put_is_party(text, user);
	sql_lit(text, " LEFT JOIN members g FORCE INDEX (PRIMARY) ON g.user_id=");
	sql_str(text, user);
	sql_lit(text, " AND g.conversation_id=k.id JOIN messages x FORCE INDEX (PRIMARY) ON x.id=u.message_id WHERE ");
	put_sees(text, user);
}

static bool may_see(const struct find_media *f)
{
	return !f->only_seen || str_is(f->read.user, f->media.owner) || (f->seen && f->media.state == MEDIA_READY);
}

static void find_done(struct read *r, enum store_status status)
{
	struct find_media *f = container_of(r, struct find_media, read);
	if (status == STORE_OK && f->found && !may_see(f) && f->uses > USES_LOOKED_AT && !f->by_conversations) {
		f->by_conversations = true;
		put_look_by_conversations(f);
		pool_again(r);
		return;
	}
	if (status == STORE_OK && !(f->found && may_see(f)))
		status = STORE_NOT_FOUND;
	f->fn(status, status == STORE_OK ? &f->media : NULL, f->arg);
}

static struct find_media *find_new(struct store *s, struct str user, struct str id, store_media_fn *fn, void *arg)
{
	struct find_media *f = read_new(s->pool, user, sizeof(*f));
	struct buf *text = &f->read.text;
	ASSERT(media_id_valid(id));
	memcpy(f->id, id.s, id.len);
	f->read.restart = find_restart;
	f->read.row = find_row;
	f->read.done = find_done;
	f->fn = fn;
	f->arg = arg;
	sql_lit(text, "SELECT " MEDIA_COLUMNS " FROM media m FORCE INDEX (PRIMARY) WHERE m.id=");
	sql_str(text, id);
	return f;
}

void store_find_media(struct store *s, struct str user, struct str id, store_media_fn *fn, void *arg)
{
	pool_submit(&find_new(s, user, id, fn, arg)->read);
}

void store_find_media_seen(struct store *s, struct str user, struct str id, store_media_fn *fn, void *arg)
{
	struct find_media *f = find_new(s, user, id, fn, arg);
	f->only_seen = true;
	put_look(f, user);
	pool_submit(&f->read);
}
