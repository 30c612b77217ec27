/* SPDX-License-Identifier: BSD-2-Clause */
/* What names a file: ids, references in messages, names. */
#include "core/base.h"
#include "core/media_ref.h"

#include <stdlib.h>

#include "../tap.h"

#define ID "0123456789abcdef0123456789abcdef"

static struct buf text;

static const char *kept(struct str s)
{
	text.len = 0;
	if (s.s == NULL)
		return NULL;
	buf_append_str(&text, s);
	return buf_cstr(&text);
}

static void test_ids(void)
{
	char one[MEDIA_ID_LEN + 1], other[MEDIA_ID_LEN + 1];
	media_id_make(one);
	media_id_make(other);
	ok(media_id_valid(str_from(one)) && media_id_valid(str_from(other)), "an id is one");
	ok(strcmp(one, other) != 0, "and another each time");
	static const char *const wrong[] = {"",
					    "0123456789abcdef0123456789abcde",
					    ID "0",
					    "0123456789ABCDEF0123456789ABCDEF",
					    "../..",
					    "0123456789abcdef0123456789abcde/",
					    "0123456789abcdef0123456789abcdeg"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ok(!media_id_valid(str_from(wrong[i])), "no id: '%s'", wrong[i]);
	ok(!media_id_valid((struct str){"0123456789abcdef0123456789abcde\0", 32}), "nor one with a NUL");
	ok(!media_id_valid(STR_NULL), "nor what is absent");
}

static void test_refs(void)
{
	is_str(kept(media_ref_id(STR_LIT("tidings:media/" ID))), ID, "as clients write it");
	is_str(kept(media_ref_id(STR_LIT("tidings:media/" ID "/a%20name"))), ID, "as it is stored");
	is_str(kept(media_ref_name(STR_LIT("tidings:media/" ID "/a%20name"))), "a%20name", "with its name");
	is_str(kept(media_ref_name(STR_LIT("tidings:media/" ID))), NULL, "or without");
	static const char *const wrong[] = {"",
					    "tidings:media/",
					    "tidings:media/" ID "x",
					    "tidings:media/x/" ID,
					    "Tidings:media/" ID,
					    " tidings:media/" ID,
					    "https://example.org/media/" ID,
					    "/media/" ID "/name",
					    "tidings:media/0123"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		is_str(kept(media_ref_id(str_from(wrong[i]))), NULL, "no file: '%s'", wrong[i]);
	is_str(kept(media_ref_id(STR_NULL)), NULL, "nor what is absent");
	ok(media_ref_same(STR_LIT("tidings:media/" ID), STR_LIT("tidings:media/" ID "/name")),
	   "both forms are the same file");
	ok(!media_ref_same(STR_LIT("tidings:media/" ID), STR_LIT("tidings:media/1123456789abcdef0123456789abcdef")),
	   "another one is not");
	ok(media_ref_same(STR_LIT("https://a/"), STR_LIT("https://a/")), "what is no file is compared as a text");
	ok(!media_ref_same(STR_LIT("https://a/"), STR_LIT("tidings:media/" ID)), "which is no file");
	text.len = 0;
	media_ref_put(&text, STR_LIT(ID), STR_LIT("a b/\xc3\xa4?#%\"~-._"));
	is_str(buf_cstr(&text), "tidings:media/" ID "/a%20b%2F%C3%A4%3F%23%25%22~-._",
	       "a name is one segment of a path");
	is_str(kept(media_ref_id(STR_LIT("tidings:media/" ID "/"))), ID, "an empty name");
}

static const char *clean(const char *name)
{
	size_t len = strlen(name);
	/* As much room as is asked for, so that one byte more is noticed. */
	char *in = xmalloc(len + 1), *out = xmalloc(len + 4);
	memcpy(in, name, len + 1);
	size_t n = media_name_clean((struct str){in, len}, out);
	ok(n <= len + 4, "within its room");
	const char *said = kept((struct str){out, n});
	free(in);
	free(out);
	return said;
}

static void test_names(void)
{
	static const char *const names[][2] = {
		{"a cat.png", "a cat.png"},
		{"", "file"},
		{" ", "file"},
		{".", "file"},
		{"..", "file"},
		{"...", "..."},
		{".profile", ".profile"},
		{"../../etc/passwd", ".._.._etc_passwd"},
		{"C:\\a", "C:_a"},
		{"/", "_"},
		{"\xe2\x80\xaegpj.exe", "gpj.exe"}, /* U+202E turns what follows around */
		{"\xe2\x81\xa6x\xe2\x81\xa9", "x"}, /* isolates */
		{"\xe7\x8c\xab", "\xe7\x8c\xab"},
		{"\xe2\x80\xae", "file"},
		{"\xe2\x80\xae..", "file"},
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		is_str(clean(names[i][0]), names[i][1], "the name '%s'", names[i][0]);
}

int main(void)
{
	test_ids();
	test_refs();
	test_names();
	buf_fini(&text);
	return done_testing();
}
