/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing how far messages have reached their recipients, those of many conversations in one transaction. The heads of
 * conversations are read and never locked or written, so that no send waits for it: what is written is a table of its
 * own. Its rows are locked in order, against other workers.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include <stdlib.h>

#include "core/id.h"
#include "store/query.h"
#include "store/sql.h"

/*
 * So many messages are looked at for one of the other side's, from the reported one backwards. Where all of them are
 * the user's own, there may be one before them.
 */
#define LOOKED_AT 16
/* A conversation is written at most once in so long. */
#define WRITE_MS 1000

/* What was found of one of them. */
struct place {
	struct store_delivery *d;
	int side;    /* 0 or 1: which of the two the user is; -1: neither */
	bool hidden; /* the user has blocked the other one, who sees them offline */
	bool stored; /* the conversation has a row */
	bool writes;
	uint64_t last_seq, seq;
	uint64_t peer_seq; /* of a message of the other side's up to the reported one: no newer one is known */
	int64_t at_ms;	   /* when it was written last, for either side; 0: never */
};

struct deliver {
	struct txn txn;
	store_delivered_fn *fn;
	void *arg;
	struct place *place; /* in order of conversation and user */
	size_t count;
	int64_t now_ms;		   /* the database's, under the locks */
	struct store_delivery **d; /* as they were handed over */
};

enum { STMT_CONVERSATIONS, STMT_MESSAGES, STMT_DELIVERIES, STMT_NOW };

/* ---- what is asked ---- */

static void put_ids(struct buf *text, const struct deliver *w)
{
	bool first = true;
	for (size_t i = 0; i < w->count; i++) {
		if (i != 0 && w->place[i].d->conversation_id == w->place[i - 1].d->conversation_id)
			continue;
		sql_comma(text, &first);
		sql_u64(text, w->place[i].d->conversation_id);
	}
}

static uint64_t reported_seq(const struct store_delivery *d)
{
	return d->up_to_seq < MESSAGE_SEQ_MAX ? d->up_to_seq : MESSAGE_SEQ_MAX;
}

/* The seq before the first message that is looked at. */
static uint64_t look_after(const struct store_delivery *d)
{
	uint64_t seq = reported_seq(d);
	return seq > LOOKED_AT ? seq - LOOKED_AT : 0;
}

static void put_looks(struct buf *text, const struct deliver *w)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct store_delivery *d = w->place[i].d;
		buf_append_str(text, i == 0 ? STR_LIT("id BETWEEN ") : STR_LIT(" OR id BETWEEN "));
		sql_u64(text, message_id_make(d->conversation_id, look_after(d)));
		sql_lit(text, " AND ");
		sql_u64(text, message_id_make(d->conversation_id, reported_seq(d)));
	}
}

static void deliver_ask(struct txn *t, struct buf *text)
{
	struct deliver *w = container_of(t, struct deliver, txn);
	for (size_t i = 0; i < w->count; i++)
		w->place[i] = (struct place){.d = w->place[i].d, .side = -1, .peer_seq = look_after(w->place[i].d)};
	sql_lit(text,
		"SELECT c.id,c.user1_id,c.user2_id,c.last_seq,c.user1_read_seq,c.user2_read_seq,"
		"a.user_id IS NOT NULL OR COALESCE(f.blocked,0),b.user_id IS NOT NULL OR COALESCE(g.blocked,0) "
		"FROM conversations c FORCE INDEX (PRIMARY) "
		"LEFT JOIN blocks a FORCE INDEX (PRIMARY) ON a.user_id=c.user1_id AND a.blocked_id=c.user2_id "
		"LEFT JOIN blocks b FORCE INDEX (PRIMARY) ON b.user_id=c.user2_id AND b.blocked_id=c.user1_id "
		"LEFT JOIN friendships f FORCE INDEX (PRIMARY) ON f.user_id=c.user1_id AND f.friend_id=c.user2_id "
		"LEFT JOIN friendships g FORCE INDEX (PRIMARY) ON g.user_id=c.user2_id AND g.friend_id=c.user1_id "
		"WHERE c.id IN (");
	put_ids(text, w);
	sql_lit(text, ");SELECT id,from_user_id FROM messages FORCE INDEX (PRIMARY) WHERE ");
	put_looks(text, w);
	sql_lit(text, ";SELECT conversation_id,user1_seq,user2_seq,user1_at,user2_at "
		      "FROM deliveries FORCE INDEX (PRIMARY) WHERE conversation_id IN (");
	put_ids(text, w);
	/* A statement's time is of its beginning, so what waits for a lock does not tell it. */
	sql_lit(text, ") ORDER BY conversation_id FOR UPDATE;SELECT UTC_TIMESTAMP(3)");
}

/* ---- what is found ---- */

/* The first one of that conversation; count: none. */
static size_t find_place(const struct deliver *w, uint64_t conversation_id)
{
	size_t low = 0, high = w->count;
	while (low < high) {
		size_t at = low + (high - low) / 2;
		if (w->place[at].d->conversation_id < conversation_id)
			low = at + 1;
		else
			high = at;
	}
	return low;
}

static void row_conversation(struct deliver *w, struct row *row)
{
	char user[2][USER_ID_MAX + 1];
	uint64_t read_seq[2];
	bool blocks[2];
	uint64_t id = row_take_u64(row);
	row_take_user(row, user[0]);
	row_take_user(row, user[1]);
	uint64_t last_seq = row_take_u64(row);
	for (int side = 0; side < 2; side++)
		read_seq[side] = row_take_u64(row);
	for (int side = 0; side < 2; side++)
		blocks[side] = row_take_bool(row);
	for (size_t i = find_place(w, id); i < w->count && w->place[i].d->conversation_id == id; i++) {
		struct place *p = &w->place[i];
		p->side = str_is(p->d->user, user[0]) ? 0 : str_is(p->d->user, user[1]) ? 1 : -1;
		if (p->side < 0)
			continue;
		memcpy(p->d->peer, user[!p->side], sizeof(user[0]));
		p->last_seq = last_seq;
		p->seq = read_seq[p->side];
		p->hidden = blocks[p->side];
	}
}

static void row_message(struct deliver *w, struct row *row)
{
	char from[USER_ID_MAX + 1];
	uint64_t message = row_take_u64(row), id = message_id_conversation(message), seq = message_id_seq(message);
	row_take_user(row, from);
	for (size_t i = find_place(w, id); i < w->count && w->place[i].d->conversation_id == id; i++) {
		struct place *p = &w->place[i];
		if (seq > p->peer_seq && seq <= p->d->up_to_seq && !str_is(p->d->user, from))
			p->peer_seq = seq;
	}
}

static void row_delivery(struct deliver *w, struct row *row)
{
	uint64_t seq[2];
	int64_t at_ms[2];
	uint64_t id = row_take_u64(row);
	for (int side = 0; side < 2; side++)
		seq[side] = row_take_u64(row);
	for (int side = 0; side < 2; side++)
		at_ms[side] = row_take_ms(row);
	for (size_t i = find_place(w, id); i < w->count && w->place[i].d->conversation_id == id; i++) {
		struct place *p = &w->place[i];
		p->stored = true;
		if (p->side < 0)
			continue;
		if (p->seq < seq[p->side])
			p->seq = seq[p->side];
		p->at_ms = at_ms[0] > at_ms[1] ? at_ms[0] : at_ms[1];
	}
}

static void deliver_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct deliver *w = container_of(t, struct deliver, txn);
	if (stmt == STMT_CONVERSATIONS)
		row_conversation(w, row);
	else if (stmt == STMT_MESSAGES)
		row_message(w, row);
	else if (stmt == STMT_DELIVERIES)
		row_delivery(w, row);
	else
		w->now_ms = row_take_ms(row);
}

/* ---- what is written ---- */

/* A time ahead of the clock is of before that was set back. */
static int64_t wait_of(const struct place *p, int64_t now_ms)
{
	int64_t age_ms = now_ms - p->at_ms;
	return age_ms >= 0 && age_ms <= WRITE_MS ? WRITE_MS + 1 - age_ms : 0;
}

/* True: it is to be written. */
static bool decide_one(struct place *p, int64_t now_ms, bool uncertain)
{
	struct store_delivery *d = p->d;
	d->status = p->side < 0 ? STORE_NOT_FOUND : STORE_OK;
	d->moved = false;
	d->wait_ms = 0;
	if (p->side < 0)
		return false;
	if (d->up_to_seq > p->last_seq)
		d->up_to_seq = p->last_seq;
	/* Perhaps by the try of unknown outcome, and others were not told. */
	d->moved = uncertain && d->up_to_seq != 0 && d->up_to_seq == p->seq;
	/* What is read is delivered. Who has only sent since then has received nothing more. */
	if (d->up_to_seq <= p->seq || p->peer_seq <= p->seq || p->hidden)
		return false;
	d->wait_ms = wait_of(p, now_ms);
	d->moved = d->wait_ms == 0;
	return d->moved;
}

static void put_row(struct buf *text, uint64_t id, const uint64_t seq[2])
{
	buf_append_char(text, '(');
	sql_u64(text, id);
	for (int side = 0; side < 2; side++) {
		buf_append_char(text, ',');
		sql_u64(text, seq[side]);
		buf_append_str(text, seq[side] != 0 ? STR_LIT(",UTC_TIMESTAMP(3)") : STR_LIT(",NULL"));
	}
	buf_append_char(text, ')');
}

/* The conversations that have a row, or those that have none: of both sides one. False: there is nothing to write. */
static bool put_rows(struct buf *text, const struct deliver *w, bool stored)
{
	bool first = true;
	for (size_t i = 0, next; i < w->count; i = next) {
		uint64_t id = w->place[i].d->conversation_id, seq[2] = {0, 0};
		for (next = i; next < w->count && w->place[next].d->conversation_id == id; next++)
			if (w->place[next].writes)
				seq[w->place[next].side] = w->place[next].d->up_to_seq;
		if ((seq[0] == 0 && seq[1] == 0) || w->place[i].stored != stored)
			continue;
		if (first)
			sql_lit(text, "INSERT INTO deliveries (conversation_id,user1_seq,user1_at,user2_seq,user2_at) "
				      "VALUES ");
		sql_comma(text, &first);
		put_row(text, id, seq);
	}
	return !first;
}

static void deliver_decide(struct txn *t, struct buf *text)
{
	struct deliver *w = container_of(t, struct deliver, txn);
	bool moved = false;
	for (size_t i = 0; i < w->count; i++) {
		w->place[i].writes = decide_one(&w->place[i], w->now_ms, t->uncertain);
		moved |= w->place[i].d->moved;
	}
	/* What was there already need not be on disk where nobody is told of it. */
	if (!moved)
		t->status = STORE_NOT_FOUND;
	if (put_rows(text, w, true))
		sql_lit(text, " ON DUPLICATE KEY UPDATE user1_seq=GREATEST(deliveries.user1_seq,VALUES(user1_seq)),"
			      "user1_at=COALESCE(VALUES(user1_at),deliveries.user1_at),"
			      "user2_seq=GREATEST(deliveries.user2_seq,VALUES(user2_seq)),"
			      "user2_at=COALESCE(VALUES(user2_at),deliveries.user2_at)");
	/* One that another worker has made since fails, and all is run again: it was written less than a second ago. */
	size_t len = text->len;
	if (len != 0)
		buf_append_char(text, ';');
	if (!put_rows(text, w, false))
		text->len = len;
}

static void deliver_answer(struct txn *t)
{
	const struct deliver *w = container_of(t, struct deliver, txn);
	w->fn(t->status == STORE_NOT_FOUND ? STORE_OK : t->status, w->d, w->count, w->arg);
}

static const struct txn_class deliver_class = {
	.name = "deliveries",
	.ask = deliver_ask,
	.row = deliver_row,
	.decide = deliver_decide,
	.answer = deliver_answer,
};

static int by_place(const void *a, const void *b)
{
	const struct store_delivery *x = ((const struct place *)a)->d, *y = ((const struct place *)b)->d;
	return (x->conversation_id > y->conversation_id) - (x->conversation_id < y->conversation_id);
}

void store_deliver(struct store *s, struct store_delivery *const *d, size_t n, store_delivered_fn *fn, void *arg)
{
	struct deliver *w = txn_new(s->txns, &deliver_class, STR_NULL, sizeof(*w));
	struct arena *a = &w->txn.arena;
	w->fn = fn;
	w->arg = arg;
	w->count = n;
	w->d = arena_alloc(a, n * sizeof(*w->d));
	w->place = arena_alloc(a, n * sizeof(*w->place));
	for (size_t i = 0; i < n; i++)
		w->d[i] = w->place[i].d = d[i];
	qsort(w->place, n, sizeof(*w->place), by_place);
	txn_submit(&w->txn);
}
