/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading JSON through yajl, into a tree. Decides what is refused beyond yajl's
 * own rules: invalid UTF-8, lone surrogates (yajl would replace them), vertical
 * tab and form feed as white space (yajl would skip them), depth, sheer size.
 * Must not interpret numbers: they stay as they were written.
 */
#include "core/base.h"
#include "core/json.h"

#include <stdio.h>
#include <stdlib.h>

#include <yajl/yajl_parse.h>

#include "core/log.h"
#include "core/utf8.h"

/* Keeps yajl's size arithmetic far from overflow; the limits of the configuration are much lower. */
#define MAX_TEXT_BYTES ((size_t)64 << 20)

/* Nodes and decoded strings lie in chunks that never move. */
#define CHUNK_MIN_BYTES ((size_t)16 << 10)
#define CHUNK_MAX_BYTES ((size_t)128 << 10)
#define KEEP_BYTES ((size_t)256 << 10)

struct chunk {
	struct chunk *next;
	size_t size, used;
	char data[];
};

struct frame {
	struct json *node; /* an array or object that is still open */
	struct json *last; /* its last child so far */
};

struct json_doc {
	struct chunk *chunks;
	struct chunk *current; /* the ones before it are full, the ones after it unused */

	yajl_handle yajl; /* NULL but during json_parse */
	struct str text;
	size_t pos;	/* where the last token ended */
	struct str key; /* of the next value, where it is an object's */
	struct json *root;
	struct frame stack[JSON_MAX_DEPTH];
	size_t depth;
	const char *refused; /* why a callback cancelled */
	char error[160];
};

static void *arena_alloc(struct json_doc *doc, size_t size, size_t align)
{
	struct chunk **at = doc->current != NULL ? &doc->current : &doc->chunks;
	size_t grown = CHUNK_MIN_BYTES;
	for (struct chunk *c = *at; c != NULL; at = &c->next, c = *at) {
		size_t start = (c->used + align - 1) & ~(align - 1);
		if (start <= c->size && size <= c->size - start) {
			c->used = start + size;
			doc->current = c;
			return c->data + start;
		}
		grown = c->size < CHUNK_MAX_BYTES / 2 ? c->size * 2 : CHUNK_MAX_BYTES;
	}
	struct chunk *c = xmalloc(sizeof(*c) + (size > grown ? size : grown));
	c->next = NULL;
	c->size = size > grown ? size : grown;
	c->used = size;
	*at = c;
	doc->current = c;
	return c->data;
}

/* Forgets everything, and gives back what a huge text left behind. */
static void arena_reset(struct json_doc *doc)
{
	size_t kept = 0;
	struct chunk **at = &doc->chunks, *c;
	while ((c = *at) != NULL) {
		c->used = 0;
		if (kept + c->size > KEEP_BYTES) {
			*at = c->next;
			free(c);
		} else {
			kept += c->size;
			at = &c->next;
		}
	}
	doc->current = NULL;
}

struct json_doc *json_doc_new(void)
{
	return xcalloc(1, sizeof(struct json_doc));
}

void json_doc_free(struct json_doc **doc)
{
	if (*doc == NULL)
		return;
	struct chunk *c = (*doc)->chunks;
	while (c != NULL) {
		struct chunk *next = c->next;
		free(c);
		c = next;
	}
	free(*doc);
	*doc = NULL;
}

static int refuse(struct json_doc *doc, const char *why)
{
	doc->refused = why;
	return 0;
}

/* Moves pos over what may stand between two tokens. */
static bool skip_between(struct json_doc *doc)
{
	for (; doc->pos < doc->text.len; doc->pos++) {
		switch (doc->text.s[doc->pos]) {
		case ' ':
		case '\t':
		case '\n':
		case '\r':
		case ',':
		case ':':
			break;
		case '\v':
		case '\f':
			return refuse(doc, "invalid white space") != 0;
		default:
			return true;
		}
	}
	return true;
}

static struct json *add_node(struct json_doc *doc, enum json_type type)
{
	struct json *v = arena_alloc(doc, sizeof(*v), _Alignof(struct json));
	*v = (struct json){.type = type};
	if (doc->depth == 0) {
		doc->root = v;
		return v;
	}
	struct frame *f = &doc->stack[doc->depth - 1];
	if (f->node->type == JSON_OBJECT)
		v->key = doc->key;
	if (f->last == NULL)
		f->node->child = v;
	else
		f->last->next = v;
	f->last = v;
	f->node->count++;
	return v;
}

/* A value whose token is `len` bytes long. NULL: refused. */
static struct json *add_scalar(struct json_doc *doc, enum json_type type, size_t len)
{
	if (!skip_between(doc))
		return NULL;
	struct json *v = add_node(doc, type);
	v->raw = (struct str){doc->text.s + doc->pos, len};
	doc->pos += len;
	return v;
}

static struct str keep(struct json_doc *doc, const char *s, size_t len)
{
	char *copy = arena_alloc(doc, len, 1);
	if (len != 0)
		memcpy(copy, s, len);
	return (struct str){copy, len};
}

static unsigned hex4(const char *s)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++)
		v = v << 4 | (unsigned)((s[i] & 15) + (s[i] > '9' ? 9 : 0));
	return v;
}

/* Whether each surrogate escape of a string that yajl took has its other half. */
static bool surrogates_paired(struct str raw)
{
	bool want_low = false;
	for (size_t i = 0; i < raw.len;) {
		if (raw.s[i] != '\\') {
			if (want_low)
				return false;
			i++;
			continue;
		}
		bool is_unicode = raw.s[i + 1] == 'u';
		unsigned unit = is_unicode ? hex4(raw.s + i + 2) & 0xFC00 : 0;
		if (want_low != (unit == 0xDC00))
			return false;
		want_low = unit == 0xD800;
		i += is_unicode ? 6 : 2;
	}
	return !want_low;
}

/*
 * The text between the quotes of the string token that yajl decoded just now; the
 * token with its quotes in *token_r.
 */
static bool take_string(struct json_doc *doc, const unsigned char *s, size_t len, struct str *token_r,
			struct str *text_r)
{
	if (!skip_between(doc))
		return false;
	size_t end = yajl_get_bytes_consumed(doc->yajl);
	*token_r = (struct str){doc->text.s + doc->pos, end - doc->pos};
	doc->pos = end;
	/* Every escape is longer than what it stands for. */
	bool has_escapes = token_r->len - 2 != len;
	if (has_escapes) {
		if (!surrogates_paired((struct str){token_r->s + 1, token_r->len - 2}))
			return refuse(doc, "lone surrogate escape") != 0;
		if (memchr(s, 0, len) != NULL) {
			for (size_t i = 0; i < doc->depth; i++)
				doc->stack[i].node->has_nul = true;
		}
	}
	*text_r = keep(doc, (const char *)s, len);
	return true;
}

static int on_null(void *ctx)
{
	return add_scalar(ctx, JSON_NULL, 4) != NULL;
}

static int on_boolean(void *ctx, int b)
{
	struct json *v = add_scalar(ctx, JSON_BOOL, b ? 4 : 5);
	if (v == NULL)
		return 0;
	v->boolean = b != 0;
	return 1;
}

static int on_number(void *ctx, const char *s, size_t len)
{
	/* s may lie in yajl's memory: a number that ends the text is known to end only with the text. */
	struct json *v = add_scalar(ctx, JSON_NUMBER, len);
	if (v == NULL)
		return 0;
	v->text = v->raw;
	return 1;
}

static int on_string(void *ctx, const unsigned char *s, size_t len)
{
	struct json_doc *doc = ctx;
	struct str token, text;
	if (!take_string(doc, s, len, &token, &text))
		return 0;
	struct json *v = add_node(doc, JSON_STRING);
	v->raw = token;
	v->text = text;
	v->has_nul = memchr(text.s, 0, text.len) != NULL;
	return 1;
}

static int on_key(void *ctx, const unsigned char *s, size_t len)
{
	struct json_doc *doc = ctx;
	struct str token;
	return take_string(doc, s, len, &token, &doc->key);
}

static int container_start(struct json_doc *doc, enum json_type type)
{
	if (doc->depth == JSON_MAX_DEPTH)
		return refuse(doc, "nested too deeply");
	struct json *v = add_scalar(doc, type, 1);
	if (v == NULL)
		return 0;
	doc->stack[doc->depth++] = (struct frame){.node = v};
	return 1;
}

static int container_end(struct json_doc *doc)
{
	if (!skip_between(doc))
		return 0;
	doc->pos++;
	struct json *v = doc->stack[--doc->depth].node;
	v->raw.len = (size_t)(doc->text.s + doc->pos - v->raw.s);
	return 1;
}

static int on_object(void *ctx)
{
	return container_start(ctx, JSON_OBJECT);
}

static int on_array(void *ctx)
{
	return container_start(ctx, JSON_ARRAY);
}

static int on_end(void *ctx)
{
	return container_end(ctx);
}

static void *yajl_xmalloc(void *ctx, size_t size)
{
	return xmalloc(size);
}

static void *yajl_xrealloc(void *ctx, void *ptr, size_t size)
{
	return xrealloc(ptr, size);
}

static void yajl_xfree(void *ctx, void *ptr)
{
	free(ptr);
}

static bool run_yajl(struct json_doc *doc)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null,
		.yajl_boolean = on_boolean,
		.yajl_number = on_number,
		.yajl_string = on_string,
		.yajl_start_map = on_object,
		.yajl_map_key = on_key,
		.yajl_end_map = on_end,
		.yajl_start_array = on_array,
		.yajl_end_array = on_end,
	};
	/* yajl does not check what its allocator returns. */
	static yajl_alloc_funcs allocator = {yajl_xmalloc, yajl_xrealloc, yajl_xfree, NULL};

	const unsigned char *text = (const unsigned char *)doc->text.s;
	doc->yajl = yajl_alloc(&callbacks, &allocator, doc);
	/* Done before, and more strictly. */
	yajl_config(doc->yajl, yajl_dont_validate_strings, 1);
	yajl_status status = yajl_parse(doc->yajl, text, doc->text.len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(doc->yajl);
	if (status == yajl_status_error) {
		unsigned char *message = yajl_get_error(doc->yajl, 0, text, doc->text.len);
		int len = (int)strcspn((char *)message, "\n");
		snprintf(doc->error, sizeof(doc->error), "%.*s, after byte %zu", len, (char *)message, doc->pos);
		yajl_free_error(doc->yajl, message);
	}
	yajl_free(doc->yajl);
	doc->yajl = NULL;
	return status == yajl_status_ok;
}

const struct json *json_parse(struct json_doc *doc, struct str text, const char **err_r)
{
	arena_reset(doc);
	doc->text = text;
	doc->pos = doc->depth = 0;
	doc->root = NULL;
	doc->refused = NULL;

	*err_r = doc->error;
	if (text.len == 0)
		refuse(doc, "empty text");
	else if (text.len > MAX_TEXT_BYTES)
		refuse(doc, "text too long");
	else if (!utf8_valid(text.s, text.len))
		refuse(doc, "invalid UTF-8");
	else if (run_yajl(doc) && skip_between(doc))
		return doc->root;
	if (doc->refused != NULL)
		*err_r = doc->refused;
	return NULL;
}

const struct json *json_get(const struct json *obj, const char *name)
{
	const struct json *found = NULL;
	if (obj == NULL || obj->type != JSON_OBJECT)
		return NULL;
	size_t len = strlen(name);
	for (const struct json *v = obj->child; v != NULL; v = v->next) {
		if (v->key.len == len && memcmp(v->key.s, name, len) == 0)
			found = v;
	}
	return found;
}

int json_int(const struct json *v, int64_t *out_r)
{
	if (v == NULL || v->type != JSON_NUMBER)
		return -1;
	bool negative = v->text.s[0] == '-';
	int64_t sum = 0;
	for (size_t i = negative; i < v->text.len; i++) {
		char c = v->text.s[i];
		if (c < '0' || c > '9')
			return -1;
		int digit = negative ? '0' - c : c - '0';
		if (__builtin_mul_overflow(sum, INT64_C(10), &sum) || __builtin_add_overflow(sum, digit, &sum))
			return -1;
	}
	*out_r = sum;
	return 0;
}

int json_count(const struct json *v, uint64_t *out_r)
{
	if (v == NULL || v->type != JSON_NUMBER)
		return -1;
	uint64_t sum = 0;
	bool over = false;
	for (size_t i = 0; i < v->text.len; i++) {
		char c = v->text.s[i];
		if (c < '0' || c > '9')
			return -1;
		over |= __builtin_mul_overflow(sum, UINT64_C(10), &sum) ||
			__builtin_add_overflow(sum, (uint64_t)(c - '0'), &sum);
	}
	*out_r = over ? UINT64_MAX : sum;
	return 0;
}

void json_minify(struct str raw, struct buf *out)
{
	char *start = buf_reserve(out, raw.len), *to = start;
	bool in_string = false;
	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.s[i];
		if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
			continue;
		*to++ = c;
		if (c == '"')
			in_string = !in_string;
		else if (c == '\\' && i + 1 < raw.len)
			*to++ = raw.s[++i];
	}
	out->len += (size_t)(to - start);
}
