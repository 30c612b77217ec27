/* SPDX-License-Identifier: BSD-2-Clause */
/* What the steps of group.h write in common: the message that tells of it, who comes in, who goes out, the head. */
#include "core/base.h"
#include "store/group_priv.h"

#include "core/log.h"
#include "store/sql.h"
#include "store/unread.h"

/*
 * Written later than this after its locks, a cursor of a sync could pass the times in it: COMMIT follows at once, or
 * never once the server has ended a silent connection (wait_timeout in settings.c), and both together are less than the
 * margin of a sync.
 */
#define STALE_MS 1500
/* The table `activity` is moved this often; the margin of a sync is much longer. */
#define RAISE_MS 1000
/* Who goes out may leave a row in group_leavers, and drops some of those that say nothing any more. */
#define OLD_LEAVERS 8

/* ---- who may ---- */

enum store_status group_may(const struct change_group *c, enum group_role least)
{
	if (c->op.by_operator)
		return STORE_OK;
	if (c->actor->role == GROUP_NO_ROLE)
		return STORE_NOT_FOUND;
	return c->actor->role <= least ? STORE_OK : STORE_ROLE;
}

enum store_status group_may_add(const struct change_group *c)
{
	return group_may(c, c->head.settings.add_admins ? GROUP_ADMIN : GROUP_MEMBER);
}

enum store_status group_is_alive(const struct change_group *c)
{
	if (c->head.dissolved_ms != 0)
		return STORE_GROUP_DISSOLVED;
	return c->head.last_seq >= MESSAGE_SEQ_MAX ? STORE_FULL : STORE_OK;
}

/* ---- pieces ---- */

void group_put_next(struct buf *text)
{
	if (text->len != 0)
		buf_append_char(text, ';');
}

void group_put_id(struct buf *text, const struct change_group *c)
{
	if (c->id != 0)
		sql_u64(text, c->id);
	else
		sql_lit(text, "@g");
}

void group_put_where(struct buf *text, const struct change_group *c, struct str user)
{
	sql_lit(text, " WHERE user_id=");
	sql_str(text, user);
	sql_lit(text, " AND conversation_id=");
	group_put_id(text, c);
}

/* Begins a statement that fails, so that the transaction runs again, where the condition that follows is true. */
static void put_fail_if(struct buf *text)
{
	group_put_next(text);
	sql_lit(text, "SET @found=IF(");
}

static void put_fail_if_end(struct buf *text)
{
	sql_lit(text, ",(SELECT 1 UNION SELECT 2),0)");
}

/* ---- the message ---- */

static struct str make_extra(struct arena *a, const char *event, const struct str *ids, size_t count)
{
	/* No character of an id needs to be escaped. */
	struct buf out = {0};
	buf_printf(&out, "{\"event\":\"%s\",\"user_ids\":[", event);
	for (size_t i = 0; i < count; i++) {
		buf_append(&out, i != 0 ? ",\"" : "\"", i != 0 ? 2 : 1);
		buf_append_str(&out, ids[i]);
		buf_append_char(&out, '"');
	}
	buf_append(&out, "]}", 2);
	struct str copy = arena_str(a, (struct str){out.data, out.len});
	buf_fini(&out);
	return copy;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void group_say(struct change_group *c, const char *event, const struct str *ids, size_t count)
{
	struct group_head *h = &c->head;
	bool imported = c->op.step == GROUP_IMPORT && c->op.created_ms != 0;
	int64_t at = later(imported ? c->op.created_ms : c->now_ms, h->last_ms);
	c->now.gap_ms = h->last_seq > 0 ? at - h->last_ms : INT64_MAX;
	h->last_seq++;
	h->uncounted_seq = h->last_seq;
	h->last_ms = at;
	/* Never before what `activity` says, so that no cursor of a sync has passed it. */
	int64_t active = later(c->now_ms, c->activity_ms);
	h->sort_ms = later(imported ? at : active, h->sort_ms);
	h->active_ms = later(active, h->active_ms);
	h->dirty = true;
	c->message = (struct message){
		.id = message_id_make(c->id, h->last_seq),
		.type = MESSAGE_SYSTEM,
		.extra = make_extra(&c->txn.arena, event, ids, count),
		.created_ms = at,
	};
	memcpy(c->message.from, c->actor->id.s, c->actor->id.len);
	c->now.message = &c->message;
}

/* In a group that this transaction makes the id is known to the database alone. */
static void put_message_id(struct buf *text, const struct change_group *c)
{
	if (c->id != 0)
		sql_u64(text, c->message.id);
	else
		buf_printf(text, "(@g<<%d)+%llu", MESSAGE_SEQ_BITS, (unsigned long long)c->head.last_seq);
}

static void put_message(const struct change_group *c, struct buf *text)
{
	group_put_next(text);
	sql_lit(text, "INSERT INTO messages (id,from_user_id,to_user_id,message_type,extra,client_msg_id,created_at) "
		      "VALUES (");
	put_message_id(text, c);
	buf_append_char(text, ',');
	sql_str(text, c->actor->id);
	sql_lit(text, ",'',");
	sql_u64(text, MESSAGE_SYSTEM);
	buf_append_char(text, ',');
	sql_str(text, c->message.extra);
	buf_append_char(text, ',');
	sql_str(text, str_from(c->client_msg_id));
	buf_append_char(text, ',');
	sql_time(text, c->message.created_ms);
	sql_lit(text, ");INSERT INTO uncounted (block,bits,conversation_id) VALUES (");
	unread_put_uncounted(text, c->head.last_seq);
	group_put_id(text, c);
	sql_lit(text, ") ON DUPLICATE KEY UPDATE bits=uncounted.bits|VALUES(bits)");
}

/* ---- the head ---- */

static void put_head(const struct change_group *c, struct buf *text)
{
	const struct group_head *h = &c->head;
	const struct {
		const char *column;
		uint64_t value;
	} numbers[] = {
		{"last_seq", h->last_seq},
		{"uncounted_seq", h->uncounted_seq},
		{"member_count", h->member_count},
		{"join_policy", h->settings.join},
		{"history_policy", h->settings.history_joined},
		{"send_policy", h->settings.send_admins},
		{"add_policy", h->settings.add_admins},
		{"slow_mode_secs", h->settings.slow_mode_secs},
	};
	const struct {
		const char *column;
		int64_t ms;
	} times[] = {
		{"last_message_time", h->last_ms},
		{"sort_time", h->sort_ms},
		{"active_at", h->active_ms},
		{"dissolved_at", h->dissolved_ms},
	};
	group_put_next(text);
	sql_lit(text, "UPDATE group_heads SET expires_in=");
	if (h->expiry_secs != 0)
		sql_u64(text, h->expiry_secs);
	else
		sql_lit(text, "NULL");
	buf_append_char(text, ',');
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		buf_printf(text, "%s=", numbers[i].column);
		sql_u64(text, numbers[i].value);
		buf_append_char(text, ',');
	}
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		buf_printf(text, "%s%s=", i != 0 ? "," : "", times[i].column);
		sql_time(text, times[i].ms);
	}
	sql_lit(text, " WHERE id=");
	group_put_id(text, c);
	buf_append_char(text, ';');
	sql_expect(text, 1);
}

void group_put_end(struct change_group *c, struct buf *text)
{
	if (c->now.message != NULL)
		put_message(c, text);
	if (c->head.dirty)
		put_head(c, text);
	/* The last row that is locked, so that nobody who waits for it keeps another one from us. */
	if (c->now.message != NULL && c->head.active_ms >= c->activity_ms + RAISE_MS) {
		sql_lit(text, ";UPDATE activity SET at=GREATEST(at,");
		sql_time(text, c->head.active_ms);
		sql_lit(text, ") WHERE id=1");
	}
	put_fail_if(text);
	sql_lit(text, "UTC_TIMESTAMP(3)>");
	sql_time(text, c->db_ms + STALE_MS);
	put_fail_if_end(text);
}

/* ---- who comes and goes ---- */

void group_let_in(struct change_group *c, struct group_person *p, enum group_role as)
{
	p->comes = true;
	if (p->muted_until_ms <= c->now_ms)
		p->muted_until_ms = 0;
	p->as = as;
	c->in[c->now.in_count++] = p->id;
	c->now.in = c->in;
	c->head.member_count++;
}

/* Begins a list of those who come in; false for the first one that is none. */
static bool next_in(const struct change_group *c, size_t *at, const struct group_person **p_r)
{
	while (*at < c->person_count) {
		*p_r = &c->person[(*at)++];
		if ((*p_r)->comes)
			return true;
	}
	return false;
}

static void put_ids_in(const struct change_group *c, struct buf *text, bool uncounted)
{
	const struct group_person *p;
	bool first = true;
	for (size_t i = 0; next_in(c, &i, &p);) {
		if (uncounted && p->counted)
			continue;
		sql_comma(text, &first);
		sql_str(text, p->id);
	}
}

/*
 * Who had no row could not be locked. Where a group that another transaction changes was the first one as well, the
 * second of the two finds that here.
 */
static void put_counts(const struct change_group *c, struct buf *text)
{
	const struct group_person *p;
	bool first = true, all_counted = true;
	group_put_next(text);
	sql_lit(text, "INSERT INTO group_counts (user_id,n) VALUES ");
	for (size_t i = 0; next_in(c, &i, &p);) {
		sql_comma(text, &first);
		buf_append_char(text, '(');
		sql_str(text, p->id);
		sql_lit(text, ",1)");
		all_counted &= p->counted;
	}
	sql_lit(text, " ON DUPLICATE KEY UPDATE n=group_counts.n+1");
	if (all_counted)
		return;
	put_fail_if(text);
	sql_lit(text, "EXISTS(SELECT 1 FROM group_counts FORCE INDEX (PRIMARY) WHERE user_id IN (");
	put_ids_in(c, text, true);
	sql_lit(text, ") AND n>");
	sql_u64(text, c->max_per_user);
	buf_append_char(text, ')');
	put_fail_if_end(text);
}

/* What a member has deleted is so for good, also where they come back. */
static void put_deleted_seq(const struct change_group *c, struct buf *text, struct str user)
{
	if (c->id == 0) {
		buf_append_char(text, '0');
		return;
	}
	sql_lit(text, "COALESCE((SELECT d.last_seq FROM deletions d FORCE INDEX (PRIMARY) WHERE d.user_id=");
	sql_str(text, user);
	sql_lit(text, " AND d.conversation_id=");
	group_put_id(text, c);
	sql_lit(text, " ORDER BY d.first_seq DESC LIMIT 1),0)");
}

static void put_members(struct change_group *c, struct buf *text)
{
	const struct group_person *p;
	bool first = true;
	group_put_next(text);
	sql_lit(text, "INSERT INTO members (user_id,conversation_id,role,joined_seq,first_seq,read_seq,joined_at,"
		      "muted_until,last_sent_at,deleted_seq) VALUES ");
	for (size_t i = 0; next_in(c, &i, &p);) {
		const uint64_t numbers[] = {p->as, c->head.last_seq, c->now.first_seq, c->head.last_seq};
		sql_comma(text, &first);
		buf_append_char(text, '(');
		sql_str(text, p->id);
		buf_append_char(text, ',');
		group_put_id(text, c);
		for (size_t k = 0; k < ARRAY_LEN(numbers); k++) {
			buf_append_char(text, ',');
			sql_u64(text, numbers[k]);
		}
		buf_append_char(text, ',');
		const int64_t times[] = {c->message.created_ms, p->muted_until_ms, p->last_sent_ms};
		for (size_t k = 0; k < ARRAY_LEN(times); k++) {
			sql_time(text, times[k]);
			buf_append_char(text, ',');
		}
		put_deleted_seq(c, text, p->id);
		buf_append_char(text, ')');
	}
}

static void put_drop_of_those_in(const struct change_group *c, struct buf *text, const char *table)
{
	buf_printf(text, ";DELETE r FROM %s r FORCE INDEX (PRIMARY) WHERE r.conversation_id=", table);
	group_put_id(text, c);
	sql_lit(text, " AND r.user_id IN (");
	put_ids_in(c, text, false);
	buf_append_char(text, ')');
}

void group_put_in(struct change_group *c, struct buf *text)
{
	ASSERT(c->now.message != NULL && c->now.in_count != 0);
	const struct group_person *p;
	bool asked = false, had_left = false;
	bool made = c->op.step == GROUP_CREATE || c->op.step == GROUP_IMPORT;
	c->now.first_seq = c->head.settings.history_joined && !made ? c->head.last_seq : 1;
	put_counts(c, text);
	put_members(c, text);
	for (size_t i = 0; next_in(c, &i, &p);) {
		asked |= p->asked;
		had_left |= p->has_left;
	}
	if (asked)
		put_drop_of_those_in(c, text, "group_requests");
	if (had_left)
		put_drop_of_those_in(c, text, "group_leavers");
}

/* What a mute and slow mode still say. Nobody writes the member's row meanwhile, for that takes the head's lock. */
static void put_leaver(const struct change_group *c, struct buf *text, struct str user)
{
	group_put_next(text);
	sql_lit(text, "INSERT INTO group_leavers (conversation_id,user_id,muted_until,last_sent_at,ends_at) SELECT "
		      "conversation_id,user_id,muted_until,last_sent_at,GREATEST(COALESCE(muted_until,joined_at),"
		      "COALESCE(last_sent_at+INTERVAL ");
	sql_u64(text, c->head.settings.slow_mode_secs);
	sql_lit(text, " SECOND,joined_at)) AS ends_at FROM members FORCE INDEX (PRIMARY)");
	group_put_where(text, c, user);
	sql_lit(text, " HAVING ends_at>");
	sql_time(text, c->now_ms);
	sql_lit(text, " ON DUPLICATE KEY UPDATE muted_until=VALUES(muted_until),last_sent_at=VALUES(last_sent_at),"
		      "ends_at=VALUES(ends_at);DELETE FROM group_leavers WHERE conversation_id=");
	group_put_id(text, c);
	sql_lit(text, " AND ends_at<=");
	sql_time(text, c->now_ms);
	buf_printf(text, " LIMIT %d", OLD_LEAVERS);
}

void group_put_out(struct change_group *c, struct buf *text, struct group_person *p)
{
	if (c->head.dissolved_ms == 0)
		put_leaver(c, text, p->id);
	group_put_next(text);
	sql_lit(text, "UPDATE group_counts SET n=n-1 WHERE user_id=");
	sql_str(text, p->id);
	sql_lit(text, " AND n>0;DELETE FROM members");
	group_put_where(text, c, p->id);
	buf_append_char(text, ';');
	sql_expect(text, 1);
	sql_lit(text, ";DELETE FROM conversation_settings");
	group_put_where(text, c, p->id);
	c->out = p->id;
	c->now.out = &c->out;
	c->now.out_count = 1;
	/* A counter that says 0 here, which a sound database never has, stays so. */
	c->head.member_count -= c->head.member_count != 0;
	c->head.dirty = true;
}

void group_put_close(struct change_group *c, struct buf *text)
{
	group_put_next(text);
	sql_lit(text, "DELETE r FROM group_requests r FORCE INDEX (PRIMARY) WHERE r.conversation_id=");
	group_put_id(text, c);
	sql_lit(text, ";DELETE l FROM group_leavers l FORCE INDEX (PRIMARY) WHERE l.conversation_id=");
	group_put_id(text, c);
	sql_lit(text, ";DELETE i FROM group_invites i FORCE INDEX (by_conversation) WHERE i.conversation_id=");
	group_put_id(text, c);
}

void group_show_peer(struct change_group *c)
{
	const struct group_person *p = c->peer;
	c->member = (struct group_member){c->peer_profile, p->role, p->joined_ms, p->muted_until_ms};
	c->now.member = &c->member;
}
