/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing JSON through yajl, straight into the caller's buffer. Keeps count of
 * what is open, for yajl itself would let an object end after a key.
 */
#include "core/base.h"
#include "core/json.h"

#include <stdlib.h>

#include <yajl/yajl_gen.h>

#include "core/clock.h"
#include "core/log.h"

#define MAX_OPEN 64

struct json_out {
	yajl_gen gen;
	struct buf *to;	    /* NULL before json_begin */
	unsigned depth;	    /* open objects and arrays */
	uint64_t is_object; /* a bit for each of them, the outermost lowest */
	bool has_key;	    /* a key waits for its value */
};

static void append(void *ctx, const char *s, size_t len)
{
	struct json_out *o = ctx;
	buf_append(o->to, s, len);
}

struct json_out *json_out_new(void)
{
	struct json_out *o = xcalloc(1, sizeof(*o));
	o->gen = yajl_gen_alloc(NULL);
	ASSERT(o->gen != NULL);
	yajl_gen_config(o->gen, yajl_gen_print_callback, append, o);
	return o;
}

void json_out_free(struct json_out **o)
{
	if (*o == NULL)
		return;
	yajl_gen_free((*o)->gen);
	free(*o);
	*o = NULL;
}

void json_begin(struct json_out *o, struct buf *to)
{
	o->to = to;
	o->depth = 0;
	o->is_object = 0;
	o->has_key = false;
	yajl_gen_reset(o->gen, NULL);
}

static void check(yajl_gen_status status)
{
	ASSERT(status == yajl_gen_status_ok);
}

static bool in_object(const struct json_out *o)
{
	return o->depth != 0 && (o->is_object >> (o->depth - 1) & 1) != 0;
}

static void before_value(struct json_out *o)
{
	ASSERT(o->to != NULL && o->has_key == in_object(o));
	o->has_key = false;
}

static void open_container(struct json_out *o, bool object)
{
	before_value(o);
	ASSERT(o->depth < MAX_OPEN);
	uint64_t bit = UINT64_C(1) << o->depth++;
	o->is_object = object ? o->is_object | bit : o->is_object & ~bit;
}

void json_object(struct json_out *o)
{
	open_container(o, true);
	check(yajl_gen_map_open(o->gen));
}

void json_object_end(struct json_out *o)
{
	ASSERT(in_object(o) && !o->has_key);
	o->depth--;
	check(yajl_gen_map_close(o->gen));
}

void json_array(struct json_out *o)
{
	open_container(o, false);
	check(yajl_gen_array_open(o->gen));
}

void json_array_end(struct json_out *o)
{
	ASSERT(o->depth != 0 && !in_object(o));
	o->depth--;
	check(yajl_gen_array_close(o->gen));
}

void json_key(struct json_out *o, const char *name)
{
	ASSERT(in_object(o) && !o->has_key);
	o->has_key = true;
	check(yajl_gen_string(o->gen, (const unsigned char *)name, strlen(name)));
}

void json_str(struct json_out *o, struct str s)
{
	if (s.s == NULL) {
		json_null(o);
		return;
	}
	before_value(o);
	check(yajl_gen_string(o->gen, (const unsigned char *)s.s, s.len));
}

size_t json_str_size(struct str s)
{
	if (s.s == NULL)
		return sizeof("null") - 1;
	size_t size = s.len + 2;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.s[i];
		if (c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f')
			size += 1;
		else if (c < ' ')
			size += sizeof("\\u0000") - 2;
	}
	return size;
}

void json_cstr(struct json_out *o, const char *s)
{
	json_str(o, str_from(s));
}

void json_i64(struct json_out *o, int64_t v)
{
	before_value(o);
	check(yajl_gen_integer(o->gen, v));
}

void json_id(struct json_out *o, uint64_t id)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + id % 10);
		id /= 10;
	} while (id != 0);
	json_str(o, (struct str){digits + at, sizeof(digits) - at});
}

void json_time(struct json_out *o, int64_t ms)
{
	if (ms == 0) {
		json_null(o);
		return;
	}
	char text[CLOCK_RFC3339_LEN + 1];
	clock_format_rfc3339(text, ms);
	json_str(o, (struct str){text, CLOCK_RFC3339_LEN});
}

void json_bool(struct json_out *o, bool v)
{
	before_value(o);
	check(yajl_gen_bool(o->gen, v));
}

void json_null(struct json_out *o)
{
	before_value(o);
	check(yajl_gen_null(o->gen));
}

void json_raw(struct json_out *o, struct str raw)
{
	if (raw.s == NULL) {
		json_null(o);
		return;
	}
	before_value(o);
	/* yajl prints a number as it is given. */
	check(yajl_gen_number(o->gen, raw.s, raw.len));
}

void json_put_str(struct json_out *o, const char *name, struct str s)
{
	json_key(o, name);
	json_str(o, s);
}

void json_put_cstr(struct json_out *o, const char *name, const char *s)
{
	json_key(o, name);
	json_cstr(o, s);
}

void json_put_u64(struct json_out *o, const char *name, uint64_t v)
{
	json_key(o, name);
	json_i64(o, (int64_t)v);
}

void json_put_id(struct json_out *o, const char *name, uint64_t id)
{
	json_key(o, name);
	json_id(o, id);
}

void json_put_time(struct json_out *o, const char *name, int64_t ms)
{
	json_key(o, name);
	json_time(o, ms);
}

void json_put_bool(struct json_out *o, const char *name, bool v)
{
	json_key(o, name);
	json_bool(o, v);
}
