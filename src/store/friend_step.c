/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests, friendships and blocks between two users. Decides the outcome of each step and writes it. Touches no
 * connection.
 *
 * A block is a row in blocks. It is repeated in the friendship, if there is one, for other systems and older servers,
 * which look only there. It outlives the friendship: what another system has blocked there becomes a row in blocks at
 * its end.
 */
#include "core/base.h"
#include "store/friend_priv.h"

#include "core/log.h"
#include "store/sql.h"

#define DAY_MS INT64_C(86400000)

/* ---- what is written ---- */

/* Begins a statement after those before it. */
static void put_next(struct buf *text)
{
	if (text->len != 0)
		buf_append_char(text, ';');
}

/*
 * Begins a statement that fails if a row is found, so that the transaction runs again: a row that another transaction
 * has added since ours looked, or that our own DELETE has left because it was cut short (sql_expect). The caller
 * appends the condition.
 */
static void put_expect_none(struct buf *text, const char *table)
{
	put_next(text);
	buf_printf(text, "SET @found=IF(EXISTS(SELECT 1 FROM %s", table);
}

static void put_expect_none_end(struct buf *text)
{
	sql_lit(text, " LOCK IN SHARE MODE),(SELECT 1 UNION SELECT 2),0)");
}

static void put_request(struct change_friend *c, struct buf *text)
{
	put_next(text);
	sql_lit(text, "INSERT INTO friend_requests (from_user_id,to_user_id,pair,note,created_at) VALUES (");
	sql_str(text, c->user);
	buf_append_char(text, ',');
	sql_str(text, c->peer);
	buf_append_char(text, ',');
	sql_str(text, str_from(c->pair));
	buf_append_char(text, ',');
	sql_str(text, c->note);
	buf_append_char(text, ',');
	sql_time(text, c->now.at_ms);
	buf_append_char(text, ')');
	/* A block that came in between has looked for requests before this one was there. */
	put_expect_none(text, "blocks");
	sql_lit(text, " WHERE (user_id,blocked_id)=");
	sql_pair(text, c->peer, c->user);
	put_expect_none_end(text);
	c->now.changed = true;
}

static void put_drop_request(struct change_friend *c, struct buf *text)
{
	if (!c->asked && !c->was_asked)
		return;
	put_next(text);
	sql_lit(text, "DELETE FROM friend_requests");
	friend_put_pair(text, c);
	put_next(text);
	sql_expect(text, 1);
}

static void put_friendship(struct buf *text, struct str user, struct str friend, bool blocked, int64_t at_ms)
{
	buf_append_char(text, '(');
	sql_str(text, user);
	buf_append_char(text, ',');
	sql_str(text, friend);
	buf_append_char(text, ',');
	sql_u64(text, blocked);
	buf_append_char(text, ',');
	sql_time(text, at_ms);
	buf_append_char(text, ')');
}

static void put_friends(struct change_friend *c, struct buf *text)
{
	put_drop_request(c, text);
	put_next(text);
	sql_lit(text, "DELETE FROM friend_declines WHERE (from_user_id,to_user_id) IN (");
	friend_put_both(text, c);
	sql_lit(text, ");INSERT INTO friendships (user_id,friend_id,blocked,created_at) VALUES ");
	put_friendship(text, c->user, c->peer, c->now.as.blocked, c->now.at_ms);
	buf_append_char(text, ',');
	put_friendship(text, c->peer, c->user, c->now.as.blocks_user, c->now.at_ms);
	/* One of the two may exist, made by another system. */
	sql_lit(text, " ON DUPLICATE KEY UPDATE friendships.user_id=VALUES(user_id)");
	if (!c->forth)
		c->now.as.since_ms = c->now.at_ms;
	c->now.changed = c->now.friends = true;
}

static void put_block(struct buf *text, struct str user, struct str blocked, int64_t at_ms)
{
	put_next(text);
	sql_lit(text, "INSERT INTO blocks (user_id,blocked_id,created_at) VALUES (");
	sql_str(text, user);
	buf_append_char(text, ',');
	sql_str(text, blocked);
	buf_append_char(text, ',');
	sql_time(text, at_ms);
	sql_lit(text, ") ON DUPLICATE KEY UPDATE blocks.user_id=VALUES(user_id)");
}

/* In the friendship's row, which says otherwise. */
static void put_blocked(struct change_friend *c, struct buf *text, bool blocked)
{
	put_next(text);
	sql_lit(text, "UPDATE friendships SET blocked=");
	sql_u64(text, blocked);
	sql_lit(text, " WHERE user_id=");
	sql_str(text, c->user);
	sql_lit(text, " AND friend_id=");
	sql_str(text, c->peer);
	put_next(text);
	sql_expect(text, 1);
}

/* ---- requests ---- */

/* False after having said for how long none may be made. */
static bool may_ask_again(struct change_friend *c)
{
	int64_t left = c->declined_ms + DAY_MS - c->now.at_ms;
	if (c->declined_ms == 0 || left <= 0)
		return true;
	c->now.declined = true;
	c->now.retry_ms = left < DAY_MS ? left : DAY_MS; /* the database's clock was set back */
	return false;
}

/*
 * Takes one of the day's requests. A row says when the user has all of them again: each request moves that by the
 * day's part, and it may be a day ahead at most.
 */
static bool put_limit(struct change_friend *c, struct buf *text)
{
	if (c->requests_per_day == 0)
		return true;
	const int64_t part = DAY_MS / c->requests_per_day, now = c->now.at_ms, latest = now + DAY_MS;
	int64_t full = c->full_ms < now ? now : c->full_ms < latest ? c->full_ms : latest;
	full += part;
	if (full > latest) {
		c->now.retry_ms = full - latest;
		return false;
	}
	put_next(text);
	if (c->full_ms == 0) {
		sql_lit(text, "INSERT INTO friend_request_limits (user_id,full_at) VALUES (");
		sql_str(text, c->user);
		buf_append_char(text, ',');
		sql_time(text, full);
		buf_append_char(text, ')');
	} else {
		sql_lit(text, "UPDATE friend_request_limits SET full_at=");
		sql_time(text, full);
		sql_lit(text, " WHERE user_id=");
		sql_str(text, c->user);
		put_next(text);
		sql_expect(text, 1);
	}
	return true;
}

static void put_forget_declines(struct change_friend *c, struct buf *text)
{
	put_next(text);
	sql_lit(text, "DELETE FROM friend_declines WHERE from_user_id=");
	sql_str(text, c->user);
	sql_lit(text, " AND declined_at<=");
	sql_time(text, c->now.at_ms - DAY_MS);
}

static enum store_status decide_request(struct change_friend *c, struct buf *text)
{
	bool ours = c->txn.uncertain;
	c->now.friends = c->forth && c->back;
	if (c->now.as.blocks_user)
		return STORE_BLOCKED;
	if (c->now.friends) {
		c->now.changed = ours;
		return ours ? STORE_OK : STORE_TAKEN;
	}
	if (c->asked) {
		c->now.changed = ours;
		c->now.note = c->asked_note;
		c->now.at_ms = c->asked_ms;
		return ours ? STORE_OK : STORE_TAKEN;
	}
	if (c->was_asked) {
		put_friends(c, text);
		return STORE_OK;
	}
	if (c->needs_account && !c->now.as.peer.known)
		return STORE_NOT_FOUND;
	if (!may_ask_again(c) || !put_limit(c, text))
		return STORE_LIMITED;
	put_forget_declines(c, text);
	put_request(c, text);
	return STORE_OK;
}

static enum store_status decide_accept(struct change_friend *c, struct buf *text)
{
	c->now.friends = c->forth && c->back;
	c->now.changed = c->now.friends && c->txn.uncertain;
	if (c->now.friends) {
		put_drop_request(c, text);
		return STORE_OK;
	}
	/* A block drops what is pending: a request that is there was sent by the blocker since. */
	if (!c->was_asked)
		return c->now.as.blocks_user ? STORE_BLOCKED : STORE_NOT_FOUND;
	put_friends(c, text);
	return STORE_OK;
}

static enum store_status decide_decline(struct change_friend *c, struct buf *text)
{
	c->now.changed = c->was_asked || c->txn.uncertain;
	if (!c->was_asked)
		return c->now.changed ? STORE_OK : STORE_NOT_FOUND;
	put_drop_request(c, text);
	put_next(text);
	sql_lit(text, "INSERT INTO friend_declines (from_user_id,to_user_id,declined_at) VALUES (");
	sql_str(text, c->peer);
	buf_append_char(text, ',');
	sql_str(text, c->user);
	buf_append_char(text, ',');
	sql_time(text, c->now.at_ms);
	sql_lit(text, ") ON DUPLICATE KEY UPDATE declined_at=VALUES(declined_at)");
	return STORE_OK;
}

/* ---- friendships and blocks ---- */

static enum store_status decide_end(struct change_friend *c, struct buf *text)
{
	c->now.changed = c->forth || c->back || c->txn.uncertain;
	if (!c->forth && !c->back)
		return c->now.changed ? STORE_OK : STORE_NOT_FOUND;
	if (c->forth_blocked && !c->blocks)
		put_block(text, c->user, c->peer, c->now.at_ms);
	if (c->back_blocked && !c->blocked)
		put_block(text, c->peer, c->user, c->now.at_ms);
	put_next(text);
	sql_lit(text, "DELETE FROM friendships WHERE (user_id,friend_id) IN (");
	friend_put_both(text, c);
	sql_lit(text, ");");
	sql_expect(text, (uint64_t)c->forth + c->back);
	return STORE_OK;
}

static enum store_status decide_block(struct change_friend *c, struct buf *text)
{
	c->now.friends = c->forth && c->back;
	if (c->step == FRIEND_BLOCK && !c->now.friends)
		return STORE_NOT_FOUND;
	if (!c->blocks && c->block_count >= BLOCKS_MAX)
		return STORE_FULL;
	c->now.changed = !c->now.as.blocked || c->txn.uncertain;
	c->now.as.blocked = true;
	if (!c->blocks)
		put_block(text, c->user, c->peer, c->now.at_ms);
	if (c->forth && !c->forth_blocked)
		put_blocked(c, text, true);
	if (text->len == 0)
		return STORE_OK;
	/* What either has asked of the other is gone, also what comes in just now. */
	put_next(text);
	sql_lit(text, "DELETE FROM friend_requests");
	friend_put_pair(text, c);
	put_expect_none(text, "friend_requests");
	friend_put_pair(text, c);
	put_expect_none_end(text);
	return STORE_OK;
}

static enum store_status decide_unblock(struct change_friend *c, struct buf *text)
{
	c->now.friends = c->forth && c->back;
	if (c->step == FRIEND_UNBLOCK && !c->now.friends)
		return STORE_NOT_FOUND;
	c->now.changed = c->now.as.blocked || c->txn.uncertain;
	c->now.as.blocked = false;
	if (c->blocks) {
		sql_lit(text, "DELETE FROM blocks WHERE user_id=");
		sql_str(text, c->user);
		sql_lit(text, " AND blocked_id=");
		sql_str(text, c->peer);
		put_next(text);
		sql_expect(text, 1);
	}
	if (c->forth_blocked)
		put_blocked(c, text, false);
	return STORE_OK;
}

void friend_step_decide(struct txn *t, struct buf *text)
{
	struct change_friend *c = container_of(t, struct change_friend, txn);
	switch (c->step) {
	case FRIEND_REQUEST:
		t->status = decide_request(c, text);
		return;
	case FRIEND_ACCEPT:
		t->status = decide_accept(c, text);
		return;
	case FRIEND_DECLINE:
		t->status = decide_decline(c, text);
		return;
	case FRIEND_END:
		t->status = decide_end(c, text);
		return;
	case FRIEND_BLOCK:
	case USER_BLOCK:
		t->status = decide_block(c, text);
		return;
	case FRIEND_UNBLOCK:
	case USER_UNBLOCK:
		t->status = decide_unblock(c, text);
		return;
	}
}
