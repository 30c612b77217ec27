/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The window of a webhook: which streams have rows for it, where in a stream it begins, and the rows themselves, up to
 * a time before which all have been read. At its end, how far it went is noted.
 */
#include "core/base.h"
#include "relay/hooks.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "hub/stats.h"
#include "relay/relay_priv.h"
#include "store/row.h"
#include "store/sql.h"

#define ROWS_MIN 16
/* With fewer rows, those that do not count are read and passed over. */
#define SEARCH_MIN 1000

/* ---- what there is ---- */

/*
 * By a loose scan, as in survey.c. The streams whose next rows are the oldest are kept: where there are more, the
 * window ends before the first of the others.
 */
static void survey_ask(struct relay *r, struct buf *text)
{
	struct hook *h = r->hooks.now;
	h->step = HOOK_SURVEYING;
	h->due = false;
	h->streams = 0;
	h->others_ms = INT64_MAX;
	h->asked_ms = clock_mono_ms();
	sql_lit(text, "SELECT s.stream,s.min_n,s.max_n,d.n,o.at,z.at,UTC_TIMESTAMP(3) FROM (SELECT stream,MIN(n) AS "
		      "min_n,MAX(n) AS max_n FROM outbox GROUP BY stream) s LEFT JOIN outbox_done d ON d.consumer=");
	hook_put_consumer(text, h);
	sql_lit(text,
		" AND d.stream=s.stream LEFT JOIN outbox o ON o.stream=s.stream AND o.n=GREATEST(COALESCE(d.n,0)+1,"
		"s.min_n) LEFT JOIN outbox z ON z.stream=s.stream AND z.n=s.max_n WHERE s.max_n>COALESCE(d.n,0) "
		"AND (SELECT generation FROM hooks WHERE name=");
	sql_str(text, str_from(h->conf->name));
	/* Of a generation that has ended nothing is found: its cursors are gone, and where to begin is to be looked up.
	 */
	sql_lit(text, ")=");
	sql_u64(text, h->generation);
	sql_lit(text, ";COMMIT");
}

static void lose(struct hook *h, uint64_t rows)
{
	h->lost += rows;
	h->changed = true;
	stat_add(STAT_HOOK_LOST, rows);
	log_warn_gated("webhook %s: what %" PRIu64
		       " transactions have done is older than %d days, and is not delivered",
		       h->conf->name, rows, HOOK_KEEPS_DAYS);
}

/* In place of the one whose next row is the youngest, where there is no room. */
static void add_stream(struct hook *h, const struct hook_stream *s)
{
	struct hook_stream *to = &h->stream[0];
	if (h->streams < HOOK_STREAMS_MAX) {
		h->stream[h->streams++] = *s;
		return;
	}
	for (unsigned i = 1; i < h->streams; i++)
		if (h->stream[i].first_ms > to->first_ms)
			to = &h->stream[i];
	int64_t other_ms = s->first_ms < to->first_ms ? to->first_ms : s->first_ms;
	if (s->first_ms < to->first_ms)
		*to = *s;
	h->others_ms = other_ms < h->others_ms ? other_ms : h->others_ms;
}

static void survey_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct hook *h = r->hooks.now;
	(void)stmt;
	struct hook_stream s = {0};
	s.id = row_take_u64(row);
	uint64_t min_n = row_take_u64(row);
	s.max_n = row_take_u64(row);
	bool begins = row_next_is_null(row);
	s.done_n = row_take_u64(row);
	s.first_ms = row_take_ms(row);
	int64_t newest_ms = row_take_ms(row);
	h->now_ms = row_take_ms(row);
	if (!begins && min_n > s.done_n + 1)
		lose(h, min_n - 1 - s.done_n);
	if (min_n > s.done_n + 1)
		s.done_n = min_n - 1;
	if (begins && newest_ms < h->since_ms)
		s.done_n = s.max_n;
	else if (begins && s.first_ms < h->since_ms && s.max_n - s.done_n > SEARCH_MIN) {
		s.low = s.done_n;
		s.high = s.max_n;
	}
	s.taken_n = s.done_n;
	add_stream(h, &s);
}

static bool is_searching(const struct hook_stream *s)
{
	return s->high > s->low + 1;
}

/* Sets the step. */
static void begin_rows(struct hook *h)
{
	h->step = HOOK_READING;
	for (unsigned i = 0; i < h->streams; i++)
		if (is_searching(&h->stream[i]))
			h->step = HOOK_SEARCHING;
}

static void survey_done(struct relay *r)
{
	struct hook *h = r->hooks.now;
	if (h->step != HOOK_SURVEYING)
		return;
	if (h->streams != 0) {
		begin_rows(h);
		return;
	}
	h->step = HOOK_IDLE;
	if (h->waits_since_ms != 0)
		h->changed = true;
	h->waits_since_ms = 0;
}

const struct relay_job hook_survey_job = {.name = "looking for what webhooks are told",
					  .ask = survey_ask,
					  .row = survey_row,
					  .done = survey_done,
					  .failed = hook_failed};

/* ---- where it begins ---- */

/* The times of a stream's rows go up but for a clock that is set: what is halved may be off by that, and no more. */
static void search_ask(struct relay *r, struct buf *text)
{
	struct hook *h = r->hooks.now;
	bool first = true;
	for (unsigned i = 0; i < h->streams; i++) {
		const struct hook_stream *s = &h->stream[i];
		if (!is_searching(s))
			continue;
		buf_append_str(text, first ? STR_LIT("") : STR_LIT(" UNION ALL "));
		first = false;
		sql_lit(text, "SELECT ");
		sql_u64(text, i);
		sql_lit(text, ",at FROM outbox WHERE stream=");
		sql_u64(text, s->id);
		sql_lit(text, " AND n=");
		sql_u64(text, s->low + (s->high - s->low) / 2);
	}
	sql_lit(text, ";COMMIT");
	/* A row that is gone meanwhile was older than what is kept. */
	for (unsigned i = 0; i < h->streams; i++)
		h->stream[i].last_ms = 0;
}

static void search_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct hook *h = r->hooks.now;
	(void)stmt;
	uint64_t i = row_take_u64(row);
	if (i < h->streams)
		h->stream[i].last_ms = row_take_ms(row);
}

static void search_done(struct relay *r)
{
	struct hook *h = r->hooks.now;
	if (h->step != HOOK_SEARCHING)
		return;
	for (unsigned i = 0; i < h->streams; i++) {
		struct hook_stream *s = &h->stream[i];
		if (!is_searching(s))
			continue;
		uint64_t middle = s->low + (s->high - s->low) / 2;
		if (s->last_ms < h->since_ms)
			s->low = middle;
		else
			s->high = middle;
		s->done_n = s->taken_n = s->low;
	}
	begin_rows(h);
}

const struct relay_job hook_search_job = {.name = "looking where a webhook begins",
					  .ask = search_ask,
					  .row = search_row,
					  .done = search_done,
					  .failed = hook_failed};

/* ---- rows ---- */

static void read_ask(struct relay *r, struct buf *text)
{
	struct hook *h = r->hooks.now;
	h->rows = h->events = 0;
	h->row_limit = HOOK_ROWS_MAX / h->streams > ROWS_MIN ? HOOK_ROWS_MAX / h->streams : ROWS_MIN;
	for (unsigned i = 0; i < h->streams; i++) {
		struct hook_stream *s = &h->stream[i];
		s->rows = 0;
		s->events = 0;
		s->full = false;
		s->last_ms = 0;
		s->last_read_n = s->done_n;
		sql_lit(text, "SELECT n,at,items FROM outbox WHERE stream=");
		sql_u64(text, s->id);
		sql_lit(text, " AND n>");
		sql_u64(text, s->done_n);
		sql_lit(text, " AND n<=");
		sql_u64(text, s->max_n);
		sql_lit(text, " ORDER BY n LIMIT ");
		sql_u64(text, h->row_limit);
		buf_append_char(text, ';');
	}
	sql_lit(text, "COMMIT");
}

static struct hook_row *add_row(struct hook *h)
{
	if (h->rows == h->row_room) {
		h->row_room = h->row_room != 0 ? 2 * h->row_room : 256;
		h->row = xrealloc(h->row, h->row_room * sizeof(*h->row));
	}
	return &h->row[h->rows++];
}

static void read_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct hook *h = r->hooks.now;
	if (h->step != HOOK_READING || stmt >= h->streams)
		return;
	struct hook_stream *s = &h->stream[stmt];
	if (s->full)
		return;
	uint64_t n = row_take_u64(row);
	int64_t at_ms = row_take_ms(row);
	struct str items = row_take_str(row);
	s->last_ms = at_ms > s->last_ms ? at_ms : s->last_ms;
	s->last_read_n = n;
	s->rows++;
	struct hook_row *to = add_row(h);
	*to = (struct hook_row){.stream = stmt, .n = n, .at_ms = s->last_ms, .first = (unsigned)h->events};
	to->lost = h->now_ms - at_ms > HOOK_KEEPS_MS;
	if (!to->lost && at_ms >= h->since_ms)
		to->events = hook_add_events(h, s->id, n, at_ms, items);
	s->events += to->events;
	/* A row may hold thousands. */
	s->full = s->rows == h->row_limit || s->events >= HOOK_EVENTS_MAX;
}

static int by_time(const void *a, const void *b)
{
	const struct hook_row *x = a, *y = b;
	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	return x->n < y->n ? -1 : x->n > y->n;
}

/* Rows that were not read are not older than that. */
static int64_t horizon_of(const struct hook *h)
{
	int64_t horizon = h->others_ms;
	for (unsigned i = 0; i < h->streams; i++) {
		const struct hook_stream *s = &h->stream[i];
		if (s->full && s->last_read_n < s->max_n && s->last_ms < horizon)
			horizon = s->last_ms;
	}
	return horizon;
}

/* How many of the rows, in order, make the window: up to before the horizon, or else to it, so that it goes on. */
static size_t rows_before(const struct hook *h, int64_t horizon)
{
	size_t rows = 0, events = 0;
	int64_t first_ms = h->rows != 0 ? h->row[0].at_ms : 0;
	for (; rows < h->rows; rows++) {
		const struct hook_row *row = &h->row[rows];
		if (row->at_ms > horizon || (row->at_ms == horizon && first_ms < horizon))
			break;
		if (events >= HOOK_EVENTS_MAX && row->at_ms > h->row[rows - 1].at_ms)
			break;
		events += row->events;
	}
	return rows;
}

/* Is it a message of its own, whose seq tells its place in its conversation? */
static bool has_seq(const struct hook_event *e)
{
	return e->kind == HOOK_MESSAGE || e->kind == HOOK_GROUP;
}

static int by_conversation(const void *a, const void *b)
{
	const struct hook_event *x = *(struct hook_event *const *)a, *y = *(struct hook_event *const *)b;
	uint64_t of_x = message_id_conversation(x->id), of_y = message_id_conversation(y->id);
	if (of_x != of_y)
		return of_x < of_y ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int by_message(const void *a, const void *b)
{
	const struct hook_event *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

/*
 * Two transactions of a conversation may have one time. Where they are in different streams, the seq of its messages
 * says which was first: each conversation's are put in order, in the places that they have.
 */
static void order_moment(struct hook_event *e, size_t count)
{
	struct hook_event **place = xcalloc(count + 1, sizeof(*place));
	struct hook_event *sorted = xcalloc(count + 1, sizeof(*sorted));
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		if (has_seq(&e[i]))
			place[n++] = &e[i];
	qsort(place, n, sizeof(struct hook_event *), by_conversation);
	for (size_t i = 0; i < n; i++)
		sorted[i] = *place[i];
	qsort(sorted, n, sizeof(*sorted), by_message);
	for (size_t i = 0; i < n; i++)
		*place[i] = sorted[i];
	free(place);
	free(sorted);
}

/* In the order of the rows; events of rows that are not taken are forgotten. */
static void order_events(struct hook *h)
{
	struct hook_event *sorted = xcalloc(h->events + 1, sizeof(*sorted));
	size_t n = 0, moment = 0; /* where the events of the row's time begin */
	bool mixed = false;	  /* and whether they are of several streams */
	for (size_t i = 0; i < h->rows; i++) {
		const struct hook_row *row = &h->row[i];
		bool goes_on = i != 0 && row->at_ms == row[-1].at_ms;
		if (!goes_on && mixed)
			order_moment(sorted + moment, n - moment);
		moment = goes_on ? moment : n;
		mixed = goes_on && (mixed || row->stream != row[-1].stream);
		for (unsigned k = 0; k < row->events; k++)
			sorted[n++] = h->event[row->first + k];
	}
	if (mixed)
		order_moment(sorted + moment, n - moment);
	free(h->event);
	h->event = sorted;
	h->event_room = h->events + 1;
	h->events = n;
}

static void read_done(struct relay *r)
{
	struct hook *h = r->hooks.now;
	uint64_t lost = 0;
	if (h->step != HOOK_READING)
		return;
	if (h->rows != 0)
		qsort(h->row, h->rows, sizeof(*h->row), by_time);
	int64_t horizon = horizon_of(h);
	size_t taken = rows_before(h, horizon);
	h->next_ms = taken < h->rows ? h->row[taken].at_ms : horizon != INT64_MAX ? horizon : 0;
	h->rows = taken;
	for (size_t i = 0; i < h->rows; i++) {
		h->stream[h->row[i].stream].taken_n = h->row[i].n;
		lost += h->row[i].lost;
	}
	if (lost != 0)
		lose(h, lost);
	order_events(h);
	h->waits_since_ms = h->events != 0 ? h->event[0].at_ms : h->next_ms;
	hook_begin_loading(h);
}

const struct relay_job hook_read_job = {.name = "reading the outbox for webhooks",
					.ask = read_ask,
					.row = read_row,
					.done = read_done,
					.failed = hook_failed};

/* ---- noting ---- */

static void put_state(struct hook *h, struct buf *text)
{
	h->told_delivered = h->delivered;
	h->told_failed = h->failed;
	h->told_lost = h->lost;
	h->changed = false;
	sql_lit(text, "UPDATE hooks SET delivered=delivered+");
	sql_u64(text, h->delivered);
	sql_lit(text, ",failed=failed+");
	sql_u64(text, h->failed);
	sql_lit(text, ",lost=lost+");
	sql_u64(text, h->lost);
	buf_append_str(text, h->failing ? STR_LIT(",failing_since=COALESCE(failing_since,UTC_TIMESTAMP(3)),error=")
					: STR_LIT(",failing_since=NULL,error="));
	sql_str(text, str_from(h->failing ? h->error : ""));
	sql_lit(text, ",waits_since=");
	sql_time(text, h->notes_window ? h->next_ms : h->waits_since_ms);
	sql_lit(text, " WHERE name=");
	sql_str(text, str_from(h->conf->name));
	buf_append_char(text, ';');
}

/* Its row is locked by then: of a generation that has ended nothing is noted. */
static void put_cursors(const struct hook *h, struct buf *text)
{
	bool first = true;
	for (unsigned i = 0; i < h->streams; i++) {
		const struct hook_stream *s = &h->stream[i];
		if (first)
			sql_lit(text, "INSERT INTO outbox_done (consumer,stream,n,at) SELECT ");
		if (first)
			hook_put_consumer(text, h);
		buf_append_str(text, first ? STR_LIT(",t.stream,t.read_n,UTC_TIMESTAMP(3) FROM (SELECT ")
					   : STR_LIT(" UNION ALL SELECT "));
		sql_u64(text, s->id);
		buf_append_str(text, first ? STR_LIT(" AS stream,") : STR_LIT(","));
		sql_u64(text, s->taken_n);
		if (first)
			sql_lit(text, " AS read_n");
		first = false;
	}
	if (first)
		return;
	sql_lit(text, ") t JOIN hooks k ON k.name=");
	sql_str(text, str_from(h->conf->name));
	sql_lit(text, " AND k.generation=");
	sql_u64(text, h->generation);
	/* Assigned from left to right. */
	sql_lit(text, " ON DUPLICATE KEY UPDATE at=IF(VALUES(n)>outbox_done.n,VALUES(at),outbox_done.at),"
		      "n=GREATEST(outbox_done.n,VALUES(n));");
}

static void note_ask(struct relay *r, struct buf *text)
{
	struct hook *h = r->hooks.now;
	h->notes_window = h->step == HOOK_NOTING;
	put_state(h, text);
	if (h->notes_window)
		put_cursors(h, text);
	sql_lit(text, "COMMIT");
}

static void note_done(struct relay *r)
{
	struct hook *h = r->hooks.now;
	h->delivered -= h->told_delivered;
	h->failed -= h->told_failed;
	h->lost -= h->told_lost;
	/* The window may have come to its end since this was asked. */
	if (!h->notes_window || h->step != HOOK_NOTING)
		return;
	hook_drop(h);
	h->waits_since_ms = h->next_ms;
}

/* What was delivered is not delivered again for that. */
static void note_failed(struct relay *r)
{
	r->hooks.now->changed = r->hooks.now->rests = true;
}

const struct relay_job hook_note_job = {
	.name = "noting what webhooks were told", .ask = note_ask, .done = note_done, .failed = note_failed};
