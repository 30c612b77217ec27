/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing a friendship: two rows, and before them a request. Requests are locked first, then friendships. */
#include "core/base.h"
#include "store/people_priv.h"

#include <stdio.h>

#include "core/log.h"
#include "store/sql.h"
#include "store/store_priv.h"

enum ask { ASK_NOW, ASK_REQUEST, ASK_FRIENDSHIPS, ASK_USERS };

struct change_friend {
	struct txn txn;
	store_friend_change_fn *fn;
	void *arg;
	enum friend_step step;
	struct str user, peer;
	char pair[2 * USER_ID_MAX + 2]; /* the request's key */
	struct store_friend_change now;
	bool asked, was_asked; /* a request stands: from the user, from the peer */
	bool forth, back;      /* the rows of the friendship */
};

static void make_pair(struct change_friend *c)
{
	bool ordered = strcmp(c->user.s, c->peer.s) < 0;
	snprintf(c->pair, sizeof(c->pair), "%s %s", ordered ? c->user.s : c->peer.s, ordered ? c->peer.s : c->user.s);
}

static void reset(struct change_friend *c)
{
	struct str note = c->now.note;
	c->now = (struct store_friend_change){.note = note};
	profile_unknown(&c->now.user, c->user);
	profile_unknown(&c->now.as.peer, c->peer);
	c->asked = c->was_asked = c->forth = c->back = false;
}

static void put_pair(struct buf *text, const struct change_friend *c)
{
	sql_lit(text, " WHERE pair=");
	sql_str(text, str_from(c->pair));
}

static void put_both(struct buf *text, const struct change_friend *c)
{
	sql_lit(text, " WHERE (user_id,friend_id) IN (");
	sql_pair(text, c->user, c->peer);
	buf_append_char(text, ',');
	sql_pair(text, c->peer, c->user);
	buf_append_char(text, ')');
}

static void friend_ask(struct txn *t, struct buf *text)
{
	struct change_friend *c = container_of(t, struct change_friend, txn);
	reset(c);
	sql_lit(text, "SELECT UTC_TIMESTAMP(3);SELECT from_user_id FROM friend_requests FORCE INDEX (pair)");
	put_pair(text, c);
	sql_lit(text, " FOR UPDATE;SELECT user_id,blocked,created_at FROM friendships FORCE INDEX (PRIMARY)");
	put_both(text, c);
	sql_lit(text, " ORDER BY user_id,friend_id FOR UPDATE;SELECT u.id,u.last_seen," PROFILE_COLUMNS
		      " FROM users u FORCE INDEX (PRIMARY) WHERE u.id IN ");
	sql_pair(text, c->user, c->peer);
}

static void friendship_row(struct change_friend *c, struct row *row)
{
	bool forth = str_equal(row_take_str(row), c->user), blocked = row_take_bool(row);
	int64_t since_ms = row_take_ms(row);
	if (forth) {
		c->forth = true;
		c->now.as.blocked = blocked;
		c->now.as.since_ms = since_ms;
	} else {
		c->back = true;
		c->now.as.blocks_user = blocked;
	}
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
	switch ((enum ask)stmt) {
	case ASK_NOW:
		c->now.at_ms = row_take_ms(row);
		return;
	case ASK_REQUEST:
		c->asked = str_equal(row_take_str(row), c->user);
		c->was_asked = !c->asked;
		return;
	case ASK_FRIENDSHIPS:
		friendship_row(c, row);
		return;
	case ASK_USERS:
		user_row(c, row);
		return;
	}
}

/* ---- deciding ---- */

static void put_request(struct change_friend *c, struct buf *text)
{
	sql_lit(text, "INSERT INTO friend_requests (from_user_id,to_user_id,pair,note,created_at) VALUES (");
	sql_str(text, c->user);
	buf_append_char(text, ',');
	sql_str(text, c->peer);
	buf_append_char(text, ',');
	sql_str(text, str_from(c->pair));
	buf_append_char(text, ',');
	sql_str(text, c->now.note);
	buf_append_char(text, ',');
	sql_time(text, c->now.at_ms);
	buf_append_char(text, ')');
	c->now.changed = true;
}

static void drop_request(struct change_friend *c, struct buf *text)
{
	if (!c->asked && !c->was_asked)
		return;
	sql_lit(text, "DELETE FROM friend_requests");
	put_pair(text, c);
	buf_append_char(text, ';');
	sql_expect(text, 1);
}

static void make_friends(struct change_friend *c, struct buf *text)
{
	drop_request(c, text);
	buf_append_char(text, ';');
	sql_lit(text, "INSERT INTO friendships (user_id,friend_id,created_at) VALUES (");
	sql_str(text, c->user);
	buf_append_char(text, ',');
	sql_str(text, c->peer);
	buf_append_char(text, ',');
	sql_time(text, c->now.at_ms);
	sql_lit(text, "),(");
	sql_str(text, c->peer);
	buf_append_char(text, ',');
	sql_str(text, c->user);
	buf_append_char(text, ',');
	sql_time(text, c->now.at_ms);
	/* One of the two may stand, made by another system. */
	sql_lit(text, ") ON DUPLICATE KEY UPDATE friendships.user_id=VALUES(user_id)");
	if (!c->forth)
		c->now.as.since_ms = c->now.at_ms;
	c->now.changed = c->now.friends = true;
}

static enum store_status decide_request(struct change_friend *c, struct buf *text)
{
	bool ours = c->txn.uncertain;
	c->now.friends = c->forth && c->back;
	if (c->now.friends || c->asked) {
		c->now.changed = ours;
		return ours ? STORE_OK : STORE_TAKEN;
	}
	if (c->now.as.blocks_user)
		return STORE_BLOCKED;
	if (c->was_asked)
		make_friends(c, text);
	else
		put_request(c, text);
	return STORE_OK;
}

static enum store_status decide_accept(struct change_friend *c, struct buf *text)
{
	c->now.friends = c->forth && c->back;
	c->now.changed = c->now.friends && c->txn.uncertain;
	if (c->now.friends) {
		drop_request(c, text);
		return STORE_OK;
	}
	if (!c->was_asked)
		return STORE_NOT_FOUND;
	make_friends(c, text);
	return STORE_OK;
}

static enum store_status decide_decline(struct change_friend *c, struct buf *text)
{
	c->now.changed = c->was_asked || c->txn.uncertain;
	if (c->was_asked)
		drop_request(c, text);
	return c->now.changed ? STORE_OK : STORE_NOT_FOUND;
}

static enum store_status decide_end(struct change_friend *c, struct buf *text)
{
	c->now.changed = c->forth || c->back || c->txn.uncertain;
	if (c->forth || c->back) {
		sql_lit(text, "DELETE FROM friendships");
		put_both(text, c);
		buf_append_char(text, ';');
		sql_expect(text, (uint64_t)c->forth + c->back);
	}
	return c->now.changed ? STORE_OK : STORE_NOT_FOUND;
}

static enum store_status decide_block(struct change_friend *c, struct buf *text, bool block)
{
	c->now.friends = c->forth && c->back;
	if (!c->now.friends)
		return STORE_NOT_FOUND;
	bool changes = c->now.as.blocked != block;
	c->now.changed = changes || c->txn.uncertain;
	c->now.as.blocked = block;
	if (!changes)
		return STORE_OK;
	buf_printf(text, "UPDATE friendships SET blocked=%d WHERE user_id=", block);
	sql_str(text, c->user);
	sql_lit(text, " AND friend_id=");
	sql_str(text, c->peer);
	buf_append_char(text, ';');
	sql_expect(text, 1);
	return STORE_OK;
}

static void friend_decide(struct txn *t, struct buf *text)
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
	case FRIEND_UNBLOCK:
		t->status = decide_block(c, text, c->step == FRIEND_BLOCK);
		return;
	}
}

static void friend_answer(struct txn *t)
{
	struct change_friend *c = container_of(t, struct change_friend, txn);
	c->now.status = t->status;
	c->fn(&c->now, c->arg);
}

void store_change_friend(struct store *s, enum friend_step step, struct str user, struct str peer, struct str note,
			 store_friend_change_fn *fn, void *arg)
{
	static const struct txn_class class = {"friend", friend_ask, friend_row, friend_decide, friend_answer, true};
	struct change_friend *c = txn_new(s->txns, &class, user, sizeof(*c));
	ASSERT(id_user_valid(user) && id_user_valid(peer));
	c->fn = fn;
	c->arg = arg;
	c->step = step;
	c->user = c->txn.user;
	c->peer = arena_str(&c->txn.arena, peer);
	c->now.note = arena_str(&c->txn.arena, note);
	make_pair(c);
	reset(c);
	txn_submit(&c->txn);
}
