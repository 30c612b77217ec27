/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deletes what nobody needs any more: rows that all consumers are done with, a bounded number a second, the cursors
 * of consumers in streams that have ended, what a recall has left of many reactions, and logins that nobody can renew
 * any more.
 *
 * A DELETE of a range locks the rows in it, and for a moment the one behind it: with READ COMMITTED no gap, so nobody
 * who inserts has to wait. The newest rows stay, so that the one behind is never one that is being written.
 */
#include "core/base.h"
#include "relay/relay_priv.h"

#include "core/clock.h"
#include "store/row.h"
#include "store/login.h"
#include "store/sql.h"

/* Statements a second, of up to STREAMS_DELETE_MAX rows each. */
#define A_SECOND 10
#define WALK_MS 10000
#define WALK_ROWS 500
#define ERASE_ROWS "1000"
#define LOGIN_ROWS 500

void purge_second(struct relay *r)
{
	r->purge.left = A_SECOND;
}

/* ---- rows ---- */

static void delete_ask(struct relay *r, struct buf *text)
{
	uint64_t first_n, last_n;
	struct purge *p = &r->purge;
	const struct stream *s = streams_to_delete(&r->streams, &first_n, &last_n);
	p->stream = s->id;
	p->last_n = last_n;
	p->asked = last_n - first_n + 1;
	p->deleted = 0;
	p->left--;
	sql_lit(text, "DELETE FROM outbox WHERE stream=");
	sql_u64(text, s->id);
	sql_lit(text, " AND n BETWEEN ");
	sql_u64(text, first_n);
	sql_lit(text, " AND ");
	sql_u64(text, last_n);
	if (r->conf->relay.webhook_count != 0)
		sql_lit(text, " AND at<UTC_TIMESTAMP(3)-INTERVAL " HOOK_KEEPS_SQL);
	sql_lit(text, ";SELECT ROW_COUNT();COMMIT");
}

static void delete_row(struct relay *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	r->purge.deleted = row_take_u64(row);
}

static void delete_done(struct relay *r)
{
	const struct purge *p = &r->purge;
	struct stream *s = streams_find(&r->streams, p->stream);
	if (s == NULL)
		return;
	if (s->min_n <= p->last_n)
		s->min_n = p->last_n + 1;
	/* The others are too young: until the next survey it is another stream's turn. */
	if (p->deleted < p->asked)
		s->all_done_n = 0;
}

static void purge_failed(struct relay *r)
{
	r->purge.left = 0;
	r->purge.forget_count = 0;
}

static const struct relay_job delete_job = {.name = "deleting from the outbox",
					    .ask = delete_ask,
					    .row = delete_row,
					    .done = delete_done,
					    .failed = purge_failed};

/* ---- reactions to recalled messages ---- */

static void erase_ask(struct relay *r, struct buf *text)
{
	r->purge.left--;
	r->purge.erased = false;
	sql_lit(text, "SET @of=(SELECT message_id FROM reaction_erasures ORDER BY message_id LIMIT 1);"
		      "DELETE FROM reactions WHERE message_id=@of LIMIT " ERASE_ROWS
		      ";DELETE FROM reaction_erasures WHERE message_id=@of AND ROW_COUNT()<" ERASE_ROWS
		      ";SELECT 1 FROM DUAL WHERE @of IS NOT NULL;COMMIT");
}

static void erase_row(struct relay *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	(void)row;
	r->purge.erased = true;
}

/* Where there were some there may be more. */
static void erase_done(struct relay *r)
{
	if (!r->purge.erased)
		r->purge.erase_ms = clock_mono_ms() + WALK_MS;
}

static const struct relay_job erase_job = {
	.name = "deleting reactions", .ask = erase_ask, .row = erase_row, .done = erase_done, .failed = purge_failed};

/* ---- logins ---- */

static void put_run_out(struct buf *text, int limit)
{
	static const char *const column[] = {" WHERE expires_at<", " AND tokens_until<"};
	for (size_t i = 0; i < ARRAY_LEN(column); i++) {
		buf_append_str(text, str_from(column[i]));
		sql_now(text);
		buf_printf(text, "-INTERVAL %d SECOND", LOGIN_SKEW_MS / 1000);
	}
	buf_printf(text, " ORDER BY expires_at LIMIT %d", limit);
}

/* One that has ended stays until then, so that its refresh token is told so. */
static void logins_ask(struct relay *r, struct buf *text)
{
	r->purge.left--;
	/* First the devices of these, or of some more. None of them can begin to live again. */
	sql_lit(text, "DELETE d FROM devices d FORCE INDEX (by_login) JOIN (SELECT id FROM logins FORCE INDEX "
		      "(by_expiry)");
	put_run_out(text, 2 * LOGIN_ROWS);
	sql_lit(text, ") l ON d.login_id=l.id;DELETE FROM logins");
	put_run_out(text, LOGIN_ROWS);
	sql_lit(text, ";SELECT ROW_COUNT();COMMIT");
}

static void logins_row(struct relay *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	/* Where all were deleted that one statement may, there may be more. */
	if (row_take_u64(row) < LOGIN_ROWS)
		r->purge.logins_ms = clock_mono_ms() + WALK_MS;
}

static void logins_done(struct relay *r)
{
	(void)r;
}

static const struct relay_job logins_job = {
	.name = "deleting logins", .ask = logins_ask, .row = logins_row, .done = logins_done, .failed = purge_failed};

/* ---- cursors in streams that have ended ---- */

static void put_consumer(struct buf *text, const struct relay *r, unsigned consumer)
{
	if (consumer < CONSUMERS)
		sql_str(text, str_from(relay_consumers[consumer]));
	else
		buf_printf(text, "'hook:%s'", r->conf->relay.webhooks[consumer - CONSUMERS].name);
}

static void walk_ask(struct relay *r, struct buf *text)
{
	r->purge.walked = 0;
	r->purge.forget_count = 0;
	r->purge.left--;
	sql_lit(text,
		"SELECT d.stream,d.at<UTC_TIMESTAMP(3)-INTERVAL 1 DAY AND NOT EXISTS (SELECT 1 FROM outbox o WHERE "
		"o.stream=d.stream) FROM outbox_done d WHERE d.consumer=");
	put_consumer(text, r, r->purge.consumer);
	sql_lit(text, " AND d.stream>");
	sql_u64(text, r->purge.walk_after);
	sql_lit(text, " ORDER BY d.stream LIMIT ");
	sql_u64(text, WALK_ROWS);
	sql_lit(text, ";COMMIT");
}

static void walk_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct purge *p = &r->purge;
	(void)stmt;
	uint64_t stream = row_take_u64(row);
	if (p->forget_count == PURGE_FORGET_MAX)
		return;
	p->walk_after = stream;
	p->walked++;
	if (row_take_bool(row))
		p->forget[p->forget_count++] = stream;
}

static void walk_done(struct relay *r)
{
	struct purge *p = &r->purge;
	p->walked_consumer = p->consumer;
	if (p->walked < WALK_ROWS && p->forget_count < PURGE_FORGET_MAX) {
		p->walk_after = 0;
		p->consumer = (p->consumer + 1) % (CONSUMERS + (unsigned)r->conf->relay.webhook_count);
	}
	p->walk_ms = clock_mono_ms() + WALK_MS;
}

static const struct relay_job walk_job = {
	.name = "looking for old streams", .ask = walk_ask, .row = walk_row, .done = walk_done, .failed = purge_failed};

static void forget_ask(struct relay *r, struct buf *text)
{
	bool first = true;
	sql_lit(text, "DELETE FROM outbox_done WHERE consumer=");
	put_consumer(text, r, r->purge.walked_consumer);
	sql_lit(text, " AND stream IN (");
	for (unsigned i = 0; i < r->purge.forget_count; i++) {
		sql_comma(text, &first);
		sql_u64(text, r->purge.forget[i]);
	}
	sql_lit(text, ") AND at<UTC_TIMESTAMP(3)-INTERVAL 1 DAY;COMMIT");
}

static void forget_done(struct relay *r)
{
	r->purge.forget_count = 0;
}

static const struct relay_job forget_job = {
	.name = "forgetting old streams", .ask = forget_ask, .done = forget_done, .failed = purge_failed};

const struct relay_job *purge_due(struct relay *r, int64_t now_ms)
{
	uint64_t first_n, last_n;
	struct purge *p = &r->purge;
	if (p->forget_count != 0)
		return &forget_job;
	if (p->left == 0)
		return NULL;
	if (streams_to_delete(&r->streams, &first_n, &last_n) != NULL)
		return &delete_job;
	if (now_ms >= p->erase_ms)
		return &erase_job;
	if (now_ms >= p->logins_ms)
		return &logins_job;
	return now_ms >= p->walk_ms ? &walk_job : NULL;
}
