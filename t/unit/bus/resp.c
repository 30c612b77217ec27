/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies out of bytes, however they are cut, and what is refused. */
#include "core/base.h"
#include "bus/resp.h"

#include <stdlib.h>

#include "../tap.h"

static struct resp *feed(struct resp_reader *r, const char *bytes, size_t len, bool *failed_r)
{
	struct resp *reply = NULL;
	const char *err = NULL;
	*failed_r = resp_feed(r, bytes, len, &err) != 0 || resp_next(r, &reply, &err) < 0;
	if (*failed_r && (err == NULL || err[0] == '\0'))
		printf("# no reason given\n");
	return reply;
}

static bool refused(const char *bytes)
{
	struct resp_reader *r = resp_reader_new();
	bool failed;
	struct resp *reply = feed(r, bytes, strlen(bytes), &failed);
	resp_free(reply);
	resp_reader_free(&r);
	return failed;
}

static void test_kinds(void)
{
	static const char bytes[] =
		"+OK\r\n-ERR no\r\n:-12\r\n$-1\r\n$3\r\na\0b\r\n*3\r\n$7\r\nmessage\r\n:1\r\n$-1\r\n*0\r\n";
	struct resp_reader *r = resp_reader_new();
	struct resp *got[7] = {NULL};
	const char *err = NULL;
	size_t n = 0;
	/* One byte at a time. */
	for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
		struct resp *reply;
		if (resp_feed(r, bytes + i, 1, &err) != 0 || resp_next(r, &reply, &err) < 0)
			break;
		if (reply != NULL && n < ARRAY_LEN(got))
			got[n++] = reply;
	}
	is_int(n, 7, "seven replies, fed byte by byte");
	ok(got[0]->type == RESP_STATUS && str_is(got[0]->text, "OK"), "a status");
	ok(got[1]->type == RESP_ERROR && str_is(got[1]->text, "ERR no"), "an error");
	ok(got[2]->type == RESP_INTEGER && got[2]->integer == -12, "an integer");
	ok(got[3]->type == RESP_NIL, "nothing");
	ok(got[4]->type == RESP_STRING && str_equal(got[4]->text, (struct str){"a\0b", 3}), "a string with a NUL");
	ok(got[5]->type == RESP_ARRAY && got[5]->count == 3 && str_is(got[5]->item[0]->text, "message") &&
		   got[5]->item[1]->integer == 1 && got[5]->item[2]->type == RESP_NIL,
	   "an array");
	ok(got[6]->type == RESP_ARRAY && got[6]->count == 0, "an empty one");
	for (size_t i = 0; i < n; i++)
		resp_free(got[i]);
	resp_reader_free(&r);
	resp_reader_free(&r);
}

static void test_refused(void)
{
	ok(refused("HTTP/1.1 400 Bad Request\r\n"), "another protocol");
	ok(refused("*2000000000\r\n"), "an array too long");
	ok(refused("*-2\r\n"), "an array of a negative length");
	ok(refused("*1\r\n*1\r\n:1\r\n"), "an array in an array");
	ok(refused("$-5\r\n"), "a string of a negative length");
	ok(refused("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n!1\r\n"), "an unknown kind within an array");
	ok(refused(":12x\r\n"), "an integer that is none");
	ok(!refused("*1024\r\n"), "an array as long as allowed");

	struct resp_reader *r = resp_reader_new();
	static char zeroes[65536];
	const char *err = NULL;
	struct resp *reply = NULL;
	size_t fed = 0;
	int rc = resp_feed(r, "$1000000000\r\n", 13, &err);
	while (rc == 0 && fed < 2 * RESP_MAX_BYTES) {
		rc = resp_feed(r, zeroes, sizeof(zeroes), &err);
		if (rc == 0 && resp_next(r, &reply, &err) != 0)
			break;
		fed += sizeof(zeroes);
	}
	ok(rc == -1 && err != NULL && fed <= RESP_MAX_BYTES, "a string too large is not waited for");
	resp_reader_free(&r);
}

static void test_command(void)
{
	struct buf out = {0};
	resp_command(&out, 3, (struct str[]){STR_LIT("PUBLISH"), STR_LIT("a b"), {"x\0\r\n", 4}});
	static const char want[] = "*3\r\n$7\r\nPUBLISH\r\n$3\r\na b\r\n$4\r\nx\0\r\n\r\n";
	ok(out.len == sizeof(want) - 1 && memcmp(out.data, want, out.len) == 0, "a command of any bytes");
	buf_fini(&out);
}

int main(void)
{
	test_kinds();
	test_refused();
	test_command();
	return done_testing();
}
