/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is unread of all of a user's conversations. Of direct ones it is kept, and only those that have something are
 * read. Of groups all are looked at, for a message writes nothing of its receivers, but only those with something after
 * read_seq are counted. Their uncounted messages are mostly in the last row of these, which is read on the way, or in
 * it and the one before; what is left is counted by a statement of constants, UNREAD_CHUNK at a time.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include "store/sql.h"
#include "store/unread.h"

enum total_step { TOTAL_FIRST, TOTAL_MENTIONED, TOTAL_COUNTS };
enum { STMT_DIRECT, STMT_GROUPS }; /* of the first one */

struct total {
	struct read read;
	store_unread_fn *fn;
	uint64_t unread; /* but in those below */
	/* Conversations of which something has to be counted, of direct ones the mentions alone. */
	struct unread *item;
	size_t count, room;
	enum total_step step;
	bool mentioned;	 /* in a direct conversation, once */
	size_t groups;	 /* of the items, before the direct ones */
	size_t from, to; /* those that are being counted */
};

static void total_restart(struct read *r)
{
	struct total *t = container_of(r, struct total, read);
	if (t->step == TOTAL_FIRST) {
		t->count = t->unread = 0;
		t->mentioned = false;
	} else if (t->step == TOTAL_MENTIONED) {
		t->count = t->groups;
	}
	for (size_t i = t->from; i < t->to; i++)
		unread_restart(&t->item[i]);
}

/* ---- what is asked ---- */

static void put_unread_of_side(struct buf *text, int side, struct str user)
{
	buf_printf(text,
		   "(SELECT COALESCE(SUM(user%d_unread),0) FROM conversations FORCE INDEX (waiting%d) WHERE "
		   "user%d_waiting=1 AND user%d_id=",
		   side, side, side, side);
	sql_str(text, user);
	buf_append_char(text, ')');
}

void unread_put_direct(struct buf *text, const char *before, int side)
{
	buf_printf(text,
		   "SELECT %suser%d_id,SUM(user%d_unread) FROM conversations FORCE INDEX (waiting%d) WHERE "
		   "user%d_waiting=1 AND user%d_id",
		   before, side, side, side, side, side);
}

/* Most users were never mentioned in one: then their mentions need not be looked for. */
static void put_direct(struct buf *text, struct str user)
{
	sql_lit(text, "SELECT ");
	put_unread_of_side(text, 1, user);
	buf_append_char(text, '+');
	put_unread_of_side(text, 2, user);
	sql_lit(text, ",EXISTS(SELECT 1 FROM mentions e FORCE INDEX (PRIMARY) WHERE e.user_id=");
	sql_str(text, user);
	sql_lit(text, " AND e.conversation_id<");
	sql_u64(text, GROUP_ID_MIN);
	buf_append_char(text, ')');
}

static void put_mentioned_of_side(struct buf *text, int side, struct str user)
{
	buf_printf(
		text,
		"SELECT c.id,c.last_seq,GREATEST(c.user%d_read_seq,COALESCE(c.user%d_first_seq,1)-1,c.kept_seq-1) AS "
		"read_seq,(SELECT n.seq FROM mentions n FORCE INDEX (PRIMARY) WHERE n.user_id=",
		side, side);
	sql_str(text, user);
	buf_printf(text,
		   " AND n.conversation_id=c.id ORDER BY n.seq DESC LIMIT 1) AS mention_seq FROM conversations c FORCE "
		   "INDEX (waiting%d) WHERE c.user%d_waiting=1 AND c.user%d_id=",
		   side, side, side);
	sql_str(text, user);
	sql_lit(text, " HAVING mention_seq>read_seq");
}

void unread_put_groups(struct buf *text, const char *before)
{
	buf_printf(text, "SELECT STRAIGHT_JOIN %s", before);
	sql_lit(text,
		"h.id,h.last_seq," UNREAD_AFTER ",g.mention_seq,h.uncounted_seq,h.all_seq,g.deleted_seq," UNREAD_BLOCKS
		" FROM members g FORCE INDEX (PRIMARY) JOIN group_heads h FORCE INDEX (PRIMARY) ON "
		"h.id=g.conversation_id" UNREAD_BLOCKS_JOIN " WHERE h.last_seq>" UNREAD_AFTER " AND g.user_id");
}

/* ---- what is found ---- */

static void take_seqs(struct row *row, struct unread *u)
{
	u->conversation_id = row_take_u64(row);
	u->last_seq = row_take_u64(row);
	u->read_seq = row_take_u64(row);
	u->mention_seq = row_take_u64(row);
}

void unread_take_group(struct row *row, struct unread *u)
{
	take_seqs(row, u);
	u->uncounted_seq = row_take_u64(row);
	u->all_seq = row_take_u64(row);
	u->deleted_seq = row_take_u64(row);
	unread_take_blocks(row, u);
}

static struct unread *next_item(struct total *t)
{
	if (t->count == t->room) {
		struct unread *old = t->item;
		t->room = t->room != 0 ? 2 * t->room : 32;
		t->item = arena_alloc(&t->read.arena, t->room * sizeof(*t->item));
		if (t->count != 0)
			memcpy(t->item, old, t->count * sizeof(*old));
	}
	return &t->item[t->count++];
}

static void item_row(struct total *t, bool is_group, struct row *row)
{
	struct unread *u = next_item(t);
	*u = (struct unread){.user = t->read.user};
	if (!is_group) {
		take_seqs(row, u);
		return;
	}
	unread_take_group(row, u);
	if (unread_is_known(u)) {
		t->unread += unread_in_group(u);
		t->count--;
	}
}

static void total_row(struct read *r, unsigned stmt, struct row *row)
{
	struct total *t = container_of(r, struct total, read);
	if (t->step == TOTAL_COUNTS) {
		size_t tag = unread_take_tag(row);
		if (tag >= t->from && tag < t->to)
			unread_take(row, &r->arena, &t->item[tag]);
	} else if (t->step == TOTAL_MENTIONED) {
		item_row(t, false, row);
	} else if (stmt == STMT_GROUPS) {
		item_row(t, true, row);
	} else {
		t->unread += row_take_u64(row);
		t->mentioned = row_take_bool(row);
	}
}

static void build_mentioned(struct total *t)
{
	struct buf *text = &t->read.text;
	buf_clear(text);
	t->step = TOTAL_MENTIONED;
	t->groups = t->count;
	put_mentioned_of_side(text, 1, t->read.user);
	sql_lit(text, " UNION ALL ");
	put_mentioned_of_side(text, 2, t->read.user);
}

/* False: all is known. */
static bool build_counts(struct total *t)
{
	struct unread_stmt stmt;
	unsigned asked = 0;
	buf_clear(&t->read.text);
	t->step = TOTAL_COUNTS;
	unread_begin(&stmt, &t->read.text);
	for (t->from = t->to; t->to < t->count && asked < UNREAD_CHUNK; t->to++)
		asked += unread_put(&stmt, t->to, &t->item[t->to]);
	return unread_end(&stmt);
}

static bool build_next(struct total *t)
{
	if (t->step != TOTAL_FIRST || !t->mentioned)
		return build_counts(t);
	build_mentioned(t);
	return true;
}

static void total_done(struct read *r, enum store_status status)
{
	struct total *t = container_of(r, struct total, read);
	uint64_t unread = t->unread, mentions = 0;
	if (status == STORE_OK && build_next(t)) {
		pool_again(r);
		return;
	}
	for (size_t i = 0; i < t->count; i++) {
		const struct unread *u = &t->item[i];
		if (conversation_is_group(u->conversation_id))
			unread += unread_in_group(u);
		mentions += u->mentions;
	}
	bool ok = status == STORE_OK;
	for (unsigned i = 0; i < r->asker_count; i++)
		t->fn(status, ok ? unread : 0, ok ? mentions : 0, r->asker[i]);
}

static bool total_same(const struct read *a, const struct read *b)
{
	return container_of(a, struct total, read)->fn == container_of(b, struct total, read)->fn;
}

void store_count_unread(struct store *s, struct str user, store_unread_fn *fn, void *arg)
{
	struct total *t = read_new(s->pool, user, sizeof(*t));
	struct buf *text = &t->read.text;
	t->read.restart = total_restart;
	t->read.row = total_row;
	t->read.done = total_done;
	t->read.same = total_same;
	t->fn = fn;
	put_direct(text, user);
	buf_append_char(text, ';');
	unread_put_groups(text, "");
	buf_append_char(text, '=');
	sql_str(text, user);
	pool_submit_shared(&t->read, arg);
}
