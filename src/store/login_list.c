/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading logins: a user's, and for workers what has changed of all. */
#include "core/base.h"
#include "store/login_priv.h"

#include <stdio.h>

#include "store/sql.h"
#include "store/store_priv.h"

/* ---- a user's ---- */

struct list_logins {
	struct read read;
	store_logins_fn *fn;
	void *arg;
	struct login_shown item[LOGINS_MAX];
	size_t count;
};

static void list_restart(struct read *r)
{
	container_of(r, struct list_logins, read)->count = 0;
}

static void list_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_logins *l = container_of(r, struct list_logins, read);
	(void)stmt;
	if (l->count == LOGINS_MAX)
		return;
	struct login_shown *s = &l->item[l->count++];
	s->id = row_take_u64(row);
	s->device = arena_str(&r->arena, row_take_str(row));
	s->address = arena_str(&r->arena, row_take_str(row));
	s->created_ms = row_take_ms(row);
	s->last_used_ms = row_take_ms(row);
}

static void list_done(struct read *r, enum store_status status)
{
	struct list_logins *l = container_of(r, struct list_logins, read);
	l->fn(&(struct store_logins){status, l->item, l->count}, l->arg);
}

void store_list_logins(struct store *s, struct str user, store_logins_fn *fn, void *arg)
{
	struct list_logins *l = read_new(s->pool, user, sizeof(*l));
	struct buf *text = &l->read.text;
	l->read.restart = list_restart;
	l->read.row = list_row;
	l->read.done = list_done;
	l->fn = fn;
	l->arg = arg;
	sql_lit(text, "SELECT id,device,address,created_at,last_used_at FROM logins FORCE INDEX (by_user) WHERE "
		      "user_id=");
	sql_str(text, user);
	sql_lit(text, " AND ended_at IS NULL AND expires_at>");
	sql_now(text);
	sql_lit(text, " ORDER BY last_used_at DESC LIMIT ");
	sql_u64(text, LOGINS_MAX);
	pool_submit(&l->read);
}

/* ---- what has changed ---- */

#define PAGE_ROWS 500

struct read_changes {
	struct read read;
	store_changes_fn *fn;
	void *arg;
	struct changes_cursor *cursor, now; /* the caller's, and as it is after this page */
	int64_t now_ms;
	struct changed_login login[PAGE_ROWS];
	struct changed_user user[PAGE_ROWS];
	size_t logins, users;
	/* Of the last row of each. */
	int64_t gone_ms, state_ms;
};

static void changes_restart(struct read *r)
{
	struct read_changes *c = container_of(r, struct read_changes, read);
	c->logins = c->users = 0;
}

static void take_changed_login(struct read_changes *c, struct row *row)
{
	if (c->logins == PAGE_ROWS)
		return;
	struct changed_login *l = &c->login[c->logins++];
	l->gone.id = row_take_u64(row);
	row_take_user(row, l->user_id);
	l->gone.refused_until_ms = row_take_ms(row);
	l->gone.why = (enum login_end)row_take_u64(row);
	c->gone_ms = row_take_ms(row);
}

static void take_changed_user(struct read_changes *c, struct row *row)
{
	if (c->users == PAGE_ROWS)
		return;
	struct changed_user *u = &c->user[c->users++];
	row_take_user(row, u->user_id);
	row_take_user_state(row, &u->state);
	c->state_ms = u->state.changed_ms;
}

static void changes_row(struct read *r, unsigned stmt, struct row *row)
{
	struct read_changes *c = container_of(r, struct read_changes, read);
	if (stmt == 0)
		c->now_ms = row_take_ms(row);
	else if (stmt == 1)
		take_changed_login(c, row);
	else
		take_changed_user(c, row);
}

static void move_cursor(struct read_changes *c)
{
	struct changes_cursor *at = &c->now;
	if (c->logins != 0) {
		at->gone_ms = c->gone_ms;
		at->gone_id = c->login[c->logins - 1].gone.id;
	}
	if (c->users != 0) {
		at->state_ms = c->state_ms;
		snprintf(at->state_user, sizeof(at->state_user), "%s", c->user[c->users - 1].user_id);
	}
	if (at->began_ms == 0)
		at->began_ms = c->now_ms;
	at->gone_done = c->logins < PAGE_ROWS;
	at->states_done = c->users < PAGE_ROWS;
	if (at->gone_done && at->states_done)
		at->read_ms = at->began_ms;
}

static void changes_done(struct read *r, enum store_status status)
{
	struct read_changes *c = container_of(r, struct read_changes, read);
	if (status == STORE_OK) {
		move_cursor(c);
		*c->cursor = c->now;
	}
	c->fn(&(struct store_changes){status, c->now_ms, c->login, c->logins, c->user, c->users}, c->arg);
}

/* "column>…": where the rows of this page begin, if their reading has just begun. */
static void put_since(struct buf *text, const struct changes_cursor *at, int64_t before_ms)
{
	/* A clock that was set forward hides nothing that came before that. */
	sql_lit(text, ">LEAST(");
	sql_now(text);
	if (at->read_ms != 0) {
		buf_append_char(text, ',');
		sql_time(text, at->read_ms);
	} else {
		buf_append_char(text, ',');
		sql_now(text);
	}
	buf_printf(text, ")-INTERVAL %lld MICROSECOND", (long long)before_ms * 1000);
}

/* Behind the last row of the page before, in the order of reading. */
static void put_rest(struct buf *text, const struct changes_cursor *at, const char *column, char sign)
{
	buf_printf(text, " AND %s%c=", column, sign);
	sql_time(text, at->gone_ms);
	buf_printf(text, " AND (%s%c", column, sign);
	sql_time(text, at->gone_ms);
	buf_printf(text, " OR id%c", sign);
	sql_u64(text, at->gone_id);
	buf_append_char(text, ')');
}

static void put_logins(struct buf *text, const struct changes_cursor *at)
{
	bool all = at->read_ms == 0;
	const char *column = all ? "refused_until" : "ended_at";
	buf_printf(text, ";SELECT id,user_id,refused_until,end_reason,%s FROM logins FORCE INDEX (%s) WHERE ", column,
		   all ? "by_refusal" : "by_end");
	if (at->gone_done) {
		sql_lit(text, "FALSE");
		return;
	}
	buf_append_str(text, str_from(column));
	put_since(text, at, all ? LOGIN_SKEW_MS : LOGIN_OVERLAP_MS);
	/* All of them: the newest first, whose tokens are most likely to come. */
	if (at->gone_ms != 0)
		put_rest(text, at, column, all ? '<' : '>');
	const char *order = all ? " DESC" : "";
	buf_printf(text, " ORDER BY %s%s,id%s LIMIT %d", column, order, order, PAGE_ROWS);
}

static void put_states(struct buf *text, const struct changes_cursor *at)
{
	bool all = at->read_ms == 0;
	buf_printf(text, ";SELECT user_id," USER_STATE_COLUMNS " FROM user_states FORCE INDEX (%s) WHERE ",
		   all ? "PRIMARY" : "by_change");
	if (at->states_done) {
		sql_lit(text, "FALSE");
		return;
	}
	if (all) {
		sql_lit(text, "user_id>");
		sql_str(text, str_from(at->state_user));
		buf_printf(text, " ORDER BY user_id LIMIT %d", PAGE_ROWS);
		return;
	}
	sql_lit(text, "changed_at");
	if (at->state_ms == 0) {
		put_since(text, at, LOGIN_OVERLAP_MS);
	} else {
		sql_lit(text, ">=");
		sql_time(text, at->state_ms);
		sql_lit(text, " AND (changed_at>");
		sql_time(text, at->state_ms);
		sql_lit(text, " OR user_id>");
		sql_str(text, str_from(at->state_user));
		buf_append_char(text, ')');
	}
	buf_printf(text, " ORDER BY changed_at,user_id LIMIT %d", PAGE_ROWS);
}

void store_read_changes(struct store *s, struct changes_cursor *cursor, store_changes_fn *fn, void *arg)
{
	struct read_changes *c = read_new(s->pool, STR_NULL, sizeof(*c));
	struct buf *text = &c->read.text;
	c->read.restart = changes_restart;
	c->read.row = changes_row;
	c->read.done = changes_done;
	c->fn = fn;
	c->arg = arg;
	c->cursor = cursor;
	c->now = *cursor;
	if (cursor->gone_done && cursor->states_done)
		c->now = (struct changes_cursor){.read_ms = cursor->read_ms};
	sql_lit(text, "SELECT ");
	sql_now(text);
	put_logins(text, &c->now);
	put_states(text, &c->now);
	pool_submit(&c->read);
}
