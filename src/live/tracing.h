/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What became of a message, as all nodes of the cluster have noted it (core/trace.h). The worker that is asked scans
 * the rings of its own node, and asks the others on TOPIC_ALL; of each node one worker scans that node's, and answers
 * on the topic of the worker that asked (TOPIC_WORKER and its name).
 *
 * BUS_TRACE is `number message_id hub`: a number of the question and the message's id, of 16 hexadecimal digits each,
 * and the name of the hub of the node that asks. BUS_TRACED is `number hub found`: the number again, the name of the
 * hub of the node that answers, and the bytes of trace_found_put().
 */
#ifndef TIDINGS_LIVE_TRACING_H
#define TIDINGS_LIVE_TRACING_H

#include "core/base.h"
#include "net/loop.h"

#include <sys/queue.h>

struct live;
struct trace_found;
struct trace_job;
struct trace_question;

#define TRACING_PATIENCE_MS 1000
/* Questions of a worker under way; and what it scans for others. */
#define TRACING_MAX 8
#define TRACING_ANSWERS_MAX 64

/* Part of struct live. */
struct tracing {
	TAILQ_HEAD(trace_jobs, trace_job) jobs; /* scans; the first one is at work */
	LIST_HEAD(, trace_question) questions;
	struct loop_task step;
	unsigned asking, answering;
	uint64_t number; /* of the last question */
};

void tracing_init(struct live *live);
void tracing_start(struct live *live);
/* Questions are answered by what is known, before the bus goes. */
void tracing_fini(struct live *live);

/* all: every node has answered, and nothing was left out. From the loop, once. `found` is borrowed. */
typedef void tracing_fn(const struct trace_found *found, bool all, void *arg);
/* False: too many are under way. */
bool tracing_find(struct live *live, uint64_t message_id, tracing_fn *fn, void *arg) MUST_CHECK;

/* The bus: another worker asks, or answers. */
void tracing_asked(struct live *live, struct str origin, struct str data);
void tracing_answered(struct live *live, struct str data);

#endif
