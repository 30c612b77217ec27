/* SPDX-License-Identifier: BSD-2-Clause */
/* What the server of before_send answers: {"action": "allow" | "refuse" | "replace", "detail"?, "content"?}. */
#ifndef TIDINGS_CORE_HOOK_ANSWER_H
#define TIDINGS_CORE_HOOK_ANSWER_H

#include "core/base.h"
#include "core/json.h"

/* Of the detail, in bytes. */
#define HOOK_DETAIL_MAX 240

enum hook_action { HOOK_ALLOW, HOOK_REFUSE, HOOK_REPLACE };

struct hook_answer {
	enum hook_action action;
	/*
	 * HOOK_REFUSE: a line that can be shown, or "" where none was given. It is cut to HOOK_DETAIL_MAX at a
	 * character; control characters, and those that turn the direction of text, are gone.
	 */
	char detail[HOOK_DETAIL_MAX + 1];
	/* HOOK_REPLACE: as it was written, without U+0000; borrowed from the document. Its JSON takes so many bytes. */
	struct str content;
	size_t content_json;
};

/* NULL; or why it cannot be used, borrowed until the document parses again. Unknown members are ignored. */
const char *hook_answer_parse(struct json_doc *doc, struct str body, struct hook_answer *out_r) MUST_CHECK;

#endif
