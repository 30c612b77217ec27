/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the connections of one worker share: the event base, the wheel of their
 * timeouts, one read buffer, and the list of what is to be done at the end of a
 * loop turn (writing what the turn queued, freeing what it closed).
 */
#ifndef TIDINGS_NET_LOOP_H
#define TIDINGS_NET_LOOP_H

#include "core/base.h"
#include "core/wheel.h"
#include <sys/queue.h>

struct event_base;
struct backlog;
struct intake;
struct poller;
struct work;

/* A thing to be done once at the end of this turn. Embedded in its owner, zeroed before first use. */
struct loop_task {
	TAILQ_ENTRY(loop_task) entry; /* its tqe_prev is NULL while the task is not queued */
	void (*fn)(struct loop_task *t);
};

struct loop;

struct loop *loop_new(void);
/* Runs what is still deferred first, so that connections closed before are freed. */
void loop_free(struct loop **l);
struct event_base *loop_base(struct loop *l);
struct wheel *loop_wheel(struct loop *l);
/* What the connections' sockets are waited for with. */
struct poller *loop_poller(struct loop *l);
/* The output that waits for slow clients. */
struct backlog *loop_backlog(struct loop *l);
/* What clients have sent of messages that are not whole. */
struct intake *loop_intake(struct loop *l);
/* The thread that reads files into the page cache, for outfile.c. Started by its first job. */
struct work *loop_disk(struct loop *l);
/* Queues the task unless it is queued already. It may queue others, and itself again (for the next turn). */
void loop_defer(struct loop *l, struct loop_task *t);
void loop_undefer(struct loop *l, struct loop_task *t);
bool loop_is_deferred(const struct loop_task *t);
/* For a task that had no time for its work: queues it for the next turn, before those that had. */
void loop_postpone(struct loop *l, struct loop_task *t);
/* For a task that has more to do than there is time for. `did`: a part of it is done, and others come before the rest.
 */
void loop_go_on(struct loop *l, struct loop_task *t, bool did);
/*
 * False once this turn's events, or then its tasks, have taken LOOP_PART_MS: what may wait for the next turn should,
 * for others wait too. The first question of each is answered yes.
 */
#define LOOP_PART_MS 20
bool loop_has_time(struct loop *l);
/* Runs until loop_stop; deferred tasks run after each turn's events. */
void loop_run(struct loop *l);
/* One turn: waits for events (not if a task is queued), runs them, then the tasks. */
void loop_turn(struct loop *l);
void loop_stop(struct loop *l);
/* Runs what is deferred now, outside a turn: before what it refers to is freed. */
void loop_settle(struct loop *l);
/* One of the TLS handshakes that a turn may spend its time on; false: no more of them before the next turn. */
#define LOOP_HANDSHAKES_A_TURN 8
bool loop_may_shake_hands(struct loop *l);
/* The worker's read buffer, LOOP_READ_SIZE bytes; its content is gone when the reader returns to the loop. */
#define LOOP_READ_SIZE 65536
char *loop_read_buffer(struct loop *l);

#endif
