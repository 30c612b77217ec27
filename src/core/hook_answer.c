/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "core/hook_answer.h"

#include <stdlib.h>

#include "core/utf8.h"

static const char *const action_names[] = {
	[HOOK_ALLOW] = "allow",
	[HOOK_REFUSE] = "refuse",
	[HOOK_REPLACE] = "replace",
};

static const char *take_action(const struct json *v, enum hook_action *out_r)
{
	for (size_t i = 0; v != NULL && v->type == JSON_STRING && i < ARRAY_LEN(action_names); i++) {
		if (str_is(v->text, action_names[i])) {
			*out_r = (enum hook_action)i;
			return NULL;
		}
	}
	return "action: must be allow, refuse or replace";
}

/* What ends a line, and a tab, becomes a space: all that utf8_name() leaves of control characters. */
static void make_line(char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ')
			s[i] = ' ';
}

static struct str cut(struct str s)
{
	while (s.len > HOOK_DETAIL_MAX || (s.len != 0 && !utf8_valid(s.s, s.len)))
		s.len = s.len > HOOK_DETAIL_MAX ? HOOK_DETAIL_MAX : s.len - 1;
	return s;
}

static const char *take_detail(const struct json *v, char out[HOOK_DETAIL_MAX + 1])
{
	out[0] = '\0';
	if (v == NULL || v->type == JSON_NULL)
		return NULL;
	if (v->type != JSON_STRING)
		return "detail: must be a string";
	char *clean = xmalloc(v->text.len + 1);
	size_t len = utf8_name(v->text, clean);
	make_line(clean, len);
	struct str kept = cut((struct str){clean, len});
	memcpy(out, kept.s, kept.len);
	out[kept.len] = '\0';
	free(clean);
	return NULL;
}

static const char *take_content(const struct json *v, struct hook_answer *out)
{
	if (v == NULL || v->type != JSON_STRING)
		return "content: must be a string";
	if (v->has_nul)
		return "content: must not contain U+0000";
	out->content = v->text;
	/* Between its quotation marks. */
	out->content_json = v->raw.len - 2;
	return NULL;
}

const char *hook_answer_parse(struct json_doc *doc, struct str body, struct hook_answer *out_r)
{
	const char *fault;
	const struct json *v = json_parse(doc, body, &fault);
	*out_r = (struct hook_answer){.content = STR_NULL};
	if (v == NULL)
		return fault;
	if (v->type != JSON_OBJECT)
		return "must be an object";
	fault = take_action(json_get(v, "action"), &out_r->action);
	if (fault == NULL && out_r->action == HOOK_REFUSE)
		fault = take_detail(json_get(v, "detail"), out_r->detail);
	if (fault == NULL && out_r->action == HOOK_REPLACE)
		fault = take_content(json_get(v, "content"), out_r);
	return fault;
}
