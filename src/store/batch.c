/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One transaction of the write lane: what it knows, and what the answers of its
 * round trips mean (their texts are in batch_text.c). Decides no outcome of an operation (op_*.c do) and sends nothing
 * (lane.c does).
 */
#include "core/base.h"
#include "store/lane_priv.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "store/sql.h"

/* Of a buffer's memory from one batch to the next. */
#define KEEP_BYTES ((size_t)256 * 1024)

/* ---- keys ---- */

static size_t two_part_key(char *out, struct str a, struct str b)
{
	memcpy(out, a.s, a.len);
	out[a.len] = ' '; /* no user's id contains one */
	memcpy(out + a.len + 1, b.s, b.len);
	return a.len + 1 + b.len;
}

/* ---- the batch as a whole ---- */

void batch_init(struct batch *b, struct pairs *pairs, const struct conf *conf)
{
	*b = (struct batch){.pairs = pairs, .conf = conf};
}

void batch_reset(struct batch *b)
{
	HASH_CLEAR(by_id, b->by_id);
	HASH_CLEAR(by_pair, b->by_pair);
	HASH_CLEAR(hh, b->held);
	HASH_CLEAR(hh, b->sent);
	HASH_CLEAR(hh, b->friendships);
	b->convs = NULL;
	arena_clear(&b->arena);
	struct buf *bufs[] = {&b->text,		  &b->ask_sent,	    &b->ask_friends,	 &b->ask_blocks,
			      &b->ask_messages,	  &b->ask.text,	    &b->insert_messages, &b->insert_changes,
			      &b->insert_recalls, &b->insert_marks, &b->updates.text};
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++) {
		buf_clear(bufs[i]);
		buf_shrink(bufs[i], KEEP_BYTES);
	}
	b->ask.count = b->updates.count = 0;
	b->count = b->sends = b->reads = b->stmt_count = 0;
	b->db_ms = b->now_ms = 0;
	b->raises = b->raised = false;
	b->standing = false;
}

void batch_fini(struct batch *b)
{
	batch_reset(b);
	arena_fini(&b->arena);
	struct buf *bufs[] = {&b->text,		  &b->ask_sent,	    &b->ask_friends,	 &b->ask_blocks,
			      &b->ask_messages,	  &b->ask.text,	    &b->insert_messages, &b->insert_changes,
			      &b->insert_recalls, &b->insert_marks, &b->updates.text};
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
		buf_fini(bufs[i]);
	free(b->stmt);
	free(b->ask.answer);
	free(b->updates.answer);
}

void batch_add(struct batch *b, struct op *op)
{
	ASSERT(b->count < BATCH_OPS_MAX);
	op->planned = op->more = op->looks = false;
	op->status = STORE_UNAVAILABLE;
	op->conv = NULL;
	b->op[b->count++] = op;
	op->class->enter(b, op);
}

/* ---- conversations ---- */

struct conv *op_conv(const struct op *op)
{
	struct conv *c = op->conv;
	while (c != NULL && c->same != NULL)
		c = c->same;
	return c;
}

int conv_side(const struct conv *c, struct str user)
{
	for (int side = 0; side < 2; side++)
		if (c->pair.len != 0 && str_equal(conv_user(c, side), user))
			return side;
	return -1;
}

static struct conv *add_conv(struct batch *b)
{
	struct conv *c = arena_alloc(&b->arena, sizeof(*c));
	c->next = b->convs;
	b->convs = c;
	return c;
}

static struct conv *find_by_id(struct batch *b, uint64_t id)
{
	struct conv *c;
	HASH_FIND(by_id, b->by_id, &id, sizeof(id), c);
	return c;
}

struct conv *batch_conv_by_id(struct batch *b, uint64_t id)
{
	struct conv *c = find_by_id(b, id);
	if (c == NULL) {
		c = add_conv(b);
		c->id = id;
		HASH_ADD(by_id, b->by_id, id, sizeof(c->id), c);
	}
	return c;
}

static bool same_pair(const struct pair_key *a, const struct pair_key *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* Another database than before, perhaps restored from a copy: what was remembered of the conversation does not hold. */
static void forget_conv(struct batch *b, struct conv *c)
{
	pairs_forget(b->pairs, &c->pair);
	c->stopped = true; /* for this batch: who named it by its id may be right */
}

struct conv *batch_conv_by_pair(struct batch *b, struct str one, struct str other)
{
	struct pair_key key = pair_key_make(one, other);
	struct conv *c;
	HASH_FIND(by_pair, b->by_pair, key.text, key.len, c);
	if (c != NULL)
		return c;
	uint64_t id = pairs_find(b->pairs, &key);
	c = id != 0 ? batch_conv_by_id(b, id) : add_conv(b);
	if (c->pair.len != 0) {
		/* Two pairs have one conversation: at least one is remembered wrongly. */
		forget_conv(b, c);
		pairs_forget(b->pairs, &key);
		c = add_conv(b);
	}
	c->pair = key;
	HASH_ADD_KEYPTR(by_pair, b->by_pair, c->pair.text, c->pair.len, c);
	return c;
}

/* The pair's conversation is that one; it may be in the batch by its id already. */
static struct conv *give_id(struct batch *b, struct conv *c, uint64_t id)
{
	struct conv *named = find_by_id(b, id);
	if (id == 0)
		return c; /* no conversation has it */
	if (named == NULL) {
		c->id = id;
		HASH_ADD(by_id, b->by_id, id, sizeof(c->id), c);
		return c;
	}
	if (named != c) {
		if (named->pair.len != 0 && !same_pair(&named->pair, &c->pair))
			forget_conv(b, named);
		named->made |= c->made;
		named->friends_asked |= c->friends_asked;
		named->blocks_asked[0] |= c->blocks_asked[0];
		named->blocks_asked[1] |= c->blocks_asked[1];
		c->same = named;
	}
	return named;
}

static void row_pair(struct batch *b, struct row *row)
{
	uint64_t id = row_take_u64(row);
	struct str user1 = row_take_str(row), user2 = row_take_str(row);
	if (user1.len > USER_ID_MAX || user2.len > USER_ID_MAX || user1.s == NULL || user2.s == NULL)
		return;
	struct pair_key key = pair_key_make(user1, user2);
	pairs_put(b->pairs, &key, id);
	struct conv *c;
	HASH_FIND(by_pair, b->by_pair, key.text, key.len, c);
	if (c != NULL && c->id == 0)
		give_id(b, c, id);
}

static void row_conv(struct batch *b, struct row *row)
{
	struct conv *c = find_by_id(b, row_take_u64(row));
	struct str user1 = row_take_str(row), user2 = row_take_str(row);
	if (c == NULL || user1.len > USER_ID_MAX || user2.len > USER_ID_MAX || user1.s == NULL || user2.s == NULL)
		return;
	struct pair_key key = pair_key_make(user1, user2);
	if (c->pair.len != 0 && !same_pair(&c->pair, &key)) {
		forget_conv(b, c);
		return;
	}
	if (c->pair.len == 0)
		c->pair = key; /* not in by_pair: give_id() and row_conv() go by id */
	c->locked = true;
	c->stored_seq = c->last_seq = row_take_u64(row);
	c->last_ms = row_take_ms(row);
	c->sort_ms = row_take_ms(row);
	for (int side = 0; side < 2; side++)
		c->unread[side] = row_take_u64(row);
	for (int side = 0; side < 2; side++)
		c->last_id[side] = row_take_u64(row);
	for (int side = 0; side < 2; side++)
		c->read_seq[side] = row_take_u64(row);
	for (int side = 0; side < 2; side++)
		c->dead[side] = row_take_u64(row);
	c->change_seq = row_take_u64(row);
}

/* ---- friendships ---- */

static void add_pair(struct buf *list, struct str a, struct str b)
{
	if (list->len != 0)
		buf_append_char(list, ',');
	sql_pair(list, a, b);
}

void batch_ask_friends(struct batch *b, struct conv *c, struct str from)
{
	int side = conv_side(c, from);
	struct str to = conv_user(c, 1 - side);
	if (!c->friends_asked) {
		add_pair(&b->ask_friends, from, to);
		add_pair(&b->ask_friends, to, from);
	}
	if (!c->blocks_asked[side])
		add_pair(&b->ask_blocks, to, from);
	c->friends_asked = c->blocks_asked[side] = true;
}

static struct friendship *find_friendship(struct batch *b, struct str user, struct str friend)
{
	char key[2 * USER_ID_MAX + 1];
	size_t len = two_part_key(key, user, friend);
	struct friendship *f;
	HASH_FIND(hh, b->friendships, key, len, f);
	return f;
}

enum store_status batch_friends(struct batch *b, struct str from, struct str to)
{
	const struct friendship *there = find_friendship(b, from, to), *back = find_friendship(b, to, from);
	if (back != NULL && back->blocked)
		return STORE_BLOCKED;
	return there != NULL && there->friend && back != NULL && back->friend ? STORE_OK : STORE_NOT_FRIENDS;
}

static void row_friend(struct batch *b, struct row *row)
{
	struct str user = row_take_str(row), friend = row_take_str(row);
	if (user.s == NULL || friend.s == NULL || user.len > USER_ID_MAX || friend.len > USER_ID_MAX)
		return;
	struct friendship *f = find_friendship(b, user, friend);
	if (f == NULL) {
		f = arena_alloc(&b->arena, sizeof(*f));
		f->key_len = two_part_key(f->key, user, friend);
		HASH_ADD(hh, b->friendships, key, f->key_len, f);
	}
	f->friend |= row_take_bool(row);
	f->blocked |= row_take_bool(row);
}

/* ---- messages ---- */

void batch_ask_message(struct batch *b, uint64_t id)
{
	if (b->ask_messages.len != 0)
		buf_append_char(&b->ask_messages, ',');
	sql_u64(&b->ask_messages, id);
}

struct held *batch_message(struct batch *b, uint64_t id)
{
	struct held *h;
	HASH_FIND(hh, b->held, &id, sizeof(id), h);
	return h;
}

static struct held *row_message(struct batch *b, struct row *row)
{
	struct message m;
	if (!row_take_message(row, &b->arena, &m))
		return NULL;
	struct held *h = batch_message(b, m.id);
	if (h == NULL) {
		h = arena_alloc(&b->arena, sizeof(*h));
		h->m = m;
		h->deleted[0] = row_take_bool(row);
		h->deleted[1] = row_take_bool(row);
		HASH_ADD(hh, b->held, m.id, sizeof(h->m.id), h);
	}
	return h;
}

void batch_ask_sent(struct batch *b, struct str from, struct str client_msg_id)
{
	if (b->ask_sent.len != 0)
		buf_append_char(&b->ask_sent, ',');
	sql_pair(&b->ask_sent, from, client_msg_id);
}

struct sent *batch_sent(struct batch *b, struct str from, struct str client_msg_id)
{
	struct sent *s;
	char key[sizeof(s->key)];
	size_t len = two_part_key(key, from, client_msg_id);
	HASH_FIND(hh, b->sent, key, len, s);
	return s;
}

static struct sent *add_sent(struct batch *b, struct str from, struct str client_msg_id)
{
	struct sent *s = arena_alloc(&b->arena, sizeof(*s));
	s->key_len = two_part_key(s->key, from, client_msg_id);
	HASH_ADD(hh, b->sent, key, s->key_len, s);
	return s;
}

void batch_note_sent(struct batch *b, struct str from, struct str client_msg_id, struct op *op)
{
	add_sent(b, from, client_msg_id)->op = op;
}

static void row_sent(struct batch *b, struct row *row)
{
	struct str from = row_take_str(row), client_msg_id = row_take_str(row);
	if (from.s == NULL || client_msg_id.s == NULL || from.len > USER_ID_MAX ||
	    client_msg_id.len > CLIENT_MSG_ID_MAX)
		return;
	struct held *h = row_message(b, row);
	if (h == NULL || batch_sent(b, from, client_msg_id) != NULL)
		return;
	add_sent(b, from, client_msg_id)->held = h;
}

uint64_t batch_note_change(struct batch *b, struct conv *c, enum change_kind kind, uint64_t message_id, struct str user)
{
	struct buf *out = &b->insert_changes;
	c->change_seq++;
	c->changed = c->dirty = true;
	buf_append(out, out->len != 0 ? ",(" : "(", out->len != 0 ? 2 : 1);
	sql_u64(out, c->id);
	buf_append_char(out, ',');
	sql_u64(out, c->change_seq);
	buf_append_char(out, ',');
	sql_u64(out, kind);
	buf_append_char(out, ',');
	sql_u64(out, message_id);
	buf_append_char(out, ',');
	sql_str(out, user);
	buf_append_char(out, ',');
	sql_time(out, b->now_ms);
	buf_append_char(out, ')');
	return c->change_seq;
}

/* A hybrid logical clock (Kulkarni et al., 2014): the wall clock while it is ahead, else one more than before. */
static void batch_tick(struct batch *b, int64_t activity_ms)
{
	/* Not ahead of the clock while that is right: another lane may go by it. */
	if (b->now_ms >= b->active_ms && b->now_ms >= activity_ms)
		b->active_ms = b->now_ms;
	else
		b->active_ms = b->active_ms + 1 > activity_ms ? b->active_ms + 1 : activity_ms;
}

/* ---- answers ---- */

void batch_row(struct batch *b, unsigned stmt, struct row *row)
{
	ASSERT(stmt < b->stmt_count);
	switch (b->stmt[stmt].kind) {
	case STMT_PAIRS:
		row_pair(b, row);
		break;
	case STMT_CONVERSATIONS:
		row_conv(b, row);
		break;
	case STMT_STANDING: {
		struct conv *c = find_by_id(b, row_take_u64(row));
		if (c != NULL)
			c->skipped = !c->locked;
		break;
	}
	case STMT_SENT:
		row_sent(b, row);
		break;
	case STMT_FRIENDS:
		row_friend(b, row);
		break;
	case STMT_MESSAGES:
		row_message(b, row);
		break;
	case STMT_GATHERED: {
		uint64_t *answer = b->stmt[stmt].of;
		if (answer != NULL) {
			answer[0] = row_take_u64(row);
			answer[1] = row_take_u64(row);
		}
		break;
	}
	case STMT_NOW:
		b->db_ms = row_take_ms(row);
		b->now_ms = b->db_ms + clock_shift_ms();
		batch_tick(b, row_take_ms(row));
		break;
	case STMT_PLAIN:
	case STMT_MAKE:
	case STMT_COMMIT:
		break;
	}
}

void batch_stmt_done(struct batch *b, unsigned stmt, uint64_t affected, uint64_t insert_id)
{
	ASSERT(stmt < b->stmt_count);
	if (b->stmt[stmt].kind != STMT_MAKE)
		return;
	struct conv *c = b->stmt[stmt].of;
	c->made = affected == 1; /* else another lane was faster, and its id is given */
	give_id(b, c, insert_id);
}

bool batch_is_commit(const struct batch *b, unsigned stmt)
{
	return stmt < b->stmt_count && b->stmt[stmt].kind == STMT_COMMIT;
}

bool batch_plan(struct batch *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		struct op *op = b->op[i];
		struct conv *c = op_conv(op);
		/* Whether it is there is known only under its lock. */
		if ((op->settling || op->looks) && b->skip_locked && c != NULL && !c->locked)
			c->skipped = true;
		op->put_off = (c != NULL && (c->stopped || c->skipped)) || op->class->plan(b, op) == OP_PUT_OFF;
		if (op->put_off && c != NULL)
			c->stopped = true;
	}
	/* A conversation is created only by an operation that succeeds. */
	for (const struct conv *c = b->convs; c != NULL; c = c->next)
		if (c->made && c->same == NULL && !c->used)
			return false;
	return true;
}

void batch_remember_pairs(struct batch *b)
{
	for (const struct conv *c = b->convs; c != NULL; c = c->next)
		if (c->made && c->same == NULL)
			pairs_put(b->pairs, &c->pair, c->id);
}
