/* SPDX-License-Identifier: BSD-2-Clause */
/* What a change to a group reads, under the head's lock, and what the rows mean. */
#include "core/base.h"
#include "store/group_priv.h"

#include "core/clock.h"
#include "core/log.h"
#include "store/import.h"
#include "store/people_priv.h"
#include "store/sql.h"

/* The most users for whom one change tells dissolved groups apart. */
#define LOOKS_MAX 10

enum ask {
	ASK_NOTHING, /* a statement without rows */
	ASK_HEAD,
	ASK_MINE,
	ASK_COUNTS,
	ASK_ALIVE,
	ASK_EXISTING,
	ASK_PROFILE,
	ASK_MEMBERS,
	ASK_LEAVERS,
	ASK_FRIENDS,
	ASK_BLOCKS,
	ASK_USERS,
	ASK_PEER,
	ASK_BANS,
	ASK_ERASED,
	ASK_REQUESTS,
	ASK_ENTRIES,
	ASK_CODE,
	ASK_CODES,
	ASK_NOW,
};

enum {
	NEEDS_COUNTS = 1,    /* in how many groups those named are, locked */
	NEEDS_FRIENDS = 2,   /* what they are to the actor */
	NEEDS_PROFILE = 4,   /* the group's */
	NEEDS_PEER = 8,	     /* peer's profile */
	NEEDS_BANS = 16,     /* who of all concerned is banned */
	NEEDS_REQUESTS = 32, /* who has asked to come in */
	NEEDS_CODE = 64,     /* the code */
	NEEDS_CODES = 128,   /* the group's codes */
};

/* The head, and those concerned as members, are read for all but GROUP_CREATE. */
static const unsigned char steps[] = {
	[GROUP_CREATE] = NEEDS_COUNTS | NEEDS_FRIENDS,
	[GROUP_CHANGE] = NEEDS_PROFILE,
	[GROUP_DISSOLVE] = 0,
	[GROUP_ADD] = NEEDS_COUNTS | NEEDS_FRIENDS | NEEDS_BANS | NEEDS_REQUESTS,
	[GROUP_REMOVE] = NEEDS_BANS,
	[GROUP_SET_MEMBER] = NEEDS_PEER,
	[GROUP_PASS_ON] = NEEDS_PROFILE,
	[GROUP_UNBAN] = NEEDS_BANS,
	[GROUP_INVITE] = NEEDS_CODE | NEEDS_CODES,
	[GROUP_REVOKE] = NEEDS_CODE,
	[GROUP_JOIN] = NEEDS_COUNTS | NEEDS_BANS | NEEDS_REQUESTS | NEEDS_CODE,
	[GROUP_ACCEPT] = NEEDS_COUNTS | NEEDS_REQUESTS | NEEDS_PEER,
	[GROUP_DECLINE] = NEEDS_REQUESTS,
	[GROUP_IMPORT] = NEEDS_COUNTS | NEEDS_BANS | NEEDS_REQUESTS,
};

static bool needs(const struct change_group *c, unsigned what)
{
	return (steps[c->op.step] & what) != 0;
}

/* The group is found in the transaction, by another table. */
static bool is_looked_up(const struct change_group *c)
{
	return (c->op.step == GROUP_JOIN && c->op.conversation_id == 0) || c->op.step == GROUP_IMPORT;
}

/* ---- what is asked ---- */

static void begin_ask(struct change_group *c, struct buf *text, enum ask what)
{
	ASSERT(c->ask_count < GROUP_ASKS_MAX);
	if (c->ask_count != 0)
		buf_append_char(text, ';');
	c->ask[c->ask_count++] = (unsigned char)what;
}

static void put_all(const struct change_group *c, struct buf *text)
{
	for (size_t i = 0; i < c->person_count; i++) {
		if (i != 0)
			buf_append_char(text, ',');
		sql_str(text, c->person[i].id);
	}
}

/*
 * What the table says of the actor and the others, and of the others and the actor. In two statements, each with a
 * plain list: MariaDB makes a join of a list of some hundred pairs (in_predicate_conversion_threshold).
 */
static void ask_friendships(struct change_group *c, struct buf *text)
{
	for (int way = 0; way < 2; way++) {
		begin_ask(c, text, ASK_FRIENDS);
		buf_printf(text, "SELECT user_id,friend_id,blocked FROM friendships FORCE INDEX (PRIMARY) WHERE %s=",
			   way == 0 ? "user_id" : "friend_id");
		sql_str(text, c->actor->id);
		buf_printf(text, " AND %s IN (", way == 0 ? "friend_id" : "user_id");
		put_all(c, text);
		buf_append_char(text, ')');
	}
}

/* Those who block the actor. One may add those whom one blocks, as one may write to them. */
static void ask_blocks(struct change_group *c, struct buf *text)
{
	begin_ask(c, text, ASK_BLOCKS);
	sql_lit(text, "SELECT user_id FROM blocks FORCE INDEX (PRIMARY) WHERE blocked_id=");
	sql_str(text, c->actor->id);
	sql_lit(text, " AND user_id IN (");
	put_all(c, text);
	buf_append_char(text, ')');
}

/* Not by SET, which would lock that row before the head. The one row of MAX may be null. */
static void ask_id(struct change_group *c, struct buf *text)
{
	begin_ask(c, text, ASK_NOTHING);
	if (c->op.step == GROUP_IMPORT) {
		sql_lit(text, "SELECT MAX(id) INTO @g FROM group_profiles FORCE INDEX (by_client) WHERE created_by=");
		sql_str(text, IMPORT_USER);
		sql_lit(text, " AND client_group_id=");
		sql_str(text, c->op.client_group_id);
	} else {
		sql_lit(text, "SELECT MAX(conversation_id) INTO @g FROM group_invites WHERE code=");
		sql_str(text, c->op.code);
	}
}

static void ask_head(struct change_group *c, struct buf *text)
{
	uint64_t id = c->op.step == GROUP_CREATE ? c->made_id : c->id;
	if (id == 0 && !is_looked_up(c))
		return;
	if (id == 0)
		ask_id(c, text);
	begin_ask(c, text, ASK_HEAD);
	sql_lit(text, "SELECT id,last_seq,uncounted_seq,member_count,join_policy,history_policy,send_policy,add_policy,"
		      "slow_mode_secs,expires_in,last_message_time,sort_time,active_at,dissolved_at FROM group_heads "
		      "FORCE INDEX (PRIMARY) WHERE id=");
	if (id != 0)
		sql_u64(text, id);
	else
		sql_lit(text, "@g");
	sql_lit(text, " FOR UPDATE");
}

static void ask_mine(struct change_group *c, struct buf *text)
{
	if (!c->txn.uncertain)
		return;
	begin_ask(c, text, ASK_MINE);
	sql_lit(text, "SELECT id FROM messages FORCE INDEX (by_client) WHERE from_user_id=");
	sql_str(text, c->actor->id);
	sql_lit(text, " AND client_msg_id=");
	sql_str(text, str_from(c->client_msg_id));
}

static void ask_counts(struct change_group *c, struct buf *text)
{
	bool first = true;
	for (size_t i = 0; i < c->person_count; i++) {
		if (!c->person[i].named && c->op.step != GROUP_CREATE)
			continue;
		if (first) {
			begin_ask(c, text, ASK_COUNTS);
			sql_lit(text, "SELECT user_id,n FROM group_counts FORCE INDEX (PRIMARY) WHERE user_id IN (");
		}
		sql_comma(text, &first);
		sql_str(text, c->person[i].id);
	}
	if (!first)
		sql_lit(text, ") ORDER BY user_id FOR UPDATE");
}

/*
 * Groups that were dissolved do not count for the limit. They are told apart only for users who have reached it, and
 * where few are named: each has some thousand rows. Whose rows are twice as many is let in nowhere, so that a loop of
 * making and dissolving groups ends.
 */
static void ask_alive(struct change_group *c, struct buf *text)
{
	bool first = true;
	for (size_t i = 0; i < c->person_count; i++) {
		const struct group_person *p = &c->person[i];
		if (p != c->actor && !(p->named && c->named_count <= LOOKS_MAX))
			continue;
		if (first) {
			begin_ask(c, text, ASK_ALIVE);
			sql_lit(text, "SELECT STRAIGHT_JOIN c.user_id,SUM(h.dissolved_at IS NULL) FROM group_counts c "
				      "FORCE INDEX (PRIMARY) JOIN members g FORCE INDEX (PRIMARY) ON "
				      "g.user_id=c.user_id JOIN group_heads h FORCE INDEX (PRIMARY) ON "
				      "h.id=g.conversation_id WHERE c.user_id IN (");
		}
		sql_comma(text, &first);
		sql_str(text, p->id);
	}
	if (first)
		return;
	sql_lit(text, ") AND c.n>=");
	sql_u64(text, c->max_per_user);
	sql_lit(text, " AND c.n<");
	sql_u64(text, 2 * c->max_per_user);
	sql_lit(text, " GROUP BY c.user_id");
}

static void ask_friends(struct change_group *c, struct buf *text)
{
	if (c->accounts && c->named_count != 0) {
		begin_ask(c, text, ASK_USERS);
		sql_lit(text, "SELECT id FROM users FORCE INDEX (PRIMARY) WHERE id IN (");
		put_all(c, text);
		buf_append_char(text, ')');
	}
	if (c->op.by_operator || c->person_count < 2)
		return;
	ask_friendships(c, text);
	ask_blocks(c, text);
}

static void ask_existing(struct change_group *c, struct buf *text)
{
	if (c->op.client_group_id.s == NULL)
		return;
	begin_ask(c, text, ASK_EXISTING);
	sql_lit(text, "SELECT id FROM group_profiles FORCE INDEX (by_client) WHERE created_by=");
	sql_str(text, c->actor->id);
	sql_lit(text, " AND client_group_id=");
	sql_str(text, c->op.client_group_id);
}

/* Of all concerned, those who have a row in that table of the group. */
static void ask_rows_of_all(struct change_group *c, struct buf *text, enum ask what, const char *columns,
			    const char *table)
{
	begin_ask(c, text, what);
	buf_printf(text, "SELECT %s FROM %s FORCE INDEX (PRIMARY) WHERE user_id IN (", columns, table);
	put_all(c, text);
	sql_lit(text, ") AND conversation_id=");
	group_put_id(text, c);
}

static void ask_erased(struct change_group *c, struct buf *text)
{
	begin_ask(c, text, ASK_ERASED);
	sql_lit(text,
		"SELECT user_id FROM user_states FORCE INDEX (PRIMARY) WHERE erased_at IS NOT NULL AND user_id IN (");
	put_all(c, text);
	buf_append_char(text, ')');
}

/* How many rows the group has in that table, as far as it matters. */
static void ask_entries(struct change_group *c, struct buf *text, const char *table, unsigned max)
{
	begin_ask(c, text, ASK_ENTRIES);
	buf_printf(text, "SELECT COUNT(*) FROM (SELECT 1 FROM %s FORCE INDEX (PRIMARY) WHERE conversation_id=", table);
	group_put_id(text, c);
	buf_printf(text, " LIMIT %u) some", max);
}

static void ask_codes(struct change_group *c, struct buf *text)
{
	if (needs(c, NEEDS_CODE) && c->op.code.s != NULL) {
		begin_ask(c, text, ASK_CODE);
		sql_lit(text, "SELECT code,created_by,created_at,expires_at,max_uses,uses FROM group_invites "
			      "WHERE code=");
		sql_str(text, c->op.code);
		sql_lit(text, " AND conversation_id=");
		group_put_id(text, c);
	}
	if (needs(c, NEEDS_CODES)) {
		begin_ask(c, text, ASK_CODES);
		sql_lit(text, "SELECT code,created_by,created_at,expires_at,max_uses,uses FROM group_invites "
			      "FORCE INDEX (by_conversation) WHERE conversation_id=");
		group_put_id(text, c);
	}
}

static void ask_of_group(struct change_group *c, struct buf *text)
{
	ask_rows_of_all(c, text, ASK_MEMBERS, "user_id,role,joined_at,muted_until", "members");
	if (needs(c, NEEDS_COUNTS))
		ask_rows_of_all(c, text, ASK_LEAVERS, "user_id,muted_until,last_sent_at", "group_leavers");
	if (needs(c, NEEDS_BANS))
		ask_rows_of_all(c, text, ASK_BANS, "user_id", "group_bans");
	if (needs(c, NEEDS_REQUESTS))
		ask_rows_of_all(c, text, ASK_REQUESTS, "user_id", "group_requests");
	if (c->op.step == GROUP_IMPORT)
		ask_erased(c, text);
	if (c->op.step == GROUP_JOIN)
		ask_entries(c, text, "group_requests", GROUP_REQUESTS_MAX);
	if (c->op.step == GROUP_REMOVE && c->op.ban)
		ask_entries(c, text, "group_bans", GROUP_BANS_MAX);
	if (needs(c, NEEDS_PROFILE)) {
		begin_ask(c, text, ASK_PROFILE);
		sql_lit(text, "SELECT owner_id,name,avatar_url,about FROM group_profiles WHERE id=");
		group_put_id(text, c);
	}
}

void group_ask(struct txn *t, struct buf *text)
{
	struct change_group *c = container_of(t, struct change_group, txn);
	group_reset(c);
	ask_head(c, text);
	ask_mine(c, text);
	if (needs(c, NEEDS_COUNTS)) {
		ask_counts(c, text);
		ask_alive(c, text);
	}
	if (c->op.step == GROUP_CREATE)
		ask_existing(c, text);
	else
		ask_of_group(c, text);
	if (needs(c, NEEDS_FRIENDS))
		ask_friends(c, text);
	if (needs(c, NEEDS_PEER)) {
		begin_ask(c, text, ASK_PEER);
		sql_lit(text, "SELECT " PROFILE_COLUMNS " FROM users u FORCE INDEX (PRIMARY) WHERE u.id=");
		sql_str(text, c->peer->id);
	}
	/* After all locks, which may have been waited for. */
	begin_ask(c, text, ASK_NOW);
	sql_lit(text, "SELECT UTC_TIMESTAMP(3),(SELECT at FROM activity WHERE id=1)");
	ask_codes(c, text); /* some of which end by the clock */
}

/* ---- what is answered ---- */

static void head_row(struct change_group *c, struct row *row)
{
	struct group_head *h = &c->head;
	uint64_t id = row_take_u64(row);
	h->found = true;
	h->last_seq = row_take_u64(row);
	h->uncounted_seq = row_take_u64(row);
	h->member_count = row_take_u64(row);
	uint64_t join = row_take_u64(row);
	h->settings.join = join <= GROUP_JOIN_OPEN ? (enum group_join)join : GROUP_JOIN_INVITE;
	h->settings.history_joined = row_take_bool(row);
	h->settings.send_admins = row_take_bool(row);
	h->settings.add_admins = row_take_bool(row);
	h->settings.slow_mode_secs = (unsigned)row_take_u64(row);
	h->expiry_secs = row_take_u64(row);
	h->last_ms = row_take_ms(row);
	h->sort_ms = row_take_ms(row);
	h->active_ms = row_take_ms(row);
	h->dissolved_ms = row_take_ms(row);
	if (c->op.step != GROUP_CREATE)
		c->id = id;
}

static void friend_row(struct change_group *c, struct row *row)
{
	struct group_person *from = group_person_of(c, row_take_str(row)), *to = group_person_of(c, row_take_str(row));
	bool blocked = row_take_bool(row);
	if (from == NULL || to == NULL)
		return;
	if (from == c->actor) {
		to->forth = true;
	} else {
		from->back = true;
		from->blocks |= blocked;
	}
}

static void block_row(struct change_group *c, struct row *row)
{
	struct group_person *who = group_person_of(c, row_take_str(row));
	if (who != NULL)
		who->blocks = true;
}

static void code_row(struct row *row, struct group_invite *i)
{
	struct str code = row_take_str(row);
	*i = (struct group_invite){0};
	if (code.len == GROUP_CODE_LEN)
		memcpy(i->code, code.s, code.len);
	row_take_user(row, i->created_by);
	i->created_ms = row_take_ms(row);
	i->expires_ms = row_take_ms(row);
	i->max_uses = row_take_u64(row);
	i->uses = row_take_u64(row);
}

static void codes_row(struct change_group *c, struct row *row)
{
	struct group_invite i;
	code_row(row, &i);
	if (group_code_is_dead(&i, c->now_ms))
		c->dead_codes++;
	else
		c->codes++;
}

static void profile_row(struct change_group *c, struct row *row)
{
	struct arena *a = &c->txn.arena;
	c->owner = arena_str(a, row_take_str(row));
	c->name = arena_str(a, row_take_str(row));
	c->avatar_url = arena_str(a, row_take_str(row));
	c->about = arena_str(a, row_take_str(row));
}

static void person_row(struct change_group *c, enum ask what, struct row *row)
{
	struct group_person *p = group_person_of(c, row_take_str(row));
	if (p == NULL)
		return;
	if (what == ASK_COUNTS) {
		p->counted = true;
		p->groups = row_take_u64(row);
	} else if (what == ASK_ALIVE) {
		p->groups = row_take_u64(row);
	} else if (what == ASK_MEMBERS) {
		uint64_t role = row_take_u64(row);
		p->role = role == GROUP_OWNER || role == GROUP_ADMIN ? (enum group_role)role : GROUP_MEMBER;
		p->joined_ms = row_take_ms(row);
		p->muted_until_ms = row_take_ms(row);
	} else if (what == ASK_LEAVERS) {
		p->has_left = true;
		p->muted_until_ms = row_take_ms(row);
		p->last_sent_ms = row_take_ms(row);
	}
	p->known |= what == ASK_USERS;
	p->banned |= what == ASK_BANS;
	p->erased |= what == ASK_ERASED;
	p->asked |= what == ASK_REQUESTS;
}

void group_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct change_group *c = container_of(t, struct change_group, txn);
	ASSERT(stmt < c->ask_count);
	enum ask what = (enum ask)c->ask[stmt];
	switch (what) {
	case ASK_NOTHING:
		return;
	case ASK_HEAD:
		head_row(c, row);
		return;
	case ASK_MINE:
		c->mine = true;
		return;
	case ASK_EXISTING:
		c->existing_id = row_take_u64(row);
		return;
	case ASK_PROFILE:
		profile_row(c, row);
		return;
	case ASK_COUNTS:
	case ASK_ALIVE:
	case ASK_MEMBERS:
	case ASK_LEAVERS:
	case ASK_USERS:
	case ASK_BANS:
	case ASK_ERASED:
	case ASK_REQUESTS:
		person_row(c, what, row);
		return;
	case ASK_FRIENDS:
		friend_row(c, row);
		return;
	case ASK_BLOCKS:
		block_row(c, row);
		return;
	case ASK_PEER:
		row_take_profile(row, &c->txn.arena, c->peer->id, &c->peer_profile);
		return;
	case ASK_ENTRIES:
		c->entry_count = row_take_u64(row);
		return;
	case ASK_CODE:
		c->code_found = true;
		code_row(row, &c->invite);
		return;
	case ASK_CODES:
		codes_row(c, row);
		return;
	case ASK_NOW:
		c->db_ms = row_take_ms(row);
		c->now_ms = c->db_ms + clock_shift_ms();
		c->activity_ms = row_take_ms(row);
		return;
	}
}
