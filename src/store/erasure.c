/* SPDX-License-Identifier: BSD-2-Clause */
/* What is left to be done of users who are erased: whose turn it is, what comes next, and moving on. */
#include "core/base.h"
#include "store/erasure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/row.h"
#include "store/sql.h"
#include "store/store_priv.h"

/* Rows of one table that a step deletes; messages of which it looks for those to be recalled. */
#define ROWS_STEP 500
/* Groups that a step leaves: of each there may be an heir to be found among all members. */
#define GROUPS_STEP 8

/*
 * What tables have of a user that nobody else needs, and that can go without anybody being told: all rows with the user
 * in that column, by an index. A new line goes to the end, as erasures.stage counts them.
 */
static const struct {
	const char *table, *column;
	const char *set;   /* NULL: they are deleted. Else they stay, and this is taken out of them, */
	const char *where; /* where it is there */
} erased_rows[] = {
	{"friend_requests", "from_user_id", NULL, NULL},
	{"friend_requests", "to_user_id", NULL, NULL},
	{"friend_declines", "from_user_id", NULL, NULL},
	{"friend_declines", "to_user_id", NULL, NULL},
	{"friend_request_limits", "user_id", NULL, NULL},
	{"blocks", "user_id", NULL, NULL},
	{"notifications", "user_id", NULL, NULL},
	{"group_requests", "user_id", NULL, NULL},
	{"conversation_settings", "user_id", NULL, NULL},
	{"sticker_installs", "user_id", NULL, NULL},
	{"upload_limits", "user_id", NULL, NULL},
	/* They stay until they run out, so that their refresh tokens are told that they have ended. */
	{"logins", "user_id", "device=NULL,address=''", "(device IS NOT NULL OR address<>'')"},
	/* They went with the erasure: those that a request under way has brought since. */
	{"devices", "user_id", NULL, NULL},
	{"push_settings", "user_id", NULL, NULL},
	{"push_jobs", "user_id", NULL, NULL},
	{"push_sends", "user_id", NULL, NULL},
	{"push_shown", "user_id", NULL, NULL},
};
#define STAGES (ERASURE_ROWS + ARRAY_LEN(erased_rows))

static bool is_rows(unsigned stage)
{
	return stage >= ERASURE_ROWS && stage < STAGES;
}

static void next_stage(struct erasure *e)
{
	e->stage++;
	e->after[0] = '\0';
}

/* ---- whose turn it is ---- */

enum { STMT_LEASE, STMT_DUE };

struct find_erasure {
	struct read read;
	store_erasure_fn *fn;
	void *arg;
	struct store_erasure found;
};

static void erasure_restart(struct read *r)
{
	container_of(r, struct find_erasure, read)->found = (struct store_erasure){0};
}

static void erasure_row(struct read *r, unsigned stmt, struct row *row)
{
	struct store_erasure *f = &container_of(r, struct find_erasure, read)->found;
	if (stmt == STMT_LEASE) {
		f->lease = chore_take_lease(row);
		return;
	}
	f->due = true;
	row_take_user(row, f->next.user_id);
	f->next.messages = row_take_bool(row);
	f->next.stage = (unsigned)row_take_u64(row);
	struct str after = row_take_str(row);
	snprintf(f->next.after, sizeof(f->next.after), "%.*s", (int)after.len, after.s);
	f->next.found = row_take_bool(row);
}

static void erasure_done(struct read *r, enum store_status status)
{
	struct find_erasure *f = container_of(r, struct find_erasure, read);
	f->found.status = status;
	f->fn(&f->found, f->arg);
}

void store_find_erasure(struct store *s, struct str holder, store_erasure_fn *fn, void *arg)
{
	struct find_erasure *f = read_new(s->pool, STR_NULL, sizeof(*f));
	struct buf *text = &f->read.text;
	f->read.restart = erasure_restart;
	f->read.row = erasure_row;
	f->read.done = erasure_done;
	f->fn = fn;
	f->arg = arg;
	chore_put_lease(text, ERASURE_CHORE, holder);
	sql_lit(text, ";SELECT user_id,messages,stage,after,found FROM erasures FORCE INDEX (by_time) WHERE due_at<=");
	sql_now(text);
	sql_lit(text, " ORDER BY due_at LIMIT 1");
	pool_submit(&f->read);
}

/* ---- what comes next ---- */

struct find_erasing {
	struct read read;
	store_erasing_fn *fn;
	void *arg;
	struct erasure at, next;
	struct str user;
	unsigned rows, max_rows; /* that the statement gives; there may be more behind as many */
	bool full;
	struct erasing item[ERASING_MAX];
	size_t count;
};

static void erasing_restart(struct read *r)
{
	struct find_erasing *f = container_of(r, struct find_erasing, read);
	f->next = f->at;
	f->rows = 0;
	f->count = 0;
	f->full = false;
}

static void put_after(const struct find_erasing *f, struct buf *text, const char *column)
{
	buf_printf(text, " AND %s>", column);
	sql_str(text, str_from(f->at.after));
}

/* Both rows of a friendship, for there may be one alone. */
static void put_friends(struct find_erasing *f, struct buf *text)
{
	sql_lit(text, "(SELECT friend_id FROM friendships FORCE INDEX (PRIMARY) WHERE user_id=");
	sql_str(text, f->user);
	put_after(f, text, "friend_id");
	buf_printf(text, " ORDER BY friend_id LIMIT %d) UNION (SELECT user_id FROM friendships WHERE friend_id=",
		   ERASING_MAX);
	sql_str(text, f->user);
	put_after(f, text, "user_id");
	buf_printf(text, " ORDER BY user_id LIMIT %d) ORDER BY 1 LIMIT %d", ERASING_MAX, ERASING_MAX);
}

/* Who joined first of those in that role: the least text of the joining and the id, so that nothing is sorted. */
static void put_heir(struct buf *text, enum group_role role)
{
	buf_printf(text,
		   "(SELECT SUBSTR(MIN(CONCAT(LPAD(m.joined_seq,10,'0'),m.user_id)),11) FROM members m FORCE INDEX "
		   "(by_conversation) WHERE m.conversation_id=g.conversation_id AND m.role=%d)",
		   role);
}

/* The oldest admin, else the oldest member. */
static void put_groups(struct find_erasing *f, struct buf *text)
{
	f->max_rows = GROUPS_STEP;
	buf_printf(text, "SELECT g.conversation_id,IF(g.role=%d AND h.dissolved_at IS NULL,COALESCE(", GROUP_OWNER);
	put_heir(text, GROUP_ADMIN);
	buf_append_char(text, ',');
	put_heir(text, GROUP_MEMBER);
	sql_lit(text, "),NULL) FROM members g FORCE INDEX (PRIMARY) JOIN group_heads h ON h.id=g.conversation_id WHERE "
		      "g.user_id=");
	sql_str(text, f->user);
	sql_lit(text, " AND g.conversation_id>");
	sql_u64(text, strtoull(f->at.after, NULL, 10));
	buf_printf(text, " ORDER BY g.conversation_id LIMIT %d", GROUPS_STEP);
}

/* The id of the message, a space, the emoji. */
static void put_reactions(struct find_erasing *f, struct buf *text)
{
	char *emoji;
	uint64_t id = strtoull(f->at.after, &emoji, 10);
	sql_lit(text, "SELECT message_id,emoji FROM reactions FORCE INDEX (by_user) WHERE user_id=");
	sql_str(text, f->user);
	sql_lit(text, " AND (message_id>");
	sql_u64(text, id);
	sql_lit(text, " OR (message_id=");
	sql_u64(text, id);
	sql_lit(text, " AND emoji>");
	sql_str(text, str_from(*emoji == ' ' ? emoji + 1 : emoji));
	buf_printf(text, ")) ORDER BY message_id,emoji LIMIT %d", ERASING_MAX);
}

static void put_messages(struct find_erasing *f, struct buf *text)
{
	f->max_rows = ROWS_STEP;
	buf_printf(text,
		   "SELECT client_msg_id,id,is_recalled=0 AND message_type<>%d FROM messages FORCE INDEX "
		   "(by_client) WHERE from_user_id=",
		   MESSAGE_SYSTEM);
	sql_str(text, f->user);
	put_after(f, text, "client_msg_id");
	buf_printf(text, " ORDER BY client_msg_id LIMIT %d", ROWS_STEP);
}

static void take_message(struct find_erasing *f, struct erasing *e, struct row *row)
{
	struct str client_msg_id = row_take_str(row);
	e->id = row_take_u64(row);
	f->count += row_take_bool(row);
	snprintf(f->next.after, sizeof(f->next.after), "%.*s", (int)client_msg_id.len, client_msg_id.s);
}

static void take_reaction(struct find_erasing *f, struct erasing *e, struct row *row)
{
	e->id = row_take_u64(row);
	struct str emoji = row_take_str(row);
	snprintf(e->emoji, sizeof(e->emoji), "%.*s", (int)emoji.len, emoji.s);
	snprintf(f->next.after, sizeof(f->next.after), "%" PRIu64 " %s", e->id, e->emoji);
	f->count++;
}

static void erasing_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_erasing *f = container_of(r, struct find_erasing, read);
	(void)stmt;
	f->full = f->full || f->count == ERASING_MAX;
	if (f->full)
		return;
	struct erasing *e = &f->item[f->count];
	*e = (struct erasing){0};
	f->rows++;
	switch (f->at.stage) {
	case ERASURE_FRIENDS:
		row_take_user(row, e->peer);
		snprintf(f->next.after, sizeof(f->next.after), "%s", e->peer);
		f->count++;
		return;
	case ERASURE_GROUPS:
		e->id = row_take_u64(row);
		row_take_user(row, e->peer);
		snprintf(f->next.after, sizeof(f->next.after), "%" PRIu64, e->id);
		f->count++;
		return;
	case ERASURE_REACTIONS:
		take_reaction(f, e, row);
		return;
	default:
		take_message(f, e, row);
	}
}

static void erasing_done(struct read *r, enum store_status status)
{
	struct find_erasing *f = container_of(r, struct find_erasing, read);
	struct store_erasing out = {.status = status, .item = f->item, .count = f->count};
	if (!f->full && f->rows < f->max_rows)
		next_stage(&f->next);
	out.next = f->next;
	f->fn(&out, f->arg);
}

void store_find_erasing(struct store *s, const struct erasure *e, store_erasing_fn *fn, void *arg)
{
	static void (*const put[])(struct find_erasing * f, struct buf * text) = {
		[ERASURE_FRIENDS] = put_friends,
		[ERASURE_GROUPS] = put_groups,
		[ERASURE_REACTIONS] = put_reactions,
		[ERASURE_MESSAGES] = put_messages,
	};
	ASSERT(e->stage < ERASURE_ROWS);
	struct find_erasing *f = read_new(s->pool, STR_NULL, sizeof(*f));
	f->read.restart = erasing_restart;
	f->read.row = erasing_row;
	f->read.done = erasing_done;
	f->fn = fn;
	f->arg = arg;
	f->at = *e;
	f->user = str_from(f->at.user_id);
	f->max_rows = ERASING_MAX;
	erasing_restart(&f->read);
	if (e->stage == ERASURE_MESSAGES && !e->messages) {
		pool_refuse(&f->read, STORE_OK);
		return;
	}
	put[e->stage](f, &f->read.text);
	pool_submit(&f->read);
}

/* ---- going on ---- */

struct go_on {
	struct txn txn;
	store_count_fn *fn;
	void *arg;
	struct erasure at;
	bool later;
	struct str user;
	int64_t now_ms, erased_ms;
	bool exists;
	uint64_t rows;
};

/* " WHERE column='…' … LIMIT n": the rows of a line. */
static void put_rows(const struct go_on *g, struct buf *text)
{
	unsigned i = g->at.stage - ERASURE_ROWS;
	buf_printf(text, " WHERE %s=", erased_rows[i].column);
	sql_str(text, g->user);
	if (erased_rows[i].where != NULL)
		buf_printf(text, " AND %s", erased_rows[i].where);
	buf_printf(text, " LIMIT %d", ROWS_STEP);
}

static void go_on_ask(struct txn *t, struct buf *text)
{
	struct go_on *g = container_of(t, struct go_on, txn);
	g->exists = false;
	g->rows = 0;
	sql_lit(text, "SELECT ");
	sql_now(text);
	sql_lit(text, ",erased_at FROM erasures WHERE user_id=");
	sql_str(text, g->user);
	sql_lit(text, " FOR UPDATE");
	if (!is_rows(g->at.stage))
		return;
	buf_printf(text, ";SELECT COUNT(*) FROM (SELECT 1 FROM %s", erased_rows[g->at.stage - ERASURE_ROWS].table);
	put_rows(g, text);
	sql_lit(text, ") some");
}

static void go_on_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct go_on *g = container_of(t, struct go_on, txn);
	if (stmt == 0) {
		g->exists = true;
		g->now_ms = row_take_ms(row);
		g->erased_ms = row_take_ms(row);
	} else {
		g->rows = row_take_u64(row);
	}
}

static void erase_some(struct go_on *g, struct erasure *e, struct buf *text)
{
	unsigned i = g->at.stage - ERASURE_ROWS;
	if (g->rows != 0) {
		e->found = true;
		if (erased_rows[i].set == NULL)
			buf_printf(text, "DELETE FROM %s", erased_rows[i].table);
		else
			buf_printf(text, "UPDATE %s SET %s", erased_rows[i].table, erased_rows[i].set);
		put_rows(g, text);
	}
	if (g->rows < ROWS_STEP)
		next_stage(e);
}

static void put_where(struct go_on *g, struct buf *text)
{
	sql_lit(text, " WHERE user_id=");
	sql_str(text, g->user);
	buf_append_char(text, ';');
	sql_expect(text, 1);
}

/* Those that wait take turns, as each goes behind the others. */
static void put_move(struct go_on *g, const struct erasure *e, int64_t due_ms, struct buf *text)
{
	sql_next(text);
	buf_printf(text, "UPDATE erasures SET stage=%u,found=%d,after=", e->stage, e->found);
	sql_str(text, str_from(e->after));
	sql_lit(text, ",due_at=");
	sql_time(text, due_ms);
	put_where(g, text);
}

static void end_round(struct go_on *g, struct erasure *e, struct buf *text)
{
	int64_t settled_ms = g->erased_ms + ERASURE_ROUND_MS;
	/* Or the database's clock was set back. */
	bool settled = g->now_ms >= settled_ms || g->now_ms < g->erased_ms;
	if (!e->found && settled) {
		sql_next(text);
		sql_lit(text, "DELETE FROM erasures");
		put_where(g, text);
		return;
	}
	e->stage = 0;
	e->found = false;
	put_move(g, e, settled ? g->now_ms : settled_ms, text);
}

static void go_on_decide(struct txn *t, struct buf *text)
{
	struct go_on *g = container_of(t, struct go_on, txn);
	struct erasure e = g->at;
	if (!g->exists) {
		t->status = STORE_NOT_FOUND;
		return;
	}
	if (is_rows(e.stage))
		erase_some(g, &e, text);
	if (e.stage >= STAGES)
		end_round(g, &e, text);
	else
		put_move(g, &e, g->now_ms + (g->later ? ERASURE_RETRY_MS : 0), text);
}

static void go_on_answer(struct txn *t)
{
	struct go_on *g = container_of(t, struct go_on, txn);
	g->fn(t->status, g->rows, g->arg);
}

void store_go_on_erasing(struct store *s, const struct erasure *e, bool later, store_count_fn *fn, void *arg)
{
	static const struct txn_class class = {
		.name = "erasure", .ask = go_on_ask, .row = go_on_row, .decide = go_on_decide, .answer = go_on_answer};
	struct go_on *g = txn_new(s->txns, &class, STR_NULL, sizeof(*g));
	g->fn = fn;
	g->arg = arg;
	g->at = *e;
	g->later = later;
	g->user = str_from(g->at.user_id);
	txn_submit(&g->txn);
}
