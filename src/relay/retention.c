/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deletes messages that are older than message.keep_days, and notifications that are older than
 * notifications.keep_days.
 *
 * A conversation's messages are in order of time, so those that are too old are its first ones. All conversations are
 * walked through in order of id, and the first message of each is looked at. What is too old goes in two steps. The
 * head's kept_seq is raised, in a short transaction that also takes the messages out of the counters: from then on
 * nobody sees them, and no writer changes them. Then they are deleted, a few at a time, with all that other tables have
 * of them, under no lock that a sender needs. Whatever is interrupted is found again: there are messages before
 * kept_seq.
 *
 * After each step the database has a rest several times as long. A deletion that took long is followed by a smaller
 * one.
 */
#include "core/base.h"
#include "relay/retention_priv.h"

#include <stdio.h>

#include "core/clock.h"
#include "hub/stats.h"
#include "net/loop.h"
#include "store/row.h"
#include "store/sql.h"

#define EVERY_MS INT64_C(3600000)
#define FAILED_MS 5000
#define REST_TIMES 3
#define REST_MIN_MS 2
#define REST_MAX_MS 1000
/* Messages that one step takes out of the counters. */
#define LOOK_ROWS 2000
#define NOTIFICATIONS_A_STEP 200

/* ---- pace ---- */

static void on_rested(struct wheel_timer *t)
{
	relay_go_on(container_of(t, struct relay, retention.rest));
}

static void rest_for(struct relay *r, int64_t ms)
{
	struct retention *x = &r->retention;
	x->rest_until_ms = clock_mono_ms() + ms;
	wheel_set(loop_wheel(r->loop), &x->rest, ms, on_rested);
}

int64_t retention_rest(struct relay *r)
{
	int64_t took = clock_usecs() - r->retention.asked_usecs, ms = took * REST_TIMES / 1000;
	rest_for(r, ms < REST_MIN_MS ? REST_MIN_MS : ms > REST_MAX_MS ? REST_MAX_MS : ms);
	return took;
}

void retention_begin(struct relay *r, struct buf *text)
{
	r->retention.asked_usecs = clock_usecs();
	r->retention.rows = 0;
	sql_lit(text, SQL_BEGIN_1 ";" SQL_BEGIN_2);
}

static void retention_end(struct relay *r)
{
	struct retention *x = &r->retention;
	x->step = RETENTION_IDLE;
	x->groups = false;
	x->walked_id = 0;
	x->count = x->at = 0;
	x->deleted_from = 0;
	x->due_ms = clock_mono_ms() + EVERY_MS;
	stat_set(STAT_RETENTION, 0);
	stat_set(STAT_RETENTION_AT, 0);
}

static void retention_failed(struct relay *r)
{
	retention_forget(r);
	rest_for(r, FAILED_MS);
}

/* The one row of a text that counts, or none. */
void retention_count_row(struct relay *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	r->retention.rows = row_take_u64(row);
}

static void put_too_old(struct buf *text, int days)
{
	sql_now(text);
	buf_printf(text, "-INTERVAL %d DAY", days);
}

/* ---- notifications ---- */

static void notifications_ask(struct relay *r, struct buf *text)
{
	retention_begin(r, text);
	sql_lit(text, ";DELETE FROM notifications WHERE created_at<");
	put_too_old(text, r->conf->notifications.keep_days);
	buf_printf(text, " ORDER BY created_at LIMIT %d;SELECT ROW_COUNT()" RETENTION_END, NOTIFICATIONS_A_STEP);
}

static void notifications_done(struct relay *r)
{
	struct retention *x = &r->retention;
	stat_add(STAT_NOTIFICATIONS_TOO_OLD, x->rows);
	retention_rest(r);
	if (x->rows == NOTIFICATIONS_A_STEP)
		return;
	if (r->conf->message.keep_days != 0)
		x->step = RETENTION_WALKING;
	else
		retention_end(r);
}

static const struct relay_job notifications_job = {.name = "deleting old notifications",
						   .ask = notifications_ask,
						   .row = retention_count_row,
						   .done = notifications_done,
						   .failed = retention_failed};

/* ---- the note that there are spent ids ---- */

/* Before the first: who sends without looking for them has found all messages that there were. */
static void mark_ask(struct relay *r, struct buf *text)
{
	retention_begin(r, text);
	sql_lit(text, ";UPDATE activity SET spends=1 WHERE id=1 AND spends=0" RETENTION_END);
}

static void mark_done(struct relay *r)
{
	retention_rest(r);
	r->retention.marked = true;
	r->retention.step = RETENTION_LOOKING;
}

static const struct relay_job mark_job = {
	.name = "noting that messages are deleted", .ask = mark_ask, .done = mark_done, .failed = retention_failed};

/* ---- which conversations have old messages ---- */

/* Messages have no gaps: kept_seq names the first. One before it was left by a relay that was interrupted. */
static void walk_ask(struct relay *r, struct buf *text)
{
	struct retention *x = &r->retention;
	retention_begin(r, text);
	x->count = x->at = 0;
	sql_lit(text, ";SELECT STRAIGHT_JOIN h.id,o.id IS NOT NULL OR m.created_at<");
	put_too_old(text, r->conf->message.keep_days);
	buf_printf(text,
		   " FROM %s h FORCE INDEX (PRIMARY) LEFT JOIN messages m FORCE INDEX (PRIMARY) ON m.id=(h.id<<%d)+"
		   "h.kept_seq LEFT JOIN messages o FORCE INDEX (PRIMARY) ON o.id=(h.id<<%d)+h.kept_seq-1 WHERE h.id>",
		   x->groups ? "group_heads" : "conversations", MESSAGE_SEQ_BITS, MESSAGE_SEQ_BITS);
	sql_u64(text, x->walked_id);
	buf_printf(text, " ORDER BY h.id LIMIT %d" RETENTION_END, RETENTION_WALK_MAX);
}

static void walk_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct retention *x = &r->retention;
	(void)stmt;
	uint64_t id = row_take_u64(row);
	if (x->rows == RETENTION_WALK_MAX)
		return;
	x->rows++;
	x->walked_id = id;
	if (row_take_bool(row))
		x->conversation[x->count++] = id;
}

/* Sets the step: the conversation that is next, or the next part of the walk, or its end. */
static void go_on(struct relay *r)
{
	struct retention *x = &r->retention;
	if (x->at < x->count) {
		x->step = x->marked ? RETENTION_LOOKING : RETENTION_MARKING;
	} else if (x->rows_walked == RETENTION_WALK_MAX) {
		x->step = RETENTION_WALKING;
	} else if (!x->groups) {
		x->groups = true;
		x->walked_id = 0;
		x->step = RETENTION_WALKING;
	} else {
		retention_end(r);
	}
}

/* To the next conversation. */
static void leave_conversation(struct relay *r)
{
	r->retention.at++;
	r->retention.deleted_from = 0;
	go_on(r);
}

/* Its rows may be locked for long: the others do not wait for it. */
void retention_skip(struct relay *r)
{
	leave_conversation(r);
	rest_for(r, FAILED_MS);
}

static void walk_done(struct relay *r)
{
	struct retention *x = &r->retention;
	x->rows_walked = (unsigned)x->rows;
	stat_set(STAT_RETENTION_AT, x->walked_id);
	retention_rest(r);
	go_on(r);
}

static const struct relay_job walk_job = {.name = "looking for old messages",
					  .ask = walk_ask,
					  .row = walk_row,
					  .done = walk_done,
					  .failed = retention_failed};

/* ---- what is to be done with one ---- */

static const char *heads_of(const struct retention *x)
{
	return retention_is_group(x) ? "group_heads" : "conversations";
}

static void look_ask(struct relay *r, struct buf *text)
{
	struct retention *x = &r->retention;
	uint64_t id = retention_conversation(x);
	retention_begin(r, text);
	sql_lit(text, ";SELECT h.kept_seq,k.first_id,k.last_id,k.kept_id");
	if (!retention_is_group(x))
		sql_lit(text, ",h.user1_id,h.user2_id");
	buf_printf(text, " FROM %s h FORCE INDEX (PRIMARY) JOIN (SELECT MIN(id) AS first_id,MAX(id) AS last_id,",
		   heads_of(x));
	sql_lit(text, "MIN(IF(created_at<");
	put_too_old(text, r->conf->message.keep_days);
	sql_lit(text, ",NULL,id)) AS kept_id FROM (SELECT id,created_at FROM messages FORCE INDEX (PRIMARY) WHERE id "
		      "BETWEEN ");
	sql_u64(text, message_id_make(id, 1));
	sql_lit(text, " AND ");
	sql_u64(text, message_id_make(id, MESSAGE_SEQ_MAX));
	buf_printf(text, " ORDER BY id LIMIT %d) w) k WHERE h.id=", LOOK_ROWS);
	sql_u64(text, id);
	sql_lit(text, RETENTION_END);
	x->first_id = x->last_id = 0;
}

void retention_take_user(struct retention *x, struct row *row)
{
	struct str user = row_take_str(row);
	if (x->user_count < RETENTION_USERS_MAX && user.len <= USER_ID_MAX)
		snprintf(x->user[x->user_count++], sizeof(x->user[0]), "%.*s", (int)user.len, user.s);
}

/* Of the first messages those are deleted that nobody sees, else those are hidden that are too old. */
static void look_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct retention *x = &r->retention;
	(void)stmt;
	x->kept_seq = row_take_u64(row);
	uint64_t first_id = row_take_u64(row), last_id = row_take_u64(row), kept_id = row_take_u64(row);
	if (first_id != 0 && message_id_seq(first_id) < x->kept_seq) {
		x->step = RETENTION_DELETING;
		x->first_id = first_id;
		x->last_id = message_id_make(retention_conversation(x), x->kept_seq - 1);
	} else if (first_id != kept_id) {
		x->step = RETENTION_HIDING;
		x->first_id = first_id;
		x->last_id = kept_id != 0 ? kept_id - 1 : last_id;
	}
	x->user_count = 0;
	if (retention_is_group(x))
		return;
	retention_take_user(x, row);
	retention_take_user(x, row);
}

static void look_done(struct relay *r)
{
	struct retention *x = &r->retention;
	retention_rest(r);
	if (x->last_id != 0)
		return;
	leave_conversation(r);
}

static const struct relay_job look_job = {.name = "looking at old messages",
					  .ask = look_ask,
					  .row = look_row,
					  .done = look_done,
					  .failed = retention_skip};

/* ---- hiding them ---- */

void retention_put_between(struct buf *text, uint64_t first, uint64_t last)
{
	sql_lit(text, " BETWEEN ");
	sql_u64(text, first);
	sql_lit(text, " AND ");
	sql_u64(text, last);
}

/* What is taken out of the counters of a side, as src/store/op_read.c counts them. */
static void put_counted(struct buf *text, int side)
{
	static const char counts[] =
		"m.to_user_id=p.user%d_id AND m.read_at IS NULL AND m.id&%llu>p.user%d_read_seq AND ";
	const unsigned long long mask = MESSAGE_SEQ_MAX;
	sql_lit(text, ",SUM(");
	buf_printf(text, counts, side, mask, side);
	buf_printf(text,
		   "m.is_recalled=0 AND m.deleted_by_recipient=0 AND m.id&%llu>=COALESCE(p.user%d_first_seq,1)) AS "
		   "unread%d,SUM(",
		   mask, side, side);
	buf_printf(text, counts, side, mask, side);
	buf_printf(
		text,
		"(m.is_recalled=1 OR m.deleted_by_recipient=1 OR m.id&%llu<COALESCE(p.user%d_first_seq,1))) AS dead%d",
		mask, side, side);
}

static void put_less(struct buf *text, int side, const char *counter)
{
	buf_printf(text, ",c.user%d_%s=IF(c.user%d_%s>d.%s%d,c.user%d_%s-d.%s%d,0)", side, counter, side, counter,
		   counter, side, side, counter, counter, side);
}

static void put_side(struct buf *text, int side, uint64_t last_id)
{
	put_less(text, side, "unread");
	put_less(text, side, "dead");
	buf_printf(text, ",c.user%d_last_id=IF(c.user%d_last_id<=%llu,0,c.user%d_last_id)", side, side,
		   (unsigned long long)last_id, side);
}

/* The row is locked first, so that what is counted stays true. */
static void put_hide_direct(const struct retention *x, struct buf *text)
{
	unsigned long long id = retention_conversation(x);
	buf_printf(text,
		   ";SELECT 1 FROM conversations FORCE INDEX (PRIMARY) WHERE id=%llu FOR UPDATE;UPDATE conversations c "
		   "FORCE INDEX (PRIMARY) JOIN (SELECT p.id AS id",
		   id);
	put_counted(text, 1);
	put_counted(text, 2);
	sql_lit(text,
		" FROM conversations p FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages m FORCE INDEX (PRIMARY) ON m.id");
	retention_put_between(text, x->first_id, x->last_id);
	buf_printf(text, " WHERE p.id=%llu GROUP BY p.id) d ON d.id=c.id SET c.kept_seq=", id);
	sql_u64(text, message_id_seq(x->last_id) + 1);
	put_side(text, 1, x->last_id);
	put_side(text, 2, x->last_id);
	buf_printf(text, " WHERE c.id=%llu AND c.kept_seq=", id);
	sql_u64(text, x->kept_seq);
}

/* What is unread for members follows from the seqs. */
static void put_hide_group(const struct retention *x, struct buf *text)
{
	sql_lit(text, ";UPDATE group_heads SET kept_seq=");
	sql_u64(text, message_id_seq(x->last_id) + 1);
	sql_lit(text, " WHERE id=");
	sql_u64(text, retention_conversation(x));
	sql_lit(text, " AND kept_seq=");
	sql_u64(text, x->kept_seq);
}

/* Another relay may have done so since: then nothing is changed. */
static void hide_ask(struct relay *r, struct buf *text)
{
	struct retention *x = &r->retention;
	retention_begin(r, text);
	if (retention_is_group(x))
		put_hide_group(x, text);
	else
		put_hide_direct(x, text);
	sql_lit(text, RETENTION_END);
}

static void hide_done(struct relay *r)
{
	retention_rest(r);
	r->retention.step = RETENTION_LOOKING;
}

static const struct relay_job hide_job = {
	.name = "hiding old messages", .ask = hide_ask, .done = hide_done, .failed = retention_skip};

/* ---- from outside ---- */

void retention_init(struct relay *r)
{
	r->retention.delete_rows = RETENTION_DELETE_MIN;
}

void retention_fini(struct relay *r)
{
	wheel_cancel(&r->retention.rest);
}

void retention_forget(struct relay *r)
{
	retention_end(r);
	r->retention.due_ms = 0;
}

static void retention_start(struct relay *r)
{
	stat_set(STAT_RETENTION, 1);
	r->retention.step = r->conf->notifications.keep_days != 0 ? RETENTION_NOTIFICATIONS : RETENTION_WALKING;
}

const struct relay_job *retention_due(struct relay *r, int64_t now_ms)
{
	static const struct relay_job *const jobs[] = {
		[RETENTION_NOTIFICATIONS] = &notifications_job,
		[RETENTION_WALKING] = &walk_job,
		[RETENTION_MARKING] = &mark_job,
		[RETENTION_LOOKING] = &look_job,
		[RETENTION_HIDING] = &hide_job,
		[RETENTION_DELETING] = &retention_delete_job,
		[RETENTION_MEMBERS] = &retention_members_job,
		[RETENTION_TIDYING] = &retention_tidy_job,
	};
	struct retention *x = &r->retention;
	if (r->conf->message.keep_days == 0 && r->conf->notifications.keep_days == 0)
		return NULL;
	if (now_ms < x->rest_until_ms || (x->step == RETENTION_IDLE && now_ms < x->due_ms))
		return NULL;
	if (x->step == RETENTION_IDLE)
		retention_start(r);
	return jobs[x->step];
}
