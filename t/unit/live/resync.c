/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast sessions are told to catch up, that each due one is, once, and that new ones are not. */
#include "core/base.h"
#include "live/resync.h"

#include "core/clock.h"
#include "live/session.h"

#include "../tap.h"

#include <stdlib.h>

#define MANY 5000

static struct live live;
static struct wheel *wheel;
static _Atomic int64_t shift_ms;
static struct user *user;
static struct session *sessions[MANY + 1];
static unsigned told[MANY + 1];
static unsigned total;

/* ---- what resync.c calls ---- */

struct wheel *loop_wheel(struct loop *l)
{
	return wheel;
}

struct user *user_find(struct live *m, struct str id)
{
	return str_is(id, user->id) ? user : NULL;
}

bool session_send(struct session *s, struct ws_frame *frame)
{
	told[s->presence]++;
	total++;
	return true;
}

/* ---- */

static void pass(int64_t ms)
{
	for (; ms > 0; ms -= WHEEL_TICK_MS) {
		shift_ms += WHEEL_TICK_MS;
		wheel_advance(wheel, clock_mono_ms());
	}
}

static struct session *session_begin(int i)
{
	struct session *s = xcalloc(1, sizeof(*s) + 1);
	s->live = &live;
	s->ws = (struct ws *)(void *)s;
	s->greeted = true;
	s->presence = i;
	LIST_INSERT_HEAD(&live.sessions, s, all);
	sessions[i] = s;
	return s;
}

static void begin_again(void)
{
	pass(60000);
	memset(told, 0, sizeof(told));
	total = 0;
}

static unsigned count_not(unsigned n)
{
	unsigned wrong = 0;
	for (unsigned i = 0; i < MANY; i++)
		wrong += told[i] != n;
	return wrong;
}

static void test_rate(void)
{
	begin_again();
	resync_all(&live);
	is_int(total, 0, "nobody is told from within");
	pass(1000);
	ok(total >= 900 && total <= 1100, "1,000 a second (%u)", total);
	/* The round is past the youngest when another loss happens. */
	resync_all(&live);
	session_begin(MANY);
	pass(20000);
	unsigned wrong = 0;
	for (unsigned i = 0; i < MANY; i++)
		wrong += told[i] != 1 && told[i] != 2;
	is_int(wrong, 0, "after a second loss all have been told, none more than twice");
	ok(told[0] == 1 && told[MANY - 1] == 2, "who was due still, once; who had been told already, again");
	is_int(told[MANY], 0, "who came afterwards, never");
	LIST_REMOVE(sessions[MANY], all);
	free(sessions[MANY]);
}

static void test_spread(void)
{
	begin_again();
	resync_all_spread(&live);
	pass(1000);
	ok(total >= 900 && total <= 1100, "5,000 are spread over 5 s (%u in the first)", total);
	pass(5000);
	is_int(count_not(1), 0, "in which each is told once");
}

static void test_few(void)
{
	begin_again();
	for (int i = 3; i < MANY; i++)
		sessions[i]->greeted = false;
	resync_all_spread(&live);
	pass(600);
	ok(total <= 1, "three are spread over 3 s (%u in 0.6 s)", total);
	pass(3000);
	ok(total == 3 && told[0] == 1 && told[1] == 1 && told[2] == 1, "in which they are told");
	for (int i = 3; i < MANY; i++)
		sessions[i]->greeted = true;
}

static void test_user(void)
{
	begin_again();
	SLIST_INSERT_HEAD(&user->sessions, sessions[7], of_user);
	for (int i = 0; i < 100; i++) {
		resync_user(&live, STR_LIT("alice"));
		resync_user(&live, STR_LIT("nobody"));
		pass(50);
	}
	pass(2000);
	ok(told[7] >= 4 && told[7] <= 7, "one who is always behind is told once a second (%u in 5 s)", told[7]);
	is_int(total, told[7], "and nobody else");
}

static void test_ends(void)
{
	begin_again();
	resync_all(&live);
	pass(1000);
	/* The session at which the round is, too. */
	for (int i = 0; i < MANY; i++) {
		resync_forget(sessions[i]);
		LIST_REMOVE(sessions[i], all);
		free(sessions[i]);
	}
	is_int(live.resync.due, 0, "sessions that end are due no longer");
	unsigned before = total;
	pass(2000);
	is_int(total, before, "and nobody is told");
	resync_fini(&live);
}

int main(void)
{
	clock_share_shift(&shift_ms);
	wheel = wheel_new(clock_mono_ms());
	LIST_INIT(&live.sessions);
	user = xcalloc(1, sizeof(*user) + 6);
	memcpy(user->id, "alice", 6);
	for (int i = 0; i < MANY; i++)
		session_begin(i);
	test_rate();
	test_spread();
	test_few();
	test_user();
	test_ends();
	wheel_free(&wheel);
	free(user);
	return done_testing();
}
