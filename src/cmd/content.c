/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "cmd/content.h"

#include "core/entities.h"

/* Up to a year. */
#define EXPIRES_MIN_SECS 5
#define EXPIRES_MAX_SECS 31536000

const struct problem *content_text_check(struct request *r, const char *name, struct str *text_r)
{
	size_t max = (size_t)r->live->conf->message.max_content;
	size_t json_max = (size_t)conf_content_json_max(r->live->conf);
	const struct json *written = json_get(r->body, name);
	const struct problem *p = request_text(r, name, text_r);
	if (p != NULL || text_r->s == NULL)
		return p;
	if (text_r->len > max)
		return request_invalid(r, "%s: is over %zu bytes of UTF-8", name, max);
	/* Between its quotation marks, so that escapes of six bytes do not spoil a limit in whole characters. */
	if (written->raw.len - 2 > json_max)
		return request_invalid(r, "%s: takes over %zu bytes of JSON, its escapes included", name, json_max);
	return NULL;
}

static const struct problem *check_mentions(struct request *r, struct mention_list *out)
{
	const struct json *list = json_get(r->body, "mentions");
	*out = (struct mention_list){0};
	if (list == NULL || list->type == JSON_NULL || (list->type == JSON_ARRAY && list->count == 0))
		return NULL;
	if (list->type == JSON_STRING && str_is(list->text, "*")) {
		out->all = true;
		return NULL;
	}
	if (list->type != JSON_ARRAY || list->count > STORE_MENTIONS_MAX)
		return request_invalid(r, "mentions: must be an array of up to %d user ids, or [\"*\"]",
				       STORE_MENTIONS_MAX);
	struct str *mention = arena_alloc(&r->arena, list->count * sizeof(*mention));
	size_t at = 0;
	out->user = mention;
	for (const struct json *v = list->child; v != NULL; v = v->next, at++) {
		if (v->type == JSON_STRING && str_is(v->text, "*")) {
			out->all = true;
		} else if (v->type == JSON_STRING && id_user_valid(v->text)) {
			mention[out->count++] = v->text;
		} else {
			return request_invalid(r, "mentions[%zu]: must be * or " USER_ID_RULE, at);
		}
	}
	/* Who is named beside everyone is named twice. */
	if (out->all)
		out->count = 0;
	return NULL;
}

const struct problem *content_marks_check(struct request *r, struct content *c)
{
	return request_entities(r, c->text, &c->entities) ?: check_mentions(r, &c->mentions);
}

const struct problem *content_expiry_check(struct request *r, bool *given_r, uint64_t *secs_r)
{
	const struct json *v = json_get(r->body, "expires_in");
	*given_r = v != NULL;
	*secs_r = 0;
	if (v == NULL || v->type == JSON_NULL)
		return NULL;
	if (json_count(v, secs_r) != 0 || *secs_r < EXPIRES_MIN_SECS || *secs_r > EXPIRES_MAX_SECS)
		return request_invalid(r, "expires_in: must be a whole number of seconds from %d to %d",
				       EXPIRES_MIN_SECS, EXPIRES_MAX_SECS);
	return NULL;
}

struct str content_entities_fitting(struct request *r, struct str entities, struct str before, struct str after)
{
	struct buf *out = &r->live->scratch;
	buf_clear(out);
	entities_put_fitting(r->api->doc, entities, before, after, r->live->out, out);
	return out->len != 0 ? arena_str(&r->arena, (struct str){out->data, out->len}) : STR_NULL;
}

struct str content_mentions_text(struct request *r, const struct mention_list *list)
{
	struct buf *out = &r->live->scratch;
	struct json_out *o = r->live->out;
	if (!list->all && list->count == 0)
		return STR_NULL;
	buf_clear(out);
	json_begin(o, out);
	json_array(o);
	if (list->all)
		json_str(o, MENTION_EVERYONE);
	for (size_t i = 0; i < list->count; i++)
		json_str(o, list->user[i]);
	json_array_end(o);
	return arena_str(&r->arena, (struct str){out->data, out->len});
}
