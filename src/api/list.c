/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides what all lists have in common, and nothing about their items. */
#include "core/base.h"
#include "api/list.h"

#include "api/render.h"

#include <inttypes.h>
#include <stdio.h>

#define LIMIT_MAX 100

/* ---- arguments ---- */

const struct problem *list_query_limit(struct request *r, unsigned fallback, unsigned *out_r)
{
	uint64_t limit;
	const struct problem *p = request_query_u64(r, "limit", 1, LIMIT_MAX, fallback, &limit);
	*out_r = (unsigned)limit;
	return p;
}

static const struct problem *bad_cursor(struct request *r, const char *name)
{
	return request_invalid(r, "%s: is not a cursor of this server", name);
}

const struct problem *list_parse_cursor(struct request *r, const char *name, struct str text,
					struct store_cursor *out_r)
{
	/* Beyond year 9999 the database has no times. */
	const uint64_t last_ms = UINT64_C(253402300799999);
	const char *dash = memchr(text.s, '-', text.len);
	uint64_t ms, id;
	if (dash == NULL || id_parse_u64((struct str){text.s, (size_t)(dash - text.s)}, &ms) != 0 || ms > last_ms ||
	    id_parse_u64((struct str){dash + 1, text.len - (size_t)(dash + 1 - text.s)}, &id) != 0)
		return bad_cursor(r, name);
	*out_r = (struct store_cursor){.ms = (int64_t)ms, .id = id};
	return NULL;
}

const struct problem *list_query_cursor(struct request *r, struct store_cursor *out_r)
{
	struct str text;
	*out_r = (struct store_cursor){0};
	const struct problem *p = request_query_text(r, "cursor", &text);
	return p != NULL || text.s == NULL ? p : list_parse_cursor(r, "cursor", text, out_r);
}

const struct problem *list_query_user_cursor(struct request *r, struct str *out_r)
{
	const struct problem *p = request_query_text(r, "cursor", out_r);
	return p != NULL || out_r->s == NULL || id_user_valid(*out_r) ? p : bad_cursor(r, "cursor");
}

/* ---- the answer ---- */

struct str list_cursor(char out[CURSOR_LEN], struct store_cursor c)
{
	snprintf(out, CURSOR_LEN, "%" PRId64 "-%" PRIu64, c.ms, c.id);
	return str_from(out);
}

struct str list_cursor_of_id(char out[CURSOR_LEN], uint64_t id)
{
	snprintf(out, CURSOR_LEN, "%" PRIu64, id);
	return str_from(out);
}

static void end_items(struct json_out *o, struct str next)
{
	json_array_end(o);
	json_put_str(o, "next_cursor", next);
}

struct json_out *list_begin(struct request *r, enum store_status s)
{
	if (s != STORE_OK) {
		request_fail_store(r, s);
		return NULL;
	}
	struct json_out *o = request_begin(r);
	json_key(o, "items");
	json_array(o);
	return o;
}

void list_end(struct request *r, struct str next)
{
	end_items(r->live->out, next);
	request_answer(r, 200);
}

void list_end_online(struct request *r, const struct online_slots *slots, struct str next)
{
	end_items(r->live->out, next);
	request_answer_online(r, 200, slots);
}
