/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of forward share; and what a worker has of these requests under way (struct api). */
#ifndef TIDINGS_CMD_FORWARD_H
#define TIDINGS_CMD_FORWARD_H

#include "core/base.h"
#include "api/request.h"
#include "core/buf.h"
#include "core/wheel.h"
#include "store/forward.h"

#include <sys/queue.h>

/* One that is forwarded. */
struct forwarded {
	uint64_t id;
	size_t at; /* in message_ids */
};

struct forward_target {
	struct forward *forward;
	struct str user;	     /* as it was given: either a user, */
	uint64_t conversation_id;    /* or this */
	struct forward_target *same; /* an earlier one that is meant too: its messages are these */
	struct str to;		     /* where it goes to, as in struct store_send */
	uint64_t group;
	unsigned next; /* the copy that is sent, or waits */
	struct store_send p;
	char id[FORWARD_ID_LEN];
	bool *is_stored;		   /* of each copy */
	struct buf messages;		   /* as JSON, with commas between them */
	const struct problem *problem;	   /* why there are no more; NULL: there are all */
	TAILQ_ENTRY(forward_target) entry; /* of those that wait, with this timer */
	struct wheel_timer timer;
};

struct forward {
	struct request *r;
	struct forwarded *message; /* sorted by conversation and seq, each once */
	uint64_t *message_id;	   /* the same */
	size_t message_count;
	struct forward_target target[FORWARD_TARGETS_MAX];
	size_t target_count;
	bool merged;
	struct str comment; /* absent: none */
	bool has_key;
	struct forward_key key;

	/* Why the copies cannot be made, in a repeat: only what is stored already is answered. NULL: they can. */
	const struct problem *lost;
	struct store_send *copy; /* what each target gets, but for where it goes and its client_msg_id */
	uint64_t *cost;		 /* of each, in tokens of the sender */
	size_t copy_count;
	size_t bytes;	     /* of the answer, at most */
	size_t begun;	     /* targets, in order */
	unsigned busy;	     /* those of them that are not done, */
	unsigned at_once;    /* and how many these may be */
	bool begins;	     /* go_on() is running */
	int64_t deadline_ms; /* until which a group's tokens are waited for */
	int64_t end_ms;	     /* after which no copy is begun */
};

/* Fills in copy and cost. Uses live->scratch. */
const struct problem *forward_make_copies(struct forward *f, const struct forward_source *s) MUST_CHECK;
/* The same without the messages: of each copy nothing but that there is one. */
void forward_count_copies(struct forward *f);

void forwards_init(struct api *api);
/* Those that wait for a group's tokens wait no longer, and nothing more is begun: what was not sent is refused as
 * unavailable. */
void forwards_fini(struct api *api);

#endif
