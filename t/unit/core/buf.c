/* SPDX-License-Identifier: BSD-2-Clause */
/* Buffers grow without losing bytes; blobs live exactly as long as they are held. */
#include "core/base.h"

#include "core/buf.h"
#include "../tap.h"

static void test_empty(void)
{
	struct buf b = {0};
	is_str(buf_cstr(&b), "", "an empty buffer is an empty string");
	is_int(b.len, 0, "its NUL is not counted");
	buf_fini(&b);
	ok(b.data == NULL && b.cap == 0, "fini leaves an empty buffer");

	buf_append(&b, NULL, 0);
	buf_append_str(&b, STR_NULL);
	ok(b.data == NULL, "appending nothing allocates nothing");
	buf_consume(&b, 0);
	buf_shrink(&b, 0);
	buf_fini(&b);
	ok(b.data == NULL, "an empty buffer can be consumed, shrunk and finished");
}

static void test_append(void)
{
	struct buf b = {0};
	for (int i = 0; i < 1000; i++)
		buf_append_char(&b, (char)('a' + i % 26));
	bool same = b.len == 1000;
	for (int i = 0; i < 1000; i++)
		same = same && b.data[i] == 'a' + i % 26;
	ok(same, "a thousand characters one by one");

	buf_clear(&b);
	is_int(b.len, 0, "clear forgets");
	ok(b.cap >= 1000, "clear keeps the memory");
	buf_append(&b, "ab", 2);
	buf_append_str(&b, STR_LIT("cd"));
	buf_append(&b, "\0e", 2);
	ok(b.len == 6 && memcmp(b.data, "abcd\0e", 6) == 0, "NUL is a byte like others");

	char *at = buf_reserve(&b, 100000);
	memset(at, 'z', 100000);
	b.len += 100000;
	ok(memcmp(b.data, "abcd\0e", 6) == 0 && b.data[100005] == 'z', "reserve keeps the content while it grows");
	buf_fini(&b);
}

static void test_numbers(void)
{
	static const struct {
		uint64_t v;
		const char *text;
	} cases[] = {
		{0, "0"},
		{9, "9"},
		{10, "10"},
		{1970324836974593, "1970324836974593"},
		{UINT64_MAX, "18446744073709551615"},
	};
	struct buf b = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&b);
		buf_append_u64(&b, cases[i].v);
		is_str(buf_cstr(&b), cases[i].text, "digits of %s", cases[i].text);
	}
	buf_fini(&b);
}

static void test_printf(void)
{
	struct buf b = {0};
	buf_printf(&b, "%s-%d", "x", 7);
	is_str(buf_cstr(&b), "x-7", "printf into an empty buffer");
	buf_printf(&b, "%s", "");
	is_int(b.len, 3, "printf of nothing");

	/* Each length around the first allocation, where the terminating NUL does or does not fit. */
	bool exact = true;
	for (int n = 1; n < 200; n++) {
		struct buf c = {0};
		buf_printf(&c, "%*d", n, 5);
		exact = exact && c.len == (size_t)n && c.data[n - 1] == '5' && (n == 1 || c.data[0] == ' ');
		buf_fini(&c);
	}
	ok(exact, "printf of every length up to 200");
	buf_fini(&b);
}

static void test_consume(void)
{
	struct buf b = {0};
	buf_append(&b, "hello world", 11);
	buf_consume(&b, 6);
	is_str(buf_cstr(&b), "world", "consume drops the front");
	buf_shrink(&b, 0);
	is_str(buf_cstr(&b), "world", "shrink leaves a buffer in use alone");
	buf_consume(&b, 5);
	is_int(b.len, 0, "consume all");
	buf_shrink(&b, 1 << 20);
	ok(b.data != NULL, "shrink keeps what is allowed");
	buf_shrink(&b, 1);
	ok(b.data == NULL && b.cap == 0, "shrink gives back the rest");
}

static void test_blob(void)
{
	struct blob *b = blob_new("event", 5);
	ok(b->len == 5 && memcmp(b->data, "event", 5) == 0 && b->refs == 1, "a blob is a copy with one reference");
	ok(blob_ref(b) == b && b->refs == 2, "ref counts");
	blob_unref(b);
	ok(b->refs == 1 && b->data[4] == 't', "still there while one holds it");
	blob_unref(b);
	blob_unref(NULL);

	b = blob_alloc(0);
	is_int(b->len, 0, "an empty blob");
	blob_unref(b);
	b = blob_new(NULL, 0);
	is_int(b->len, 0, "an empty blob of no bytes");
	blob_unref(b);
}

int main(void)
{
	test_empty();
	test_append();
	test_numbers();
	test_printf();
	test_consume();
	test_blob();
	return done_testing();
}
