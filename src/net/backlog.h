/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The output of a worker that its clients have not taken yet, HTTP and WebSocket together. Two rules bound it:
 *
 * A client that has output waiting takes BACKLOG_RATE bytes a second or more, on average over BACKLOG_WINDOW_MS; else
 * its connection is closed (CONN_TOO_SLOW). What counts is what the peer's kernel has acknowledged.
 *
 * All of it takes at most a budget of memory. Beyond that the connections that would take longest to read what they
 * hold are closed (CONN_NO_MEMORY) until an eighth of the budget is free: those that hold much and take little.
 */
#ifndef TIDINGS_NET_BACKLOG_H
#define TIDINGS_NET_BACKLOG_H

#include "core/base.h"
#include "core/wheel.h"

#include <sys/queue.h>

#define BACKLOG_RATE 1024
#define BACKLOG_WINDOW_MS 30000

struct backlog;
struct conn;

/* What a connection's peer took in a time. */
struct backlog_pace {
	int64_t ms;
	uint64_t bytes;
};

/* Part of a connection's unsent output, zeroed. */
struct backlog_entry {
	TAILQ_ENTRY(backlog_entry) entry;
	struct conn *conn;	    /* NULL while it does not wait */
	int64_t since_ms;	    /* when the present window began */
	uint64_t written;	    /* to the socket since then */
	int in_kernel;		    /* bytes that the kernel held then */
	bool suspect;		    /* too slow at the last look */
	struct backlog_pace before; /* of the window before */
};

struct backlog *backlog_new(struct wheel *w);
/* No connection waits any more. */
void backlog_free(struct backlog **b);
/* In bytes; 0, at first: any amount. */
void backlog_set_budget(struct backlog *b, size_t bytes);
/* The memory that all queues take; for outq_init, and to be read. */
size_t *backlog_memory(struct backlog *b);

/* At a turn's end output of c is left, after that many bytes were written. May close c or others. */
void backlog_wait(struct backlog *b, struct conn *c, size_t written);
/* Its output is written or dropped. */
void backlog_leave(struct backlog *b, struct conn *c);

#endif
