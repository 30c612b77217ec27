/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which conversations catching up has to answer: those listed that differ, and those that were active since the cursor.
 * The user's groups are put in order of active_at when they are read.
 */
#include "core/base.h"
#include "store/sync_priv.h"

#include "store/sql.h"

bool sync_is_direct(uint64_t id)
{
	return id < GROUP_ID_MIN;
}

bool sync_is_group(uint64_t id)
{
	return id >= GROUP_ID_MIN && id <= CONVERSATION_ID_MAX;
}

void sync_begin_stmt(struct sync *s, enum sync_stmt stmt)
{
	if (s->stmt_count != 0)
		buf_append_char(&s->read.text, ';');
	s->stmt[s->stmt_count++] = stmt;
}

static bool lists(const struct sync *s, bool (*is_of_kind)(uint64_t id))
{
	for (size_t i = 0; i < s->have_count; i++)
		if (is_of_kind(s->have[i].id))
			return true;
	return false;
}

/* "(1,2)": those listed that are of that kind, 0 where there are none. */
static void put_listed(struct buf *text, const struct sync *s, bool (*is_of_kind)(uint64_t id))
{
	bool first = true;
	buf_append_char(text, '(');
	for (size_t i = 0; i < s->have_count; i++) {
		if (!is_of_kind(s->have[i].id))
			continue;
		sql_comma(text, &first);
		sql_u64(text, s->have[i].id);
	}
	buf_append_str(text, first ? STR_LIT("0)") : STR_LIT(")"));
}

/*
 * What a source of the walk gives at most. Those that are listed are left out when they are found: to name them in each
 * source costs more than to read them.
 */
static unsigned walk_max(const struct sync *s)
{
	return STORE_SYNC_ITEMS_MAX + 1 + (unsigned)s->have_count;
}

/* "over the cursor" */
static void put_walk_condition(struct buf *text, const struct sync *s, const char *time, const char *id)
{
	int64_t ms = s->since.ms != 0 ? s->since.ms : 1;
	buf_printf(text, " AND %s>=", time);
	sql_time(text, ms);
	buf_printf(text, " AND (%s>", time);
	sql_time(text, ms);
	buf_printf(text, " OR %s>", id);
	sql_u64(text, s->since.id);
	buf_append_char(text, ')');
}

static void put_walk_of_side(struct buf *text, const struct sync *s, int side)
{
	buf_printf(text,
		   "(SELECT id,sort_time AS t,0 AS own FROM conversations FORCE INDEX (by_user%d) WHERE user%d_id=",
		   side, side);
	sql_str(text, s->user);
	put_walk_condition(text, s, "sort_time", "id");
	buf_printf(text, " ORDER BY sort_time,id LIMIT %u)", walk_max(s));
}

static void put_walk_of_groups(struct buf *text, const struct sync *s)
{
	sql_lit(text, "(SELECT id,t,0 AS own FROM (SELECT STRAIGHT_JOIN h.id,h.active_at AS t FROM members g FORCE "
		      "INDEX (PRIMARY) "
		      "JOIN group_heads h FORCE INDEX (PRIMARY) ON h.id=g.conversation_id WHERE g.user_id=");
	sql_str(text, s->user);
	put_walk_condition(text, s, "h.active_at", "h.id");
	buf_printf(text, " LIMIT %d) o ORDER BY t,id LIMIT %u)", QUERY_GROUPS_MAX, walk_max(s));
}

/* Which conversations the user has set something of. A client that lists one cannot tell by seqs that it has not heard.
 */
static void put_walk_of_settings(struct buf *text, const struct sync *s)
{
	sql_lit(text, "(SELECT conversation_id AS id,changed_at AS t,1 AS own FROM conversation_settings FORCE INDEX "
		      "(by_change) WHERE user_id=");
	sql_str(text, s->user);
	put_walk_condition(text, s, "changed_at", "conversation_id");
	buf_printf(text, " ORDER BY changed_at,conversation_id LIMIT %u)", walk_max(s));
}

/* Each source gives each conversation once, so that its limit cannot hide another one. */
static void put_walk(struct buf *text, const struct sync *s)
{
	sql_lit(text, "SELECT id,MIN(t) AS t,MAX(own) FROM (");
	put_walk_of_side(text, s, 1);
	sql_lit(text, " UNION ALL ");
	put_walk_of_side(text, s, 2);
	sql_lit(text, " UNION ALL ");
	put_walk_of_groups(text, s);
	sql_lit(text, " UNION ALL ");
	put_walk_of_settings(text, s);
	sql_lit(text,
		" UNION ALL (SELECT conversation_id AS id,recalled_at AS t,0 AS own FROM recalls FORCE INDEX (by_time) "
		"WHERE user_id=");
	sql_str(text, s->user);
	put_walk_condition(text, s, "recalled_at", "conversation_id");
	buf_printf(text, " ORDER BY recalled_at,conversation_id LIMIT %u)", walk_max(s));
	buf_printf(text, ") k GROUP BY id ORDER BY t,id LIMIT %u", walk_max(s));
}

static void put_listed_direct(struct buf *text, const struct sync *s)
{
	sql_lit(text, "SELECT c.id,IF(c.user1_id=");
	sql_str(text, s->user);
	sql_lit(text, ",c.user1_last_id,c.user2_last_id),c.change_seq,1 FROM conversations c FORCE INDEX (PRIMARY) "
		      "WHERE c.id IN ");
	put_listed(text, s, sync_is_direct);
	sql_lit(text, " AND ");
	query_put_is_party(text, s->user);
	sql_lit(text, " ORDER BY c.id");
}

static void put_listed_groups(struct buf *text, const struct sync *s)
{
	sql_lit(text, "SELECT STRAIGHT_JOIN h.id," GROUP_LAST_ID ",h.change_seq," GROUP_FIRST_SEQ
		      " FROM members g FORCE INDEX "
		      "(PRIMARY) JOIN group_heads h FORCE INDEX (PRIMARY) ON h.id=g.conversation_id WHERE g.user_id=");
	sql_str(text, s->user);
	sql_lit(text, " AND g.conversation_id IN ");
	put_listed(text, s, sync_is_group);
	sql_lit(text, " ORDER BY g.conversation_id");
}

void sync_find_build(struct sync *s)
{
	struct buf *text = &s->read.text;
	sync_begin_stmt(s, STMT_ACTIVITY);
	sql_lit(text, "SELECT at FROM activity WHERE id=1");
	if (lists(s, sync_is_direct)) {
		sync_begin_stmt(s, STMT_LISTED);
		put_listed_direct(text, s);
	}
	if (lists(s, sync_is_group)) {
		sync_begin_stmt(s, STMT_LISTED_GROUPS);
		put_listed_groups(text, s);
	}
	if (s->has_since) {
		sync_begin_stmt(s, STMT_WALK);
		put_walk(text, s);
	}
}

/* In listed[], the first one of that id; have_count: it is not listed. */
static size_t find_listed(const struct sync *s, uint64_t id)
{
	size_t low = 0, high = s->have_count;
	while (low < high) {
		size_t at = low + (high - low) / 2;
		if (s->listed[at].id < id)
			low = at + 1;
		else
			high = at;
	}
	return low < s->have_count && s->listed[low].id == id ? low : s->have_count;
}

static bool add_pick(struct sync *s, struct pick pick)
{
	if (s->count == STORE_SYNC_ITEMS_MAX) {
		s->more = true;
		return false;
	}
	s->pick[s->count++] = pick;
	return true;
}

static void found_listed(struct sync *s, struct row *row)
{
	const struct store_sync_have *have = NULL;
	uint64_t id = row_take_u64(row), last_seq = message_id_seq(row_take_u64(row)), change_seq = row_take_u64(row);
	uint64_t first_seq = row_take_u64(row);
	for (size_t i = find_listed(s, id); i < s->have_count && s->listed[i].id == id; i++) {
		size_t index = s->listed[i].index;
		have = have != NULL ? have : &s->have[index];
		s->is_party[index] = true;
	}
	if (have == NULL)
		return;
	/* Held against the newest that the user sees: later ones never come. */
	if ((last_seq > have->seq && last_seq >= first_seq) || change_seq > have->change_seq)
		add_pick(s, (struct pick){.have = have, .id = id});
}

static bool is_picked(const struct sync *s, uint64_t id)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->pick[i].id == id)
			return true;
	return false;
}

static void found_walked(struct sync *s, struct row *row)
{
	struct pick pick = {.id = row_take_u64(row)};
	size_t listed = find_listed(s, pick.id);
	pick.place = (struct store_cursor){row_take_ms(row), pick.id};
	bool set = row_take_bool(row);
	if (listed < s->have_count && (!set || is_picked(s, pick.id)))
		return;
	if (listed < s->have_count)
		pick.have = &s->have[s->listed[listed].index];
	if (add_pick(s, pick))
		s->walked_to = pick.place;
}

void sync_find_row(struct sync *s, enum sync_stmt stmt, struct row *row)
{
	if (stmt == STMT_ACTIVITY)
		s->activity_ms = row_take_ms(row);
	else if (stmt == STMT_WALK)
		found_walked(s, row);
	else
		found_listed(s, row);
}

void sync_find_restart(struct sync *s)
{
	s->count = 0;
	s->more = false;
	s->walked_to = s->since;
	memset(s->is_party, 0, s->have_count * sizeof(*s->is_party));
}
