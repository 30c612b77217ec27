/* SPDX-License-Identifier: BSD-2-Clause */
/* Token buckets: exact in bursts and refills, apart from one another, shared by processes, generous when full. */
#include "core/base.h"

#include <errno.h>

#include "child.h"
#include "hub/bucket.h"
#include "hub/hub_layout.h"
#include "../tap.h"

static unsigned take_all(struct hub *h, const char *name, double rate, double burst, int64_t now)
{
	unsigned taken = 0;
	while (taken < 100000 && bucket_take(h, BUCKET_SENDS, name, rate, burst, now) == 0)
		taken++;
	return taken;
}

static void test_refill(void)
{
	struct hub *h = hub_for_test(1, 10, 100);
	int64_t now = 1000000;
	is_int(take_all(h, "alice", 50, 200, now), 200, "a new name has its whole burst");
	is_int(bucket_take(h, BUCKET_SENDS, "alice", 50, 200, now), 20, "then it is told when the next one comes");
	is_int(bucket_take(h, BUCKET_SENDS, "alice", 50, 200, now + 19), 1, "asking took nothing");
	is_int(take_all(h, "alice", 50, 200, now + 20), 1, "which is then there, once");
	is_int(take_all(h, "alice", 50, 200, now + 1020), 50, "a second fills as much as the rate says");
	is_int(take_all(h, "alice", 50, 200, now + 3600000), 200, "and it never holds more than the burst");
	is_int(take_all(h, "bob", 50, 200, now), 200, "another name is apart");
	is_int(bucket_take(h, BUCKET_FAILED_LOGINS, "alice", 50, 200, now + 3600000), 0,
	       "so is another kind of the same name");

	is_int(bucket_wait(h, BUCKET_SENDS, "dave", 50, 2, now), 0, "a token is there");
	is_int(bucket_wait(h, BUCKET_SENDS, "dave", 50, 2, now), 0, "asking does not take it");
	is_int(take_all(h, "dave", 50, 2, now), 2, "both are there still");
	is_int(bucket_wait(h, BUCKET_SENDS, "dave", 50, 2, now), 20, "and then it is known when the next comes");

	is_int(take_all(h, "slow", 0.5, 30, now), 30, "thirty a minute");
	is_int(bucket_take(h, BUCKET_SENDS, "slow", 0.5, 30, now), 2000, "one in two seconds");
	is_int(take_all(h, "third", 3, 10, now), 10, "an interval that is no whole number");
	is_int(take_all(h, "third", 3, 10, now + 1000), 3, "still gives its rate");

	is_int(take_all(h, "free", 0, 1, now), 100000, "rate 0 is no limit");
	is_int(take_all(h, "tight", 10, 0, now), 1, "a burst under one is one");
	is_int(bucket_take(h, BUCKET_SENDS, "alice", 50, 10, now + 3600000), 3820,
	       "a lowered burst: what was taken is owed");
	ok(bucket_take(h, BUCKET_SENDS, "never", 1e-300, 1e300, now) == 0 &&
		   bucket_take(h, BUCKET_SENDS, "ever", 1e300, 1e300, now) == 0,
	   "absurd rates are no trouble");
	hub_free(&h);
}

static void test_many_tokens(void)
{
	struct hub *h = hub_for_test(1, 10, 100);
	int64_t now = 1000000;
	is_int(bucket_take_many(h, BUCKET_NODE_FANOUT, "", 60, 100, 100, now), 0, "60 of 100");
	is_int(bucket_take_many(h, BUCKET_NODE_FANOUT, "", 60, 100, 100, now), 200, "60 more come 200 ms later");
	is_int(bucket_take_many(h, BUCKET_NODE_FANOUT, "", 40, 100, 100, now), 0, "a refusal took nothing");
	is_int(bucket_take(h, BUCKET_NODE_FANOUT, "", 100, 100, now), 10, "then it is empty");
	bucket_give_back(h, BUCKET_NODE_FANOUT, "", 40, 100, 100);
	is_int(bucket_take_many(h, BUCKET_NODE_FANOUT, "", 40, 100, 100, now), 0, "what was given back is there");
	is_int(bucket_take_many(h, BUCKET_NODE_FANOUT, "", 1000000, 100, 100, now + 1000), 0,
	       "more than the burst take all of it");
	is_int(bucket_take_many(h, BUCKET_NODE_FANOUT, "", UINT64_MAX, 1e-300, 1e300, now + 1000), 1000,
	       "absurd numbers do no harm");
	is_int(bucket_take_many(h, BUCKET_NODE_FANOUT, "", 0, 100, 100, now + 1000), 0, "nothing is always there");
	is_int(bucket_take_many(h, BUCKET_NODE_FANOUT, "", 5, 0, 100, now + 1000), 0, "rate 0 is no limit");
	bucket_give_back(h, BUCKET_NODE_FANOUT, "other", 5, 100, 100);
	is_int(take_all(h, "other", 50, 3, now), 3, "to whom nothing was given nothing is given back");
	hub_free(&h);
}

enum { USERS = 20000, BURST = 5 };

static void test_charge(void)
{
	struct hub *h = hub_for_test(1, 10, 100);
	bucket_charge(h, BUCKET_CONNECTIONS, "x", 3, 1, 10, 0);
	unsigned n = 0;
	while (bucket_take(h, BUCKET_CONNECTIONS, "x", 1, 10, 0) == 0)
		n++;
	is_int(n, 7, "what is charged is taken");
	bucket_charge(h, BUCKET_CONNECTIONS, "x", 4, 1, 10, 0);
	ok(bucket_take(h, BUCKET_CONNECTIONS, "x", 1, 10, 4000) != 0 &&
		   bucket_take(h, BUCKET_CONNECTIONS, "x", 1, 10, 5000) == 0,
	   "what was not there is owed");
	for (int i = 0; i < 100; i++)
		bucket_charge(h, BUCKET_CONNECTIONS, "x", 1000, 1, 10, 5000);
	ok(bucket_take(h, BUCKET_CONNECTIONS, "x", 1, 10, 15000) != 0 &&
		   bucket_take(h, BUCKET_CONNECTIONS, "x", 1, 10, 16000) == 0,
	   "a whole burst at most");
	hub_free(&h);
}

static void test_owing(void)
{
	struct hub *h = hub_for_test(1, 10, 100);
	is_int(bucket_take_owing(h, BUCKET_NODE_FANOUT, "x", 4, 1, 10, 0), 0, "those that are there are taken");
	is_int(take_all(h, "x", 1, 10, 0), 10, "of their kind");
	ok(bucket_take_owing(h, BUCKET_NODE_FANOUT, "x", 50, 1, 10, 0) != 0,
	   "more than a burst where that is not full");
	is_int(bucket_take_owing(h, BUCKET_NODE_FANOUT, "x", 50, 1, 10, 4000), 0, "and where it is");
	is_int(bucket_take(h, BUCKET_NODE_FANOUT, "x", 1, 10, 4000), 41000, "who owes is told for how long");
	ok(bucket_take(h, BUCKET_NODE_FANOUT, "x", 1, 10, 44000) != 0 &&
		   bucket_take(h, BUCKET_NODE_FANOUT, "x", 1, 10, 45000) == 0,
	   "all of it is owed, and no more");
	is_int(bucket_take_owing(h, BUCKET_NODE_FANOUT, "y", 0, 1, 10, 0), 0, "nothing is always there");
	is_int(bucket_take_owing(h, BUCKET_NODE_FANOUT, "y", 50, 0, 10, 0), 0, "rate 0 is no limit");
	is_int(bucket_take_owing(h, BUCKET_NODE_FANOUT, "y", UINT64_MAX, 1e-300, 1e300, 0), 0,
	       "absurd numbers do no harm");
	hub_free(&h);
}

static void test_many_names(void)
{
	struct hub *h = hub_for_test(1, 10, 32768);
	unsigned wrong = 0;
	char name[32];
	for (int round = 0; round < BURST; round++) {
		for (int i = 0; i < USERS; i++) {
			snprintf(name, sizeof(name), "user-%d", i);
			wrong += bucket_take(h, BUCKET_SENDS, name, 1, BURST, 5000) != 0;
		}
	}
	is_int(wrong, 0, "20,000 names get their bursts");
	for (int i = 0; i < USERS; i++) {
		snprintf(name, sizeof(name), "user-%d", i);
		wrong += bucket_take(h, BUCKET_SENDS, name, 1, BURST, 5000) == 0;
	}
	is_int(wrong, 0, "and not one more than that");
	hub_free(&h);
}

static void test_full_table(void)
{
	struct hub *h = hub_for_test(1, 10, 1);
	unsigned refused = 0;
	char name[32];
	is_int(take_all(h, "victim", 1, 3, 0), 3, "a table far too small");
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "other-%d", i);
		refused += bucket_take(h, BUCKET_SENDS, name, 1, 3, 0) != 0;
	}
	is_int(refused, 0, "refuses nobody for another's sake");
	hub_free(&h);
}

static void take_shared(struct hub *h, unsigned slot)
{
	unsigned taken = take_all(h, "shared", 1, 30000, 7000);
	struct worker_row *row = hub_worker_begin(h, slot);
	row->connections = taken;
	hub_worker_end(h, slot);
}

static void take_for_ever(struct hub *h, unsigned slot)
{
	char name[32];
	for (int i = 0;; i++) {
		snprintf(name, sizeof(name), "user-%d", i % 100);
		(void)bucket_take(h, BUCKET_SENDS, name, 1000, 10, i);
	}
}

static void test_processes(void)
{
	struct hub *h = hub_for_test(4, 10, 100);
	pid_t pid[4];
	unsigned taken = 0;
	for (unsigned i = 0; i < 4; i++) {
		hub_master_begin(h, i)->state = WORKER_STARTING;
		hub_master_end(h, i);
		pid[i] = child_start(take_shared, h, i);
	}
	for (unsigned i = 0; i < 4; i++) {
		struct worker_row row;
		child_wait(pid[i]);
		hub_worker_read(h, i, &row);
		taken += row.connections;
	}
	is_int(taken, 30000, "four processes share one burst, to the token");

	unsigned alive = 0;
	for (int i = 0; i < 100; i++) {
		pid_t victim = child_start(take_for_ever, h, 0);
		short_while(1000);
		child_kill(victim);
		alive += bucket_take(h, BUCKET_SENDS, "user-1", 1000, 10, (INT64_C(1) << 40) + i) == 0;
	}
	is_int(alive, 100, "killed at random points, they never leave a lock behind");

	struct lock *lock = &((struct bucket_shard *)hub_at(h, h->bucket_shards_at))->lock;
	bool free = true;
	for (unsigned i = 0; i < BUCKET_SHARDS; i++) {
		struct bucket_shard *shard = container_of(lock, struct bucket_shard, lock) + i;
		int rc = pthread_mutex_trylock(&shard->lock.mutex);
		free = free && (rc == 0 || rc == EOWNERDEAD);
		if (rc == EOWNERDEAD)
			pthread_mutex_consistent(&shard->lock.mutex);
		pthread_mutex_unlock(&shard->lock.mutex);
	}
	ok(free, "every lock is free");
	hub_free(&h);
}

static void measure(void)
{
	struct hub *h = hub_for_test(1, 10, 32768);
	enum { ROUNDS = 100000 };
	int64_t start = now_ns();
	for (int i = 0; i < ROUNDS; i++)
		(void)bucket_take(h, BUCKET_SENDS, "alice@example.org", 50, 200, i);
	printf("# bucket_take %.1f ns\n", (double)(now_ns() - start) / ROUNDS);
	hub_free(&h);
}

int main(void)
{
	test_refill();
	test_many_tokens();
	test_charge();
	test_owing();
	test_many_names();
	test_full_table();
	test_processes();
	measure();
	return done_testing();
}
