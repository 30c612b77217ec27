/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one row of the outbox holds (schema/0010_outbox.sql): what its transaction has done that others have to be told
 * of. Items follow one another: a byte that is the kind; then 8 bytes, the high one first, or for OUTBOX_USER a byte
 * that is the length and the user's id.
 *
 * How to add a kind: at the end of the enum; a relay that does not know it can still step over it if it is a number,
 * so give it one (OUTBOX_USER is the only text).
 *
 * Webhooks are told of most of them (relay/hook_events.c). Where these have to know more than the number, items follow:
 * behind OUTBOX_READ and OUTBOX_REACTION the user who did it, behind OUTBOX_FRIEND also to whom, and behind
 * OUTBOX_REACTION's user a text. Behind what is for webhooks alone (OUTBOX_ACCOUNT, OUTBOX_CAME, OUTBOX_WENT) the
 * user's id is a text: those who push tell each OUTBOX_USER to catch up.
 */
#ifndef TIDINGS_STORE_OUTBOX_ITEMS_H
#define TIDINGS_STORE_OUTBOX_ITEMS_H

#include "core/base.h"
#include "core/buf.h"

enum outbox_kind {
	OUTBOX_USER = 'u',     /* something was done to this user, or to a group that the user was or is in */
	OUTBOX_SENT = 's',     /* the id of a message */
	OUTBOX_RECALLED = 'r', /* the id of a message */
	OUTBOX_DELETED = 'd',  /* the id of a message, that somebody has deleted for themselves */
	OUTBOX_EDITED = 'e',   /* the id of a message */
	OUTBOX_REACTION = 't', /* the id of a message */
	OUTBOX_PINNED = 'p',   /* the id of a message that was pinned, or is not any more */
	OUTBOX_READ = 'm',     /* the id of the last message that somebody has read */
	OUTBOX_IMPORTED = 'i', /* the id of a message up to which some were imported: for the search index alone */
	OUTBOX_GROUP = 'g',   /* the id of the system message that tells what became of a group; 0: of one just made, in
			       * which the users are that follow */
	OUTBOX_FRIEND = 'f',  /* enum friend_step, counted from 1 */
	OUTBOX_ACCOUNT = 'a', /* enum account_action: what became of the account of the user that follows */
	OUTBOX_CAME = 'c',    /* when the user that follows has come online, in milliseconds since 1970 */
	OUTBOX_WENT = 'w',    /* or gone offline */
	OUTBOX_TEXT = 'x',    /* up to 8 bytes of a text, NUL behind them; several in a row are one text */
};

enum account_action {
	ACCOUNT_CREATED = 1, /* 0: nothing was done to it */
	ACCOUNT_UPDATED,
	ACCOUNT_DISABLED,
	ACCOUNT_ENABLED,
	ACCOUNT_ERASED,
};

struct outbox_item {
	enum outbox_kind kind;
	uint64_t id;	 /* but for OUTBOX_USER */
	struct str user; /* OUTBOX_USER; borrowed */
	struct str text; /* OUTBOX_TEXT; borrowed */
};

void outbox_put_id(struct buf *items, enum outbox_kind kind, uint64_t id);
/* The user's id is valid. */
void outbox_put_user(struct buf *items, struct str user);
/* OUTBOX_ACCOUNT, OUTBOX_CAME or OUTBOX_WENT, and whom it is about. */
void outbox_put_about(struct buf *items, enum outbox_kind kind, uint64_t id, struct str user);
/* Without NUL. */
void outbox_put_text(struct buf *items, struct str text);
/* The item at *at, and *at moved behind it. 1: there is one; 0: the end; -1: what is there is none. */
int outbox_next(struct str items, size_t *at, struct outbox_item *item_r) MUST_CHECK;

#endif
