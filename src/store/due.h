/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages that are due to expire, and the lease that says which process looks after them, by ACT_EXPIRE: after
 * STORE_UNAVAILABLE a later look finds the message again, after STORE_UNKNOWN the relay tells others what there is to
 * tell. Two processes that do it at once do no harm, for nothing is done twice.
 */
#ifndef TIDINGS_STORE_DUE_H
#define TIDINGS_STORE_DUE_H

#include "core/base.h"
#include "store/store.h"

/* How long a lease lasts, by the database's clock. */
#define DUE_LEASE_MS 3000

/* A message, and when it expires. */
struct store_due {
	uint64_t id;
	int64_t at_ms;
};
enum due_lease { DUE_FREE, DUE_OURS, DUE_OTHERS };
struct store_dues {
	enum store_status status;
	enum due_lease lease;
	const struct store_due *item; /* the first of them first */
	size_t count;
};
typedef void store_dues_fn(const struct store_dues *r, void *arg);
/* Those after that one (all zeroes: all), `limit` at most; and whose the lease is. A read. */
void store_list_due(struct store *s, struct str holder, struct store_due after, unsigned limit, store_dues_fn *fn,
		    void *arg);
/* Takes the lease, or makes it longer: STORE_OK; STORE_TAKEN: another has it. `holder` is the caller's name, of up to
 * 64 characters. */
void store_take_due(struct store *s, struct str holder, store_count_fn *fn, void *arg);

#endif
