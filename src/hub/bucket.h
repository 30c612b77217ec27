/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Token buckets shared by the workers of a node: so many actions a second for a
 * name, with a burst. A fixed table by hash; where a name's neighbourhood is full the fullest bucket
 * in it is taken over, which can only be generous to its old owner, never strict.
 */
#ifndef TIDINGS_HUB_BUCKET_H
#define TIDINGS_HUB_BUCKET_H

#include "core/base.h"
#include "hub/hub.h"

/*
 * What is counted, and by which names. An address is a valid user id: so each kind is listed here, and none is used for
 * two things.
 */
enum bucket_kind {
	/* By address */
	BUCKET_CONNECTIONS = 1,
	BUCKET_TRIES,	  /* of calls without a token */
	BUCKET_REFRESHES, /* refresh tokens that are not genuine */
	BUCKET_PICTURES,
	BUCKET_ADDRESS_SESSIONS,
	/* By user */
	BUCKET_REQUESTS,
	BUCKET_SENDS, /* of messages */
	BUCKET_TYPING,
	BUCKET_FRIENDS, /* changes of friends and blocks */
	BUCKET_FAILED_LOGINS,
	BUCKET_PASSWORDS, /* changes of the own one */
	BUCKET_USER_SESSIONS,
	BUCKET_GROUP_CHANGES,
	BUCKET_GROUPS_MADE,
	BUCKET_GROUPS_SHOWN, /* to all members anew */
	/* By user and something else */
	BUCKET_FAILED_PAIRS,  /* an address: failed logins */
	BUCKET_GROUP_MOVES,   /* a group: coming in and going out */
	BUCKET_GROUP_SILENCE, /* a group: that it is too busy was said */
	/* By login */
	BUCKET_RENEWALS,
	/* By group */
	BUCKET_GROUP_FANOUT,
	/* The node's own, of the name "" */
	BUCKET_NODE_SESSIONS,
	BUCKET_NODE_FANOUT,
};

/*
 * Takes one token of the bucket `kind`:`name`, which fills at rate_per_sec up to burst. 0 if there was one;
 * otherwise the milliseconds until there will be. rate_per_sec 0 means unlimited. A burst under 1
 * is 1. Rate and burst may differ from call to call.
 */
int64_t bucket_take(struct hub *h, enum bucket_kind kind, const char *name, double rate_per_sec, double burst,
		    int64_t now_mono_ms);
/* Takes all of `tokens` or none. More than a whole burst are a whole burst. */
int64_t bucket_take_many(struct hub *h, enum bucket_kind kind, const char *name, uint64_t tokens, double rate_per_sec,
			 double burst, int64_t now_mono_ms);
/* Takes all of `tokens`, where they are there or a whole burst is: what they are more than that is owed. */
int64_t bucket_take_owing(struct hub *h, enum bucket_kind kind, const char *name, uint64_t tokens, double rate_per_sec,
			  double burst, int64_t now_mono_ms);
/* Takes them whether they are there or not; what is owed is a whole burst at most. */
void bucket_charge(struct hub *h, enum bucket_kind kind, const char *name, uint64_t tokens, double rate_per_sec,
		   double burst, int64_t now_mono_ms);
/* What was taken with the same rate and burst, and was not needed. */
void bucket_give_back(struct hub *h, enum bucket_kind kind, const char *name, uint64_t tokens, double rate_per_sec,
		      double burst);
/* The same as bucket_take, but the token stays: 0 if there is one. */
int64_t bucket_wait(struct hub *h, enum bucket_kind kind, const char *name, double rate_per_sec, double burst,
		    int64_t now_mono_ms);

#endif
