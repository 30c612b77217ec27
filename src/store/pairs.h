/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Remembers which conversation two users have, so that the write lane can lock it
 * by its id, which never changes in the database, and who the two are, where it is named by its id; and how the
 * conversation's head was when this lane wrote it last, which others may have changed since. Bounded, the least used
 * goes.
 */
#ifndef TIDINGS_STORE_PAIRS_H
#define TIDINGS_STORE_PAIRS_H

#include "core/base.h"
#include "core/id.h"

/* Two users in the order of their bytes, with a space between, which no id contains. */
struct pair_key {
	unsigned len;
	unsigned first_len;		/* of the smaller id */
	char text[2 * USER_ID_MAX + 2]; /* with a NUL */
};
struct pair_key pair_key_make(struct str a, struct str b);
bool pair_key_equal(const struct pair_key *a, const struct pair_key *b);
/* 0: the smaller, 1: the other one. */
struct str pair_key_user(const struct pair_key *k, unsigned side);

struct pairs;

struct pairs *pairs_new(unsigned max);
void pairs_free(struct pairs **p);
/* 0: not known here. */
uint64_t pairs_find(struct pairs *p, const struct pair_key *k);
/* Whose conversation that is; false: not known here. */
bool pairs_find_users(struct pairs *p, uint64_t conversation_id, struct pair_key *k_r);
void pairs_put(struct pairs *p, const struct pair_key *k, uint64_t conversation_id);
void pairs_forget(struct pairs *p, const struct pair_key *k);

/* Of a conversation with messages. */
struct pair_head {
	uint64_t last_seq; /* never 0 */
	int64_t last_ms;   /* last_message_time */
	uint64_t expires_in_secs;
};
/* False: not known here. */
bool pairs_find_head(struct pairs *p, const struct pair_key *k, struct pair_head *head_r);
/* Of a pair whose conversation is known here; else it does nothing. */
void pairs_put_head(struct pairs *p, const struct pair_key *k, const struct pair_head *head);
void pairs_forget_head(struct pairs *p, const struct pair_key *k);

#endif
