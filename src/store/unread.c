/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting what is unread. Decides which of the tables have to be looked at. */
#include "core/base.h"
#include "store/unread.h"

#include "core/id.h"
#include "store/sql.h"

static void begin_part(struct unread_stmt *s)
{
	buf_append_str(s->text, s->any ? STR_LIT(" UNION ALL (SELECT ") : STR_LIT("(SELECT "));
	s->any = true;
}

static void begin_part_of(struct unread_stmt *s, size_t tag)
{
	begin_part(s);
	sql_u64(s->text, tag);
	buf_append_char(s->text, ',');
}

/* " WHERE [user_id='…' AND] conversation_id=… AND <seq>>read_seq AND <seq><=last_seq" */
static void put_where_after(struct buf *text, const struct unread *u, struct str user, const char *seq)
{
	sql_lit(text, " WHERE ");
	if (user.s != NULL) {
		sql_lit(text, "user_id=");
		sql_str(text, user);
		sql_lit(text, " AND ");
	}
	sql_lit(text, "conversation_id=");
	sql_u64(text, u->conversation_id);
	buf_printf(text, " AND %s>", seq);
	sql_u64(text, u->read_seq);
	buf_printf(text, " AND %s<=", seq);
	sql_u64(text, u->last_seq);
}

/* ---- groups ---- */

/* What a row tells: its third and fourth columns. */
enum {
	KIND_COUNT,   /* how many are gone, and how many mention the user */
	KIND_RUN,     /* first and last seq of what the user has deleted */
	KIND_BITS,    /* a row of uncounted */
	KIND_MENTION, /* a seq, if it was not deleted */
};

static uint64_t bits_from(uint64_t seq)
{
	return UINT64_MAX << seq % UNCOUNTED_BITS;
}

/* Of a row of uncounted, those after read_seq and up to last_seq. */
static uint64_t bits_that_count(const struct unread *u, uint64_t block, uint64_t bits)
{
	uint64_t first = u->read_seq + 1, end = u->last_seq + 1;
	if (block < first / UNCOUNTED_BITS || block > end / UNCOUNTED_BITS)
		return 0;
	if (block == first / UNCOUNTED_BITS)
		bits &= bits_from(first);
	if (block == end / UNCOUNTED_BITS)
		bits &= ~bits_from(end);
	return bits;
}

static void put_uncounted_rows(struct buf *text, const struct unread *u)
{
	sql_lit(text, " FROM uncounted FORCE INDEX (PRIMARY) WHERE conversation_id=");
	sql_u64(text, u->conversation_id);
	sql_lit(text, " AND block>=");
	sql_u64(text, (u->read_seq + 1) / UNCOUNTED_BITS);
	sql_lit(text, " AND block<=");
	sql_u64(text, u->last_seq / UNCOUNTED_BITS);
}

static void put_mask_of(struct buf *text, const struct unread *u, uint64_t block)
{
	sql_lit(text, "&IF(block=");
	sql_u64(text, block);
	buf_append_char(text, ',');
	sql_u64(text, bits_that_count(u, block, UINT64_MAX));
	buf_append_char(text, ',');
	sql_u64(text, UINT64_MAX);
	buf_append_char(text, ')');
}

static void put_uncounted(struct buf *text, const struct unread *u)
{
	buf_printf(text, "%d,SUM(BIT_COUNT(bits", KIND_COUNT);
	put_mask_of(text, u, (u->read_seq + 1) / UNCOUNTED_BITS);
	put_mask_of(text, u, u->last_seq / UNCOUNTED_BITS);
	sql_lit(text, ")),0");
	put_uncounted_rows(text, u);
}

/* Each message once, also one that mentions the user as well. */
static void put_not_by_name(struct buf *text, struct str user)
{
	sql_lit(text,
		" AND NOT EXISTS(SELECT 1 FROM mentions o WHERE o.conversation_id=n.conversation_id AND o.seq=n.seq "
		"AND o.user_id=");
	sql_str(text, user);
	buf_append_char(text, ')');
}

static void put_if_counted(struct buf *text, struct str user, bool by_name)
{
	sql_lit(text, " AND NOT EXISTS(SELECT 1 FROM uncounted x WHERE x.conversation_id=n.conversation_id AND "
		      "x.block=n.seq>>6 AND x.bits>>(n.seq&63)&1)");
	if (!by_name)
		put_not_by_name(text, user);
}

/* Of the user, or of everyone: each, or how many. */
static void put_mentions(struct buf *text, const struct unread *u, bool by_name, bool each)
{
	if (each)
		buf_printf(text, "%d,n.seq,0", KIND_MENTION);
	else
		buf_printf(text, "%d,0,COUNT(*)", KIND_COUNT);
	sql_lit(text, " FROM mentions n FORCE INDEX (PRIMARY)");
	put_where_after(text, u, by_name ? u->user : STR_LIT("*"), "seq");
	put_if_counted(text, u->user, by_name);
}

static void add_comma(struct buf *text)
{
	if (text->len != 0)
		buf_append_char(text, ',');
}

static void gather_mentions(struct unread_mentions *m, size_t tag, const struct unread *u)
{
	add_comma(&m->ids);
	sql_u64(&m->ids, u->conversation_id);
	add_comma(&m->tags);
	sql_u64(&m->tags, tag);
	if (m->ranges.len != 0)
		sql_lit(&m->ranges, " OR ");
	sql_lit(&m->ranges, "n.conversation_id=");
	sql_u64(&m->ranges, u->conversation_id);
	sql_lit(&m->ranges, " AND n.seq>");
	sql_u64(&m->ranges, u->read_seq);
	sql_lit(&m->ranges, " AND n.seq<=");
	sql_u64(&m->ranges, u->last_seq);
}

/* A row for each group that has some: a statement for each of them costs more than all else. */
static void put_gathered(struct unread_stmt *s, struct unread_mentions *m, bool by_name)
{
	struct buf *text = s->text;
	if (m->ids.len != 0) {
		begin_part(s);
		sql_lit(text, "ELT(FIELD(n.conversation_id,");
		buf_append(text, m->ids.data, m->ids.len);
		sql_lit(text, "),");
		buf_append(text, m->tags.data, m->tags.len);
		buf_printf(text, "),%d,0,COUNT(*) FROM mentions n FORCE INDEX (PRIMARY) WHERE n.user_id=", KIND_COUNT);
		sql_str(text, by_name ? s->user : STR_LIT("*"));
		sql_lit(text, " AND (");
		buf_append(text, m->ranges.data, m->ranges.len);
		buf_append_char(text, ')');
		put_if_counted(text, s->user, by_name);
		sql_lit(text, " GROUP BY n.conversation_id)");
	}
	buf_fini(&m->ids);
	buf_fini(&m->tags);
	buf_fini(&m->ranges);
}

/* The run that read_seq may be in the middle of, and those after it. */
static void put_runs(struct unread_stmt *s, size_t tag, const struct unread *u)
{
	struct buf *text = s->text;
	begin_part_of(s, tag);
	buf_printf(text, "%d,", KIND_RUN);
	sql_u64(text, u->read_seq + 1);
	sql_lit(text, ",last_seq FROM deletions FORCE INDEX (PRIMARY) WHERE user_id=");
	sql_str(text, u->user);
	sql_lit(text, " AND conversation_id=");
	sql_u64(text, u->conversation_id);
	sql_lit(text, " AND first_seq<=");
	sql_u64(text, u->read_seq);
	sql_lit(text, " ORDER BY first_seq DESC LIMIT 1)");
	begin_part_of(s, tag);
	buf_printf(text, "%d,first_seq,last_seq FROM deletions FORCE INDEX (PRIMARY)", KIND_RUN);
	put_where_after(text, u, u->user, "first_seq");
	buf_append_char(text, ')');
}

/*
 * Where the user has deleted messages that were not read, these and the uncounted ones may be the same, and a mention
 * may be among them. So the runs are fetched, and what comes after them is compared with them here: MariaDB would go
 * through all uncounted ones for each run.
 */
static void put_group(struct unread_stmt *s, size_t tag, const struct unread *u)
{
	struct buf *text = s->text;
	bool deleted = u->deleted_seq > u->read_seq;
	if (deleted)
		put_runs(s, tag, u);
	if (u->uncounted_seq > u->read_seq) {
		begin_part_of(s, tag);
		if (deleted) {
			buf_printf(text, "%d,block,bits", KIND_BITS);
			put_uncounted_rows(text, u);
		} else {
			put_uncounted(text, u);
		}
		buf_append_char(text, ')');
	}
	for (int by_name = 1; by_name >= 0; by_name--) {
		if ((by_name ? u->mention_seq : u->all_seq) <= u->read_seq)
			continue;
		if (s->user.s == NULL)
			s->user = u->user;
		if (!deleted && str_equal(s->user, u->user)) {
			gather_mentions(by_name ? &s->by_name : &s->of_all, tag, u);
			continue;
		}
		begin_part_of(s, tag);
		put_mentions(text, u, by_name, deleted);
		buf_append_char(text, ')');
	}
}

static struct unread_run *next_run(struct unread *u, struct arena *a)
{
	if (u->run_count == u->run_room) {
		struct unread_run *old = u->run;
		u->run_room = u->run_room != 0 ? 2 * u->run_room : 16;
		u->run = arena_alloc(a, u->run_room * sizeof(*u->run));
		if (u->run_count != 0)
			memcpy(u->run, old, u->run_count * sizeof(*old));
	}
	return &u->run[u->run_count++];
}

static void take_run(struct unread *u, struct arena *a, uint64_t first_seq, uint64_t last_seq)
{
	if (last_seq > u->last_seq)
		last_seq = u->last_seq;
	/* The first run may end before read_seq. */
	if (last_seq < first_seq)
		return;
	*next_run(u, a) = (struct unread_run){first_seq, last_seq};
	u->gone += last_seq - first_seq + 1;
}

static bool is_in_run(const struct unread *u, uint64_t seq)
{
	size_t low = 0, high = u->run_count;
	while (low < high) {
		size_t at = low + (high - low) / 2;
		if (u->run[at].last_seq < seq)
			low = at + 1;
		else
			high = at;
	}
	return low < u->run_count && u->run[low].first_seq <= seq;
}

static void take_bits(struct unread *u, uint64_t block, uint64_t bits)
{
	for (bits = bits_that_count(u, block, bits); bits != 0; bits &= bits - 1)
		u->gone += !is_in_run(u, block * UNCOUNTED_BITS + (uint64_t)__builtin_ctzll(bits));
}

/* ---- direct conversations ---- */

static void put_direct(struct unread_stmt *s, size_t tag, const struct unread *u)
{
	struct buf *text = s->text;
	if (u->mention_seq <= u->read_seq)
		return;
	begin_part_of(s, tag);
	buf_printf(text, "%d", KIND_COUNT);
	sql_lit(text,
		",0,COUNT(*) FROM mentions n FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages m FORCE INDEX (PRIMARY) ON "
		"m.id=(n.conversation_id<<28)+n.seq AND m.to_user_id=n.user_id AND m.read_at IS NULL AND "
		"m.is_recalled=0 AND m.deleted_by_recipient=0");
	put_where_after(text, u, u->user, "seq");
	buf_append_char(text, ')');
}

/* ---- from outside ---- */

void unread_take_blocks(struct row *row, struct unread *u)
{
	uint64_t last_bits = row_take_u64(row), read_bits = row_take_u64(row);
	uint64_t read = u->read_seq / UNCOUNTED_BITS, last = u->uncounted_seq / UNCOUNTED_BITS;
	/* What the user has deleted may be the same messages. */
	if (u->uncounted_seq <= u->read_seq || u->deleted_seq > u->read_seq || last > read + 1)
		return;
	u->known_gone = (uint64_t)__builtin_popcountll(bits_that_count(u, last, last_bits));
	if (last != read)
		u->known_gone += (uint64_t)__builtin_popcountll(bits_that_count(u, read, read_bits));
	u->gone = u->known_gone;
	u->uncounted_seq = 0;
}

void unread_put_uncounted(struct buf *text, uint64_t seq)
{
	sql_u64(text, seq / UNCOUNTED_BITS);
	buf_append_char(text, ',');
	sql_u64(text, (uint64_t)1 << seq % UNCOUNTED_BITS);
	buf_append_char(text, ',');
}

bool unread_is_known(const struct unread *u)
{
	if (u->last_seq <= u->read_seq)
		return true;
	return u->mention_seq <= u->read_seq && u->all_seq <= u->read_seq && u->uncounted_seq <= u->read_seq &&
	       u->deleted_seq <= u->read_seq;
}

void unread_begin(struct unread_stmt *s, struct buf *text)
{
	*s = (struct unread_stmt){.text = text};
}

bool unread_put(struct unread_stmt *s, size_t tag, const struct unread *u)
{
	if (unread_is_known(u))
		return false;
	if (conversation_is_group(u->conversation_id))
		put_group(s, tag, u);
	else
		put_direct(s, tag, u);
	return true;
}

bool unread_end(struct unread_stmt *s)
{
	put_gathered(s, &s->by_name, true);
	put_gathered(s, &s->of_all, false);
	return s->any;
}

size_t unread_take_tag(struct row *row)
{
	return row_take_u64(row);
}

void unread_take(struct row *row, struct arena *a, struct unread *u)
{
	uint64_t kind = row_take_u64(row), first = row_take_u64(row), second = row_take_u64(row);
	switch (kind) {
	case KIND_COUNT:
		u->gone += first;
		u->mentions += second;
		break;
	case KIND_RUN:
		take_run(u, a, first, second);
		break;
	case KIND_BITS:
		take_bits(u, first, second);
		break;
	case KIND_MENTION:
		u->mentions += !is_in_run(u, first);
		break;
	}
}

void unread_restart(struct unread *u)
{
	u->gone = u->known_gone;
	u->mentions = u->run_count = 0;
}
