/* SPDX-License-Identifier: BSD-2-Clause */
/* The survey: one statement tells where each stream and its consumers are. */
#include "core/base.h"
#include "relay/relay_priv.h"

#include "core/clock.h"
#include "store/row.h"
#include "store/sql.h"

void survey_second(struct relay *r)
{
	r->survey.due = true;
}

void survey_forget(struct relay *r)
{
	streams_forget(&r->streams);
	r->survey.lag_ms = 0;
}

/* Rows are kept for it. */
static bool is_waited_for(const struct relay *r, enum consumer consumer)
{
	switch (consumer) {
	case CONSUMER_SEARCH:
		return index_is_waited_for(r, clock_mono_ms());
	case CONSUMER_DEVICE:
		return devices_are_on(r);
	default:
		return true;
	}
}

/*
 * Those that webhooks may be told of once more. By the oldest row of a stream, m: once that is a minute past its time,
 * so that a stream whose rows come slowly is not looked at for each of them.
 */
static bool keeps_rows(const struct relay *r)
{
	return r->conf->relay.webhook_count != 0;
}
#define TOO_OLD "m.at<UTC_TIMESTAMP(3)-INTERVAL " HOOK_KEEPS_SQL "-INTERVAL 1 MINUTE"

/*
 * The greatest and the least n of each stream are found by a loose scan of the primary key, which skips from stream to
 * stream. Streams with nothing to do are left out; so is what is beyond STREAMS_MAX, until those before are done.
 */
static void survey_ask(struct relay *r, struct buf *text)
{
	r->survey.due = false;
	r->survey.lag_next_ms = 0;
	streams_begin(&r->streams);
	sql_lit(text, "SELECT s.stream,s.min_n,s.max_n,GREATEST(0,TIMESTAMPDIFF(MICROSECOND,o.at,UTC_TIMESTAMP(3)) DIV "
		      "1000)");
	for (unsigned i = 0; i < CONSUMERS; i++)
		buf_printf(text, ",COALESCE(d%u.n,0),COALESCE(d%u.at<UTC_TIMESTAMP(3)-INTERVAL 1 HOUR,0)", i, i);
	if (keeps_rows(r))
		sql_lit(text, "," TOO_OLD);
	sql_lit(text, " FROM (SELECT stream,MIN(n) AS min_n,MAX(n) AS max_n FROM outbox GROUP BY stream) s");
	for (unsigned i = 0; i < CONSUMERS; i++)
		buf_printf(text, " LEFT JOIN outbox_done d%u ON d%u.consumer='%s' AND d%u.stream=s.stream", i, i,
			   relay_consumers[i], i);
	sql_lit(text, " LEFT JOIN outbox o ON o.stream=s.stream AND o.n=GREATEST(COALESCE(d0.n,0)+1,s.min_n)");
	if (keeps_rows(r))
		sql_lit(text, " LEFT JOIN outbox m ON m.stream=s.stream AND m.n=s.min_n");
	sql_lit(text, " WHERE s.max_n>COALESCE(d0.n,0) OR (s.max_n-s.min_n>=");
	sql_u64(text, STREAMS_KEEP + STREAMS_DELETE_MIN - 1);
	if (keeps_rows(r))
		sql_lit(text, " AND " TOO_OLD);
	buf_append_char(text, ')');
	for (unsigned i = 0; i < CONSUMERS; i++)
		if (i != CONSUMER_PUSH && is_waited_for(r, i))
			buf_printf(text, " OR s.max_n>COALESCE(d%u.n,0)", i);
	sql_lit(text, " OR (d0.at<UTC_TIMESTAMP(3)-INTERVAL 1 HOUR");
	if (keeps_rows(r))
		sql_lit(text, " AND " TOO_OLD);
	sql_lit(text, ") LIMIT ");
	sql_u64(text, STREAMS_MAX);
	sql_lit(text, ";COMMIT");
}

static void survey_row(struct relay *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	struct stream s = {0};
	/* One statement each: initializers have no order. */
	s.id = row_take_u64(row);
	s.min_n = row_take_u64(row);
	s.max_n = row_take_u64(row);
	int64_t lag_ms = (int64_t)row_take_u64(row);
	s.all_done_n = UINT64_MAX;
	s.still = true;
	for (unsigned i = 0; i < CONSUMERS; i++) {
		s.done_n[i] = row_take_u64(row);
		bool is_still = row_take_bool(row);
		if (!is_waited_for(r, i))
			continue;
		s.all_done_n = s.done_n[i] < s.all_done_n ? s.done_n[i] : s.all_done_n;
		s.still = s.still && is_still;
	}
	/* Its oldest row stays. */
	if (keeps_rows(r) && !row_take_bool(row))
		s.all_done_n = s.min_n - 1;
	if (lag_ms > r->survey.lag_next_ms)
		r->survey.lag_next_ms = lag_ms;
	streams_add(&r->streams, &s);
}

static void survey_done(struct relay *r)
{
	r->survey.lag_ms = r->survey.lag_next_ms;
	streams_end(&r->streams, clock_mono_ms(), RELAY_PATIENCE_MS);
}

/* The next one starts from the beginning. */
static void survey_failed(struct relay *r)
{
	(void)r;
}

const struct relay_job *survey_due(struct relay *r)
{
	static const struct relay_job job = {.name = "looking at the outbox",
					     .ask = survey_ask,
					     .row = survey_row,
					     .done = survey_done,
					     .failed = survey_failed};
	return r->survey.due ? &job : NULL;
}
