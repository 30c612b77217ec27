/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Direct conversations: the row of one, which holds what is either member's; who may send to whom, by friendships and
 * blocks; and what messages and recalls do to the members. A conversation is made with its first message.
 */
#include "core/base.h"
#include "store/conv.h"

#include "store/lane_priv.h"
#include "store/sql.h"

#define CONV_COLUMNS                                                                                                   \
	"id,user1_id,user2_id,last_seq,last_message_time,sort_time,user1_unread,user2_unread,user1_last_id,"           \
	"user2_last_id,user1_read_seq,user2_read_seq,user1_dead,user2_dead,change_seq,expires_in,"                     \
	"user1_archived_seq,user1_marked,user2_archived_seq,user2_marked,user1_first_seq,user2_first_seq,kept_seq"

/* ---- which conversation ---- */

void conv_direct_put_resolve(struct batch *b)
{
	bool first = true;
	for (struct conv *c = b->convs; c != NULL; c = c->next) {
		if (c->id != 0)
			continue;
		if (first)
			sql_lit(batch_begin_stmt(b, STMT_PAIRS, NULL),
				"SELECT id,user1_id,user2_id FROM conversations FORCE INDEX (pair) "
				"WHERE (user1_id,user2_id) IN (");
		sql_comma(&b->text, &first);
		sql_pair(&b->text, pair_key_user(&c->pair, 0), pair_key_user(&c->pair, 1));
	}
	if (!first)
		buf_append_char(&b->text, ')');
}

static bool take_pair(struct row *row, struct pair_key *pair_r)
{
	struct str user1 = row_take_str(row), user2 = row_take_str(row);
	if (user1.len > USER_ID_MAX || user2.len > USER_ID_MAX || user1.s == NULL || user2.s == NULL)
		return false;
	*pair_r = pair_key_make(user1, user2);
	return true;
}

/* The next kind's ids begin there. */
static bool take_id(struct conv *c, uint64_t id)
{
	c->out_of_ids = conversation_is_group(id);
	return id != 0 && !c->out_of_ids;
}

void conv_direct_row_pair(struct batch *b, struct row *row)
{
	uint64_t id = row_take_u64(row);
	struct pair_key key;
	struct conv *c;
	if (!take_pair(row, &key))
		return;
	HASH_FIND(by_pair, b->by_pair, key.text, key.len, c);
	if (c == NULL || c->id != 0 || !take_id(c, id))
		return;
	pairs_put(b->pairs, &key, id);
	conv_give_id(b, c, id);
}

void conv_direct_made(struct batch *b, struct conv *c, bool by_us, uint64_t id)
{
	c->made = by_us; /* else another lane was faster, and its id is given */
	if (take_id(c, id))
		conv_give_id(b, c, id);
}

/* ---- what is read ---- */

void conv_direct_put_locks(struct batch *b)
{
	const uint64_t *ids;
	size_t n = batch_conv_ids(b, &conv_direct, true, &ids);
	if (n == 0)
		return;
	struct buf *text = batch_begin_stmt(b, STMT_CONVERSATIONS, NULL);
	/* Forced, for a scan of a small table would lock everybody's rows. */
	sql_lit(text, "SELECT " CONV_COLUMNS " FROM conversations FORCE INDEX (PRIMARY) WHERE id IN (");
	batch_put_ids(text, ids, n);
	sql_lit(text, ") ORDER BY id");
	batch_put_lock_end(b, text);
	if (!b->skip_locked)
		return;
	/* Tells what was skipped from what does not exist. */
	text = batch_begin_stmt(b, STMT_STANDING, NULL);
	sql_lit(text, "SELECT id FROM conversations WHERE id IN (");
	batch_put_ids(text, ids, n);
	buf_append_char(text, ')');
}

void conv_direct_put_make(struct batch *b, struct conv *const *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf *text = batch_begin_stmt(b, STMT_MAKE, wanted[i]);
		sql_lit(text, "INSERT INTO conversations "
			      "(user1_id,user2_id,source_kind,source_id,sort_time,created_at) VALUES (");
		sql_str(text, pair_key_user(&wanted[i]->pair, 0));
		buf_append_char(text, ',');
		sql_str(text, pair_key_user(&wanted[i]->pair, 1));
		buf_append_char(text, ',');
		sql_str(text, wanted[i]->source_kind);
		buf_append_char(text, ',');
		sql_str(text, wanted[i]->source_id);
		buf_append_char(text, ',');
		sql_time(text, b->active_ms);
		buf_append_char(text, ',');
		sql_time(text, b->now_ms);
		sql_lit(text, ") ON DUPLICATE KEY UPDATE id=LAST_INSERT_ID(id)");
	}
	struct buf *text = batch_begin_stmt(b, STMT_CONVERSATIONS, NULL);
	sql_lit(text, "SELECT " CONV_COLUMNS " FROM conversations FORCE INDEX (pair) WHERE (user1_id,user2_id) IN (");
	for (size_t i = 0; i < n; i++) {
		if (i != 0)
			buf_append_char(text, ',');
		sql_pair(text, pair_key_user(&wanted[i]->pair, 0), pair_key_user(&wanted[i]->pair, 1));
	}
	sql_lit(text, ") FOR UPDATE");
}

void conv_direct_row(struct batch *b, struct row *row)
{
	struct conv *c = conv_find(b, row_take_u64(row));
	struct pair_key key;
	if (!take_pair(row, &key) || c == NULL)
		return;
	if (c->pair.len != 0 && !pair_key_equal(&c->pair, &key)) {
		conv_forget(b, c);
		return;
	}
	if (c->pair.len == 0)
		conv_set_pair(b, c, &key); /* not in by_pair: it is found by its id */
	c->locked = true;
	c->stored_seq = c->last_seq = row_take_u64(row);
	c->last_ms = row_take_ms(row);
	c->sort_ms = row_take_ms(row);
	struct member *one = c->members, *other = one->next;
	one->present = other->present = true;
	one->stored.unread = one->unread = row_take_u64(row);
	other->stored.unread = other->unread = row_take_u64(row);
	one->stored.last_id = one->last_id = row_take_u64(row);
	other->stored.last_id = other->last_id = row_take_u64(row);
	one->stored.read_seq = one->read_seq = row_take_u64(row);
	other->stored.read_seq = other->read_seq = row_take_u64(row);
	one->stored.dead = one->dead = row_take_u64(row);
	other->stored.dead = other->dead = row_take_u64(row);
	c->stored_change_seq = c->change_seq = row_take_u64(row);
	c->expires_in_secs = row_take_u64(row);
	conv_take_own(one, row);
	conv_take_own(other, row);
	one->first_seq = row_take_u64(row);
	other->first_seq = row_take_u64(row);
	c->kept_seq = row_take_u64(row);
}

/* ---- who may send ---- */

static void add_pair(struct buf *list, struct str a, struct str b)
{
	if (list->len != 0)
		buf_append_char(list, ',');
	sql_pair(list, a, b);
}

void batch_ask_friends(struct batch *b, struct conv *c, struct str from)
{
	struct member *m = str_equal(c->members->user, from) ? c->members : c->members->next;
	struct str to = conv_peer(m)->user;
	if (!c->friends_asked) {
		add_pair(&b->ask_friends, from, to);
		add_pair(&b->ask_friends, to, from);
	}
	if (!m->blocks_asked)
		add_pair(&b->ask_blocks, to, from);
	c->friends_asked = m->blocks_asked = true;
}

static struct friendship *find_friendship(struct batch *b, struct str user, struct str friend)
{
	char key[2 * USER_ID_MAX + 1];
	size_t len = batch_key(key, user, friend);
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

void conv_direct_row_friend(struct batch *b, struct row *row)
{
	struct str user = row_take_str(row), friend = row_take_str(row);
	if (user.s == NULL || friend.s == NULL || user.len > USER_ID_MAX || friend.len > USER_ID_MAX)
		return;
	struct friendship *f = find_friendship(b, user, friend);
	if (f == NULL) {
		f = arena_alloc(&b->arena, sizeof(*f));
		f->key_len = batch_key(f->key, user, friend);
		HASH_ADD(hh, b->friendships, key, f->key_len, f);
	}
	f->friend |= row_take_bool(row);
	f->blocked |= row_take_bool(row);
}

static bool direct_check_send(struct batch *b, struct conv *c, struct conv_send *check)
{
	const struct store_send *p = check->p;
	/* A guess is checked by the database, in the same transaction. */
	check->status = b->guessed || p->by_operator ? STORE_OK : batch_friends(b, p->from, p->to);
	if (check->status == STORE_OK && c->out_of_ids)
		check->status = STORE_FULL;
	else if (check->status == STORE_OK && c->id == 0 && p->reply_to != 0)
		check->status = STORE_BAD_REPLY;
	if (check->status != STORE_OK)
		return true;
	if (c->id != 0 && !c->locked)
		pairs_forget(b->pairs, &c->pair);
	/* Another pair's conversation was remembered from another database. */
	check->from = c->locked && conv_member(b, c, p->to) != NULL ? conv_member(b, c, p->from) : NULL;
	return check->from != NULL;
}

/* Where it is not remembered whose conversation it is, the other side is looked up with it. */
static void direct_ask_change(struct batch *b, struct conv *c, struct conv_check *check)
{
	struct str user = check->user;
	check->by_pair = conv_recall_pair(b, c);
	if (check->by_pair) {
		if (str_equal(c->members->user, user) || str_equal(c->members->next->user, user))
			batch_ask_friends(b, c, user);
		return;
	}
	struct buf *out = batch_ask(b, &check->friends);
	_Static_assert(offsetof(struct conv_check, blocked) == offsetof(struct conv_check, friends) + sizeof(uint64_t),
		       "two columns");
	sql_lit(out, "SELECT f.user_id IS NOT NULL AND g.user_id IS NOT NULL,"
		     "COALESCE(g.blocked,0) OR k.user_id IS NOT NULL FROM conversations c FORCE INDEX (PRIMARY) "
		     "LEFT JOIN friendships f FORCE INDEX (PRIMARY) ON f.user_id=");
	sql_str(out, user);
	sql_lit(out, " AND f.friend_id=IF(c.user1_id=");
	sql_str(out, user);
	sql_lit(out,
		",c.user2_id,c.user1_id) LEFT JOIN friendships g FORCE INDEX (PRIMARY) ON g.user_id=IF(c.user1_id=");
	sql_str(out, user);
	sql_lit(out, ",c.user2_id,c.user1_id) AND g.friend_id=");
	sql_str(out, user);
	sql_lit(out, " LEFT JOIN blocks k FORCE INDEX (PRIMARY) ON k.user_id=IF(c.user1_id=");
	sql_str(out, user);
	sql_lit(out, ",c.user2_id,c.user1_id) AND k.blocked_id=");
	sql_str(out, user);
	sql_lit(out, " WHERE c.id=");
	sql_u64(out, c->id);
}

static enum store_status direct_check_change(struct batch *b, struct member *by, const struct conv_check *check)
{
	if (check->by_pair)
		return batch_friends(b, by->user, conv_peer(by)->user);
	return check->blocked != 0 ? STORE_BLOCKED : check->friends == 0 ? STORE_NOT_FRIENDS : STORE_OK;
}

/* ---- what is done to it ---- */

static void direct_sent(struct batch *b, struct member *from, const struct message *m)
{
	struct member *to = conv_peer(from);
	to->unread++;
	from->last_id = to->last_id = m->id;
	conv_keep_archived(b, from);
}

static void direct_mentioned(struct batch *b, struct member *from, const struct message *m, struct member *who)
{
	(void)who;
	batch_note_mention(b, conv_peer(from)->user, m);
}

/* Everyone is the other one. */
static struct str direct_mention_of(struct member *from, struct str user)
{
	return str_equal(user, from->user) ? STR_NULL : conv_peer(from)->user;
}

static enum store_status direct_check_recall(const struct member *by, const struct held *h, bool *any_time_r)
{
	*any_time_r = false;
	return str_is(by->user, h->m.from) ? STORE_OK : STORE_NOT_SENDER;
}

void conv_direct_bury(struct member *to)
{
	to->unread = conv_less(to->unread, 1);
	to->dead++;
}

static void note_recall(struct batch *b, const struct member *m)
{
	struct buf *out = &b->insert_recalls;
	batch_begin_row(out);
	sql_str(out, m->user);
	buf_append_char(out, ',');
	sql_time(out, b->active_ms);
	buf_append_char(out, ',');
	sql_u64(out, m->conv->id);
	buf_append_char(out, ')');
}

static void direct_recalled(struct batch *b, struct conv *c, const struct held *h)
{
	struct member *to = conv_member(b, c, str_from(h->m.to));
	if (to != NULL && held_is_unread(h) && message_id_seq(h->m.id) >= conv_first_seq(to))
		conv_direct_bury(to);
	note_recall(b, c->members);
	note_recall(b, c->members->next);
}

/* By the same cursor as a recall. */
static void direct_changed(struct batch *b, struct member *by)
{
	note_recall(b, by->conv->members);
	note_recall(b, by->conv->members->next);
}

/* ---- what is written ---- */

/* What one batch adds to most conversations: so many messages of each side's, and nothing else. */
struct direct_adds {
	unsigned from[2];
};

static bool has_got(const struct member *m, unsigned unread, uint64_t last_id)
{
	return m->unread == m->stored.unread + unread && m->last_id == last_id && m->read_seq == m->stored.read_seq &&
	       m->dead == m->stored.dead;
}

static bool adds_only(const struct batch *b, const struct conv *c, const void *what)
{
	struct direct_adds a = *(const struct direct_adds *)what;
	if (c->kind != &conv_direct || conv_new_messages(b, c) != a.from[0] + a.from[1])
		return false;
	const struct member *one = c->members, *other = one->next;
	uint64_t newest = message_id_make(c->id, c->last_seq);
	return has_got(one, a.from[1], newest) && has_got(other, a.from[0], newest);
}

static void begin_adds(struct batch *b, const void *what)
{
	struct direct_adds a = *(const struct direct_adds *)what;
	struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
	unsigned n = a.from[0] + a.from[1];
	buf_printf(text,
		   "UPDATE conversations FORCE INDEX (PRIMARY) SET user1_unread=user1_unread+%u,"
		   "user2_unread=user2_unread+%u,user1_last_id=(id<<%d)+last_seq+%u,"
		   "user2_last_id=(id<<%d)+last_seq+%u,last_seq=last_seq+%u,last_message_time=",
		   a.from[1], a.from[0], MESSAGE_SEQ_BITS, n, MESSAGE_SEQ_BITS, n, n);
	sql_time(text, b->now_ms);
	sql_lit(text, ",sort_time=");
	sql_time(text, b->active_ms);
	sql_lit(text, " WHERE id IN (");
}

static bool is_as_stored(const struct member *m)
{
	return has_got(m, 0, m->stored.last_id);
}

/* Or one change of a message, which moved no counter. */
static bool changes_only(const struct batch *b, const struct conv *c, const void *what)
{
	(void)b;
	(void)what;
	return c->kind == &conv_direct && c->last_seq == c->stored_seq && c->change_seq == c->stored_change_seq + 1 &&
	       is_as_stored(c->members) && is_as_stored(c->members->next);
}

static void begin_change(struct batch *b, const void *what)
{
	(void)what;
	sql_lit(batch_begin_stmt(b, STMT_PLAIN, NULL),
		"UPDATE conversations FORCE INDEX (PRIMARY) SET change_seq=change_seq+1 WHERE id IN (");
}

/* Few are written otherwise, where few are in a batch. */
static bool put_all_adds(struct batch *b)
{
	static const struct direct_adds adds[] = {{{1, 0}}, {{0, 1}}, {{1, 1}}, {{2, 0}}, {{0, 2}}};
	bool wrote = false;
	for (size_t i = 0; i < ARRAY_LEN(adds); i++)
		wrote |= conv_put_alike(b, adds_only, begin_adds, &adds[i]);
	return wrote;
}

static void put_values(struct buf *text, const struct conv *c)
{
	const struct member *one = c->members, *other = one->next;
	buf_append_char(text, '(');
	sql_u64(text, c->id);
	buf_append_char(text, ',');
	sql_str(text, one->user);
	buf_append_char(text, ',');
	sql_str(text, other->user);
	const uint64_t numbers[] = {c->last_seq,   one->unread,	    other->unread, one->last_id, other->last_id,
				    one->read_seq, other->read_seq, one->dead,	   other->dead,	 c->change_seq};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		buf_append_char(text, ',');
		sql_u64(text, numbers[i]);
	}
	buf_append_char(text, ',');
	sql_time(text, c->last_ms);
	buf_append_char(text, ',');
	sql_time(text, c->sort_ms);
	buf_append_char(text, ',');
	sql_time(text, c->sort_ms);
	buf_append_char(text, ')');
}

/* One statement for all: the rows exist and are locked, so each meets its primary key and is updated. */
static bool put_others(struct batch *b)
{
	bool first = true;
	for (struct conv *c = b->convs; c != NULL; c = c->next) {
		if (!c->dirty || c->written || c->kind != &conv_direct)
			continue;
		ASSERT(c->locked && c->id != 0);
		if (first)
			sql_lit(batch_begin_stmt(b, STMT_PLAIN, NULL),
				"INSERT INTO conversations (id,user1_id,user2_id,last_seq,user1_unread,user2_unread,"
				"user1_last_id,user2_last_id,user1_read_seq,user2_read_seq,user1_dead,user2_dead,"
				"change_seq,last_message_time,sort_time,created_at) VALUES ");
		sql_comma(&b->text, &first);
		put_values(&b->text, c);
	}
	if (!first)
		sql_lit(&b->text,
			" ON DUPLICATE KEY UPDATE last_seq=VALUES(last_seq),user1_unread=VALUES(user1_unread),"
			"user2_unread=VALUES(user2_unread),user1_last_id=VALUES(user1_last_id),"
			"user2_last_id=VALUES(user2_last_id),user1_read_seq=VALUES(user1_read_seq),"
			"user2_read_seq=VALUES(user2_read_seq),user1_dead=VALUES(user1_dead),"
			"user2_dead=VALUES(user2_dead),change_seq=VALUES(change_seq),"
			"last_message_time=VALUES(last_message_time),sort_time=VALUES(sort_time)");
	return !first;
}

bool conv_direct_put_write(struct batch *b)
{
	bool wrote = put_all_adds(b);
	wrote |= conv_put_alike(b, changes_only, begin_change, NULL);
	return put_others(b) || wrote;
}

const struct conv_kind conv_direct = {
	.check_send = direct_check_send,
	.sent = direct_sent,
	.mentioned = direct_mentioned,
	.mention_of = direct_mention_of,
	.check_recall = direct_check_recall,
	.recalled = direct_recalled,
	.ask_change = direct_ask_change,
	.check_change = direct_check_change,
	.changed = direct_changed,
};
