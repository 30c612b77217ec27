/* SPDX-License-Identifier: BSD-2-Clause */
/* One user's whole history of a conversation, held against the recorder and against a recount. Knows no sockets. */
#ifndef TIDINGS_TORTURE_HISTORY_H
#define TIDINGS_TORTURE_HISTORY_H

#include "core/base.h"
#include "record.h"

/* All zeroes is an empty one. */
struct history {
	struct record *record;
	unsigned user, peer;
	uint8_t *seen; /* by seq */
	uint32_t size;
	uint64_t newest_id;
	int64_t unread;
};

/* In `seen`. */
enum { SEEN = 1, SEEN_READ = 2 };
#define SEEN_MARKS(marks) ((uint8_t)((marks) << 2))
#define SEEN_MARK(mark) SEEN_MARKS(MARK_BIT(mark))

/* What the server and the people say of it. */
struct history_claims {
	int64_t unread, read_seq; /* of the list of conversations */
	uint64_t last_id;	  /* of its last_message; 0: null */
	/* How far each has tried to read, and was told to have read. */
	uint32_t tried, done, peer_tried, peer_done;
};

/* Of a group. */
struct history_group_claims {
	int64_t unread, mentions, read_seq, first_seq;
	uint64_t last_id;
	uint32_t tried, done;
};

/* peer: a party. */
void history_begin(struct history *h, struct record *record, unsigned user, unsigned peer);
void history_take(struct history *h, const struct sight *s);
/* It is among the pinned messages. */
void history_take_pin(struct history *h, uint32_t seq);
/* What was done to it has to be seen. */
void history_check_marks(const struct history *h, unsigned message, uint8_t seen);
/* Tells what does not fit. */
void history_end(struct history *h, const struct history_claims *claims);
void history_end_group(struct history *h, const struct history_group_claims *claims);
void history_fini(struct history *h);

#endif
