/* SPDX-License-Identifier: BSD-2-Clause */
/* The order of things within a turn. */
#include "core/base.h"
#include "net/loop.h"

#include "pair.h"
#include "../tap.h"

static struct buf trace;
static struct loop_task a, b, again;
static int again_left;

static void note(char c)
{
	buf_append_char(&trace, c);
}

static const char *traced(void)
{
	const char *s = buf_cstr(&trace);
	buf_clear(&trace);
	return s;
}

static void run_b(struct loop_task *t)
{
	note('b');
}

static void run_a_queues_b(struct loop_task *t)
{
	note('a');
	loop_defer(loop, &b);
}

static void run_a_drops_b(struct loop_task *t)
{
	note('a');
	loop_undefer(loop, &b);
}

static void run_again(struct loop_task *t)
{
	note('r');
	if (--again_left > 0)
		loop_defer(loop, t);
	else
		loop_stop(loop);
}

static void run_once_more(struct loop_task *t)
{
	note('d');
	if (--again_left > 0)
		loop_defer(loop, t);
}

static struct loop_task late[2];
static bool out_of_time;

static void run_late(struct loop_task *t)
{
	note(t == &late[0] ? 'x' : 'y');
	if (out_of_time)
		loop_postpone(loop, t);
}

/* Those that had no time come before one that had some and wants more, in their order. */
static void test_postponed(void)
{
	struct loop_task served = {.fn = run_once_more};
	late[0].fn = late[1].fn = run_late;
	again_left = 2;
	out_of_time = true;
	loop_defer(loop, &served);
	loop_defer(loop, &late[0]);
	loop_defer(loop, &late[1]);
	loop_turn(loop);
	is_str(traced(), "dxy", "all are asked");
	out_of_time = false;
	loop_turn(loop);
	is_str(traced(), "xyd", "and who was postponed is first in the next turn");
	out_of_time = true;
	loop_defer(loop, &late[0]);
	loop_defer(loop, &late[1]);
	loop_turn(loop);
	loop_undefer(loop, &late[1]);
	loop_undefer(loop, &late[0]);
	is_str(traced(), "xy", "who is postponed");
	out_of_time = false;
	loop_defer(loop, &b);
	loop_turn(loop);
	is_str(traced(), "b", "can be taken back");
	ok(loop_has_time(loop), "who asks first has time");
}

static bool did;

static void run_part(struct loop_task *t)
{
	note(t == &late[0] ? 'x' : 'y');
	if (out_of_time)
		loop_go_on(loop, t, did);
}

/* One that has used its time comes behind those that had none, or its work would be all that is done. */
static void test_go_on(void)
{
	struct loop_task waits = {.fn = run_late};
	late[0].fn = run_part;
	for (int i = 0; i < 2; i++) {
		did = i == 0;
		out_of_time = true;
		loop_defer(loop, &late[0]);
		loop_defer(loop, &waits);
		loop_turn(loop);
		is_str(traced(), "xy", "both have more to do");
		out_of_time = false;
		loop_turn(loop);
		is_str(traced(), did ? "yx" : "xy",
		       did ? "the one that has done a part comes last" : "one that has done nothing comes first again");
	}
}

static void on_timer(struct wheel_timer *t)
{
	note('t');
	loop_stop(loop);
}

int main(void)
{
	start_loop();
	b.fn = run_b;
	a.fn = run_a_queues_b;

	loop_defer(loop, &a);
	loop_defer(loop, &a);
	loop_turn(loop);
	is_str(traced(), "a", "queued twice, a task runs once, and what it queues waits for the next turn");
	ok(b.entry.tqe_prev != NULL, "which is queued");
	loop_turn(loop);
	is_str(traced(), "b", "and runs then");

	a.fn = run_a_drops_b;
	loop_defer(loop, &a);
	loop_defer(loop, &b);
	loop_turn(loop);
	is_str(traced(), "a", "a task can take back a later one of the same turn");
	loop_undefer(loop, &b);
	ok(b.entry.tqe_prev == NULL, "taking back what is not queued is harmless");

	again.fn = run_again;
	again_left = 3;
	loop_defer(loop, &again);
	loop_run(loop);
	is_str(traced(), "rrr", "a task that queues itself runs once a turn, and loop_run ends at loop_stop");

	test_postponed();
	test_go_on();

	struct wheel_timer timer = {0};
	wheel_set(loop_wheel(loop), &timer, 1, on_timer);
	loop_run(loop);
	is_str(traced(), "t", "the loop turns the wheel by itself");

	a.fn = run_a_queues_b;
	loop_defer(loop, &a);
	loop_free(&loop);
	is_str(traced(), "ab", "loop_free runs what is queued, and what that queues");
	ok(loop == NULL, "and leaves NULL");
	loop_free(&loop);
	buf_fini(&trace);
	return done_testing();
}
