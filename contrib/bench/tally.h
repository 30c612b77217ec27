/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the load generator counts: every message it sent with its fate, latencies,
 * and what processes spent meanwhile according to /proc.
 */
#ifndef TIDINGS_BENCH_TALLY_H
#define TIDINGS_BENCH_TALLY_H

#include "core/base.h"
#include <sys/types.h>

uint64_t now_us(void);

/* Latencies in microseconds, in steps of about 3 %. */
#define SPREAD_STEPS 1024
struct spread {
	uint64_t count, max;
	uint32_t step[SPREAD_STEPS];
};
void spread_add(struct spread *s, uint64_t us);
uint64_t spread_percentile(const struct spread *s, double percent);

/* The fate of a message. */
struct fate {
	uint64_t sent_us;
	uint32_t seq;
	bool acked : 1;
	bool pushed : 1;
	bool failed : 1;
};

struct tally {
	struct fate *fate; /* by the message's number */
	size_t sent, cap;
	size_t acked, pushed, failed; /* of all messages */
	size_t doubled, misordered;
	uint64_t from_us, to_us; /* the measured time; nothing is measured while from_us is 0 */
	size_t window_acks, window_pushes;
	struct spread ack, push;
};

/* Returns the new message's number. Its latencies count from sent_us: when it is sent, or should have been. */
size_t tally_sent(struct tally *t, uint64_t sent_us);
void tally_ack(struct tally *t, size_t number, uint32_t seq);
void tally_failed(struct tally *t, size_t number);
/* last_seq is the recipient's: the highest seq that was pushed to it. */
void tally_push(struct tally *t, size_t number, uint32_t seq, uint32_t *last_seq);
/* Acknowledged messages that were never pushed. */
size_t tally_lost(const struct tally *t);

/* Processes whose sums are told apart, "mariadbd=17" or "workers=12,13". */
struct procs {
	const char *name;
	pid_t pid[64];
	size_t count;
	uint64_t cpu_us; /* at the start of the measured time, then what was used in it */
};
int procs_parse(struct procs *g, char *text) MUST_CHECK;
/* User and system time so far. A process that is gone counts as 0. */
uint64_t procs_cpu_us(const struct procs *g);
/* What all processors have done so far, interrupts and time taken by other machines included. */
uint64_t machine_cpu_us(void);
/* The sums of Pss and of Private_Clean + Private_Dirty, in bytes. */
void procs_memory(const struct procs *g, uint64_t *pss_r, uint64_t *private_r);

#endif
