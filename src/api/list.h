/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists that are answered page by page: the parameters limit and cursor, and the answer {"items", "next_cursor"}. */
#ifndef TIDINGS_API_LIST_H
#define TIDINGS_API_LIST_H

#include "core/base.h"
#include "api/request.h"

/* Reading arguments: NULL, or what is wrong, as those of request.h. */

/* The parameter limit, from 1 to 100. */
const struct problem *list_query_limit(struct request *r, unsigned fallback, unsigned *out_r) MUST_CHECK;
/* The parameter cursor: all zeroes where it is not given. */
const struct problem *list_query_cursor(struct request *r, struct store_cursor *out_r) MUST_CHECK;
/* That of a list in order of user id; absent where it is not given. */
const struct problem *list_query_user_cursor(struct request *r, struct str *out_r) MUST_CHECK;
/* A cursor that came as the argument `name`. */
const struct problem *list_parse_cursor(struct request *r, const char *name, struct str text,
					struct store_cursor *out_r) MUST_CHECK;

/* What follows the last item, as a cursor for list_end(). */
#define CURSOR_LEN 48
struct str list_cursor(char out[CURSOR_LEN], struct store_cursor c);
struct str list_cursor_of_id(char out[CURSOR_LEN], uint64_t id);

/* Begins the answer, up to where the items are written; NULL where they could not be read, which is the answer then. */
struct json_out *list_begin(struct request *r, enum store_status s);
/* Ends the request. `next`: absent on the last page. */
void list_end(struct request *r, struct str next);
/* The same where items say who is online, in these slots of request_slots(). */
void list_end_online(struct request *r, const struct online_slots *slots, struct str next);

#endif
