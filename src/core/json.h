/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON (RFC 8259), read and written through yajl; the only door to it.
 *
 * Reading makes a tree of nodes that lives in the document's own memory, which is
 * kept for the next text: a worker has one document and parses into it again and
 * again. Nodes are borrowed until the next json_parse of that document.
 */
#ifndef TIDINGS_CORE_JSON_H
#define TIDINGS_CORE_JSON_H

#include "core/base.h"
#include "core/buf.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	bool boolean;	 /* JSON_BOOL */
	bool has_nul;	 /* JSON_STRING: contains U+0000; also set on every array and object around it or such a name */
	struct str key;	 /* the decoded member name, where the parent is an object; else absent */
	struct str text; /* JSON_STRING: decoded, the document's; JSON_NUMBER: as written, borrowed from the input */
	struct str raw;	 /* the value as it stands in the input (borrowed from it), white space inside included */
	size_t count;	 /* members or elements */
	const struct json *child; /* the first member or element */
	const struct json *next;  /* the next one of the same parent */
};

struct json_doc;

struct json_doc *json_doc_new(void);
void json_doc_free(struct json_doc **doc);

#define JSON_MAX_DEPTH 32

/*
 * Parses exactly one JSON value. Invalid UTF-8, a lone surrogate escape, more than
 * JSON_MAX_DEPTH levels and anything after the value are refused. Returns NULL
 * with a one-line reason in *err_r (borrowed until the next call), which holds no
 * part of the text. `text` has to outlive the use of the nodes.
 */
const struct json *json_parse(struct json_doc *doc, struct str text, const char **err_r) MUST_CHECK;

/* The member of that name (the last one, if repeated) or NULL; also NULL when obj is no object. */
const struct json *json_get(const struct json *obj, const char *name);
/* A whole number in int64 range, written without fraction or exponent. */
int json_int(const struct json *v, int64_t *out_r) MUST_CHECK;
/* A whole number from 0 on, of any size: one over UINT64_MAX is that. */
int json_count(const struct json *v, uint64_t *out_r) MUST_CHECK;
/* Appends the value without insignificant white space; escapes, numbers and order stay as they were written. */
void json_minify(struct str raw, struct buf *out);

/*
 * Writing: appends to a buffer. Structure is the caller's duty (an object's members
 * are key, value, key, value); a mistake there is a broken invariant and aborts.
 */
struct json_out;
/* One writer a worker; begin binds it to a buffer and starts a fresh value. */
struct json_out *json_out_new(void);
void json_out_free(struct json_out **o);
void json_begin(struct json_out *o, struct buf *to);
void json_object(struct json_out *o);
void json_object_end(struct json_out *o);
void json_array(struct json_out *o);
void json_array_end(struct json_out *o);
void json_key(struct json_out *o, const char *name);
/* The text must be valid UTF-8. An absent str is null. */
void json_str(struct json_out *o, struct str s);
/* How many bytes json_str() writes for it. */
size_t json_str_size(struct str s);
void json_cstr(struct json_out *o, const char *s);
void json_i64(struct json_out *o, int64_t v);
/* A 64-bit id as a string of digits (contract, section 1). */
void json_id(struct json_out *o, uint64_t id);
/* RFC 3339; 0 is null. */
void json_time(struct json_out *o, int64_t ms);
void json_bool(struct json_out *o, bool v);
void json_null(struct json_out *o);
/* A value that is JSON already. An absent str is null. */
void json_raw(struct json_out *o, struct str raw);
/* A member: json_key() and its value. */
void json_put_str(struct json_out *o, const char *name, struct str s);
void json_put_cstr(struct json_out *o, const char *name, const char *s);
void json_put_u64(struct json_out *o, const char *name, uint64_t v); /* a number */
void json_put_id(struct json_out *o, const char *name, uint64_t id);
void json_put_time(struct json_out *o, const char *name, int64_t ms);
void json_put_bool(struct json_out *o, const char *name, bool v);

#endif
