/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A search, newest first, over the user's own conversations. These are walked together, each from its newest message to
 * its oldest (search_place.h): what is found is in its place once all of them have come to before it. Then it is read
 * as history shows it (by_id.h), so that what the user may not see, or not any more, is not there.
 *
 * A search looks at no more than LOOKED_AT_MAX messages and TESTED_MAX blocks, and takes no longer than LASTS_MS; then
 * the page is what there is, and the next one goes on where it stopped. Only where more conversations than that have
 * messages of the same time is more looked at, for otherwise it would not get on.
 */
#include "core/base.h"
#include "store/search_priv.h"

#include "core/clock.h"
#include "store/store_priv.h"

#define LOOKED_AT_MAX 10000
#define TESTED_MAX 40000
#define LASTS_MS 1500

/* ---- where it is ---- */

/* What is not later than that may still be found. */
static struct search_candidate horizon(const struct search *s)
{
	struct search_candidate place = {INT64_MIN, 0};
	if (s->order_count != 0)
		place = (struct search_candidate){s->order[0]->bound_ms, UINT64_MAX};
	/* An edited message may be anywhere. */
	if (s->edited_at < s->edited_count)
		place = (struct search_candidate){INT64_MAX, UINT64_MAX};
	return search_is_after(s->floor, place) ? s->floor : place;
}

static bool has_walked_all(const struct search *s)
{
	return s->order_count == 0 && s->edited_at == s->edited_count;
}

static bool sees_end(const struct search *s)
{
	return has_walked_all(s) && s->floor.ms == INT64_MIN;
}

/* Of those found that are in their place, the ones that were not shown yet. */
static size_t ready_to_show(const struct search *s)
{
	struct search_candidate h = horizon(s);
	size_t n = s->shown;
	while (n < s->found_count && search_is_after(s->found[n], h))
		n++;
	return n - s->shown;
}

static bool is_exhausted(const struct search *s)
{
	struct search_candidate h = horizon(s);
	bool enough =
		s->looked_at >= LOOKED_AT_MAX || s->tested >= TESTED_MAX || clock_mono_ms() - s->began_ms >= LASTS_MS;
	/* The next page has to begin before this one did. */
	return enough && (s->count != 0 || search_is_after(s->top, h));
}

/* ---- showing ---- */

static const struct str *peer_of(const struct search *s, uint64_t conversation_id)
{
	static const struct str none = {NULL, 0};
	for (size_t low = 0, high = s->places; low < high;) {
		size_t at = low + (high - low) / 2;
		if (s->place[at].id == conversation_id)
			return &s->place[at].peer;
		if (s->place[at].id < conversation_id)
			low = at + 1;
		else
			high = at;
	}
	return &none;
}

static void show_put(struct search *s, size_t n)
{
	s->step = SEARCH_SHOW;
	s->by_id = (struct by_id){
		.user = s->read.user,
		.item = arena_alloc(&s->read.arena, n * sizeof(*s->by_id.item)),
		.count = n,
	};
	for (size_t i = 0; i < n; i++) {
		uint64_t id = s->found[s->shown + i].id;
		s->by_id.item[i] = (struct by_id_item){.id = id, .peer = *peer_of(s, message_id_conversation(id))};
	}
	s->marked = arena_alloc(&s->read.arena, n * sizeof(*s->marked));
	s->marked_count = 0;
	buf_clear(&s->read.text);
	by_id_put(&s->by_id, &s->read.text);
}

/* With its row, for all of them at once would keep a worker busy. It may have been edited since it was found. */
static void mark(struct search *s, const struct message *m)
{
	struct needle_range range[STORE_RANGES_MAX];
	message_words_read(&s->words, m, true);
	if (m->is_recalled || !needle_is_in(&s->needle, &s->words.content, &s->words.name))
		return;
	size_t n = needle_ranges(&s->needle, &s->words.content, range, STORE_RANGES_MAX);
	struct needle_range *kept = arena_alloc(&s->read.arena, (n + 1) * sizeof(*kept));
	memcpy(kept, range, n * sizeof(*kept));
	s->marked[s->marked_count++] = (struct store_found_message){m, kept, n};
}

static const struct store_found_message *find_marked(const struct search *s, const struct message *m)
{
	for (size_t i = 0; i < s->marked_count; i++)
		if (s->marked[i].message == m)
			return &s->marked[i];
	return NULL;
}

/* False: the page is full. */
static bool show(struct search *s, const struct store_found_message *found)
{
	s->full = s->count == s->limit ||
		  !answer_takes(&s->answer, answer_message_size(found->message) +
						    found->range_count * sizeof("[4294967295,4294967295],"));
	if (!s->full)
		s->item[s->count++] = *found;
	return !s->full;
}

static void show_end(struct search *s)
{
	for (size_t i = 0; i < s->by_id.count && !s->full; i++) {
		const struct store_found_message *found = find_marked(s, by_id_message(&s->by_id, i));
		if (found == NULL || show(s, found))
			s->shown++;
	}
}

/* ---- the steps ---- */

static void search_restart(struct read *r)
{
	struct search *s = container_of(r, struct search, read);
	if (s->step == SEARCH_HEADS) {
		heads_restart(s);
	} else if (s->step == SEARCH_LOOK) {
		look_restart(s);
	} else {
		s->marked_count = 0;
		by_id_restart(&s->by_id);
	}
}

static void search_row(struct read *r, unsigned stmt, struct row *row)
{
	struct search *s = container_of(r, struct search, read);
	if (s->step == SEARCH_HEADS) {
		heads_row(s, stmt, row);
	} else if (s->step == SEARCH_LOOK) {
		look_row(s, stmt, row);
	} else {
		const struct message *m = by_id_row(&s->by_id, &r->arena, stmt, row);
		if (m != NULL && s->marked_count < s->by_id.count)
			mark(s, m);
	}
}

static void step_end(struct search *s)
{
	if (s->step == SEARCH_HEADS)
		heads_end(s);
	else if (s->step == SEARCH_LOOK)
		look_end(s);
	else
		show_end(s);
}

/* Writes what is to be asked next. False: the page is there. */
static bool build_next(struct search *s)
{
	size_t n = ready_to_show(s), wanted = s->limit + 1 - s->count;
	/* The one that does not fit any more tells that there is another page; where it would have to be looked for,
	 * there may be one. */
	if (s->full || (s->count == s->limit && n == 0))
		return false;
	bool last = has_walked_all(s) || is_exhausted(s);
	if (n != 0 && (n + s->count >= s->limit || last)) {
		show_put(s, n < wanted ? n : wanted);
		return true;
	}
	if (last)
		return false;
	while (!look_put(s)) {
		look_end(s);
		if (has_walked_all(s))
			return build_next(s);
	}
	return true;
}

/* Behind the last one of a full page; else before all that was looked at. */
static struct store_cursor next_page(const struct search *s)
{
	struct search_candidate h = horizon(s);
	if (s->full || s->count == s->limit) {
		const struct message *last = s->item[s->count - 1].message;
		return (struct store_cursor){last->created_ms, last->id};
	}
	return (struct store_cursor){h.ms, h.id != UINT64_MAX ? h.id + 1 : h.id};
}

static void search_end(struct search *s, enum store_status status)
{
	struct store_found out = {.status = status, .building = s->looked && !s->ready};
	if (status == STORE_OK) {
		out.item = s->item;
		out.count = s->count;
		out.has_more = s->needle.count != 0 && (s->full || s->shown < s->found_count || !sees_end(s));
		if (out.has_more)
			out.next = next_page(s);
	}
	s->fn(&out, s->arg);
	message_words_fini(&s->words);
	needle_fini(&s->needle);
}

static void search_done(struct read *r, enum store_status status)
{
	struct search *s = container_of(r, struct search, read);
	if (status == STORE_OK) {
		step_end(s);
		s->looked = true;
		if (!s->ready)
			status = STORE_UNAVAILABLE;
		else if (s->conversation_id != 0 && !s->party)
			status = STORE_NOT_FOUND;
		else if (s->needle.count != 0 && build_next(s)) {
			pool_again(r);
			return;
		}
	}
	search_end(s, status);
}

/* Only what is before both; all zeroes: from the newest on. */
static struct search_candidate top_of(const struct store_search *p)
{
	struct search_candidate top = {INT64_MAX, UINT64_MAX};
	if (p->after.ms != 0 || p->after.id != 0)
		top = (struct search_candidate){p->after.ms, p->after.id};
	struct search_candidate before = {p->before_ms, 0};
	return p->has_before && search_is_after(top, before) ? before : top;
}

void store_search(struct store *st, const struct store_search *p, store_found_fn *fn, void *arg)
{
	struct search *s = read_new(st->search_pool, p->user, sizeof(*s));
	struct arena *a = &s->read.arena;
	s->read.restart = search_restart;
	s->read.row = search_row;
	s->read.done = search_done;
	s->fn = fn;
	s->arg = arg;
	s->backend = search_backend(st->conf);
	s->conversation_id = p->conversation_id;
	s->from = arena_str(a, p->from);
	s->has_type = p->has_type;
	s->type = p->type;
	s->has_after = p->has_after;
	s->after_ms = p->after_ms;
	s->top = top_of(p);
	s->limit = p->limit;
	s->item = arena_alloc(a, (p->limit + 1) * sizeof(*s->item));
	s->floor.ms = INT64_MIN;
	s->began_ms = clock_mono_ms();
	needle_read(&s->needle, p->q);
	if (p->conversation_id > CONVERSATION_ID_MAX) {
		pool_refuse(&s->read, STORE_NOT_FOUND);
		return;
	}
	heads_put(s);
	pool_submit(&s->read);
}
