/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the clients of one worker have sent of messages that are not whole: bodies of requests, messages of WebSockets.
 * Together they take INTAKE_MEMORY at most. Beyond it those that have been on their way longest give way: a client
 * that trickles gives way to one that sends.
 */
#ifndef TIDINGS_NET_INTAKE_H
#define TIDINGS_NET_INTAKE_H

#include "core/base.h"
#include <sys/queue.h>

#define INTAKE_MEMORY ((size_t)64 * 1024 * 1024)

struct intake;

/* One message. Embedded in what holds its bytes, zeroed before first use. */
struct intake_entry {
	TAILQ_ENTRY(intake_entry) entry;
	struct intake *intake; /* NULL: not counted */
	/* Frees the message and calls intake_end; runs within intake_make_room only. */
	void (*give_way)(void *owner);
	void *owner;
	int64_t since_ms; /* clock_mono_ms of intake_begin */
	size_t bytes;
	bool held; /* by intake_hold */
};

struct intake *intake_new(void);
/* No entry is counted any more. */
void intake_free(struct intake **in);

/* The message's first bytes are here. */
void intake_begin(struct intake *in, struct intake_entry *e, void (*give_way)(void *owner), void *owner);
/* It takes that much memory now. */
void intake_set(struct intake_entry *e, size_t bytes);
/* It does not give way any more, for it is whole or is given up; it counts until intake_end. */
void intake_hold(struct intake_entry *e);
/* Its memory is freed. Harmless where it is not counted. */
void intake_end(struct intake_entry *e);
/* While all take more than they may, the oldest gives way, perhaps the caller's own. To be called after intake_set. */
void intake_make_room(struct intake *in);
/* The memory that all take. */
size_t intake_bytes(const struct intake *in);

#endif
