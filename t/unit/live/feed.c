/* SPDX-License-Identifier: BSD-2-Clause */
/* In which order a feed is given, and when those it is given to are told that something is missing. */
#include "core/base.h"
#include "live/feed.h"

#include "core/clock.h"
#include "live/push.h"
#include "live/session.h"

#include "../tap.h"

#include <stdio.h>
#include <stdlib.h>

#define CONVERSATION 7
#define LONG_AGO_MS 600000

static struct live live;
static struct wheel *wheel;
static _Atomic int64_t shift_ms;
static struct user *user;
static int64_t listens_ms; /* since then */
static bool up = true;
static char given[4096]; /* what the sessions were given, and "resync" */

/* ---- what feed.c calls ---- */

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
static void on_given(void *who, const struct feed_item *item)
{
	note((const char *)(const void *)item->frame);
	if (item->note != NULL)
		note(item->note);
}

static void on_too_late(void *who, const struct feed_item *item)
{
	note("late");
	if (item->note != NULL)
		note(item->note);
}

static void on_missing(void *who)
{
	note(who == user ? "resync" : "another");
}

static bool listens_since(const void *who, int64_t ms)
{
	return clock_mono_ms() - listens_ms >= ms;
}

static const struct feed_kind to_user = {.give = on_given, .missing = on_missing, .listens_since = listens_since};
/* This one is told of what comes too late. */
static const struct feed_kind to_group = {on_given, on_too_late, on_missing, listens_since};
static const struct feed_kind *kind = &to_user;

struct ws_frame *ws_frame_ref(struct ws_frame *frame)
{
	return (struct ws_frame *)(void *)xstrdup((const char *)(const void *)frame);
}

void ws_frame_unref(struct ws_frame *frame)
{
	free(frame);
}

/* ---- */

static void pass(int64_t ms)
{
	for (; ms > 0; ms -= WHEEL_TICK_MS) {
		shift_ms += WHEEL_TICK_MS;
		wheel_advance(wheel, clock_mono_ms());
	}
}

/* With what is to be done at its turn; NULL: nothing. */
static void arrives_with(enum bus_kind bus_kind, uint64_t seq, int64_t gap_ms, const char *what)
{
	char name[32];
	struct push_place place = {
		.kind = bus_kind, .message_id = (uint64_t)CONVERSATION << 28 | seq, .gap_ms = gap_ms};
	snprintf(name, sizeof(name), "%s%u", bus_kind == BUS_CHANGE ? "c" : "", (unsigned)seq);
	feed_deliver(&live, &(struct feed_owner){kind, user, &user->feeds}, &place, (struct ws_frame *)(void *)name,
		     NULL, what != NULL ? xstrdup(what) : NULL);
}

static void arrives(enum bus_kind bus_kind, uint64_t seq, int64_t gap_ms)
{
	arrives_with(bus_kind, seq, gap_ms, NULL);
}

static void message(uint64_t seq)
{
	arrives(BUS_MESSAGE, seq, 10);
}

/* A conversation whose message 1 was given a moment ago. */
static void begin(void)
{
	up = true;
	feed_forget(&user->feeds);
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
	pass(2 * FEED_PATIENCE_MS);
	is_str(given, "2 c2 3 4 c4", "nobody is told of anything");
}

static void test_given_up(void)
{
	begin();
	message(4);
	message(5);
	message(7);
	pass(FEED_PATIENCE_MS + 2 * WHEEL_TICK_MS);
	is_str(given, "resync 4 5 7", "gaps that are given up are told, once");
	message(3);
	message(2);
	message(6);
	message(8);
	is_str(given, "resync 4 5 7 8", "what arrives later is not given, and nobody is told again");
	message(10);
	pass(FEED_PATIENCE_MS + 2 * WHEEL_TICK_MS);
	is_str(given, "resync 4 5 7 8 resync 10", "another gap is told again");
}

static void test_many_held(void)
{
	begin();
	for (uint64_t seq = 3; given[0] == '\0' && seq < 1000; seq++)
		message(seq);
	given[6] = '\0';
	is_str(given, "resync", "a gap before too many messages is told");
}

static void test_change_of_missing(void)
{
	begin();
	arrives(BUS_CHANGE, 2, 0);
	pass(FEED_PATIENCE_MS + 2 * WHEEL_TICK_MS);
	is_str(given, "resync c2", "a change of a message that is missing");
	message(2);
	is_str(given, "resync c2 2", "which is in its turn still");
}

static void test_late(void)
{
	begin();
	feed_forget(&user->feeds);
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
	feed_forget(&user->feeds);
	int64_t since_ms = listens_ms;
	listens_ms = clock_mono_ms();
	arrives(BUS_MESSAGE, 9, 500);
	is_str(given, "9", "what was sent before hello is not waited for");
	feed_forget(&user->feeds);
	listens_ms = since_ms;
	arrives(BUS_MESSAGE, 19, 500);
	is_str(given, "9", "what was sent after it is");
}

static void test_without_redis(void)
{
	begin();
	message(3);
	up = false;
	feed_release_all(&live);
	is_str(given, "resync 3", "where Redis goes away a gap is given up at once");
	message(5);
	is_str(given, "resync 3 5", "and nothing is held");
	up = true;
	message(4);
	is_str(given, "resync 3 5 resync", "what was on its way is not given behind a later one");
	feed_release_all(&live);
	arrives(BUS_MESSAGE, 20, LONG_AGO_MS);
	is_str(given, "resync 3 5 resync 20", "when Redis is back what was missed is not waited for");
	message(22);
	message(21);
	is_str(given, "resync 3 5 resync 20 21 22", "but what follows is put in order");
	feed_release_all(&live);
	message(25);
	message(24);
	is_str(given, "resync 3 5 resync 20 21 22", "nor is one given whose predecessor may follow");
	message(23);
	pass(FEED_PATIENCE_MS + 2 * WHEEL_TICK_MS);
	is_str(given, "resync 3 5 resync 20 21 22 23 24 25", "until it does");
}

static void test_memory(void)
{
	begin();
	pass(FEED_MEMORY_MS + 2 * WHEEL_TICK_MS);
	ok(LIST_EMPTY(&user->feeds), "a silent conversation is forgotten");
}

/* What a message does to its group is done in its turn, and also where the message is not given any more. */
static void test_notes(void)
{
	kind = &to_group;
	begin();
	arrives_with(BUS_MESSAGE, 3, 10, "(out)");
	is_str(given, "", "what a message does waits with it");
	message(4);
	message(2);
	is_str(given, "2 3 (out) 4", "and is done in its turn");
	message(7);
	pass(FEED_PATIENCE_MS + 2 * WHEEL_TICK_MS);
	arrives_with(BUS_MESSAGE, 6, 10, "(in)");
	is_str(given, "2 3 (out) 4 resync 7 late (in)", "and where the message comes too late to be given, too");
	arrives_with(BUS_MESSAGE, 9, 10, "(never)");
	feed_forget(&user->feeds);
	is_str(given, "2 3 (out) 4 resync 7 late (in)", "but not when all is forgotten");
	kind = &to_user;
}

int main(void)
{
	clock_share_shift(&shift_ms);
	wheel = wheel_new(clock_mono_ms());
	user = xcalloc(1, sizeof(*user) + 6);
	memcpy(user->id, "alice", 6);
	listens_ms = clock_mono_ms() - 5000;
	test_in_turn();
	test_given_up();
	test_many_held();
	test_change_of_missing();
	test_late();
	test_before_hello();
	test_without_redis();
	test_memory();
	test_notes();
	feed_forget(&user->feeds);
	wheel_free(&wheel);
	free(user);
	return done_testing();
}
