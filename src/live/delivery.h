/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far messages of direct conversations have reached this worker's users, as their sessions report it: gathered,
 * written for many conversations at once, and told to the other side. What a session reports again and again costs one
 * write a second and conversation, both sides together, wherever their sessions are: the database's clock decides that,
 * and what comes earlier waits here for its time. Whatever is lost with this process is made up for by the next report.
 */
#ifndef TIDINGS_LIVE_DELIVERY_H
#define TIDINGS_LIVE_DELIVERY_H

#include "core/base.h"
#include "core/table.h"
#include "core/wheel.h"
#include "net/loop.h"
#include "store/store.h"

#include <sys/queue.h>

struct live;

/* In struct live. By conversation and user: what is to be written, and what was written within the last second. */
struct deliveries {
	struct table gathered;
	TAILQ_HEAD(delivery_list, delivery) ready;
	size_t waiting; /* those of which something is to be written */
	struct loop_task begin;
	struct wheel_timer again;
	int64_t begun_ms; /* the last transaction */
	bool writing;	  /* one is under way */
	bool failing;	  /* the last one failed */
	bool closing;
};

void deliveries_init(struct live *live);
/* Ends what waits, before the store ends the rest. */
void deliveries_fini(struct live *live);
/* Reported and not written yet; 0 where the last try failed, for then it may wait long. */
size_t deliveries_pending(const struct live *live);

/* STORE_OK: it is written, or known to be the user's to say and gathered. After STORE_UNAVAILABLE it is tried again. */
typedef void delivery_fn(enum store_status status, void *arg);
/* The conversation is a direct one. */
void delivery_note(struct live *live, struct str user, uint64_t conversation_id, uint64_t up_to_seq, delivery_fn *fn,
		   void *arg);

#endif
