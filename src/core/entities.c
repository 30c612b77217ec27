/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "core/entities.h"

#include <stdlib.h>

#include "core/id.h"
#include "core/url.h"
#include "core/utf8.h"

#define LANGUAGE_MAX 64

struct entity_type {
	const char *name;
	const char *member; /* what it has beside its place, or NULL */
	const char *(*fault)(const struct json *v);
};

struct entity {
	const struct entity_type *type;
	uint64_t from, to; /* to: behind its last unit */
	struct str member; /* absent: it has none */
};

/* ---- types ---- */

static const char *language_fault(const struct json *v)
{
	if (v == NULL)
		return NULL;
	bool fine = v->type == JSON_STRING && v->text.len >= 1 && v->text.len <= LANGUAGE_MAX &&
		    !utf8_has_control(v->text, false);
	return fine ? NULL : "language must be a string of 1 to 64 bytes without control characters";
}

static const char *url_fault(const struct json *v)
{
	bool fine = v != NULL && v->type == JSON_STRING && v->text.len <= URL_MAX && url_is_link(v->text);
	return fine ? NULL : "url must be an http, https or mailto URL of up to 2048 bytes";
}

static const char *user_fault(const struct json *v)
{
	bool fine = v != NULL && v->type == JSON_STRING && id_user_valid(v->text);
	return fine ? NULL : "user_id must be " USER_ID_RULE;
}

static const struct entity_type types[] = {
	{"bold", NULL, NULL},
	{"italic", NULL, NULL},
	{"underline", NULL, NULL},
	{"strikethrough", NULL, NULL},
	{"spoiler", NULL, NULL},
	{"code", NULL, NULL},
	{"pre", "language", language_fault},
	{"quote", NULL, NULL},
	{"link", "url", url_fault},
	{"mention", "user_id", user_fault},
};

static const struct entity_type *type_of(const struct json *v)
{
	for (size_t i = 0; v != NULL && v->type == JSON_STRING && i < ARRAY_LEN(types); i++)
		if (str_is(v->text, types[i].name))
			return &types[i];
	return NULL;
}

/* ---- the text ---- */

/* Which units are the second of a pair, a bit each. */
struct units {
	size_t count;
	unsigned char *second;
};

static struct units units_of(struct str text)
{
	/* No text has more units than bytes. */
	struct units u = {.second = xcalloc(1, text.len / 8 + 1)};
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.s[i];
		if ((c & 0xc0) == 0x80)
			continue;
		u.count++;
		if (c >= 0xf0) {
			u.second[u.count / 8] |= (unsigned char)(1u << u.count % 8);
			u.count++;
		}
	}
	return u;
}

static bool is_inside_pair(const struct units *u, uint64_t at)
{
	return at < u->count && (u->second[at / 8] >> at % 8 & 1) != 0;
}

/* ---- reading ---- */

static const char *take(const struct json *v, const struct units *u, struct entity *out)
{
	int64_t offset, length;
	if (v->type != JSON_OBJECT)
		return "must be an object";
	out->type = type_of(json_get(v, "type"));
	if (out->type == NULL)
		return "type must be bold, italic, underline, strikethrough, spoiler, code, pre, quote, link or "
		       "mention";
	if (json_int(json_get(v, "offset"), &offset) != 0 || offset < 0)
		return "offset must be a whole number from 0 on";
	if (json_int(json_get(v, "length"), &length) != 0 || length < 1)
		return "length must be a whole number from 1 on";
	if ((uint64_t)offset > u->count || (uint64_t)length > u->count - (uint64_t)offset)
		return "is not within content, counted in UTF-16 code units";
	out->from = (uint64_t)offset;
	out->to = out->from + (uint64_t)length;
	if (is_inside_pair(u, out->from) || is_inside_pair(u, out->to))
		return "begins or ends inside a surrogate pair";
	out->member = STR_NULL;
	if (out->type->member == NULL)
		return NULL;
	const struct json *member = json_get(v, out->type->member);
	if (member != NULL && member->type == JSON_NULL)
		member = NULL;
	const char *fault = out->type->fault(member);
	if (fault == NULL && member != NULL)
		out->member = member->text;
	return fault;
}

/* With those before it, which are sorted. */
static const char *order_fault(const struct entity *before, size_t n, const struct entity *e)
{
	if (n != 0 && before[n - 1].from > e->from)
		return "has a smaller offset than the one before";
	for (size_t i = 0; i < n; i++)
		if (before[i].from < e->from && e->from < before[i].to && before[i].to < e->to)
			return "overlaps an earlier one, and neither contains the other";
	return NULL;
}

static void put(struct json_out *o, const struct entity *e)
{
	json_object(o);
	json_put_cstr(o, "type", e->type->name);
	json_put_u64(o, "offset", e->from);
	json_put_u64(o, "length", (e->to - e->from));
	if (e->member.s != NULL) {
		json_key(o, e->type->member);
		json_str(o, e->member);
	}
	json_object_end(o);
}

const char *entities_put(const struct json *list, struct str content, struct json_out *o, struct buf *out, size_t *at_r)
{
	struct entity entity[ENTITIES_MAX];
	const char *fault = NULL;
	size_t n = 0, start = out->len;
	*at_r = SIZE_MAX;
	if (list->type != JSON_ARRAY || list->count > ENTITIES_MAX)
		return "must be an array of up to 100 entities";
	struct units units = units_of(content);
	for (const struct json *v = list->child; v != NULL && fault == NULL; v = v->next, n++) {
		*at_r = n;
		fault = take(v, &units, &entity[n]) ?: order_fault(entity, n, &entity[n]);
	}
	free(units.second);
	if (fault != NULL)
		return fault;
	json_begin(o, out);
	json_array(o);
	for (size_t i = 0; i < n; i++)
		put(o, &entity[i]);
	json_array_end(o);
	if (out->len - start <= ENTITIES_BYTES_MAX)
		return NULL;
	out->len = start;
	*at_r = SIZE_MAX;
	return "take over 16384 bytes of JSON";
}

/* ---- another text ---- */

/* Where each unit begins, and where the text ends; the second one of a pair begins where the first one does. */
static uint32_t *places_of(struct str text, size_t *count_r)
{
	uint32_t *at = xmalloc((text.len + 2) * sizeof(*at));
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.s[i];
		if ((c & 0xc0) == 0x80)
			continue;
		at[n++] = (uint32_t)i;
		if (c >= 0xf0)
			at[n++] = (uint32_t)i;
	}
	at[n] = (uint32_t)text.len;
	*count_r = n;
	return at;
}

void entities_put_fitting(struct json_doc *doc, struct str entities, struct str before, struct str after,
			  struct json_out *o, struct buf *out)
{
	const char *fault;
	const struct json *list = entities.s != NULL ? json_parse(doc, entities, &fault) : NULL;
	size_t before_count, after_count, start = out->len, n = 0;
	if (list == NULL)
		return;
	struct units units = units_of(after);
	uint32_t *was = places_of(before, &before_count), *is = places_of(after, &after_count);
	json_begin(o, out);
	json_array(o);
	for (const struct json *v = list->child; v != NULL; v = v->next) {
		struct entity e;
		if (take(v, &units, &e) != NULL || e.to > before_count)
			continue;
		size_t len = is[e.to] - is[e.from];
		if (was[e.to] - was[e.from] != len || memcmp(before.s + was[e.from], after.s + is[e.from], len) != 0)
			continue;
		put(o, &e);
		n++;
	}
	json_array_end(o);
	if (n == 0)
		out->len = start;
	free(units.second);
	free(was);
	free(is);
}
