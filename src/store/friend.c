/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes what two users are to each other. Reads it under locks and answers; friend_step.c decides the outcome. Rows
 * are locked in this order: the request, the friendship, the blocks, the limit of requests.
 */
#include "core/base.h"
#include "store/friend_priv.h"

#include <stdio.h>

#include "core/log.h"
#include "store/people_priv.h"
#include "store/sql.h"
#include "store/store_priv.h"

enum ask { ASK_NOW, ASK_REQUEST, ASK_FRIENDSHIPS, ASK_BLOCKS, ASK_USERS, ASK_DECLINED, ASK_LIMIT, ASK_BLOCK_COUNT };

static void make_pair(struct change_friend *c)
{
	bool ordered = strcmp(c->user.s, c->peer.s) < 0;
	snprintf(c->pair, sizeof(c->pair), "%s %s", ordered ? c->user.s : c->peer.s, ordered ? c->peer.s : c->user.s);
}

static void friend_reset(struct change_friend *c)
{
	c->now = (struct store_friend_change){.note = c->note};
	profile_unknown(&c->now.user, c->user);
	profile_unknown(&c->now.as.peer, c->peer);
	c->ask_count = 0;
	c->asked = c->was_asked = c->forth = c->back = false;
	c->forth_blocked = c->back_blocked = c->blocks = c->blocked = false;
	c->block_count = 0;
	c->asked_ms = c->declined_ms = c->full_ms = 0;
}

void friend_put_pair(struct buf *text, const struct change_friend *c)
{
	sql_lit(text, " WHERE pair=");
	sql_str(text, str_from(c->pair));
}

void friend_put_both(struct buf *text, const struct change_friend *c)
{
	sql_pair(text, c->user, c->peer);
	buf_append_char(text, ',');
	sql_pair(text, c->peer, c->user);
}

/* ---- what is asked ---- */

static void begin_ask(struct change_friend *c, struct buf *text, enum ask what)
{
	ASSERT(c->ask_count < ASKS_MAX);
	if (c->ask_count != 0)
		buf_append_char(text, ';');
	c->ask[c->ask_count++] = (unsigned char)what;
}

static void ask_request_limits(struct change_friend *c, struct buf *text)
{
	begin_ask(c, text, ASK_DECLINED);
	sql_lit(text, "SELECT declined_at FROM friend_declines WHERE from_user_id=");
	sql_str(text, c->user);
	sql_lit(text, " AND to_user_id=");
	sql_str(text, c->peer);
	begin_ask(c, text, ASK_LIMIT);
	sql_lit(text, "SELECT full_at FROM friend_request_limits WHERE user_id=");
	sql_str(text, c->user);
	sql_lit(text, " FOR UPDATE");
}

static void ask_block_count(struct change_friend *c, struct buf *text)
{
	begin_ask(c, text, ASK_BLOCK_COUNT);
	sql_lit(text, "SELECT COUNT(*) FROM (SELECT 1 FROM blocks WHERE user_id=");
	sql_str(text, c->user);
	sql_lit(text, " LIMIT ");
	sql_u64(text, BLOCKS_MAX);
	sql_lit(text, ") some");
}

static void friend_ask(struct txn *t, struct buf *text)
{
	struct change_friend *c = container_of(t, struct change_friend, txn);
	friend_reset(c);
	begin_ask(c, text, ASK_NOW);
	sql_lit(text, "SELECT UTC_TIMESTAMP(3)");
	begin_ask(c, text, ASK_REQUEST);
	sql_lit(text, "SELECT from_user_id,note,created_at FROM friend_requests FORCE INDEX (pair)");
	friend_put_pair(text, c);
	sql_lit(text, " FOR UPDATE");
	begin_ask(c, text, ASK_FRIENDSHIPS);
	sql_lit(text, "SELECT user_id,blocked,created_at FROM friendships FORCE INDEX (PRIMARY)"
		      " WHERE (user_id,friend_id) IN (");
	friend_put_both(text, c);
	sql_lit(text, ") ORDER BY user_id,friend_id FOR UPDATE");
	begin_ask(c, text, ASK_BLOCKS);
	sql_lit(text, "SELECT user_id FROM blocks FORCE INDEX (PRIMARY) WHERE (user_id,blocked_id) IN (");
	friend_put_both(text, c);
	sql_lit(text, ") ORDER BY user_id,blocked_id FOR UPDATE");
	begin_ask(c, text, ASK_USERS);
	sql_lit(text, "SELECT u.id,u.last_seen," PROFILE_COLUMNS " FROM users u FORCE INDEX (PRIMARY) WHERE u.id IN ");
	sql_pair(text, c->user, c->peer);
	if (c->step == FRIEND_REQUEST)
		ask_request_limits(c, text);
	if (c->step == FRIEND_BLOCK || c->step == USER_BLOCK)
		ask_block_count(c, text);
}

/* ---- what is answered ---- */

static void request_row(struct change_friend *c, struct row *row)
{
	c->asked = str_equal(row_take_str(row), c->user);
	c->was_asked = !c->asked;
	c->asked_note = arena_str(&c->txn.arena, row_take_str(row));
	c->asked_ms = row_take_ms(row);
}

static void friendship_row(struct change_friend *c, struct row *row)
{
	bool forth = str_equal(row_take_str(row), c->user), blocked = row_take_bool(row);
	int64_t since_ms = row_take_ms(row);
	if (forth) {
		c->forth = true;
		c->forth_blocked = blocked;
		c->now.as.blocked |= blocked;
		c->now.as.since_ms = since_ms;
	} else {
		c->back = true;
		c->back_blocked = blocked;
		c->now.as.blocks_user |= blocked;
	}
}

static void block_row(struct change_friend *c, struct row *row)
{
	if (str_equal(row_take_str(row), c->user))
		c->blocks = c->now.as.blocked = true;
	else
		c->blocked = c->now.as.blocks_user = true;
}

static void user_row(struct change_friend *c, struct row *row)
{
	struct arena *a = &c->txn.arena;
	bool is_peer = str_equal(row_take_str(row), c->peer);
	int64_t last_seen_ms = row_take_ms(row);
	if (is_peer) {
		row_take_profile(row, a, c->peer, &c->now.as.peer);
		c->now.as.last_seen_ms = last_seen_ms;
	} else {
		row_take_profile(row, a, c->user, &c->now.user);
	}
}

static void friend_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct change_friend *c = container_of(t, struct change_friend, txn);
	ASSERT(stmt < c->ask_count);
	switch ((enum ask)c->ask[stmt]) {
	case ASK_NOW:
		c->now.at_ms = row_take_ms(row);
		return;
	case ASK_REQUEST:
		request_row(c, row);
		return;
	case ASK_FRIENDSHIPS:
		friendship_row(c, row);
		return;
	case ASK_BLOCKS:
		block_row(c, row);
		return;
	case ASK_USERS:
		user_row(c, row);
		return;
	case ASK_DECLINED:
		c->declined_ms = row_take_ms(row);
		return;
	case ASK_LIMIT:
		c->full_ms = row_take_ms(row);
		return;
	case ASK_BLOCK_COUNT:
		c->block_count = row_take_u64(row);
		return;
	}
}

static void friend_answer(struct txn *t)
{
	struct change_friend *c = container_of(t, struct change_friend, txn);
	c->now.status = t->status;
	c->fn(&c->now, c->arg);
}

static void friend_tell(const struct txn *t, struct buf *items)
{
	const struct change_friend *c = container_of(t, struct change_friend, txn);
	outbox_put_id(items, OUTBOX_FRIEND, (uint64_t)c->step + 1);
	outbox_put_user(items, c->user);
	outbox_put_user(items, c->peer);
}

void store_change_friend(struct store *s, const struct store_befriend *p, store_friend_change_fn *fn, void *arg)
{
	static const struct txn_class class = {"friend",	   friend_ask,	  friend_row,
					       friend_step_decide, friend_answer, friend_tell};
	struct change_friend *c = txn_new(s->txns, &class, p->user, sizeof(*c));
	ASSERT(id_user_valid(p->user) && id_user_valid(p->peer) && !str_equal(p->user, p->peer));
	c->fn = fn;
	c->arg = arg;
	c->step = p->step;
	c->user = c->txn.user;
	c->peer = arena_str(&c->txn.arena, p->peer);
	c->note = arena_str(&c->txn.arena, p->note);
	c->requests_per_day = p->requests_per_day;
	c->needs_account = p->needs_account;
	make_pair(c);
	friend_reset(c);
	txn_submit(&c->txn);
}
