/* SPDX-License-Identifier: BSD-2-Clause */
/* The conversations and members that a batch of the write lane knows. Decides no outcome. */
#include "core/base.h"
#include "store/conv.h"

#include "store/lane_priv.h"
#include "store/sql.h"

/* ---- conversations ---- */

static struct conv *conv_add(struct batch *b, const struct conv_kind *kind)
{
	struct conv *c = arena_alloc(&b->arena, sizeof(*c));
	c->kind = kind;
	c->next = b->convs;
	b->convs = c;
	return c;
}

struct conv *conv_find(struct batch *b, uint64_t id)
{
	struct conv *c;
	HASH_FIND(by_id, b->by_id, &id, sizeof(id), c);
	return c;
}

struct conv *batch_conv_by_id(struct batch *b, uint64_t id, bool locks)
{
	struct conv *c = conv_find(b, id);
	if (c == NULL) {
		c = conv_add(b, conversation_is_group(id) ? &conv_group : &conv_direct);
		c->id = id;
		HASH_ADD(by_id, b->by_id, id, sizeof(c->id), c);
	}
	c->locks |= locks;
	return c;
}

/* Another database than before, perhaps restored from a copy: what was remembered of the conversation does not hold. */
void conv_forget(struct batch *b, struct conv *c)
{
	pairs_forget(b->pairs, &c->pair);
	c->stopped = true; /* for this batch: who named it by its id may be right */
}

static struct member *member_add(struct batch *b, struct conv *c, struct str user)
{
	struct member *m = arena_alloc(&b->arena, sizeof(*m));
	m->conv = c;
	m->user = user;
	return m;
}

void conv_set_pair(struct batch *b, struct conv *c, const struct pair_key *pair)
{
	c->pair = *pair;
	c->members = member_add(b, c, pair_key_user(&c->pair, 0));
	c->members->next = member_add(b, c, pair_key_user(&c->pair, 1));
}

bool conv_recall_pair(struct batch *b, struct conv *c)
{
	struct pair_key key;
	struct conv *other;
	if (c->pair.len != 0)
		return true;
	if (!pairs_find_users(b->pairs, c->id, &key))
		return false;
	HASH_FIND(by_pair, b->by_pair, key.text, key.len, other);
	if (other != NULL)
		return false;
	conv_set_pair(b, c, &key);
	HASH_ADD_KEYPTR(by_pair, b->by_pair, c->pair.text, c->pair.len, c);
	return true;
}

struct conv *batch_conv_by_pair(struct batch *b, struct str one, struct str other)
{
	struct pair_key key = pair_key_make(one, other);
	struct conv *c;
	HASH_FIND(by_pair, b->by_pair, key.text, key.len, c);
	if (c != NULL)
		return c;
	uint64_t id = pairs_find(b->pairs, &key);
	c = id != 0 ? batch_conv_by_id(b, id, true) : conv_add(b, &conv_direct);
	if (c->pair.len != 0) {
		/* Two pairs have one conversation: at least one is remembered wrongly. */
		conv_forget(b, c);
		pairs_forget(b->pairs, &key);
		c = conv_add(b, &conv_direct);
	}
	conv_set_pair(b, c, &key);
	HASH_ADD_KEYPTR(by_pair, b->by_pair, c->pair.text, c->pair.len, c);
	return c;
}

void conv_give_id(struct batch *b, struct conv *c, uint64_t id)
{
	struct conv *named = conv_find(b, id);
	if (named == NULL) {
		c->id = id;
		c->locks = true;
		HASH_ADD(by_id, b->by_id, id, sizeof(c->id), c);
	} else if (named != c) {
		if (named->pair.len != 0 && !pair_key_equal(&named->pair, &c->pair))
			conv_forget(b, named);
		named->made |= c->made;
		c->same = named;
	}
}

uint64_t conv_new_messages(const struct batch *b, const struct conv *c)
{
	bool only = !c->changed && c->last_ms == b->now_ms && c->sort_ms == b->active_ms;
	return only ? c->last_seq - c->stored_seq : 0;
}

bool conv_put_alike(struct batch *b, bool (*takes)(const struct batch *b, const struct conv *c, const void *what),
		    void (*begin)(struct batch *b, const void *what), const void *what)
{
	unsigned rows = 0;
	bool first = true;
	for (struct conv *c = b->convs; c != NULL; c = c->next) {
		if (!c->dirty || c->written || !takes(b, c, what))
			continue;
		ASSERT(c->locked && c->id != 0);
		c->written = true;
		if (first)
			begin(b, what);
		sql_comma(&b->text, &first);
		sql_u64(&b->text, c->id);
		rows++;
	}
	if (first)
		return false;
	buf_append_char(&b->text, ')');
	sql_expect(batch_begin_stmt(b, STMT_PLAIN, NULL), rows);
	return true;
}

/* ---- what members have set for themselves ---- */

void conv_take_own(struct member *m, struct row *row)
{
	m->was_archived = !row_next_is_null(row);
	m->archived_seq = row_take_u64(row);
	m->marked = row_take_bool(row);
}

/* "UPDATE …", of the member's row, or of what the conversation's has of them; the assignment follows. */
static struct buf *begin_own(struct batch *b, const struct member *m)
{
	struct buf *out = batch_update(b);
	if (m->conv->kind == &conv_group)
		sql_lit(out, "UPDATE members SET ");
	else
		buf_printf(out, "UPDATE conversations SET user%d_", m == m->conv->members ? 1 : 2);
	return out;
}

static void end_own(struct batch *b, struct buf *out, const struct member *m)
{
	if (m->conv->kind == &conv_group) {
		sql_lit(out, " WHERE user_id=");
		sql_str(out, m->user);
		sql_lit(out, " AND conversation_id=");
	} else {
		sql_lit(out, " WHERE id=");
	}
	sql_u64(out, m->conv->id);
	batch_expect(b, 1);
}

/* So that it is found by a cursor; cleared_seq: what is set with it, where `clears`. */
static void note_settings(struct batch *b, const struct member *m, bool clears, uint64_t cleared_seq)
{
	struct buf *out = batch_update(b);
	sql_lit(out, "INSERT INTO conversation_settings (user_id,conversation_id,changed_at,cleared_seq) VALUES (");
	sql_str(out, m->user);
	buf_append_char(out, ',');
	sql_u64(out, m->conv->id);
	buf_append_char(out, ',');
	sql_time(out, b->active_ms);
	buf_append_char(out, ',');
	if (clears)
		sql_u64(out, cleared_seq);
	else
		sql_lit(out, "NULL");
	sql_lit(out, ") ON DUPLICATE KEY UPDATE changed_at=GREATEST(changed_at,VALUES(changed_at))");
	if (clears)
		sql_lit(out, ",cleared_seq=VALUES(cleared_seq)");
}

/* It is written back. */
static void set_dirty(struct member *m)
{
	if (m->conv->kind == &conv_group)
		m->dirty = true;
	else
		m->conv->dirty = true;
}

bool conv_unmark(struct batch *b, struct member *m)
{
	if (!m->marked)
		return false;
	m->marked = false;
	set_dirty(m);
	struct buf *out = begin_own(b, m);
	sql_lit(out, "marked=NULL");
	end_own(b, out, m);
	note_settings(b, m, false, 0);
	return true;
}

void conv_clear(struct batch *b, struct member *m, uint64_t up_to_seq)
{
	m->first_seq = up_to_seq + 1;
	m->moved = true;
	set_dirty(m);
	struct buf *out = begin_own(b, m);
	if (m->conv->kind == &conv_group)
		sql_lit(out, "rule_seq=COALESCE(rule_seq,first_seq),");
	sql_lit(out, "first_seq=");
	sql_u64(out, m->first_seq);
	end_own(b, out, m);
	note_settings(b, m, true, up_to_seq);
}

void conv_keep_archived(struct batch *b, struct member *m)
{
	uint64_t last_seq = m->conv->last_seq;
	if (!m->was_archived || m->archived_seq != last_seq - 1)
		return;
	m->archived_seq = last_seq;
	struct buf *out = begin_own(b, m);
	sql_lit(out, "archived_seq=");
	sql_u64(out, last_seq);
	end_own(b, out, m);
}

/* ---- members ---- */

/* Of a group's member in the batch: the group's id, and the user. */
struct member_key {
	size_t len;
	char text[sizeof(uint64_t) + USER_ID_MAX];
};

static struct member_key member_key_make(const struct conv *c, struct str user)
{
	struct member_key k = {.len = sizeof(c->id) + user.len};
	ASSERT(user.len <= USER_ID_MAX);
	memcpy(k.text, &c->id, sizeof(c->id));
	memcpy(k.text + sizeof(c->id), user.s, user.len);
	return k;
}

struct member *conv_group_asked(struct batch *b, const struct conv *c, struct str user)
{
	struct member_key k = member_key_make(c, user);
	struct member *m;
	HASH_FIND(hh, b->members, k.text, k.len, m);
	return m;
}

void batch_ask_member(struct batch *b, struct conv *c, struct str user)
{
	if (c->kind != &conv_group || conv_group_asked(b, c, user) != NULL)
		return;
	struct member_key k = member_key_make(c, user);
	struct str key = arena_str(&b->arena, (struct str){k.text, k.len});
	struct member *m = member_add(b, c, (struct str){key.s + sizeof(c->id), user.len});
	m->next = c->members;
	c->members = m;
	HASH_ADD_KEYPTR(hh, b->members, key.s, key.len, m);
}

struct member *conv_member(struct batch *b, struct conv *c, struct str user)
{
	struct member *m;
	if (c->kind == &conv_group)
		m = conv_group_asked(b, c, user);
	else
		for (m = c->members; m != NULL && !str_equal(m->user, user); m = m->next)
			;
	return m != NULL && m->present ? m : NULL;
}
