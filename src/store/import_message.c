/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Imports messages: many, of many conversations, in one transaction. It locks the heads of their conversations, looks
 * for those that are there already, and gives the others the seqs that follow.
 *
 * Conversations between two users that are not there yet are made by a transaction before it, so that their ids are
 * known where the search index is told of them.
 *
 * What a message changes beside its own row: the head; read_seq of both sides, where they had read all before it; when
 * a conversation was active last, so that clients which catch up find it (the table `recalls`, or active_at of a
 * group).
 */
#include "core/base.h"
#include "store/import_priv.h"

#include "store/search_backend.h"
#include "store/sql.h"
#include "store/store_priv.h"

/* As in group_put.c. */
#define STALE_MS 1500
#define RAISE_MS 1000
/* How often conversations are made before it is given up: they are found, unless somebody deletes them. */
#define MAKES_MAX 3

/* ---- what becomes of one ---- */

static struct import_result refused(const char *why)
{
	return (struct import_result){IMPORT_REFUSED, .why = why};
}

/* One that is there: is it this one? Its time never changes, whatever was done to it. */
static struct import_result of_known(const struct import_messages *p, const struct known *k, size_t i)
{
	const struct place *at = p->place[i];
	if (at->id == 0 || message_id_conversation(k->id) != at->id || k->created_ms != p->item[i].created_ms)
		return refused("client_msg_id: this sender has another message of that id");
	struct import_result r = {p->txn.uncertain && !k->is_ours ? IMPORT_DONE : IMPORT_SKIPPED};
	if (at->is_group)
		r.conversation_id = at->id;
	r.seq = message_id_seq(k->id);
	return r;
}

/* Of one that is deleted since nobody knows where it was: what answers it comes without reply_to. */
static bool is_missing(const struct known *answered, const struct place *at)
{
	return answered->id != 0 ? message_id_conversation(answered->id) != at->id : !answered->is_spent;
}

static struct import_result judge(const struct import_messages *p, size_t i)
{
	const struct place *at = p->place[i];
	const struct known *answered = p->answered[i];
	if (at->is_group && at->id == 0)
		return refused("client_group_id: no such group was imported");
	if (p->known[i]->id != 0)
		return of_known(p, p->known[i], i);
	if (p->known[i]->is_spent)
		return (struct import_result){IMPORT_SKIPPED};
	if (at->dissolved)
		return refused("client_group_id: the group was dissolved");
	if (p->item[i].created_ms > p->now_ms)
		return refused("created_at: is in the future");
	if (at->last_seq >= MESSAGE_SEQ_MAX)
		return refused("the conversation has as many messages as one can have");
	if (answered != NULL && is_missing(answered, at))
		return refused("reply_to: no such message is in this conversation before it");
	return (struct import_result){IMPORT_DONE};
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void put_row(struct buf *rows, uint64_t id, const struct import_message *m, uint64_t reply_to)
{
	bool direct = m->to.s != NULL;
	buf_append_str(rows, rows->len == 0 ? STR_LIT("(") : STR_LIT(",("));
	sql_u64(rows, id);
	buf_append_char(rows, ',');
	sql_str(rows, m->from);
	buf_append_char(rows, ',');
	sql_str(rows, direct ? m->to : STR_LIT(""));
	buf_append_char(rows, ',');
	sql_u64(rows, m->type);
	const struct str texts[] = {m->content, m->media_url, m->extra, m->entities, m->mentions, m->client_msg_id};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		buf_append_char(rows, ',');
		sql_str(rows, texts[i]);
	}
	buf_append_char(rows, ',');
	if (reply_to != 0)
		sql_u64(rows, reply_to);
	else
		sql_lit(rows, "NULL");
	buf_append_str(rows, direct ? STR_LIT(",1,") : STR_LIT(",0,"));
	sql_time(rows, direct ? m->created_ms : 0);
	buf_append_char(rows, ',');
	sql_time(rows, m->created_ms);
	buf_append_char(rows, ')');
}

static void add_message(struct import_messages *p, size_t i)
{
	const struct import_message *m = &p->item[i];
	struct place *at = p->place[i];
	struct known *k = p->known[i];
	at->last_seq++;
	at->last_ms = later(at->last_ms, m->created_ms);
	k->id = message_id_make(at->id, at->last_seq);
	k->created_ms = m->created_ms;
	k->is_ours = true;
	if (at->is_group)
		p->result[i].conversation_id = at->id;
	p->result[i].seq = at->last_seq;
	put_row(&p->rows, k->id, m, p->answered[i] != NULL ? p->answered[i]->id : 0);
}

/* ---- what is written ---- */

static void put_makes(const struct import_messages *p, struct buf *text)
{
	bool first = true;
	for (const struct place *at = p->places; at != NULL; at = at->hh.next) {
		if (at->first_ms == 0)
			continue;
		if (first)
			sql_lit(text, "INSERT INTO conversations (user1_id,user2_id,sort_time,created_at) VALUES ");
		sql_comma(text, &first);
		buf_append_char(text, '(');
		sql_str(text, pair_key_user(&at->pair, 0));
		buf_append_char(text, ',');
		sql_str(text, pair_key_user(&at->pair, 1));
		buf_append_char(text, ',');
		sql_time(text, at->first_ms);
		buf_append_char(text, ',');
		sql_time(text, at->first_ms);
		buf_append_char(text, ')');
	}
}

static void put_times(struct buf *text, const int64_t *ms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_append_char(text, ',');
		sql_time(text, ms[i]);
	}
	buf_append_char(text, ')');
}

/* The rows exist and are locked, so each meets its primary key and is updated. Assigned from left to right. */
static void put_pairs(const struct import_messages *p, struct buf *text)
{
	bool first = true;
	for (const struct place *at = p->places; at != NULL; at = at->hh.next) {
		if (at->is_group || at->last_seq == at->stored_seq)
			continue;
		const uint64_t last_id = message_id_make(at->id, at->last_seq);
		const int64_t times[] = {at->last_ms, later(at->sort_ms, at->last_ms), at->last_ms};
		if (first)
			sql_lit(text, ";INSERT INTO conversations (id,user1_id,user2_id,last_seq,user1_last_id,"
				      "user2_last_id,last_message_time,sort_time,created_at) VALUES ");
		sql_comma(text, &first);
		buf_append_char(text, '(');
		sql_u64(text, at->id);
		buf_append_char(text, ',');
		sql_str(text, pair_key_user(&at->pair, 0));
		buf_append_char(text, ',');
		sql_str(text, pair_key_user(&at->pair, 1));
		const uint64_t numbers[] = {at->last_seq, last_id, last_id};
		for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
			buf_append_char(text, ',');
			sql_u64(text, numbers[i]);
		}
		put_times(text, times, ARRAY_LEN(times));
	}
	if (first)
		return;
	sql_lit(text, " ON DUPLICATE KEY UPDATE ");
	for (int side = 1; side <= 2; side++)
		buf_printf(text,
			   "user%d_read_seq=IF(user%d_read_seq=last_seq,VALUES(last_seq),user%d_read_seq),"
			   "user%d_archived_seq=IF(user%d_archived_seq=last_seq,VALUES(last_seq),user%d_archived_seq),"
			   "user%d_last_id=VALUES(user%d_last_id),",
			   side, side, side, side, side, side, side, side);
	sql_lit(text, "last_seq=VALUES(last_seq),last_message_time=VALUES(last_message_time),"
		      "sort_time=VALUES(sort_time)");
}

static void put_groups(const struct import_messages *p, struct buf *text)
{
	bool first = true;
	for (const struct place *at = p->places; at != NULL; at = at->hh.next) {
		if (!at->is_group || at->last_seq == at->stored_seq)
			continue;
		const int64_t times[] = {at->last_ms, later(at->sort_ms, at->last_ms), p->active_ms, at->last_ms};
		if (first)
			sql_lit(text, ";INSERT INTO group_heads (id,last_seq,last_message_time,sort_time,active_at,"
				      "created_at) VALUES ");
		sql_comma(text, &first);
		buf_append_char(text, '(');
		sql_u64(text, at->id);
		buf_append_char(text, ',');
		sql_u64(text, at->last_seq);
		put_times(text, times, ARRAY_LEN(times));
	}
	if (!first)
		sql_lit(text, " ON DUPLICATE KEY UPDATE last_seq=VALUES(last_seq),"
			      "last_message_time=VALUES(last_message_time),sort_time=VALUES(sort_time),"
			      "active_at=GREATEST(active_at,VALUES(active_at))");
}

/* By the same cursor as a recall, clients that catch up find conversations whose messages are old. */
static void put_activity(const struct import_messages *p, struct buf *text)
{
	bool first = true;
	for (const struct place *at = p->places; at != NULL; at = at->hh.next) {
		if (at->is_group || at->last_seq == at->stored_seq)
			continue;
		for (unsigned side = 0; side < 2; side++) {
			if (first)
				sql_lit(text, ";INSERT INTO recalls (user_id,recalled_at,conversation_id) VALUES ");
			sql_comma(text, &first);
			buf_append_char(text, '(');
			sql_str(text, pair_key_user(&at->pair, side));
			buf_append_char(text, ',');
			sql_time(text, p->active_ms);
			buf_append_char(text, ',');
			sql_u64(text, at->id);
			buf_append_char(text, ')');
		}
	}
	if (!first)
		sql_lit(text, " ON DUPLICATE KEY UPDATE recalled_at=GREATEST(recalled_at,VALUES(recalled_at))");
	/* The last row that is locked. */
	if (p->active_ms >= p->activity_ms + RAISE_MS) {
		sql_lit(text, ";UPDATE activity SET at=GREATEST(at,");
		sql_time(text, p->active_ms);
		sql_lit(text, ") WHERE id=1");
	}
	/* Written later than that, a cursor of a sync could pass the times in it (group_put.c). */
	sql_lit(text, ";SET @found=IF(UTC_TIMESTAMP(3)>");
	sql_time(text, p->db_ms + STALE_MS);
	sql_lit(text, ",(SELECT 1 UNION SELECT 2),0)");
}

/* A conversation that is not there is made only for a message that can be put there. */
static bool needs_makes(struct import_messages *p)
{
	bool any = false;
	for (size_t i = 0; i < p->count; i++) {
		struct place *at = p->place[i];
		if (at->id != 0 || at->is_group || judge(p, i).outcome != IMPORT_DONE)
			continue;
		int64_t ms = p->item[i].created_ms;
		if (at->first_ms == 0 || ms < at->first_ms)
			at->first_ms = ms;
		any = true;
	}
	return any;
}

static void messages_decide(struct txn *t, struct buf *text)
{
	struct import_messages *p = container_of(t, struct import_messages, txn);
	p->made = needs_makes(p);
	if (p->made && p->makes == MAKES_MAX) {
		t->status = STORE_UNAVAILABLE;
		return;
	}
	if (p->made) {
		put_makes(p, text);
		return;
	}
	for (size_t i = 0; i < p->count; i++) {
		p->result[i] = judge(p, i);
		if (p->result[i].outcome == IMPORT_DONE && p->known[i]->id == 0)
			add_message(p, i);
	}
	if (p->rows.len == 0)
		return;
	sql_lit(text, "INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,media_url,extra,entities,"
		      "mentions,client_msg_id,reply_to,is_read,read_at,created_at) VALUES ");
	buf_append(text, p->rows.data, p->rows.len);
	put_pairs(p, text);
	put_groups(p, text);
	put_activity(p, text);
}

/* The index reads parts of a block once they are complete. */
static void messages_tell(const struct txn *t, struct buf *items)
{
	const struct import_messages *p = container_of(t, struct import_messages, txn);
	for (const struct place *at = p->places; at != NULL; at = at->hh.next) {
		uint64_t end = (at->last_seq + 1) / SEARCH_PART * SEARCH_PART;
		if (end != 0 && end - 1 > at->stored_seq)
			outbox_put_id(items, OUTBOX_IMPORTED, message_id_make(at->id, end - 1));
	}
}

static void messages_submit(struct import_messages *old, struct store *s, struct str asker);

static void messages_answer(struct txn *t)
{
	struct import_messages *p = container_of(t, struct import_messages, txn);
	if (t->status == STORE_UNCERTAIN)
		return;
	HASH_CLEAR(hh, p->places);
	HASH_CLEAR(hh, p->knowns);
	buf_fini(&p->rows);
	if (t->status == STORE_OK && p->made) {
		messages_submit(p, p->store, t->user);
		return;
	}
	enum store_status status = t->status == STORE_UNKNOWN ? STORE_UNAVAILABLE : t->status;
	p->fn(status, status == STORE_OK ? p->result : NULL, p->arg);
}

/* As `old`, after conversations were made for it. */
static void messages_submit(struct import_messages *old, struct store *s, struct str asker)
{
	static const struct txn_class class = {"import of messages", import_messages_ask, import_messages_row,
					       messages_decide,	     messages_answer,	  .tell = messages_tell};
	struct import_messages *p = txn_new(s->txns, &class, asker, sizeof(*p));
	struct arena *a = &p->txn.arena;
	p->store = s;
	p->fn = old->fn;
	p->arg = old->arg;
	p->item = old->item;
	p->count = old->count;
	p->makes = old->makes + old->made;
	p->result = arena_alloc(a, p->count * sizeof(*p->result));
	p->place = arena_alloc(a, p->count * sizeof(struct place *));
	p->known = arena_alloc(a, p->count * sizeof(struct known *));
	p->answered = arena_alloc(a, p->count * sizeof(struct known *));
	import_gather(p);
	txn_submit(&p->txn);
}

void store_import_messages(struct store *s, struct str asker, const struct import_message *item, size_t count,
			   store_import_fn *fn, void *arg)
{
	ASSERT(count != 0 && count <= IMPORT_ITEMS_MAX);
	messages_submit(&(struct import_messages){.fn = fn, .arg = arg, .item = item, .count = count}, s, asker);
}
