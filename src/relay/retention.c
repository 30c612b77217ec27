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
#include "relay/relay_priv.h"

#include <stdio.h>

#include "core/clock.h"
#include "core/id.h"
#include "hub/stats.h"
#include "net/loop.h"
#include "store/row.h"
#include "store/sql.h"

#define EVERY_MS INT64_C(3600000)
#define FAILED_MS 5000
#define REST_TIMES 3
#define REST_MIN_MS 2
#define REST_MAX_MS 1000
/* What a deletion should take. */
#define DELETE_USECS 10000
#define DELETE_MIN 10
#define DELETE_MAX 200
/* Messages that one step takes out of the counters. */
#define LOOK_ROWS 2000
#define REACTIONS_A_STEP 500
#define CHANGES_A_STEP 500
#define NOTIFICATIONS_A_STEP 200
/* What members of a group have noted of messages that are gone is tidied up once in so many messages. */
#define TIDY_SEQ_BITS 10

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

static int64_t rest(struct relay *r)
{
	int64_t took = clock_usecs() - r->retention.asked_usecs, ms = took * REST_TIMES / 1000;
	rest_for(r, ms < REST_MIN_MS ? REST_MIN_MS : ms > REST_MAX_MS ? REST_MAX_MS : ms);
	return took;
}

static void retention_begin(struct relay *r, struct buf *text)
{
	r->retention.asked_usecs = clock_usecs();
	r->retention.rows = 0;
	sql_lit(text, SQL_BEGIN_1 ";" SQL_BEGIN_2);
}

#define END ";" SQL_END_1 ";" SQL_END_2

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
static void count_row(struct relay *r, unsigned stmt, struct row *row)
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
	buf_printf(text, " ORDER BY created_at LIMIT %d;SELECT ROW_COUNT()" END, NOTIFICATIONS_A_STEP);
}

static void notifications_done(struct relay *r)
{
	struct retention *x = &r->retention;
	stat_add(STAT_NOTIFICATIONS_TOO_OLD, x->rows);
	rest(r);
	if (x->rows == NOTIFICATIONS_A_STEP)
		return;
	if (r->conf->message.keep_days != 0)
		x->step = RETENTION_WALKING;
	else
		retention_end(r);
}

static const struct relay_job notifications_job = {.name = "deleting old notifications",
						   .ask = notifications_ask,
						   .row = count_row,
						   .done = notifications_done,
						   .failed = retention_failed};

/* ---- the note that there are spent ids ---- */

/* Before the first: who sends without looking for them has found all messages that there were. */
static void mark_ask(struct relay *r, struct buf *text)
{
	retention_begin(r, text);
	sql_lit(text, ";UPDATE activity SET spends=1 WHERE id=1 AND spends=0" END);
}

static void mark_done(struct relay *r)
{
	rest(r);
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
	buf_printf(text, " ORDER BY h.id LIMIT %d" END, RETENTION_WALK_MAX);
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

static void walk_done(struct relay *r)
{
	struct retention *x = &r->retention;
	x->rows_walked = (unsigned)x->rows;
	stat_set(STAT_RETENTION_AT, x->walked_id);
	rest(r);
	go_on(r);
}

static const struct relay_job walk_job = {.name = "looking for old messages",
					  .ask = walk_ask,
					  .row = walk_row,
					  .done = walk_done,
					  .failed = retention_failed};

/* ---- what is to be done with one ---- */

static uint64_t present_id(const struct retention *x)
{
	return x->conversation[x->at];
}

static bool is_group(const struct retention *x)
{
	return conversation_is_group(present_id(x));
}

static const char *heads_of(const struct retention *x)
{
	return is_group(x) ? "group_heads" : "conversations";
}

static void look_ask(struct relay *r, struct buf *text)
{
	struct retention *x = &r->retention;
	uint64_t id = present_id(x);
	retention_begin(r, text);
	sql_lit(text, ";SELECT h.kept_seq,k.first_id,k.last_id,k.kept_id");
	if (!is_group(x))
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
	sql_lit(text, END);
	x->first_id = x->last_id = 0;
}

static void take_user(struct retention *x, struct row *row)
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
		x->last_id = message_id_make(present_id(x), x->kept_seq - 1);
	} else if (first_id != kept_id) {
		x->step = RETENTION_HIDING;
		x->first_id = first_id;
		x->last_id = kept_id != 0 ? kept_id - 1 : last_id;
	}
	x->user_count = 0;
	if (is_group(x))
		return;
	take_user(x, row);
	take_user(x, row);
}

static void look_done(struct relay *r)
{
	struct retention *x = &r->retention;
	rest(r);
	if (x->last_id != 0)
		return;
	x->at++;
	x->deleted_from = 0;
	go_on(r);
}

static const struct relay_job look_job = {.name = "looking at old messages",
					  .ask = look_ask,
					  .row = look_row,
					  .done = look_done,
					  .failed = retention_failed};

/* ---- hiding them ---- */

static void put_between(struct buf *text, uint64_t first, uint64_t last)
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
	unsigned long long id = present_id(x);
	buf_printf(text,
		   ";SELECT 1 FROM conversations FORCE INDEX (PRIMARY) WHERE id=%llu FOR UPDATE;UPDATE conversations c "
		   "FORCE INDEX (PRIMARY) JOIN (SELECT p.id AS id",
		   id);
	put_counted(text, 1);
	put_counted(text, 2);
	sql_lit(text,
		" FROM conversations p FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages m FORCE INDEX (PRIMARY) ON m.id");
	put_between(text, x->first_id, x->last_id);
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
	sql_u64(text, present_id(x));
	sql_lit(text, " AND kept_seq=");
	sql_u64(text, x->kept_seq);
}

/* Another relay may have done so since: then nothing is changed. */
static void hide_ask(struct relay *r, struct buf *text)
{
	struct retention *x = &r->retention;
	retention_begin(r, text);
	if (is_group(x))
		put_hide_group(x, text);
	else
		put_hide_direct(x, text);
	sql_lit(text, END);
}

static void hide_done(struct relay *r)
{
	rest(r);
	r->retention.step = RETENTION_LOOKING;
}

static const struct relay_job hide_job = {
	.name = "hiding old messages", .ask = hide_ask, .done = hide_done, .failed = retention_failed};

/* ---- deleting them, and what other tables have of them ---- */

static void put_delete(struct buf *text, const char *table, const char *index, const char *column, uint64_t from,
		       uint64_t to)
{
	buf_printf(text, ";DELETE x FROM %s x FORCE INDEX (%s) WHERE x.%s", table, index, column);
	put_between(text, from, to);
}

static void put_of_conversation(struct buf *text, const char *table, const char *index, uint64_t conversation_id)
{
	buf_printf(text, ";DELETE x FROM %s x FORCE INDEX (%s) WHERE x.conversation_id=%llu AND x.", table, index,
		   (unsigned long long)conversation_id);
}

/* By seq, in one conversation. */
static void put_delete_seqs(struct buf *text, const char *table, const char *index, uint64_t from, uint64_t to)
{
	put_of_conversation(text, table, index, message_id_conversation(from));
	sql_lit(text, "seq");
	put_between(text, message_id_seq(from), message_id_seq(to));
}

/* Blocks of 64 messages, of which none is left. */
static void put_delete_blocks(struct buf *text, const char *table, uint64_t to)
{
	put_of_conversation(text, table, "PRIMARY", message_id_conversation(to));
	sql_lit(text, "block<");
	sql_u64(text, (message_id_seq(to) + 1) / 64);
}

/* Of many the rest is left to purge.c. */
static void put_reactions(struct buf *text, uint64_t from, uint64_t to)
{
	sql_lit(text, ";DELETE FROM reactions WHERE message_id");
	put_between(text, from, to);
	buf_printf(text,
		   " ORDER BY message_id,user_id,emoji LIMIT %d;INSERT INTO reaction_erasures (message_id) SELECT m.id "
		   "FROM "
		   "messages m FORCE INDEX (PRIMARY) WHERE m.id",
		   REACTIONS_A_STEP);
	put_between(text, from, to);
	sql_lit(text, " AND EXISTS (SELECT 1 FROM reactions x FORCE INDEX (PRIMARY) WHERE x.message_id=m.id) ON "
		      "DUPLICATE KEY "
		      "UPDATE message_id=reaction_erasures.message_id");
}

/* sweep.c deletes the files that nothing else shows. */
static void put_files(struct buf *text, uint64_t from, uint64_t to)
{
	sql_lit(text, ";INSERT INTO media_idle (media_id,due_at) SELECT u.media_id,UTC_TIMESTAMP(3) FROM "
		      "media_uses u "
		      "FORCE INDEX (by_message) WHERE u.message_id");
	put_between(text, from, to);
	sql_lit(text, " ON DUPLICATE KEY UPDATE due_at=LEAST(media_idle.due_at,VALUES(due_at))");
	put_delete(text, "media_uses", "by_message", "message_id", from, to);
}

/* Those that the server made at random are never sent again (src/store/op_send.c). */
static void put_spent(struct buf *text, uint64_t from, uint64_t to)
{
	sql_lit(text, ";INSERT INTO spent_sends (from_user_id,client_msg_id) SELECT m.from_user_id,m.client_msg_id "
		      "FROM messages "
		      "m FORCE INDEX (PRIMARY) WHERE m.id");
	put_between(text, from, to);
	sql_lit(text, " AND (m.client_msg_id NOT LIKE ' %' OR m.client_msg_id LIKE ' f%') ON DUPLICATE KEY UPDATE "
		      "client_msg_id=spent_sends.client_msg_id");
}

static void put_expiries(struct buf *text, uint64_t from, uint64_t to)
{
	sql_lit(text,
		";DELETE e FROM messages m FORCE INDEX (PRIMARY) STRAIGHT_JOIN expiries e FORCE INDEX (PRIMARY) ON "
		"e.expires_at=m.expires_at AND e.message_id=m.id WHERE m.id");
	put_between(text, from, to);
}

/* The first changes of all, up to one of a message that is kept. Those that come after that go with it. */
static void put_changes(struct buf *text, uint64_t to)
{
	unsigned long long id = message_id_conversation(to), last_id = to;
	buf_printf(
		text,
		";SET @up_to=(SELECT COALESCE(MIN(IF(k.message_id>%llu,k.change_seq,NULL))-1,MAX(k.change_seq),0) FROM "
		"(SELECT message_id,change_seq FROM changes FORCE INDEX (PRIMARY) WHERE conversation_id=%llu ORDER BY "
		"change_seq LIMIT %d) k)",
		last_id, id, CHANGES_A_STEP);
	put_of_conversation(text, "changes", "PRIMARY", id);
	sql_lit(text, "change_seq<=@up_to");
}

static uint64_t step_end(const struct retention *x)
{
	uint64_t to = x->first_id + x->delete_rows - 1;
	return to < x->last_id ? to : x->last_id;
}

static void delete_ask(struct relay *r, struct buf *text)
{
	struct retention *x = &r->retention;
	uint64_t from = x->first_id, to = step_end(x);
	retention_begin(r, text);
	put_reactions(text, from, to);
	put_files(text, from, to);
	put_spent(text, from, to);
	put_expiries(text, from, to);
	put_changes(text, to);
	put_delete_seqs(text, "mentions", "by_message", from, to);
	put_delete_seqs(text, "search_edits", "PRIMARY", from, to);
	put_delete_blocks(text, "search_blocks", to);
	if (is_group(x))
		put_delete_blocks(text, "uncounted", to);
	put_of_conversation(text, "pins", "PRIMARY", present_id(x));
	sql_lit(text, "message_id");
	put_between(text, from, to);
	put_delete(text, "forwards", "PRIMARY", "message_id", from, to);
	put_delete(text, "forwarded", "PRIMARY", "message_id", from, to);
	put_delete(text, "messages", "PRIMARY", "id", from, to);
	sql_lit(text, ";SELECT ROW_COUNT()" END);
}

/* Sets the step after a deletion: whether what users have noted of the messages is to be tidied up. */
static void deleted_all(struct retention *x)
{
	uint64_t kept_seq = message_id_seq(x->last_id) + 1;
	x->tidy_user[0] = '\0';
	x->tidy_role = 0;
	if (!is_group(x))
		x->step = RETENTION_TIDYING;
	else
		x->step = x->deleted_from >> TIDY_SEQ_BITS != kept_seq >> TIDY_SEQ_BITS ? RETENTION_MEMBERS
											: RETENTION_LOOKING;
}

static void delete_done(struct relay *r)
{
	struct retention *x = &r->retention;
	stat_add(STAT_MESSAGES_TOO_OLD, x->rows);
	int64_t took = rest(r);
	if (x->deleted_from == 0)
		x->deleted_from = message_id_seq(x->first_id);
	x->first_id = step_end(x) + 1;
	if (took > DELETE_USECS && x->delete_rows > DELETE_MIN)
		x->delete_rows /= 2;
	else if (took < DELETE_USECS / 2 && x->delete_rows < DELETE_MAX)
		x->delete_rows++;
	if (x->first_id > x->last_id)
		deleted_all(x);
}

static const struct relay_job delete_job = {.name = "deleting old messages",
					    .ask = delete_ask,
					    .row = count_row,
					    .done = delete_done,
					    .failed = retention_failed};

/* ---- what users have noted of them ---- */

static void members_ask(struct relay *r, struct buf *text)
{
	struct retention *x = &r->retention;
	retention_begin(r, text);
	x->user_count = 0;
	sql_lit(text, ";SELECT user_id,role FROM members FORCE INDEX (by_conversation) WHERE conversation_id=");
	sql_u64(text, present_id(x));
	sql_lit(text, " AND (role>");
	sql_u64(text, x->tidy_role);
	sql_lit(text, " OR (role=");
	sql_u64(text, x->tidy_role);
	sql_lit(text, " AND user_id>");
	sql_str(text, str_from(x->tidy_user));
	buf_printf(text, ")) ORDER BY role,user_id LIMIT %d" END, RETENTION_USERS_MAX);
}

static void members_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct retention *x = &r->retention;
	(void)stmt;
	take_user(x, row);
	x->tidy_role = (unsigned)row_take_u64(row);
}

static void members_done(struct relay *r)
{
	struct retention *x = &r->retention;
	rest(r);
	x->step = RETENTION_LOOKING;
	if (x->user_count == 0)
		return;
	memcpy(x->tidy_user, x->user[x->user_count - 1], sizeof(x->tidy_user));
	x->step = RETENTION_TIDYING;
}

static const struct relay_job members_job = {.name = "looking who is in a group",
					     .ask = members_ask,
					     .row = members_row,
					     .done = members_done,
					     .failed = retention_failed};

static void put_noted(const struct retention *x, struct buf *text, const char *table, const char *first,
		      const char *last)
{
	bool is_first = true;
	unsigned long long last_seq = message_id_seq(x->last_id);
	put_of_conversation(text, table, "PRIMARY", present_id(x));
	sql_lit(text, "user_id IN (");
	for (unsigned i = 0; i < x->user_count; i++) {
		sql_comma(text, &is_first);
		sql_str(text, str_from(x->user[i]));
	}
	buf_printf(text, ") AND x.%s<=%llu AND x.%s<=%llu", first, last_seq, last, last_seq);
}

static void tidy_ask(struct relay *r, struct buf *text)
{
	struct retention *x = &r->retention;
	retention_begin(r, text);
	put_noted(x, text, "read_marks", "up_to_seq", "up_to_seq");
	put_noted(x, text, "deletions", "first_seq", "last_seq");
	sql_lit(text, END);
}

static void tidy_done(struct relay *r)
{
	struct retention *x = &r->retention;
	rest(r);
	x->step = is_group(x) ? RETENTION_MEMBERS : RETENTION_LOOKING;
}

static const struct relay_job tidy_job = {
	.name = "tidying up after old messages", .ask = tidy_ask, .done = tidy_done, .failed = retention_failed};

/* ---- from outside ---- */

void retention_init(struct relay *r)
{
	r->retention.delete_rows = DELETE_MIN;
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
		[RETENTION_DELETING] = &delete_job,
		[RETENTION_MEMBERS] = &members_job,
		[RETENTION_TIDYING] = &tidy_job,
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
