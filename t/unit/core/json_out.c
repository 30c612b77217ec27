/* SPDX-License-Identifier: BSD-2-Clause */
/* What is written is JSON and reads back the same; a mistake in its structure aborts. */
#include "core/base.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/json.h"
#include "../tap.h"

/* What json_str_size() tells is what json_str() writes, for every byte. */
static void test_size(void)
{
	struct json_out *o = json_out_new();
	struct buf b = {0};
	int wrong = 0;
	for (int c = 0; c < 256; c++) {
		const char text[] = {'a', (char)c, 'z'};
		buf_clear(&b);
		json_begin(o, &b);
		json_str(o, (struct str){text, c == 255 ? 0 : sizeof(text)});
		wrong += json_str_size((struct str){text, c == 255 ? 0 : sizeof(text)}) != b.len;
	}
	is_int(wrong, 0, "the size of a string is that of what is written");
	is_int(json_str_size(STR_NULL), 4, "an absent one is null");
	buf_fini(&b);
	json_out_free(&o);
}

static void test_out(void)
{
	struct json_doc *doc = json_doc_new();
	const char *err;
	struct json_out *o = json_out_new();
	struct buf b = {0};
	json_begin(o, &b);
	json_object(o);
	json_key(o, "str");
	json_str(o, STR_LIT("a\"\\/\b\f\n\r\t\x01\x7F \xE2\x82\xAC\0z"));
	json_key(o, "absent");
	json_str(o, STR_NULL);
	json_key(o, "cstr");
	json_cstr(o, "");
	json_key(o, "no cstr");
	json_cstr(o, NULL);
	json_key(o, "min");
	json_i64(o, INT64_MIN);
	json_key(o, "id");
	json_id(o, UINT64_MAX);
	json_key(o, "id0");
	json_id(o, 0);
	json_key(o, "time");
	json_time(o, INT64_C(1795402881123));
	json_key(o, "no time");
	json_time(o, 0);
	json_key(o, "list");
	json_array(o);
	json_bool(o, true);
	json_bool(o, false);
	json_null(o);
	json_raw(o, STR_LIT("{\"x\": 1.0}"));
	json_raw(o, STR_NULL);
	json_array(o);
	json_array_end(o);
	json_object(o);
	json_object_end(o);
	json_array_end(o);
	json_key(o, "k\"\n");
	json_i64(o, 0);
	json_object_end(o);
	is_str(buf_cstr(&b),
	       "{\"str\":\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7F "
	       "\xE2\x82\xAC\\u0000z\",\"absent\":null,\"cstr\":\"\",\"no cstr\":null,"
	       "\"min\":-9223372036854775808,\"id\":\"18446744073709551615\",\"id0\":\"0\","
	       "\"time\":\"2026-11-23T03:01:21.123Z\",\"no time\":null,"
	       "\"list\":[true,false,null,{\"x\": 1.0},null,[],{}],\"k\\\"\\n\":0}",
	       "everything that can be written");
	const struct json *v = json_parse(doc, (struct str){b.data, b.len}, &err);
	ok(v != NULL && str_equal(json_get(v, "str")->text, STR_LIT("a\"\\/\b\f\n\r\t\x01\x7F \xE2\x82\xAC\0z")),
	   "and read back");

	json_begin(o, &b);
	json_bool(o, true);
	ok(strcmp(buf_cstr(&b) + b.len - 5, "}true") == 0, "a fresh value is appended");
	buf_clear(&b);
	json_begin(o, &b);
	json_array(o);
	json_object(o);
	json_key(o, "left open");
	json_begin(o, &b);
	json_i64(o, -1);
	ok(strcmp(buf_cstr(&b) + b.len - 2, "-1") == 0, "begin forgets what was left open");
	buf_fini(&b);
	json_doc_free(&doc);
	json_out_free(&o);
	json_out_free(&o);
	ok(o == NULL, "freed");
}

static void out_two_keys(struct json_out *o)
{
	json_object(o);
	json_key(o, "a");
	json_key(o, "b");
}

static void out_no_key(struct json_out *o)
{
	json_object(o);
	json_i64(o, 1);
}

static void out_no_value(struct json_out *o)
{
	json_object(o);
	json_key(o, "a");
	json_object_end(o);
}

static void out_wrong_end(struct json_out *o)
{
	json_array(o);
	json_object_end(o);
}

static void out_key_in_array(struct json_out *o)
{
	json_array(o);
	json_key(o, "a");
}

static void out_raw_as_key(struct json_out *o)
{
	json_object(o);
	json_raw(o, STR_LIT("\"a\""));
}

static void out_end_of_nothing(struct json_out *o)
{
	json_array_end(o);
}

static void out_second_value(struct json_out *o)
{
	json_null(o);
	json_null(o);
}

static void out_too_deep(struct json_out *o)
{
	for (int i = 0; i < 1000; i++)
		json_array(o);
}

static void test_out_mistakes(void)
{
	static const struct {
		void (*fn)(struct json_out *o);
		const char *name;
	} cases[] = {
		{out_two_keys, "a key after a key"},	   {out_no_key, "a member without key"},
		{out_no_value, "a key without value"},	   {out_wrong_end, "an array ended as object"},
		{out_key_in_array, "a key in an array"},   {out_raw_as_key, "a raw value as key"},
		{out_end_of_nothing, "an end of nothing"}, {out_second_value, "a second value"},
		{out_too_deep, "a thousand levels"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) {
			setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
			signal(SIGABRT, SIG_DFL);
			close(STDERR_FILENO);
			struct json_out *o = json_out_new();
			struct buf b = {0};
			json_begin(o, &b);
			cases[i].fn(o);
			_exit(0);
		}
		int status = 0;
		waitpid(pid, &status, 0);
		ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "aborts at %s", cases[i].name);
	}
}

int main(void)
{
	test_out();
	test_size();
	test_out_mistakes();
	return done_testing();
}
