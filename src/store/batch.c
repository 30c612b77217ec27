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
#include "store/reactions.h"
#include "store/sql.h"

/* Of a buffer's memory from one batch to the next. */
#define KEEP_BYTES ((size_t)256 * 1024)

#define BUFS_OF(b)                                                                                                     \
	{                                                                                                              \
		&(b)->text, &(b)->ask_sent, &(b)->ask_friends, &(b)->ask_blocks, &(b)->ask_messages,                   \
			&(b)->ask_authors, &(b)->ask_reactions, &(b)->edits.list, &(b)->reacted.list,                  \
			&(b)->unreacted.list, &(b)->ask.text, &(b)->insert_texts, &(b)->insert_messages,               \
			&(b)->insert_reactions, &(b)->search_edits, &(b)->insert_changes, &(b)->insert_recalls,        \
			&(b)->insert_marks, &(b)->insert_mentions, &(b)->insert_uncounted, &(b)->insert_expiring,      \
			&(b)->insert_replaced, &(b)->insert_expiries, &(b)->expired, &(b)->drop_expiries,              \
			&(b)->updates.text, &(b)->items                                                                \
	}

/* ---- keys ---- */

size_t batch_key(char *out, struct str a, struct str b)
{
	memcpy(out, a.s, a.len);
	out[a.len] = ' '; /* no user's id contains one */
	memcpy(out + a.len + 1, b.s, b.len);
	return a.len + 1 + b.len;
}

/* ---- the batch as a whole ---- */

void batch_init(struct batch *b, struct pairs *pairs, struct outbox *outbox, const struct conf *conf)
{
	*b = (struct batch){.pairs = pairs, .outbox = outbox, .conf = conf};
}

void batch_reset(struct batch *b)
{
	HASH_CLEAR(by_id, b->by_id);
	HASH_CLEAR(by_pair, b->by_pair);
	HASH_CLEAR(hh, b->held);
	HASH_CLEAR(hh, b->sent);
	HASH_CLEAR(hh, b->friendships);
	HASH_CLEAR(hh, b->members);
	b->convs = NULL;
	arena_clear(&b->arena);
	struct buf *bufs[] = BUFS_OF(b);
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++) {
		buf_clear(bufs[i]);
		buf_shrink(bufs[i], KEEP_BYTES);
	}
	b->ask.count = b->updates.count = 0;
	b->edits.count = b->reacted.count = b->unreacted.count = 0;
	b->reactions = NULL;
	b->count = b->sends = b->reads = b->stmt_count = b->expired_count = 0;
	b->db_ms = b->now_ms = 0;
	b->groups_later = b->raises = b->raised = false;
	b->standing = b->notes = b->guessed = b->asked_spent = false;
}

void batch_fini(struct batch *b)
{
	batch_reset(b);
	arena_fini(&b->arena);
	struct buf *bufs[] = BUFS_OF(b);
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
		buf_fini(bufs[i]);
	free(b->stmt);
	free(b->ask.stmt);
	free(b->updates.stmt);
}

void batch_add(struct batch *b, struct op *op)
{
	ASSERT(b->count < BATCH_OPS_MAX);
	if (b->count == 0)
		b->begun_usecs = clock_usecs();
	op->planned = op->in_outbox = op->more = op->looks = op->late = false;
	op->status = STORE_UNAVAILABLE;
	op->conv = NULL;
	b->op[b->count++] = op;
	op->class->enter(b, op);
	if (op->out_of_ids && op->conv != NULL)
		op->conv->out_of_ids = true;
}

struct conv *op_conv(const struct op *op)
{
	struct conv *c = op->conv;
	while (c != NULL && c->same != NULL)
		c = c->same;
	return c;
}

/* ---- messages ---- */

void batch_ask_message(struct batch *b, uint64_t id)
{
	if (b->ask_messages.len != 0)
		buf_append_char(&b->ask_messages, ',');
	sql_u64(&b->ask_messages, id);
}

void batch_ask_author(struct batch *b, uint64_t id)
{
	if (b->ask_authors.len != 0)
		buf_append_char(&b->ask_authors, ',');
	sql_u64(&b->ask_authors, id);
}

static void row_author(struct batch *b, struct row *row)
{
	struct held *h = batch_message(b, row_take_u64(row));
	if (h != NULL)
		h->author = row_take_role(row);
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
		HASH_ADD(hh, b->held, m.id, sizeof(h->m.id), h);
	}
	/* The last time that it is read, all locks are held. */
	h->m = m;
	h->deleted[0] = row_take_bool(row);
	h->deleted[1] = row_take_bool(row);
	h->stored_seq = row_take_u64(row);
	h->m.sent_hash = arena_str(&b->arena, row_take_str(row));
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
	size_t len = batch_key(key, from, client_msg_id);
	HASH_FIND(hh, b->sent, key, len, s);
	return s;
}

static struct sent *add_sent(struct batch *b, struct str from, struct str client_msg_id)
{
	struct sent *s = arena_alloc(&b->arena, sizeof(*s));
	s->key_len = batch_key(s->key, from, client_msg_id);
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

static void row_spent(struct batch *b, struct row *row)
{
	struct str from = row_take_str(row), client_msg_id = row_take_str(row);
	if (from.s == NULL || client_msg_id.s == NULL || from.len > USER_ID_MAX ||
	    client_msg_id.len > CLIENT_MSG_ID_MAX || batch_sent(b, from, client_msg_id) != NULL)
		return;
	add_sent(b, from, client_msg_id);
}

/* ---- what is written ---- */

void batch_begin_row(struct buf *list)
{
	buf_append(list, list->len != 0 ? ",(" : "(", list->len != 0 ? 2 : 1);
}

static uint64_t next_change(struct conv *c)
{
	c->changed = c->dirty = true;
	return ++c->change_seq;
}

void batch_put_change(struct batch *b, uint64_t change_seq, enum change_kind kind, uint64_t message_id, struct str user)
{
	struct buf *out = &b->insert_changes;
	batch_begin_row(out);
	sql_u64(out, message_id_conversation(message_id));
	buf_append_char(out, ',');
	sql_u64(out, change_seq);
	buf_append_char(out, ',');
	sql_u64(out, kind);
	buf_append_char(out, ',');
	sql_u64(out, message_id);
	buf_append_char(out, ',');
	sql_str(out, user);
	buf_append_char(out, ',');
	sql_time(out, b->now_ms);
	buf_append_char(out, ')');
}

uint64_t batch_note_change(struct batch *b, struct conv *c, enum change_kind kind, uint64_t message_id, struct str user)
{
	uint64_t change_seq = next_change(c);
	batch_put_change(b, change_seq, kind, message_id, user);
	return change_seq;
}

uint64_t batch_note_reaction(struct batch *b, struct conv *c, struct held *h, struct str user)
{
	h->reacted = true;
	h->reactor = arena_str(&b->arena, user);
	return h->react_seq = next_change(c);
}

void batch_note_mark(struct batch *b, uint64_t conversation_id, struct str user, uint64_t up_to_seq)
{
	struct buf *out = &b->insert_marks;
	batch_begin_row(out);
	sql_u64(out, conversation_id);
	buf_append_char(out, ',');
	sql_str(out, user);
	buf_append_char(out, ',');
	sql_u64(out, up_to_seq);
	buf_append_char(out, ',');
	sql_time(out, b->now_ms);
	buf_append_char(out, ')');
}

void batch_note_mention(struct batch *b, struct str user, const struct message *m)
{
	struct buf *out = &b->insert_mentions;
	batch_begin_row(out);
	sql_str(out, user);
	buf_append_char(out, ',');
	sql_u64(out, message_id_conversation(m->id));
	buf_append_char(out, ',');
	sql_u64(out, message_id_seq(m->id));
	buf_append_char(out, ',');
	sql_time(out, m->created_ms);
	buf_append_char(out, ')');
}

void batch_note_expiry(struct batch *b, const struct message *m)
{
	struct buf *out = &b->insert_expiries;
	batch_begin_row(out);
	sql_time(out, m->expires_ms);
	buf_append_char(out, ',');
	sql_u64(out, m->id);
	buf_append_char(out, ')');
}

void batch_note_expired(struct batch *b, uint64_t message_id)
{
	if (b->expired_count++ != 0)
		buf_append_char(&b->expired, ',');
	sql_u64(&b->expired, message_id);
}

void batch_drop_expiry(struct batch *b, uint64_t message_id, int64_t at_ms)
{
	struct buf *out = &b->drop_expiries;
	if (out->len != 0)
		sql_lit(out, " OR ");
	sql_lit(out, "(e.expires_at=");
	sql_time(out, at_ms);
	sql_lit(out, " AND e.message_id=");
	sql_u64(out, message_id);
	buf_append_char(out, ')');
}

void batch_note_told(struct batch *b, struct op *op, enum outbox_kind kind, uint64_t message_id)
{
	op->in_outbox = true;
	outbox_put_id(&b->items, kind, message_id);
}

void batch_note_told_text(struct batch *b, char first, struct str rest)
{
	char text[1 + REACTION_EMOJI_MAX] = {first};
	ASSERT(rest.len < sizeof(text));
	memcpy(text + 1, rest.s, rest.len);
	outbox_put_text(&b->items, (struct str){text, 1 + rest.len});
}

void batch_note_told_user(struct batch *b, struct op *op, struct str user)
{
	op->in_outbox = true;
	outbox_put_user(&b->items, user);
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

void batch_set_time(struct batch *b, int64_t db_ms, int64_t activity_ms)
{
	b->db_ms = db_ms;
	b->now_ms = db_ms + clock_shift_ms();
	batch_tick(b, activity_ms);
}

static void row_now(struct batch *b, struct row *row)
{
	b->clock.db_ms = row_take_ms(row);
	b->clock.activity_ms = row_take_ms(row);
	b->clock.spends = row_take_bool(row);
	b->clock.at_mono_ms = clock_mono_ms();
}

/* ---- answers ---- */

void batch_row(struct batch *b, unsigned stmt, struct row *row)
{
	ASSERT(stmt < b->stmt_count);
	switch (b->stmt[stmt].kind) {
	case STMT_PAIRS:
		conv_direct_row_pair(b, row);
		break;
	case STMT_CONVERSATIONS:
		conv_direct_row(b, row);
		break;
	case STMT_HEADS:
		conv_group_row_head(b, row);
		break;
	case STMT_STANDING: {
		struct conv *c = conv_find(b, row_take_u64(row));
		if (c != NULL)
			c->skipped = !c->locked;
		break;
	}
	case STMT_MEMBERS:
		conv_group_row_member(b, row);
		break;
	case STMT_MEMBERS_STANDING:
		conv_group_row_standing(b, row);
		break;
	case STMT_SENT:
		row_sent(b, row);
		break;
	case STMT_SPENT:
		row_spent(b, row);
		break;
	case STMT_FRIENDS:
		conv_direct_row_friend(b, row);
		break;
	case STMT_MESSAGES:
		row_message(b, row);
		break;
	case STMT_REACTIONS:
		react_row(b, row);
		break;
	case STMT_AUTHORS:
		row_author(b, row);
		break;
	case STMT_GATHERED_TEXT:
		*(struct str *)b->stmt[stmt].of = arena_str(&b->arena, row_take_str(row));
		break;
	case STMT_GATHERED: {
		uint64_t *answer = b->stmt[stmt].of;
		for (unsigned i = 0; i < row->count; i++)
			answer[i] = row_take_u64(row);
		break;
	}
	case STMT_MARK:
		row_take_mark(row, &((struct held *)b->stmt[stmt].of)->m);
		break;
	case STMT_NOW:
		row_now(b, row);
		batch_set_time(b, b->clock.db_ms, b->clock.activity_ms);
		break;
	case STMT_NOW_CHECKED:
		row_now(b, row);
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
	if (b->stmt[stmt].kind == STMT_MAKE)
		conv_direct_made(b, b->stmt[stmt].of, affected == 1, insert_id);
}

bool batch_is_commit(const struct batch *b, unsigned stmt)
{
	return stmt < b->stmt_count && b->stmt[stmt].kind == STMT_COMMIT;
}

/* Conversations that were made with an id that is not theirs are undone, and not made again for these operations. */
static bool has_ids(struct batch *b)
{
	bool fine = true;
	for (unsigned i = 0; i < b->count; i++) {
		const struct conv *c = op_conv(b->op[i]);
		b->op[i]->out_of_ids = c != NULL && c->out_of_ids;
		fine &= !b->op[i]->out_of_ids || !c->made;
	}
	return fine;
}

/* The first rows came into spent_sends since the batch before: they are asked for once it is known. */
static bool has_missed_spent(const struct batch *b)
{
	return b->clock.spends && !b->asked_spent && !b->guessed && b->ask_sent.len != 0;
}

/* What is not after its recipient's read_seq was read, by itself or together with others. */
static void note_passed(struct batch *b)
{
	for (struct held *h = b->held; h != NULL; h = h->hh.next) {
		struct conv *c = conv_find(b, message_id_conversation(h->m.id));
		if (h->m.is_read || h->m.to[0] == '\0' || c == NULL)
			continue;
		const struct member *to = conv_member(b, c, str_from(h->m.to));
		h->passed = to != NULL && message_id_seq(h->m.id) <= to->read_seq;
	}
}

bool batch_plan(struct batch *b)
{
	if (!has_ids(b) || has_missed_spent(b))
		return false;
	note_passed(b);
	for (unsigned i = 0; i < b->count; i++) {
		struct op *op = b->op[i];
		struct conv *c = op_conv(op);
		/* Whether a new one is there is known only under its lock. */
		if ((op->settling || op->looks) && b->skip_locked && c != NULL && c->locks && !c->locked)
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

void batch_remember(struct batch *b)
{
	for (const struct conv *c = b->convs; c != NULL; c = c->next) {
		if (c->same != NULL || c->kind != &conv_direct)
			continue;
		if (c->made || (c->locked && c->pair.len != 0))
			pairs_put(b->pairs, &c->pair, c->id);
		if (c->dirty && c->last_seq != c->stored_seq)
			pairs_put_head(b->pairs, &c->pair,
				       &(struct pair_head){c->last_seq, c->last_ms, c->expires_in_secs});
	}
}
