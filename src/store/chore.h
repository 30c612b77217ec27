/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lease that says which process of the cluster does a chore: work that no user waits for. A lease ends by the
 * database's clock, so that a process that has died, or was stopped, is succeeded soon. For a moment two may have it: a
 * chore has to be one that does no harm when it is done twice.
 */
#ifndef TIDINGS_STORE_CHORE_H
#define TIDINGS_STORE_CHORE_H

#include "core/base.h"
#include "store/row.h"
#include "store/store.h"

/* How long a lease lasts, by the database's clock. */
#define CHORE_LEASE_MS 3000

enum chore_lease { CHORE_FREE, CHORE_OURS, CHORE_OTHERS };

/* Takes the lease of that name, or makes it longer: STORE_OK; STORE_TAKEN: another has it. `holder` is the caller's name,
 * of up to 64 characters. */
void store_take_chore(struct store *s, const char *name, struct str holder, store_count_fn *fn, void *arg);

/* In a read: a SELECT of one row at most, and what it says; CHORE_FREE without a row. */
void chore_put_lease(struct buf *text, const char *name, struct str holder);
enum chore_lease chore_take_lease(struct row *row);

#endif
