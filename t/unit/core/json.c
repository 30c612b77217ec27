/* SPDX-License-Identifier: BSD-2-Clause */
/* What is JSON and what is not; that raw is exactly what was written; that memory is reused and given back. */
#include "core/base.h"

#include <malloc.h>

#include "core/json.h"
#include "../tap.h"

static struct json_doc *doc;
static const char *err;

static const struct json *parse(const char *text)
{
	return json_parse(doc, str_from(text), &err);
}

static bool raw_is(const struct json *v, const char *want)
{
	return v != NULL && str_is(v->raw, want);
}

static void test_accepted(void)
{
	static const struct {
		const char *text;
		enum json_type type;
		const char *raw;
	} cases[] = {
		{"null", JSON_NULL, "null"},
		{" true ", JSON_BOOL, "true"},
		{"\tfalse\r\n", JSON_BOOL, "false"},
		{"0", JSON_NUMBER, "0"},
		{"  -0 ", JSON_NUMBER, "-0"},
		{"12", JSON_NUMBER, "12"},
		{"\n12", JSON_NUMBER, "12"},
		{"-1.50E+3", JSON_NUMBER, "-1.50E+3"},
		{"1e-7\n", JSON_NUMBER, "1e-7"},
		{"123456789012345678901234567890", JSON_NUMBER, "123456789012345678901234567890"},
		{"1e999", JSON_NUMBER, "1e999"},
		{"\"\"", JSON_STRING, "\"\""},
		{" \"a\\/b\" ", JSON_STRING, "\"a\\/b\""},
		{"\"\x7F\"", JSON_STRING, "\"\x7F\""},
		{"[]", JSON_ARRAY, "[]"},
		{" [ ] ", JSON_ARRAY, "[ ]"},
		{"{}", JSON_OBJECT, "{}"},
		{" { \"a\" : [ 1 , 2 ] } ", JSON_OBJECT, "{ \"a\" : [ 1 , 2 ] }"},
		{"{\"\":0}", JSON_OBJECT, "{\"\":0}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct json *v = parse(cases[i].text);
		ok(v != NULL && v->type == cases[i].type && raw_is(v, cases[i].raw) && v->key.s == NULL &&
			   v->next == NULL,
		   "takes %s", cases[i].raw);
	}
}

static void test_refused(void)
{
	static const char *const cases[] = {
		"",
		" ",
		"\n\t",
		"nul",
		"nulll",
		"True",
		"TRUE",
		"undefined",
		"NaN",
		"-Infinity",
		"+1",
		"-",
		"01",
		"-01",
		"00",
		"1.",
		".5",
		"1.e3",
		"1e",
		"1e+",
		"0x10",
		"1_000",
		"1 2",
		"1,",
		",1",
		"[",
		"]",
		"[1",
		"[1,]",
		"[,1]",
		"[1 2]",
		"[1,,2]",
		"[1}",
		"{",
		"}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,}",
		"{a:1}",
		"{'a':1}",
		"{1:1}",
		"{\"a\" 1}",
		"{\"a\":1 \"b\":2}",
		"{\"a\":1]",
		"{\"a\"::1}",
		"{\"a\":1}}",
		"[]]",
		"{}{}",
		"[][]",
		"[] x",
		"\"",
		"\"a",
		"'a'",
		"\"\\\"",
		"\"\\x41\"",
		"\"\\u12\"",
		"\"\\u12G4\"",
		"\"\\u\"",
		"\"\\U0041\"",
		"\"\\",
		"\"a\nb\"",
		"\"a\tb\"",
		"\"\x01\"",
		"\"\x1F\"",
		"// c\n1",
		"1 // c",
		"/* c */ 1",
		"[1 /* c */]",
		"\xEF\xBB\xBF[]",
		"\v1",
		"1\f",
		"[1\v,2]",
		"[\f]",
		"{\v}",
		"{\"a\"\f:1}",
		"\xC2\xA0[]",
		"[\xE2\x80\x8A]",
		/* invalid UTF-8, in and out of strings and keys */
		"\"\xFF\"",
		"\"\xC3\"",
		"\"\xC0\x80\"",
		"\"\xE0\x80\xAF\"",
		"\"\xED\xA0\x80\"",
		"\"\xF4\x90\x80\x80\"",
		"{\"\x80\":1}",
		"[1]\xFF",
		"\"\xED\xA0\xBD\xED\xB8\x80\"",
		/* lone surrogates */
		"\"\\ud800\"",
		"\"\\uDFFF\"",
		"\"\\ude00\\ud83d\"",
		"\"\\ud83d\\ud83d\\ude00\"",
		"\"\\ud83d\\ude00\\ude00\"",
		"\"\\ud83d \\ude00\"",
		"\"\\ud83dx\"",
		"\"\\ud83d\\n\"",
		"\"\\ud83d\\u0041\"",
		"\"\\ud83d\\\\ude00\"",
		"{\"\\ud800\":1}",
		"[[\"x\\udc00\"]]",
		"\"\\uD83D\\\\uDE00\"",
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		err = NULL;
		const struct json *v = parse(cases[i]);
		ok(v == NULL && err != NULL && err[0] != '\0' && strpbrk(err, "\r\n") == NULL, "refuses case %zu (%s)",
		   i, v == NULL ? err : "no");
	}

	static const char *const with_nul[] = {"\0[]",	   "[]\0", "[\0]",	 "\"a\0b\"",
					       "[1,\0 2]", "1\0",  "{\"\0\":1}", "1 \0 "};
	static const size_t len[] = {3, 3, 3, 5, 7, 2, 7, 4};
	for (size_t i = 0; i < ARRAY_LEN(with_nul); i++)
		ok(json_parse(doc, (struct str){with_nul[i], len[i]}, &err) == NULL, "refuses a raw NUL, case %zu", i);
	ok(json_parse(doc, STR_NULL, &err) == NULL, "refuses an absent text");
}

static void test_strings(void)
{
	static const struct {
		const char *text;
		struct str want;
	} cases[] = {
		{"\"plain\"", STR_LIT("plain")},
		{"\"\"", STR_LIT("")},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", STR_LIT("\"\\/\b\f\n\r\t")},
		{"\"\\u0041\\u00e9\\u20AC\"", STR_LIT("A\xC3\xA9\xE2\x82\xAC")},
		{"\"\\ud83d\\ude00\"", STR_LIT("\xF0\x9F\x98\x80")},
		{"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", STR_LIT("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF")},
		{"\"\\ud7ff\\ue000\\uffff\"", STR_LIT("\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF")},
		{"\"a\\u0000b\"", STR_LIT("a\0b")},
		{"\"\\\\u0000\"", STR_LIT("\\u0000")},
		{"\"\\\\ud800\"", STR_LIT("\\ud800")},
		{"\"\xE4\xBD\xA0\xF0\x9F\x91\x8D\"", STR_LIT("\xE4\xBD\xA0\xF0\x9F\x91\x8D")},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct json *v = parse(cases[i].text);
		ok(v != NULL && str_equal(v->text, cases[i].want) && raw_is(v, cases[i].text), "decodes %s",
		   cases[i].text);
	}
}

static void test_nul(void)
{
	const struct json *v = parse("{\"a\":{\"b\":[\"x\",\"\\u0000\"]},\"c\":[\"y\"],\"d\":\"\\\\u0000\"}");
	ok(v != NULL && v->has_nul, "a NUL deep inside marks the root");
	const struct json *a = json_get(v, "a"), *b = json_get(a, "b");
	ok(a->has_nul && b->has_nul && !b->child->has_nul && b->child->next->has_nul, "and the way to it");
	ok(!json_get(v, "c")->has_nul && !json_get(v, "d")->has_nul, "and nothing else");
	v = parse("[{\"\\u0000\":1},{}]");
	ok(v->has_nul && v->child->has_nul && !v->child->next->has_nul, "a NUL in a key marks its object");
	ok(json_get(v->child, "") == NULL, "and is no end of that key");
	v = parse("[1]");
	ok(!v->has_nul, "the next text starts clean");
}

static void test_tree(void)
{
	const char *text = " {\"a\" : 1 , \"b\":[ true,null , \"x\\n\" ,-2.5e1, {} ,[ ]],\n\"a\" :{\"c\" : \"d\" } , "
			   "\"\\u0062\\u0062\":0} ";
	const struct json *v = parse(text);
	ok(v != NULL && v->type == JSON_OBJECT && v->count == 4, "an object of four members");
	const struct json *m = v->child;
	ok(str_is(m->key, "a") && m->type == JSON_NUMBER && raw_is(m, "1") && str_is(m->text, "1"), "first");
	m = m->next;
	ok(str_is(m->key, "b") && m->type == JSON_ARRAY && m->count == 6, "second");
	ok(raw_is(m, "[ true,null , \"x\\n\" ,-2.5e1, {} ,[ ]]"), "its raw with its white space");
	const struct json *e = m->child;
	static const char *const raws[] = {"true", "null", "\"x\\n\"", "-2.5e1", "{}", "[ ]"};
	bool same = true;
	for (size_t i = 0; i < ARRAY_LEN(raws); i++, e = e->next)
		same = same && raw_is(e, raws[i]) && e->key.s == NULL;
	ok(same && e == NULL, "the raw of each element, and no keys");
	ok(m->child->boolean && m->child->type == JSON_BOOL, "true is true");
	m = m->next;
	ok(str_is(m->key, "a") && raw_is(m, "{\"c\" : \"d\" }"), "third");
	ok(json_get(v, "a") == m, "of members of one name get finds the last");
	ok(raw_is(json_get(m, "c"), "\"d\"") && str_is(json_get(m, "c")->text, "d"), "inside it");
	m = m->next;
	ok(str_is(m->key, "bb") && m->next == NULL, "an escaped name is decoded");
	ok(json_get(v, "bb") == m && json_get(v, "x") == NULL && json_get(v, "") == NULL, "get by name");
	ok(json_get(NULL, "a") == NULL && json_get(m, "a") == NULL && json_get(v->child->next, "a") == NULL,
	   "get from what is no object");
	ok(v->raw.s == text + 1 && v->raw.len == strlen(text) - 2, "raw points into the text");
}

static void test_depth(void)
{
	char text[256];
	for (int depth = 31; depth <= 34; depth++) {
		memset(text, '[', (size_t)depth);
		memset(text + depth, ']', (size_t)depth);
		text[2 * depth] = '\0';
		ok((parse(text) != NULL) == (depth <= JSON_MAX_DEPTH), "%d levels: %s", depth, err);
	}
	struct buf b = {0};
	for (int i = 0; i < 100000; i++)
		buf_append_str(&b, STR_LIT("{\"a\":["));
	ok(parse(buf_cstr(&b)) == NULL, "a hundred thousand open brackets are refused");
	buf_clear(&b);
	for (int i = 0; i < JSON_MAX_DEPTH; i++)
		buf_append_str(&b, STR_LIT("{\"a\":"));
	buf_append_char(&b, '1');
	for (int i = 0; i < JSON_MAX_DEPTH; i++)
		buf_append_char(&b, '}');
	const struct json *v = parse(buf_cstr(&b));
	int levels = 0;
	for (; v != NULL && v->type == JSON_OBJECT; v = json_get(v, "a"))
		levels++;
	ok(levels == JSON_MAX_DEPTH && v != NULL && raw_is(v, "1"), "as many objects as allowed");
	buf_fini(&b);
}

static void test_int(void)
{
	static const struct {
		const char *text;
		int64_t want;
	} good[] = {
		{"0", 0},
		{"-0", 0},
		{"7", 7},
		{"-7", -7},
		{"9223372036854775807", INT64_MAX},
		{"-9223372036854775808", INT64_MIN},
	};
	static const char *const bad[] = {
		"1.0",
		"1e3",
		"1E3",
		"0.0",
		"-0.0",
		"0e0",
		"9223372036854775808",
		"-9223372036854775809",
		"99999999999999999999999",
		"\"1\"",
		"true",
		"null",
		"[1]",
		"{}",
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		int64_t v = 99;
		ok(json_int(parse(good[i].text), &v) == 0 && v == good[i].want, "%s is whole", good[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t v = 99;
		ok(json_int(parse(bad[i]), &v) == -1 && v == 99, "%s is refused", bad[i]);
	}
	int64_t v;
	is_int(json_int(NULL, &v), -1, "so is an absent value");
}

static void test_count(void)
{
	static const struct {
		const char *text;
		uint64_t want;
	} good[] = {
		{"0", 0},
		{"41", 41},
		{"9223372036854775808", UINT64_C(9223372036854775808)},
		{"18446744073709551615", UINT64_MAX},
		{"18446744073709551616", UINT64_MAX},
		{"99999999999999999999999999999999", UINT64_MAX},
	};
	static const char *const bad[] = {"-1", "-0", "1.0", "1e3", "\"1\"", "true", "null", "[1]", "{}"};
	uint64_t v;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ok(json_count(parse(good[i].text), &v) == 0 && v == good[i].want, "%s is a count", good[i].text);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		is_int(json_count(parse(bad[i]), &v), -1, "%s is none", bad[i]);
	is_int(json_count(NULL, &v), -1, "nor is an absent value");
}

static void test_minify(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{" { \"a\" : [ 1 , 2.50 ,\t\"x y\\\" z \\\\\" ] ,\r\n \"b\\u0020\":null } ",
		 "{\"a\":[1,2.50,\"x y\\\" z \\\\\"],\"b\\u0020\":null}"},
		{"\"  \"", "\"  \""},
		{"[ ]", "[]"},
		{"-0.0e1 ", "-0.0e1"},
		{"{\"a\":\"\\/\",\"a\" :1}", "{\"a\":\"\\/\",\"a\":1}"},
	};
	struct buf b = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&b);
		buf_append_char(&b, '>');
		json_minify(str_from(cases[i].text), &b);
		is_str(buf_cstr(&b) + 1, cases[i].want, "without white space, case %zu", i);
	}
	buf_fini(&b);
}

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

static size_t allocated(void)
{
#ifdef __SANITIZE_ADDRESS__
	return __sanitizer_get_current_allocated_bytes();
#else
	struct mallinfo2 m = mallinfo2();
	return m.uordblks + m.hblkhd;
#endif
}

static void test_reuse(void)
{
	/* Nodes and strings keep their places while the document grows, through many chunks. */
	struct buf b = {0};
	buf_append_char(&b, '[');
	for (int i = 0; i < 50000; i++)
		buf_printf(&b, "%s{\"key%d\":\"value\\n%d\"}", i == 0 ? "" : ",", i, i);
	buf_append_char(&b, ']');
	size_t before = allocated();
	const struct json *v = json_parse(doc, (struct str){b.data, b.len}, &err);
	ok(v != NULL && v->count == 50000, "a text of %zu bytes", b.len);
	int i = 0;
	bool same = v != NULL;
	for (const struct json *e = same ? v->child : NULL; e != NULL && same; e = e->next, i++) {
		char key[32], value[32];
		snprintf(key, sizeof(key), "key%d", i);
		snprintf(value, sizeof(value), "value\n%d", i);
		same = str_is(e->child->key, key) && str_is(e->child->text, value) && e->count == 1;
	}
	ok(same && i == 50000, "all of it is there");
	/* valgrind's allocator tells nothing. */
	ok(before == 0 || allocated() - before > 4000000, "it takes its memory");
	ok(parse("[1]") != NULL, "then a small one");
	ok(allocated() <= before + (300 << 10), "gives back all but 300 KiB");

	/* One string larger than any chunk. */
	buf_clear(&b);
	buf_append_char(&b, '"');
	memset(buf_reserve(&b, 3000000), 'x', 3000000);
	b.len += 3000000;
	buf_append_char(&b, '"');
	before = allocated();
	v = json_parse(doc, (struct str){b.data, b.len}, &err);
	ok(v != NULL && v->text.len == 3000000 && v->text.s[2999999] == 'x', "a string of three million bytes");
	ok(parse("[1]") != NULL && allocated() <= before + (300 << 10), "is given back as well");
	buf_fini(&b);

	/* A small text costs no memory once the document has its own. */
	const char *message = "{\"type\":\"send\",\"to_user_id\":\"bob\",\"content\":\"hi\\n\"}";
	parse(message);
	before = allocated();
	for (i = 0; i < 1000; i++)
		parse(i % 3 == 0 ? message : i % 3 == 1 ? "[1,2" : "\"\\ud800\"");
	ok(allocated() == before, "a thousand small ones keep nothing more");
}

int main(void)
{
	doc = json_doc_new();
	test_accepted();
	test_refused();
	test_strings();
	test_nul();
	test_tree();
	test_depth();
	test_int();
	test_count();
	test_minify();
	test_reuse();
	json_doc_free(&doc);
	json_doc_free(&doc);
	ok(doc == NULL, "the document is freed");
	return done_testing();
}
