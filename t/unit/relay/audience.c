/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom rows of the outbox concern: each once, and what is no item is stepped over. */
#include "core/base.h"
#include "relay/audience.h"

#include "../tap.h"
#include "core/id.h"
#include "store/outbox_items.h"

#define GROUP(n) message_id_make(GROUP_ID_MIN + (n), 1)

static struct audience a;
static struct buf items;

static bool add(void)
{
	bool fine = audience_add_row(&a, (struct str){items.data != NULL ? items.data : "", items.len});
	buf_clear(&items);
	return fine;
}

static void with_user(const char *user)
{
	outbox_put_user(&items, str_from(user));
}

/* "u:alice=U c:17179869184=Y" */
static const char *listeners(void)
{
	static char text[1024];
	size_t len = 0;
	text[0] = '\0';
	for (size_t i = 0; i < a.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s=%c", i != 0 ? " " : "",
					(int)a.order[i]->topic_len, a.order[i]->topic, (char)a.order[i]->kind);
	return text;
}

static void test_items(void)
{
	ok(add() && audience_size(&a) == 0, "a row without items concerns nobody");
	with_user("alice");
	outbox_put_id(&items, OUTBOX_SENT, message_id_make(9, 3));
	outbox_put_id(&items, OUTBOX_READ, message_id_make(7, 0));
	outbox_put_id(&items, OUTBOX_RECALLED, message_id_make(9, 1));
	outbox_put_id(&items, OUTBOX_DELETED, message_id_make(8, 1));
	outbox_put_id(&items, OUTBOX_DELETED, message_id_make(7, 2));
	outbox_put_id(&items, OUTBOX_EDITED, message_id_make(6, 1));
	with_user("alice");
	ok(add(), "items of all kinds");
	audience_sort(&a);
	is_str(listeners(), "u:alice=U", "a user once");
	ok(a.conversations == 4 && a.conversation[0] == 6 && a.conversation[1] == 7 && a.conversation[2] == 8 &&
		   a.conversation[3] == 9,
	   "each conversation once");
	is_int(audience_size(&a), 9, "which is up to two users each");
	audience_clear(&a);

	outbox_put_id(&items, OUTBOX_SENT, GROUP(0));
	with_user("before");
	outbox_put_id(&items, OUTBOX_GROUP, GROUP(1));
	with_user("after");
	with_user("last");
	ok(add(), "items of groups");
	is_str(listeners(), "c:17179869184=Y u:before=U c:17179869185=Y u:after=Y u:last=Y",
	       "the memberships of those are looked at who follow what became of a group");
	with_user("last");
	with_user("before");
	outbox_put_id(&items, OUTBOX_GROUP, GROUP(1));
	with_user("before");
	ok(add(), "in another row");
	is_str(listeners(), "c:17179869184=Y u:before=Y c:17179869185=Y u:after=Y u:last=Y",
	       "or anybody who follows such a thing once");
	audience_clear(&a);
	is_str(listeners(), "", "nobody is left");
	outbox_put_id(&items, OUTBOX_GROUP, 0);
	with_user("made");
	ok(add(), "a group that was just made");
	is_str(listeners(), "u:made=Y", "is told to its members alone");
	audience_clear(&a);
}

static bool add_bytes(const char *bytes, size_t len)
{
	buf_append(&items, bytes, len);
	return add();
}

static void test_malformed(void)
{
	with_user("alice");
	ok(!add_bytes("s\0\0", 3), "half a number");
	is_str(listeners(), "u:alice=U", "does not undo what comes before");
	audience_clear(&a);
	ok(!add_bytes("u\x05"
		      "ali",
		      5),
	   "half a user");
	ok(!add_bytes("u\0", 2), "a user without a name");
	ok(!add_bytes("u\x03"
		      "a b",
		      5),
	   "one that cannot be");
	ok(!add_bytes("\xff\xff\xff", 3), "bytes");
	ok(!add_bytes("s\xff\xff\xff\xff\xff\xff\xff\xff", 9), "an id that cannot be");
	ok(!add_bytes("s\0\0\0\0\0\0\0\x05", 9), "or of no conversation");
	is_str(listeners(), "", "concern nobody");
	is_int(a.conversations, 0, "and no conversation");
	outbox_put_id(&items, (enum outbox_kind)'z', 77);
	with_user("bob");
	ok(!add(), "a kind that is not known is told");
	is_str(listeners(), "u:bob=U", "but stepped over");
	audience_clear(&a);
	audience_add_user(&a, STR_LIT("not a user"));
	audience_add_user(&a, STR_NULL);
	is_str(listeners(), "", "what the database names as a user and is none is left out");
}

static void test_many(void)
{
	char name[32];
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 5000; i++) {
			snprintf(name, sizeof(name), "user%d", i);
			with_user(name);
			outbox_put_id(&items, OUTBOX_SENT, message_id_make(1 + (uint64_t)(i * 7919 % 5000), 1));
		}
	ok(add(), "many");
	audience_sort(&a);
	ok(a.count == 5000 && a.conversations == 5000, "each once");
	unsigned wrong = 0;
	for (size_t i = 0; i < a.conversations; i++)
		wrong += a.conversation[i] != i + 1;
	is_int(wrong, 0, "and none is missing");
}

int main(void)
{
	audience_init(&a);
	test_items();
	test_malformed();
	test_many();
	audience_fini(&a);
	buf_fini(&items);
	return done_testing();
}
