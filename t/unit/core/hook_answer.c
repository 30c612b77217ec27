/* SPDX-License-Identifier: BSD-2-Clause */
/* The answers of before_send's server: those that can be used, what is made of their details, and those that cannot. */
#include "core/base.h"
#include "core/hook_answer.h"

#include "core/buf.h"
#include "core/utf8.h"
#include "../tap.h"

#include <stdlib.h>

static struct json_doc *doc;

static const char *parse(const char *text, struct hook_answer *out)
{
	return hook_answer_parse(doc, str_from(text), out);
}

static void test_actions(void)
{
	struct hook_answer a;
	ok(parse("{\"action\":\"allow\",\"more\":[{}]}", &a) == NULL && a.action == HOOK_ALLOW, "allowed");
	ok(parse("{\"action\":\"refuse\"}", &a) == NULL && a.action == HOOK_REFUSE && a.detail[0] == '\0', "refused");
	ok(parse("{\"detail\":\"not here\",\"action\":\"refuse\"}", &a) == NULL, "refused, with a reason");
	is_str(a.detail, "not here", "which is kept");
	ok(parse("{\"action\":\"replace\",\"content\":\"\\u00fc\"}", &a) == NULL && a.action == HOOK_REPLACE,
	   "replaced");
	ok(str_is(a.content, "\xc3\xbc") && a.content_json == 6, "by that, which takes six bytes of JSON");
	ok(parse("{\"action\":\"replace\",\"content\":\"\"}", &a) == NULL && a.content.s != NULL && a.content.len == 0,
	   "an empty content is one");
}

static void test_details(void)
{
	struct hook_answer a;
	struct buf b = {0};
	ok(parse("{\"action\":\"refuse\",\"detail\":\" a\\r\\n\\u0000b\\u202e\\u0085\\u2028c\\u0007\\t\"}", &a) == NULL,
	   "what no line has");
	is_str(a.detail, "a  bc", "becomes spaces, or goes");
	buf_append_str(&b, STR_LIT("{\"action\":\"refuse\",\"detail\":\"x"));
	for (int i = 0; i < 1000; i++)
		buf_append_str(&b, STR_LIT("\xf0\x9f\x98\x80"));
	buf_append_str(&b, STR_LIT("\"}"));
	ok(parse(buf_cstr(&b), &a) == NULL, "one that is long");
	is_int(strlen(a.detail), 237, "is cut between two characters");
	ok(utf8_valid(a.detail, 237), "and is valid");
	buf_fini(&b);
}

static void test_faults(void)
{
	static const char *const wrong[] = {
		"",
		"no JSON",
		"[]",
		"{}",
		"\"allow\"",
		"{\"action\":null}",
		"{\"action\":\"Allow\"}",
		"{\"action\":\"allow\"} {}",
		"{\"action\":\"refuse\",\"detail\":7}",
		"{\"action\":\"refuse\",\"detail\":\"\\ud800\"}",
		"{\"action\":\"refuse\",\"detail\":\"\xff\"}",
		"{\"action\":\"replace\"}",
		"{\"action\":\"replace\",\"content\":null}",
		"{\"action\":\"replace\",\"content\":[\"a\"]}",
		"{\"action\":\"replace\",\"content\":\"a\\u0000\"}",
	};
	struct hook_answer a;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ok(parse(wrong[i], &a) != NULL, "'%s' cannot be used", wrong[i]);
}

int main(void)
{
	doc = json_doc_new();
	test_actions();
	test_details();
	test_faults();
	json_doc_free(&doc);
	return done_testing();
}
