/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a process that the master has forked, from the fork to its exit: what workers, writers and relays share.
 * It obeys the orders that come through its channel, reports its state there, writes its row of the scoreboard each
 * second, becomes ready once it is connected with what it needs (or has waited for that for a moment, and longer where
 *it still reads what it has to know), and drains when told.
 *
 *	process_begin(); process_start(); the kind's own parts; process_run(); the parts are freed; process_end().
 */
#ifndef TIDINGS_PROC_PROCESS_H
#define TIDINGS_PROC_PROCESS_H

#include "core/base.h"
#include "core/wheel.h"
#include "hub/hub.h"
#include "net/loop.h"
#include "proc/channel.h"

struct event;
struct process;

/* An exit status that tells the master not to start it again at once: it could not begin its work. */
#define PROCESS_UNABLE 78 /* EX_CONFIG of sysexits(3) */

/* What differs between kinds. Called from the loop alone. */
struct process_kind {
	const char *name; /* for the log */
	/* How long it drains when the master has gone and nobody sets a time. */
	int64_t orphan_drain_ms;
	/* Fills what its row of the scoreboard has for this kind: process_write_row() does the rest. */
	void (*fill_row)(struct process *p, struct worker_row *row);
	/* Fills what the master decides by; `state` is process.c's. NULL: nothing else. */
	void (*report)(struct process *p, struct report *r);
	/* Those orders that only this kind gets. fd: as in channel_receive(). */
	void (*obey)(struct process *p, const struct order *order, int fd);
	bool (*is_connected)(struct process *p);
	/* It reads what it has to know before it serves, so it is worth waiting for. NULL: there is no such thing. */
	bool (*is_learning)(struct process *p);
	/* Nothing is left to do. Asked while it drains. */
	bool (*is_idle)(struct process *p);
	/* NULL: it only waits to be idle. */
	void (*drain)(struct process *p, int64_t deadline_ms);
};

/* A part of a struct worker, writer_process or relay_process. */
struct process {
	const struct process_kind *kind;
	struct hub *hub;
	unsigned slot; /* its row there */
	int channel;
	struct loop *loop; /* from process_start() to process_end() */
	/* process.c's own */
	enum worker_state state;
	struct event *orders;
	struct wheel_timer each_second, step, soon;
	int64_t started_ms, deadline_ms; /* clock_mono_ms */
	int64_t memory_read_ms;
	uint64_t log_lost_told;
};

/* Names it in the log, and leaves signals to the master. kind, hub, slot and channel are set. */
void process_begin(struct process *p, unsigned number);
/* Becomes that user, where this one is root ("": stays what it is). -1: logged. */
int process_become(const char *user) MUST_CHECK;
/*
 * Becomes that user, where this one is root ("": stays what it is). From then on it has a loop, and counts in its row
 * of the statistics. -1: logged; there is nothing to end.
 */
int process_start(struct process *p, const char *user) MUST_CHECK;
/* Until it has drained, or is to leave at once. */
void process_run(struct process *p);
void process_end(struct process *p);

/* Its row of the scoreboard, which is written each second, is out of date. */
void process_write_row(struct process *p);
/* What it is connected with may have changed: becomes ready without waiting for the next look. */
void process_look(struct process *p);
/* What it reports has changed. Many a turn are one report, a moment later. */
void process_report_soon(struct process *p);

#endif
