/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections of an address: counted over all workers, up to a limit, and forgotten with the worker that had them. */
#include "core/base.h"
#include "hub/addresses.h"

#include "child.h"
#include "hub/hub_layout.h"
#include "../tap.h"

static void test_limit(void)
{
	struct hub *h = hub_for_test(4, 1000, 10);
	unsigned counted = 0;
	for (unsigned i = 0; i < 10; i++)
		counted += addresses_enter(h, i % 4, "192.0.2.1", 10) == ADDRESSES_COUNTED;
	is_int(counted, 10, "as many as are allowed, in four workers");
	is_int(addresses_count(h, "192.0.2.1"), 10, "are counted together");
	is_int(addresses_enter(h, 0, "192.0.2.1", 10), ADDRESSES_FULL, "and no more in the first worker");
	is_int(addresses_enter(h, 3, "192.0.2.1", 10), ADDRESSES_FULL, "nor in another");
	is_int(addresses_count(h, "192.0.2.1"), 10, "one that was refused is not counted");
	is_int(addresses_enter(h, 0, "192.0.2.2", 10), ADDRESSES_COUNTED, "another address is not concerned");
	addresses_leave(h, 1, "192.0.2.1");
	is_int(addresses_enter(h, 2, "192.0.2.1", 10), ADDRESSES_COUNTED, "where one has left another may come");
	is_int(addresses_enter(h, 2, "192.0.2.1", 20), ADDRESSES_COUNTED, "a raised limit counts at once");
	is_int(addresses_enter(h, 2, "192.0.2.1", 5), ADDRESSES_FULL, "a lowered one, too");

	hub_worker_forget(h, 2);
	is_int(addresses_count(h, "192.0.2.1"), 7, "what a dead worker had is gone, what others have is not");
	for (unsigned i = 0; i < 20; i++)
		addresses_leave(h, 0, "192.0.2.1");
	is_int(addresses_count(h, "192.0.2.1"), 4, "leaving too often takes nothing from others");
	hub_free(&h);
}

static void test_many(void)
{
	enum { MANY = 4000 };
	static bool counted[MANY];
	struct hub *h = hub_for_test(2, MANY, 10);
	char address[32];
	unsigned uncounted = 0, wrong = 0, left = 0;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
		counted[i] = addresses_enter(h, i % 2, address, 1) == ADDRESSES_COUNTED;
		uncounted += !counted[i];
	}
	ok(uncounted < MANY / 50, "with every connection from another address nearly all are counted (%u are not)",
	   uncounted);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
		wrong += counted[i] && addresses_enter(h, 1, address, 1) != ADDRESSES_FULL;
	}
	is_int(wrong, 0, "each by itself");
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
		if (counted[i])
			addresses_leave(h, i % 2, address);
		left += addresses_count(h, address);
	}
	is_int(left, 0, "and when all have left nothing remains");
	hub_free(&h);
}

static void come_and_go(struct hub *h, unsigned slot)
{
	static const char *const address[] = {"a", "b", "c"};
	unsigned have[3] = {0};
	srandom((unsigned)getpid());
	for (;;) {
		unsigned i = (unsigned)random() % 3;
		if (have[i] > 0 && random() % 2 == 0) {
			addresses_leave(h, slot, address[i]);
			have[i]--;
		} else if (addresses_enter(h, slot, address[i], 50) == ADDRESSES_COUNTED) {
			have[i]++;
		}
	}
}

static void test_kills(void)
{
	enum { WORKERS = 3, KILLS = 100 };
	struct hub *h = hub_for_test(WORKERS, 100, 10);
	pid_t pid[WORKERS];
	unsigned over = 0;
	for (unsigned i = 0; i < WORKERS; i++)
		pid[i] = child_start(come_and_go, h, i);
	for (int i = 0; i < KILLS; i++) {
		unsigned v = (unsigned)random() % WORKERS;
		short_while(1000);
		/* While each counts one more before it sees that there are too many. */
		over += addresses_count(h, "a") > 50 + WORKERS;
		child_kill(pid[v]);
		hub_worker_forget(h, v);
		pid[v] = child_start(come_and_go, h, v);
	}
	is_int(over, 0, "workers that come and go and are killed never exceed the limit");
	for (unsigned i = 0; i < WORKERS; i++)
		child_kill(pid[i]);
	for (unsigned i = 0; i < WORKERS; i++)
		hub_worker_forget(h, i);
	is_int(addresses_count(h, "a") + addresses_count(h, "b") + addresses_count(h, "c"), 0,
	       "and leave nothing behind");
	hub_free(&h);
}

static void measure(void)
{
	enum { ROUNDS = 200000 };
	struct hub *h = hub_for_test(8, 65536, 10);
	int64_t start = now_ns();
	for (int i = 0; i < ROUNDS; i++)
		if (addresses_enter(h, 0, "192.0.2.1", 10) == ADDRESSES_COUNTED)
			addresses_leave(h, 0, "192.0.2.1");
	printf("# enter and leave %.1f ns\n", (double)(now_ns() - start) / ROUNDS);
	hub_free(&h);
}

int main(void)
{
	test_limit();
	test_many();
	test_kills();
	measure();
	return done_testing();
}
