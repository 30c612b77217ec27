/* SPDX-License-Identifier: BSD-2-Clause */
/* Imports groups, as a step of store_change_group(); and marks what was imported into one as read. */
#include "core/base.h"
#include "store/import.h"

#include "store/group_priv.h"
#include "store/sql.h"
#include "store/store_priv.h"
#include "store/unread.h"

/* Members whose rows are written at once. */
#define STEP_MEMBERS 500
/* Blocks of messages before the first one that are looked at. */
#define BLOCKS 16

/* ---- the group ---- */

static enum store_status let_all_in(struct change_group *c)
{
	for (size_t i = 0; i < c->named_count; i++) {
		struct group_person *p = c->named[i];
		if (p->role != GROUP_NO_ROLE || p->banned || p->erased)
			continue;
		if (p->groups >= c->max_per_user) {
			c->left_out[0] = (struct group_left_out){.why = STORE_TOO_MANY_GROUPS};
			memcpy(c->left_out[0].user_id, p->id.s, p->id.len);
			c->now.left_out = c->left_out;
			c->now.left_out_count = 1;
			return STORE_TOO_MANY_GROUPS;
		}
		if (c->head.member_count >= c->max_members)
			return STORE_GROUP_FULL;
		/* A group that is there has its owner. */
		group_let_in(c, p, c->head.found && p->wanted == GROUP_OWNER ? GROUP_MEMBER : p->wanted);
	}
	return STORE_OK;
}

enum store_status group_decide_import(struct change_group *c, struct buf *text)
{
	enum store_status may = c->head.found ? group_is_alive(c) : STORE_OK;
	if (c->op.created_ms > c->now_ms)
		may = STORE_FORBIDDEN;
	if (!c->head.found && c->actor->erased)
		may = STORE_DISABLED;
	if (!c->head.found)
		group_apply_settings(&c->head.settings, &c->op);
	if (may == STORE_OK)
		may = let_all_in(c);
	if (may != STORE_OK || c->now.in_count == 0)
		return may;
	group_say(c, c->head.found ? "added" : "created", c->in, c->now.in_count);
	if (!c->head.found)
		group_put_new(c, text, IMPORT_USER);
	group_put_in(c, text);
	c->now.created = !c->head.found;
	return STORE_OK;
}

/* ---- its messages are read ---- */

struct import_read {
	struct txn txn;
	struct store *store;
	store_done_fn *fn;
	void *arg;
	uint64_t id, first_seq, last_seq;
	uint64_t kept_seq; /* of the head */
	uint64_t low_seq;  /* what is from there to first_seq is unread for nobody */
	struct group_member_cursor after;
	struct group_member_cursor *member;
	size_t count;
	int64_t db_ms;
};

enum { STMT_HEAD, STMT_NOW, STMT_UNCOUNTED, STMT_MEMBERS };

static void read_ask(struct txn *t, struct buf *text)
{
	struct import_read *p = container_of(t, struct import_read, txn);
	p->count = 0;
	p->low_seq = p->first_seq;
	sql_lit(text, "SELECT kept_seq FROM group_heads FORCE INDEX (PRIMARY) WHERE id=");
	sql_u64(text, p->id);
	sql_lit(text, " FOR UPDATE;SELECT UTC_TIMESTAMP(3);SELECT block,bits FROM uncounted FORCE INDEX (PRIMARY) "
		      "WHERE conversation_id=");
	sql_u64(text, p->id);
	sql_lit(text, " AND block<=");
	sql_u64(text, (p->first_seq - 1) / UNCOUNTED_BITS);
	buf_printf(text, " ORDER BY block DESC LIMIT %d", BLOCKS);
	sql_lit(text,
		";SELECT g.role,g.user_id FROM members g FORCE INDEX (by_conversation) WHERE (g.conversation_id=");
	sql_u64(text, p->id);
	sql_lit(text, " AND g.role=");
	sql_u64(text, p->after.role);
	sql_lit(text, " AND g.user_id>");
	sql_str(text, str_from(p->after.user_id));
	sql_lit(text, ") OR (g.conversation_id=");
	sql_u64(text, p->id);
	sql_lit(text, " AND g.role>");
	sql_u64(text, p->after.role);
	sql_lit(text, ") ORDER BY g.role,g.user_id LIMIT ");
	sql_u64(text, STEP_MEMBERS);
}

/* The blocks come the last one first. */
static void uncounted_row(struct import_read *p, uint64_t block, uint64_t bits)
{
	while (p->low_seq > 1 && (p->low_seq - 1) / UNCOUNTED_BITS == block &&
	       (bits >> (p->low_seq - 1) % UNCOUNTED_BITS & 1) != 0)
		p->low_seq--;
}

static void read_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct import_read *p = container_of(t, struct import_read, txn);
	if (stmt == STMT_HEAD)
		p->kept_seq = row_take_u64(row);
	if (stmt == STMT_NOW)
		p->db_ms = row_take_ms(row);
	if (stmt == STMT_UNCOUNTED) {
		uint64_t block = row_take_u64(row);
		uncounted_row(p, block, row_take_u64(row));
	}
	if (stmt != STMT_MEMBERS || p->count == STEP_MEMBERS)
		return;
	struct group_member_cursor *m = &p->member[p->count++];
	m->role = (enum group_role)row_take_u64(row);
	row_take_user(row, m->user_id);
}

/* Those for whom nothing is unread: as UNREAD_AFTER has it (unread.h). */
static void read_decide(struct txn *t, struct buf *text)
{
	struct import_read *p = container_of(t, struct import_read, txn);
	if (p->count == 0)
		return;
	sql_lit(text, "UPDATE members FORCE INDEX (PRIMARY) SET archived_seq=IF(archived_seq>=");
	sql_u64(text, p->low_seq - 1);
	buf_append_char(text, ',');
	sql_u64(text, p->last_seq);
	sql_lit(text, ",archived_seq),read_at=");
	sql_time(text, p->db_ms);
	sql_lit(text, ",read_seq=");
	sql_u64(text, p->last_seq);
	sql_lit(text, " WHERE conversation_id=");
	sql_u64(text, p->id);
	sql_lit(text, " AND GREATEST(read_seq,first_seq-1,");
	sql_u64(text, p->kept_seq > 0 ? p->kept_seq - 1 : 0);
	sql_lit(text, ")>=");
	sql_u64(text, p->low_seq - 1);
	sql_lit(text, " AND read_seq<");
	sql_u64(text, p->last_seq);
	sql_lit(text, " AND user_id IN (");
	for (size_t i = 0; i < p->count; i++) {
		if (i != 0)
			buf_append_char(text, ',');
		sql_str(text, str_from(p->member[i].user_id));
	}
	buf_append_char(text, ')');
}

static void read_submit(const struct import_read *old, struct str asker);

static void read_answer(struct txn *t)
{
	struct import_read *p = container_of(t, struct import_read, txn);
	if (t->status == STORE_OK && p->count == STEP_MEMBERS) {
		p->after = p->member[p->count - 1];
		read_submit(p, t->user);
	} else {
		p->fn(t->status, p->arg);
	}
}

static void read_submit(const struct import_read *old, struct str asker)
{
	static const struct txn_class class = {"import is read", read_ask, read_row, read_decide, read_answer};
	struct import_read *p = txn_new(old->store->txns, &class, asker, sizeof(*p));
	p->store = old->store;
	p->fn = old->fn;
	p->arg = old->arg;
	p->id = old->id;
	p->first_seq = old->first_seq;
	p->last_seq = old->last_seq;
	p->after = old->after;
	p->member = arena_alloc(&p->txn.arena, STEP_MEMBERS * sizeof(*p->member));
	txn_submit(&p->txn);
}

void store_import_read(struct store *s, struct str asker, uint64_t conversation_id, uint64_t first_seq,
		       uint64_t last_seq, store_done_fn *fn, void *arg)
{
	ASSERT(first_seq != 0 && first_seq <= last_seq);
	const struct import_read first = {
		.store = s, .fn = fn, .arg = arg, .id = conversation_id, .first_seq = first_seq, .last_seq = last_seq};
	read_submit(&first, asker);
}
