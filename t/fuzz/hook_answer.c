/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the answer of before_send's server. */
#include "core/base.h"
#include "core/hook_answer.h"

#include <stdlib.h>

#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
	if (!cond)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_doc *doc = json_doc_new();
	struct hook_answer a;
	const char *fault = hook_answer_parse(doc, (struct str){(const char *)data, size}, &a);
	if (fault == NULL) {
		size_t len = strlen(a.detail);
		must(len <= HOOK_DETAIL_MAX && utf8_valid(a.detail, len));
		must(!utf8_has_control((struct str){a.detail, len}, false));
		must(len == 0 || a.action == HOOK_REFUSE);
		must((a.content.s != NULL) == (a.action == HOOK_REPLACE));
		must(a.content.s == NULL ||
		     (utf8_valid(a.content.s, a.content.len) && memchr(a.content.s, '\0', a.content.len) == NULL));
	} else {
		must(fault[0] != '\0');
	}
	json_doc_free(&doc);
	return 0;
}
