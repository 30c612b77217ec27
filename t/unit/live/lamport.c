/* SPDX-License-Identifier: BSD-2-Clause */
/* The shared clock: what it takes from others, whose scale it moves to, and that all who hear each other agree. */
#include "core/base.h"
#include "live/lamport.h"

#include "core/clock.h"

#include "../tap.h"

#define WORKERS 5

/* This machine's CLOCK_MONOTONIC; all workers of the test share it. */
static int64_t now_us = 1000000;

int64_t clock_usecs(void)
{
	return now_us;
}

/* A worker whose clock is `ahead_us` ahead of clock_usecs(). */
static struct lamport worker(const char *scale, bool synced, int64_t ahead_us)
{
	struct lamport l;
	lamport_init(&l, scale);
	l.synced = synced;
	l.offset_us = ahead_us;
	return l;
}

/* `l` hears the other's heartbeat; true if it moved to another scale. */
static bool hear(struct lamport *l, const struct lamport *theirs, int64_t *shift_r)
{
	return lamport_hear(l, theirs, lamport_now_us(theirs), shift_r);
}

static void test_alone(void)
{
	struct lamport l;
	memset(&l, 0xff, sizeof(l));
	lamport_init(&l, "worker01 and more");
	is_str(l.scale, "worker01", "a new clock has a scale of its own, named after the worker");
	ok(!l.synced, "it is not synced");
	is_int(lamport_now_us(&l), now_us, "it begins with the machine's clock");
	int64_t before = lamport_now_us(&l);
	now_us += 1234567;
	is_int(lamport_now_us(&l) - before, 1234567, "it advances by itself, at the rate of that");
	l.offset_us = -now_us;
	is_int(lamport_now_us(&l), 1, "it is never 0");
	l.offset_us = -now_us - 1000;
	is_int(lamport_now_us(&l), 1, "nor below");
	lamport_settle(&l);
	ok(l.synced, "where nobody else is there it counts");
}

static void test_raise(void)
{
	int64_t shift_us = 5;
	struct lamport mine = worker("scale--b", true, 100), theirs = worker("scale--b", true, 5000000);
	ok(!hear(&mine, &theirs, &shift_us), "a larger value of the same scale is no other scale");
	is_int(shift_us, 0, "so what was taken before stays as it is");
	is_int(lamport_now_us(&mine), lamport_now_us(&theirs), "the larger value is taken");
	now_us += 777;
	is_int(lamport_now_us(&mine), lamport_now_us(&theirs), "and both advance together");

	struct lamport behind = worker("scale--b", true, 0);
	int64_t before = lamport_now_us(&mine);
	ok(!hear(&mine, &behind, &shift_us) && shift_us == 0, "a smaller value is no other scale");
	is_int(lamport_now_us(&mine), before, "and it never goes back");

	struct lamport new = worker("scale--b", false, 0);
	ok(!hear(&new, &mine, &shift_us) && new.synced, "who hears another one of the same scale is synced");
	is_int(lamport_now_us(&new), before, "and has the larger value");
}

/* The scale moves where `moves`, and with it the value, and all that was measured before. */
static void is_heard(struct lamport mine, const struct lamport *theirs, bool moves, const char *name)
{
	int64_t shift_us = 5, taken_us = lamport_now_us(&mine), was_us;
	struct lamport before = mine;
	now_us += 250000;
	was_us = lamport_now_us(&mine);
	ok(hear(&mine, theirs, &shift_us) == moves, "%s", name);
	ok(mine.synced, "%s: it is synced", name);
	is_str(mine.scale, moves ? theirs->scale : before.scale, "%s: its scale", name);
	is_int(lamport_now_us(&mine), moves ? lamport_now_us(theirs) : was_us, "%s: its value", name);
	is_int(shift_us, moves ? lamport_now_us(theirs) - was_us : 0, "%s: what to add to earlier values", name);
	is_int(lamport_now_us(&mine) - (taken_us + shift_us), 250000, "%s: an earlier value is as old as before", name);
}

static void test_scales(void)
{
	struct lamport a = worker("scale--a", false, 7000000), b = worker("scale--b", false, 3000000);
	is_heard(b, &a, true, "of two new ones, the later name moves");
	is_heard(a, &b, false, "the earlier one does not");
	a.offset_us = 3000000;
	b.offset_us = 7000000;
	is_heard(b, &a, true, "also to a clock that is behind");
	is_heard(a, &b, false, "and the earlier one does not follow one that is ahead");
	a.synced = b.synced = true;
	is_heard(b, &a, true, "of two that met others before, the later name moves");
	is_heard(a, &b, false, "and the earlier one does not");
	a.synced = false;
	is_heard(a, &b, true, "a new one moves to the scale of one that is synced, whatever the names");
	is_heard(b, &a, false, "which does not move to that of a new one");
}

static void test_nonsense(void)
{
	static const int64_t bad[] = {0, -1, INT64_MIN, INT64_MAX, INT64_MAX / 4 + 1};
	struct lamport theirs = worker("scale--a", true, 0);
	unsigned heard = 0;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct lamport mine = worker("scale--b", false, 10);
		int64_t shift_us = 5;
		heard += lamport_hear(&mine, &theirs, bad[i], &shift_us) || shift_us != 0 || mine.synced ||
			 mine.offset_us != 10 || strcmp(mine.scale, "scale--b") != 0;
	}
	is_int(heard, 0, "what can be no value of a clock is not heard");
	struct lamport mine = worker("scale--b", false, 10);
	int64_t shift_us;
	ok(lamport_hear(&mine, &theirs, INT64_MAX / 4, &shift_us), "the largest value is");
	ok(lamport_now_us(&mine) == INT64_MAX / 4 && shift_us > 0, "and no sum overflows");
}

static uint64_t dice = 1;

static unsigned chance(unsigned below)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(dice >> 33) % below;
}

/* Workers that have heard each other in an order by chance; then each hears each, twice. Do they agree? */
static bool agree(void)
{
	struct lamport l[WORKERS];
	int64_t shift_us, highest_us = 0;
	for (unsigned i = 0; i < WORKERS; i++) {
		char name[WORKER_NAME_LEN + 1];
		snprintf(name, sizeof(name), "%cscale%02u", 'a' + chance(26), i);
		l[i] = worker(name, chance(2) != 0, (int64_t)chance(1u << 30));
	}
	for (unsigned n = 0; n < 8; n++) {
		unsigned to = chance(WORKERS), from = chance(WORKERS);
		bool moved = hear(&l[to], &l[from], &shift_us);
		now_us += chance(100000) + moved;
	}
	for (unsigned n = 0; n < 2 * WORKERS * WORKERS; n++)
		if (!hear(&l[n % WORKERS], &l[n / WORKERS % WORKERS], &shift_us))
			now_us += 1;
	for (unsigned i = 0; i < WORKERS; i++)
		highest_us = lamport_now_us(&l[i]) > highest_us ? lamport_now_us(&l[i]) : highest_us;
	for (unsigned i = 0; i < WORKERS; i++)
		if (strcmp(l[i].scale, l[0].scale) != 0 || !l[i].synced || lamport_now_us(&l[i]) != highest_us)
			return false;
	return true;
}

static void test_agreement(void)
{
	unsigned agreed = 0;
	for (unsigned i = 0; i < 1000; i++)
		agreed += agree();
	is_int(agreed, 1000, "workers of one machine agree exactly once all have heard all, in whatever order");
}

int main(void)
{
	test_alone();
	test_raise();
	test_scales();
	test_nonsense();
	test_agreement();
	return done_testing();
}
