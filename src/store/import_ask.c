/* SPDX-License-Identifier: BSD-2-Clause */
/* An import of messages: which conversations and messages it is about, and what there is of them. */
#include "core/base.h"
#include "store/import_priv.h"

#include "core/clock.h"
#include "store/sql.h"

/* ---- what it is about ---- */

static struct str key_of(struct arena *a, struct str first, struct str second)
{
	char *text = arena_alloc(a, first.len + 1 + second.len);
	memcpy(text, first.s, first.len);
	text[first.len] = ' ';
	memcpy(text + first.len + 1, second.s, second.len);
	return (struct str){text, first.len + 1 + second.len};
}

static struct place *place_of(struct import_messages *p, struct str key)
{
	struct place *found;
	HASH_FIND(hh, p->places, key.s, key.len, found);
	return found;
}

static struct place *gather_place(struct import_messages *p, const struct import_message *m)
{
	struct arena *a = &p->txn.arena;
	struct pair_key pair = {0};
	bool is_group = m->to.s == NULL;
	if (!is_group)
		pair = pair_key_make(m->from, m->to);
	struct str key = is_group ? key_of(a, STR_LIT("#"), m->client_group_id) : (struct str){pair.text, pair.len};
	struct place *found = place_of(p, key);
	if (found != NULL)
		return found;
	found = arena_alloc(a, sizeof(*found));
	found->is_group = is_group;
	found->pair = pair;
	found->client_group_id = m->client_group_id;
	found->key = is_group ? key : (struct str){found->pair.text, found->pair.len};
	HASH_ADD_KEYPTR(hh, p->places, found->key.s, found->key.len, found);
	return found;
}

static struct known *known_of(struct import_messages *p, struct str from, struct str client_msg_id)
{
	char text[USER_ID_MAX + 1 + CLIENT_MSG_ID_MAX];
	struct known *found;
	if (from.len > USER_ID_MAX || client_msg_id.len > CLIENT_MSG_ID_MAX || from.s == NULL ||
	    client_msg_id.s == NULL)
		return NULL;
	memcpy(text, from.s, from.len);
	text[from.len] = ' ';
	memcpy(text + from.len + 1, client_msg_id.s, client_msg_id.len);
	HASH_FIND(hh, p->knowns, text, from.len + 1 + client_msg_id.len, found);
	return found;
}

static struct known *gather_known(struct import_messages *p, struct str from, struct str client_msg_id)
{
	struct known *found = known_of(p, from, client_msg_id);
	if (found != NULL)
		return found;
	found = arena_alloc(&p->txn.arena, sizeof(*found));
	found->from = from;
	found->client_msg_id = client_msg_id;
	found->key = key_of(&p->txn.arena, from, client_msg_id);
	HASH_ADD_KEYPTR(hh, p->knowns, found->key.s, found->key.len, found);
	return found;
}

/* Lists are asked for in order of their keys, so that two imports lock conversations in the same order. */
static int by_key(const struct place *a, const struct place *b)
{
	size_t n = a->key.len < b->key.len ? a->key.len : b->key.len;
	int differs = memcmp(a->key.s, b->key.s, n);
	return differs != 0 ? differs : (a->key.len > b->key.len) - (a->key.len < b->key.len);
}

void import_gather(struct import_messages *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct import_message *m = &p->item[i];
		p->place[i] = gather_place(p, m);
		p->known[i] = gather_known(p, m->from, m->client_msg_id);
	}
	for (size_t i = 0; i < p->count; i++)
		if (p->item[i].reply_client_msg_id.s != NULL)
			p->answered[i] = gather_known(p, p->item[i].reply_from, p->item[i].reply_client_msg_id);
	HASH_SORT(p->places, by_key);
}

static void messages_reset(struct import_messages *p)
{
	for (struct place *at = p->places; at != NULL; at = at->hh.next) {
		at->id = at->stored_seq = at->last_seq = 0;
		at->last_ms = at->sort_ms = at->active_ms = at->first_ms = 0;
		at->dissolved = false;
	}
	for (struct known *k = p->knowns; k != NULL; k = k->hh.next) {
		k->id = 0;
		k->is_ours = k->is_spent = false;
	}
	memset(p->result, 0, p->count * sizeof(*p->result));
	buf_clear(&p->rows);
	p->stmts = 0;
	p->made = false;
}

/* ---- what is read ---- */

static void begin_ask(struct import_messages *p, struct buf *text, enum import_stmt what)
{
	if (p->stmts != 0)
		buf_append_char(text, ';');
	p->stmt[p->stmts++] = what;
}

static void ask_pairs(struct import_messages *p, struct buf *text)
{
	bool first = true;
	for (const struct place *at = p->places; at != NULL; at = at->hh.next) {
		if (at->is_group)
			continue;
		if (first) {
			begin_ask(p, text, IMPORT_ASK_PAIRS);
			sql_lit(text, "SELECT id,user1_id,user2_id,last_seq,last_message_time,sort_time "
				      "FROM conversations FORCE INDEX (pair) WHERE (user1_id,user2_id) IN (");
		}
		sql_comma(text, &first);
		sql_pair(text, pair_key_user(&at->pair, 0), pair_key_user(&at->pair, 1));
	}
	if (!first)
		sql_lit(text, ") FOR UPDATE");
}

static void ask_groups(struct import_messages *p, struct buf *text)
{
	bool first = true;
	for (const struct place *at = p->places; at != NULL; at = at->hh.next) {
		if (!at->is_group)
			continue;
		if (first) {
			begin_ask(p, text, IMPORT_ASK_GROUPS);
			sql_lit(text, "SELECT STRAIGHT_JOIN h.id,p.client_group_id,h.last_seq,h.last_message_time,"
				      "h.sort_time,h.dissolved_at FROM group_profiles p FORCE INDEX (by_client) "
				      "JOIN group_heads h FORCE INDEX (PRIMARY) ON h.id=p.id WHERE p.created_by=");
			sql_str(text, IMPORT_USER);
			sql_lit(text, " AND p.client_group_id IN (");
		}
		sql_comma(text, &first);
		sql_str(text, at->client_group_id);
	}
	if (!first)
		sql_lit(text, ") FOR UPDATE");
}

static void ask_known(struct import_messages *p, struct buf *text, enum import_stmt what, const char *from,
		      struct known *const *list)
{
	bool first = true;
	for (size_t i = 0; i < p->count; i++) {
		if (list[i] == NULL)
			continue;
		if (first) {
			begin_ask(p, text, what);
			buf_printf(text, "SELECT from_user_id,client_msg_id,%s WHERE (from_user_id,client_msg_id) IN (",
				   from);
		}
		sql_comma(text, &first);
		sql_pair(text, list[i]->from, list[i]->client_msg_id);
	}
	if (!first)
		buf_append_char(text, ')');
}

void import_messages_ask(struct txn *t, struct buf *text)
{
	static const char messages[] = "id,created_at FROM messages FORCE INDEX (by_client)";
	static const char spent[] = "1 FROM spent_sends FORCE INDEX (PRIMARY)";
	struct import_messages *p = container_of(t, struct import_messages, txn);
	messages_reset(p);
	ask_pairs(p, text);
	ask_groups(p, text);
	/* After the locks. */
	begin_ask(p, text, IMPORT_ASK_NOW);
	sql_lit(text, "SELECT UTC_TIMESTAMP(3),(SELECT at FROM activity WHERE id=1)");
	ask_known(p, text, IMPORT_ASK_KNOWN, messages, p->known);
	ask_known(p, text, IMPORT_ASK_ANSWERED, messages, p->answered);
	/* After the messages: one that is deleted in between is found here. */
	ask_known(p, text, IMPORT_ASK_SPENT, spent, p->known);
	ask_known(p, text, IMPORT_ASK_ANSWERED_SPENT, spent, p->answered);
}

static void take_head(struct place *at, uint64_t id, struct row *row)
{
	at->id = id;
	at->stored_seq = at->last_seq = row_take_u64(row);
	at->last_ms = row_take_ms(row);
	at->sort_ms = row_take_ms(row);
}

static void pair_row(struct import_messages *p, struct row *row)
{
	uint64_t id = row_take_u64(row);
	struct str one = row_take_str(row), other = row_take_str(row);
	if (one.s == NULL || other.s == NULL || one.len > USER_ID_MAX || other.len > USER_ID_MAX)
		return;
	struct pair_key pair = pair_key_make(one, other);
	struct place *at = place_of(p, (struct str){pair.text, pair.len});
	if (at != NULL && !conversation_is_group(id))
		take_head(at, id, row);
}

static void group_row(struct import_messages *p, struct row *row)
{
	uint64_t id = row_take_u64(row);
	struct str client_id = row_take_str(row);
	if (client_id.s == NULL)
		return;
	struct place *at = place_of(p, key_of(&p->txn.arena, STR_LIT("#"), client_id));
	if (at == NULL)
		return;
	take_head(at, id, row);
	at->dissolved = row_take_ms(row) != 0;
}

static struct known *take_known(struct import_messages *p, struct row *row)
{
	struct str from = row_take_str(row), client_msg_id = row_take_str(row);
	return known_of(p, from, client_msg_id);
}

static void known_row(struct import_messages *p, struct row *row)
{
	struct known *k = take_known(p, row);
	if (k == NULL)
		return;
	k->id = row_take_u64(row);
	k->created_ms = row_take_ms(row);
}

static void spent_row(struct import_messages *p, struct row *row)
{
	struct known *k = take_known(p, row);
	if (k != NULL)
		k->is_spent = true;
}

void import_messages_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct import_messages *p = container_of(t, struct import_messages, txn);
	ASSERT(stmt < p->stmts);
	switch (p->stmt[stmt]) {
	case IMPORT_ASK_PAIRS:
		pair_row(p, row);
		return;
	case IMPORT_ASK_GROUPS:
		group_row(p, row);
		return;
	case IMPORT_ASK_NOW:
		p->db_ms = row_take_ms(row);
		p->now_ms = p->db_ms + clock_shift_ms();
		p->activity_ms = row_take_ms(row);
		p->active_ms = p->now_ms > p->activity_ms ? p->now_ms : p->activity_ms;
		return;
	case IMPORT_ASK_KNOWN:
	case IMPORT_ASK_ANSWERED:
		known_row(p, row);
		return;
	case IMPORT_ASK_SPENT:
	case IMPORT_ASK_ANSWERED_SPENT:
	case IMPORT_ASKS:
		spent_row(p, row);
		return;
	}
}
