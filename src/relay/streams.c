/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "relay/streams.h"

#include <stdlib.h>

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct stream *)a)->id, y = ((const struct stream *)b)->id;
	return x < y ? -1 : x > y;
}

void streams_fini(struct streams *s)
{
	free(s->now);
	free(s->next);
	*s = (struct streams){0};
}

void streams_forget(struct streams *s)
{
	s->count = s->next_count = 0;
	s->surveys = 0;
}

struct stream *streams_find(struct streams *s, uint64_t id)
{
	const struct stream key = {.id = id};
	return s->count != 0 ? bsearch(&key, s->now, s->count, sizeof(key), by_id) : NULL;
}

void streams_begin(struct streams *s)
{
	if (s->next == NULL) {
		s->now = xcalloc(STREAMS_MAX, sizeof(*s->now));
		s->next = xcalloc(STREAMS_MAX, sizeof(*s->next));
	}
	s->next_count = 0;
}

void streams_add(struct streams *s, const struct stream *found)
{
	const struct stream *known = streams_find(s, found->id);
	if (s->next_count == STREAMS_MAX)
		return;
	struct stream *added = &s->next[s->next_count++];
	*added = *found;
	if (known != NULL)
		memcpy(added->seen_n, known->seen_n, sizeof(added->seen_n));
	else
		memset(added->seen_n, 0, sizeof(added->seen_n));
}

/* The place of the newest survey before this one that is old enough, or -1. */
static int survey_before(const struct streams *s, int64_t ms)
{
	for (uint64_t back = STREAMS_SURVEYS_BETWEEN; back <= STREAMS_SURVEYS && back <= s->surveys; back++) {
		uint64_t place = (s->surveys - back) % STREAMS_SURVEYS;
		if (s->surveyed_ms[place] <= ms)
			return (int)place;
	}
	return -1;
}

void streams_end(struct streams *s, int64_t now_ms, int64_t patience_ms)
{
	int before = survey_before(s, now_ms - patience_ms);
	uint64_t place = s->surveys++ % STREAMS_SURVEYS;
	s->surveyed_ms[place] = now_ms;
	for (size_t i = 0; i < s->next_count; i++) {
		struct stream *stream = &s->next[i];
		/* First, for the oldest place may be the one that is written now. */
		stream->due_n = before >= 0 ? stream->seen_n[before] : 0;
		stream->seen_n[place] = stream->max_n;
	}
	if (s->next_count != 0)
		qsort(s->next, s->next_count, sizeof(*s->next), by_id);
	struct stream *old = s->now;
	s->now = s->next;
	s->count = s->next_count;
	s->next = old;
	s->next_count = 0;
}

static uint64_t rows_of(const struct stream *stream)
{
	uint64_t done = stream->done_n[CONSUMER_PUSH];
	uint64_t before = done >= stream->min_n ? done : stream->min_n - 1;
	return stream->max_n > before ? stream->max_n - before : 0;
}

uint64_t streams_rows(const struct streams *s)
{
	uint64_t rows = 0;
	for (size_t i = 0; i < s->count; i++)
		rows += rows_of(&s->now[i]);
	return rows;
}

struct stream *streams_next_due(struct streams *s, uint64_t after_id)
{
	struct stream *first = NULL;
	for (size_t i = 0; i < s->count; i++) {
		struct stream *stream = &s->now[i];
		if (stream->due_n <= stream->done_n[CONSUMER_PUSH])
			continue;
		if (stream->id > after_id)
			return stream;
		if (first == NULL)
			first = stream;
	}
	return first;
}

struct stream *streams_next_unread(const struct streams *s, enum consumer consumer, uint64_t after_id)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->now[i].id > after_id && s->now[i].max_n > s->now[i].done_n[consumer])
			return &s->now[i];
	return NULL;
}

void streams_note(struct streams *s, enum consumer consumer, uint64_t id, uint64_t n)
{
	struct stream *stream = streams_find(s, id);
	if (stream != NULL && stream->done_n[consumer] < n)
		stream->done_n[consumer] = n;
}

/* How many of its rows may go, from the oldest on. */
static uint64_t deletable(const struct stream *stream)
{
	uint64_t done = stream->all_done_n < stream->max_n ? stream->all_done_n : stream->max_n;
	/* Nobody writes to a stream that is still, or not before the statement is over. */
	uint64_t keep = stream->still && done == stream->max_n ? 0 : STREAMS_KEEP;
	if (done < stream->min_n + keep)
		return 0;
	uint64_t rows = done - keep - stream->min_n + 1;
	return rows >= STREAMS_DELETE_MIN || keep == 0 ? rows : 0;
}

struct stream *streams_to_delete(struct streams *s, uint64_t *first_n_r, uint64_t *last_n_r)
{
	struct stream *best = NULL;
	uint64_t most = 0;
	for (size_t i = 0; i < s->count; i++) {
		uint64_t rows = deletable(&s->now[i]);
		if (rows > most) {
			most = rows;
			best = &s->now[i];
		}
	}
	if (best == NULL)
		return NULL;
	*first_n_r = best->min_n;
	*last_n_r = best->min_n + (most < STREAMS_DELETE_MAX ? most : STREAMS_DELETE_MAX) - 1;
	return best;
}
