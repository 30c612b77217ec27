/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator wants to know of a user: the profile, and what is said of the user as a whole (login.h). */
#ifndef TIDINGS_STORE_ACCOUNT_H
#define TIDINGS_STORE_ACCOUNT_H

#include "core/base.h"
#include "store/login.h"
#include "store/people.h"

struct store_account {
	enum store_status status;
	const struct store_user *user; /* with a profile that says so where there is no row in `users` */
	struct user_state state;
	uint64_t logins; /* live ones */
};
typedef void store_account_fn(const struct store_account *a, void *arg);
/* STORE_NOT_FOUND: neither a row in `users`, nor anything is said of the user. */
void store_find_account(struct store *s, struct str asker, struct str user, store_account_fn *fn, void *arg);

#endif
