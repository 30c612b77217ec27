/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages that are due to expire. One process has the lease (chore.h) and looks after them, by ACT_EXPIRE: after
 * STORE_UNAVAILABLE a later look finds the message again, after STORE_UNKNOWN the relay tells others what there is to
 * tell. Two processes that do it at once do no harm, for nothing is done twice.
 */
#ifndef TIDINGS_STORE_DUE_H
#define TIDINGS_STORE_DUE_H

#include "core/base.h"
#include "store/chore.h"
#include "store/store.h"

/* Its name (chore.h). */
#define DUE_CHORE "expiry"

/* A message, and when it expires. */
struct store_due {
	uint64_t id;
	int64_t at_ms;
};
struct store_dues {
	enum store_status status;
	enum chore_lease lease;
	const struct store_due *item; /* the first of them first */
	size_t count;
};
typedef void store_dues_fn(const struct store_dues *r, void *arg);
/* Those after that one (all zeroes: all), `limit` at most; and whose the lease is. A read. */
void store_list_due(struct store *s, struct str holder, struct store_due after, unsigned limit, store_dues_fn *fn,
		    void *arg);

#endif
