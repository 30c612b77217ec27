/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A step of a search: which messages and blocks of which conversations it looks at, and which of the messages have what
 * is searched for. The conversations with the latest messages come first, each with its share. Steps begin small, for a
 * frequent word is found at once, and grow.
 */
#include "core/base.h"
#include "store/search_priv.h"

#include <stdlib.h>

#include "store/sql.h"

/* Of a step: parts of SEARCH_PART messages, and blocks. */
#define PARTS_MIN 16
#define PARTS_MAX 128
#define TESTS_MIN 256
#define TESTS_MAX 2048
/* Of texts, about, once it is known how long they are: so many keep a worker busy for some milliseconds. */
#define TEXTS_MAX ((uint64_t)1024 * 1024)
/* Messages of a step that were edited. */
#define EDITED_MAX 512
/* Doubled so often. */
#define GROWS_MAX 3

/* ---- what is asked ---- */

static uint64_t growing(const struct search *s, uint64_t min, uint64_t max)
{
	uint64_t n = min << (s->looks < GROWS_MAX ? s->looks : GROWS_MAX);
	return n < max ? n : max;
}

/* Parts of a step, by the texts of the one before. */
static uint64_t parts_of_step(const struct search *s)
{
	uint64_t parts = growing(s, PARTS_MIN, PARTS_MAX);
	uint64_t of_texts = s->rows != 0 ? TEXTS_MAX / (s->bytes / s->rows + 1) / SEARCH_PART : parts;
	return of_texts < parts ? of_texts + 1 : parts;
}

static void begin_messages(struct search *s)
{
	struct buf *text = &s->read.text;
	if (s->asks_messages) {
		sql_lit(text, " OR ");
		return;
	}
	s->asks_messages = true;
	sql_lit(text, "SELECT m.id,m.created_at,m.is_recalled OR m.expires_at<=UTC_TIMESTAMP(3) OR IF(m.id<");
	sql_u64(text, message_id_make(GROUP_ID_MIN, 0));
	sql_lit(text, ",IF(m.from_user_id=");
	sql_str(text, s->read.user);
	sql_lit(text, ",m.deleted_by_sender,m.deleted_by_recipient),0),m.from_user_id,m.message_type,m.content,"
		      "m.media_url,m.extra FROM messages m FORCE INDEX (PRIMARY) WHERE ");
}

static void put_messages(struct search *s, uint64_t conversation_id, uint64_t low, uint64_t high)
{
	struct buf *text = &s->read.text;
	begin_messages(s);
	sql_lit(text, "m.id BETWEEN ");
	sql_u64(text, message_id_make(conversation_id, low));
	sql_lit(text, " AND ");
	sql_u64(text, message_id_make(conversation_id, high));
	s->looked_at += high - low + 1;
}

static struct search_place *find_place(const struct search *s, uint64_t id)
{
	size_t low = 0, high = s->places;
	while (low < high) {
		size_t at = low + (high - low) / 2;
		if (s->place[at].id < id)
			low = at + 1;
		else
			high = at;
	}
	return low < s->places && s->place[low].id == id ? &s->place[low] : NULL;
}

/* They are found before it is their turn, which does no harm. */
static void put_edited(struct search *s)
{
	for (unsigned n = 0; n < EDITED_MAX && s->edited_at < s->edited_count; n++) {
		uint64_t id = s->edited[s->edited_at++], seq = message_id_seq(id);
		const struct search_place *p = find_place(s, message_id_conversation(id));
		if (p != NULL && seq >= p->first_seq && seq <= p->covered)
			put_messages(s, p->id, seq, seq);
	}
}

/* Asks for its share. Returns how many parts and blocks these are. */
static void ask_place(struct search *s, struct search_place *p, uint64_t parts, uint64_t blocks, uint64_t *parts_r,
		      uint64_t *blocks_r)
{
	uint64_t low;
	enum place_need need = place_next(p, &low);
	for (*parts_r = 0; need == PLACE_MESSAGES && *parts_r < parts; ++*parts_r) {
		put_messages(s, p->id, low, p->high);
		place_ask_messages(p, low);
		need = place_next(p, &low);
	}
	*blocks_r = 0;
	if (need != PLACE_BLOCKS)
		return;
	place_ask_blocks(p, blocks);
	*blocks_r = p->range.last_block - p->range.first_block + 1;
	s->tested += *blocks_r;
	s->asks_blocks = true;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = (*(struct search_place *const *)a)->id, y = (*(struct search_place *const *)b)->id;
	return x < y ? -1 : x > y;
}

static void put_blocks(struct search *s)
{
	struct search_range *range = arena_alloc(&s->read.arena, s->asked_count * sizeof(*range));
	size_t n = 0;
	for (size_t i = 0; i < s->asked_count; i++)
		if (s->asked[i]->finds)
			range[n++] = s->asked[i]->range;
	if (s->asks_messages)
		buf_append_char(&s->read.text, ';');
	s->backend->put_find(&s->read.text, &s->needle, range, n);
}

bool look_put(struct search *s)
{
	uint64_t parts = parts_of_step(s), blocks = growing(s, TESTS_MIN, TESTS_MAX);
	size_t n = s->order_count < parts ? s->order_count : parts;
	s->step = SEARCH_LOOK;
	s->asks_messages = s->asks_blocks = false;
	s->asked_count = 0;
	buf_clear(&s->read.text);
	put_edited(s);
	if (n != 0) {
		uint64_t parts_each = parts / n, blocks_each = blocks / n > SEARCH_MARK ? blocks / n : SEARCH_MARK;
		if (s->asked == NULL)
			s->asked = arena_alloc(&s->read.arena, PARTS_MAX * sizeof(struct search_place *));
		for (size_t i = 0; i < n && parts != 0 && blocks != 0; i++) {
			uint64_t asked_parts, asked_blocks;
			ask_place(s, s->order[i], parts_each, blocks_each, &asked_parts, &asked_blocks);
			s->asked[s->asked_count++] = s->order[i];
			parts -= asked_parts;
			blocks -= asked_blocks < blocks ? asked_blocks : blocks;
		}
		qsort(s->asked, s->asked_count, sizeof(struct search_place *), by_id);
	}
	if (s->asks_blocks)
		put_blocks(s);
	s->looks++;
	s->found_before = s->found_count;
	look_restart(s);
	return s->asks_messages || s->asks_blocks;
}

/* ---- what is found ---- */

void look_restart(struct search *s)
{
	s->found_count = s->found_before;
	s->hits = s->rows = s->bytes = 0;
	for (size_t i = 0; i < s->asked_count; i++)
		place_restart(s->asked[i]);
}

static bool is_wanted(const struct search *s, const struct message *m)
{
	struct search_candidate here = {m->created_ms, m->id};
	if (!search_is_after(s->top, here) || (s->has_after && m->created_ms <= s->after_ms))
		return false;
	return (s->from.s == NULL || str_is(s->from, m->from)) && (!s->has_type || m->type == s->type);
}

/* Room for those of a step, which are at most as many messages as it asks for. */
#define FOUND_ROOM (SEARCH_FOUND_MAX + (PARTS_MAX + 1) * SEARCH_PART + EDITED_MAX)

static void message_row(struct search *s, struct row *row)
{
	struct message m = {.id = row_take_u64(row)};
	struct search_place *p = find_place(s, message_id_conversation(m.id));
	m.created_ms = row_take_ms(row);
	bool hidden = row_take_bool(row);
	row_take_user(row, m.from);
	m.type = row_take_type(row);
	m.content = row_take_str(row);
	m.media_url = row_take_str(row);
	m.extra = row_take_str(row);
	s->rows++;
	s->bytes += m.content.len;
	if (p == NULL)
		return;
	/* An edited one may be far before the others. */
	if (p->asks && message_id_seq(m.id) > p->high && m.created_ms < p->seen_ms)
		p->seen_ms = m.created_ms;
	if (hidden || !is_wanted(s, &m) || s->found_count == FOUND_ROOM)
		return;
	message_words_read(&s->words, &m, false);
	if (needle_is_in(&s->needle, &s->words.content, &s->words.name))
		s->found[s->found_count++] = (struct search_candidate){m.created_ms, m.id};
}

static struct search_hit *next_hit(struct search *s)
{
	if (s->hits == s->hit_room) {
		size_t room = s->hit_room != 0 ? 2 * s->hit_room : SEARCH_BLOCK;
		struct search_hit *hit = arena_alloc(&s->read.arena, room * sizeof(*hit));
		if (s->hits != 0)
			memcpy(hit, s->hit, s->hits * sizeof(*hit));
		s->hit = hit;
		s->hit_room = room;
	}
	return &s->hit[s->hits++];
}

static void block_row(struct search *s, struct row *row)
{
	struct search_place *p = find_place(s, row_take_u64(row));
	uint64_t block = row_take_u64(row);
	int64_t first_ms = row_take_ms(row), last_ms = row_take_ms(row);
	if (p == NULL || !p->finds)
		return;
	if (first_ms < p->mark_ms)
		p->mark_ms = first_ms;
	if (!row_take_bool(row))
		return;
	*next_hit(s) = (struct search_hit){p->id, block, last_ms};
}

void look_row(struct search *s, unsigned stmt, struct row *row)
{
	if (s->found == NULL)
		s->found = arena_alloc(&s->read.arena, FOUND_ROOM * sizeof(*s->found));
	if (stmt == 0 && s->asks_messages)
		message_row(s, row);
	else
		block_row(s, row);
}

static int later_first(const void *a, const void *b)
{
	const struct search_candidate *x = a, *y = b;
	return search_is_after(*x, *y) ? -1 : search_is_after(*y, *x);
}

/* Sorts what was found, each once, and drops what there is no room for. */
static void sort_found(struct search *s)
{
	size_t kept = 0;
	if (s->found_count == s->found_before)
		return;
	qsort(s->found, s->found_count, sizeof(*s->found), later_first);
	for (size_t i = 0; i < s->found_count; i++)
		if (kept == 0 || s->found[kept - 1].id != s->found[i].id)
			s->found[kept++] = s->found[i];
	s->found_count = kept;
	if (s->found_count <= SEARCH_FOUND_MAX)
		return;
	if (search_is_after(s->found[SEARCH_FOUND_MAX], s->floor))
		s->floor = s->found[SEARCH_FOUND_MAX];
	s->found_count = SEARCH_FOUND_MAX;
}

static int latest_first(const void *a, const void *b)
{
	const struct search_place *x = *(struct search_place *const *)a, *y = *(struct search_place *const *)b;
	if (x->bound_ms != y->bound_ms)
		return x->bound_ms > y->bound_ms ? -1 : 1;
	return x->id < y->id ? 1 : -1;
}

void look_sort_places(struct search *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->order_count; i++) {
		uint64_t low;
		struct search_place *p = s->order[i];
		/* Passes over blocks, so that the bound is as low as is known. */
		if (place_next(p, &low) != PLACE_DONE && !(s->has_after && p->bound_ms <= s->after_ms))
			s->order[kept++] = p;
	}
	s->order_count = kept;
	if (kept != 0)
		qsort(s->order, kept, sizeof(struct search_place *), latest_first);
}

static int by_block(const void *a, const void *b)
{
	const struct search_hit *x = a, *y = b;
	if (x->conversation_id != y->conversation_id)
		return x->conversation_id < y->conversation_id ? -1 : 1;
	return x->block < y->block ? -1 : x->block > y->block;
}

/* Gives each conversation its hits. Both are in order of its id. */
static void share_hits(struct search *s)
{
	struct search_hit *hit = arena_alloc(&s->read.arena, (s->hits + 1) * sizeof(*hit));
	size_t at = 0;
	if (s->hits != 0) {
		qsort(s->hit, s->hits, sizeof(*hit), by_block);
		memcpy(hit, s->hit, s->hits * sizeof(*hit));
	}
	for (size_t i = 0; i < s->asked_count; i++) {
		size_t begin = at;
		while (at < s->hits && hit[at].conversation_id == s->asked[i]->id)
			at++;
		place_step(s->asked[i], hit + begin, at - begin);
	}
}

void look_end(struct search *s)
{
	share_hits(s);
	sort_found(s);
	look_sort_places(s);
}
