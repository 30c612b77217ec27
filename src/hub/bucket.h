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
 * Takes one token of the bucket `kind`:`name`, which fills at rate_per_sec up to burst. 0 if there was one;
 * otherwise the milliseconds until there will be. rate_per_sec 0 means unlimited. A burst under 1
 * is 1. Rate and burst may differ from call to call.
 */
int64_t bucket_take(struct hub *h, char kind, const char *name, double rate_per_sec, double burst, int64_t now_mono_ms);
/* Takes all of `tokens` or none. More than a whole burst are a whole burst. */
int64_t bucket_take_many(struct hub *h, char kind, const char *name, uint64_t tokens, double rate_per_sec, double burst,
			 int64_t now_mono_ms);
/* Takes all of `tokens`, where they are there or a whole burst is: what they are more than that is owed. */
int64_t bucket_take_owing(struct hub *h, char kind, const char *name, uint64_t tokens, double rate_per_sec,
			  double burst, int64_t now_mono_ms);
/* Takes them whether they are there or not; what is owed is a whole burst at most. */
void bucket_charge(struct hub *h, char kind, const char *name, uint64_t tokens, double rate_per_sec, double burst,
		   int64_t now_mono_ms);
/* What was taken with the same rate and burst, and was not needed. */
void bucket_give_back(struct hub *h, char kind, const char *name, uint64_t tokens, double rate_per_sec, double burst);
/* The same as bucket_take, but the token stays: 0 if there is one. */
int64_t bucket_wait(struct hub *h, char kind, const char *name, double rate_per_sec, double burst, int64_t now_mono_ms);

#endif
