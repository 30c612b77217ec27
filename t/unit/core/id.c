/* SPDX-License-Identifier: BSD-2-Clause */
/* Which identifiers are taken, byte by byte; that random ones differ, also between a parent and its children. */
#include "core/base.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/id.h"
#include "../tap.h"

#define USER_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@:-"
#define RANDOM_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

static void test_characters(void)
{
	bool user = true, client = true;
	for (int c = 0; c < 256; c++) {
		char text[3] = {'a', (char)c, 'b'};
		struct str s = {text, 3};
		user = user && id_user_valid(s) == (c != 0 && strchr(USER_CHARS, c) != NULL);
		client = client && id_client_msg_valid(s) == (c >= 0x21 && c <= 0x7E);
	}
	ok(user, "user ids take their 67 characters and no other byte");
	ok(client, "client_msg_ids take ! to ~ and no other byte");
}

static void test_lengths(void)
{
	char text[80];
	memset(text, 'x', sizeof(text));
	ok(!id_user_valid(STR_NULL) && !id_client_msg_valid(STR_NULL), "absent");
	ok(!id_user_valid(STR_LIT("")) && !id_client_msg_valid(STR_LIT("")), "empty");
	ok(id_user_valid((struct str){text, 1}) && id_client_msg_valid((struct str){text, 1}), "one character");
	ok(id_user_valid((struct str){text, 64}) && id_client_msg_valid((struct str){text, 64}), "64 characters");
	ok(!id_user_valid(STR_LIT(".")) && !id_user_valid(STR_LIT("..")), "no user is a dot segment of a path");
	ok(id_user_valid(STR_LIT("...")) && id_user_valid(STR_LIT(".a")) && id_user_valid(STR_LIT("..a")) &&
		   id_user_valid(STR_LIT("a..")) && id_client_msg_valid(STR_LIT("..")),
	   "other ids may have dots");
	ok(id_worker_valid(STR_LIT("azAZ09_-")), "a worker's name");
	ok(!id_worker_valid(STR_LIT("azAZ09_")) && !id_worker_valid(STR_LIT("azAZ09_-a")) &&
		   !id_worker_valid(STR_NULL) && !id_worker_valid(STR_LIT("azAZ09_.")) &&
		   !id_worker_valid(STR_LIT("\0\0\0\0\0\0\0\0")),
	   "and what is none");
	ok(id_name_valid(STR_LIT("azAZ09_-.")) && id_name_valid((struct str){text, 64}), "the name of a pack");
	ok(!id_name_valid((struct str){text, 65}) && !id_name_valid(STR_LIT("")) && !id_name_valid(STR_NULL) &&
		   !id_name_valid(STR_LIT("..")) && !id_name_valid(STR_LIT(".a")) && !id_name_valid(STR_LIT("a/b")) &&
		   !id_name_valid(STR_LIT("a:b")) && !id_name_valid(STR_LIT("a@b")) && !id_name_valid(STR_LIT("a\0b")),
	   "no name of a pack");
	ok(id_invite_code_valid(STR_LIT("azAZ09_-")) && id_invite_code_valid((struct str){text, 64}), "a code");
	ok(!id_invite_code_valid((struct str){text, 65}) && !id_invite_code_valid(STR_LIT("")) &&
		   !id_invite_code_valid(STR_NULL) && !id_invite_code_valid(STR_LIT("a.b")) &&
		   !id_invite_code_valid(STR_LIT("a/b")) && !id_invite_code_valid(STR_LIT("'")),
	   "no code");
	ok(!id_user_valid((struct str){text, 65}) && !id_client_msg_valid((struct str){text, 65}), "65 characters");
}

static void test_numbers(void)
{
	static const struct {
		const char *text;
		uint64_t v;
	} good[] = {
		{"0", 0},
		{"1", 1},
		{"1970324836974593", UINT64_C(1970324836974593)},
		{"9223372036854775808", UINT64_C(9223372036854775808)},
		{"18446744073709551615", UINT64_MAX},
	};
	static const char *const bad[] = {
		"",
		"00",
		"01",
		"-1",
		"+1",
		" 1",
		"1 ",
		"1.0",
		"1e3",
		"0x1",
		"18446744073709551616",
		"18446744073709551620",
		"99999999999999999999",
		"100000000000000000000",
		"a",
		"/",
		":",
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint64_t v = 77;
		ok(id_parse_u64(str_from(good[i].text), &v) == 0 && v == good[i].v, "reads %s", good[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t v = 77;
		ok(id_parse_u64(str_from(bad[i]), &v) == -1 && v == 77, "refuses '%s'", bad[i]);
	}
	uint64_t v;
	ok(id_parse_u64(STR_NULL, &v) == -1, "refuses an absent one");
	ok(id_parse_u64((struct str){"1\0", 2}, &v) == -1, "refuses a NUL inside");
}

static void test_message_ids(void)
{
	uint64_t id = message_id_make(7340032, 1);
	is_int(id, 1970324836974593, "a message's id is its place");
	is_int(message_id_conversation(id), 7340032, "its conversation");
	is_int(message_id_seq(id), 1, "its seq");
	id = message_id_make(CONVERSATION_ID_MAX, MESSAGE_SEQ_MAX);
	is_int(id, INT64_MAX, "the last one is the last of a signed 64-bit column");
	ok(message_id_conversation(id) == CONVERSATION_ID_MAX && message_id_seq(id) == MESSAGE_SEQ_MAX,
	   "and comes apart");
}

static void test_random(void)
{
	char a[33], b[33];
	id_random(a, 32);
	id_random(b, 32);
	is_int(strlen(a), 32, "as long as asked for");
	ok(strcmp(a, b) != 0, "two differ");
	id_random(a, 0);
	is_str(a, "", "of no length");

	static char text[64 * 200 + 1];
	size_t seen[256] = {0};
	id_random(text, sizeof(text) - 1);
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		seen[(unsigned char)text[i]]++;
	size_t sum = 0, least = SIZE_MAX, most = 0;
	for (const char *c = RANDOM_CHARS; *c != '\0'; c++) {
		size_t n = seen[(unsigned char)*c];
		sum += n;
		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	is_int(sum, sizeof(text) - 1, "only the 64 characters");
	/* 200 of each expected, with a standard deviation of 14: eight of them away never happens. */
	ok(least > 88 && most < 312, "each about as often (%zu to %zu)", least, most);
}

/* The pool was filled before the fork: parent and child must not draw the same bytes from it. */
static void test_fork(void)
{
	char mine[33] = "", childs[33] = "";
	int fds[2];
	if (pipe(fds) != 0)
		abort();
	id_random(mine, 4);
	pid_t pid = fork();
	if (pid == 0) {
		id_random(childs, 32);
		_exit(write(fds[1], childs, 33) == 33 ? 0 : 1);
	}
	id_random(mine, 32);
	int status = 1;
	waitpid(pid, &status, 0);
	ok(status == 0 && read(fds[0], childs, 33) == 33, "a child makes one");
	ok(strlen(childs) == 32 && strcmp(mine, childs) != 0, "which is not its parent's");
	close(fds[0]);
	close(fds[1]);
}

static void test_session_ids(void)
{
	char a[SESSION_ID_LEN + 1], b[SESSION_ID_LEN + 1], odd[SESSION_ID_LEN + 1];
	const int64_t then_ms = INT64_C(1795402881123);
	id_session_make(a, then_ms, "originAB", 7);
	is_str(a, "1a20659d863originAB00007", "time, origin, number");
	is_int(id_session_since_ms(str_from(a)), then_ms, "and the time out of it");
	unsigned char packed[SESSION_ID_BYTES];
	char back[SESSION_ID_LEN + 1];
	ok(id_session_pack(a, packed), "packed");
	id_session_unpack(packed, back);
	is_str(back, a, "and unpacked");
	id_session_make(a, 0xfffffffffff, "_-Az09zZ", 0xfffff);
	ok(id_session_pack(a, packed), "the greatest one");
	id_session_unpack(packed, back);
	is_str(back, a, "too");
	a[SESSION_ID_LEN - 1] = '\0';
	ok(!id_session_pack(a, packed), "what is too short is not");
	a[0] = 'g';
	ok(!id_session_pack(a, packed), "nor what has another digit");
	id_session_make(a, then_ms, "originAB", 7);
	id_session_make(b, then_ms + 1, "_______A", 0);
	ok(strcmp(a, b) < 0, "the younger sorts later");
	id_session_make(b, then_ms, "originAB", 8);
	ok(strcmp(a, b) < 0, "and of one moment the second");
	id_session_make(b, then_ms, "originAB", 0x100007);
	is_str(b, a, "numbers begin anew");
	memcpy(odd, a, sizeof(odd));
	odd[10] = 'g';
	is_int(id_session_since_ms(str_from(odd)), 0, "what is no time");
	is_int(id_session_since_ms(STR_LIT("1a20659d863")), 0, "or no id");
}

int main(void)
{
	test_characters();
	test_lengths();
	test_numbers();
	test_message_ids();
	test_session_ids();
	test_random();
	test_fork();
	return done_testing();
}
