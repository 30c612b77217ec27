/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock that the workers of the cluster share. */
#include "core/base.h"
#include "live/lamport.h"

#include "core/clock.h"

/* So no sum of two values overflows, whatever another worker claims. */
#define LAMPORT_MAX_US (INT64_MAX / 4)

void lamport_init(struct lamport *l, const char *name)
{
	*l = (struct lamport){0};
	memcpy(l->scale, name, WORKER_NAME_LEN);
}

int64_t lamport_at_us(const struct lamport *l, int64_t usecs)
{
	int64_t at_us = usecs + l->offset_us;
	return at_us > 0 ? at_us : 1;
}

int64_t lamport_now_us(const struct lamport *l)
{
	return lamport_at_us(l, clock_usecs());
}

/* All who compare the same two must come to the same result, so time is no part of it. */
static bool prefer_theirs(const struct lamport *mine, const struct lamport *theirs)
{
	if (mine->synced != theirs->synced)
		return theirs->synced;
	return memcmp(theirs->scale, mine->scale, WORKER_NAME_LEN) < 0;
}

bool lamport_hear(struct lamport *l, const struct lamport *theirs, int64_t theirs_us, int64_t *shift_r)
{
	*shift_r = 0;
	if (theirs_us <= 0 || theirs_us > LAMPORT_MAX_US)
		return false;
	int64_t ahead_us = theirs_us - lamport_now_us(l);
	bool same = memcmp(l->scale, theirs->scale, WORKER_NAME_LEN) == 0;
	bool moves = !same && prefer_theirs(l, theirs);
	if (moves) {
		memcpy(l->scale, theirs->scale, WORKER_NAME_LEN);
		*shift_r = ahead_us;
	}
	if (moves || (same && ahead_us > 0))
		l->offset_us += ahead_us;
	/* Where they move to our scale, they do when they hear us. */
	l->synced = true;
	return moves;
}

void lamport_settle(struct lamport *l)
{
	l->synced = true;
}
