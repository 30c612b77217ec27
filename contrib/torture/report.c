/* SPDX-License-Identifier: BSD-2-Clause */
/* The figures of a run. */
#include "core/base.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "pace.h"
#include "record.h"
#include "stack.h"

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void print_latencies(const char *when, struct latencies *l)
{
	if (l->count == 0) {
		printf("push latency %s: none\n", when);
		return;
	}
	qsort(l->ms, l->count, sizeof(*l->ms), by_size);
	printf("push latency %s: p50 %u ms, p99 %u ms, max %u ms, of %zu\n", when, l->ms[l->count / 2],
	       l->ms[l->count - 1 - l->count / 100], l->ms[l->count - 1], l->count);
}

void report(struct record *record, const struct stack *stack, double secs, const char *schedule)
{
	struct tally *t = record_tally(record);
	unsigned faults = 0, lost = 0;
	for (int k = 0; k < FAULTS; k++)
		faults += fault_count[k];
	for (unsigned i = 0; i < stack->nodes; i++)
		lost += proxy_lost_commits(stack->node[i].db);
	if (schedule != NULL)
		printf("the schedule up to there:\n%s", schedule);
	printf("messages: %u sent, %u acknowledged, %u of them to a repeat; %u requests were repeated\n", t->sent,
	       t->acked, t->replayed, t->retried);
	printf("others: %u recalls, %u edits, %u reactions, %u pins, %u deletions, %u reads; %u sessions, %u resyncs, "
	       "%u syncs\n",
	       t->marks[MARK_RECALLED], t->marks[MARK_EDITED], t->marks[MARK_REACTED], t->marks[MARK_PINNED],
	       t->deletes, t->reads, t->sessions, t->resyncs, t->syncs);
	printf("groups: %u of the messages, and %u refused; %u changes answered, %u refused, %u of unknown outcome\n",
	       t->group_sent, t->group_refused, t->changes, t->changes_refused, t->changes_unknown);
	printf("pushes: %u, and %u of what was known\n", t->pushes - t->doubled_pushes, t->doubled_pushes);
	printf("faults: %u in %.0f s:", faults, secs);
	for (int k = 0; k < FAULTS; k++)
		if (fault_count[k] > 0)
			printf(" %s %u", fault_name((enum fault_kind)k), fault_count[k]);
	printf("%s; answers to COMMIT lost: %u\n", faults == 0 ? " none" : "", lost);
	print_latencies("without faults", &t->calm);
	print_latencies("during faults", &t->faulty);
	printf("machine: the longest stall %lld ms, deadlines stretched %.1f times\n", (long long)pace_worst_stall_ms(),
	       pace_slowdown());
}
