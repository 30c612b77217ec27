/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What users set for themselves of a conversation, as transactions past the write lane; and when the messages of two
 * expire, which either sets for both. Decides what it changes, and in which of the tables it is kept
 * (schema/0016_settings.sql, 0015_expiry.sql). The conversation is read once it has committed.
 *
 * Rows are locked in this order: the conversation, or the user's row in members; conversation_settings in order of its
 * key; `activity` last. Most settings touch none of the rows that messages lock, but in a group the user's own in
 * members, so that nothing is left of who goes out meanwhile.
 */
#include "core/base.h"
#include "store/store_priv.h"

#include "core/clock.h"
#include "core/log.h"
#include "store/query.h"
#include "store/sql.h"

/* As in group_put.c: so that no cursor of a sync passes the time of what is written. */
#define STALE_MS 1500
#define RAISE_MS 1000

enum ask { ASK_CONVERSATION, ASK_LAST_SEQ, ASK_USER, ASK_SETTINGS, ASK_PINNED, ASK_NOW, ASKS };

struct set_settings {
	struct txn txn;
	struct store *store;
	store_settings_fn *fn;
	void *arg;
	struct store_settings p;
	enum ask ask[ASKS];
	unsigned ask_count;

	/* What is, read by this try. */
	bool found;  /* the user is a party to it */
	bool second; /* the user is user2 of a direct conversation */
	bool was_archived;
	uint64_t last_seq, archived_seq, pinned_count;
	struct conversation_settings now;
	char peer[USER_ID_MAX + 1];		     /* of a direct conversation */
	enum group_role role;			     /* in a group */
	int64_t dissolved_ms;			     /* of a group; 0: it is not */
	int64_t db_ms, now_ms, activity_ms, last_ms; /* the last one is of its newest message */

	bool changed, maybe_changed; /* by this try, or perhaps by one of unknown outcome */
	bool for_both;
};

/* ---- what is read ---- */

static void begin_ask(struct set_settings *s, struct buf *text, enum ask what)
{
	if (s->ask_count != 0)
		buf_append_char(text, ';');
	s->ask[s->ask_count++] = what;
}

/* Its row of conversations is written. */
static bool touches_head(const struct store_settings *p)
{
	return p->sets_archived || p->sets_marked_unread || p->sets_muted_until || p->sets_expires_in;
}

static void put_key(struct buf *text, const struct set_settings *s)
{
	sql_lit(text, "user_id=");
	sql_str(text, s->p.user);
	sql_lit(text, " AND conversation_id=");
	sql_u64(text, s->p.conversation_id);
}

static void ask_direct(struct set_settings *s, struct buf *text)
{
	struct str user = s->p.user;
	begin_ask(s, text, ASK_CONVERSATION);
	sql_lit(text, "SELECT user2_id=");
	sql_str(text, user);
	sql_lit(text, ",last_seq,last_message_time,IF(user1_id=");
	sql_str(text, user);
	sql_lit(text, ",user1_archived_seq,user2_archived_seq),IF(user1_id=");
	sql_str(text, user);
	sql_lit(text, ",user1_marked,user2_marked),expires_in,IF(user1_id=");
	sql_str(text, user);
	sql_lit(text, ",user2_id,user1_id) FROM conversations FORCE INDEX (PRIMARY) WHERE id=");
	sql_u64(text, s->p.conversation_id);
	sql_lit(text, " AND (user1_id=");
	sql_str(text, user);
	sql_lit(text, " OR user2_id=");
	sql_str(text, user);
	buf_append_char(text, ')');
	if (touches_head(&s->p))
		sql_lit(text, " FOR UPDATE");
}

static void ask_group(struct set_settings *s, struct buf *text)
{
	begin_ask(s, text, ASK_CONVERSATION);
	sql_lit(text, "SELECT 0,0,NULL,archived_seq,marked,role FROM members FORCE INDEX (PRIMARY) WHERE ");
	put_key(text, s);
	sql_lit(text, " FOR UPDATE");
	begin_ask(s, text, ASK_LAST_SEQ);
	sql_lit(text,
		"SELECT last_seq,last_message_time,dissolved_at FROM group_heads FORCE INDEX (PRIMARY) WHERE id=");
	sql_u64(text, s->p.conversation_id);
}

/* One after the other where a user pins, so that the limit holds. */
static void ask_pinned(struct set_settings *s, struct buf *text)
{
	begin_ask(s, text, ASK_USER);
	sql_lit(text, "INSERT INTO conversation_settings (user_id,conversation_id,changed_at) VALUES (");
	sql_str(text, s->p.user);
	sql_lit(text, ",0,'1970-01-02') ON DUPLICATE KEY UPDATE changed_at=VALUES(changed_at)");
	begin_ask(s, text, ASK_PINNED);
	sql_lit(text, "SELECT COUNT(*) FROM conversation_settings FORCE INDEX (placed) WHERE user_id=");
	sql_str(text, s->p.user);
	sql_lit(text, " AND placed IN (1,3,5,7,9,11,13,15)");
}

static void set_ask(struct txn *t, struct buf *text)
{
	struct set_settings *s = container_of(t, struct set_settings, txn);
	s->maybe_changed |= t->uncertain;
	s->found = s->changed = s->was_archived = s->for_both = false;
	s->role = GROUP_NO_ROLE;
	s->dissolved_ms = s->last_ms = 0;
	s->last_seq = s->archived_seq = s->pinned_count = 0;
	s->now = (struct conversation_settings){0};
	s->ask_count = 0;
	if (conversation_is_group(s->p.conversation_id))
		ask_group(s, text);
	else
		ask_direct(s, text);
	if (s->p.sets_pinned && s->p.to.pinned_ms != 0)
		ask_pinned(s, text);
	begin_ask(s, text, ASK_SETTINGS);
	sql_lit(text,
		"SELECT muted_until,mute_mentions,pinned_at,draft FROM conversation_settings FORCE INDEX (PRIMARY) "
		"WHERE ");
	put_key(text, s);
	sql_lit(text, " FOR UPDATE");
	begin_ask(s, text, ASK_NOW);
	sql_lit(text, "SELECT UTC_TIMESTAMP(3),(SELECT at FROM activity WHERE id=1)");
}

static void conversation_row(struct set_settings *s, struct row *row)
{
	s->found = true;
	s->second = row_take_bool(row);
	s->last_seq = row_take_u64(row);
	s->last_ms = row_take_ms(row);
	s->was_archived = !row_next_is_null(row);
	s->archived_seq = row_take_u64(row);
	s->now.marked_unread = row_take_bool(row);
	if (conversation_is_group(s->p.conversation_id)) {
		s->role = row_take_role(row);
	} else {
		s->now.expires_in_secs = row_take_u64(row);
		row_take_user(row, s->peer);
	}
}

static void settings_row(struct set_settings *s, struct row *row)
{
	s->now.muted_until_ms = row_take_ms(row);
	s->now.mute_mentions = row_take_bool(row);
	s->now.pinned_ms = row_take_ms(row);
	s->now.draft = arena_str(&s->txn.arena, row_take_str(row));
}

static void set_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct set_settings *s = container_of(t, struct set_settings, txn);
	ASSERT(stmt < s->ask_count);
	switch (s->ask[stmt]) {
	case ASK_CONVERSATION:
		conversation_row(s, row);
		break;
	case ASK_LAST_SEQ:
		s->last_seq = row_take_u64(row);
		s->last_ms = row_take_ms(row);
		s->dissolved_ms = row_take_ms(row);
		break;
	case ASK_SETTINGS:
		settings_row(s, row);
		break;
	case ASK_PINNED:
		s->pinned_count = row_take_u64(row);
		break;
	case ASK_NOW:
		s->db_ms = row_take_ms(row);
		s->now_ms = s->db_ms + clock_shift_ms();
		s->activity_ms = row_take_ms(row);
		break;
	case ASK_USER:
	case ASKS:
		break;
	}
}

/* ---- what becomes of it ---- */

/* Two lists of columns: of conversation_settings, and of the row that messages lock. */
struct changes {
	struct buf names, values;
	struct buf head;
};

static void begin_value(struct changes *c, const char *column)
{
	buf_printf(&c->names, ",%s", column);
	buf_append_char(&c->values, ',');
}

static void put_head_value(struct changes *c, const struct set_settings *s, const char *column, uint64_t value,
			   bool is_null)
{
	if (c->head.len != 0)
		buf_append_char(&c->head, ',');
	if (!conversation_is_group(s->p.conversation_id))
		buf_printf(&c->head, "user%d_", s->second ? 2 : 1);
	buf_printf(&c->head, "%s=", column);
	if (is_null)
		sql_lit(&c->head, "NULL");
	else
		sql_u64(&c->head, value);
}

static void put_expiry(struct changes *c, uint64_t secs)
{
	if (c->head.len != 0)
		buf_append_char(&c->head, ',');
	sql_lit(&c->head, "expires_in=");
	if (secs != 0)
		sql_u64(&c->head, secs);
	else
		sql_lit(&c->head, "NULL");
}

static void put_archived(struct changes *c, const struct set_settings *s, bool archived)
{
	begin_value(c, "archived");
	sql_u64(&c->values, archived);
	put_head_value(c, s, "archived_seq", s->last_seq, !archived);
}

/*
 * Muting and its end leave what is archived now as it is: what was written meanwhile does not count afterwards, nor
 * what has ended the archiving before.
 */
static void change_archived(struct changes *c, const struct set_settings *s, bool mutes)
{
	bool wanted = s->p.sets_archived ? s->p.to.archived : s->now.archived;
	bool stands = wanted ? s->was_archived && s->archived_seq >= s->last_seq : !s->was_archived;
	if (!stands && (mutes || wanted != s->now.archived))
		put_archived(c, s, wanted);
}

/* Returns whether it is. */
static bool change_muted(struct changes *c, const struct set_settings *s)
{
	int64_t until_ms = s->p.to.muted_until_ms > s->now_ms ? s->p.to.muted_until_ms : 0;
	if (!s->p.sets_muted_until || until_ms == s->now.muted_until_ms)
		return false;
	begin_value(c, "muted_until");
	sql_time(&c->values, until_ms);
	return true;
}

static void list_changes(struct changes *c, struct set_settings *s)
{
	const struct store_settings *p = &s->p;
	bool mutes = change_muted(c, s);
	if (p->sets_archived || mutes)
		change_archived(c, s, mutes);
	if (p->sets_mute_mentions && p->to.mute_mentions != s->now.mute_mentions) {
		begin_value(c, "mute_mentions");
		sql_u64(&c->values, p->to.mute_mentions);
	}
	if (p->sets_pinned && (p->to.pinned_ms != 0) != (s->now.pinned_ms != 0)) {
		begin_value(c, "pinned_at");
		sql_time(&c->values, p->to.pinned_ms != 0 ? s->now_ms : 0);
	}
	if (p->sets_marked_unread && p->to.marked_unread != s->now.marked_unread)
		put_head_value(c, s, "marked", 1, !p->to.marked_unread);
	if (p->sets_draft && !str_equal(p->to.draft, s->now.draft)) {
		begin_value(c, "draft");
		sql_str(&c->values, p->to.draft);
	}
	s->for_both = !conversation_is_group(p->conversation_id) && p->sets_expires_in &&
		      p->to.expires_in_secs != s->now.expires_in_secs;
	if (s->for_both)
		put_expiry(c, p->to.expires_in_secs);
}

static void put_head(struct buf *text, const struct set_settings *s, const struct changes *c)
{
	if (c->head.len == 0)
		return;
	bool is_group = conversation_is_group(s->p.conversation_id);
	buf_append_str(text, is_group ? STR_LIT("UPDATE members SET ") : STR_LIT("UPDATE conversations SET "));
	buf_append(text, c->head.data, c->head.len);
	sql_lit(text, " WHERE ");
	if (is_group) {
		put_key(text, s);
	} else {
		sql_lit(text, "id=");
		sql_u64(text, s->p.conversation_id);
	}
	buf_append_char(text, ';');
	sql_expect(text, 1);
	buf_append_char(text, ';');
}

/* Only what changes is written: where there was no row to lock, another transaction may have made one. */
static void put_settings(struct buf *text, struct str user, uint64_t conversation_id, const struct changes *c,
			 int64_t changed_ms)
{
	sql_lit(text, "INSERT INTO conversation_settings (user_id,conversation_id,changed_at");
	buf_append(text, c->names.data, c->names.len);
	sql_lit(text, ") VALUES (");
	sql_str(text, user);
	buf_append_char(text, ',');
	sql_u64(text, conversation_id);
	buf_append_char(text, ',');
	sql_time(text, changed_ms);
	buf_append(text, c->values.data, c->values.len);
	sql_lit(text, ") ON DUPLICATE KEY UPDATE changed_at=GREATEST(changed_at,VALUES(changed_at))");
	for (size_t at = 0; at < c->names.len;) {
		const char *name = c->names.data + at + 1, *end = memchr(name, ',', c->names.len - at - 1);
		size_t len = end != NULL ? (size_t)(end - name) : c->names.len - at - 1;
		buf_printf(text, ",%.*s=VALUES(%.*s)", (int)len, name, (int)len, name);
		at += 1 + len;
	}
}

/* Those who see it changed, so that a sync finds it. */
static void put_rows(struct buf *text, const struct set_settings *s, const struct changes *c, int64_t changed_ms)
{
	static const struct changes none;
	struct str user = s->p.user, peer = str_from(s->peer);
	if (s->for_both && s->second) {
		put_settings(text, peer, s->p.conversation_id, &none, changed_ms);
		buf_append_char(text, ';');
	}
	put_settings(text, user, s->p.conversation_id, c, changed_ms);
	if (s->for_both && !s->second) {
		buf_append_char(text, ';');
		put_settings(text, peer, s->p.conversation_id, &none, changed_ms);
	}
}

static void put_changes(struct buf *text, const struct set_settings *s, const struct changes *c)
{
	int64_t changed_ms = s->now_ms > s->activity_ms ? s->now_ms : s->activity_ms;
	put_head(text, s, c);
	put_rows(text, s, c, changed_ms);
	/* The last row that is locked, so that nobody who waits for it keeps another one from us. */
	if (changed_ms >= s->activity_ms + RAISE_MS) {
		sql_lit(text, ";UPDATE activity SET at=GREATEST(at,");
		sql_time(text, changed_ms);
		sql_lit(text, ") WHERE id=1");
	}
	sql_lit(text, ";SET @late=IF(UTC_TIMESTAMP(3)>");
	sql_time(text, s->db_ms + STALE_MS);
	sql_lit(text, ",(SELECT 1 UNION SELECT 2),0)");
}

/* May the user say when its messages expire? */
static enum store_status check_group(const struct set_settings *s)
{
	if (s->role != GROUP_OWNER && s->role != GROUP_ADMIN)
		return STORE_ROLE;
	return s->dissolved_ms != 0 ? STORE_GROUP_DISSOLVED : STORE_OK;
}

static void set_decide(struct txn *t, struct buf *text)
{
	struct set_settings *s = container_of(t, struct set_settings, txn);
	struct changes c = {0};
	if (!s->found) {
		t->status = STORE_NOT_FOUND;
		return;
	}
	if (s->p.sets_expires_in && conversation_is_group(s->p.conversation_id)) {
		t->status = check_group(s);
		if (t->status != STORE_OK)
			return;
	}
	s->now.archived = s->was_archived &&
			  (s->archived_seq >= s->last_seq || query_stays_archived(s->now.muted_until_ms, s->last_ms));
	if (s->now.muted_until_ms <= s->now_ms)
		s->now.muted_until_ms = 0;
	if (s->p.sets_pinned && s->p.to.pinned_ms != 0 && s->now.pinned_ms == 0 &&
	    s->pinned_count >= STORE_PINNED_MAX) {
		t->status = STORE_TOO_MANY_PINNED;
		return;
	}
	list_changes(&c, s);
	s->changed = c.names.len != 0 || c.head.len != 0;
	if (s->changed)
		put_changes(text, s, &c);
	buf_fini(&c.names);
	buf_fini(&c.values);
	buf_fini(&c.head);
}

static void set_tell(const struct txn *t, struct buf *items)
{
	const struct set_settings *s = container_of(t, struct set_settings, txn);
	outbox_put_user(items, s->p.user);
	if (s->for_both)
		outbox_put_user(items, str_from(s->peer));
}

/* ---- the answer ---- */

/* The transaction is gone by then. */
struct set_answer {
	struct store *store;
	store_settings_fn *fn;
	void *arg;
	uint64_t conversation_id;
	char user[USER_ID_MAX + 1];
	bool changed, cut;
};

static void on_found(enum store_status status, const struct conversation *c, void *arg)
{
	struct set_answer *a = arg;
	const struct store_settings_set r = {.status = status, .changed = a->changed, .conversation = c};
	a->store->counting[a->cut]--;
	a->fn(&r, a->arg);
	free(a);
}

static void on_found_of_peer(enum store_status status, const struct conversation *c, void *arg)
{
	struct set_answer *a = arg;
	const struct store_settings_set r = {.status = status, .changed = true, .conversation = c, .of_peer = true};
	a->fn(&r, a->arg);
	store_find_conversation(a->store, str_from(a->user), a->conversation_id, on_found, a);
}

static void set_answer(struct txn *t)
{
	struct set_settings *s = container_of(t, struct set_settings, txn);
	if (t->status != STORE_OK) {
		const struct store_settings_set r = {.status = t->status};
		s->fn(&r, s->arg);
		return;
	}
	struct set_answer *a = xmalloc(sizeof(*a));
	*a = (struct set_answer){.store = s->store,
				 .fn = s->fn,
				 .arg = s->arg,
				 .conversation_id = s->p.conversation_id,
				 .changed = s->changed || s->maybe_changed,
				 .cut = s->store->cut};
	memcpy(a->user, s->p.user.s, s->p.user.len);
	a->store->counting[a->cut]++;
	bool tells_peer = s->p.sets_expires_in && s->peer[0] != '\0' && (s->for_both || s->maybe_changed);
	if (tells_peer)
		store_find_conversation(s->store, str_from(s->peer), s->p.conversation_id, on_found_of_peer, a);
	else
		store_find_conversation(s->store, s->p.user, s->p.conversation_id, on_found, a);
}

void store_set_settings(struct store *store, const struct store_settings *p, store_settings_fn *fn, void *arg)
{
	static const struct txn_class class = {"settings", set_ask, set_row, set_decide, set_answer, .tell = set_tell};
	struct set_settings *s = txn_new(store->txns, &class, p->user, sizeof(*s));
	ASSERT(id_user_valid(p->user));
	s->store = store;
	s->fn = fn;
	s->arg = arg;
	s->p = *p;
	s->p.user = s->txn.user;
	s->p.to.draft = arena_str(&s->txn.arena, p->to.draft);
	txn_submit(&s->txn);
}
