/* SPDX-License-Identifier: BSD-2-Clause */
/* A JSON object with any content and entities: refused with a reason, or stored in a form that is taken as it is. */
#include "core/base.h"

#include <stdlib.h>

#include "core/entities.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool cond)
{
	if (!cond)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct json_doc *doc, *stored;
	static struct json_out *out;
	static struct buf once, twice;
	const char *reason;
	size_t at;
	if (doc == NULL) {
		doc = json_doc_new();
		stored = json_doc_new();
		out = json_out_new();
	}
	const struct json *v = json_parse(doc, (struct str){(const char *)data, len}, &reason);
	const struct json *content = json_get(v, "content"), *list = json_get(v, "entities");
	if (list == NULL)
		return 0;
	struct str text = content != NULL && content->type == JSON_STRING ? content->text : STR_NULL;
	buf_clear(&once);
	const char *fault = entities_put(list, text, out, &once, &at);
	if (fault != NULL) {
		must(once.len == 0 && fault[0] != '\0' && (at == SIZE_MAX || at < list->count));
		return 0;
	}
	buf_clear(&twice);
	list = json_parse(stored, (struct str){once.data, once.len}, &reason);
	must(list != NULL && entities_put(list, text, out, &twice, &at) == NULL);
	must(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	return 0;
}
