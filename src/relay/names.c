/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the names by which users are found (src/store/names.h) as `users` has them, which other systems may write as
 * well: walks through both tables in order of user id, again and again, and writes the rows of a user anew where they
 * differ. The first walk after the table was made fills it.
 *
 * A nickname may change between the read and the write: the write locks the user's row, and does nothing if the
 * nickname is not the one that was read.
 */
#include "core/base.h"
#include "relay/relay_priv.h"

#include <stdio.h>

#include "core/clock.h"
#include "net/loop.h"
#include "store/names.h"
#include "store/row.h"
#include "store/sql.h"

/* Between two walks. */
#define REST_MS 2000
#define FAILED_MS 5000
/*
 * A step of NAMES_MAX users is followed by a rest so many times as long: with millions of users the walk never ends,
 * and may not cost the others more than a fiftieth of a connection. Where names differ, as in the first walk, it
 * hurries.
 */
#define REST_TIMES 50
#define REST_TIMES_FIXING 3
#define STEP_REST_MAX_MS 1000

static void on_rested(struct wheel_timer *t)
{
	relay_go_on(container_of(t, struct relay, names.pace));
}

static void rest_for(struct relay *r, int64_t ms)
{
	struct names *n = &r->names;
	n->at_ms = clock_mono_ms() + ms;
	wheel_set(loop_wheel(r->loop), &n->pace, ms, on_rested);
}

static void rest(struct relay *r)
{
	struct names *n = &r->names;
	int64_t took = clock_usecs() - n->asked_usecs;
	int64_t ms = took * (n->differs ? REST_TIMES_FIXING : REST_TIMES) / 1000;
	rest_for(r, ms < STEP_REST_MAX_MS ? ms : STEP_REST_MAX_MS);
}

void names_forget(struct relay *r)
{
	struct names *n = &r->names;
	n->fixing = false;
	n->after[0] = '\0';
	n->at_ms = clock_mono_ms();
}

static void names_failed(struct relay *r)
{
	names_forget(r);
	rest_for(r, FAILED_MS);
}

void names_fini(struct relay *r)
{
	wheel_cancel(&r->names.pace);
	buf_fini(&r->names.rows);
	buf_fini(&r->names.fix);
}

/* ---- comparing ---- */

static void put_users(const struct names *n, struct buf *text, const char *select)
{
	buf_printf(text, "(%s>", select);
	sql_str(text, str_from(n->after));
	buf_printf(text, " ORDER BY 1 LIMIT %d)", NAMES_MAX);
}

static void walk_ask(struct relay *r, struct buf *text)
{
	struct names *n = &r->names;
	n->asked_usecs = clock_usecs();
	n->differs = false;
	n->seen = 0;
	buf_clear(&n->fix);
	sql_lit(text,
		"SELECT i.id,u.nickname,(SELECT GROUP_CONCAT(part ORDER BY part SEPARATOR 0x0A) FROM user_names n "
		"FORCE INDEX (by_user) WHERE n.user_id=i.id) FROM (");
	put_users(n, text, "SELECT id FROM users FORCE INDEX (PRIMARY) WHERE id");
	sql_lit(text, " UNION ");
	put_users(n, text, "SELECT DISTINCT user_id FROM user_names FORCE INDEX (by_user) WHERE user_id");
	buf_printf(text, " ORDER BY 1 LIMIT %d) i LEFT JOIN users u ON u.id=i.id ORDER BY i.id;COMMIT", NAMES_MAX);
}

/* The lock comes first, so that what follows reads the nickname that holds until the commit. */
static void put_fix(struct buf *text, struct str user, struct str nickname)
{
	static const char *const guard[] = {"SELECT 1 FROM users WHERE id=", " AND nickname="};
	sql_next(text);
	buf_append_str(text, str_from(guard[0]));
	sql_str(text, user);
	sql_lit(text, " FOR UPDATE;SET @same=");
	buf_append_str(text, nickname.s != NULL ? STR_LIT("EXISTS(") : STR_LIT("NOT EXISTS("));
	buf_append_str(text, str_from(guard[0]));
	sql_str(text, user);
	if (nickname.s != NULL) {
		buf_append_str(text, str_from(guard[1]));
		sql_str(text, nickname);
	} else {
		sql_lit(text, " AND nickname IS NOT NULL");
	}
	buf_append_char(text, ')');
	names_put_if(text, "@same", user, nickname);
}

static void walk_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct names *n = &r->names;
	(void)stmt;
	n->seen++;
	row_take_user(row, n->after);
	struct str nickname = row_take_str(row), rows = row_take_str(row);
	buf_clear(&n->rows);
	names_rows(&n->rows, nickname);
	if (n->rows.len == rows.len && (rows.len == 0 || memcmp(n->rows.data, rows.s, rows.len) == 0))
		return;
	put_fix(&n->fix, str_from(n->after), nickname);
	n->differs = n->fixing = true;
}

static void walk_done(struct relay *r)
{
	struct names *n = &r->names;
	if (n->seen == NAMES_MAX) {
		rest(r);
		return;
	}
	n->after[0] = '\0';
	rest_for(r, REST_MS);
}

static const struct relay_job walk_job = {
	.name = "comparing names", .ask = walk_ask, .row = walk_row, .done = walk_done, .failed = names_failed};

/* ---- writing ---- */

static void fix_ask(struct relay *r, struct buf *text)
{
	buf_append(text, r->names.fix.data, r->names.fix.len);
	sql_lit(text, ";COMMIT");
}

static void fix_done(struct relay *r)
{
	r->names.fixing = false;
}

static const struct relay_job fix_job = {
	.name = "writing names", .ask = fix_ask, .done = fix_done, .failed = names_failed};

const struct relay_job *names_due(struct relay *r, int64_t now_ms)
{
	struct names *n = &r->names;
	if (n->fixing)
		return &fix_job;
	return now_ms >= n->at_ms ? &walk_job : NULL;
}
