/* SPDX-License-Identifier: BSD-2-Clause */
/* Which formatting of a text is taken, how it is stored, and what is said of that which is not. */
#include "core/base.h"
#include "core/entities.h"
#include "core/id.h"

#include "../tap.h"

static struct json_doc *doc;
static struct json_out *out;
static struct buf text;

/* What is stored, or what is wrong: "2: why", "all: why". Borrowed until the next call. */
static const char *entities(const char *content, const char *json)
{
	static char said[256];
	const char *reason;
	size_t at;
	const struct json *list = json_parse(doc, str_from(json), &reason);
	if (list == NULL)
		return reason;
	buf_clear(&text);
	buf_append(&text, "before ", 7);
	const char *fault = entities_put(list, content != NULL ? str_from(content) : STR_NULL, out, &text, &at);
	if (fault == NULL) {
		buf_append_char(&text, '\0');
		return text.data + 7;
	}
	if (text.len != 7)
		return "a refused list is written all the same";
	if (at == SIZE_MAX)
		snprintf(said, sizeof(said), "all: %s", fault);
	else
		snprintf(said, sizeof(said), "%zu: %s", at, fault);
	return said;
}

static void is_kept(const char *content, const char *json, const char *name)
{
	is_str(entities(content, json), json, "%s", name);
}

static void test_types(void)
{
	static const char *const plain[] = {"bold",    "italic", "underline", "strikethrough",
					    "spoiler", "code",	 "pre",	      "quote"};
	char json[128];
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		snprintf(json, sizeof(json), "[{\"type\":\"%s\",\"offset\":0,\"length\":5}]", plain[i]);
		is_kept("hello", json, plain[i]);
	}
	is_kept("hello", "[]", "none at all");
	is_kept("int x;", "[{\"type\":\"pre\",\"offset\":0,\"length\":6,\"language\":\"c\"}]", "code has a language");
	is_kept("here", "[{\"type\":\"link\",\"offset\":0,\"length\":4,\"url\":\"https://example.org/a?b=c\"}]",
		"a link");
	is_kept("mail", "[{\"type\":\"link\",\"offset\":0,\"length\":4,\"url\":\"mailto:a@example.org\"}]",
		"to a mailbox");
	is_kept("@bob", "[{\"type\":\"mention\",\"offset\":0,\"length\":4,\"user_id\":\"bob\"}]", "a mention");
	is_str(entities(
		       "hello",
		       " [ {\"length\": 5, \"colour\": \"red\", \"url\": \"x\", \"offset\": 0, \"type\": \"bold\"} ] "),
	       "[{\"type\":\"bold\",\"offset\":0,\"length\":5}]", "what no type has is left out, and the order is one");
}

static void test_bad_types(void)
{
	static const struct {
		const char *json, *want;
	} bad[] = {
		{"{}", "all: must be an array of up to 100 entities"},
		{"[7]", "0: must be an object"},
		{"[{\"offset\":0,\"length\":1}]",
		 "0: type must be bold, italic, underline, strikethrough, spoiler, code, pre, quote, link or mention"},
		{"[{\"type\":\"Bold\",\"offset\":0,\"length\":1}]",
		 "0: type must be bold, italic, underline, strikethrough, spoiler, code, pre, quote, link or mention"},
		{"[{\"type\":\"link\",\"offset\":0,\"length\":1}]",
		 "0: url must be an http, https or mailto URL of up to 2048 bytes"},
		{"[{\"type\":\"link\",\"offset\":0,\"length\":1,\"url\":\"javascript:alert(1)\"}]",
		 "0: url must be an http, https or mailto URL of up to 2048 bytes"},
		{"[{\"type\":\"link\",\"offset\":0,\"length\":1,\"url\":\"mailto:\"}]",
		 "0: url must be an http, https or mailto URL of up to 2048 bytes"},
		{"[{\"type\":\"link\",\"offset\":0,\"length\":1,\"url\":\"https://a b\"}]",
		 "0: url must be an http, https or mailto URL of up to 2048 bytes"},
		{"[{\"type\":\"mention\",\"offset\":0,\"length\":1,\"user_id\":\"\"}]",
		 "0: user_id must be " USER_ID_RULE},
		{"[{\"type\":\"pre\",\"offset\":0,\"length\":1,\"language\":\"c\\n\"}]",
		 "0: language must be a string of 1 to 64 bytes without control characters"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		is_str(entities("hello", bad[i].json), bad[i].want, "refused: %s", bad[i].json);
	is_kept("hello", "[{\"type\":\"pre\",\"offset\":0,\"length\":1}]", "a language is not needed");
	is_str(entities("hello", "[{\"type\":\"pre\",\"offset\":0,\"length\":1,\"language\":null}]"),
	       "[{\"type\":\"pre\",\"offset\":0,\"length\":1}]", "null is none");
}

static const char *at(const char *content, const char *offset, const char *length)
{
	char json[128];
	snprintf(json, sizeof(json), "[{\"type\":\"bold\",\"offset\":%s,\"length\":%s}]", offset, length);
	return entities(content, json);
}

static void test_places(void)
{
	static const char outside[] = "0: is not within content, counted in UTF-16 code units";
	static const char pair[] = "0: begins or ends inside a surrogate pair";
	ok(at("hello", "4", "1")[0] == '[', "the last unit");
	is_str(at("hello", "5", "1"), outside, "behind it");
	is_str(at("hello", "4", "2"), outside, "beyond it");
	is_str(at("hello", "9223372036854775807", "9223372036854775807"), outside, "far beyond: no sum overflows");
	is_str(at("hello", "-1", "2"), "0: offset must be a whole number from 0 on", "before it");
	is_str(at("hello", "0", "0"), "0: length must be a whole number from 1 on", "of no length");
	is_str(at("hello", "0.5", "1"), "0: offset must be a whole number from 0 on", "half a unit");
	is_str(at("hello", "\"0\"", "1"), "0: offset must be a whole number from 0 on", "a string");
	is_str(at(NULL, "0", "1"), outside, "without content there is no place");
	/* U+00E9 and U+4E2D are one unit each, U+1F600 is two. */
	ok(at("\xc3\xa9\xe4\xb8\xad", "1", "1")[0] == '[', "units are neither bytes nor characters of other lengths");
	is_str(at("\xc3\xa9\xe4\xb8\xad", "2", "1"), outside, "nor more than there are");
	ok(at("a\xf0\x9f\x98\x80", "1", "2")[0] == '[', "a pair counts twice");
	is_str(at("a\xf0\x9f\x98\x80", "1", "1"), pair, "and is not cut");
	is_str(at("a\xf0\x9f\x98\x80", "2", "1"), pair, "at either end");
	is_str(at("a\xf0\x9f\x98\x80", "1", "3"), outside, "or left behind");
}

static const char *both(int from1, int len1, int from2, int len2)
{
	char json[160];
	snprintf(json, sizeof(json),
		 "[{\"type\":\"bold\",\"offset\":%d,\"length\":%d},{\"type\":\"code\",\"offset\":%d,\"length\":%d}]",
		 from1, len1, from2, len2);
	return entities("0123456789", json);
}

static void test_order(void)
{
	ok(both(0, 3, 3, 3)[0] == '[', "one behind the other");
	ok(both(0, 9, 3, 3)[0] == '[', "one in the other");
	ok(both(0, 9, 3, 6)[0] == '[', "to the same end");
	ok(both(2, 3, 2, 3)[0] == '[', "in the same place");
	ok(both(2, 3, 2, 5)[0] == '[', "from the same place on, whichever is longer");
	is_str(both(0, 5, 3, 5), "1: overlaps an earlier one, and neither contains the other", "they may not cross");
	is_str(both(3, 2, 0, 2), "1: has a smaller offset than the one before", "they are sorted");
	is_str(entities("0123456789",
			"[{\"type\":\"bold\",\"offset\":0,\"length\":6},{\"type\":\"code\",\"offset\":1,\"length\":2},"
			"{\"type\":\"quote\",\"offset\":5,\"length\":3}]"),
	       "2: overlaps an earlier one, and neither contains the other", "all before are looked at");
}

static void test_many(void)
{
	struct buf json = {0}, content = {0};
	for (int i = 0; i <= ENTITIES_MAX; i++) {
		buf_append_char(&content, 'x');
		buf_printf(&json, "%c{\"type\":\"bold\",\"offset\":%d,\"length\":1}", i == 0 ? '[' : ',', i);
		if (i < ENTITIES_MAX - 1)
			continue;
		struct buf whole = {0};
		buf_append(&whole, json.data, json.len);
		buf_append(&whole, "]", 2);
		buf_append_char(&content, '\0');
		const char *got = entities(content.data, whole.data);
		content.len--;
		if (i == ENTITIES_MAX - 1)
			is_str(got, whole.data, "a hundred");
		else
			is_str(got, "all: must be an array of up to 100 entities", "but no more");
		buf_fini(&whole);
	}
	buf_clear(&json);
	for (int i = 0; i < 10; i++)
		buf_printf(&json, "%c{\"type\":\"link\",\"offset\":%d,\"length\":1,\"url\":\"https://%02000d\"}",
			   i == 0 ? '[' : ',', i, 7);
	buf_append(&json, "]", 2);
	is_str(entities("0123456789", json.data), "all: take over 16384 bytes of JSON", "nor more than that in bytes");
	buf_fini(&json);
	buf_fini(&content);
}

static void check_fitting(const char *entities, const char *before, const char *after, const char *want)
{
	struct buf b = {0};
	struct str list = entities != NULL ? str_from(entities) : STR_NULL;
	entities_put_fitting(doc, list, before != NULL ? str_from(before) : STR_NULL, str_from(after), out, &b);
	is_str(buf_cstr(&b), want, "of '%s', what fits '%s'", before != NULL ? before : "", after);
	buf_fini(&b);
}

static void test_fitting(void)
{
#define BOLD(from, len) "{\"type\":\"bold\",\"offset\":" #from ",\"length\":" #len "}"
	check_fitting(NULL, "a", "b", "");
	check_fitting("[" BOLD(0, 1) "]", "a", "", "");
	check_fitting("[" BOLD(0, 4) "," BOLD(5, 4) "," BOLD(10, 3) "]", "some evil end", "some **** end",
		      "[" BOLD(0, 4) "," BOLD(10, 3) "]");
	check_fitting("[" BOLD(0, 4) "," BOLD(10, 3) "]", "some evil end", "some bad end", "[" BOLD(0, 4) "]");
	/* A pair of units, and a character of as many bytes as two others. */
	check_fitting("[" BOLD(0, 2) "," BOLD(2, 1) "]", "\xf0\x9f\x98\x80x", "\xf0\x9f\x98\x80y", "[" BOLD(0, 2) "]");
	check_fitting("[" BOLD(1, 1) "]", "abc",
		      "\xf0\x9f\x98\x80"
		      "c",
		      "");
	check_fitting("[" BOLD(0, 2) "]", "\xc3\xbc\xc3\xbc", "ab\xc3\xbc", "");
	check_fitting("[" BOLD(2, 1) "]",
		      "\xc3\xbc\xc3\xbc"
		      "c",
		      "ab"
		      "c",
		      "[" BOLD(2, 1) "]");
	check_fitting("[{\"type\":\"link\",\"offset\":0,\"length\":1,\"url\":\"https://e.org/\"}]", "ab", "ac",
		      "[{\"type\":\"link\",\"offset\":0,\"length\":1,\"url\":\"https://e.org/\"}]");
#undef BOLD
}

int main(void)
{
	doc = json_doc_new();
	out = json_out_new();
	test_types();
	test_bad_types();
	test_places();
	test_order();
	test_many();
	test_fitting();
	json_doc_free(&doc);
	json_out_free(&out);
	buf_fini(&text);
	return done_testing();
}
