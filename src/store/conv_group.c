/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups: their heads, and those of their members that a batch asked for; who may send and recall; and what messages
 * and recalls do to both. A message writes its own row, the head's, and its sender's in members, no matter the group's
 * size: what is unread is computed from seqs.
 *
 * The members' rows are locked with the heads, all in the order of their keys. So none of them can go, nor be in
 * anybody's way, until they are written back.
 */
#include "core/base.h"
#include "store/conv.h"

#include "store/group.h"
#include "store/lane_priv.h"
#include "store/mention.h"
#include "store/sql.h"
#include "store/unread.h"

/* Anyone may mention everyone in groups of up to this number of members. */
#define MENTIONS_ALL_MEMBERS 20
/* Members that are written by one list. */
#define SENDERS_MAX 64

#define HEAD_COLUMNS                                                                                                   \
	"id,last_seq,change_seq,uncounted_seq,all_seq,member_count,send_policy,slow_mode_secs,last_message_time,"      \
	"sort_time,active_at,dissolved_at,expires_in,kept_seq"
#define MEMBER_COLUMNS                                                                                                 \
	"user_id,conversation_id,role,joined_seq,first_seq,read_seq,read_at,deleted_seq,mention_seq,muted_until,"      \
	"last_sent_at,archived_seq,marked"

/* ---- what is read ---- */

static void put_heads_of(struct buf *text, const uint64_t *ids, size_t n)
{
	/* Forced, for a scan of a small table would lock everybody's rows. */
	sql_lit(text, "SELECT " HEAD_COLUMNS " FROM group_heads FORCE INDEX (PRIMARY) WHERE id IN (");
	batch_put_ids(text, ids, n);
	buf_append_char(text, ')');
}

static void put_lock_heads(struct batch *b)
{
	const uint64_t *ids;
	size_t n = batch_conv_ids(b, &conv_group, true, &ids);
	if (n == 0)
		return;
	struct buf *text = batch_begin_stmt(b, STMT_HEADS, NULL);
	put_heads_of(text, ids, n);
	sql_lit(text, " ORDER BY id");
	batch_put_lock_end(b, text);
	if (!b->skip_locked)
		return;
	text = batch_begin_stmt(b, STMT_STANDING, NULL);
	sql_lit(text, "SELECT id FROM group_heads WHERE id IN (");
	batch_put_ids(text, ids, n);
	buf_append_char(text, ')');
}

/* Those that are only read. */
static void put_heads_seen(struct batch *b)
{
	const uint64_t *ids;
	size_t n = batch_conv_ids(b, &conv_group, false, &ids);
	if (n != 0)
		put_heads_of(batch_begin_stmt(b, STMT_HEADS, NULL), ids, n);
}

static void put_members(struct batch *b, struct buf *text)
{
	bool first = true;
	sql_lit(text, " FROM members FORCE INDEX (PRIMARY) WHERE (user_id,conversation_id) IN (");
	for (const struct member *m = b->members; m != NULL; m = m->hh.next) {
		sql_comma(text, &first);
		buf_append_char(text, '(');
		sql_str(text, m->user);
		buf_append_char(text, ',');
		sql_u64(text, m->conv->id);
		buf_append_char(text, ')');
	}
	buf_append_char(text, ')');
}

static void put_lock_members(struct batch *b)
{
	if (b->members == NULL)
		return;
	struct buf *text = batch_begin_stmt(b, STMT_MEMBERS, NULL);
	sql_lit(text, "SELECT " MEMBER_COLUMNS);
	put_members(b, text);
	sql_lit(text, " ORDER BY user_id,conversation_id");
	batch_put_lock_end(b, text);
	if (!b->skip_locked)
		return;
	text = batch_begin_stmt(b, STMT_MEMBERS_STANDING, NULL);
	sql_lit(text, "SELECT user_id,conversation_id");
	put_members(b, text);
}

void conv_group_put_locks(struct batch *b)
{
	put_lock_heads(b);
	put_lock_members(b);
	put_heads_seen(b);
}

void conv_group_row_head(struct batch *b, struct row *row)
{
	struct conv *c = conv_find(b, row_take_u64(row));
	if (c == NULL)
		return;
	c->known = true;
	c->locked = c->locks;
	c->stored_seq = c->last_seq = row_take_u64(row);
	c->change_seq = row_take_u64(row);
	c->uncounted_seq = row_take_u64(row);
	c->all_seq = row_take_u64(row);
	c->member_count = row_take_u64(row);
	c->only_admins_send = row_take_u64(row) != 0;
	c->slow_mode_secs = (unsigned)row_take_u64(row);
	c->last_ms = row_take_ms(row);
	c->sort_ms = row_take_ms(row);
	c->active_ms = row_take_ms(row);
	c->dissolved_ms = row_take_ms(row);
	c->expires_in_secs = row_take_u64(row);
	c->kept_seq = row_take_u64(row);
}

static struct member *take_member(struct batch *b, struct row *row)
{
	struct str user = row_take_str(row);
	struct conv *c = conv_find(b, row_take_u64(row));
	return c != NULL && user.s != NULL && user.len <= USER_ID_MAX ? conv_group_asked(b, c, user) : NULL;
}

void conv_group_row_member(struct batch *b, struct row *row)
{
	struct member *m = take_member(b, row);
	if (m == NULL)
		return;
	m->present = true;
	m->role = row_take_role(row);
	m->joined_seq = row_take_u64(row);
	m->first_seq = row_take_u64(row);
	m->stored.read_seq = m->read_seq = row_take_u64(row);
	m->read_ms = row_take_ms(row);
	m->stored.deleted_seq = m->deleted_seq = row_take_u64(row);
	m->stored.mention_seq = m->mention_seq = row_take_u64(row);
	m->muted_until_ms = row_take_ms(row);
	m->last_sent_ms = row_take_ms(row);
	conv_take_own(m, row);
}

void conv_group_row_standing(struct batch *b, struct row *row)
{
	struct member *m = take_member(b, row);
	if (m != NULL && !m->present)
		m->conv->skipped = true;
}

/* ---- who may do what ---- */

static bool is_admin(const struct member *m)
{
	return m->role == GROUP_OWNER || m->role == GROUP_ADMIN;
}

/* Of a member who is no admin. */
static enum store_status check_writes(const struct batch *b, const struct member *m, bool mentions_all)
{
	const struct conv *c = m->conv;
	if (m->muted_until_ms > b->now_ms)
		return STORE_MUTED;
	if (c->only_admins_send)
		return STORE_SENDING_RESTRICTED;
	return mentions_all && c->member_count > MENTIONS_ALL_MEMBERS ? STORE_MENTIONS_ALL : STORE_OK;
}

static enum store_status check_member_sends(const struct batch *b, const struct conv *c, struct conv_send *check)
{
	const struct member *m = check->from;
	enum store_status may = check_writes(b, m, check->p->mentions_all);
	if (may == STORE_MUTED)
		check->retry_ms = m->muted_until_ms - b->now_ms;
	if (may != STORE_OK)
		return may;
	/* Never longer, also where a clock was set back. */
	int64_t slow_ms = (int64_t)c->slow_mode_secs * 1000, left_ms = m->last_sent_ms + slow_ms - b->now_ms;
	check->retry_ms = left_ms < slow_ms ? left_ms : slow_ms;
	return slow_ms != 0 && m->last_sent_ms != 0 && left_ms > 0 ? STORE_SLOW_MODE : STORE_OK;
}

/* For the operator who is no member one is made up, whose row is never written. */
static struct member *sender(struct batch *b, struct conv *c, const struct store_send *p)
{
	if (!c->locked)
		return NULL;
	return p->by_operator ? conv_group_asked(b, c, p->from) : conv_member(b, c, p->from);
}

static bool group_check_send(struct batch *b, struct conv *c, struct conv_send *check)
{
	const struct store_send *p = check->p;
	check->from = sender(b, c, p);
	if (check->from == NULL)
		check->status = STORE_NOT_FOUND;
	else if (c->dissolved_ms != 0)
		check->status = STORE_GROUP_DISSOLVED;
	else
		check->status = p->by_operator || is_admin(check->from) ? STORE_OK : check_member_sends(b, c, check);
	uint64_t reply_seq = message_id_seq(p->reply_to);
	if (check->status == STORE_OK && p->reply_to != 0 && reply_seq < conv_first_seq(check->from))
		check->status = STORE_BAD_REPLY;
	return true;
}

static enum store_status group_check_recall(const struct member *by, const struct held *h, bool *any_time_r)
{
	bool own = str_is(by->user, h->m.from);
	bool over = by->role == GROUP_OWNER ||
		    (by->role == GROUP_ADMIN && !own && (h->author == GROUP_MEMBER || h->author == GROUP_NO_ROLE));
	*any_time_r = over;
	if (h->m.type == MESSAGE_SYSTEM)
		return STORE_ROLE;
	return own || over ? STORE_OK : STORE_NOT_SENDER;
}

/* Slow mode is about new messages; and where only admins send, members may still do without words. */
static enum store_status group_check_change(struct batch *b, struct member *by, const struct conv_check *check)
{
	if (by->conv->dissolved_ms != 0)
		return STORE_GROUP_DISSOLVED;
	if (is_admin(by))
		return STORE_OK;
	enum store_status may = check_writes(b, by, check->mentions_all);
	return may == STORE_SENDING_RESTRICTED && !check->speaks ? STORE_OK : may;
}

/* ---- what is done to it ---- */

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void conv_group_move(struct batch *b, struct member *m, uint64_t read_seq)
{
	m->read_seq = read_seq;
	m->read_ms = b->now_ms;
	m->moved = m->dirty = true;
}

/* Sending reads up to the new message, so that nobody's own messages are unread. */
static void group_sent(struct batch *b, struct member *from, const struct message *m)
{
	struct conv *c = from->conv;
	c->active_ms = later(b->active_ms, c->active_ms);
	if (!from->present)
		return;
	from->last_sent_ms = b->now_ms;
	from->marks |= c->last_seq - from->read_seq > GROUP_SENT_READS_MAX &&
		       c->member_count <= (uint64_t)b->conf->groups.receipts_max;
	conv_group_move(b, from, c->last_seq);
	conv_keep_archived(b, from);
}

static void group_mentioned(struct batch *b, struct member *from, const struct message *m, struct member *who)
{
	uint64_t seq = message_id_seq(m->id);
	if (who == NULL) {
		from->conv->all_seq = seq > from->conv->all_seq ? seq : from->conv->all_seq;
	} else {
		who->mention_seq = seq > who->mention_seq ? seq : who->mention_seq;
		who->dirty = true;
	}
	batch_note_mention(b, who != NULL ? who->user : MENTION_EVERYONE, m);
}

static struct str group_mention_of(struct member *from, struct str user)
{
	return str_equal(user, from->user) ? STR_NULL : user;
}

static void group_recalled(struct batch *b, struct conv *c, const struct held *h)
{
	uint64_t seq = message_id_seq(h->m.id);
	batch_begin_row(&b->insert_uncounted);
	unread_put_uncounted(&b->insert_uncounted, seq);
	sql_u64(&b->insert_uncounted, c->id);
	buf_append_char(&b->insert_uncounted, ')');
	c->uncounted_seq = seq > c->uncounted_seq ? seq : c->uncounted_seq;
	c->active_ms = later(b->active_ms, c->active_ms);
}

static void group_changed(struct batch *b, struct member *by)
{
	by->conv->active_ms = later(b->active_ms, by->conv->active_ms);
}

/* ---- what is written ---- */

/* All that happened to the head is so many messages, none of which mentions everyone. */
static bool adds_only(const struct batch *b, const struct conv *c, const void *count)
{
	return c->kind == &conv_group && conv_new_messages(b, c) == *(const unsigned *)count &&
	       c->active_ms == b->active_ms && c->all_seq <= c->stored_seq;
}

static void begin_adds(struct batch *b, const void *count)
{
	unsigned n = *(const unsigned *)count;
	struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
	buf_printf(text, "UPDATE group_heads FORCE INDEX (PRIMARY) SET last_seq=last_seq+%u,last_message_time=", n);
	sql_time(text, b->now_ms);
	sql_lit(text, ",sort_time=");
	sql_time(text, b->active_ms);
	sql_lit(text, ",active_at=");
	sql_time(text, b->active_ms);
	sql_lit(text, " WHERE id IN (");
}

static void put_numbers(struct buf *text, const uint64_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sql_u64(text, numbers[i]);
		buf_append_char(text, ',');
	}
}

static void put_head(struct buf *text, const struct conv *c)
{
	const uint64_t numbers[] = {c->id, c->last_seq, c->change_seq, c->uncounted_seq, c->all_seq};
	buf_append_char(text, '(');
	put_numbers(text, numbers, ARRAY_LEN(numbers));
	sql_time(text, c->last_ms);
	buf_append_char(text, ',');
	sql_time(text, c->sort_ms);
	buf_append_char(text, ',');
	sql_time(text, c->active_ms);
	buf_append_char(text, ',');
	sql_time(text, c->active_ms);
	buf_append_char(text, ')');
}

/* As with direct conversations: the rows exist and are locked, so each meets its primary key and is updated. */
static bool put_other_heads(struct batch *b)
{
	bool first = true;
	for (struct conv *c = b->convs; c != NULL; c = c->next) {
		if (!c->dirty || c->written || c->kind != &conv_group)
			continue;
		ASSERT(c->locked);
		if (first)
			sql_lit(batch_begin_stmt(b, STMT_PLAIN, NULL),
				"INSERT INTO group_heads (id,last_seq,change_seq,uncounted_seq,all_seq,"
				"last_message_time,sort_time,active_at,created_at) VALUES ");
		sql_comma(&b->text, &first);
		put_head(&b->text, c);
	}
	if (!first)
		sql_lit(&b->text, " ON DUPLICATE KEY UPDATE last_seq=VALUES(last_seq),change_seq=VALUES(change_seq),"
				  "uncounted_seq=VALUES(uncounted_seq),all_seq=VALUES(all_seq),"
				  "last_message_time=VALUES(last_message_time),sort_time=VALUES(sort_time),"
				  "active_at=VALUES(active_at)");
	return !first;
}

/* All that happened to the member is that they have sent. */
static bool is_sender_alone(const struct batch *b, const struct member *m)
{
	return m->dirty && m->read_ms == b->now_ms && m->last_sent_ms == b->now_ms &&
	       m->read_seq != m->stored.read_seq && m->deleted_seq == m->stored.deleted_seq &&
	       m->mention_seq == m->stored.mention_seq;
}

/* A list of one would make MariaDB read the whole table. */
static void put_where_senders(struct buf *text, struct member *const *m, size_t n)
{
	if (n == 1) {
		sql_lit(text, " WHERE user_id=");
		sql_str(text, m[0]->user);
		sql_lit(text, " AND conversation_id=");
		sql_u64(text, m[0]->conv->id);
		return;
	}
	sql_lit(text, " WHERE (user_id,conversation_id) IN (");
	for (size_t i = 0; i < n; i++) {
		buf_append_str(text, i != 0 ? STR_LIT(",(") : STR_LIT("("));
		sql_str(text, m[i]->user);
		buf_append_char(text, ',');
		sql_u64(text, m[i]->conv->id);
		buf_append_char(text, ')');
	}
	buf_append_char(text, ')');
}

static void put_list_of_senders(struct batch *b, struct member *const *m, size_t n)
{
	struct buf *text = batch_begin_stmt(b, STMT_PLAIN, NULL);
	sql_lit(text, "UPDATE members FORCE INDEX (PRIMARY) SET read_seq=ELT(FIELD(conversation_id");
	for (size_t i = 0; i < n; i++) {
		buf_append_char(text, ',');
		sql_u64(text, m[i]->conv->id);
	}
	buf_append_char(text, ')');
	for (size_t i = 0; i < n; i++) {
		buf_append_char(text, ',');
		sql_u64(text, m[i]->read_seq);
	}
	sql_lit(text, "),read_at=");
	sql_time(text, b->now_ms);
	sql_lit(text, ",last_sent_at=");
	sql_time(text, b->now_ms);
	put_where_senders(text, m, n);
	sql_expect(batch_begin_stmt(b, STMT_PLAIN, NULL), n);
}

static bool is_listed(struct member *const *list, size_t n, const struct conv *c)
{
	while (n > 0 && list[n - 1]->conv != c)
		n--;
	return n > 0;
}

/* One of a group is in a list. MariaDB looks through it for each row, so that it has to be short. */
static bool put_senders(struct batch *b)
{
	struct member *list[SENDERS_MAX];
	size_t n = 0;
	bool wrote = false;
	for (struct member *m = b->members; m != NULL; m = m->hh.next) {
		if (!is_sender_alone(b, m) || is_listed(list, n, m->conv))
			continue;
		ASSERT(m->present);
		m->listed = wrote = true;
		list[n++] = m;
		if (n == SENDERS_MAX) {
			put_list_of_senders(b, list, n);
			n = 0;
		}
	}
	if (n != 0)
		put_list_of_senders(b, list, n);
	return wrote;
}

static void put_member(struct buf *text, const struct member *m, int64_t now_ms)
{
	const uint64_t numbers[] = {m->conv->id, (uint64_t)m->role, m->joined_seq, m->first_seq,
				    m->read_seq, m->deleted_seq,    m->mention_seq};
	buf_append_char(text, '(');
	sql_str(text, m->user);
	buf_append_char(text, ',');
	put_numbers(text, numbers, ARRAY_LEN(numbers));
	sql_time(text, m->read_ms);
	buf_append_char(text, ',');
	sql_time(text, m->last_sent_ms);
	buf_append_char(text, ',');
	sql_time(text, now_ms);
	buf_append_char(text, ')');
}

static bool put_other_members(struct batch *b)
{
	bool first = true;
	for (const struct member *m = b->members; m != NULL; m = m->hh.next) {
		if (!m->dirty || m->listed)
			continue;
		ASSERT(m->present);
		if (first)
			sql_lit(batch_begin_stmt(b, STMT_PLAIN, NULL),
				"INSERT INTO members (user_id,conversation_id,role,joined_seq,first_seq,read_seq,"
				"deleted_seq,mention_seq,read_at,last_sent_at,joined_at) VALUES ");
		sql_comma(&b->text, &first);
		put_member(&b->text, m, b->now_ms);
	}
	if (!first)
		sql_lit(&b->text, " ON DUPLICATE KEY UPDATE read_seq=VALUES(read_seq),deleted_seq=VALUES(deleted_seq),"
				  "mention_seq=VALUES(mention_seq),read_at=VALUES(read_at),"
				  "last_sent_at=VALUES(last_sent_at)");
	return !first;
}

bool conv_group_put_write(struct batch *b)
{
	for (const struct member *m = b->members; m != NULL; m = m->hh.next)
		if (m->marks)
			batch_note_mark(b, m->conv->id, m->user, m->read_seq);
	static const unsigned counts[] = {1, 2};
	bool wrote = false;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		wrote |= conv_put_alike(b, adds_only, begin_adds, &counts[i]);
	wrote |= put_other_heads(b);
	wrote |= put_senders(b);
	return put_other_members(b) || wrote;
}

const struct conv_kind conv_group = {
	.check_send = group_check_send,
	.sent = group_sent,
	.mentioned = group_mentioned,
	.mention_of = group_mention_of,
	.check_recall = group_check_recall,
	.recalled = group_recalled,
	.check_change = group_check_change,
	.changed = group_changed,
};
