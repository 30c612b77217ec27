/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters and histograms: sums over processes, bounds of the buckets, survival of a worker's death. */
#include "core/base.h"

#include "child.h"
#include "hub/stats.h"
#include "../tap.h"

enum { ROUNDS = 50000 };

static void count_up(struct hub *h, unsigned slot)
{
	stats_attach(h, slot);
	for (int i = 0; i < ROUNDS; i++) {
		stat_add(STAT_SENDS, 1);
		stat_observe(STAT_HIST_COMMIT, 3);
	}
}

static void test_sums(void)
{
	struct hub *h = hub_for_test(4, 10, 10);
	pid_t pid[4];
	stat_add(STAT_SENDS, 5);
	is_int(stats_sum(h, STAT_SENDS), 0, "what is added before attaching is dropped");
	for (unsigned i = 0; i < 4; i++)
		pid[i] = child_start(count_up, h, i);
	for (unsigned i = 0; i < 4; i++)
		child_wait(pid[i]);
	is_int(stats_sum(h, STAT_SENDS), 4 * ROUNDS, "four processes, no addition lost");
	is_int(stats_sum(h, STAT_REPLAYS), 0, "another counter was not touched");
	struct stat_sum sum;
	stats_histogram(h, STAT_HIST_COMMIT, &sum);
	ok(sum.count == 4 * ROUNDS && sum.total == 3 * sum.count, "the histogram has them all");

	hub_worker_forget(h, 2);
	is_int(stats_sum(h, STAT_SENDS), 4 * ROUNDS, "a worker's death takes nothing from the sum");
	child_wait(child_start(count_up, h, 2));
	is_int(stats_sum(h, STAT_SENDS), 5 * ROUNDS, "its successor adds to it");
	stats_attach(h, hub_slots(h));
	stat_add(STAT_SENDS, 1);
	is_int(stats_sum(h, STAT_SENDS), 5 * ROUNDS + 1, "the master has a row too");
	hub_free(&h);
}

/* The lowest bucket that counts a lone value. */
static unsigned bucket_of(uint64_t usecs)
{
	struct hub *h = hub_for_test(1, 10, 10);
	struct stat_sum sum;
	unsigned first = 0;
	stats_attach(h, 0);
	stat_observe(STAT_HIST_REQUEST, usecs);
	stats_histogram(h, STAT_HIST_REQUEST, &sum);
	while (first < STAT_BUCKETS && sum.bucket[first] == 0)
		first++;
	for (unsigned b = first; b < STAT_BUCKETS; b++) {
		if (sum.bucket[b] != 1)
			return UINT32_MAX;
	}
	hub_free(&h);
	return first;
}

static void test_bounds(void)
{
	is_int(bucket_of(0), 0, "0 us is up to 2^0");
	is_int(bucket_of(1), 0, "1 us is up to 2^0");
	is_int(bucket_of(2), 1, "2 us is up to 2^1");
	is_int(bucket_of(3), 2, "3 us is up to 2^2");
	is_int(bucket_of(4), 2, "4 us is up to 2^2");
	is_int(bucket_of(1025), 11, "1025 us is up to 2^11");
	is_int(bucket_of(1 << 24), 24, "2^24 us is in the last bounded bucket");
	is_int(bucket_of((1 << 24) + 1), STAT_BUCKETS - 1, "over it, in the last");
	is_int(bucket_of(UINT64_MAX), STAT_BUCKETS - 1, "so is the largest value");
}

static void test_names(void)
{
	bool named = true;
	for (int c = 0; c < STAT_COUNTERS; c++)
		named = named && stat_counters[c].key[0] != '\0' &&
			(stat_counters[c].family[0] == '\0' || stat_counters[c].help[0] != '\0');
	for (int hist = 0; hist < STAT_HISTOGRAMS; hist++)
		named = named && stat_histograms[hist].family[0] != '\0' && stat_histograms[hist].help[0] != '\0' &&
			stat_histograms[hist].bounds < STAT_BUCKETS;
	ok(named, "every counter and histogram has a name and a help text");
	is_str(stat_counter_name(STAT_SENDS), "messages_stored", "and it is its own");
}

static unsigned status_at(int status)
{
	unsigned i = 0;
	while (i < STAT_STATUSES && stat_statuses[i] != status)
		i++;
	return i;
}

static void test_tables(void)
{
	struct hub *h = hub_for_test(2, 10, 10);
	stats_attach(h, 0);
	stat_answered(STAT_ROUTES - 1, 201);
	stat_answered(0, 299);
	stat_refused(STAT_REASONS - 1);
	stats_attach(h, 1);
	stat_answered(STAT_ROUTES - 1, 201);
	is_int(stats_answered(h, STAT_ROUTES - 1, status_at(201)), 2, "answers are summed by route and status");
	is_int(stats_answered(h, 0, status_at(500)), 1, "a status without a place is counted as 500");
	is_int(stats_refused(h, STAT_REASONS - 1), 1, "refusals by reason");
	uint64_t all = 0;
	for (unsigned r = 0; r < STAT_ROUTES; r++)
		for (unsigned s = 0; s < STAT_STATUSES; s++)
			all += stats_answered(h, r, s);
	is_int(all, 3, "and nothing else was touched");
	hub_free(&h);
}

static void measure(void)
{
	struct hub *h = hub_for_test(1, 10, 10);
	stats_attach(h, 0);
	int64_t start = now_ns();
	for (int i = 0; i < ROUNDS; i++)
		stat_add(STAT_REQUESTS, 1);
	int64_t added = now_ns() - start;
	start = now_ns();
	for (int i = 0; i < ROUNDS; i++)
		stat_observe(STAT_HIST_REQUEST, (uint64_t)i);
	printf("# add %.1f ns, observe %.1f ns\n", (double)added / ROUNDS, (double)(now_ns() - start) / ROUNDS);
	hub_free(&h);
}

int main(void)
{
	test_sums();
	test_bounds();
	test_names();
	test_tables();
	measure();
	return done_testing();
}
