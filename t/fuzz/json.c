/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes: refused with a reason, or a tree whose raw parts say the same when
 * they are read again, minified, or written anew.
 */
#include "core/base.h"

#include <stdlib.h>

#include "core/json.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct json_doc *first, *second;
static struct json_out *out;

static void must(bool cond)
{
	if (!cond)
		abort();
}

/* raw_too: both come from texts that were written alike. */
static void same(const struct json *a, const struct json *b, bool raw_too)
{
	must(a != NULL && b != NULL && a->type == b->type && a->boolean == b->boolean && a->has_nul == b->has_nul);
	must(str_equal(a->text, b->text) && a->count == b->count);
	must(!raw_too || str_equal(a->raw, b->raw));
	const struct json *x = a->child, *y = b->child;
	size_t count = 0;
	for (; x != NULL && y != NULL; x = x->next, y = y->next, count++) {
		must(str_equal(x->key, y->key));
		must(x->raw.s > a->raw.s && x->raw.s + x->raw.len < a->raw.s + a->raw.len);
		same(x, y, raw_too);
	}
	must(x == NULL && y == NULL && count == a->count);
}

static void write_tree(const struct json *v)
{
	if (v->type == JSON_OBJECT || v->type == JSON_ARRAY) {
		(v->type == JSON_OBJECT ? json_object : json_array)(out);
		for (const struct json *m = v->child; m != NULL; m = m->next) {
			if (v->type == JSON_OBJECT) {
				char *key = xstrndup(m->key.s, m->key.len);
				json_key(out, key);
				free(key);
			}
			write_tree(m);
		}
		(v->type == JSON_OBJECT ? json_object_end : json_array_end)(out);
	} else if (v->type == JSON_STRING) {
		json_str(out, v->text);
	} else {
		json_raw(out, v->raw);
	}
}

/* json_key takes no name with a NUL. */
static bool has_nul_in_key(const struct json *v)
{
	for (const struct json *m = v->child; m != NULL; m = m->next) {
		if ((m->key.s != NULL && memchr(m->key.s, 0, m->key.len) != NULL) || has_nul_in_key(m))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct buf b;
	const char *err = NULL;
	if (first == NULL) {
		first = json_doc_new();
		second = json_doc_new();
		out = json_out_new();
	}
	const struct json *v = json_parse(first, (struct str){(const char *)data, len}, &err);
	if (v == NULL) {
		must(err != NULL && err[0] != '\0' && strchr(err, '\n') == NULL && utf8_valid(err, strlen(err)));
		return 0;
	}
	same(v, json_parse(second, v->raw, &err), true);
	buf_clear(&b);
	json_minify(v->raw, &b);
	same(v, json_parse(second, (struct str){b.data, b.len}, &err), false);
	if (!has_nul_in_key(v)) {
		buf_clear(&b);
		json_begin(out, &b);
		write_tree(v);
		same(v, json_parse(second, (struct str){b.data, b.len}, &err), false);
	}
	return 0;
}
