/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers fire once, never early, at most a tick late, whatever callbacks do to
 * each other. Time is moved by the shared shift, so nothing here waits.
 */
#include "core/base.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/wheel.h"
#include "../tap.h"

static _Atomic int64_t shift;
static struct wheel *wheel;

struct probe {
	struct wheel_timer timer;
	unsigned fired;
	bool early;
	int64_t again_ms;      /* set anew in the callback, if not negative */
	struct probe *victim;  /* cancelled, */
	struct probe **doomed; /* freed, */
	struct probe *other;   /* or set anew by the callback */
	bool free_self;
};

/* The now that was given to wheel_advance. */
static int64_t advanced_ms;

static void advance(int64_t now_ms)
{
	advanced_ms = now_ms;
	wheel_advance(wheel, now_ms);
}

/* Moves the clock itself. */
static void pass(int64_t ms)
{
	shift += ms;
	advance(clock_mono_ms());
}

static void fire(struct wheel_timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);
	p->fired++;
	p->early = p->early || t->deadline_ms > advanced_ms || wheel_timer_is_set(t);
	if (p->again_ms >= 0)
		wheel_set(wheel, t, p->again_ms, fire);
	if (p->victim != NULL)
		wheel_cancel(&p->victim->timer);
	if (p->other != NULL)
		wheel_set(wheel, &p->other->timer, 0, fire);
	if (p->doomed != NULL && *p->doomed != NULL) {
		wheel_cancel(&(*p->doomed)->timer);
		free(*p->doomed);
		*p->doomed = NULL;
	}
	if (p->free_self)
		free(p);
}

static struct probe *probe_new(void)
{
	struct probe *p = xcalloc(1, sizeof(*p));
	p->again_ms = -1;
	return p;
}

static void test_once(void)
{
	struct probe *p = probe_new();
	ok(!wheel_timer_is_set(&p->timer), "a zeroed timer is not set");
	wheel_cancel(&p->timer);
	ok(!wheel_timer_is_set(&p->timer), "cancelling it does no harm");

	int64_t before = clock_mono_ms();
	wheel_set(wheel, &p->timer, 1000, fire);
	ok(wheel_timer_is_set(&p->timer), "set");
	ok(p->timer.deadline_ms >= before + 1000 && p->timer.deadline_ms <= clock_mono_ms() + 1000,
	   "its deadline is a second from now");
	int64_t deadline = p->timer.deadline_ms;
	advance(deadline - 1);
	is_int(p->fired, 0, "a millisecond before its deadline it has not fired");
	advance(deadline + WHEEL_TICK_MS);
	is_int(p->fired, 1, "a tick after its deadline it has");
	ok(!p->early && !wheel_timer_is_set(&p->timer), "and is no longer set");
	advance(deadline + 100000);
	is_int(p->fired, 1, "once");

	pass(200000);
	wheel_set(wheel, &p->timer, 500, fire);
	wheel_cancel(&p->timer);
	pass(1000);
	is_int(p->fired, 1, "a cancelled timer does not fire");

	wheel_set(wheel, &p->timer, 500, fire);
	wheel_set(wheel, &p->timer, 5000, fire);
	advance(p->timer.deadline_ms - 1);
	is_int(p->fired, 1, "setting again moves the deadline");
	pass(6000);
	is_int(p->fired, 2, "to its new place");

	wheel_set(wheel, &p->timer, 0, fire);
	advance(advanced_ms);
	is_int(p->fired, 2, "no delay: not before the next tick");
	pass(2 * WHEEL_TICK_MS);
	is_int(p->fired, 3, "but then");
	wheel_set(wheel, &p->timer, -1000, fire);
	pass(2 * WHEEL_TICK_MS);
	is_int(p->fired, 4, "a negative delay is none");
	free(p);
}

static void test_rounds(void)
{
	/* Longer than a round of 512 ticks, and whole multiples of it. */
	static const int64_t delays[] = {25600, 25601, 51200, 75000, 600000, 86400000};
	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		struct probe *p = probe_new();
		wheel_set(wheel, &p->timer, delays[i], fire);
		int64_t deadline = p->timer.deadline_ms;
		for (int64_t now = advanced_ms; now < deadline; now += 977)
			advance(now);
		advance(deadline - 1);
		is_int(p->fired, 0, "%lld ms: not early by a round", (long long)delays[i]);
		advance(deadline + WHEEL_TICK_MS);
		is_int(p->fired, 1, "%lld ms: fired", (long long)delays[i]);
		free(p);
		pass(delays[i] + 1000);
	}
}

static void test_jump(void)
{
	struct probe *p[100];
	unsigned fired = 0;
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		p[i] = probe_new();
		wheel_set(wheel, &p[i]->timer, (int64_t)i * 997, fire);
	}
	struct probe *late = probe_new();
	wheel_set(wheel, &late->timer, 7200000, fire);
	pass(3600000);
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		fired += p[i]->fired;
	is_int(fired, ARRAY_LEN(p), "an hour's jump fires all that fell due, once each");
	is_int(late->fired, 0, "and nothing else");
	pass(3600000 + 1000);
	is_int(late->fired, 1, "which comes after the second one");

	p[0]->fired = 0;
	p[0]->again_ms = 0;
	wheel_set(wheel, &p[0]->timer, 10, fire);
	pass(3600000);
	is_int(p[0]->fired, 1, "a timer that sets itself runs once an advance, also in a jump");
	p[0]->again_ms = -1;
	pass(100);
	is_int(p[0]->fired, 2, "and then again");

	advance(advanced_ms - 5000);
	wheel_set(wheel, &p[1]->timer, 100, fire);
	pass(1000);
	is_int(p[1]->fired, 2, "an advance into the past does nothing");
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		free(p[i]);
	free(late);
}

/* n probes in one slot, in this order. */
static void same_slot(struct probe **p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		p[i] = probe_new();
		wheel_set(wheel, &p[i]->timer, 1000, fire);
	}
	/* If the clock ticked between them, until it does not. */
	while (p[0]->timer.deadline_ms != p[n - 1]->timer.deadline_ms) {
		for (size_t i = 0; i < n; i++)
			wheel_set(wheel, &p[i]->timer, 1000, fire);
	}
}

static void test_callbacks(void)
{
	struct probe *p[5];
	same_slot(p, 5);
	p[0]->victim = p[1];
	p[2]->victim = p[4];
	pass(1100);
	ok(p[0]->fired == 1 && p[1]->fired == 0 && p[2]->fired == 1 && p[3]->fired == 1 && p[4]->fired == 0,
	   "a callback cancels the next and the last of its own slot");
	for (int i = 0; i < 5; i++)
		free(p[i]);

	same_slot(p, 5);
	p[0]->doomed = &p[1];
	p[2]->doomed = &p[4];
	p[3]->doomed = &p[0];
	pass(1100);
	ok(p[0] == NULL && p[1] == NULL && p[4] == NULL && p[2]->fired == 1 && p[3]->fired == 1,
	   "a callback frees others of its own slot, due and done");
	free(p[2]);
	free(p[3]);

	same_slot(p, 3);
	p[0]->free_self = p[1]->free_self = p[2]->free_self = true;
	pass(1100);
	ok(true, "timers free themselves");

	same_slot(p, 3);
	p[0]->other = p[1];
	p[2]->other = p[0];
	pass(1100);
	ok(p[0]->fired == 1 && p[1]->fired == 0 && p[2]->fired == 1, "one set anew by its neighbour does not run yet");
	pass(100);
	ok(p[0]->fired == 2 && p[1]->fired == 1, "but at the next tick, and so does one that had run");
	for (int i = 0; i < 3; i++) {
		wheel_cancel(&p[i]->timer);
		free(p[i]);
	}

	struct probe *a = probe_new(), *b = probe_new();
	wheel_set(wheel, &a->timer, 1000, fire);
	wheel_set(wheel, &b->timer, 1000 + 25600 * 2, fire);
	a->victim = b;
	pass(1100);
	ok(a->fired == 1 && !wheel_timer_is_set(&b->timer), "one of a later round is cancelled");
	pass(60000);
	is_int(b->fired, 0, "and stays so");
	free(a);
	free(b);
}

/* Random sets, cancels and steps, held against what the deadlines say. */
static void test_model(void)
{
	enum { TIMERS = 500, STEPS = 4000 };
	struct probe *p[TIMERS];
	int64_t due[TIMERS]; /* the deadline, 0: not set */
	unsigned want[TIMERS] = {0};
	unsigned early = 0, late = 0, extra = 0;
	for (size_t i = 0; i < TIMERS; i++) {
		p[i] = probe_new();
		due[i] = 0;
	}
	srandom(4711);
	for (int s = 0; s < STEPS; s++) {
		for (int k = 0; k < 5; k++) {
			size_t i = (size_t)random() % TIMERS;
			if (random() % 4 == 0) {
				wheel_cancel(&p[i]->timer);
				due[i] = 0;
			} else {
				wheel_set(wheel, &p[i]->timer, random() % (random() % 10 == 0 ? 200000 : 3000), fire);
				due[i] = p[i]->timer.deadline_ms;
			}
		}
		pass(random() % (random() % 100 == 0 ? 100000 : 120));
		for (size_t i = 0; i < TIMERS; i++) {
			if (due[i] == 0) {
				extra += p[i]->fired != want[i];
			} else if (p[i]->fired != want[i]) {
				early += due[i] > advanced_ms;
				extra += p[i]->fired != ++want[i];
				due[i] = 0;
			} else {
				late += due[i] + WHEEL_TICK_MS <= advanced_ms;
			}
		}
	}
	is_int(early, 0, "none early");
	is_int(late, 0, "none more than a tick late");
	is_int(extra, 0, "none twice or after its cancelling");
	for (size_t i = 0; i < TIMERS; i++) {
		wheel_cancel(&p[i]->timer);
		free(p[i]);
	}
}

static void test_free(void)
{
	struct probe *p = probe_new();
	wheel_set(wheel, &p->timer, 100, fire);
	wheel_free(&wheel);
	ok(wheel == NULL, "freed");
	ok(!wheel_timer_is_set(&p->timer) && p->fired == 0, "a timer left in it is forgotten, not run");
	wheel_cancel(&p->timer);
	wheel_free(&wheel);
	ok(true, "both may be repeated");
	free(p);
}

int main(void)
{
	clock_share_shift(&shift);
	wheel = wheel_new(clock_mono_ms());
	test_once();
	test_rounds();
	test_jump();
	test_callbacks();
	test_model();
	test_free();
	return done_testing();
}
