/* SPDX-License-Identifier: BSD-2-Clause */
/* In which order the sessions are given the messages of a conversation, however they come, and how long one waits. */
#include "core/base.h"
#include "live/feed.h"

#include "core/buf.h"
#include "live/push.h"
#include "live/session.h"

#include "../tap.h"
#include "clock_kit.h"

#include <stdlib.h>

#define HELD_MAX 128
#define CONVERSATION 7

static struct live live;
static struct wheel *wheel;
static bool up;
static struct user *alice, *bob;
static struct session *session;

/* What was given, each followed by a space: a message is its number, a change has a c in front. */
static struct buf given;
/* Who of those that were given something was left out; "" for nobody. */
static char except[SESSION_ID_LEN + 1];
static const struct user *given_to;

/* ---- what feed.c calls ---- */

struct wheel *loop_wheel(struct loop *l)
{
	return wheel;
}

bool bus_is_up(const struct bus *b)
{
	return up;
}

static void on_given(void *who, const struct feed_item *item)
{
	struct blob *bytes = ws_frame_bytes(item->frame, NULL, 0);
	/* Behind the two bytes that head a short frame. */
	buf_append(&given, bytes->data + 2, bytes->len - 2);
	buf_append_char(&given, ' ');
	snprintf(except, sizeof(except), "%s", item->except_id != NULL ? item->except_id : "");
	given_to = who;
}

/* What becomes of a gap that is given up is not asked here. */
static void on_missing(void *who)
{
}

static bool listens_since(const void *who, int64_t ms)
{
	return session->greeted && (uint32_t)now_ms - session->greeted_ms >= (uint32_t)ms;
}

static const struct feed_kind to_user = {.give = on_given, .missing = on_missing, .listens_since = listens_since};

/* ---- */

static const char *all_given(void)
{
	return buf_cstr(&given);
}

static void pass(int64_t ms)
{
	wheel_pass(wheel, ms);
}

static struct user *user_new(const char *id)
{
	struct user *u = xcalloc(1, sizeof(*u) + strlen(id) + 1);
	memcpy(u->id, id, strlen(id) + 1);
	SLIST_INIT(&u->sessions);
	LIST_INIT(&u->feeds);
	return u;
}

/* Users and conversations of whom nothing is known; the session is open for as long as given. */
static void begin(int64_t open_ms)
{
	feed_forget(&alice->feeds);
	feed_forget(&bob->feeds);
	up = true;
	session->greeted = true;
	session->greeted_ms = (uint32_t)(clock_mono_ms() - open_ms);
	buf_clear(&given);
	except[0] = '\0';
}

static void deliver(struct user *u, uint64_t conversation, uint64_t seq, enum bus_kind kind, int64_t gap_ms,
		    const struct session *but)
{
	char text[32];
	struct push_place place = {kind, message_id_make(conversation, seq), gap_ms};
	int n = snprintf(text, sizeof(text), "%s%llu", kind == BUS_CHANGE ? "c" : "", (unsigned long long)seq);
	struct ws_frame *frame = ws_frame_new((struct str){text, (size_t)n});
	feed_deliver(&live, &(struct feed_owner){&to_user, u, &u->feeds}, &place, frame, but, NULL);
	ws_frame_unref(frame);
}

/* Alice's; the message before it is old. */
static void message(uint64_t seq)
{
	deliver(alice, CONVERSATION, seq, BUS_MESSAGE, INT64_MAX, NULL);
}

static void change(uint64_t seq)
{
	deliver(alice, CONVERSATION, seq, BUS_CHANGE, 0, NULL);
}

static void test_in_order(void)
{
	begin(0);
	message(5);
	is_str(all_given(), "5 ", "the first message that is heard of is given at once");
	message(6);
	message(7);
	is_str(all_given(), "5 6 7 ", "those that come in order, too");
	ok(given_to == alice && except[0] == '\0', "to all sessions of the user");
}

static void test_ahead(void)
{
	begin(0);
	message(1);
	message(4);
	message(3);
	message(5);
	is_str(all_given(), "1 ", "those ahead of their predecessor wait");
	message(2);
	is_str(all_given(), "1 2 3 4 5 ", "until it comes; then all are given, in order");
	message(8);
	message(6);
	is_str(all_given(), "1 2 3 4 5 6 ", "what is behind a second gap waits on");
	message(7);
	is_str(all_given(), "1 2 3 4 5 6 7 8 ", "until that is closed, too");
}

static void test_patience(void)
{
	begin(0);
	message(1);
	message(3);
	pass(FEED_PATIENCE_MS - WHEEL_TICK_MS);
	is_str(all_given(), "1 ", "a message waits for its predecessor");
	message(5);
	pass(2 * WHEEL_TICK_MS);
	is_str(all_given(), "1 3 5 ", "but not for ever: after a while what is behind the gap is given");
	message(6);
	is_str(all_given(), "1 3 5 6 ", "and the next one is in order again");
	message(8);
	pass(FEED_PATIENCE_MS - WHEEL_TICK_MS);
	is_str(all_given(), "1 3 5 6 ", "a second gap has as much patience as the first");
	pass(2 * WHEEL_TICK_MS);
	is_str(all_given(), "1 3 5 6 8 ", "and no more");
}

static void test_bound(void)
{
	struct buf want = {0};
	begin(0);
	message(1);
	buf_append_str(&want, STR_LIT("1 "));
	for (uint64_t seq = 3; seq < 3 + HELD_MAX; seq++)
		message(seq);
	is_str(all_given(), "1 ", "a bounded number of messages waits");
	message(3 + HELD_MAX);
	for (int seq = 3; seq <= 3 + HELD_MAX; seq++) {
		char text[16];
		buf_append(&want, text, (size_t)snprintf(text, sizeof(text), "%d ", seq));
	}
	is_str(all_given(), buf_cstr(&want), "with one more what is behind the gap is given, in order");
	buf_clear(&given);
	message(4 + HELD_MAX);
	is_int(given.len, 4, "and the next one is in order again");
	buf_fini(&want);
}

static void test_changes(void)
{
	begin(0);
	change(9);
	is_str(all_given(), "c9 ", "a change of a message of which nothing is known is given at once");
	message(12);
	is_str(all_given(), "c9 12 ", "and is no message: nothing waits because of it");
	change(12);
	change(3);
	is_str(all_given(), "c9 12 c12 c3 ", "that of a message that was given is given at once, too");

	begin(0);
	message(10);
	change(12);
	change(11);
	is_str(all_given(), "10 ", "but that of one to come waits");
	message(11);
	is_str(all_given(), "10 11 c11 ", "and is given behind it, and behind no other");
	message(13);
	message(12);
	is_str(all_given(), "10 11 c11 12 c12 13 ", "before the message that follows");
	change(16);
	message(15);
	message(16);
	change(15);
	pass(FEED_PATIENCE_MS + WHEEL_TICK_MS);
	is_str(all_given(), "10 11 c11 12 c12 13 15 c15 16 c16 ", "also where they waited in vain");

	begin(0);
	message(1);
	change(2);
	is_str(all_given(), "1 ", "a change may wait alone");
	pass(FEED_PATIENCE_MS + WHEEL_TICK_MS);
	is_str(all_given(), "1 c2 ", "it is given all the same");
	message(3);
	is_str(all_given(), "1 c2 ", "but its message may still come");
	message(2);
	is_str(all_given(), "1 c2 2 3 ", "and is in order then");
}

static void test_first(void)
{
	begin(1000);
	deliver(alice, CONVERSATION, 5, BUS_MESSAGE, 500, NULL);
	is_str(all_given(), "", "the first one waits where the one before it is so young that it may still come");
	deliver(alice, CONVERSATION, 4, BUS_MESSAGE, INT64_MAX, NULL);
	is_str(all_given(), "4 5 ", "and is given behind it");

	begin(1000);
	deliver(alice, CONVERSATION, 5, BUS_MESSAGE, 500, NULL);
	pass(FEED_PATIENCE_MS + WHEEL_TICK_MS);
	is_str(all_given(), "5 ", "or when patience is at its end");
	deliver(alice, CONVERSATION, 6, BUS_MESSAGE, 10, NULL);
	is_str(all_given(), "5 6 ", "from then on it is known where the conversation is");

	begin(1000);
	deliver(alice, CONVERSATION, 6, BUS_MESSAGE, 500, NULL);
	message(8);
	is_str(all_given(), "", "a later message does not go before one that waits");
	message(5);
	message(7);
	is_str(all_given(), "5 6 7 8 ", "all are in order");

	begin(1000);
	deliver(alice, CONVERSATION, 6, BUS_MESSAGE, 10, NULL);
	deliver(alice, CONVERSATION, 5, BUS_MESSAGE, 10, NULL);
	is_str(all_given(), "", "where the one before that is as young, it is waited for as well");
	deliver(alice, CONVERSATION, 4, BUS_MESSAGE, INT64_MAX, NULL);
	is_str(all_given(), "4 5 6 ", "and all three are in order");

	begin(100);
	deliver(alice, CONVERSATION, 5, BUS_MESSAGE, 500, NULL);
	is_str(all_given(), "5 ", "one from before the hello is not waited for");

	begin(60000);
	deliver(alice, CONVERSATION, 5, BUS_MESSAGE, FEED_PATIENCE_MS, NULL);
	is_str(all_given(), "5 ", "nor one that would have come by now");

	begin(60000);
	deliver(alice, CONVERSATION, 1, BUS_MESSAGE, 0, NULL);
	is_str(all_given(), "1 ", "nor one before the very first");
	deliver(alice, CONVERSATION, 2, BUS_MESSAGE, 0, NULL);
	is_str(all_given(), "1 2 ", "and the second one is behind it");
}

static void test_memory(void)
{
	begin(0);
	message(1);
	pass(FEED_MEMORY_MS - 1000);
	message(2);
	pass(FEED_MEMORY_MS - 1000);
	message(4);
	is_str(all_given(), "1 2 ", "what was given is remembered from the last message on");
	message(3);
	pass(FEED_MEMORY_MS + 2 * WHEEL_TICK_MS);
	ok(live.feeds == NULL && LIST_EMPTY(&alice->feeds), "it is forgotten after as much silence");
	message(9);
	is_str(all_given(), "1 2 3 4 9 ", "then the next message is taken as it comes");
}

static void test_apart(void)
{
	begin(0);
	message(1);
	deliver(alice, CONVERSATION + 1, 7, BUS_MESSAGE, INT64_MAX, NULL);
	deliver(bob, CONVERSATION, 3, BUS_MESSAGE, INT64_MAX, NULL);
	is_str(all_given(), "1 7 3 ", "each conversation of each user is in an order of its own");
	message(3);
	deliver(bob, CONVERSATION, 4, BUS_MESSAGE, INT64_MAX, NULL);
	ok(given_to == bob, "and each user is given their own");
	is_str(all_given(), "1 7 3 4 ", "also while another user waits for one");
	/* The sender's session may be gone when the turn of its message has come. */
	char id[SESSION_ID_LEN + 1];
	session->number = 1;
	session_id(session, id);
	deliver(alice, CONVERSATION, 4, BUS_MESSAGE, INT64_MAX, session);
	session->number = 0;
	message(2);
	is_str(all_given(), "1 7 3 4 2 3 4 ", "and the others go on when theirs has come");
	is_str(except, id, "the session that is left out is so when the turn has come, too");
	session->number = 2;
	session_id(session, id);
	deliver(alice, CONVERSATION, 5, BUS_MESSAGE, INT64_MAX, session);
	is_str(except, id, "and where it comes at once");
	deliver(alice, CONVERSATION + 2, 5, BUS_CHANGE, 0, session);
	is_str(except, id, "also from a change of which nothing is known");
	session->number = 0;
}

static void test_redis_away(void)
{
	begin(0);
	message(1);
	message(3);
	deliver(bob, CONVERSATION, 1, BUS_MESSAGE, INT64_MAX, NULL);
	deliver(bob, CONVERSATION, 4, BUS_MESSAGE, INT64_MAX, NULL);
	is_str(all_given(), "1 1 ", "two users' messages wait");
	up = false;
	feed_release_all(&live);
	ok(strcmp(all_given(), "1 1 3 4 ") == 0 || strcmp(all_given(), "1 1 4 3 ") == 0,
	   "Redis is away: all that wait are given (%s)", all_given());
	buf_clear(&given);
	message(7);
	message(9);
	change(12);
	is_str(all_given(), "7 9 c12 ", "nothing waits for what cannot come");
	up = true;
	message(11);
	is_str(all_given(), "7 9 c12 ", "but when it is back");
	message(10);
	is_str(all_given(), "7 9 c12 10 11 ", "in the order that the messages had meanwhile");
}

static void test_forget(void)
{
	begin(0);
	message(1);
	message(3);
	deliver(alice, CONVERSATION + 1, 1, BUS_MESSAGE, INT64_MAX, NULL);
	deliver(bob, CONVERSATION, 1, BUS_MESSAGE, INT64_MAX, NULL);
	deliver(bob, CONVERSATION, 3, BUS_MESSAGE, INT64_MAX, NULL);
	buf_clear(&given);
	feed_forget(&alice->feeds);
	ok(LIST_EMPTY(&alice->feeds) && !LIST_EMPTY(&bob->feeds), "a user is forgotten, the other is not");
	is_str(all_given(), "", "what waited for them is given to nobody");
	pass(FEED_PATIENCE_MS + WHEEL_TICK_MS);
	is_str(all_given(), "3 ", "nor later, unlike the other's");
	feed_forget(&bob->feeds);
	ok(live.feeds == NULL, "nothing is left");
}

int main(void)
{
	wheel = wheel_new(clock_mono_ms());
	alice = user_new("alice");
	bob = user_new("bob");
	session = xcalloc(1, sizeof(*session));
	session->live = &live;
	SLIST_INSERT_HEAD(&alice->sessions, session, of_user);
	test_in_order();
	test_ahead();
	test_patience();
	test_bound();
	test_changes();
	test_first();
	test_memory();
	test_apart();
	test_redis_away();
	test_forget();
	wheel_free(&wheel);
	buf_fini(&given);
	free(session);
	free(alice);
	free(bob);
	return done_testing();
}
