/* SPDX-License-Identifier: BSD-2-Clause */
/* How many members of a group are online on the node: each worker's own count, and what becomes of it when it dies. */
#include "core/base.h"
#include "hub/audience.h"

#include "hub/hub_layout.h"

#include "../tap.h"
#include "child.h"

#define GROUP UINT64_C(17179869185)

static void test_sum(void)
{
	const char *err;
	struct hub *h = hub_new(&(struct hub_size){3, 16, 16}, &err);
	is_int(audience_count(h, GROUP), 0, "nobody is online");
	ok(audience_set(h, 0, GROUP, 5) && audience_set(h, 1, GROUP, 7), "two workers have some");
	is_int(audience_count(h, GROUP), 12, "the sum is told");
	ok(audience_set(h, 0, GROUP, 1), "a count changes");
	is_int(audience_count(h, GROUP), 8, "(down)");
	is_int(audience_count(h, GROUP + 1), 0, "another group has none");
	ok(audience_set(h, 0, GROUP, 0) && audience_set(h, 0, GROUP, 0), "none are left in one worker");
	is_int(audience_count(h, GROUP), 7, "the other one's count on");
	audience_set(h, 2, GROUP, UINT32_MAX);
	ok(audience_count(h, GROUP) > 1u << 23, "a count beyond all bounds is a large one");
	hub_worker_forget(h, 2);
	is_int(audience_count(h, GROUP), 7, "what a dead worker wrote counts no more");
	audience_set(h, 2, GROUP + 1, 3);
	is_int(audience_count(h, GROUP), 7, "nor when it has a successor");
	is_int(audience_count(h, GROUP + 1), 3, "whose words count");
	hub_free(&h);
}

static void test_many(void)
{
	const char *err;
	struct hub *h = hub_new(&(struct hub_size){2, 16, 16}, &err);
	enum { MANY = 20000 };
	unsigned fit = 0, wrong = 0;
	for (uint64_t i = 0; i < MANY; i++)
		fit += audience_set(h, 1, GROUP + i, (uint32_t)i % 100 + 1);
	for (uint64_t i = 0; i < MANY; i++) {
		uint64_t n = audience_count(h, GROUP + i);
		wrong += n != i % 100 + 1 && n != 0;
	}
	ok(fit >= MANY * 99 / 100, "a worker has room for many groups (%u)", fit);
	is_int(wrong, 0, "none has another one's count");
	for (uint64_t i = MANY; i < 200000; i++)
		fit += audience_set(h, 1, GROUP + i, 1);
	ok(fit > MANY && fit <= AUDIENCE_SETS * AUDIENCE_WAYS, "but not for any number (%u)", fit);
	for (uint64_t i = 0; i < 200000; i++)
		audience_set(h, 1, GROUP + i, 0);
	unsigned again = 0;
	for (uint64_t i = 0; i < MANY; i++)
		again += audience_set(h, 1, GROUP + 300000 + i, 1);
	ok(again >= MANY * 99 / 100, "what is given back is there again (%u)", again);
	hub_free(&h);
}

static void set_for_ever(struct hub *h, unsigned slot)
{
	for (uint64_t i = 0;; i++)
		audience_set(h, slot, GROUP + i % 5, (uint32_t)(i % 7));
}

static void test_killed(void)
{
	const char *err;
	struct hub *h = hub_new(&(struct hub_size){2, 16, 16}, &err);
	unsigned wrong = 0;
	audience_set(h, 0, GROUP, 1);
	for (int i = 0; i < 20; i++) {
		pid_t pid = child_start(set_for_ever, h, 1);
		for (int n = 0; n < 20000; n++)
			wrong += audience_count(h, GROUP) > 7 || audience_count(h, GROUP) < 1;
		child_kill(pid);
		hub_worker_forget(h, 1);
		wrong += audience_count(h, GROUP) != 1;
	}
	is_int(wrong, 0, "a worker that dies at any point leaves nothing behind");
	hub_free(&h);
}

int main(void)
{
	test_sum();
	test_many();
	test_killed();
	return done_testing();
}
