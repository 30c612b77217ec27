/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A write lane: one connection, one transaction in flight. What arrives meanwhile is the next one (group commit), begun
 * at the end of a turn of the loop so that all that came in it takes part. After a batch of several, one of a few
 * begins 3 ms after it began, so that more take part; a lone operation waits for nothing. A writer process has several
 * lanes (serve.h); a program that has no writers has one of its own (store.c).
 *
 * An operation waits up to 3 s for a lost connection to be made anew, or for a database
 * that does not answer. Once the database is known to be away (link_is_away()), what waits and
 * what comes is answered as unavailable without waiting.
 *
 * When the time is up for an operation that may have committed (the answer to COMMIT was lost), its asker is told
 * STORE_UNCERTAIN, and it stays in the queue: once the database answers again it is looked for under the lock of its
 * conversation, writes nothing, and is answered a second time. So nothing is committed that others are never told of.
 */
#ifndef TIDINGS_STORE_LANE_H
#define TIDINGS_STORE_LANE_H

#include "core/base.h"
#include "store/store.h"

struct lane;

struct lane *lane_new(struct event_base *base, const struct conf *conf, const struct store_observer *obs, void *ctx);
/* Answers all that is in it: STORE_UNAVAILABLE, or STORE_UNKNOWN where a transaction may have committed. */
void lane_free(struct lane **l);
bool lane_is_up(const struct lane *l);
/* Down, and not only for the moment that making a lost connection anew takes: what comes is refused. */
bool lane_is_away(const struct lane *l);
/* The reason is that the database is read-only. */
bool lane_is_read_only(const struct lane *l);
/* Not answered yet. */
size_t lane_pending(const struct lane *l);

/* ---- the outbox (outbox.h) ---- */

/* Within an answer: its row, where others have to be told of what it says; 0: they do not. */
uint64_t lane_answering_row(const struct lane *l);
/* Others were told of `count` answers of that row. */
void lane_told(struct lane *l, uint64_t row, unsigned count);
/* All of that is noted in the database; or that is away, and the relay tells others once more. */
bool lane_has_noted(const struct lane *l);
/* Nobody who had such an answer will say so. */
void lane_will_not_tell(struct lane *l, uint64_t row);

/* ---- the operations, as store.h describes them ---- */

/* What became of an operation before it came to this lane. */
enum lane_past {
	LANE_FRESH,
	/*
	 * A process that has died had it, and may have carried it out; its transaction may be under way still. It is
	 * looked for, and carried out if it was not done. A change that was made before, perhaps by that process, is
	 * answered with STORE_UNKNOWN.
	 */
	LANE_INHERITED,
	LANE_SETTLING, /* inherited too, but its asker was told STORE_UNCERTAIN: it is only looked for */
};

struct lane_created {
	enum store_status status;
	bool created; /* false: it existed */
	uint64_t conversation_id;
};
typedef void lane_created_fn(const struct lane_created *r, void *arg);

struct lane_read {
	struct store_read r;
	/* STORE_OK: `marked` and `unread` are still to be counted (read_count.h), from where read_seq was, with these.
	 */
	bool counts;
	uint64_t was_seq, last_seq, uncounted_seq, deleted_seq;
};
typedef void lane_read_fn(const struct lane_read *r, void *arg);

/* A client_msg_id that the server made begins with a space, which no client's does. */
#define MADE_ID_LEN 23
void lane_make_id(char id[MADE_ID_LEN]);

/* p has a client_msg_id: the client's, or one of lane_make_id() or forward_id_make(). */
void lane_send(struct lane *l, const struct store_send *p, enum lane_past past, store_sent_fn *fn, void *arg);
void lane_create(struct lane *l, struct str user, struct str peer, struct str source_kind, struct str source_id,
		 enum lane_past past, lane_created_fn *fn, void *arg);
void lane_act(struct lane *l, const struct store_act *p, enum lane_past past, store_change_fn *fn, void *arg);
/* clears: store_clear(); of the result count status and changed. */
void lane_read_conversation(struct lane *l, struct str user, uint64_t conversation_id, uint64_t up_to_seq, bool clears,
			    enum lane_past past, lane_read_fn *fn, void *arg);

#endif
