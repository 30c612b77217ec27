/* SPDX-License-Identifier: BSD-2-Clause */
/* What finding users takes and answers, for users and for administrators. */
#ifndef TIDINGS_CMD_DIRECTORY_H
#define TIDINGS_CMD_DIRECTORY_H

#include "core/base.h"
#include "api/request.h"
#include "store/people.h"

/* query, limit and cursor; ask->by_operator is set: then the query can be left out. */
const struct problem *directory_check(struct request *r, struct store_directory_ask *ask);
/* The end of a list that was begun. */
void directory_end(struct request *r, const struct store_directory *found);

#endif
