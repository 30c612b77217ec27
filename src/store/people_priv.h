/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files behind people.h share: a profile's columns. */
#ifndef TIDINGS_STORE_PEOPLE_PRIV_H
#define TIDINGS_STORE_PEOPLE_PRIV_H

#include "core/base.h"
#include "store/arena.h"
#include "store/people.h"
#include "store/row.h"

/* The columns that row_take_profile reads, of users AS u, which may be the outer side of a join. */
#define PROFILE_COLUMNS "u.id,u.nickname,u.avatar_url,u.created_at"
/* `user_id` is whose it is, for there may be no row. Strings are copied into the arena. */
void row_take_profile(struct row *r, struct arena *a, struct str user_id, struct profile *out);
/* One that has no row. */
void profile_unknown(struct profile *out, struct str user_id);

/* The columns of a whole user, of users AS u, which row_take_user_row() reads. */
#define USER_COLUMNS PROFILE_COLUMNS ",u.password_hash,u.last_seen"
void row_take_user_row(struct row *row, struct arena *a, struct str user, struct profile *profile,
		       struct store_user *out);

#endif
