/* SPDX-License-Identifier: BSD-2-Clause */
/* In which order one user's sessions are given messages, and when they are told that something is missing. */
#include "core/base.h"
#include "live/order.h"

#include "core/clock.h"
#include "live/push.h"

#include "../tap.h"

#include <stdio.h>
#include <stdlib.h>

#define CONVERSATION 7
#define LONG_AGO_MS 600000

static struct live live;
static struct wheel *wheel;
static _Atomic int64_t shift_ms;
static struct user *user;
static struct session *session;
static bool up = true;
static char given[4096]; /* what the sessions were given, and "resync" */

/* ---- what order.c calls ---- */

struct wheel *loop_wheel(struct loop *l)
{
	return wheel;
}

bool bus_is_up(const struct bus *b)
{
	return up;
}

static void note(const char *what)
{
	size_t len = strlen(given);
	snprintf(given + len, sizeof(given) - len, "%s%s", len != 0 ? " " : "", what);
}

/* Frames are names of messages here. */
void push_deliver(struct user *u, struct ws_frame *frame, const char *except_id)
{
	note((const char *)(const void *)frame);
}

struct ws_frame *ws_frame_ref(struct ws_frame *frame)
{
	return (struct ws_frame *)(void *)xstrdup((const char *)(const void *)frame);
}

void ws_frame_unref(struct ws_frame *frame)
{
	free(frame);
}

void resync_user(struct live *m, struct str user_id)
{
	note(str_is(user_id, user->id) ? "resync" : "another");
}

/* ---- */

static void pass(int64_t ms)
{
	for (; ms > 0; ms -= WHEEL_TICK_MS) {
		shift_ms += WHEEL_TICK_MS;
		wheel_advance(wheel, clock_mono_ms());
	}
}

static void arrives(enum bus_kind kind, uint64_t seq, int64_t gap_ms)
{
	char name[32];
	struct push_place place = {.kind = kind, .message_id = (uint64_t)CONVERSATION << 28 | seq, .gap_ms = gap_ms};
	snprintf(name, sizeof(name), "%s%u", kind == BUS_CHANGE ? "c" : "", (unsigned)seq);
	order_deliver(&live, user, &place, (struct ws_frame *)(void *)name, NULL);
}

static void message(uint64_t seq)
{
	arrives(BUS_MESSAGE, seq, 10);
}

/* A conversation whose message 1 was given a moment ago. */
static void begin(void)
{
	up = true;
	order_forget(user);
	arrives(BUS_MESSAGE, 1, LONG_AGO_MS);
	given[0] = '\0';
}

static void test_in_turn(void)
{
	begin();
	message(3);
	message(4);
	arrives(BUS_CHANGE, 4, 0);
	arrives(BUS_CHANGE, 2, 0);
	is_str(given, "", "what is ahead of its turn waits");
	message(2);
	is_str(given, "2 c2 3 4 c4", "and is given in its turn");
	pass(2 * ORDER_PATIENCE_MS);
	is_str(given, "2 c2 3 4 c4", "nobody is told of anything");
}

static void test_given_up(void)
{
	begin();
	message(4);
	message(5);
	message(7);
	pass(ORDER_PATIENCE_MS + 2 * WHEEL_TICK_MS);
	is_str(given, "4 5 7 resync", "gaps that are given up are told, once");
	message(3);
	message(2);
	message(6);
	message(8);
	is_str(given, "4 5 7 resync 8", "what arrives later is not given, and nobody is told again");
	message(10);
	pass(ORDER_PATIENCE_MS + 2 * WHEEL_TICK_MS);
	is_str(given, "4 5 7 resync 8 10 resync", "another gap is told again");
}

static void test_many_held(void)
{
	begin();
	for (uint64_t seq = 3; given[0] == '\0' && seq < 1000; seq++)
		message(seq);
	is_str(given + strlen(given) - 6, "resync", "a gap before too many messages is told");
}

static void test_change_of_missing(void)
{
	begin();
	arrives(BUS_CHANGE, 2, 0);
	pass(ORDER_PATIENCE_MS + 2 * WHEEL_TICK_MS);
	is_str(given, "c2 resync", "a change of a message that is missing");
	message(2);
	is_str(given, "c2 resync 2", "which is in its turn still");
}

static void test_late(void)
{
	begin();
	order_forget(user);
	arrives(BUS_MESSAGE, 9, LONG_AGO_MS);
	is_str(given, "9", "one whose predecessor is old is not held");
	arrives(BUS_MESSAGE, 7, LONG_AGO_MS);
	arrives(BUS_MESSAGE, 8, LONG_AGO_MS);
	message(10);
	is_str(given, "9 resync 10", "if those arrive after all they are not given, but told of");
}

/* What was sent before hello may never come: Redis was asked for it only then. */
static void test_before_hello(void)
{
	begin();
	order_forget(user);
	uint32_t greeted_ms = session->greeted_ms;
	session->greeted_ms = (uint32_t)clock_mono_ms();
	arrives(BUS_MESSAGE, 9, 500);
	is_str(given, "9", "what was sent before hello is not waited for");
	order_forget(user);
	session->greeted_ms = greeted_ms;
	arrives(BUS_MESSAGE, 19, 500);
	is_str(given, "9", "what was sent after it is");
}

static void test_without_redis(void)
{
	begin();
	message(3);
	up = false;
	order_release_all(&live);
	is_str(given, "3 resync", "where Redis goes away a gap is given up at once");
	message(5);
	is_str(given, "3 resync 5", "and nothing is held");
	up = true;
	message(4);
	is_str(given, "3 resync 5 resync", "what was on its way is not given behind a later one");
	order_release_all(&live);
	arrives(BUS_MESSAGE, 20, LONG_AGO_MS);
	is_str(given, "3 resync 5 resync 20", "when Redis is back what was missed is not waited for");
	message(22);
	message(21);
	is_str(given, "3 resync 5 resync 20 21 22", "but what follows is put in order");
	order_release_all(&live);
	message(25);
	message(24);
	is_str(given, "3 resync 5 resync 20 21 22", "nor is one given whose predecessor may follow");
	message(23);
	pass(ORDER_PATIENCE_MS + 2 * WHEEL_TICK_MS);
	is_str(given, "3 resync 5 resync 20 21 22 23 24 25", "until it does");
}

static void test_memory(void)
{
	begin();
	pass(ORDER_MEMORY_MS + 2 * WHEEL_TICK_MS);
	ok(LIST_EMPTY(&user->ordered), "a silent conversation is forgotten");
}

int main(void)
{
	clock_share_shift(&shift_ms);
	wheel = wheel_new(clock_mono_ms());
	user = xcalloc(1, sizeof(*user) + 6);
	memcpy(user->id, "alice", 6);
	session = xcalloc(1, sizeof(*session) + 1);
	session->live = &live;
	session->greeted = 1;
	session->greeted_ms = (uint32_t)clock_mono_ms() - 5000;
	LIST_INSERT_HEAD(&user->sessions, session, of_user);
	test_in_turn();
	test_given_up();
	test_many_held();
	test_change_of_missing();
	test_late();
	test_before_hello();
	test_without_redis();
	test_memory();
	order_forget(user);
	wheel_free(&wheel);
	free(session);
	free(user);
	return done_testing();
}
