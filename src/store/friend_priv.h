/* SPDX-License-Identifier: BSD-2-Clause */
/* One change between two users. friend.c reads what is, friend_step.c decides what becomes of it. */
#ifndef TIDINGS_STORE_FRIEND_PRIV_H
#define TIDINGS_STORE_FRIEND_PRIV_H

#include "core/base.h"
#include "core/buf.h"
#include "store/people.h"
#include "store/txn.h"

#define ASKS_MAX 8

struct change_friend {
	struct txn txn;
	store_friend_change_fn *fn;
	void *arg;
	enum friend_step step;
	struct str user, peer, note;
	unsigned requests_per_day; /* 0: any number */
	bool needs_account;
	char pair[2 * USER_ID_MAX + 2]; /* the request's key */
	unsigned char ask[ASKS_MAX];	/* what the statements asked for, an enum of friend.c */
	unsigned ask_count;

	/* What is, read under locks. */
	struct store_friend_change now;
	bool asked, was_asked; /* a request is pending: from the user, from the peer */
	struct str asked_note;
	int64_t asked_ms;
	bool forth, back;		  /* the rows of the friendship */
	bool forth_blocked, back_blocked; /* as they say */
	bool blocks, blocked;		  /* the rows in blocks: by the user, by the peer */
	uint64_t block_count;		  /* FRIEND_BLOCK: how many users the user blocks, at most BLOCKS_MAX */
	int64_t declined_ms;		  /* FRIEND_REQUEST: when the peer declined the user's last one; 0: never */
	int64_t full_ms;		  /* FRIEND_REQUEST: friend_request_limits.full_at; 0: no row */
};

/* A txn_class's decide. */
void friend_step_decide(struct txn *t, struct buf *text);
/* " WHERE pair=…", of friend_requests. */
void friend_put_pair(struct buf *text, const struct change_friend *c);
/* "('user','peer'),('peer','user')" */
void friend_put_both(struct buf *text, const struct change_friend *c);

#endif
